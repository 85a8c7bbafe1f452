import Datasets
import Training

/// Two runs on the same test samples: what beginning with other weights was worth against training from scratch.
struct RunComparison: Encodable {
  /// One of the runs.
  struct Side: Encodable {
    /// Its folder.
    let run: String
    /// The run whose weights it began with, if any.
    let initialWeights: String?
    /// The epochs that it was trained for.
    let epochs: Int
    /// The seconds that its epochs took.
    let seconds: Double
    /// The number of training samples.
    let trainingSamples: Int
    /// Its relative L2 errors on the test samples, summarised.
    let relativeL2: MetricSummary
    /// The first epoch after which its test error was at most `errorToReach`; nil if it never was.
    let epochsToReach: Int?
    /// The seconds of training until then.
    let secondsToReach: Double?
  }

  /// The run.
  let run: Side
  /// The run that it is compared with.
  let against: Side
  /// The test samples of both.
  let samples: Int
  /// The error of the run divided by that of the other.
  let ratio: Double
  /// The test error at the end of the other run, by its history; nil if it has none.
  let errorToReach: Double?

  /// Evaluates both runs.
  ///
  /// - Throws: `ConfigError` if their test samples differ, and what an evaluation throws.
  init(_ run: RunFolder, _ config: TrainConfig, against other: RunFolder, _ console: Console) throws {
    let otherConfig = try other.trainConfig()
    try Self.requireSameTest(run.path, config, other.path, otherConfig)
    let histories = try [run, other].map { try Checkpoint(contentsOf: $0.lastCheckpoint).history }
    let error = histories[1].last?.testError
    func side(_ run: RunFolder, _ config: TrainConfig, _ history: [EpochReport]) throws -> Side {
      let evaluation = try Evaluation.make(
        run, config, file: openDataset(config.data.test), samples: RunData(config).split.test,
        stride: config.data.stride, checkpoint: config.finalCheckpoint(of: run), console)
      let reached = error.flatMap { error in
        history.firstIndex { ($0.testError ?? .infinity) <= error }
      }
      return Side(
        run: run.path, initialWeights: config.initialWeights, epochs: history.count,
        seconds: history.reduce(0) { $0 + $1.seconds }, trainingSamples: config.data.trainSamples,
        relativeL2: evaluation.numbers.relativeL2, epochsToReach: reached.map { $0 + 1 },
        secondsToReach: reached.map { history[...$0].reduce(0) { $0 + $1.seconds } })
    }
    self.run = try side(run, config, histories[0])
    against = try side(other, otherConfig, histories[1])
    samples = config.data.testSamples
    ratio = self.run.relativeL2.mean / against.relativeL2.mean
    errorToReach = error
  }

  /// Errors are compared only where they are of the same samples of the same map on the same points.
  private static func requireSameTest(
    _ path: String, _ config: TrainConfig, _ otherPath: String, _ otherConfig: TrainConfig
  ) throws {
    let (data, other) = (try RunData(config), try RunData(otherConfig))
    let checksums = try [data, other].map { try $0.testFile.contentChecksum() }
    let isSameFile =
      checksums[0] == nil ? data.testFile.path == other.testFile.path : checksums[0] == checksums[1]
    let facts: [(name: String, isEqual: Bool)] = [
      ("file", isSameFile), ("samples", data.split.test == other.split.test),
      ("points", data.grid == other.grid), ("targets", data.mapping.targets == other.mapping.targets),
      ("inputs", data.mapping.inputs == other.mapping.inputs),
    ]
    let differences = facts.filter { !$0.isEqual }.map(\.name)
    guard differences.isEmpty else {
      throw ConfigError(
        .commandLine,
        "\(path) and \(otherPath) are not tested on the same data: \(differences.joined(separator: ", ")) differ; "
          + "their errors cannot be compared")
    }
  }

  /// The comparison as a table.
  var text: String {
    func line(_ side: Side) -> [String] {
      [
        side.run, side.initialWeights ?? "fresh", "\(side.trainingSamples)", "\(side.epochs)",
        Progress.clock(side.seconds), Text.number(side.relativeL2.mean), Text.number(side.relativeL2.median),
        Text.number(side.relativeL2.maximum),
      ]
    }
    let table = Text.table(
      heading: ["run", "weights", "samples", "epochs", "time", "mean", "median", "maximum"],
      rows: [line(run), line(against)])
    func reached(_ side: Side) -> String {
      guard let epochs = side.epochsToReach, let seconds = side.secondsToReach else { return "never" }
      return "after \(epochs) epochs, \(Progress.clock(seconds))"
    }
    let goal =
      errorToReach.map {
        """
        test error \(Text.number($0)), with which \(against.run) ended, was first reached:
          \(run.run)  \(reached(run))
          \(against.run)  \(reached(against))
        """
      } ?? "\(against.run) has no test error by epoch to compare with"
    return """
      relative L2 error on \(samples) test samples
      \(table)
      ratio of the means: \(Text.number(ratio))
      \(goal)
      """
  }
}
