import Foundation
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
  let grid: Shape = [8, 6]
  let prior = PeriodicGaussianField(grid: [8, 6], sigma: 3, tau: 2, alpha: 1.5)
  let schedule = SamplingSchedule(draws: 30, burnIn: 12, chains: 3, thin: 4, stepSize: 0.4, seed: 2)
  let problem: InverseProblem
  let truth: Tensor<Double>

  init() {
    var random = Philox(seed: 1, stream: .inputs)
    truth = prior.sample(using: &random)
    let observation = PointObservation(grid: grid, sensors: [[0, 0], [4, 1], [7, 5]])
    problem = InverseProblem(
      prior: prior, forward: Identity(), observation: observation, data: observation(truth), noise: 0.1)
  }

  var sampler: PreconditionedCrankNicolson { PreconditionedCrankNicolson(problem) }

  func chains() throws -> MarkovChains {
    var chains = try schedule.start(sampler)
    try schedule.run(&chains, with: sampler)
    return chains
  }

  var record: InversionRecord {
    InversionRecord(
      field: "vorticity",
      axes: [
        .init(name: "x", coordinates: (0..<8).map { Double($0) / 8 }),
        .init(name: "y", coordinates: (0..<6).map { Double($0) / 6 }),
      ], truth: truth,
      priorStandardDeviation: Tensor(shape: grid, repeating: prior.pointVariance.squareRoot()),
      software: ("phalarope", "test"), createdAt: "2026-01-01T00:00:00Z")
  }
}

@Suite struct PosteriorFileTests {
  @Test func theFileHoldsTheChains() throws {
    let example = Example()
    let chains = try example.chains()
    let history = ChainHistory(chains)
    try withTemporaryFolder { folder in
      let path = folder + "/posterior.nc"
      try PosteriorFile.write(
        chains, history, of: example.sampler, schedule: example.schedule, record: example.record, to: path)
      let root = try HDF5File(opening: path).root
      let draws = try root.dataset("posterior/vorticity")
      #expect(try draws.shape() == [3, 8, 8, 6])
      #expect(try draws.label(axis: 0) != nil || draws.scaleCount(axis: 0) == 1)
      let values = try draws.read(as: Float.self)
      for chain in 0..<3 {
        for draw in 0..<8 {
          let start = (chain * 8 + draw) * 48
          #expect(Array(values[start..<start + 48]) == history.draw(draw, ofChain: chain))
        }
      }
      #expect(
        try root.dataset("posterior_summary/vorticity_mean").read(as: Double.self)
          == chains.posteriorMean.scalars)
      #expect(
        try root.dataset("sample_stats/misfit").read(as: Double.self)
          == history.keptTrace("misfit").flatMap { $0 })
      #expect(try root.dataset("warmup_sample_stats/misfit").shape() == [3, 12])
      #expect(try root.dataset("constant_data/truth").read(as: Double.self) == example.truth.scalars)
      let places = try root.dataset("constant_data/sensor_y").read(as: Double.self)
      for (place, exact) in zip(places, [0, 1.0 / 6, 5.0 / 6]) { #expect(abs(place - exact) < 1e-15) }
      let modes = try root.dataset("sample_stats/fourier_mode")
      #expect(try modes.shape() == [3, 30, 8])
      let names = try root.dataset("sample_stats/mode").readStrings()
      let second = try modes.read(as: Double.self).enumerated().filter { $0.offset % 8 == 1 }.map(\.element)
      #expect(names[1] == "sin(1,0)" && second == history.keptTrace("sin(1,0)").flatMap { $0 })
      let variance = try root.dataset("posterior_summary/coordinate_variance").read(as: Double.self)
      #expect(variance == chains.coordinateMoments.pooledVariance.scalars)
    }
  }

  @Test func chainsThatAreTooShortAreSaidToBe() throws {
    let diagnostics = InversionDiagnostics(ChainHistory(try Example().chains()))
    #expect(!diagnostics.haveConverged && diagnostics.complaints.first?.quantity == "misfit")
  }
}

@Suite struct ChainCheckpointTests {
  @Test func aCheckpointOfAnotherInversionIsRefused() throws {
    let example = Example()
    try withTemporaryFolder { folder in
      let path = folder + "/last"
      var chains = try example.chains()
      try ChainCheckpoint(path, configuration: "a: 1").write(&chains)
      #expect(throws: ChainCheckpoint.Failure.self) {
        try ChainCheckpoint(path, configuration: "a: 2").read(for: example.sampler)
      }
      try HDF5File.write(to: folder + "/other") { file in
        _ = try file.root.createDataset("x", [1.0])
      }
      #expect(throws: HDF5Error.self) {
        try ChainCheckpoint(folder + "/other", configuration: "a: 1").read(for: example.sampler)
      }
    }
  }

  @Test func recordsOfAnotherRunAreFound() throws {
    let example = Example()
    try withTemporaryFolder { folder in
      let checkpoint = ChainCheckpoint(folder + "/last", configuration: "a: 1")
      var chains = try example.chains()
      try checkpoint.write(&chains)
      try "short".write(toFile: folder + "/last.records", atomically: false, encoding: .utf8)
      #expect(throws: HDF5Error.self) { try checkpoint.history(of: chains) }
    }
  }
}
