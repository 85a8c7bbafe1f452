import Datasets
import Foundation
import Tensors
import Training

/// Applies a surrogate to the inputs of a dataset.
public enum PredictStage {
  /// What a prediction did.
  struct Summary: Encodable {
    let output: String
    let samples: Int
    let seconds: Double
  }

  /// Writes a dataset with the inputs as they are and the predicted fields.
  ///
  /// - Throws: `InputError`, `ConfigError`, `HDF5Error`, `DatasetError`, `TrainingError`, `OutputError`;
  ///   `CancellationError` on request.
  public static func run(
    _ path: String, input: String, output: String, overwrite: Bool, usesBest: Bool, _ console: Console
  ) throws {
    let run = try RunFolder(opening: path)
    let config = try run.trainConfig()
    let file = try openDataset(input)
    let checkpoint = usesBest ? run.bestCheckpoint : config.finalCheckpoint(of: run)
    let source = try Predictions(config, file, Checkpoint(contentsOf: checkpoint))
    try FileSystem.requireCreatable(output, overwrite: overwrite)
    let provenance = DatasetProvenance(
      config: config.resolvedYAML, solver: "surrogate \(checkpoint) applied to \(input)",
      seed: file.provenance?.seed ?? 0, software: Version.line)
    let progress = Progress(console, label: "predicting", unit: "samples", total: file.sampleCount)
    defer { progress.finish() }
    let done = try generateDataset(
      from: source, samples: 0..<file.sampleCount, to: output,
      options: GenerationOptions(
        provenance: provenance, precision: .single, existing: overwrite ? .replaced : .refused)
    ) { state in
      try progress.update(state.completed)
    }
    progress.finish()
    try console.result(
      Summary(output: output, samples: done.total, seconds: done.seconds),
      text: "\(output): \(done.total) predicted samples, \(Progress.clock(done.seconds))")
  }
}

/// The inputs of a dataset with the outputs that a surrogate predicts for them.
private struct Predictions: SampleSource {
  let description: DatasetDescription
  private let file: any ReadableDataset
  private let mapping: FieldMapping
  private let surrogate: LearnedOperator
  private let stride: Int

  init(_ config: TrainConfig, _ file: any ReadableDataset, _ checkpoint: Checkpoint) throws {
    self.file = file
    stride = config.data.stride
    let mapping = try FieldMapping(config, file.description, path: file.path)
    self.mapping = mapping
    surrogate = try config.surrogate(
      checkpoint, mapping: mapping, grid: try mapping.grid(of: file, stride: stride))
    let frames = Set((mapping.inputs + mapping.targets).compactMap(\.frame)).sorted()
    let (whole, every) = (file.description, config.data.stride)
    description = DatasetDescription(
      name: whole.name, title: whole.title + ", predicted by a surrogate", equation: whole.equation,
      axes: whole.axes.map { $0.strided(by: every) },
      times: whole.times.map { times in frames.map { times[$0] } },
      frameCount: frames.count,
      fields: whole.fields.filter { field in
        (mapping.inputs + mapping.targets).contains { $0.field == field.name }
      },
      boundaryConditions: whole.boundaryConditions, parameters: whole.parameters)
    if let problem = surrogate.problem(grid: Shape(description.grid)) {
      throw TrainingError.invalidData("\(file.path): \(problem)")
    }
  }

  func sample(_ index: Int) throws -> [Tensor<Double>] {
    let input = Tensor<Double>(
      converting: try FieldMapping.read(mapping.inputs, of: file, samples: index..<index + 1, stride: stride))
    let output = try surrogate(input)
    let grid = Shape(description.grid)
    let points = grid.elementCount
    // Channels in the order of the description: by field, and in a field by time.
    var channels: [(channel: FieldMapping.Channel, values: Tensor<Double>)] = []
    for (mapped, tensor) in [(mapping.inputs, input), (mapping.targets, output)] {
      for (position, channel) in mapped.enumerated() {
        let flat = tensor.reshaped(to: [mapped.count, points])
        channels.append((channel, flat[first: position..<position + 1]))
      }
    }
    return description.fields.map { field in
      // A predicted frame replaces an input frame of the same time.
      var frames: [Int: Tensor<Double>] = [:]
      for (channel, values) in channels where channel.field == field.name {
        frames[channel.frame ?? 0] = values
      }
      let ordered = frames.sorted { $0.key < $1.key }.map(\.value)
      let stack = Tensor.stacking(ordered)
      return stack.reshaped(to: field.isTimeVarying ? [ordered.count] + grid : grid)
    }
  }
}
