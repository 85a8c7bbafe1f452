import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct FieldLossTests {
  private let target = randomTensor([3, 2, 4, 5], sample: 2)
  private let axes = [
    DifferenceAxis(spacing: 0.25, isPeriodic: true), DifferenceAxis(spacing: 0.5, isPeriodic: false),
  ]

  private func loss(
    _ prediction: Variable, _ kind: FieldLossKind, _ reduction: LossReduction = .sum
  ) -> FieldLoss {
    fieldLoss(prediction, target: target, kind: kind, reduction: reduction, axes: axes)
  }

  /// Σ u² over a sample's channels, plus Σ (Du)² if `withDifferences`, in plain loops.
  private func square(
    _ u: Tensor<Float>, _ sample: Int, channels: Range<Int> = 0..<2, withDifferences: Bool = false
  ) -> Double {
    var sum = 0.0
    for c in channels {
      for i in 0..<4 {
        for j in 0..<5 {
          let value = Double(u[sample, c, i, j])
          sum += value * value
          guard withDifferences else { continue }
          let down = (Double(u[sample, c, (i + 1) % 4, j]) - value) / 0.25
          let right = j < 4 ? (Double(u[sample, c, i, j + 1]) - value) / 0.5 : 0
          sum += down * down + right * right
        }
      }
    }
    return sum
  }

  @Test(arguments: FieldLossKind.allCases)
  func isItsDefinition(kind: FieldLossKind) {
    let prediction = randomTensor([3, 2, 4, 5], sample: 3)
    var difference = prediction
    difference.withUnsafeMutableBuffer { difference in
      withPointers(target) { Float.axpy(difference.count, -1, $0, difference.baseAddress!) }
    }
    func ratio(_ sample: Int, _ channels: Range<Int>, _ withDifferences: Bool) -> Double {
      (square(difference, sample, channels: channels, withDifferences: withDifferences)
        / square(target, sample, channels: channels, withDifferences: withDifferences)).squareRoot()
    }
    let expected = (0..<3).map { sample in
      switch kind {
      case .relativeL2: ratio(sample, 0..<2, false)
      case .relativeL2ByChannel: ratio(sample, 0..<1, false) + ratio(sample, 1..<2, false)
      case .relativeH1: ratio(sample, 0..<2, true)
      case .meanSquaredError: square(difference, sample) / 40
      }
    }
    let sum: Double = expected.reduce(0, +)
    let result = loss(Variable(prediction), kind)
    // Some hundred single-precision products in a sum.
    #expect(abs(Double(result.total.value[0]) / sum - 1) < 1e-5)
    for sample in 0..<3 {
      #expect(abs(result.errors.scalars[sample] / ratio(sample, 0..<2, false) - 1) < 1e-5)
    }
    let mean = loss(Variable(prediction), kind, .mean)
    #expect(abs(3 * Double(mean.total.value[0]) / sum - 1) < 1e-5)
    #expect(mean.errors.scalars == result.errors.scalars)
  }

  @Test(arguments: FieldLossKind.allCases, [LossReduction.sum, .mean])
  func gradient(kind: FieldLossKind, reduction: LossReduction) {
    let u = Parameter(randomTensor([3, 2, 4, 5], sample: 1))
    let errors = gradientDisagreements([u]) { loss($0(u), kind, reduction).total }
    #expect(errors[0] < 1e-3)  // step² = 1e-4 times derivatives of order 1
  }

  @Test(arguments: FieldLossKind.allCases)
  func aPerfectPredictionHasNoGradient(kind: FieldLossKind) {
    let u = Parameter(target)
    let tape = Tape()
    tape.backward(from: loss(tape(u), kind).total)
    #expect(u.gradient == Tensor(shape: target.shape))
  }
}
