import Solvers
import Tensors
import TestSupport
import Testing

/// Reaction and diffusion; whenever a system is made for it, there are three threads from then on.
private struct RaisingEquation: SemilinearEquation {
  let grid = 16
  let length = 1.0
  let times = [0.02, 0.1]
  var timeStepping = TimeStepping()

  var equation: String { "u_t = 0.5 u_xx + 0.1 u^2 on [0, 1), periodic" }
  var parameters: [(name: String, value: Double)] { [] }

  func linearSymbol(_ k: WaveVector) -> Complex {
    Parallelism.threadCount = 3
    return Complex(-0.5 * k.squared)
  }
  var polynomial: [Double] { [0, 0, 0.1] }
}

@Suite struct WorkspaceTests {
  /// A solve keeps to the number of threads that it made its workers for, whatever others set it to meanwhile: no two
  /// threads ever use one workspace.
  @Test func theNumberOfThreadsMayChangeDuringASolve() throws {
    func noise(_ shape: Shape, sample: Int) -> Tensor<Double> {
      var random = Philox(seed: 31, stream: .inputs, sample: sample)
      return random.normal(shape: shape)
    }
    let equation = RaisingEquation()
    let shape: Shape = [3, 1, 16]
    let (inputs, directions) = (noise(shape, sample: 1), noise(shape, sample: 2))
    let cotangents = noise([3, 2, 16], sample: 3)
    let results = try withThreadCounts([3, 1]) {
      let count = Parallelism.threadCount
      let solutions = try equation(inputs)
      Parallelism.threadCount = count
      let products = try equation.jacobianVectorProducts(inputs, directions).products
      Parallelism.threadCount = count
      let gradients = try equation.vectorJacobianProducts(inputs) { _, range in cotangents[first: range] }
        .products
      return [solutions.scalars, products.scalars, gradients.scalars]
    }
    #expect(results[0] == results[1])
  }
}
