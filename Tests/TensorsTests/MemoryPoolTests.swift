import Tensors
import Testing

@Suite struct MemoryPoolTests {
  /// Where a tensor's elements are.
  private func place(_ tensor: Tensor<Float>) -> UnsafeRawPointer {
    tensor.withUnsafeBuffer { UnsafeRawPointer($0.baseAddress!) }
  }

  /// More sizes than the table begins with, all of them in use at once.
  @Test func nobodyElseHasWhatIsInUse() {
    let memory = (1...300).map { PooledMemory<Float>(count: 16 * $0 * $0) }
    for (number, block) in memory.enumerated() {
      #expect(UInt(bitPattern: block.start) % 64 == 0)
      block.start.update(repeating: Float(number), count: 16 * (number + 1) * (number + 1))
    }
    for (number, block) in memory.enumerated() {
      let last = 16 * (number + 1) * (number + 1) - 1
      #expect(block.start[0] == Float(number) && block.start[last] == Float(number))
    }
    // A size that no other test asks for.
    let three = (0..<3).map { _ in PooledMemory<Float>(count: 249_984) }
    #expect(Set(three.map(\.start)).count == 3)
  }

  @Test func whatIsFreeServesTheNext() {
    // Sizes that no other test asks for.
    let first = place(Tensor(shape: [123, 457]))
    let second = Tensor<Float>(shape: [457, 123])
    #expect(place(second) == first)
    let third = Tensor<Float>(shape: [123 * 457])
    #expect(place(third) != first && second.shape == [457, 123] && third.shape == [123 * 457])
    // A tensor of another shape of the same memory keeps it.
    var (reshaped, owner) = (third.reshaped(to: [457, 123]), Optional(third))
    let thirdPlace = place(third)
    owner = nil
    #expect(owner == nil && place(Tensor(shape: [123, 457])) != thirdPlace)
    reshaped[0, 0] = 1
    #expect(third[0] == 0)
  }

  @Test func whoHoldsATensorAloneWritesInPlace() {
    var tensor = Tensor<Float>(shape: [331, 7], repeating: 1)
    let before = place(tensor)
    tensor[0, 0] = 2
    #expect(place(tensor) == before)
    let copy = tensor
    tensor[0, 0] = 3
    #expect(copy[0, 0] == 2 && tensor[0, 0] == 3 && place(copy) == before && place(tensor) != before)
    // Larger than what the pool keeps by number.
    var many = (0..<600).map { Tensor<Float>(shape: [333, 7], repeating: Float($0)) }
    for index in many.indices { many[index][0, 0] += 1 }
    for index in many.indices {
      #expect(many[index][0, 0] == Float(index) + 1 && many[index][1, 0] == Float(index))
    }
    many = []
    let next = (0..<600).map { Tensor<Float>(shape: [333, 7], repeating: Float($0)) }
    #expect(Set(next.map(place)).count == 600 && next[599][332, 6] == 599)
  }

  /// What nobody uses goes back to the system where other sizes are asked for.
  @Test func idleMemoryIsBounded() {
    for megabytes in 1...8 {
      let count = megabytes * 256 * 1024 + 16
      var held = (0..<64 / megabytes).map { _ in Tensor<Float>(shape: [count]) }
      held.removeAll()
    }
    // All of them, 8 sizes of 64 MB each, would be half a gigabyte; what other tests use is small.
    let usage = MemoryPool.usage
    #expect(usage.kept <= usage.mostInUse + usage.mostInUse / 4 + 32 << 20)
  }

  @Test func listsKeepTheirElements() {
    let lists = (0..<20).map { list in PooledList(count: list) { list * 100 + $0 } }
    for (number, list) in lists.enumerated() {
      #expect(list.indices.map { list[$0] } == (0..<number).map { number * 100 + $0 })
    }
  }
}
