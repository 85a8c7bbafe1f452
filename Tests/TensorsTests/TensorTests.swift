import Tensors
import Testing

@Suite struct TensorTests {
  @Test func zerosKeepTheirSign() {
    #expect(Tensor<Float>(shape: [2, 3]).scalars.allSatisfy { $0 == 0 && $0.sign == .plus })
    #expect(Tensor<Double>(shape: [5], repeating: -0.0).scalars.allSatisfy { $0 == 0 && $0.sign == .minus })
  }

  @Test func copiesAreIndependentOnceWritten() {
    let original = Tensor<Float>(shape: [2, 3], scalars: [1, 2, 3, 4, 5, 6])
    var copy = original
    copy[1, 2] = 60
    #expect(original[1, 2] == 6)
    #expect(copy.scalars == [1, 2, 3, 4, 5, 60])
  }

  @Test func aSharedCopyIsNotDuplicatedUntilWritten() {
    let original = Tensor<Double>(shape: [4], repeating: 1)
    let copy = original.reshaped(to: [2, 2])
    let first = original.withUnsafeBuffer { $0.baseAddress }
    #expect(copy.withUnsafeBuffer { $0.baseAddress } == first)
  }

  /// Another shape is a copy like any other: written to in place only where nobody else holds the memory.
  @Test func anotherShapeIsIndependentOnceWritten() {
    func start(_ tensor: Tensor<Float>) -> UnsafePointer<Float>? {
      tensor.withUnsafeBuffer { $0.baseAddress }
    }
    var original = Tensor<Float>(shape: [4], scalars: [1, 2, 3, 4])
    var other = original.reshaped(to: [2, 2])
    other[0, 1] = 20
    #expect(original.scalars == [1, 2, 3, 4] && other.scalars == [1, 20, 3, 4])
    var third = other.reshaped(to: [4, 1]).reshaped(to: [1, 4])
    original = third
    third[0, 0] = 10
    #expect(original.scalars == [1, 20, 3, 4] && third.scalars == [10, 20, 3, 4])
    other[1, 1] = 40
    #expect(original.scalars == [1, 20, 3, 4] && other.scalars == [1, 20, 3, 40])
    // `other` and `third` have memory of their own by now.
    let (whose, alone) = (start(original), start(third))
    original = original.reshaped(to: [2, 2])
    original[0, 0] = 5
    third = third.reshaped(to: [4])
    third[0] = 6
    #expect(start(original) == whose && start(third) == alone)
    #expect(
      original.shape == [2, 2] && original.scalars == [5, 20, 3, 4] && third.scalars == [6, 20, 3, 4])
  }

  @Test(arguments: [1, 3, 17, 85 * 85])
  func storageIsAlignedForSIMD(count: Int) {
    let tensor = Tensor<Float>(shape: [count])
    tensor.withUnsafeBuffer { #expect(UInt(bitPattern: $0.baseAddress!) % 64 == 0) }
  }

  @Test func samplesAreSlicesOfTheFirstAxis() {
    let tensor = Tensor<Float>(shape: [3, 2], scalars: [1, 2, 3, 4, 5, 6])
    #expect(tensor[first: 1..<3] == Tensor(shape: [2, 2], scalars: [3, 4, 5, 6]))
    #expect(tensor[first: 1..<1].shape == [0, 2])
  }

  @Test func stackingIsTheInverseOfSlicing() {
    let tensor = Tensor<Double>(shape: [3, 2], scalars: [1, 2, 3, 4, 5, 6])
    let rows = (0..<3).map { tensor[first: $0..<$0 + 1].reshaped(to: [2]) }
    #expect(Tensor.stacking(rows) == tensor)
  }

  @Test func conversionRoundsToNearestAndWidensExactly() {
    let double = Tensor<Double>(shape: [2], scalars: [0.1, 1 + 0x1p-30])
    let float = Tensor<Float>(converting: double)
    #expect(float.scalars == [0.1, 1])
    #expect(Tensor<Double>(converting: float).scalars == [Double(Float(0.1)), 1])
  }

  @Test func severalTensorsAreReadAtOnce() {
    let a = Tensor<Float>(shape: [2], scalars: [1, 2])
    let b = Tensor<Double>(shape: [2], scalars: [10, 20])
    let sum = withPointers(a, b) { a, b in Double(a[1]) + b[1] }
    #expect(sum == 22)
  }
}
