import Synchronization

/// The memory of tensors and workspaces, kept when nobody refers to it any more for the next one of the same size.
///
/// A training step and a surrogate solve ask for the same sizes in the same order again and again: after the first
/// one all memory comes from here, and none from the heap, nor do the objects that count the references to it. All
/// memory together never takes much more than what was in use at one time.
package enum MemoryPool {
  /// Every storage begins at a multiple of this: a cache line, and the longest vector.
  static let alignment = 64
  /// Larger ones are not kept: they are whole datasets, not what steps repeat.
  private static let largest = 1 << 30
  /// The most storages of one size that are kept: all are looked through for one that is free.
  private static let mostOfSize = 512
  /// After so many takes what is still in use is no part of a step, but stays: a parameter, a sample of a chain.
  ///
  /// It is not kept any longer, which leaves its place to others.
  private static let longestStep = 1 << 16

  /// The storages of one size, those in use among them: they are free when nobody else refers to them.
  private struct Shelf {
    let size: Int
    /// None is missing but for a moment.
    private(set) var storages: [TensorStorage?] = []
    /// When one was last taken.
    var lastUse = 0

    init(size: Int) { self.size = size }

    /// Of the free ones that which became free last, as far as one can tell: the caches know it best.
    mutating func take(at clock: Int) -> TensorStorage? {
      var latest: TensorStorage?
      for index in storages.indices where isKnownUniquelyReferenced(&storages[index]) {
        guard let storage = storages[index] else { continue }
        if storage.seenFree == nil { storage.seenFree = clock }
        if let seen = storage.seenFree, seen > latest?.seenFree ?? -1 { latest = storage }
      }
      return latest
    }

    mutating func isFree(_ index: Int) -> Bool { isKnownUniquelyReferenced(&storages[index]) }

    mutating func append(_ storage: TensorStorage, shelf: Int) {
      storage.place = (shelf, storages.count)
      storages.append(storage)
    }

    mutating func remove(_ index: Int) {
      storages[index]?.place = nil
      storages.swapAt(index, storages.count - 1)
      storages[index]?.place?.index = index
      storages.removeLast()
    }

    /// Whether nobody but the pool and `other` refers to the storage at an index.
    mutating func isHeldByOne(_ index: Int, _ other: inout TensorStorage) -> Bool {
      storages[index] = nil
      defer { storages[index] = other }
      return isKnownUniquelyReferenced(&other)
    }
  }

  private struct State: Sendable {
    /// One for every size there was.
    var shelves: [Shelf] = []
    /// Where among them a size is: behind the place that its hash names or soon after; −1 where there is none.
    ///
    /// A dictionary would hash more thoroughly than is needed for what is done several times in every operation.
    private var table = [Int](repeating: -1, count: 64)
    /// Grows with every take.
    var clock = 0
    /// The clock when `tidy` was last called.
    var lastTidying = 0
    /// Of all storages that are kept.
    var bytes = 0
    var mostInUse = 0

    mutating func place(of size: Int) -> Int {
      var slot = slot(of: size)
      while table[slot] >= 0 {
        if shelves[table[slot]].size == size { return table[slot] }
        slot = (slot + 1) % table.count
      }
      table[slot] = shelves.count
      shelves.append(Shelf(size: size))
      if 2 * shelves.count > table.count { enlargeTable() }
      return shelves.count - 1
    }

    private func slot(of size: Int) -> Int {
      // The upper bits of a product with an odd number, 2⁶⁴ over the golden ratio, depend on all bits.
      Int((UInt64(size) &* 0x9E37_79B9_7F4A_7C15) >> 32) % table.count
    }

    private mutating func enlargeTable() {
      table = [Int](repeating: -1, count: 2 * table.count)
      for (place, shelf) in shelves.enumerated() {
        var slot = slot(of: shelf.size)
        while table[slot] >= 0 { slot = (slot + 1) % table.count }
        table[slot] = place
      }
    }

    /// A quarter more than was ever in use, and a little.
    var limit: Int { mostInUse + mostInUse / 4 + (1 << 20) }

    /// Before something is added: counts what is in use, lets go of what stays in use, and frees what is not in use, those
    /// sizes first that were not asked for for the longest time, until all of it is within the limit.
    mutating func tidy(adding size: Int) {
      lastTidying = clock
      var inUse = 0
      for shelf in shelves.indices {
        for index in shelves[shelf].storages.indices.reversed() where !shelves[shelf].isFree(index) {
          if let taken = shelves[shelf].storages[index]?.taken, clock - taken > longestStep {
            remove(index, of: shelf)
          } else {
            inUse += shelves[shelf].size
          }
        }
      }
      mostInUse = max(mostInUse, inUse + size)
      guard bytes + size > limit else { return }
      for shelf in shelves.indices.sorted(by: { shelves[$0].lastUse < shelves[$1].lastUse }) {
        for index in shelves[shelf].storages.indices.reversed() where bytes + size > limit {
          if shelves[shelf].isFree(index) { remove(index, of: shelf) }
        }
      }
    }

    private mutating func remove(_ index: Int, of shelf: Int) {
      bytes -= shelves[shelf].size
      shelves[shelf].remove(index)
    }
  }

  private static let state = Mutex(State())

  /// A storage of at least `bytes`, whose content is undefined, for `count` elements of a shape.
  @usableFromInline
  static func take(_ bytes: Int, shape: Shape, count: Int) -> TensorStorage {
    let size = max(1, (bytes + alignment - 1) / alignment) * alignment
    guard size <= largest else { return TensorStorage(bytes: size, shape: shape, count: count) }
    return state.withLock { state in
      state.clock += 1
      let place = state.place(of: size)
      state.shelves[place].lastUse = state.clock
      if let free = state.shelves[place].take(at: state.clock) {
        free.begin(shape, count: count, at: state.clock)
        return free
      }
      let isFull = state.shelves[place].storages.count >= mostOfSize
      if !isFull || state.clock - state.lastTidying > mostOfSize { state.tidy(adding: size) }
      let storage = TensorStorage(bytes: size, shape: shape, count: count)
      if state.shelves[place].storages.count < mostOfSize {
        storage.begin(shape, count: count, at: state.clock)
        state.shelves[place].append(storage, shelf: place)
        state.bytes += size
      }
      return storage
    }
  }

  /// The bytes of all memory that is kept, in use or not, and the most that was in use at one time, as far as was counted.
  package static var usage: (kept: Int, mostInUse: Int) { state.withLock { ($0.bytes, $0.mostInUse) } }

  /// Whether nobody but the pool refers to a storage besides the one who asks.
  static func isHeldByOne(_ storage: inout TensorStorage) -> Bool {
    if isKnownUniquelyReferenced(&storage) { return true }
    return state.withLock { state in
      guard let place = storage.place else { return isKnownUniquelyReferenced(&storage) }
      return state.shelves[place.shelf].isHeldByOne(place.index, &storage)
    }
  }

  /// Calls `body` with room for `count` numbers, not initialised, aligned like a tensor.
  package static func withMemory<Scalar: TensorScalar, Result>(
    of type: Scalar.Type, _ count: Int, _ body: (UnsafeMutablePointer<Scalar>) throws -> Result
  ) rethrows -> Result {
    let memory = PooledMemory<Scalar>(count: count)
    defer { withExtendedLifetime(memory) {} }
    return try body(memory.start)
  }
}

/// Room for numbers, aligned like a tensor, which is the pool's again when the last copy of this value is gone.
package struct PooledMemory<Scalar: TensorScalar> {
  private let storage: TensorStorage

  /// Not initialised.
  package init(count: Int) {
    storage = MemoryPool.take(count * MemoryLayout<Scalar>.stride, shape: Shape(), count: count)
    storage.start.bindMemory(to: Scalar.self, capacity: max(1, count))
  }

  /// Where the numbers are.
  package var start: UnsafeMutablePointer<Scalar> { storage.start.assumingMemoryBound(to: Scalar.self) }
}

/// A list that does not change and takes no memory from the heap.
package struct PooledList<Element: BitwiseCopyable> {
  @usableFromInline let storage: TensorStorage
  @usableFromInline let start: UnsafeMutablePointer<Element>
  /// The number of elements.
  package let count: Int
  /// The positions of the elements.
  @inlinable package var indices: Range<Int> { 0..<count }

  /// The list of what `element` gives for every position.
  @inlinable
  package init(count: Int, _ element: (_ position: Int) throws -> Element) rethrows {
    storage = MemoryPool.take(count * MemoryLayout<Element>.stride, shape: Shape(), count: count)
    start = storage.start.bindMemory(to: Element.self, capacity: Swift.max(1, count))
    self.count = count
    for position in 0..<count { start[position] = try element(position) }
  }

  /// The element at a position.
  @inlinable
  package subscript(position: Int) -> Element {
    precondition(position >= 0 && position < count, "no element \(position) among \(count)")
    return start[position]
  }
}

/// The memory of a tensor, aligned for SIMD and FFTW, and its shape.
///
/// Sendable because `Tensor` writes only to storage that it owns alone, and the pool only to storage that nobody else
/// refers to.
@usableFromInline
final class TensorStorage: @unchecked Sendable {
  @usableFromInline private(set) var shape: Shape
  @usableFromInline let start: UnsafeMutableRawPointer
  @usableFromInline private(set) var count: Int
  /// Whose memory this is, if it is not its own: that of a tensor with another shape.
  private(set) var owner: TensorStorage?
  /// Where the pool keeps it, if it does.
  fileprivate(set) var place: (shelf: Int, index: Int)?
  /// When the pool first found it free again.
  fileprivate var seenFree: Int?
  /// When it was taken from the pool.
  private(set) var taken = 0

  /// Memory of its own.
  init(bytes: Int, shape: Shape, count: Int) {
    (self.shape, self.count) = (shape, count)
    start = .allocate(byteCount: bytes, alignment: MemoryPool.alignment)
  }

  /// The same memory under another shape.
  init(_ other: TensorStorage, as shape: Shape) {
    self.shape = shape
    (start, count) = (other.start, other.count)
    owner = other.owner ?? other
  }

  /// The pool gives it out, for a shape.
  fileprivate func begin(_ shape: Shape, count: Int, at clock: Int) {
    (self.shape, self.count, taken) = (shape, count, clock)
    seenFree = nil
  }

  /// Whether the memory belongs to another storage that others hold, too.
  private var isShared: Bool {
    guard var owner else { return false }
    // Two hold it now: this object and the variable.
    self.owner = nil
    defer { self.owner = owner }
    return !MemoryPool.isHeldByOne(&owner)
  }

  /// Whether `storage`, to which the caller holds a reference, may be written to: nobody else sees it.
  static func mayBeWritten(_ storage: inout TensorStorage) -> Bool {
    MemoryPool.isHeldByOne(&storage) && !storage.isShared
  }

  deinit {
    if owner == nil { start.deallocate() }
  }
}
