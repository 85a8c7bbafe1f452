import InverseProblems

/// One set of chains of an inversion: run, saved now and then, continued after an interruption.
struct ChainRun {
  /// How often the chains are saved, in seconds: what a kill may cost.
  private static let secondsBetweenCheckpoints = 30.0
  /// How many bytes of records and draws wait in memory, about.
  private static let largestRecord = 1 << 20

  let sampler: any Sampler
  let schedule: SamplingSchedule
  let checkpoint: ChainCheckpoint
  /// What is being sampled, for the progress line.
  let label: String
  /// How to continue, for the message after an interruption.
  let command: String

  /// Finished chains.
  struct Result {
    let chains: MarkovChains
    let history: ChainHistory
    /// The time of all sessions together.
    let seconds: Double
    /// What proposals, diagnostics and files took of the last session, as a share of its solves; nil without any.
    let overhead: Double?
  }

  /// Whether an earlier session left a checkpoint.
  var canContinue: Bool { FileSystem.exists(checkpoint.path) }

  /// Runs the chains from `start`, or from their checkpoint if `continuing`, to the end.
  ///
  /// - Throws: what the forward map throws, `HDF5Error`, `FileError`; `CancellationError` on request, after
  ///   writing a checkpoint.
  func finish(
    continuing: Bool, _ console: Console, from start: () throws -> MarkovChains
  ) throws -> Result {
    let isContinuation = continuing && canContinue
    var chains = isContinuation ? try checkpoint.read(for: sampler) : try start()
    let earlier = isContinuation ? try checkpoint.seconds() : 0
    if isContinuation && chains.iteration < schedule.iterations {
      console.note("continuing after \(chains.iteration) iterations (\(label))")
    }
    let clocks = sampler.clocks
    let solvedBefore = clocks.map(\.seconds)
    let begin = ContinuousClock.now
    func seconds() -> Double { earlier + Progress.seconds(ContinuousClock.now - begin) }
    if !isContinuation || chains.iteration < schedule.iterations {
      try run(&chains, console, seconds)
    }
    let session = seconds() - earlier
    let solving = zip(clocks, solvedBefore).reduce(0) { $0 + $1.0.seconds - $1.1 }
    return Result(
      chains: chains, history: try checkpoint.history(of: chains), seconds: seconds(),
      overhead: solving > 0 ? session / solving - 1 : nil)
  }

  private func run(_ chains: inout MarkovChains, _ console: Console, _ seconds: () -> Double) throws {
    let progress = Progress(
      console, label: label, unit: "iterations", total: schedule.iterations, alreadyDone: chains.iteration)
    defer { progress.finish() }
    var lastSaved = seconds()
    // The acceptance of about the last hundred iterations: what the adaptation sees.
    var acceptance = (sum: 0.0, weight: 0.0)
    do {
      try schedule.run(&chains, with: sampler) { chains, outcome in
        let mean = outcome.acceptances.reduce(0, +) / Double(chains.count)
        acceptance = (0.99 * acceptance.sum + mean, 0.99 * acceptance.weight + 1)
        try progress.update(
          chains.iteration, detail: detail(chains, acceptance: acceptance.sum / acceptance.weight))
        let now = seconds()
        if now - lastSaved >= Self.secondsBetweenCheckpoints {
          try checkpoint.write(&chains, seconds: now)
          lastSaved = seconds()
        } else if chains.recordedBytes >= Self.largestRecord {
          try checkpoint.moveRecords(of: &chains)
        }
      }
    } catch is CancellationError {
      try checkpoint.write(&chains, seconds: seconds())
      progress.finish()
      console.note("stopped after \(chains.iteration) iterations (\(label)); continue with")
      console.note("  \(command)")
      throw CancellationError()
    }
    try checkpoint.write(&chains, seconds: seconds())
  }

  private func detail(_ chains: MarkovChains, acceptance: Double) -> String {
    let misfit = chains.points.misfits.reduce(0, +) / Double(chains.count)
    return "misfit \(Text.number(misfit)), acceptance \(Text.number(acceptance, digits: 2))"
  }
}

extension Sampler {
  /// The clocks of its forward maps.
  fileprivate var clocks: [SolveClock] {
    let screening = (self as? DelayedAcceptance)?.screening.problem.clock
    return [problem.clock] + (screening.map { $0 === problem.clock ? [] : [$0] } ?? [])
  }
}
