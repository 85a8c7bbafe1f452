import Dispatch
import Synchronization

/// Values that are read one after another on a thread of their own, one ahead of their use.
///
/// While the user works with one value the next one is read; no more than these two exist.
final class ReadAhead<Value: Sendable> {
  /// A value that is being read.
  private final class Pending: Sendable {
    let isDone = DispatchSemaphore(value: 0)
    let result = Mutex<Result<Value, any Error>?>(nil)
  }

  private let count: Int
  private let read: @Sendable (Int) throws -> Value
  private let queue = DispatchQueue(label: "reading ahead")
  private var position = 0
  private var pending: Pending?

  /// Values 0 to `count` − 1; the first is begun at once.
  init(count: Int, _ read: @escaping @Sendable (Int) throws -> Value) {
    self.count = count
    self.read = read
    start()
  }

  /// Whoever reads no further must not have the file read behind their back.
  deinit { pending?.isDone.wait() }

  /// The next value; nil after the last.
  ///
  /// - Throws: what reading it threw.
  func next() throws -> Value? {
    guard let current = pending else { return nil }
    pending = nil
    current.isDone.wait()
    let value = try current.result.withLock { $0.take() }?.get()
    position += 1
    start()
    return value
  }

  private func start() {
    guard position < count else { return }
    let next = Pending()
    pending = next
    queue.async { [read, position] in
      let result = Result { try read(position) }
      next.result.withLock { $0 = result }
      next.isDone.signal()
    }
  }
}
