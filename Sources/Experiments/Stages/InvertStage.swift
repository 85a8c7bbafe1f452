import Datasets
import Foundation
import InverseProblems
import Solvers
import Tensors

/// Recovers an initial vorticity from noisy observations, by sampling its posterior.
public enum InvertStage {
  /// How often the chains are saved, in seconds: what a kill may cost.
  private static let secondsBetweenCheckpoints = 30.0

  /// What an inversion found.
  struct Summary: Encodable {
    let run: String
    let forwardMap: String
    let observations: Int
    let noise: Double
    let drawsPerChain: Int
    let acceptanceRates: [Double]
    let stepSizes: [Double]
    let misfit: Double
    let diagnostics: [String: Diagnostic]
    /// The relative L2 distance of the posterior mean from the truth.
    let relativeL2: Double
    /// The share of points where the truth is within two posterior standard deviations.
    let coverage: Double
    let forwardSolves: Int
    let seconds: Double
    let report: String

    /// How well the chains know one quantity.
    struct Diagnostic: Encodable {
      let effectiveSampleSize: Double
      let splitRHat: Double
    }
  }

  /// Samples the posterior and reports.
  ///
  /// - Throws: `ConfigError`, `InputError`, `HDF5Error`, `DatasetError`, `SolverError`, `TrainingError`,
  ///   `OutputError`; `CancellationError` on request, after writing a checkpoint.
  public static func run(_ config: InvertConfig, policy: RunFolder.Policy, _ console: Console) throws {
    let forward = try ForwardMap(config)
    if forward.isTrainedOnTheSample {
      console.note(
        "note: the surrogate was trained on sample \(config.observations.sample); take one it has not seen")
    }
    let truth = try forward.frame(0, of: config.observations.sample)
    let observation = try PointObservation(config, grid: forward.grid)
    let problem = InverseProblem(
      forward: forward.map, observation: observation, data: try data(config, forward, observation),
      noise: config.noise)
    let prior = config.prior.periodicField(grid: forward.grid)
    let sampler = PreconditionedCrankNicolson(
      stepSize: config.sampler.stepSize, adaptsStepSize: config.sampler.adapt, draws: config.sampler.samples,
      burnIn: config.sampler.burnIn, chains: config.sampler.chains, thin: config.sampler.thin,
      seed: UInt64(config.seed))
    let checksum = try forward.file.contentChecksum().map(Text.hexadecimal) ?? "none"
    let run = try RunFolder(
      preparing: config.output, policy: policy, verb: "invert", configuration: config.resolvedYAML)
    let isContinuation = policy == .resume && FileSystem.exists(run.lastCheckpoint)
    // What the chains depend on; where the result goes is not part of it.
    let identity = config.identity + "\ndata checksum: \(checksum)"
    var chains =
      isContinuation
      ? try ChainCheckpoint.read(run.lastCheckpoint, configuration: identity)
      : try sampler.start(problem, prior: prior)
    var session = try RunSession(
      run, isContinuation: isContinuation, seeds: ["seed": config.seed],
      data: [config.observations.file: checksum])
    let summary = try session.perform {
      let start = ContinuousClock.now
      let first = chains.iteration
      try sample(&chains, sampler, problem, prior, run, identity, console)
      let seconds = Progress.seconds(ContinuousClock.now - start)
      try write(chains, sampler, problem, prior, forward, config, truth, run)
      return summarize(
        chains, config, forward, truth, run, solves: (chains.iteration - first) * chains.count,
        seconds: seconds)
    }
    // Last, so that it shows the manifest of a finished run.
    _ = try Report.write(runFolder: run.path)
    try console.result(summary, text: text(summary))
  }

  /// The observed values: those of the data file with noise.
  private static func data(
    _ config: InvertConfig, _ forward: ForwardMap, _ observation: PointObservation
  ) throws -> [Double] {
    let exact = observation(try forward.frame(forward.frame, of: config.observations.sample))
    var random = Philox(seed: UInt64(config.seed), stream: .noise, sample: config.observations.sample)
    return exact.map { $0 + config.noise * random.nextNormal() }
  }

  private static func sample(
    _ chains: inout MarkovChains, _ sampler: PreconditionedCrankNicolson, _ problem: InverseProblem,
    _ prior: PeriodicGaussianField, _ run: RunFolder, _ identity: String, _ console: Console
  ) throws {
    if chains.iteration > 0 {
      console.note("continuing \(run.path) after \(chains.iteration) iterations")
    }
    let progress = Progress(
      console, label: "sampling", unit: "iterations", total: sampler.iterations,
      alreadyDone: chains.iteration)
    defer { progress.finish() }
    var lastSaved = ContinuousClock.now
    do {
      try sampler.run(&chains, on: problem, prior: prior) { chains in
        try progress.update(chains.iteration, detail: detail(chains))
        guard Progress.seconds(ContinuousClock.now - lastSaved) >= secondsBetweenCheckpoints else { return }
        try ChainCheckpoint.write(chains, configuration: identity, to: run.lastCheckpoint)
        lastSaved = ContinuousClock.now
      }
    } catch is CancellationError {
      try ChainCheckpoint.write(chains, configuration: identity, to: run.lastCheckpoint)
      progress.finish()
      console.note("stopped after \(chains.iteration) iterations; continue with")
      console.note("  phalarope invert \(run.configurationFile) --resume")
      throw CancellationError()
    }
    try ChainCheckpoint.write(chains, configuration: identity, to: run.lastCheckpoint)
  }

  private static func detail(_ chains: MarkovChains) -> String {
    // Over the last iterations: what the adaptation sees.
    let recent = chains.acceptances.map { $0.suffix(100) }
    let accepted = recent.reduce(0) { $0 + $1.count { $0 } }
    let all = recent.reduce(0) { $0 + $1.count }
    let misfit = chains.misfits.reduce(0, +) / Double(chains.count)
    return
      "misfit \(Text.number(misfit)), acceptance \(Text.number(Double(accepted) / Double(max(1, all)), digits: 2))"
  }

  private static func write(
    _ chains: MarkovChains, _ sampler: PreconditionedCrankNicolson, _ problem: InverseProblem,
    _ prior: PeriodicGaussianField, _ forward: ForwardMap, _ config: InvertConfig, _ truth: Tensor<Double>,
    _ run: RunFolder
  ) throws {
    let record = InversionRecord(
      field: ForwardMap.field,
      axes: forward.file.description.axes.enumerated().map { number, axis in
        // Where the positions of the points are not known, their numbers stand for them.
        (
          axis.name,
          forward.file.coordinates(axis: number, stride: forward.stride)
            ?? (0..<forward.grid[number]).map(Double.init)
        )
      },
      truth: truth,
      priorStandardDeviation: Tensor(shape: forward.grid, repeating: prior.pointVariance.squareRoot()),
      software: (Version.name, Version.number), createdAt: Manifest.timestamp(),
      attributes: [("forward_map", forward.name), ("config", config.resolvedYAML)])
    try PosteriorFile.write(
      chains, of: problem, sampler: sampler, record: record, to: "\(run.path)/posterior.nc")
  }

  private static func summarize(
    _ chains: MarkovChains, _ config: InvertConfig, _ forward: ForwardMap, _ truth: Tensor<Double>,
    _ run: RunFolder, solves: Int, seconds: Double
  ) -> Summary {
    let mean = chains.posteriorMean
    let deviation = chains.posteriorStandardDeviation
    let points = truth.count
    let (distance, size, covered) = withPointers(mean, deviation, truth) { mean, deviation, truth in
      (
        Double.squaredDistance(points, mean, truth), Double.dot(points, truth, truth),
        (0..<points).count { abs(mean[$0] - truth[$0]) <= 2 * deviation[$0] }
      )
    }
    let kept = chains.keptMisfits.flatMap { $0 }
    let diagnostics = InversionDiagnostics(chains)
    return Summary(
      run: run.path, forwardMap: forward.name, observations: config.sensorCount, noise: config.noise,
      drawsPerChain: chains.keptDraws, acceptanceRates: chains.acceptanceRates, stepSizes: chains.stepSizes,
      misfit: kept.reduce(0, +) / Double(kept.count),
      diagnostics: Dictionary(
        uniqueKeysWithValues: zip(diagnostics.quantities, diagnostics.values).map {
          ($0, .init(effectiveSampleSize: $1.effectiveSampleSize, splitRHat: $1.splitRHat))
        }),
      relativeL2: (distance / max(size, .leastNormalMagnitude)).squareRoot(),
      coverage: Double(covered) / Double(points), forwardSolves: solves, seconds: seconds,
      report: run.reportFile)
  }

  private static func text(_ summary: Summary) -> String {
    let worst = summary.diagnostics.values.map(\.splitRHat).max() ?? .nan
    let fewest = summary.diagnostics.values.map(\.effectiveSampleSize).min() ?? .nan
    return Text.table([
      ("run", summary.run), ("forward map", summary.forwardMap),
      ("observations", "\(summary.observations), noise \(Text.number(summary.noise))"),
      ("draws", "\(summary.drawsPerChain) in each of \(summary.acceptanceRates.count) chains"),
      ("acceptance", summary.acceptanceRates.map { Text.number($0, digits: 2) }.joined(separator: ", ")),
      (
        "misfit",
        "\(Text.number(summary.misfit)); half the observations is \(Double(summary.observations) / 2)"
      ),
      (
        "mixing",
        "smallest effective sample size \(Text.number(fewest, digits: 3)), largest split R-hat \(Text.number(worst))"
      ),
      ("posterior mean", "relative L2 distance \(Text.number(summary.relativeL2)) from the truth"),
      ("coverage", "\(Text.number(100 * summary.coverage, digits: 3)) % of the truth within two deviations"),
      ("sampling took", "\(Progress.clock(summary.seconds)), \(summary.forwardSolves) forward solves"),
      ("report", summary.report),
    ])
  }
}

extension PointObservation {
  /// The sensors of a configuration at the nearest points of a grid.
  ///
  /// - Throws: `ConfigError` for more sensors along an axis than it has points.
  init(_ config: InvertConfig, grid: [Int]) throws {
    switch config.observations.sensors {
    case .grid(let perAxis):
      for axis in grid.indices where perAxis[axis] >= grid[axis] {
        throw config.mistake(
          "observations.sensor_grid",
          "is \(perAxis[axis]) along axis \(axis); its \(grid[axis]) points allow between 1 and \(grid[axis] - 1)"
        )
      }
      self.init(grid: grid, perAxis: perAxis)
    case .points(let points):
      self.init(
        grid: grid,
        sensors: points.map { point in
          zip(point, grid).map { Int(($0 * Double($1)).rounded()) % $1 }
        })
    }
  }
}
