import Archives
import Datasets
import Foundation
import NeuralOperators
import Tensors
import Training

/// Writes the weights of a surrogate for other programs.
public enum ExportStage {
  /// What an export wrote.
  struct Summary: Encodable {
    let output: String
    let layout: WeightLayout
    let arrays: Int
    let parameters: Int
    let bytes: Int
  }

  /// Writes a safetensors file.
  ///
  /// - Parameters:
  ///   - layout: by default `fno2020`, or `neuralop` or `plain` for a model that only that has names for.
  ///   - output: by default `weights-LAYOUT.safetensors` in the run folder.
  /// - Throws: `InputError`, `ConfigError`, `HDF5Error`, `DatasetError`, `TrainingError`, `WeightLayoutError`,
  ///   `OutputError`, `FileError`.
  public static func run(
    _ path: String, layout: WeightLayout?, output: String?, usesBest: Bool, overwrite: Bool,
    _ console: Console
  ) throws {
    let run = try RunFolder(opening: path)
    let config = try run.trainConfig()
    let checkpoint = try Checkpoint(
      contentsOf: usesBest ? run.bestCheckpoint : config.finalCheckpoint(of: run))
    let model = config.model
    let isBlock =
      model.mixingWidth > 0 || model.liftingWidth > 0 || model.skip ?? .linear != .linear
      || model.activatesTwice == true
    let layout =
      layout ?? (isBlock ? .neuralop : [.resnet, .unet].contains(model.backbone) ? .plain : .fno2020)
    let output = output ?? "\(run.path)/weights-\(layout.rawValue).safetensors"
    try FileSystem.requireCreatable(output, overwrite: overwrite)
    var grid: Shape = []
    if layout == .neuralop && config.model.coordinates == .inclusive {
      let file = try openDataset(config.data.train)
      let mapping = try FieldMapping(config, file.description, path: file.path)
      grid = try mapping.grid(of: file, stride: config.data.stride)
    }
    let file = try WeightFile.make(
      checkpoint, layout: layout, grid: grid, run: config.resolvedYAML, software: Version.line)
    try file.write(to: output)
    if !grid.isEmpty {
      let leading = config.model.time == .spaceTime ? grid : grid.dropLast()
      if leading.contains(where: { !$0.isMultiple(of: 2) }) {
        console.warning(
          "neuraloperator 2.0 shifts spectra by one mode along an axis with an odd number of points that is not the "
            + "last: on \(Text.shape(grid)) points its predictions differ")
      }
      console.note(
        "note: neuraloperator's coordinates exclude the end point, this model's include it: the file agrees with the "
          + "model on its own grid, \(Text.shape(grid))")
    }
    let summary = Summary(
      output: output, layout: layout, arrays: file.entries.count,
      parameters: try checkpoint.makeModel().parameterCount,
      bytes: file.entries.reduce(0) { $0 + $1.values.count * 4 })
    try console.result(
      summary,
      text:
        "\(output): \(summary.arrays) arrays in the layout \(layout.rawValue), \(summary.parameters) parameters"
    )
  }
}
