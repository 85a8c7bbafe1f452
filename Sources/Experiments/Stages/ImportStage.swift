import Archives
import Datasets
import Foundation
import NeuralOperators
import Training

/// Makes a run folder of the weights that another program trained, or that `export` wrote.
public enum ImportStage {
  /// What an import made.
  struct Summary: Encodable {
    let run: String
    let layout: WeightLayout
    let parameters: Int
  }

  /// Makes the run folder.
  ///
  /// - Parameters:
  ///   - configuration: the training configuration that the weights belong to; not needed for what `export` wrote.
  /// - Throws: `ConfigError`, `ArchiveError`, `DatasetError`, `TrainingError`, `WeightLayoutError`,
  ///   `OutputError`.
  public static func run(
    _ path: String, layout: WeightLayout, output: String, configuration: String?, overrides: [String],
    overwrite: Bool, _ console: Console
  ) throws {
    let file = try Safetensors(contentsOf: path)
    let policy: RunFolder.Policy = overwrite ? .overwrite : .create
    let config: TrainConfig
    let trainer: Trainer
    if let configuration {
      let section = try ConfigSection(
        contentsOf: ShippedConfigs.path(of: configuration), overrides: overrides + ["output=\(output)"])
      config = try TrainConfig(section)
      let data = try RunData(config)
      guard config.data.inputScaling == .none, config.data.targetScaling == .none else {
        throw config.mistake(
          "data.normalization", "is of the training data, which the weights do not come with; state none")
      }
      trainer = Trainer(
        try config.modelConfiguration(data.mapping, grid: data.grid),
        configuration: try config.trainingConfiguration(data.trainFile.description.axes))
    } else {
      guard let origin = try WeightFile.Origin(file, path: path, layout: layout) else {
        throw ConfigError(
          .commandLine,
          "\(path) does not say what model it is of; name its training configuration with --config")
      }
      // The layout may ask for other coordinates than the run had.
      let coordinates = origin.model.fourierNeuralOperator.map {
        ["model.coordinates=\($0.configuration.coordinates.rawValue)"]
      }
      config = try TrainConfig(
        ConfigSection(
          parsing: origin.run, path: "\(path) (its configuration)",
          overrides: overrides + (coordinates ?? []) + ["output=\(output)"]))
      trainer = Trainer(
        origin.model, configuration: origin.training, inputScaling: origin.inputScaling,
        outputScaling: origin.outputScaling)
    }
    try WeightFile.load(file, path: path, layout: layout, into: trainer.model)
    let run = try RunFolder(
      preparing: output, policy: policy, verb: "train", configuration: config.resolvedYAML)
    defer { run.unlock() }
    var session = try RunSession(
      run, isContinuation: false, seeds: ["seed": config.seed], data: [:],
      parameterCount: trainer.model.parameterCount)
    try session.perform {
      var checkpoint = trainer.checkpoint
      // Averages, where the training has them, begin as the weights.
      if !checkpoint.averages.isEmpty { checkpoint.averages = checkpoint.weights }
      for path in [run.lastCheckpoint, run.bestCheckpoint] { try checkpoint.write(to: path) }
      try run.record("imported", ["weights": .text(path), "layout": .text(layout.rawValue)])
    }
    let summary = Summary(run: run.path, layout: layout, parameters: trainer.model.parameterCount)
    try console.result(summary, text: "\(run.path): \(summary.parameters) parameters from \(path)")
  }
}
