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
    let configuration: ModelConfiguration
    switch model.kind {
    case .fno:
      let padding = try perAxis(model.padding, "model.padding", axes: axes)
      try checkModes(modes, points: zip(grid, padding).map(+))
      configuration = .fno(
        FNO.Configuration(
          dimensions: axes, inputChannels: inputChannels, outputChannels: outputChannels,
          width: model.width, modes: modes, layers: model.layers, projectionWidth: model.projectionWidth,
          activation: model.activation.function, normalization: model.normalization, padding: padding,
          coordinates: model.coordinates))
    case .cnn, .resnet, .unet, .xd:
      let network = CNN.Configuration(
        dimensions: axes, inputChannels: inputChannels, outputChannels: outputChannels,
        width: model.width, kernel: modes.map { $0 + 1 }, layers: model.layers,
        projectionWidth: model.projectionWidth, activation: model.activation.function,
        normalization: model.normalization, paddingMode: model.paddingMode, coordinates: model.coordinates)
      let backbone: ModelConfiguration =
        switch model.backbone {
        case .cnn: .cnn(network)
        case .resnet: .resNet(network)
        case .unet: .uNet(network)
        }
      let xd = XDModel.Configuration(
        backbone: backbone, grid: grid, conversion: model.conversion, convolutions: model.convolutions)
      if model.kind == .xd, backbone.problem(grid: grid) == nil, let problem = xd.problem {
        throw mistake("model.convolutions", "does not fit the model: \(problem)")
      }
      configuration = model.kind == .xd ? .xd(xd) : backbone
    }
    if let problem = configuration.problem(grid: grid) {
      throw mistake("model.kind", "does not fit the data: \(problem)")
    }
    return configuration
  }

  /// Checks that the points of every axis hold the modes.
  private func checkModes(_ modes: [Int], points: [Int]) throws {
    for axis in modes.indices {
      // The last axis keeps one sign of the frequency, the others both.
      let largest = axis == modes.count - 1 ? points[axis] / 2 + 1 : points[axis] / 2
      guard modes[axis] <= largest else {
        throw mistake(
          "model.modes",
          "is \(modes[axis]) along axis \(axis); the \(points[axis]) points there hold between 1 and "
            + "\(largest)")
      }
    }
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
      epochs: epochs, batchSize: batchSize, optimizer: optimizer.configuration,
      architectureOptimizer: architectureOptimizer?.configuration, schedule: schedule,
      lossReduction: lossReduction, clippingNorm: gradientClipping, microBatchSize: microBatchSize,
      averagingDecay: averagingDecay, earlyStoppingPatience: earlyStopping, seed: UInt64(seed))
  }
}

extension TrainConfig.Optimizer {
  /// The settings of the optimizer.
  fileprivate var configuration: OptimizerConfiguration {
    let method: OptimizerConfiguration.Method =
      switch kind {
      case .adam: .adam()
      case .adamw: .adamW()
      case .sgd: .sgd(momentum: momentum)
      }
    return OptimizerConfiguration(
      method, learningRate: learningRate, weightDecay: weightDecay, warmUpEpochs: warmUpEpochs)
  }
}

extension TrainConfig {
  /// The trained model of a checkpoint, for data of some channels on a grid.
  ///
  /// - Throws: `ConfigError` if the grid does not hold the model's modes; `TrainingError.invalidCheckpoint` if
  ///   the checkpoint is of another model than the configuration's, `TrainingError.invalidData` if the model is
  ///   for another grid; `HDF5Error`.
  func surrogate(_ checkpoint: Checkpoint, mapping: FieldMapping, grid: [Int]) throws -> LearnedOperator {
    // The configuration does not say on which grid a model was trained that is for one grid only.
    var trainingGrid = grid
    if case .xd(let configuration) = checkpoint.model { trainingGrid = configuration.grid }
    let model = try modelConfiguration(
      inputChannels: mapping.inputs.count, outputChannels: mapping.targets.count, grid: trainingGrid)
    guard checkpoint.model == model else {
      throw TrainingError.invalidCheckpoint(
        path: checkpoint.path, reason: "is a checkpoint of another model than the run's config.yaml describes"
      )
    }
    if let problem = model.problem(grid: grid) { throw TrainingError.invalidData(problem) }
    return try LearnedOperator(checkpoint)
  }
}
