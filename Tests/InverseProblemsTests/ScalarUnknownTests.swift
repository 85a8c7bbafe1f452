import Foundation
import InverseProblems
import Solvers
import Tensors
import Testing

/// A parameter of the equation that is unknown beside the field.
@Suite struct ScalarUnknownTests {
  /// Heat, and a pattern times the logarithm of the parameter: linear in everything that is unknown.
  private struct HeatAndPattern: ParametricOperator {
    let heat: HeatEquation

    static func pattern(_ point: Int) -> Double { 1 + sin(2 * Double.pi * Double(point) / 16) }

    func solutions(_ inputs: Tensor<Double>, parameters: [Double]) -> Tensor<Double> {
      var solutions = heat(inputs)
      for (sample, parameter) in parameters.enumerated() {
        for point in 0..<16 { solutions[sample, 0, point] += log(parameter / 2) * Self.pattern(point) }
      }
      return solutions
    }
  }

  @Test func posteriorOfALinearProblemIsTheExactOne() throws {
    let linear = LinearProblem()
    let deviation = 0.6
    // Above the prior's expectation everywhere, as a larger parameter would have it.
    let data = linear.data.map { $0 + 1 }
    let prior = ScalarPrior(linear.prior, name: "log_gain", logDeviation: deviation)
    var problem = InverseProblem(
      prior: prior, forward: linear.heat, observation: linear.observation, data: data, noise: 0.3)
    problem.scalar = ScalarUnknown(
      name: "gain", median: 2, logDeviation: deviation, family: HeatAndPattern(heat: linear.heat))
    #expect(!problem.isDifferentiable)
    let sampler = PreconditionedCrankNicolson(problem)
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
}
