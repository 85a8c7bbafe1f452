import InverseProblems
import Tensors
import Testing

@Suite struct LBFGSTests {
  @Test func findsTheMinimumOfTheRosenbrockFunction() throws {
    // Σ 100 (x_{i+1} − x_i²)² + (1 − x_i)², a curved valley with its minimum at ones.
    func rosenbrock(_ x: Tensor<Double>) -> (Double, Tensor<Double>) {
      var value = 0.0
      var gradient = Tensor<Double>(shape: x.shape)
      for i in 0..<x.count - 1 {
        let (a, b) = (x[i + 1] - x[i] * x[i], 1 - x[i])
        value += 100 * a * a + b * b
        gradient[i] += -400 * a * x[i] - 2 * b
        gradient[i + 1] += 200 * a
      }
      return (value, gradient)
    }
    var start = Tensor<Double>(shape: [20], repeating: 1)
    for i in 0..<20 where i % 2 == 0 { start[i] = -1.2 }
    let result = try LBFGS(iterations: 500, tolerance: 1e-10).minimize(from: start, rosenbrock)
    #expect(result.hasConverged && result.value < 1e-15)
    // The condition number at the minimum is about 2500, the gradient there 1e-10 of 1e3.
    #expect(result.point.scalars.allSatisfy { abs($0 - 1) < 1e-5 })
    // Steepest descent needs tens of thousands.
    #expect(result.iterations < 200)
  }

  @Test func stepsIntoForbiddenRegionsAreShortened() throws {
    // x − log x, undefined at and below zero; the first step of length one from 0.5 ends at 1.5.
    let result = try LBFGS(tolerance: 1e-9).minimize(from: Tensor(shape: [1], repeating: 40)) { x in
      x[0] > 0.8 && x[0] < 41
        ? (x[0] - 2 * (x[0]).squareRoot(), Tensor(shape: [1], repeating: 1 - 1 / x[0].squareRoot()))
        : (.nan, Tensor(shape: [1], repeating: .nan))
    }
    #expect(result.hasConverged && abs(result.point[0] - 1) < 1e-6)
  }

  @Test func aFunctionThatCannotBeDecreasedEndsTheSearch() throws {
    // The gradient is a lie.
    let result = try LBFGS().minimize(from: Tensor(shape: [2], repeating: 1)) { x in
      (x[0] * x[0] + x[1] * x[1], Tensor(shape: [2], scalars: [-x[0], -x[1]]))
    }
    #expect(!result.hasConverged && result.iterations == 0 && result.value == 2)
  }
}
