import HDF5
import InverseProblems
import Solvers
import Tensors
import TestSupport
import Testing

private struct Identity: SolutionOperator {
  func callAsFunction(_ inputs: Tensor<Double>) -> Tensor<Double> { inputs }
}

/// A finished small inversion, on an 8 x 6 grid so that the axes cannot be confused.
private struct Example {
  let grid = [8, 6]
  let prior = PeriodicGaussianField(grid: [8, 6], sigma: 3, tau: 2, alpha: 1.5)
  let sampler = PreconditionedCrankNicolson(stepSize: 0.4, draws: 30, burnIn: 12, chains: 3, thin: 4, seed: 2)
  let problem: InverseProblem
  let truth: Tensor<Double>

  init() {
    var random = Philox(seed: 1, stream: .inputs)
    truth = prior.sample(using: &random)
    let observation = PointObservation(grid: grid, sensors: [[0, 0], [4, 1], [7, 5]])
    problem = InverseProblem(
      forward: Identity(), observation: observation, data: observation(truth), noise: 0.1)
  }

  func chains(stoppedAfter stop: Int? = nil) throws -> MarkovChains {
    var chains = try sampler.start(problem, prior: prior)
    do {
      try sampler.run(&chains, on: problem, prior: prior) { chains in
        if chains.iteration == stop { throw CancellationError() }
      }
    } catch is CancellationError {}
    return chains
  }

  var record: InversionRecord {
    InversionRecord(
      field: "vorticity",
      axes: [("x", (0..<8).map { Double($0) / 8 }), ("y", (0..<6).map { Double($0) / 6 })], truth: truth,
      priorStandardDeviation: Tensor(shape: grid, repeating: prior.pointVariance.squareRoot()),
      software: ("phalarope", "test"), createdAt: "2026-01-01T00:00:00Z")
  }
}

@Suite struct PosteriorFileTests {
  @Test func theFileHoldsTheChains() throws {
    let example = Example()
    let chains = try example.chains()
    try withTemporaryFolder { folder in
      let path = folder + "/posterior.nc"
      try PosteriorFile.write(
        chains, of: example.problem, sampler: example.sampler, record: example.record, to: path)
      let root = try HDF5File(opening: path).root
      let draws = try root.dataset("posterior/vorticity")
      #expect(try draws.shape() == [3, 8, 8, 6])
      #expect(try draws.label(axis: 0) != nil || draws.scaleCount(axis: 0) == 1)
      let first = try draws.read(as: Float.self).prefix(48)
      #expect(Array(first) == chains.thinnedDraws[0][0].scalars)
      #expect(
        try root.dataset("posterior_summary/vorticity_mean").read(as: Double.self)
          == chains.posteriorMean.scalars)
      #expect(
        try root.dataset("sample_stats/misfit").read(as: Double.self) == chains.keptMisfits.flatMap { $0 })
      #expect(try root.dataset("warmup_sample_stats/misfit").shape() == [3, 12])
      #expect(try root.dataset("constant_data/truth").read(as: Double.self) == example.truth.scalars)
      #expect(try root.dataset("constant_data/sensor_y").read(as: Double.self) == [0, 1.0 / 6, 5.0 / 6])
      #expect(try root.dataset("sample_stats/fourier_mode").shape() == [3, 30, 8])
    }
  }
}

@Suite struct ChainCheckpointTests {
  @Test(arguments: [5, 12, 13, 27])
  func aSavedRunContinuesWithTheSameBits(stop: Int) throws {
    let example = Example()
    let whole = try example.chains()
    try withTemporaryFolder { folder in
      let path = folder + "/last"
      try ChainCheckpoint.write(try example.chains(stoppedAfter: stop), configuration: "a: 1", to: path)
      var chains = try ChainCheckpoint.read(path, configuration: "a: 1")
      #expect(chains.iteration == stop)
      try example.sampler.run(&chains, on: example.problem, prior: example.prior)
      #expect(chains == whole)
    }
  }

  @Test func aCheckpointOfAnotherInversionIsRefused() throws {
    let example = Example()
    try withTemporaryFolder { folder in
      let path = folder + "/last"
      try ChainCheckpoint.write(try example.chains(stoppedAfter: 3), configuration: "a: 1", to: path)
      #expect(throws: ChainCheckpoint.Failure.self) {
        try ChainCheckpoint.read(path, configuration: "a: 2")
      }
      try HDF5File.write(to: folder + "/other") { file in
        _ = try file.root.createDataset("x", [1.0])
      }
      #expect(throws: HDF5Error.self) {
        try ChainCheckpoint.read(folder + "/other", configuration: "a: 1")
      }
    }
  }
}
