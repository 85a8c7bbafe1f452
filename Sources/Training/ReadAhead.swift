import Dispatch
import Synchronization

/// Values that are read one after another on a thread of their own, one ahead of their use.
///
/// While the user works with one value the next one is read; no more than these two exist.
final class ReadAhead<Value: Sendable> {
  /// What the reader and the user share: the next value, once it is asked for and there.
  private final class Exchange: Sendable {
    let isWanted = DispatchSemaphore(value: 0)
    let isDone = DispatchSemaphore(value: 0)
    let result = Mutex<Result<Value, any Error>?>(nil)
    let isClosed = Atomic<Bool>(false)
  }

  private let exchange = Exchange()
  private let count: Int
  private var position = 0
  private var isReading = false

  /// Values 0 to `count` − 1; the first is begun at once.
  init(count: Int, _ read: @escaping @Sendable (Int) throws -> Value) {
    self.count = count
    DispatchQueue(label: "reading ahead").async { [exchange] in
      for position in 0..<count {
        exchange.isWanted.wait()
        if exchange.isClosed.load(ordering: .acquiring) { return }
        let result = Result { try read(position) }
        exchange.result.withLock { $0 = result }
        exchange.isDone.signal()
      }
    }
    start()
  }

  /// Whoever reads no further must not have the file read behind their back.
  deinit {
    if isReading { exchange.isDone.wait() }
    exchange.isClosed.store(true, ordering: .releasing)
    exchange.isWanted.signal()
  }

  /// The next value; nil after the last.
  ///
  /// - Throws: what reading it threw.
  func next() throws -> Value? {
    guard isReading else { return nil }
    exchange.isDone.wait()
    isReading = false
    let value = try exchange.result.withLock { $0.take() }?.get()
    position += 1
    start()
    return value
  }

  private func start() {
    guard position < count else { return }
    isReading = true
    exchange.isWanted.signal()
  }
}
