import Autodiff
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ActivationTests {
  private static let points: [Float] = stride(from: -12, through: 12, by: 0.0007).map { Float($0) }

  /// Against libm in double precision.
  ///
  /// The fit leaves 3e-8, the last five roundings up to 6e-8 each of numbers of size 1 at most, of which the result is x
  /// times one; on the negative side that is what is left of 1/2 - 1/2.
  @Test func geluAgreesWithTheErrorFunction() {
    let u = Variable(Tensor(shape: [1, 1, Self.points.count], scalars: Self.points))
    let values = activation(u, .gelu).value.scalars
    let wrong = zip(Self.points, values).filter { x, value in
      let exact = Double(x) * 0.5 * erfc(-Double(x) / 2.0.squareRoot())
      return !(abs(Double(value) - exact) <= 3e-7 * max(1, abs(Double(x))))
    }
    #expect(wrong.isEmpty, "at \(wrong.count) points, the first \(String(describing: wrong.first))")
  }

  /// What is no number is not made one, or a training that diverges would not be noticed; far out GELU is 0 and x.
  @Test func geluOfWhatIsNotFinite() {
    // As many as fill vectors, and some that do not.
    let inputs = (0..<70).map { [Float.nan, .infinity, -.infinity, -1e30][$0 % 4] }
    let values = activation(Variable(Tensor(shape: [1, 1, 70], scalars: inputs)), .gelu).value.scalars
    for (index, value) in values.enumerated() {
      switch index % 4 {
      case 0: #expect(value.isNaN)
      case 1: #expect(value == .infinity)
      default: #expect(abs(value) < 1e-6)  // 5.65 times the rounding of 1/2 - 1/2
      }
    }
  }

  @Test func geluDerivativeAgreesWithTheErrorFunction() {
    let parameter = Parameter(Tensor(shape: [1, 1, Self.points.count], scalars: Self.points))
    let tape = Tape()
    let ones = Tensor<Float>(shape: parameter.value.shape, repeating: 1)
    tape.backward(from: innerProduct(activation(tape(parameter), .gelu), ones))
    let wrong = zip(Self.points, parameter.gradient!.scalars).filter { x, value in
      let y = Double(x)
      let exact = 0.5 * erfc(-y / 2.0.squareRoot()) + y * exp(-y * y / 2) / (2 * Double.pi).squareRoot()
      // Two terms of size at most 1.1, each with an error of some ulp of 1 (6e-8).
      return !(abs(Double(value) - exact) <= 3e-7)
    }
    #expect(wrong.isEmpty, "at \(wrong.count) points, the first \(String(describing: wrong.first))")
  }

  @Test func reluCutsOff() {
    let u = Variable(Tensor(shape: [1, 1, 4], scalars: [-1, 0, 0.5, 2]))
    #expect(activation(u, .relu).value.scalars == [0, 0, 0.5, 2])
    #expect(activation(u, .identity).value == u.value)
  }

  /// ReLU only away from its kink, where no finite difference is right.
  @Test(arguments: [Activation.gelu, .relu])
  func gradient(kind: Activation) {
    let values = randomTensor([2, 3, 50], sample: 1).scalars.map {
      kind == .relu ? $0 + ($0 > 0 ? 1 : -1) : $0
    }
    let u = Parameter(Tensor(shape: [2, 3, 50], scalars: values))
    let errors = gradientDisagreements([u]) { activation($0(u), kind) }
    #expect(errors[0] < 1e-3)  // step² = 1e-4 times derivatives of order 1, rounding 1e-7/1e-2
  }
}
