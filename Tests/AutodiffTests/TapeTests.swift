import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct TapeTests {
  @Test func gradientsOfASharedParameterAddUp() {
    let parameter = Parameter(randomTensor([2, 3, 4], sample: 1))
    let weights = randomTensor([2, 3, 4], sample: 2)
    let tape = Tape()
    tape.backward(from: innerProduct(add(tape(parameter), tape(parameter)), weights))
    #expect(parameter.gradient?.scalars == weights.scalars.map { 2 * $0 })  // doubling is exact
    #expect(tape.nodeCount == 0)
  }

  @Test func theInferenceTapeRecordsNothing() {
    let parameter = Parameter(randomTensor([1, 2, 8], sample: 1))
    let tape = Tape.inference
    let result = activation(tape(parameter), .gelu)
    #expect(!result.needsGradient)
    #expect(tape.nodeCount == 0)
  }

  @Test func frozenParametersGetNoGradient() {
    let frozen = Parameter(randomTensor([1, 2, 8], sample: 1), isTrainable: false)
    let free = Parameter(randomTensor([1, 2, 8], sample: 2))
    let tape = Tape()
    let weights = randomTensor([1, 2, 8], sample: 3)
    tape.backward(from: innerProduct(add(tape(frozen), tape(free)), weights))
    #expect(frozen.gradient == nil)
    #expect(free.gradient == weights)
  }

  /// What an operation saved, and the gradient of its result, are its own when it goes back: changed without copies.
  @Test func whatGoesBackIsHandedOver() {
    func place(_ tensor: Tensor<Float>) -> UnsafeRawPointer {
      tensor.withUnsafeBuffer { UnsafeRawPointer($0.baseAddress!) }
    }
    var copies: [Bool] = []
    func watched(_ u: Variable) -> Variable {
      Variable(u.value, from: u, saving: (1, Tensor<Float>(shape: [2, 3, 4], repeating: 1))) {
        saved, gradient, inputs in
        var (_, mine) = saved
        var result = consume gradient
        let places = (place(mine), place(result))
        mine.withUnsafeMutableBuffer { $0[0] = 2 }
        result.withUnsafeMutableBuffer { $0[0] += 0 }
        copies.append(places != (place(mine), place(result)))
        inputs.add(result, to: 0)
      }
    }
    let parameter = Parameter(randomTensor([2, 3, 4], sample: 1))
    let tape = Tape()
    for _ in 0..<2 {
      tape.backward(
        from: innerProduct(watched(watched(tape(parameter))), randomTensor([2, 3, 4], sample: 2)))
    }
    #expect(copies == [false, false, false, false])
  }

  /// A linked graph of this length overflows the stack when it is freed.
  @Test func longRecordingsAreFreedWithoutRecursion() {
    let parameter = Parameter(randomTensor([1], sample: 1))
    let one = Tensor<Float>(shape: [1], repeating: 1)
    let tape = Tape()
    var sum = tape(parameter)
    for _ in 0..<100_000 { sum = innerProduct(sum, one) }
    tape.backward(from: sum)
    #expect(parameter.gradient?[0] == 1)
  }

  /// The checker itself: an adjoint with the wrong sign, or one that forgets a sample, is found.
  @Test func wrongAdjointsAreFound() {
    let u = Parameter(randomTensor([2, 2, 16], sample: 1))
    func wrong(_ variable: Variable, _ spoil: @escaping (inout Tensor<Float>) -> Void) -> Variable {
      let right = activation(variable, .gelu)
      return Variable(right.value, from: [variable], saving: ()) { _, gradient, inputs in
        let inner = Parameter(u.value)
        let tape = Tape()
        tape.backward(from: innerProduct(activation(tape(inner), .gelu), gradient))
        var result = inner.gradient!
        spoil(&result)
        inputs.add(result, to: 0)
      }
    }
    let right = gradientDisagreements([u]) { wrong($0(u)) { _ in } }
    let flipped = gradientDisagreements([u]) {
      wrong($0(u)) { gradient in
        for index in 0..<4 { gradient[0, 1, index] *= -1 }
      }
    }
    let forgotten = gradientDisagreements([u]) {
      wrong($0(u)) { gradient in
        for index in 0..<16 { gradient[1, 1, index] = 0 }
      }
    }
    #expect(right[0] < 1e-3)
    #expect(flipped[0] > 0.1)
    #expect(forgotten[0] > 0.1)
  }
}
