import Autodiff
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ActivationTests {
  private static let points: [Float] = stride(from: -12, through: 12, by: 0.0007).map { Float($0) }

  /// Against libm in double precision: 5 ulp (polynomial, exponential, two products), in the tail also the
  /// rounding of the exponential's argument x²/2; below −8, where Φ < 1e-15, only the size matters.
  @Test func geluAgreesWithTheErrorFunction() {
    let u = Variable(Tensor(shape: [1, 1, Self.points.count], scalars: Self.points))
    let values = activation(u, .gelu).value.scalars
    let wrong = zip(Self.points, values).filter { x, value in
      let exact = Double(x) * 0.5 * erfc(-Double(x) / 2.0.squareRoot())
      let tail = x < 0 ? Double(x * x) / 2 : 0
      let tolerance = abs(exact) * (5 + tail) * 1.2e-7 + (x < -8 ? 1e-15 : 0)
      return !(abs(Double(value) - exact) <= tolerance)
    }
    #expect(wrong.isEmpty, "at \(wrong.count) points, the first \(String(describing: wrong.first))")
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
