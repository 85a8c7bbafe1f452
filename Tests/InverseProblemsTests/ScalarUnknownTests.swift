import Foundation
import InverseProblems
import Solvers
import Tensors
import Testing

/// A parameter of the equation that is unknown beside the field.
@Suite struct ScalarUnknownTests {
  /// Heat, and a pattern times the logarithm of the parameter: linear in everything that is unknown.
  private struct HeatAndPattern: DifferentiableParametricOperator {
    let heat: HeatEquation

    static func pattern(_ point: Int) -> Double { 1 + sin(2 * Double.pi * Double(point) / 16) }

    func solutions(_ inputs: Tensor<Double>, parameters: [Double]) -> Tensor<Double> {
      var solutions = heat(inputs)
      for (sample, parameter) in parameters.enumerated() {
        for point in 0..<16 { solutions[sample, 0, point] += log(parameter / 2) * Self.pattern(point) }
      }
      return solutions
    }

    func vectorJacobianProducts(
      _ inputs: Tensor<Double>, parameters: [Double],
      _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
    ) rethrows -> (solutions: Tensor<Double>, products: Tensor<Double>, parameterProducts: [Double]) {
      let solutions = solutions(inputs, parameters: parameters)
      let weights = try cotangents(solutions, 0..<parameters.count)
      return (solutions, heat(weights), derivatives(weights, parameters))
    }

    func vectorJacobianProducts(
      at input: Tensor<Double>, parameter: Double, _ cotangents: (Tensor<Double>) throws -> Tensor<Double>
    ) rethrows -> (solution: Tensor<Double>, products: Tensor<Double>, parameterProducts: [Double]) {
      let solution = solutions(input, parameters: [parameter])
      let weights = try cotangents(solution)
      let parameters = Array(repeating: parameter, count: weights.shape[0])
      return (solution, heat(weights), derivatives(weights, parameters))
    }

    private func derivatives(_ weights: Tensor<Double>, _ parameters: [Double]) -> [Double] {
      parameters.enumerated().map { row, parameter in
        (0..<16).reduce(0) { $0 + weights[row, 0, $1] * Self.pattern($1) } / parameter
      }
    }
  }

  /// The samplers, and whether they follow the Laplace approximation.
  enum Way: String, CaseIterable { case pcn, pcnAboutLaplace, mala, malaAboutLaplace }

  @Test(arguments: Way.allCases) func posteriorOfALinearProblemIsTheExactOne(_ way: Way) throws {
    let linear = LinearProblem()
    let deviation = 0.6
    // Above the prior's expectation everywhere, as a larger parameter would have it.
    let data = linear.data.map { $0 + 1 }
    let prior = ScalarPrior(linear.prior, name: "log_gain", logDeviation: deviation)
    var problem = InverseProblem(
      prior: prior, forward: linear.heat, observation: linear.observation, data: data, noise: 0.3)
    problem.scalar = ScalarUnknown(
      name: "gain", median: 2, logDeviation: deviation, family: HeatAndPattern(heat: linear.heat))
    let laplace = try LaplaceApproximation(of: problem)
    let sampler: any Sampler =
      switch way {
      case .pcn: PreconditionedCrankNicolson(problem)
      case .pcnAboutLaplace: PreconditionedCrankNicolson(problem, reference: laplace.reference)
      case .mala: MetropolisAdjustedLangevin(problem)
      case .malaAboutLaplace: MetropolisAdjustedLangevin(problem, reference: laplace.reference)
      }
    let schedule = SamplingSchedule(draws: 8000, burnIn: 500, chains: 4, thin: 10, stepSize: 0.5, seed: 6)
    var chains = try schedule.start(sampler)
    try schedule.run(&chains, with: sampler)
    let trace = ChainHistory(chains).keptTrace("log_gain")

    // The columns of the whitened linear map: the parameter's, then those of the field's coordinates.
    let count = prior.coordinateCount
    let scalarColumn = linear.observation(
      Tensor(shape: [16], scalars: (0..<16).map { deviation * HeatAndPattern.pattern($0) }))
    let columns =
      [scalarColumn]
      + (0..<count - 1).map { column in
        let unit = Tensor<Double>(
          shape: [count - 1], scalars: (0..<count - 1).map { $0 == column ? 1.0 : 0 })
        return linear.observation(linear.heat(linear.prior.makeField(unit).reshaped(to: [1, 1, 16])))
      }
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / 0.09 }
    let covariance = inverse(
      (0..<count).map { i in (0..<count).map { dot(columns[i], columns[$0]) + (i == $0 ? 1 : 0) } })
    let right = columns.map { dot($0, data) }
    let mean = deviation * zip(covariance[0], right).reduce(0) { $0 + $1.0 * $1.1 }
    let variance = deviation * deviation * covariance[0][0]
    // The mode of a normal law is its mean; the search ends at 1e-5 of the gradient at the start.
    #expect(abs(deviation * laplace.search.point[0] - mean) < 1e-4 * variance.squareRoot())

    let average = trace.reduce(0) { $0 + $1.reduce(0, +) } / 32_000
    let error = (variance / ChainDiagnostics(trace).meanESS).squareRoot()
    #expect(abs(average - mean) < tooManyStandardErrors * error, "\(average) ± \(error), not \(mean)")
    let squares = trace.map { $0.map { ($0 - mean) * ($0 - mean) } }
    let spread = squares.reduce(0) { $0 + $1.reduce(0, +) } / 32_000
    let spreadError = variance * (2 / ChainDiagnostics(squares).meanESS).squareRoot()
    #expect(abs(spread - variance) < tooManyStandardErrors * spreadError, "\(spread), not \(variance)")
    // The data say something: the test would not notice a parameter that is never used otherwise.
    #expect(variance < 0.5 * deviation * deviation && abs(mean) > 5 * error)
  }

  /// A flow whose viscosity is unknown too.
  private func flow() throws -> InverseProblem {
    let field = PeriodicGaussianField.navierStokes(grid: 16)
    var problem = InverseProblem(
      prior: ScalarPrior(field, name: "log_viscosity", logDeviation: 0.5),
      forward: try NavierStokes(grid: 16, viscosity: 1e-2, times: [1]),
      observation: PointObservation(
        grid: [16, 16], sensors: [[0, 1], [2, 9], [5, 5], [8, 14], [11, 3], [14, 8]]),
      data: [0.9, -0.4, 0.6, -1.1, 0.2, 0.7], noise: 0.2)
    problem.scalar = ScalarUnknown(
      name: "viscosity", median: 1e-2, logDeviation: 0.5,
      family: ViscosityFamily(
        of: try NavierStokes(
          grid: 16, viscosity: 1e-2, times: [1], timeStepping: .init(timeStep: 0.1, tolerance: 1e-14))))
    return problem
  }

  @Test func gradientIsTheLimitOfDifferences() throws {
    let problem = try flow()
    let count = problem.prior.coordinateCount
    var random = Philox(seed: 43, stream: .starts)
    let points = random.normal(shape: [2, count])
    let (misfits, gradients) = try problem.misfitsAndGradients(of: points)
    #expect(try problem.misfits(of: points) == misfits)
    // The viscosity's coordinate, one of the field's, and both.
    for direction in [[(0, 1.0)], [(3, 1.0)], [(0, 0.6), (1, -0.8)]] {
      func moved(_ distance: Double) throws -> [Double] {
        var moved = points
        for (coordinate, share) in direction {
          for chain in 0..<2 { moved[chain, coordinate] += distance * share }
        }
        return try problem.misfits(of: moved)
      }
      let (ahead, behind) = (try moved(1e-3), try moved(-1e-3))
      for chain in 0..<2 {
        let quotient = (ahead[chain] - behind[chain]) / 2e-3
        let slope = direction.reduce(0) { $0 + $1.1 * gradients[chain, $1.0] }
        // The third derivative times the square of the distance.
        #expect(abs(quotient - slope) < 1e-5 * max(1, abs(slope)), "\(quotient), not \(slope)")
      }
    }
  }

  @Test func linearizationHasTheGradient() throws {
    let problem = try flow()
    var random = Philox(seed: 44, stream: .starts)
    let point = random.normal(shape: [problem.prior.coordinateCount])
    let (residuals, jacobian) = try problem.linearization(at: point)
    let (misfits, gradients) = try problem.misfitsAndGradients(of: point.reshaped(to: [1, point.count]))
    let misfit = 0.5 * residuals.reduce(0) { $0 + $1 * $1 }
    #expect(abs(misfit - misfits[0]) < 1e-12 * misfit)
    // ∇Φ = Jᵀ r, up to round-off.
    for coordinate in 0..<point.count {
      let sum = residuals.indices.reduce(0) { $0 + jacobian[$1, coordinate] * residuals[$1] }
      #expect(abs(sum - gradients[0, coordinate]) < 1e-11 * max(1, abs(sum)))
    }
    #expect(abs(gradients[0, 0]) > 1e-3, "the data say nothing of the viscosity")
  }
}
