import Autodiff
import Datasets
import NeuralOperators
import Tensors
import Training

extension TrainConfig {
  /// The model from some channels of a dataset to others, on a grid.
  ///
  /// - Throws: `ConfigError` that names the key and its range if there is no such model.
  func modelConfiguration(_ mapping: FieldMapping, grid: Shape) throws -> ModelConfiguration {
    let (inputs, targets) = (mapping.inputs.count, mapping.targets.count)
    if model.time == .channels { return try modelConfiguration(inputs, targets, grid: grid) }
    let fields = Set(mapping.targets.map(\.field)).count
    let frames = targets / fields
    try requireEvenTimes(mapping, fields: fields)
    if model.time == .recurrent {
      let step = try modelConfiguration(inputs, fields, grid: grid)
      return .recurrent(RecurrentModel.Configuration(step: step, fields: fields, frames: frames))
    }
    let model = try modelConfiguration(inputs, fields, grid: grid + [frames])
    return .spaceTime(SpaceTimeModel.Configuration(model: model, frames: frames))
  }

  /// Checks that time goes on evenly: over the predicted frames, and for a recurrent model from the input on.
  private func requireEvenTimes(_ mapping: FieldMapping, fields: Int) throws {
    let key = "model.time"
    let inputs = mapping.inputs.prefix(mapping.inputs.count / fields)
    let targets = mapping.targets.prefix(mapping.targets.count / fields)
    guard (inputs + targets).allSatisfy({ $0.frame != nil }) else {
      throw mistake(key, "is \(model.time.rawValue), but the fields of \(data.train) do not vary in time")
    }
    let isRecurrent = model.time == .recurrent
    let frames = (isRecurrent ? inputs + targets : targets)
    let places = frames.compactMap(\.frame).map(Double.init)
    let times = frames.compactMap(\.time)
    for values in [places, times] where values.count > 1 {
      let step = values[1] - values[0]
      guard step > 0, zip(values, values.dropFirst()).allSatisfy({ abs($1 - $0 - step) < 1e-6 * step }) else {
        throw mistake(
          key,
          "is \(model.time.rawValue), which needs \(isRecurrent ? "input and target" : "target") frames that follow "
            + "each other in equal steps, not \(places.map { Text.number($0) }.joined(separator: ", "))")
      }
    }
    guard isRecurrent else { return }
    for (name, scaling) in [("input", data.inputScaling), ("target", data.targetScaling)]
    where scaling != .none {
      throw mistake(
        "data.normalization.\(name)",
        "is \(scaling.rawValue); predicted frames become input as they are, so it must be none where model.time is "
          + "recurrent")
    }
  }

  /// The model of a number of channels to another on a grid.
  private func modelConfiguration(
    _ inputChannels: Int, _ outputChannels: Int, grid: Shape
  ) throws -> ModelConfiguration {
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
          coordinates: model.coordinates, liftingWidth: model.liftingWidth > 0 ? model.liftingWidth : nil,
          mixingWidth: model.mixingWidth > 0 ? model.mixingWidth : nil, skip: model.skip,
          mixingSkip: model.mixingSkip, activatesTwice: model.activatesTwice))
    case .cnn, .resnet, .unet, .xd:
      let network = CNN.Configuration(
        dimensions: axes, inputChannels: inputChannels, outputChannels: outputChannels,
        width: model.width, kernel: modes.map { $0 + 1 }, layers: model.layers,
        projectionWidth: model.projectionWidth, activation: model.activation.function,
        normalization: model.normalization, paddingMode: model.paddingMode, coordinates: model.coordinates,
        dilation: model.dilation, groups: model.groups, downsampling: model.downsampling,
        upsampling: model.upsampling)
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
      throw mistake(
        key, "has \(values.count) numbers; the model's grid has \(axes) axes, so give 1 or \(axes)")
    }
    return Array(repeating: values[0], count: axes)
  }

  /// The settings of the trainer, for data on the given axes.
  ///
  /// - Throws: `ConfigError` if the loss needs more than the file says about its axes.
  func trainingConfiguration(_ axes: [DatasetDescription.Axis]) throws -> TrainingConfiguration {
    TrainingConfiguration(
      epochs: epochs, batchSize: batchSize, optimizer: optimizer.configuration,
      architectureOptimizer: architectureOptimizer?.configuration, schedule: schedule, loss: loss,
      lossAxes: loss == .relativeH1 ? try differenceAxes(axes) : [], lossReduction: lossReduction,
      tangentWeight: tangentWeight, clippingNorm: gradientClipping, microBatchSize: microBatchSize,
      averagingDecay: averagingDecay,
      earlyStoppingPatience: earlyStopping, seed: UInt64(seed))
  }

  /// The spacing of the points that the model sees.
  private func differenceAxes(_ axes: [DatasetDescription.Axis]) throws -> [DifferenceAxis] {
    try axes.map { axis in
      guard let points = axis.coordinates, points.count > 1, let isPeriodic = axis.isPeriodic else {
        throw mistake(
          "loss.kind",
          "is h1, which needs coordinates and boundaries; the data do not state those of axis \(axis.name)")
      }
      return DifferenceAxis(spacing: (points[1] - points[0]) * Double(data.stride), isPeriodic: isPeriodic)
    }
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
  func surrogate(_ checkpoint: Checkpoint, mapping: FieldMapping, grid: Shape) throws -> LearnedOperator {
    // The configuration does not say on which grid a model was trained that is for one grid only.
    let model = try modelConfiguration(mapping, grid: checkpoint.model.fixedGrid ?? grid)
    let trained = checkpoint.model
    guard (trained.inputChannels, trained.outputChannels) == (mapping.inputs.count, mapping.targets.count)
    else {
      throw TrainingError.invalidData(
        "the model maps \(trained.inputChannels) channels to \(trained.outputChannels), the data have "
          + "\(mapping.inputs.count) and \(mapping.targets.count)")
    }
    if let problem = trained.problem(grid: grid) { throw TrainingError.invalidData(problem) }
    guard trained == model else {
      throw TrainingError.invalidCheckpoint(
        path: checkpoint.path,
        reason: "is a checkpoint of another model than the run's config.yaml describes"
      )
    }
    return try LearnedOperator(checkpoint)
  }
}
