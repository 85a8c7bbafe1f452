import Datasets
import Foundation
import InverseProblems
import Solvers
import Tensors

/// Recovers an initial vorticity from noisy observations, by sampling its posterior.
public enum InvertStage {
  /// How often the chains are saved, in seconds: what a kill may cost.
  private static let secondsBetweenCheckpoints = 30.0
  /// How many bytes of records and draws wait in memory at most.
  private static let largestRecord = 32 << 20

  /// What an inversion found.
  struct Summary: Encodable {
    let run: String
    let forwardMap: String
    /// For delayed acceptance, what screened the proposals of the forward map.
    let screening: String?
    let sampler: String
    let observations: Int
    let noise: Double
    let drawsPerChain: Int
    let acceptanceRates: [Double]
    let stepSizes: [Double]
    let misfit: Double
    /// Whether the chains agree and hold enough effective draws.
    let converged: Bool
    /// What does not, and why.
    let convergenceProblems: [String]
    let diagnostics: [String: Diagnostic]
    /// The relative L2 distance of the posterior mean from the truth.
    let relativeL2: Double
    /// The share of points where the truth is within two posterior standard deviations.
    let coverage: Double
    let forwardSolves: Int
    let screeningSolves: Int
    /// Solves that gave no finite misfit; their proposals were rejected.
    let failedSolves: Int
    /// The time of this session's sampling.
    let seconds: Double
    let report: String

    /// How well the chains know one quantity.
    struct Diagnostic: Encodable {
      let bulkESS: Double
      let tailESS: Double
      let meanESS: Double
      let rHat: Double
      let autocorrelationTime: Double
    }
  }

  /// Samples the posterior and reports.
  ///
  /// - Throws: `ConfigError`, `InputError`, `HDF5Error`, `DatasetError`, `SolverError`, `TrainingError`,
  ///   `SamplingError`, `OutputError`; `CancellationError` on request, after writing a checkpoint.
  public static func run(_ config: InvertConfig, policy: RunFolder.Policy, _ console: Console) throws {
    let forward = try ForwardMap(config)
    if forward.isTrainedOnTheSample {
      console.note(
        "note: the surrogate was trained on sample \(config.observations.sample); take one it has not seen")
    }
    let truth = try forward.frame(0, of: config.observations.sample)
    let observation = try PointObservation(config, grid: forward.grid)
    let prior = config.prior.periodicField(grid: forward.grid)
    let problem = InverseProblem(
      prior: prior, forward: forward.map, observation: observation,
      data: try data(config, forward, observation), noise: config.noise)
    let sampler = sampler(config.sampler, problem, forward)
    let schedule = schedule(config)
    let checksum = try forward.file.contentChecksum().map(Text.hexadecimal) ?? "none"
    let run = try RunFolder(
      preparing: config.output, policy: policy, verb: "invert", configuration: config.resolvedYAML)
    let isContinuation = policy == .resume && FileSystem.exists(run.lastCheckpoint)
    // What the chains depend on; where the result goes is not part of it.
    let checkpoint = ChainCheckpoint(
      run.lastCheckpoint, configuration: config.identity + "\ndata checksum: \(checksum)")
    var chains = isContinuation ? try checkpoint.read(for: sampler) : try schedule.start(sampler)
    var session = try RunSession(
      run, isContinuation: isContinuation, seeds: ["seed": config.seed],
      data: [config.observations.file: checksum])
    let summary = try session.perform {
      let start = ContinuousClock.now
      try sample(&chains, sampler, schedule, run, checkpoint, console)
      let seconds = Progress.seconds(ContinuousClock.now - start)
      let history = try checkpoint.history(of: chains)
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
        chains, history, of: sampler, schedule: schedule, record: record, to: "\(run.path)/posterior.nc")
      _ = try Report.write(runFolder: run.path)
      return summarize(chains, history, config, forward, sampler, truth, run, seconds: seconds)
    }
    try console.result(summary, text: text(summary))
  }

  /// The sampler of a configuration; in delayed acceptance `problem` is the surrogate's.
  private static func sampler(
    _ config: InvertConfig.Sampler, _ problem: InverseProblem, _ forward: ForwardMap
  ) -> any Sampler {
    switch config.kind {
    case .pcn: return PreconditionedCrankNicolson(problem)
    case .mala: return MetropolisAdjustedLangevin(problem)
    case .delayedAcceptance:
      guard let solver = forward.solver, let settings = config.screening else {
        preconditionFailure("delayed acceptance without a solver")
      }
      let screening: any Sampler =
        switch settings.kind {
        case .pcn: PreconditionedCrankNicolson(problem)
        case .mala: MetropolisAdjustedLangevin(problem)
        }
      return DelayedAcceptance(
        problem.replacingForward(by: solver.map), screening: screening, screeningSteps: settings.steps)
    }
  }

  private static func schedule(_ config: InvertConfig) -> SamplingSchedule {
    let sampler = config.sampler
    return SamplingSchedule(
      draws: sampler.samples, burnIn: sampler.burnIn, chains: sampler.chains, thin: sampler.thin,
      stepSize: sampler.stepSize, adaptsStepSize: sampler.adapt, targetAcceptance: sampler.targetAcceptance,
      seed: UInt64(config.seed))
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
    _ chains: inout MarkovChains, _ sampler: any Sampler, _ schedule: SamplingSchedule, _ run: RunFolder,
    _ checkpoint: ChainCheckpoint, _ console: Console
  ) throws {
    if chains.iteration > 0 {
      console.note("continuing \(run.path) after \(chains.iteration) iterations")
    }
    let progress = Progress(
      console, label: "sampling", unit: "iterations", total: schedule.iterations,
      alreadyDone: chains.iteration)
    defer { progress.finish() }
    var lastSaved = ContinuousClock.now
    // The acceptance of about the last hundred iterations: what the adaptation sees.
    var acceptance = (sum: 0.0, weight: 0.0)
    do {
      try schedule.run(&chains, with: sampler) { chains, outcome in
        let mean = outcome.acceptances.reduce(0, +) / Double(chains.count)
        acceptance = (0.99 * acceptance.sum + mean, 0.99 * acceptance.weight + 1)
        try progress.update(
          chains.iteration, detail: detail(chains, acceptance: acceptance.sum / acceptance.weight))
        guard
          Progress.seconds(ContinuousClock.now - lastSaved) >= secondsBetweenCheckpoints
            || chains.recordedBytes >= largestRecord
        else { return }
        try checkpoint.write(&chains)
        lastSaved = ContinuousClock.now
      }
    } catch is CancellationError {
      try checkpoint.write(&chains)
      progress.finish()
      console.note("stopped after \(chains.iteration) iterations; continue with")
      console.note("  phalarope invert \(run.configurationFile) --resume")
      throw CancellationError()
    }
    try checkpoint.write(&chains)
  }

  private static func detail(_ chains: MarkovChains, acceptance: Double) -> String {
    let misfit = chains.points.misfits.reduce(0, +) / Double(chains.count)
    return "misfit \(Text.number(misfit)), acceptance \(Text.number(acceptance, digits: 2))"
  }

  private static func summarize(
    _ chains: MarkovChains, _ history: ChainHistory, _ config: InvertConfig, _ forward: ForwardMap,
    _ sampler: any Sampler, _ truth: Tensor<Double>, _ run: RunFolder, seconds: Double
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
    let kept = history.keptTrace("misfit").flatMap { $0 }
    let diagnostics = InversionDiagnostics(history)
    return Summary(
      run: run.path, forwardMap: forward.solver?.name ?? forward.name,
      screening: forward.solver.map { _ in forward.name }, sampler: sampler.name,
      observations: config.sensorCount, noise: config.noise, drawsPerChain: chains.keptDraws,
      acceptanceRates: history.acceptanceRates, stepSizes: chains.stepSizes,
      misfit: kept.reduce(0, +) / Double(kept.count), converged: diagnostics.haveConverged,
      convergenceProblems: diagnostics.complaints.map { "\($0.quantity): \($0.reason)" },
      diagnostics: Dictionary(
        uniqueKeysWithValues: zip(diagnostics.quantities, diagnostics.values).map {
          (
            $0,
            .init(
              bulkESS: $1.bulkESS, tailESS: $1.tailESS, meanESS: $1.meanESS, rHat: $1.rHat,
              autocorrelationTime: $1.autocorrelationTime)
          )
        }),
      relativeL2: (distance / max(size, .leastNormalMagnitude)).squareRoot(),
      coverage: Double(covered) / Double(points), forwardSolves: chains.solves.forward,
      screeningSolves: chains.solves.screening, failedSolves: chains.solves.failed, seconds: seconds,
      report: run.reportFile)
  }

  private static func text(_ summary: Summary) -> String {
    let worst = summary.diagnostics.values.map(\.rHat).max() ?? .nan
    let fewest = summary.diagnostics.values.map { min($0.bulkESS, $0.tailESS) }.min() ?? .nan
    var rows = [("run", summary.run), ("forward map", summary.forwardMap)]
    if let screening = summary.screening { rows.append(("screened by", screening)) }
    rows += [
      ("observations", "\(summary.observations), noise \(Text.number(summary.noise))"),
      ("draws", "\(summary.drawsPerChain) in each of \(summary.acceptanceRates.count) chains"),
      ("acceptance", summary.acceptanceRates.map { Text.number($0, digits: 2) }.joined(separator: ", ")),
      (
        "misfit",
        "\(Text.number(summary.misfit)); half the observations is \(Double(summary.observations) / 2)"
      ),
      (
        "mixing",
        "fewest effective draws \(Text.number(fewest, digits: 3)), largest R-hat \(Text.number(worst))"
      ),
      ("posterior mean", "relative L2 distance \(Text.number(summary.relativeL2)) from the truth"),
      ("coverage", "\(Text.number(100 * summary.coverage, digits: 3)) % of the truth within two deviations"),
    ]
    var solves = "\(summary.forwardSolves) forward solves"
    if summary.screeningSolves > 0 { solves += " and \(summary.screeningSolves) by the surrogate" }
    rows.append(("sampling took", "\(Progress.clock(summary.seconds)), \(solves)"))
    if summary.failedSolves > 0 {
      rows.append(("failed solves", "\(summary.failedSolves): not finite, proposals rejected"))
    }
    rows.append(("report", summary.report))
    let table = Text.table(rows)
    guard !summary.converged else { return table }
    return table
      + "\nThe chains have not converged; means and deviations may be wrong. Take more samples, or a better sampler:\n"
      + summary.convergenceProblems.map { "  \($0)" }.joined(separator: "\n")
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
