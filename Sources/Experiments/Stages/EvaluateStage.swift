import Datasets
import Foundation

/// Measures a surrogate on a test set.
public enum EvaluateStage {
  /// Evaluates the last checkpoint of a run, or its best one: if asked for, or chosen by validation samples.
  ///
  /// On the run's own test set the evaluation in the folder is written anew.
  /// - Parameters:
  ///   - other: another run to compare with, on the test samples that both have.
  ///   - data: another dataset file, all of whose samples are used.
  ///   - grid: the points per axis to evaluate on, by striding; by default those of the training, where the
  ///     file has the training's grid, and all of them where not.
  /// - Throws: `InputError`, `ConfigError`, `HDF5Error`, `DatasetError`, `TrainingError`, `OutputError`.
  public static func run(
    _ path: String, against other: String? = nil, data: String?, grid: Int?, usesBest: Bool,
    _ console: Console
  ) throws {
    let run = try RunFolder(opening: path)
    let config = try run.trainConfig()
    if let other {
      let comparison = try RunComparison(run, config, against: RunFolder(opening: other), console)
      return try console.result(comparison, text: comparison.text)
    }
    let file = try openDataset(data ?? config.data.test)
    let samples =
      data == nil
      ? max(0, file.sampleCount - config.data.testSamples)..<file.sampleCount : 0..<file.sampleCount
    let stride = try stride(of: file, config, grid: grid, isOwnData: data == nil)
    let evaluation = try Evaluation.make(
      run, config, file: file, samples: samples, stride: stride,
      checkpoint: usesBest ? run.bestCheckpoint : config.finalCheckpoint(of: run), console)
    if data == nil && grid == nil && !usesBest { try evaluation.write(to: run) }
    try console.result(evaluation.numbers, text: evaluation.numbers.text)
  }

  private static func stride(
    of file: any ReadableDataset, _ config: TrainConfig, grid: Int?, isOwnData: Bool
  ) throws -> Int {
    let axis = file.description.axes[0]
    let points = axis.count
    if let grid {
      // Of an axis that may be periodic or bounded, the one is taken that fits.
      let isPeriodic = axis.isPeriodic ?? (grid >= 1 && points.isMultiple(of: grid))
      let (all, kept) = isPeriodic ? (points, grid) : (points - 1, grid - 1)
      guard kept >= 1, all.isMultiple(of: kept) else {
        throw DatasetError.invalidSelection(
          path: file.path, reason: "its \(points) points per axis cannot be strided to \(grid)")
      }
      return all / kept
    }
    if isOwnData { return config.data.stride }
    let training = try? openDataset(config.data.train)
    return training?.description.grid == file.description.grid ? config.data.stride : 1
  }
}
