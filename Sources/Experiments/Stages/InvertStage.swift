import Datasets
import Foundation
import InverseProblems
import Solvers
import Tensors

/// Recovers an initial state or a coefficient from noisy observations, by sampling its posterior.
public enum InvertStage {
  /// Samples the posterior and reports.
  ///
  /// - Throws: `ConfigError`, `InputError`, `HDF5Error`, `DatasetError`, `SolverError`, `TrainingError`,
  ///   `SamplingError`, `OutputError`; `CancellationError` on request, after writing a checkpoint.
  public static func run(_ config: InvertConfig, policy: RunFolder.Policy, _ console: Console) throws {
    let setup = try InversionSetup(config)
    let (forward, prior, problem, truth) = (setup.forward, setup.prior, setup.problem, setup.truth)
    for warning in setup.warnings { console.note("warning: \(warning)") }
    let run = try RunFolder(
      preparing: config.output, policy: policy, verb: "invert", configuration: config.resolvedYAML)
    defer { run.unlock() }
    // What the chains depend on; where the result goes is not part of it.
    let identity =
      config.identity
      + setup.checksums.sorted { $0.key < $1.key }.map { "\nchecksum of \($0.key): \($0.value)" }.joined()
    let continuing = policy == .resume
    var session = try RunSession(
      run, isContinuation: continuing && FileSystem.exists(run.manifestFile), seeds: ["seed": config.seed],
      data: setup.checksums)
    let summary = try session.perform {
      let begin = ContinuousClock.now
      let laplace = config.sampler.needsMode ? try mode(of: problem, config, console) : nil
      let modeSeconds = Progress.seconds(ContinuousClock.now - begin)
      let (sampler, screening) = samplers(config.sampler, setup, laplace)
      func chainRun(_ sampler: any Sampler, _ schedule: SamplingSchedule, _ file: String, _ label: String)
        -> ChainRun
      {
        ChainRun(
          sampler: sampler, schedule: schedule, checkpoint: ChainCheckpoint(file, configuration: identity),
          label: label, command: "phalarope invert \(run.configurationFile) --resume")
      }
      let schedule = schedule(config)
      // Twice as wide as what is expected of the posterior; without a mode, the prior.
      let startingLaw = config.sampler.start == .laplace ? laplace?.reference.widened(by: 2) : nil
      // The surrogate's own posterior first: it costs no true solves, tells where to start, and is compared.
      var surrogate: ChainRun.Result?
      if let screening, let settings = config.sampler.screening, settings.samples > 0 {
        var surrogateSchedule = schedule
        (surrogateSchedule.draws, surrogateSchedule.burnIn) = (settings.samples, settings.burnIn)
        surrogateSchedule.thin = max(1, settings.samples / 100)
        surrogateSchedule.stream = .surrogateProposals
        surrogate = try chainRun(
          screening, surrogateSchedule, "\(run.checkpoints)/surrogate", "sampling the surrogate's posterior"
        ).finish(continuing: continuing, console) {
          try surrogateSchedule.start(screening, from: startingLaw)
        }
      }
      let result = try chainRun(sampler, schedule, run.lastCheckpoint, "sampling").finish(
        continuing: continuing, console
      ) {
        if let surrogate {
          try schedule.start(sampler, from: surrogate.chains)
        } else {
          try schedule.start(sampler, from: startingLaw)
        }
      }
      let variances = prior.variances
      var record = InversionRecord(
        field: forward.field,
        axes: forward.file.description.axes.enumerated().map { number, axis in
          // Where the positions of the points are not known, their numbers stand for them.
          InversionRecord.Axis(
            name: axis.name,
            coordinates: forward.file.coordinates(axis: number, stride: forward.stride)
              ?? (0..<forward.grid[number]).map(Double.init), isPeriodic: axis.isPeriodic ?? true)
        },
        truth: truth,
        priorStandardDeviation: problem.transform.priorStandardDeviation(variances),
        software: (Version.name, Version.number), createdAt: Manifest.timestamp(),
        attributes: [
          ("forward_map", forward.name), ("config", config.resolvedYAML),
          ("converged", InversionDiagnostics(result.history).haveConverged ? "yes" : "no"),
        ])
      record.priorMean = problem.transform.priorMean(variances)
      record.sensorTimes = setup.sensorTimes
      record.laplace = laplace
      record.surrogate = surrogate.map { ($0.chains, $0.history) }
      try PosteriorFile.write(
        result.chains, result.history, of: sampler, schedule: schedule, record: record,
        to: "\(run.path)/posterior.nc")
      _ = try Report.write(runFolder: run.path)
      let comparison = try compare(result, setup, console)
      return summarize(
        result, surrogate, laplace, modeSeconds: modeSeconds, setup, sampler, comparison, run)
    }
    try console.result(summary, text: summary.text)
  }

  /// The point of largest posterior density and the Laplace approximation there.
  private static func mode(
    of problem: InverseProblem, _ config: InvertConfig, _ console: Console
  ) throws -> LaplaceApproximation {
    // A surrogate computes in single precision, and the misfit by a solver jumps where another sequence of steps is
    // chosen: 1e-4 of the gradient at the prior mean is what they can tell.
    let method = LBFGS(tolerance: 1e-4)
    let progress = Progress(
      console, label: "searching the mode", unit: "iterations", total: method.iterations)
    defer { progress.finish() }
    let draws = (0..<4).map { sample in
      var random = Philox(seed: UInt64(config.seed), stream: .starts, sample: sample)
      return random.normal(shape: [problem.prior.coordinateCount])
    }
    let laplace = try LaplaceApproximation(of: problem, otherStarts: draws, method: method) { search in
      try progress.update(
        search.iterations, detail: "gradient \(Text.number(search.relativeGradient, digits: 2))")
    }
    if !laplace.search.isMode {
      console.note(
        "note: the mode was not found: chains start at the lowest point of the search; with 'sampler.reference: laplace' "
          + "proposals about it may never be accepted")
      if config.surrogate == .solver, config.solverTimeStep == .auto || config.solverTimeStep == .asInData {
        console.note(
          "note: time steps that the solver chooses anew for every input make the misfit jump; 'solver.error: 0.02' chooses "
            + "equal ones by the noise")
      }
    }
    return laplace
  }

  /// The sampler of a configuration and, in delayed acceptance, that of the surrogate's posterior.
  private static func samplers(
    _ config: InvertConfig.Sampler, _ setup: InversionSetup, _ laplace: LaplaceApproximation?
  ) -> (sampler: any Sampler, screening: (any Sampler)?) {
    let problem = setup.problem
    let reference = config.reference == .laplace ? laplace?.reference : nil
    let pcn = { PreconditionedCrankNicolson(problem, reference: reference) }
    let mala = { MetropolisAdjustedLangevin(problem, reference: reference) }
    switch config.kind {
    case .pcn: return (pcn(), nil)
    case .mala: return (mala(), nil)
    case .delayedAcceptance:
      guard let trueProblem = setup.trueProblem, let settings = config.screening else {
        preconditionFailure("delayed acceptance without a solver")
      }
      let screening: any Sampler = settings.kind == .pcn ? pcn() : mala()
      let sampler = DelayedAcceptance(
        trueProblem, screening: screening, screeningSteps: settings.steps)
      return (sampler, screening)
    }
  }

  private static func schedule(_ config: InvertConfig) -> SamplingSchedule {
    let sampler = config.sampler
    return SamplingSchedule(
      draws: sampler.samples, burnIn: sampler.burnIn, chains: sampler.chains, thin: sampler.thin,
      stepSize: sampler.stepSize, adaptsStepSize: sampler.adapt, targetAcceptance: sampler.targetAcceptance,
      seed: UInt64(config.seed))
  }

  /// The fair comparison with the classical solver, or why there is none; neither where none was asked for.
  private static func compare(
    _ result: ChainRun.Result, _ setup: InversionSetup, _ console: Console
  ) throws -> (comparison: InversionComparison?, reason: String?) {
    guard setup.config.compares else { return (nil, nil) }
    guard setup.forward.training != nil else {
      return (nil, "the forward map is the classical solver itself")
    }
    console.note("comparing with the classical solver")
    let solves = result.chains.solves
    let comparison = try InversionComparison(
      setup, points: result.chains.points.coordinates,
      solves: setup.forward.solver == nil ? solves.forward : solves.screening)
    return (
      comparison,
      comparison == nil
        ? "\(setup.forward.file.path) does not state the solver's settings, or no grid resolves its solutions"
        : nil
    )
  }

  private static func summarize(
    _ result: ChainRun.Result, _ surrogate: ChainRun.Result?, _ laplace: LaplaceApproximation?,
    modeSeconds: Double, _ setup: InversionSetup, _ sampler: any Sampler,
    _ comparison: (comparison: InversionComparison?, reason: String?), _ run: RunFolder
  ) -> InversionSummary {
    let (config, forward, truth) = (setup.config, setup.forward, setup.truth)
    let (chains, history) = (result.chains, result.history)
    let recovery = truth.map { InversionSummary.recovery(chains, $0) }
    let noise = setup.problem.noise.deviations
    let noiseFactor =
      setup.problem.noisePrior == nil
      ? nil
      : history.keptMeans("noise_factor").reduce(0, +) / Double(chains.count)
    let viscosities = setup.problem.scalar.map { scalar in
      history.keptTrace(scalar.coordinateName).flatMap { $0 }.map { scalar.median * exp($0) }
    }
    let diagnostics = InversionDiagnostics(history)
    let statistics =
      ["misfit", "relativeL2", "coverage"] + (noiseFactor == nil ? [] : ["noiseFactor"])
      + (viscosities == nil ? [] : ["viscosity"])
      + (surrogate == nil ? [] : ["surrogatePosterior.difference"])
    return InversionSummary(
      run: run.path, forwardMap: forward.solver?.name ?? forward.name,
      screening: forward.solver.map { _ in forward.name }, sampler: sampler.name,
      reference: config.sampler.reference.rawValue, observations: setup.problem.data.count,
      noise: noise.reduce(0, +) / Double(noise.count), noiseFactor: noiseFactor,
      viscosity: viscosities.map(InversionSummary.Moments.init),
      drawsPerChain: chains.keptDraws, acceptanceRates: history.acceptanceRates, stepSizes: chains.stepSizes,
      misfit: history.keptMeans("misfit").reduce(0, +) / Double(chains.count),
      converged: diagnostics.haveConverged,
      provisional: diagnostics.haveConverged ? [] : statistics,
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
      effectiveDraws: diagnostics.fewestDraws,
      effectiveDrawsPerSecond: diagnostics.fewestDraws / max(result.seconds, 1e-9),
      relativeL2: recovery?.relativeL2, coverage: recovery?.coverage,
      map: laplace.map { laplace in
        .init(
          misfit: laplace.misfit,
          relativeL2: truth.map { InversionSummary.relativeL2(setup.problem.transform(laplace.mode), $0) },
          viscosity: setup.problem.scalar.map { $0.value(laplace.search.point[0]) },
          iterations: laplace.search.iterations, solves: laplace.solves,
          adjointSolves: laplace.adjointSolves, seconds: modeSeconds,
          converged: laplace.search.hasConverged,
          informedDirections: laplace.reference.eigenvalues.count { $0 >= 1 })
      },
      surrogatePosterior: surrogate.map { surrogate in
        let recovery = truth.map { InversionSummary.recovery(surrogate.chains, $0) }
        return .init(
          relativeL2: recovery?.relativeL2, coverage: recovery?.coverage,
          converged: InversionDiagnostics(surrogate.history).haveConverged,
          difference: PosteriorComparison(
            (surrogate.chains, surrogate.history), (result.chains, result.history)),
          solves: surrogate.chains.solves.forward, seconds: surrogate.seconds)
      },
      forwardSolves: chains.solves.forward,
      adjointSolves: config.sampler.kind == .mala ? chains.solves.forward : 0,
      screeningSolves: chains.solves.screening, failedSolves: chains.solves.failed, seconds: result.seconds,
      overhead: result.overhead, comparison: comparison.comparison, noComparison: comparison.reason,
      report: run.reportFile)
  }
}
