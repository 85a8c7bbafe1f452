import Foundation
import InverseProblems
import Solvers
import Tensors
import TestSupport
import Testing

/// A forward map for which the posterior is known: the unknown itself.
private struct Identity: SolutionOperator {
  func callAsFunction(_ inputs: Tensor<Double>) -> Tensor<Double> { inputs }
}

/// Draws A z of standard normal z, with covariance A Aᵀ.
private struct CorrelatedNormal: Prior {
  let factor: [[Double]]

  var grid: [Int] { [factor.count] }

  func sample(using random: inout Philox) -> Tensor<Double> {
    let white = factor.map { _ in random.nextNormal() }
    return Tensor(shape: grid, scalars: factor.map { row in zip(row, white).reduce(0) { $0 + $1.0 * $1.1 } })
  }

  func covariance(_ i: Int, _ j: Int) -> Double { zip(factor[i], factor[j]).reduce(0) { $0 + $1.0 * $1.1 } }
}

@Suite struct PreconditionedCrankNicolsonTests {
  private let prior = CorrelatedNormal(factor: [
    [1, 0, 0, 0], [0.8, 0.6, 0, 0], [0.2, 0.5, 0.7, 0], [0, 0, 0.9, 0.4],
  ])

  private func problem(noise: Double) -> InverseProblem {
    InverseProblem(
      forward: Identity(), observation: PointObservation(grid: [4], sensors: [[0], [2]]), data: [1.2, -0.7],
      noise: noise)
  }

  /// The posterior of a linear map and normal noise is normal, with mean C Oᵀ S⁻¹ y and covariance
  /// C − C Oᵀ S⁻¹ O C, S = O C Oᵀ + γ².
  private func exactPosterior(noise: Double) -> (mean: [Double], variance: [Double]) {
    let c = prior.covariance
    let s = [
      [c(0, 0) + noise * noise, c(0, 2)], [c(2, 0), c(2, 2) + noise * noise],
    ]
    let determinant = s[0][0] * s[1][1] - s[0][1] * s[1][0]
    let inverse = [
      [s[1][1] / determinant, -s[0][1] / determinant], [-s[1][0] / determinant, s[0][0] / determinant],
    ]
    var (mean, variance) = ([Double](), [Double]())
    for i in 0..<4 {
      let row = [c(i, 0), c(i, 2)]
      let gain = (0..<2).map { row[0] * inverse[0][$0] + row[1] * inverse[1][$0] }
      mean.append(gain[0] * 1.2 - gain[1] * 0.7)
      variance.append(c(i, i) - gain[0] * row[0] - gain[1] * row[1])
    }
    return (mean, variance)
  }

  @Test func posteriorOfALinearProblemIsTheExactOne() throws {
    let noise = 0.3
    let sampler = PreconditionedCrankNicolson(stepSize: 0.5, draws: 50_000, burnIn: 1000, chains: 4, seed: 3)
    let problem = problem(noise: noise)
    var chains = try sampler.start(problem, prior: prior)
    try sampler.run(&chains, on: problem, prior: prior)
    let exact = exactPosterior(noise: noise)
    let draws = chains.thinnedDraws
    for i in 0..<4 {
      let traces = draws.map { chain in chain.map { Double($0[i]) } }
      let deviation = exact.variance[i].squareRoot()
      let error = deviation / ChainDiagnostics(traces).effectiveSampleSize.squareRoot()
      let squares = traces.map { $0.map { ($0 - exact.mean[i]) * ($0 - exact.mean[i]) } }
      // The variance of a squared normal deviate is 2σ⁴.
      let varianceError = exact.variance[i] * (2 / ChainDiagnostics(squares).effectiveSampleSize).squareRoot()
      // Five standard errors of the chain.
      #expect(abs(chains.posteriorMean[i] - exact.mean[i]) < 5 * error)
      let variance = chains.posteriorStandardDeviation[i] * chains.posteriorStandardDeviation[i]
      #expect(abs(variance - exact.variance[i]) < 5 * varianceError)
    }
    // The tuned chain accepts about as often as asked: 0.3, found from 1000 noisy iterations.
    for rate in chains.acceptanceRates { #expect(abs(rate - 0.3) < 0.1) }
  }

  @Test func withoutInformationEveryProposalIsAccepted() throws {
    let problem = problem(noise: 1e9)
    let sampler = PreconditionedCrankNicolson(
      stepSize: 0.7, adaptsStepSize: false, draws: 20_000, burnIn: 0, chains: 2, seed: 5)
    var chains = try sampler.start(problem, prior: prior)
    try sampler.run(&chains, on: problem, prior: prior)
    #expect(chains.acceptanceRates == [1, 1])
    for i in 0..<4 {
      let traces = chains.thinnedDraws.map { chain in chain.map { Double($0[i]) * Double($0[i]) } }
      let variance = prior.covariance(i, i)
      let error = variance * (2 / ChainDiagnostics(traces).effectiveSampleSize).squareRoot()
      let observed = chains.posteriorStandardDeviation[i] * chains.posteriorStandardDeviation[i]
      #expect(abs(observed - variance) < 5 * error)
    }
  }

  @Test func anInterruptedRunContinuesWithTheSameBits() throws {
    let problem = problem(noise: 0.5)
    let sampler = PreconditionedCrankNicolson(
      stepSize: 0.3, draws: 60, burnIn: 40, chains: 3, thin: 7, seed: 9)
    var whole = try sampler.start(problem, prior: prior)
    try sampler.run(&whole, on: problem, prior: prior)
    for stop in [1, 40, 41, 77] {
      var chains = try sampler.start(problem, prior: prior)
      #expect(throws: CancellationError.self) {
        try sampler.run(&chains, on: problem, prior: prior) { chains in
          if chains.iteration == stop { throw CancellationError() }
        }
      }
      #expect(chains.iteration == stop)
      try sampler.run(&chains, on: problem, prior: prior)
      #expect(chains == whole)
    }
    #expect(whole.thinnedDraws.map(\.count) == [9, 9, 9])
  }

  @Test func aSolutionThatIsNotFiniteIsRejected() throws {
    struct Broken: SolutionOperator {
      func callAsFunction(_ inputs: Tensor<Double>) -> Tensor<Double> {
        Tensor(shape: inputs.shape, repeating: .nan)
      }
    }
    let observation = PointObservation(grid: [4], sensors: [[1]])
    let problem = InverseProblem(forward: Broken(), observation: observation, data: [0], noise: 1)
    #expect(try problem.misfits(of: Tensor(shape: [2, 4])) == [.infinity, .infinity])
  }
}

@Suite struct PointObservationTests {
  @Test func uniformSensorsAreInterior() {
    let observation = PointObservation(grid: [64, 64], perAxis: [7, 7])
    #expect(observation.count == 49)
    #expect(observation.sensors.first == [8, 8])
    #expect(observation.sensors.last == [56, 56])
    #expect(observation.sensors[1] == [8, 16])
  }

  @Test func positionsAreRoundedToTheNearestPoint() {
    // i · 10 / 4 for i = 1, 2, 3, halves rounded up.
    #expect(PointObservation(grid: [10], perAxis: [3]).sensors == [[3], [5], [8]])
  }

  @Test func sensorsReadTheirPoints() {
    let field = Tensor<Double>(shape: [2, 3], scalars: [1, 2, 3, 4, 5, 6])
    #expect(PointObservation(grid: [2, 3], sensors: [[1, 2], [0, 0]])(field) == [6, 1])
  }
}

@Suite struct FourierModesTests {
  @Test func coefficientsOfAPlaneWaveAreRead() {
    let n = 16
    var field = Tensor<Double>(shape: [n, n])
    for x in 0..<n {
      for y in 0..<n {
        let angle = 2 * Double.pi * Double(x - y) / Double(n)
        field[x, y] = 3 * cos(angle) - 2 * sin(angle)
      }
    }
    let values = FourierModes.values(of: field)
    for (name, value) in zip(FourierModes.names(grid: [n, n]), values) {
      let expected = name == "cos(1,-1)" ? 3.0 : name == "sin(1,-1)" ? -2 : 0
      #expect(abs(value - expected) < 1e-13, "\(name)")
    }
  }
}
