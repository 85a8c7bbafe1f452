import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct PerceptronTests {
  /// 300 points: one full tile and a part of one.
  private static func values(outputs: Int) -> [Tensor<Float>] {
    [
      randomTensor([3, 4, 15, 20], sample: 1), randomTensor([9, 4], sample: 2), randomTensor([9], sample: 3),
      randomTensor([outputs, 9], sample: 4), randomTensor([outputs], sample: 5),
    ]
  }

  private func apply(_ tape: Tape, _ p: [Parameter], _ kind: Activation) -> Variable {
    perceptron(
      tape(p[0]),
      PerceptronVariables(
        hiddenWeight: tape(p[1]), hiddenBias: tape(p[2]), weight: tape(p[3]), bias: tape(p[4]),
        activation: kind))
  }

  private func parts(_ tape: Tape, _ p: [Parameter], _ kind: Activation) -> Variable {
    let hidden = pointwiseLinear(tape(p[0]), weight: tape(p[1]), bias: tape(p[2]))
    return pointwiseLinear(activation(hidden, kind), weight: tape(p[3]), bias: tape(p[4]))
  }

  private func resultAndGradients(
    outputs: Int = 2, _ layer: (Tape, [Parameter]) -> Variable
  ) -> [Tensor<Float>] {
    let p = Self.values(outputs: outputs).map { Parameter($0) }
    let tape = Tape()
    let result = layer(tape, p)
    tape.backward(from: innerProduct(result, randomTensor(result.shape, sample: 6)))
    return [result.value] + p.map { $0.gradient! }
  }

  /// Few outputs, whose hidden values stay in registers, and more.
  @Test(arguments: [Activation.identity, .relu, .gelu], [1, 2, 6])
  func equalsItsParts(kind: Activation, outputs: Int) {
    let fused = resultAndGradients(outputs: outputs) { apply($0, $1, kind) }
    let separate = resultAndGradients(outputs: outputs) { parts($0, $1, kind) }
    for (left, right) in zip(fused, separate) { #expect(relativeError(left, right) < 1e-6) }  // order of sums
  }

  @Test func gradient() {
    let p = Self.values(outputs: 2).map { Parameter($0) }
    let errors = gradientDisagreements(p, step: 3e-3) { apply($0, p, .gelu) }
    #expect(errors.allSatisfy { $0 < 2e-3 }, "\(errors)")  // the curvature of GELU at step 3e-3
  }

  /// Constant weights: with one output its derivatives are found on the way forward.
  @Test(arguments: [Activation.identity, .relu, .gelu], [1, 2])
  func inputGradientWithConstantWeights(kind: Activation, outputs: Int) {
    let values = Self.values(outputs: outputs)
    let constants = values.dropFirst().map { Variable($0) }
    let u = Parameter(values[0])
    for _ in 0..<2 {
      let tape = Tape(training: false)
      let result = perceptron(
        tape(u),
        PerceptronVariables(
          hiddenWeight: constants[0], hiddenBias: constants[1], weight: constants[2], bias: constants[3],
          activation: kind))
      tape.backward(from: innerProduct(result, randomTensor(result.shape, sample: 6)))
    }
    let expected = resultAndGradients(outputs: outputs) { parts($0, $1, kind) }[1]
    let twice = Tensor(shape: expected.shape, scalars: expected.scalars.map { 2 * $0 })
    #expect(relativeError(u.gradient!, twice) < 1e-6)  // order of sums
  }

  @Test func gradientsDoNotDependOnTheNumberOfThreads() {
    let results = withThreadCounts([1, 2, 3]) { resultAndGradients { apply($0, $1, .gelu) } }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }
}
