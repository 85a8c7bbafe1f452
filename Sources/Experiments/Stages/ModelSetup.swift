import Autodiff
import Datasets
import NeuralOperators
import Training

extension TrainConfig {
  /// The model for data of some channels on a grid.
  ///
  /// - Throws: `ConfigError` that names the key and its range if there is no such model.
  func modelConfiguration(inputChannels: Int, outputChannels: Int, grid: [Int]) throws -> ModelConfiguration {
    let axes = grid.count
    let modes = try perAxis(model.modes, "model.modes", axes: axes)
    let padding = try perAxis(model.padding, "model.padding", axes: axes)
    for axis in 0..<axes {
      let points = grid[axis] + padding[axis]
      // The last axis keeps one sign of the frequency, the others both.
      let largest = axis == axes - 1 ? points / 2 + 1 : points / 2
      guard modes[axis] <= largest else {
        throw mistake(
          "model.modes",
          "is \(modes[axis]) along axis \(axis); the \(points) points there hold between 1 and \(largest)")
      }
    }
    let configuration = ModelConfiguration.fno(
      FNO.Configuration(
        dimensions: axes, inputChannels: inputChannels, outputChannels: outputChannels, width: model.width,
        modes: modes, layers: model.layers, projectionWidth: model.projectionWidth,
        activation: model.activation.function, normalization: model.normalization, padding: padding,
        coordinates: model.coordinates))
    if let problem = configuration.problem(grid: grid) {
      throw mistake("model", "does not fit the data: \(problem)")
    }
    return configuration
  }

  /// One number per axis, from a list of that length or of one number for all.
  private func perAxis(_ values: [Int], _ key: String, axes: Int) throws -> [Int] {
    if values.count == axes { return values }
    guard values.count == 1 else {
      throw mistake(key, "has \(values.count) numbers; the data have \(axes) axes, so give 1 or \(axes)")
    }
    return Array(repeating: values[0], count: axes)
  }

  /// The settings of the trainer, for data on the given axes.
  ///
  /// - Throws: `ConfigError` if the loss needs more than the file says about its axes.
  func trainingConfiguration(_ axes: [DatasetDescription.Axis]) throws -> TrainingConfiguration {
    TrainingConfiguration(
      epochs: epochs, batchSize: batchSize,
      optimizer: Adam.Configuration(
        learningRate: optimizer.learningRate, weightDecay: optimizer.weightDecay),
      schedule: schedule, loss: loss,
      lossAxes: loss == .relativeH1 ? try differenceAxes(axes) : [], lossReduction: lossReduction,
      seed: UInt64(seed))
  }

  /// The spacing of the points that the model sees.
  private func differenceAxes(_ axes: [DatasetDescription.Axis]) throws -> [DifferenceAxis] {
    try axes.map { axis in
      guard let points = axis.coordinates, points.count > 1, let isPeriodic = axis.isPeriodic else {
        throw mistake(
          "loss.kind",
          "is h1, which needs coordinates and boundaries; the data do not state those of axis "
            + "\(axis.name)")
      }
      return DifferenceAxis(spacing: (points[1] - points[0]) * Double(data.stride), isPeriodic: isPeriodic)
    }
  }
}

extension TrainConfig {
  /// The trained model of a checkpoint, for data of some channels on a grid.
  ///
  /// - Throws: `ConfigError` if the grid does not hold the model's modes; `TrainingError.invalidCheckpoint` if
  ///   the checkpoint is of another model than the configuration's; `HDF5Error`.
  func surrogate(_ checkpoint: Checkpoint, mapping: FieldMapping, grid: [Int]) throws -> LearnedOperator {
    let model = try modelConfiguration(
      inputChannels: mapping.inputs.count, outputChannels: mapping.targets.count, grid: grid)
    guard checkpoint.model == model else {
      throw TrainingError.invalidCheckpoint(
        path: checkpoint.path, reason: "is a checkpoint of another model than the run's config.yaml describes"
      )
    }
    return try LearnedOperator(checkpoint)
  }
}
