import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct PointwiseLinearTests {
  private let u = Parameter(randomTensor([3, 4, 5, 6], sample: 1))
  private let weight = Parameter(randomTensor([7, 4], sample: 2))
  private let bias = Parameter(randomTensor([7], sample: 3))

  @Test func equalsTheSum() {
    let y = pointwiseLinear(Variable(u.value), weight: Variable(weight.value), bias: Variable(bias.value))
      .value
    #expect(y.shape == [3, 7, 5, 6])
    for (b, o, i, j) in [(0, 0, 0, 0), (2, 6, 4, 5), (1, 3, 2, 1)] {
      let sum = (0..<4).reduce(bias.value[o]) { $0 + weight.value[o, $1] * u.value[b, $1, i, j] }
      #expect(abs(y[b, o, i, j] - sum) < 1e-5)  // five terms of order 1
    }
  }

  /// Bilinear: the large step leaves rounding alone.
  @Test func gradient() {
    let errors = gradientDisagreements([u, weight, bias], step: 0.5) {
      pointwiseLinear($0(u), weight: $0(weight), bias: $0(bias))
    }
    #expect(errors.allSatisfy { $0 < 1e-4 }, "\(errors)")
  }

  @Test func aJoinedBiasMeetsAChannelOfOnes() {
    let noBias = Variable(Tensor(shape: [7]))
    let joined = pointwiseLinear(
      appendCoordinates(Variable(u.value), .none, ones: true),
      weight: joinBias(weight: Variable(weight.value), bias: Variable(bias.value)), bias: noBias)
    let y = pointwiseLinear(
      Variable(u.value), weight: Variable(weight.value), bias: Variable(bias.value))
    #expect(relativeError(joined.value, y.value) < 1e-6)  // the order of five terms
    let errors = gradientDisagreements([weight, bias], step: 0.5) {
      joinBias(weight: $0(weight), bias: $0(bias))
    }
    #expect(errors.allSatisfy { $0 < 1e-4 }, "\(errors)")  // linear
  }

  @Test func gradientsDoNotDependOnTheNumberOfThreads() {
    let weights = randomTensor([3, 7, 5, 6], sample: 4)
    let results = withThreadCounts([1, 2, 3]) {
      let p = [Parameter(u.value), Parameter(weight.value), Parameter(bias.value)]
      let tape = Tape()
      tape.backward(
        from: innerProduct(pointwiseLinear(tape(p[0]), weight: tape(p[1]), bias: tape(p[2])), weights))
      return p.map { $0.gradient! }
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }
}
