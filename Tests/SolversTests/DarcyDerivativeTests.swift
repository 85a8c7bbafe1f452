import Solvers
import Tensors
import Testing

/// The derivatives of the pressure with respect to the permeability.
@Suite struct DarcyDerivativeTests {
  private func field(_ count: Int, sample: Int) -> Tensor<Double> {
    var random = Philox(seed: 77, stream: .inputs, sample: sample)
    return random.normal(shape: [count, 1, 17, 17])
  }

  /// Permeabilities between about 0.4 and 2.7.
  private func permeabilities(_ count: Int) -> Tensor<Double> {
    let noise = field(count, sample: 1)
    return Tensor(shape: noise.shape, scalars: noise.scalars.map { 1.1 + 0.9 * max(-0.8, min(0.8, $0 / 2)) })
  }

  private func dot(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double {
    zip(a.scalars, b.scalars).reduce(0) { $0 + $1.0 * $1.1 }
  }

  @Test(arguments: DarcyFlow.FaceCoefficient.allCases)
  func tangentsAreLimitsOfDifferences(mean: DarcyFlow.FaceCoefficient) throws {
    let problem = try DarcyFlow(grid: 17, faceCoefficient: mean, tolerance: 1e-13)
    let (inputs, directions) = (permeabilities(2), field(2, sample: 2))
    let (solutions, products) = try problem.jacobianVectorProducts(inputs, directions)
    #expect(solutions == (try problem(inputs)))
    func moved(_ step: Double) throws -> Tensor<Double> {
      try problem(
        Tensor(
          shape: inputs.shape, scalars: zip(inputs.scalars, directions.scalars).map { $0 + step * $1 }))
    }
    // Error of a central difference: step² times a third derivative of order one (1e-8), and the solver's tolerance
    // times its condition (1e2) over the step, 1e-7.
    let step = 1e-4
    let (forth, back) = (try moved(step), try moved(-step))
    let differences = zip(forth.scalars, back.scalars).map { ($0 - $1) / (2 * step) }
    let size = products.scalars.map(abs).max() ?? 0
    #expect(size > 1e-3)
    for (difference, product) in zip(differences, products.scalars) {
      #expect(abs(difference - product) < 1e-6 * size)
    }
  }

  @Test(arguments: DarcyFlow.FaceCoefficient.allCases)
  func adjointsAreTransposesOfTangents(mean: DarcyFlow.FaceCoefficient) throws {
    let problem = try DarcyFlow(grid: 17, faceCoefficient: mean, tolerance: 1e-13)
    let (inputs, directions, cotangents) = (permeabilities(3), field(3, sample: 3), field(3, sample: 4))
    let (_, tangents) = try problem.jacobianVectorProducts(inputs, directions)
    let (solutions, adjoints) = try problem.vectorJacobianProducts(inputs) { _, range in
      #expect(range == 0..<3)
      return cotangents
    }
    #expect(solutions == (try problem(inputs)))
    for sample in 0..<3 {
      let range = sample..<sample + 1
      let (left, right) = (
        dot(tangents[first: range], cotangents[first: range]),
        dot(directions[first: range], adjoints[first: range])
      )
      // Both solves leave residuals of 1e-13, times a condition of 1e2.
      #expect(abs(left - right) < 1e-10 * abs(left), "\(left) and \(right)")
    }
    // Several cotangents at one permeability: the same numbers.
    let one = inputs[first: 0..<1]
    let (_, products) = try problem.vectorJacobianProducts(at: one) { _ in cotangents }
    let apart = try problem.vectorJacobianProducts(Tensor.concatenating([one, one, one])) { _, _ in cotangents
    }
    #expect(products == apart.products)
  }
}
