import Datasets
import Foundation
import HDF5
import Tensors
import Training

/// The errors of a surrogate on a test set: the content of `evaluation.json`.
struct Evaluation: Encodable {
  /// The dataset file.
  let data: String
  /// Its checksum.
  let dataChecksum: String?
  /// The checkpoint.
  let checkpoint: String
  /// The epochs after which it was written.
  let epochs: Int
  /// The number of samples.
  let samples: Int
  /// The points per axis.
  let grid: Shape
  /// The relative L2 errors of the samples, summarised.
  let relativeL2: MetricSummary
  /// Those of the model's derivatives along the directions in the file, if it has any.
  let tangentRelativeL2: MetricSummary?
  /// The relative L2 error of every sample, in the order of the file.
  let sampleRelativeL2: [Double]
  /// The mean squared errors of the samples over the vertices of the grid (and the channels), summarised.
  let meanSquaredError: MetricSummary
  /// The roots of the mean squared errors of the samples, summarised.
  let rootMeanSquareError: MetricSummary
  /// The largest errors of the samples, summarised.
  let largestError: MetricSummary
  /// The errors divided by the targets' standard deviations, summarised: VRMSE of The Well.
  let varianceScaledError: MetricSummary
  /// The six measures of PDEBench.
  let pdebench: PDEBenchMetrics.Result
  /// The errors by wave number, in bands whose limits double.
  let spectrum: [SpectralError.Band]
  /// The errors of every target channel: a field, or a field at one time.
  let channels: [ChannelError]
  /// For how long predicted frames resemble the true ones; nil for a single frame.
  let validTime: ValidTime?
  /// The seconds that one prediction takes, in the batches of the evaluation.
  let secondsPerSample: Double
  /// The seconds that the solver took for one sample when the data were made, on one thread.
  let solverSecondsPerSample: Double?

  /// How long after the last input frame predictions are good: until the correlation of prediction and target falls
  /// below a threshold, in units of the data's time, or in frames where that is not stated.
  struct ValidTime: Encodable {
    /// The least correlation that counts as good.
    let correlation: Double
    /// The times of the samples, summarised; those that stay good count with the last frame.
    let time: MetricSummary
    /// The shortest of them.
    let minimum: Double
    /// How many samples stay good to the last frame.
    let samplesToTheEnd: Int
    /// The time of the last frame.
    let longest: Double
  }

  /// The errors of one target channel, means over the samples.
  struct ChannelError: Encodable {
    /// Its name, as `vorticity at t = 10`.
    let name: String
    /// The mean relative L2 error of this channel alone.
    let relativeL2: Double
    /// The mean correlation of prediction and target.
    let correlation: Double
  }

  /// An evaluation with the fields of a few samples.
  struct WithFields {
    let numbers: Evaluation
    let fields: Fields

    /// Writes `evaluation.json` and `evaluation.h5`.
    ///
    /// - Throws: `OutputError`, `HDF5Error`.
    func write(to run: RunFolder) throws {
      try TextFile.write(Console.json(numbers) + "\n", to: "\(run.path)/evaluation.json")
      try fields.write(to: "\(run.path)/evaluation.h5")
    }
  }

  /// The fields of a few samples: best, quartiles, worst.
  struct Fields {
    let inputs: Tensor<Float>
    let targets: Tensor<Float>
    let predictions: Tensor<Float>
    let samples: [Int]
    let errors: [Double]
    let mapping: FieldMapping
    let axes: [DatasetDescription.Axis]
    let equation: String

    func write(to path: String) throws {
      try HDF5File.write(to: path, overwriting: true) { file in
        for (name, fields) in [("input", inputs), ("target", targets), ("prediction", predictions)] {
          try file.root.createDataset(name, fields.scalars, shape: Array(fields.shape))
        }
        try file.root.createDataset("sample", samples)
        try file.root.createDataset("relative_l2", errors)
        for axis in axes {
          guard let coordinates = axis.coordinates else { continue }
          try file.root.createDataset("dimensions/\(axis.name)", coordinates)
        }
        let attributes = file.root.attributes
        try attributes.set("input_names", mapping.inputs.map(\.name))
        try attributes.set("target_names", mapping.targets.map(\.name))
        try attributes.set("equation", equation)
      }
    }
  }

  /// Applies the model of a checkpoint to samples of a dataset.
  ///
  /// - Throws: `TrainingError`, `HDF5Error`, `DatasetError`; `CancellationError` on request.
  static func make(
    _ run: RunFolder, _ config: TrainConfig, file: any ReadableDataset, samples: Range<Int>, stride: Int,
    checkpoint path: String, _ console: Console
  ) throws -> WithFields {
    let checkpoint = try Checkpoint(contentsOf: path)
    let mapping = try FieldMapping(config, file.description, path: file.path)
    let surrogate = try config.surrogate(
      checkpoint, mapping: mapping, grid: try mapping.grid(of: file, stride: stride))
    let progress = Progress(console, label: "evaluating", unit: "samples", total: samples.count)
    defer { progress.finish() }
    var errors: [Double] = []
    var tangentErrors: [Double] = []
    var squares: [Double] = []
    var largest: [Double] = []
    var scaled: [Double] = []
    var pdebench = PDEBenchMetrics()
    var spectrum = SpectralError()
    var channels = mapping.targets.map { (name: $0.name, error: 0.0, correlation: 0.0) }
    var seconds = 0.0
    var grid: Shape = []
    let horizon = ValidTimeMeasure(mapping)
    var validTimes: [Double] = []
    func predict(_ range: Range<Int>) throws -> (
      input: Tensor<Float>, target: Tensor<Float>, prediction: Tensor<Float>
    ) {
      let input = try FieldMapping.read(mapping.inputs, of: file, samples: range, stride: stride)
      let target = try FieldMapping.read(mapping.targets, of: file, samples: range, stride: stride)
      let start = ContinuousClock.now
      let prediction = Tensor<Float>(converting: try surrogate(Tensor<Double>(converting: input)))
      seconds += Progress.seconds(ContinuousClock.now - start)
      return (input, target, prediction)
    }
    // In parts, so that memory does not grow with the number of samples.
    for first in Swift.stride(from: samples.lowerBound, to: samples.upperBound, by: 32) {
      let range = first..<min(samples.upperBound, first + 32)
      let (input, target, prediction) = try predict(range)
      grid = target.shape.dropFirst(2)
      errors += Metrics.relativeL2(prediction, target)
      for direction in 0..<file.description.tangentCount {
        let pairs = try mapping.readTangents(
          of: file, direction: direction + 1, samples: range, stride: stride)
        let products = try surrogate.derivatives(
          Tensor(converting: input), along: Tensor(converting: pairs.directions))
        tangentErrors += Metrics.relativeL2(Tensor<Float>(converting: products), pairs.products)
      }
      squares += Metrics.meanSquaredError(prediction, target)
      largest += Metrics.largestError(prediction, target)
      pdebench.add(prediction, target)
      spectrum.add(prediction, target)
      let (left, right) = (Tensor<Double>(converting: prediction), Tensor<Double>(converting: target))
      scaled += Metrics.varianceScaledError(left, right)
      let correlations = Metrics.correlation(left, right)
      if let horizon { validTimes += correlations.map(horizon.validTime) }
      // Samples and channels as samples of one channel, so that each channel has an error of its own.
      let apart: Shape = [range.count * channels.count, 1] + grid
      let errorsApart = Metrics.relativeL2(left.reshaped(to: apart), right.reshaped(to: apart))
      for (index, error) in errorsApart.enumerated() {
        let (sample, channel) = index.quotientAndRemainder(dividingBy: channels.count)
        channels[channel].error += error / Double(samples.count)
        channels[channel].correlation += correlations[sample][channel] / Double(samples.count)
      }
      try progress.update(range.upperBound - samples.lowerBound)
    }
    let numbers = Evaluation(
      data: file.path, dataChecksum: try file.contentChecksum().map(Text.hexadecimal), checkpoint: path,
      epochs: checkpoint.position.epoch, samples: samples.count, grid: grid,
      relativeL2: MetricSummary(errors),
      tangentRelativeL2: tangentErrors.isEmpty ? nil : MetricSummary(tangentErrors),
      sampleRelativeL2: errors, meanSquaredError: MetricSummary(squares),
      rootMeanSquareError: MetricSummary(squares.map { $0.squareRoot() }),
      largestError: MetricSummary(largest), varianceScaledError: MetricSummary(scaled),
      pdebench: pdebench.result, spectrum: spectrum.bands,
      channels: channels.map {
        ChannelError(name: $0.name, relativeL2: $0.error, correlation: $0.correlation)
      }, validTime: horizon.map { $0.summary(validTimes) }, secondsPerSample: seconds / Double(samples.count),
      solverSecondsPerSample: try file.solveSeconds().map { $0.reduce(0, +) / Double(max(1, $0.count)) })
    let ranked = errors.indices.sorted { errors[$0] < errors[$1] }
    let last = ranked.count - 1
    var chosen: [Int] = []
    for rank in [0, last / 4, last / 2, last * 3 / 4, last] where !chosen.contains(ranked[rank]) {
      chosen.append(ranked[rank])
    }
    let shown = try chosen.map { try predict(samples.lowerBound + $0..<samples.lowerBound + $0 + 1) }
    func stacked(_ fields: [Tensor<Float>]) -> Tensor<Float> {
      let stack = Tensor.stacking(fields)
      return stack.reshaped(to: [stack.shape[0]] + stack.shape.dropFirst(2))
    }
    let axes = file.description.axes.map { $0.strided(by: stride) }
    return WithFields(
      numbers: numbers,
      fields: Fields(
        inputs: stacked(shown.map(\.input)), targets: stacked(shown.map(\.target)),
        predictions: stacked(shown.map(\.prediction)), samples: chosen.map { samples.lowerBound + $0 },
        errors: chosen.map { errors[$0] }, mapping: mapping, axes: axes, equation: file.description.equation))
  }

  /// The numbers as a table.
  var text: String {
    func line(_ summary: MetricSummary) -> String {
      "mean \(Text.number(summary.mean)), median \(Text.number(summary.median)), maximum "
        + Text.number(summary.maximum)
    }
    var rows = [
      ("data", "\(data), \(samples) samples on \(grid.map(String.init).joined(separator: " x ")) points"),
      ("checkpoint", "\(checkpoint), after \(epochs) epochs"),
      ("relative L2 error", line(relativeL2)), ("mean squared error", line(meanSquaredError)),
      ("root mean square error", line(rootMeanSquareError)),
      ("largest error", line(largestError)),
      ("VRMSE", line(varianceScaledError)),
    ]
    if let tangentRelativeL2 { rows.append(("error of derivatives", line(tangentRelativeL2))) }
    if let validTime {
      rows.append(
        (
          "valid time",
          "mean \(Text.number(validTime.time.mean)) of \(Text.number(validTime.longest)), minimum "
            + "\(Text.number(validTime.minimum)): correlation at least \(Text.number(validTime.correlation))"
        ))
    }
    rows += [
      ("seconds per sample", Text.number(secondsPerSample)),
      ("solver, one thread", solverSecondsPerSample.map { Text.number($0) } ?? "not stated"),
    ]
    return Text.table(rows)
  }
}
