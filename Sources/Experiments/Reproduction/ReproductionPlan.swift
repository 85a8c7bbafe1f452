import Datasets
import Foundation
import Tensors
import Training

/// What `reproduce` is to do: the data, the rows, and how far each of them is.
struct ReproductionPlan {
  /// One row with its settings.
  struct Row {
    let row: ReproductionTable.Row
    /// How it is trained.
    let config: TrainConfig
    /// How the papers would train it.
    let reference: TrainConfig

    /// The settings in which it differs from the papers, as `epochs 30 instead of 500`.
    func deviations() throws -> [String] {
      try ReproductionPlan.differences(
        config.resolvedYAML, from: reference.resolvedYAML,
        except: ["data.train", "data.test", "output", "checkpoint_every"])
    }

    /// The epochs that are done, all of them if the run has ended.
    var epochsDone: Int {
      if isFinished { return config.epochs }
      return (try? Checkpoint(contentsOf: RunFolder.lastCheckpoint(in: config.output)).position.epoch) ?? 0
    }

    /// Whether nothing is left to do.
    var isFinished: Bool {
      guard let run = try? RunFolder(opening: config.output),
        let manifest = try? Manifest(contentsOf: run.manifestFile), manifest.status == .finished,
        ReproductionPlan.isOfPresentData(manifest),
        let history = try? Checkpoint(contentsOf: run.lastCheckpoint).history
      else { return false }
      return history.count >= config.epochs && FileSystem.exists("\(run.path)/evaluation.json")
    }
  }

  let table: ReproductionTable
  let scale: ReproductionTable.Scale
  let folder: String
  let data: GenerateConfig
  /// The settings in which the data differ from the papers.
  let dataDeviations: [String]
  /// The rows to be done.
  let rows: [Row]
  /// The rows of the table that have run folders or are to be done.
  let known: [Row]

  /// The plan for some rows, by default those of the scale.
  ///
  /// - Parameters:
  ///   - overrides: `key=value` for all trainings, `generate.key=value` for the data.
  /// - Throws: `ConfigError` for rows that there are not and settings that do not fit, `InputError` without the
  ///   shipped configurations.
  init(
    _ table: ReproductionTable, scale: ReproductionTable.Scale, folder: String, rows names: [String],
    overrides: [String]
  ) throws {
    (self.table, self.scale, self.folder) = (table, scale, folder)
    let all = table.rows
    for name in names where !all.contains(where: { $0.name == name }) {
      let near = Spelling.nearest(to: name, among: all.map(\.name))
      throw ConfigError(
        .commandLine,
        "'\(table.rawValue)' has no row '\(name)' "
          + (near.map { "(did you mean '\($0)'?)" } ?? "(it has \(all.map(\.name).joined(separator: ", ")))"))
    }
    let prefix = "generate."
    let dataOverrides = overrides.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    let trainingOverrides = overrides.filter { !$0.hasPrefix(prefix) }
    for override in overrides {
      let key = override.prefix { $0 != "=" }
      if ["output", "generate.output", "data.train", "data.test", "data.stride"].contains(String(key)) {
        throw ConfigError(.commandLine, "'\(key)' is part of the table and cannot be changed")
      }
    }
    let dataFile = "\(folder)/data.h5"
    let dataConfig = try ShippedConfigs.shippedPath(of: table.dataConfig)
    data = try GenerateConfig(
      ConfigSection(
        contentsOf: dataConfig,
        overrides: table.dataSettings(scale) + dataOverrides + ["output=\(dataFile)"]))
    dataDeviations = try Self.differences(
      data.resolvedYAML, from: GenerateConfig(ConfigSection(contentsOf: dataConfig)).resolvedYAML,
      except: ["output"])
    let chosen = names.isEmpty ? table.chosenRows(scale) : names
    let stored = data.storedPoints
    let kind = data.gridKind
    func row(_ row: ReproductionTable.Row) throws -> Row? {
      guard stored >= row.points, let stride = kind.stride(from: stored, to: row.points) else { return nil }
      let path = try ShippedConfigs.shippedPath(of: row.config)
      let own =
        row.settings + [
          "data.train=\(dataFile)", "data.test=\(dataFile)", "data.stride=\(stride)",
          "output=\(folder)/\(row.name)",
        ]
      let reference = try TrainConfig(ConfigSection(contentsOf: path, overrides: own))
      let changes =
        table.trainingSettings(scale) + (scale == .small ? row.smallSettings : []) + trainingOverrides
      let settings = own + changes
      var config = try TrainConfig(ConfigSection(contentsOf: path, overrides: settings))
      if case .step(_, let epochs) = reference.schedule, case .step = config.schedule,
        config.epochs != reference.epochs,
        !changes.contains(where: { $0.hasPrefix("schedule.") || $0.hasPrefix("schedule=") })
      {
        // The rate falls as often as in the papers.
        let scaled = Double(epochs * config.epochs) / Double(reference.epochs)
        config = try TrainConfig(
          ConfigSection(
            contentsOf: path, overrides: settings + ["schedule.epochs=\(max(1, Int(scaled.rounded())))"]))
      }
      return Row(row: row, config: config, reference: reference)
    }
    rows = try all.filter { chosen.contains($0.name) }.map { definition in
      guard let row = try row(definition) else {
        throw ConfigError(
          .commandLine,
          "the row '\(definition.name)' needs every so manieth of the data's points to be \(definition.points) per "
            + "axis; 'generate.stored_grid' is \(stored)")
      }
      return row
    }
    known = try all.compactMap {
      chosen.contains($0.name) || FileSystem.exists("\(folder)/\($0.name)") ? try row($0) : nil
    }
  }

  /// Whether the data that a run was made with are still those that lie there.
  static func isOfPresentData(_ manifest: Manifest) -> Bool {
    manifest.data.allSatisfy { path, checksum in
      (try? openDataset(path).contentChecksum().map(Text.hexadecimal)) == checksum
    }
  }

  /// The settings of a configuration that differ from another's, as `epochs 30 instead of 500`.
  static func differences(_ text: String, from other: String, except ignored: Set<String>) throws -> [String]
  {
    try ConfigNode(parsing: text, path: "").differences(from: ConfigNode(parsing: other, path: ""))
      .filter { !ignored.contains($0.key) }
      .map { "\($0.key) \($0.now ?? "absent") instead of \($0.before ?? "absent")" }
  }

  /// What is to be done and about how long it takes, a line each, from a few steps and solves made for it.
  ///
  /// - Throws: `ConfigError` for rows that do not fit the data; `CancellationError` on request.
  func announcement() throws -> [String] {
    let source = try data.makeSource()
    var total = 0.0
    var lines = [
      "reproduce \(table.rawValue), scale \(scale.rawValue), into \(folder), with \(Parallelism.threadCount) threads:"
    ]
    var entries: [(String, String)] = []
    if FileSystem.exists(data.output) {
      entries.append(("data", "done"))
    } else {
      // The first prepares what the others use too.
      _ = try source.sample(0)
      let start = ContinuousClock.now
      let count = min(2, data.samples)
      for index in 0..<count { _ = try source.sample(index) }
      let solve = Progress.seconds(ContinuousClock.now - start) / Double(count)
      let seconds = solve * Double(data.samples) / Double(Parallelism.threadCount)
      total += seconds
      entries.append(("data", "\(data.samples) samples, about \(Progress.clock(seconds))"))
    }
    for row in rows {
      try Interruption.check()
      let epochs = row.config.epochs
      let left = max(0, epochs - row.epochsDone)
      guard left > 0 else {
        entries.append((row.row.name, row.isFinished ? "done" : "\(epochs) epochs are done, to be evaluated"))
        continue
      }
      let seconds = try Double(left) * secondsPerEpoch(row.config, source.description)
      total += seconds
      let done = left < epochs ? ", \(epochs - left) of them done" : ""
      entries.append(
        (
          row.row.name,
          "\(row.row.model): \(epochs) epochs of \(row.config.data.trainSamples) samples\(done), about "
            + Progress.clock(seconds)
        ))
    }
    lines += Text.table(entries).split(separator: "\n").map { "  \($0)" }
    lines.append("about \(Progress.clock(total)) in all; interrupted, the same command goes on where it was")
    return lines
  }

  /// The seconds of an epoch with its test, from the second of two steps on random numbers.
  private func secondsPerEpoch(_ config: TrainConfig, _ description: DatasetDescription) throws -> Double {
    let mapping = try FieldMapping(config, description, path: config.data.train)
    let grid = Shape(description.axes.map { $0.strided(by: config.data.stride).count })
    let model = try config.modelConfiguration(mapping, grid: grid)
    var random = Philox(seed: 0, stream: .inputs, sample: 0)
    var fields: [Tensor<Float>] = []
    for channels in [mapping.inputs.count, mapping.targets.count] {
      fields.append(Tensor(converting: random.normal(shape: [config.batchSize, channels] + grid)))
    }
    var configuration = try config.trainingConfiguration(description.axes)
    (configuration.epochs, configuration.earlyStoppingPatience) = (2, nil)
    let trainer = Trainer(model, configuration: configuration)
    // Random numbers are nothing to learn; that the loss may grow is of no interest here.
    do { try trainer.fit(TrainingData(inputs: fields[0], targets: fields[1])) } catch is TrainingError {}
    let step = trainer.history.map(\.seconds).min() ?? 0
    let batches = Double(config.data.trainSamples + config.data.testSamples / 3) / Double(config.batchSize)
    return step * batches
  }
}
