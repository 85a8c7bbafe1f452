import InverseProblems
import Solvers
import Tensors
import TestSupport
import Testing

@Suite struct LaplaceApproximationTests {
  @Test func ofALinearProblemIsThePosterior() throws {
    let linear = LinearProblem()
    let laplace = try LaplaceApproximation(
      of: linear.problem, method: LBFGS(tolerance: 1e-10), smallestEigenvalue: 1e-12, discarded: 0)
    let exact = try linear.exactPosterior()
    #expect(laplace.search.hasConverged)
    // The error of the mode is the gradient's, 1e-10 of about 10, times at most 1 (the prior's precision).
    for (value, mean) in zip(laplace.mode.scalars, exact.mean) { #expect(abs(value - mean) < 1e-7) }
    let prior = Tensor<Double>(
      shape: [16], scalars: (0..<16).map { linear.priorCovariance()[$0][$0].squareRoot() })
    for (point, deviation) in laplace.standardDeviation(prior: prior).scalars.enumerated() {
      #expect(abs(deviation - exact.covariance[point][point].squareRoot()) < 1e-10)
    }
    #expect(laplace.reference.eigenvalues.count == 4)
    #expect(laplace.reference.eigenvalues == laplace.reference.eigenvalues.sorted(by: >))
    let misfit = try linear.problem.misfits(of: laplace.search.point.reshaped(to: [1, 14]))[0]
    #expect(abs(laplace.misfit - misfit) < 1e-12)
  }

  /// Solves nothing that is close to zero.
  private struct FailsNearZero: DifferentiableOperator {
    let heat: HeatEquation

    func callAsFunction(_ inputs: Tensor<Double>) throws -> Tensor<Double> {
      guard inputs.scalars.contains(where: { abs($0) > 1e-3 }) else {
        throw SolverError.blowUp(sample: 0, time: 1, advice: "none")
      }
      return heat(inputs)
    }

    func vectorJacobianProducts(
      _ inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
    ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
      let solutions = try self(inputs)
      return (solutions, heat(try cotangents(solutions, 0..<inputs.shape[0])))
    }
  }

  @Test func anotherStartIsTriedWhereTheFirstOneFails() throws {
    let linear = LinearProblem()
    let problem = linear.problem(FailsNearZero(heat: linear.heat))
    let failure = try LBFGS().minimize(from: Tensor(shape: [14])) { point in
      let (misfits, gradients) = try problem.misfitsAndGradients(of: point.reshaped(to: [1, 14]))
      return (misfits[0], gradients.reshaped(to: [14]))
    }
    #expect(!failure.hasConverged && failure.relativeGradient == 1)
    let start = Tensor<Double>(shape: [14], repeating: 1)
    let method = LBFGS(tolerance: 1e-10)
    let laplace = try LaplaceApproximation(of: problem, otherStarts: [start, start], method: method)
    #expect(laplace.search.hasConverged)
    for (value, mean) in zip(laplace.mode.scalars, try linear.exactPosterior().mean) {
      #expect(abs(value - mean) < 1e-7)
    }
    // The second start is not needed: one solve at the prior mean, those of one search with its four rough ones (at most
    // 20 iterations each, which on a quadratic function take one solve or two), one at the mode.
    let rough = laplace.solves - 1 - laplace.search.evaluations - 1
    #expect((4...160).contains(rough), "\(rough)")
    let again = try LaplaceApproximation(of: problem, otherStarts: [start], method: method)
    #expect(again.solves == laplace.solves)
  }

  @Test func asAReferenceItMakesEveryStepOfALinearProblemAcceptable() throws {
    // With the posterior itself as reference Ψ is constant: pCN accepts everything, even with β = 1.
    let linear = LinearProblem()
    let laplace = try LaplaceApproximation(
      of: linear.problem, method: LBFGS(tolerance: 1e-12), smallestEigenvalue: 1e-12, discarded: 0)
    let exact = try linear.exactPosterior()
    for sampler: any Sampler in [
      PreconditionedCrankNicolson(linear.problem, reference: laplace.reference),
      MetropolisAdjustedLangevin(linear.problem, reference: laplace.reference),
    ] {
      let schedule = SamplingSchedule(
        draws: 1500, burnIn: 10, chains: 4, stepSize: 1, adaptsStepSize: false, seed: 1)
      var chains = try schedule.start(sampler)
      try schedule.run(&chains, with: sampler)
      let history = ChainHistory(chains)
      #expect(history.keptTrace("acceptance").allSatisfy { $0.allSatisfy { $0 > 1 - 1e-6 } })
      let (mean, covariance) = disagreement(history, mean: exact.mean, covariance: exact.covariance)
      #expect(mean < tooManyStandardErrors && covariance < tooManyStandardErrors)
      // Independent draws.
      #expect(ChainDiagnostics(history.keptTrace("misfit")).meanESS > 5000)
    }
  }
}
