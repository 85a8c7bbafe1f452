import Datasets
import Foundation
import NeuralOperators
import Tensors
import Training

/// Trains a surrogate into a run folder.
public enum TrainStage {
  /// The keys that may change when a run is continued: those that do not change the epochs that are done.
  private static let changeable: Set<String> = ["epochs", "checkpoint_every", "data.memory"]

  /// What a training did.
  struct Summary: Encodable {
    let run: String
    let epochs: Int
    let parameters: Int
    let bestEpoch: Int
    let evaluation: Evaluation
    let seconds: Double
    let report: String
  }

  /// Trains, evaluates and reports.
  ///
  /// - Throws: `ConfigError`, `DatasetError`, `HDF5Error`, `TrainingError`, `OutputError`; `CancellationError`
  ///   on request, after writing a checkpoint.
  public static func run(_ config: TrainConfig, policy: RunFolder.Policy, _ console: Console) throws {
    // Everything that can be wrong is found out before the folder is touched.
    let data = try RunData(config)
    let model = try config.modelConfiguration(data.mapping, grid: data.grid)
    let settings = try config.trainingConfiguration(data.trainFile.description.axes)
    let checksums = try data.checksums()
    try RunFolder.requireAvailable(
      config.output, policy: policy, configuration: config.resolvedYAML, changeable: changeable)
    let isContinuation =
      policy == .resume && FileSystem.exists(RunFolder.lastCheckpoint(in: config.output))
    let initialWeights = isContinuation ? nil : try InitialWeights(config, model: model)
    let isStreamed = try data.isStreamed(config, memory: SystemFacts.usableMemory, console)
    let training = try data.source(\.training, of: data.trainFile, isStreamed: isStreamed, config)
    let validation =
      data.split.validation.isEmpty
      ? nil : try data.source(\.validation, of: data.trainFile, isStreamed: isStreamed, config)
    let test = try data.source(\.test, of: data.testFile, isStreamed: isStreamed, config)
    let (inputScaling, outputScaling) =
      isContinuation
      ? (nil, nil)
      : (
        try FieldScaling(config.data.inputScaling, fitting: training, side: .input),
        try FieldScaling(config.data.targetScaling, fitting: training, side: .target)
      )
    let run = try RunFolder(
      preparing: config.output, policy: policy, verb: "train", configuration: config.resolvedYAML,
      changeable: changeable)
    defer { run.unlock() }
    let trainer: Trainer
    if isContinuation {
      trainer = try resume(run, config, model, checksums)
    } else {
      trainer = Trainer(
        model, configuration: settings, inputScaling: inputScaling, outputScaling: outputScaling,
        initialWeights: initialWeights?.transfer)
      for note in initialWeights?.notes ?? [] { console.note(note) }
    }
    var session = try RunSession(
      run, isContinuation: isContinuation, seeds: ["seed": config.seed], data: checksums,
      parameterCount: trainer.model.parameterCount, initialWeights: initialWeights?.origin)
    let summary = try session.perform {
      try train(trainer, run, config, training, validation, test, console)
      let evaluation = try Evaluation.make(
        run, config, file: data.testFile, samples: data.split.test, stride: config.data.stride,
        checkpoint: config.finalCheckpoint(of: run), console)
      try evaluation.write(to: run)
      return Summary(
        run: run.path, epochs: trainer.position.epoch,
        parameters: trainer.model.parameterCount,
        bestEpoch: bestEpoch(trainer.history), evaluation: evaluation.numbers,
        seconds: trainer.history.reduce(0) { $0 + $1.seconds }, report: run.reportFile)
    }
    // Last, so that it shows the manifest of a finished run.
    _ = try Report.write(runFolder: run.path)
    try console.result(summary, text: text(summary))
  }

  /// Makes sure that a run folder that exists can be continued with a configuration, without touching it, and ends as
  /// if it had not been interrupted: the number of epochs, on which schedules may depend, has to be the same.
  ///
  /// - Throws: `OutputError` that names a setting that differs.
  static func requireContinuable(_ config: TrainConfig) throws {
    try RunFolder.requireAvailable(
      config.output, policy: .resume, configuration: config.resolvedYAML,
      changeable: changeable.subtracting(["epochs"]))
  }

  /// The trainer as the last checkpoint has it.
  private static func resume(
    _ run: RunFolder, _ config: TrainConfig, _ model: ModelConfiguration, _ checksums: [String: String]
  ) throws -> Trainer {
    let earlier = try Manifest(contentsOf: run.manifestFile)
    for (path, checksum) in checksums {
      guard let before = earlier.data[path], before != checksum else { continue }
      throw config.mistake(
        path == config.data.train ? "data.train" : "data.test",
        "is \(path), which has changed since the run was started; start anew with --overwrite")
    }
    let checkpoint = try Checkpoint(contentsOf: run.lastCheckpoint)
    guard checkpoint.model == model else {
      throw TrainingError.invalidCheckpoint(
        path: run.lastCheckpoint, reason: "is a checkpoint of another model; start anew with --overwrite")
    }
    return try Trainer(resuming: checkpoint, epochs: config.epochs)
  }

  /// The epochs, with a checkpoint and a line of metrics after each.
  private static func train(
    _ trainer: Trainer, _ run: RunFolder, _ config: TrainConfig, _ training: any TrainingSource,
    _ validation: (any TrainingSource)?, _ test: any TrainingSource, _ console: Console
  ) throws {
    let batches = (training.sampleCount + config.batchSize - 1) / config.batchSize
    let done = trainer.position.epoch * batches + trainer.position.batch
    let progress = Progress(
      console, label: "training", unit: "batches", total: config.epochs * batches, alreadyDone: done)
    defer { progress.finish() }
    if trainer.position.epoch > 0 || trainer.position.batch > 0 {
      console.note("continuing \(run.path) in epoch \(min(trainer.position.epoch + 1, config.epochs))")
    }
    // The table may be ahead of the checkpoint that the run continues from.
    try writeMetrics(trainer.history, run)
    do {
      try trainer.fit(training, validation: validation, test: test) { batch in
        try progress.update((batch.epoch - 1) * batches + batch.batch, detail: detail(batch, trainer.history))
      } afterEpoch: { report in
        try writeMetrics(trainer.history, run)
        var event: [String: EventValue] = [
          "epoch": .integer(report.epoch), "train_relative_l2": .number(report.trainingError),
          "test_relative_l2": .number(report.testError ?? .nan),
          "learning_rate": .number(report.learningRate), "seconds": .number(report.seconds),
        ]
        event["validation_relative_l2"] = report.validationError.map { .number($0) }
        try run.record("epoch", event)
        let isDue = report.epoch.isMultiple(of: config.checkpointEvery) || trainer.isFinished
        if trainer.lastEpochIsBest { try trainer.checkpoint.write(to: run.bestCheckpoint) }
        if isDue { try trainer.checkpoint.write(to: run.lastCheckpoint) }
        try Interruption.check()
      }
      if trainer.position.epoch < config.epochs {
        progress.finish()
        console.note(
          "the validation error has not fallen for \(config.earlyStopping ?? 0) epochs: ended after epoch "
            + "\(trainer.position.epoch)")
      }
    } catch is CancellationError {
      try trainer.checkpoint.write(to: run.lastCheckpoint)
      progress.finish()
      console.note("stopped in epoch \(trainer.position.epoch + 1); continue with")
      console.note("  phalarope train \(run.configurationFile) --resume")
      throw CancellationError()
    }
  }

  private static func detail(_ batch: BatchReport, _ history: [EpochReport]) -> String {
    var text = "epoch \(batch.epoch), error \(Text.number(batch.error))"
    if let test = history.last?.testError { text += ", test \(Text.number(test))" }
    return text
  }

  /// The first epoch with the smallest validation error, or without validation the smallest test error.
  private static func bestEpoch(_ history: [EpochReport]) -> Int {
    func error(_ report: EpochReport) -> Double { report.validationError ?? report.testError ?? .infinity }
    return history.min { error($0) < error($1) }?.epoch ?? 0
  }

  private static func writeMetrics(_ history: [EpochReport], _ run: RunFolder) throws {
    let lines = [EpochReport.csvHeader] + history.flatMap(\.csvLines)
    try TextFile.write(lines.joined(separator: "\n") + "\n", to: run.metricsFile)
  }

  private static func text(_ summary: Summary) -> String {
    Text.table([
      ("run", summary.run), ("parameters", "\(summary.parameters)"),
      (
        "relative L2 error",
        "mean \(Text.number(summary.evaluation.relativeL2.mean)), median "
          + "\(Text.number(summary.evaluation.relativeL2.median)), maximum "
          + "\(Text.number(summary.evaluation.relativeL2.maximum)) of \(summary.evaluation.samples) test samples"
      ),
      ("training took", Progress.clock(summary.seconds)), ("report", summary.report),
    ])
  }
}

extension TrainConfig {
  /// The checkpoint that a run's numbers are of: with validation samples the best one, which they chose,
  /// otherwise the last one, since nothing but the test samples could choose another.
  func finalCheckpoint(of run: RunFolder) -> String {
    data.validationSamples == nil ? run.lastCheckpoint : run.bestCheckpoint
  }
}
