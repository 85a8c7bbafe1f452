import Synchronization

/// The memory of tensors and workspaces, kept when it is freed for the next one of the same size.
///
/// A training step and a surrogate solve ask for the same sizes in the same order again and again: after the first
/// one all memory comes from here, and none from the heap. All blocks together never take much more than what was in
/// use at one time.
package enum MemoryPool {
  /// Every block begins at a multiple of this: a cache line, and the longest vector.
  private static let alignment = 64
  /// Larger blocks go back to the system: they are whole datasets, not what steps repeat.
  private static let largest = 1 << 30

  /// Blocks of one size that nobody uses, each of which begins with the address of the next one.
  private struct Shelf {
    let size: Int
    private(set) var first: UnsafeMutableRawPointer?
    /// When one was last taken or put back.
    var lastUse = 0

    init(size: Int) { self.size = size }

    mutating func put(_ block: UnsafeMutableRawPointer) {
      block.storeBytes(of: first, as: UnsafeMutableRawPointer?.self)
      first = block
    }

    mutating func take() -> UnsafeMutableRawPointer? {
      guard let block = first else { return nil }
      first = block.load(as: UnsafeMutableRawPointer?.self)
      return block
    }
  }

  private struct State: @unchecked Sendable {
    /// One for every size there was.
    var shelves: [Shelf] = []
    /// Where among them a size is: behind the place that its hash names or soon after; −1 where there is none.
    ///
    /// A dictionary would hash more thoroughly than is needed for what is done several times in every operation.
    private var table = [Int](repeating: -1, count: 64)
    var clock = 0
    var bytesInUse = 0
    var mostInUse = 0
    var idleBytes = 0

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
  }

  private static let state = Mutex(State())

  /// A block of at least `bytes`, whose content is undefined.
  package static func take(_ bytes: Int) -> UnsafeMutableRawPointer {
    let size = rounded(bytes)
    guard size <= largest else { return .allocate(byteCount: size, alignment: alignment) }
    let found = state.withLock { state -> UnsafeMutableRawPointer? in
      state.clock += 1
      state.bytesInUse += size
      state.mostInUse = max(state.mostInUse, state.bytesInUse)
      let place = state.place(of: size)
      let found = state.shelves[place].take()
      if found != nil {
        state.shelves[place].lastUse = state.clock
        state.idleBytes -= size
      } else {
        makeRoom(&state)
      }
      return found
    }
    return found ?? .allocate(byteCount: size, alignment: alignment)
  }

  /// Puts back what `take` gave for the same number of bytes.
  package static func putBack(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
    let size = rounded(bytes)
    guard size <= largest else { return block.deallocate() }
    state.withLock { state in
      state.clock += 1
      state.bytesInUse -= size
      state.idleBytes += size
      let place = state.place(of: size)
      state.shelves[place].put(block)
      state.shelves[place].lastUse = state.clock
    }
  }

  /// Frees idle blocks, those first whose size was not asked for for the longest time, until what is used and what
  /// is idle come to a quarter more than was ever in use, and a little.
  private static func makeRoom(_ state: inout State) {
    let most = state.mostInUse + state.mostInUse / 4 + (1 << 20)
    while state.bytesInUse + state.idleBytes > most,
      let oldest = state.shelves.indices.filter({ state.shelves[$0].first != nil }).min(by: {
        state.shelves[$0].lastUse < state.shelves[$1].lastUse
      })
    {
      state.shelves[oldest].take()?.deallocate()
      state.idleBytes -= state.shelves[oldest].size
    }
  }

  private static func rounded(_ bytes: Int) -> Int { max(1, (bytes + alignment - 1) / alignment) * alignment }
}
