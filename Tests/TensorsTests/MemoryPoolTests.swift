import Tensors
import Testing

@Suite struct MemoryPoolTests {
  /// More sizes than the table begins with, some of them in use at once.
  @Test func blocksComeBackBySize() {
    let sizes = (1...300).map { 64 * $0 * $0 }
    var blocks = sizes.map { (block: MemoryPool.take($0), size: $0) }
    for (number, (block, size)) in blocks.enumerated() {
      #expect(UInt(bitPattern: block) % 64 == 0)
      block.initializeMemory(as: UInt8.self, repeating: UInt8(number % 251), count: size)
    }
    // Nobody else has them: each is still as it was filled.
    for (number, (block, size)) in blocks.enumerated() {
      let bytes = UnsafeRawBufferPointer(start: block, count: size)
      #expect(bytes.first == UInt8(number % 251) && bytes.last == UInt8(number % 251))
    }
    for (block, size) in blocks { MemoryPool.putBack(block, size) }
    blocks = []

    // None is given twice.
    let three = (0..<3).map { _ in MemoryPool.take(999_936) }
    #expect(Set(three).count == 3)
    for block in three { MemoryPool.putBack(block, 999_936) }
    let again = (0..<3).map { _ in MemoryPool.take(999_936) }
    #expect(Set(again).count == 3)
    for block in again { MemoryPool.putBack(block, 999_936) }
  }
}
