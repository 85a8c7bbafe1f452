import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct RelativeL2LossTests {
  private let target = randomTensor([3, 1, 4, 5], sample: 2)

  @Test func isTheRelativeDistance() {
    var prediction = target
    for j in 0..<5 { prediction[1, 0, 2, j] += 0.5 }
    let squares = (0..<20).reduce(0.0) { $0 + Double(target[1, 0, $1 / 5, $1 % 5]).squared }
    let loss = relativeL2Loss(Variable(prediction), target: target, reduction: .sum)
    #expect(loss.samples[0] == 0 && loss.samples[2] == 0)
    #expect(abs(loss.samples[1] - (5 * 0.25 / squares).squareRoot()) < 1e-6)  // rounding of the sum u + 0.5
    let mean = relativeL2Loss(Variable(prediction), target: target, reduction: .mean)
    #expect(abs(Double(mean.total.value[0]) * 3 - loss.samples[1]) < 1e-6)
  }

  @Test(arguments: [LossReduction.sum, .mean])
  func gradient(reduction: LossReduction) {
    let u = Parameter(randomTensor([3, 1, 4, 5], sample: 1))
    let errors = gradientDisagreements([u]) {
      relativeL2Loss($0(u), target: target, reduction: reduction).total
    }
    #expect(errors[0] < 1e-3)  // step² = 1e-4 times derivatives of order 1
  }

  @Test func aPerfectPredictionHasNoGradient() {
    let u = Parameter(target)
    let tape = Tape()
    tape.backward(from: relativeL2Loss(tape(u), target: target, reduction: .sum).total)
    #expect(u.gradient == Tensor(shape: target.shape))
  }
}

extension Double {
  fileprivate var squared: Double { self * self }
}
