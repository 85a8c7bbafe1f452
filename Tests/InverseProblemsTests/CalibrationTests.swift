import Foundation
import InverseProblems
import Solvers
import Tensors
import Testing

/// Whether the longer checks of `make test-deep` are to run too.
let runsDeepTests = ProcessInfo.processInfo.environment["PHALAROPE_DEEP_TESTS"] != nil

/// Simulation-based calibration: with truths from the prior and data from them, the rank of a truth among the
/// draws of its posterior is uniform.
///
/// Talts, Betancourt, Simpson, Vehtari, Gelman, "Validating Bayesian inference algorithms with simulation-based
/// calibration", arXiv 1804.06788 (2018).
@Suite struct CalibrationTests {
  private static let repetitions = 200
  /// Draws per posterior, and classes of ranks.
  private static let (draws, classes) = (99, 10)

  /// χ² of the ranks of the first coordinates and of the misfit at the truth.
  private func statistics(_ sampler: (InverseProblem) -> any Sampler, stepSize: Double) throws -> [Double] {
    let linear = LinearProblem()
    let count = linear.prior.coordinateCount
    // Thirty steps apart: what a step keeps of the point, √(1 − β²) = 0.87, is 0.01 then.
    let schedule = SamplingSchedule(
      draws: Self.draws * 30, burnIn: 300, chains: 1, thin: Self.draws * 30, stepSize: stepSize,
      adaptsStepSize: false, seed: 0)
    var counts = [[Int]](repeating: Array(repeating: 0, count: Self.classes), count: 4)
    for repetition in 0..<Self.repetitions {
      var random = Philox(seed: 21, stream: .noise, sample: repetition)
      let truth = random.normal(shape: [1, count])
      let field = linear.prior.makeField(truth.reshaped(to: [count])).reshaped(to: [1, 1, 16])
      let data = linear.observation(linear.heat(field)).map { $0 + linear.noise * random.nextNormal() }
      let problem = InverseProblem(
        prior: linear.prior, forward: linear.heat, observation: linear.observation, data: data,
        noise: linear.noise)
      let sampler = sampler(problem)
      var settings = schedule
      settings.seed = UInt64(repetition)
      var chains = try settings.start(sampler)
      try settings.run(&chains, with: sampler)
      let history = ChainHistory(chains)
      let misfit = try problem.misfits(of: truth)[0]
      let names = ["cos(1)", "sin(1)", "cos(2)", "misfit"]
      let truths = (0..<3).map { truth[0, $0] * linear.prior.coordinates[$0].amplitude } + [misfit]
      for (quantity, name) in names.enumerated() {
        let trace = history.keptTrace(name)[0]
        let rank = (1...Self.draws).count { trace[$0 * 30 - 1] < truths[quantity] }
        counts[quantity][rank * Self.classes / (Self.draws + 1)] += 1
      }
    }
    let expected = Double(Self.repetitions) / Double(Self.classes)
    return counts.map { $0.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected } }
  }

  /// The value that χ² of nine degrees of freedom exceeds once in a hundred times.
  private static let onePercent = 21.67

  @Test(.enabled(if: runsDeepTests), arguments: SamplerTests.Kind.allCases)
  func ranksAreUniform(kind: SamplerTests.Kind) throws {
    let surrogate = LinearProblem().biased
    let statistics = try statistics({ kind.sampler($0, surrogate) }, stepSize: kind.stepSize)
    #expect(statistics.allSatisfy { $0 < Self.onePercent }, "\(kind): \(statistics)")
  }

  @Test(.enabled(if: runsDeepTests))
  func ranksOfAWrongPosteriorAreNot() throws {
    // A sampler that believes in half the noise is too sure.
    let statistics = try statistics(
      { problem in
        PreconditionedCrankNicolson(
          InverseProblem(
            prior: problem.prior, forward: problem.forward, observation: problem.observation,
            data: problem.data, noise: LinearProblem().noise / 2))
      }, stepSize: 0.4)
    #expect(statistics.contains { $0 > Self.onePercent }, "\(statistics)")
  }
}
