import Autodiff
import Foundation
import NeuralOperators
import Tensors

/// Trains a model by gradient descent on the error of its decoded output.
///
/// A loop with explicit state: after every batch `checkpoint` holds all that is needed to continue, and a run
/// that is continued gives the same bits as one that never stopped, whatever the number of threads and wherever
/// the samples are kept. The loss compares decoded predictions of normalised inputs with the physical targets. The
/// model sees the samples of an epoch in an order that is a function of the seed and the epoch; while it computes
/// with one batch the next is read.
public final class Trainer {
  /// The model's configuration.
  public let modelConfiguration: ModelConfiguration
  /// The settings of the run.
  public let configuration: TrainingConfiguration
  /// The model.
  public let model: any Module
  /// The normalisation of the inputs, if any.
  public let inputScaling: FieldScaling?
  /// The normalisation of the outputs, if any.
  public let outputScaling: FieldScaling?
  /// Where the run stands.
  public private(set) var position = TrainingPosition()
  /// The reports of all complete epochs.
  public private(set) var history: [EpochReport] = []

  private let names: [String]
  private let parameters: [Parameter]
  private var groups: [ParameterGroup]
  /// The moving averages of the parameters, in their order.
  private var averages: [Tensor<Float>]?
  /// Those of the history.
  private var errorsToChooseBy: [Double] = []
  private let tape = Tape()
  /// Parameters that are no weights, and their values before the current step.
  private let statistics: [Parameter]
  private var statisticsBefore: [Tensor<Float>] = []

  /// A new run with fresh weights, or with those of another one.
  public init(
    _ model: ModelConfiguration, configuration: TrainingConfiguration, inputScaling: FieldScaling? = nil,
    outputScaling: FieldScaling? = nil, initialWeights: WeightTransfer? = nil
  ) {
    modelConfiguration = model
    self.configuration = configuration
    self.model = model.makeModel(seed: configuration.seed)
    self.inputScaling = inputScaling
    self.outputScaling = outputScaling
    let named = self.model.namedParameters
    initialWeights?.apply(to: named)
    names = named.map(\.name)
    parameters = named.map(\.parameter)
    statistics = parameters.filter { !$0.isTrainable }
    groups = ParameterGroup.groups(of: self.model, configuration)
    averages = configuration.averagingDecay.map { [parameters] _ in parameters.map(\.value) }
  }

  /// The run that a checkpoint holds, to be continued.
  ///
  /// - Parameter epochs: how many epochs it is to have in all, if not as many as it was begun with; a cosine
  ///   schedule is stretched accordingly from here on.
  /// - Throws: `TrainingError` if the checkpoint's arrays are not those of its model.
  public convenience init(resuming checkpoint: Checkpoint, epochs: Int? = nil) throws {
    var configuration = checkpoint.training
    configuration.epochs = epochs ?? configuration.epochs
    self.init(
      checkpoint.model, configuration: configuration, inputScaling: checkpoint.inputScaling,
      outputScaling: checkpoint.outputScaling)
    try checkpoint.load(into: model)
    position = checkpoint.position
    history = checkpoint.history
    errorsToChooseBy = history.map(\.errorToChooseBy)
    if averages != nil {
      averages = try Checkpoint.ordered(
        checkpoint.averages, like: zip(names, parameters).map { ($0, $1.value.shape) }, path: checkpoint.path)
    }
    for index in groups.indices {
      guard let state = checkpoint.optimizers.first(where: { $0.role == groups[index].role }) else {
        throw TrainingError.invalidCheckpoint(
          path: checkpoint.path, reason: "there is no optimizer of the \(groups[index].role.rawValue)s")
      }
      try groups[index].restore(state, path: checkpoint.path)
    }
  }

  /// All that is needed to continue from here, or to use the model.
  ///
  /// The tensors share memory with the trainer's until its next step.
  public var checkpoint: Checkpoint {
    Checkpoint(
      model: modelConfiguration, training: configuration,
      weights: zip(names, parameters).map { ($0, $1.value) },
      averages: averages.map { Array(zip(names, $0)) } ?? [],
      optimizers: groups.map(\.state), position: position, history: history, inputScaling: inputScaling,
      outputScaling: outputScaling)
  }

  /// True if no epoch had a smaller error than the last one: of the validation samples, without any of the
  /// test samples, or without these of the training samples.
  public var lastEpochIsBest: Bool {
    let errors = history.map { $0.validationError ?? $0.testError ?? $0.trainingError }
    return errors.last.map { last in errors.allSatisfy { last <= $0 } } ?? false
  }

  /// True after the last epoch, or if the validation error has stopped falling.
  public var isFinished: Bool {
    if position.epoch >= configuration.epochs { return true }
    guard let patience = configuration.earlyStoppingPatience else { return false }
    let errors = errorsToChooseBy
    let best = errors.indices.min { errors[$0] < errors[$1] } ?? 0
    return errors.count - 1 - best >= patience
  }

  /// Trains from where the run stands to its last epoch.
  ///
  /// - Parameters:
  ///   - validation: what is evaluated after every epoch, and may decide about the rate and the end; nil for
  ///     nothing.
  ///   - test: what is evaluated after every epoch; nil for nothing.
  ///   - progress: called after every batch, when `checkpoint` is consistent. What it throws
  ///     (`CancellationError` to stop) ends the training; the run can be continued from `checkpoint`.
  ///   - afterEpoch: called after every epoch and its evaluation: the place to write checkpoints.
  /// - Throws: `TrainingError.diverged` or `divergedGradient` before anything is changed when a loss or its
  ///   gradient is not finite, `TrainingError.invalidData` for data that the model cannot take, and what reading them
  ///   throws: then, too, the run can be continued from `checkpoint`.
  public func fit(
    _ training: any TrainingSource, validation: (any TrainingSource)? = nil,
    test: (any TrainingSource)? = nil,
    progress: (BatchReport) throws -> Void = { _ in },
    afterEpoch: (EpochReport) throws -> Void = { _ in }
  ) throws {
    let sources = [training, validation, test].compactMap(\.self)
    for source in sources { try checkShape(source) }
    guard configuration.tangentWeight == nil || training.directionCount > 0 else {
      throw TrainingError.invalidData(
        "the loss has a weight for derivatives, but the training data have none")
    }
    if let samples = position.samples, samples != training.sampleCount {
      throw TrainingError.invalidData(
        "the run was begun with \(samples) training samples and cannot continue with \(training.sampleCount)")
    }
    // A run that is continued has seen its data.
    if position.epoch == 0 && position.batch == 0 {
      for source in sources { try readThrough(source) }
      for direction in 0..<(configuration.tangentWeight == nil ? 0 : training.directionCount) {
        try readThrough(training, direction: direction)
      }
    }
    position.samples = training.sampleCount
    while !isFinished {
      try runEpoch(training, progress)
      let errors = try withAverages {
        try [validation, test].map { source in
          try source.map { try relativeErrors($0).reduce(0, +) / Double($0.sampleCount) }
        }
      }
      let steps = batchCount(samples: training.sampleCount)
      let report = EpochReport(
        epoch: position.epoch + 1, trainingError: position.errorSum / Double(training.sampleCount),
        validationError: errors[0], testError: errors[1],
        learningRate: configuration.optimizer.learningRate * scheduleFactor(batch: steps - 1, of: steps),
        seconds: position.seconds)
      history.append(report)
      errorsToChooseBy.append(report.errorToChooseBy)
      position.epoch += 1
      (position.batch, position.errorSum, position.seconds) = (0, 0, 0)
      try afterEpoch(report)
    }
  }

  /// The relative L2 errors of the model, with the averages of its weights if there are any, on physical data.
  ///
  /// - Throws: `TrainingError.invalidData` for data that the model cannot take.
  public func evaluate(_ data: any TrainingSource) throws -> [Double] {
    try checkShape(data)
    return try withAverages { try relativeErrors(data) }
  }

  /// The rest of the current epoch.
  private func runEpoch(_ training: any TrainingSource, _ progress: (BatchReport) throws -> Void) throws {
    let samples = training.sampleCount
    var random = Philox(seed: configuration.seed, stream: .shuffling, sample: position.epoch)
    let order = random.permutation(samples)
    let total = batchCount(samples: samples)
    // One direction at a time: the next one in the next epoch.
    let direction = configuration.tangentWeight.map { _ in position.epoch % training.directionCount }
    let rest = batches(
      of: training, order: order[(position.batch * configuration.batchSize)...], direction: direction)
    while true {
      let start = ContinuousClock.now
      guard let batch = try rest.next() else { return }
      let errorSum = try step(batch, of: total)
      position.errorSum += errorSum
      position.batch += 1
      position.seconds += (ContinuousClock.now - start) / .seconds(1)
      try progress(
        BatchReport(
          epoch: position.epoch + 1, batch: position.batch, batchCount: total,
          error: errorSum / Double(batch.sampleCount)))
    }
  }

  /// The samples of some numbers in batches, their inputs normalised, with their derivatives along a direction.
  private func batches(
    of source: any TrainingSource, order: ArraySlice<Int>, direction: Int? = nil
  ) -> ReadAhead<TrainingData> {
    let length = configuration.batchSize
    let lists = IdleObjects<[Int]>()
    return ReadAhead(count: batchCount(samples: order.count)) { [inputScaling] batch in
      try lists.withArray { samples in
        let first = order.startIndex + batch * length
        samples.append(contentsOf: order[first..<min(order.endIndex, first + length)])
        let data = try source.read(samples)
        try Self.checkValues(data, samples)
        let tangents = try direction.map { try source.readTangents(samples, direction: $0) }
        if let tangents {
          try Self.checkValues(
            TrainingData(inputs: tangents.directions, targets: tangents.products), samples,
            prefix: "derivative's ")
        }
        return TrainingData(
          inputs: inputScaling?.encode(data.inputs) ?? data.inputs, targets: data.targets,
          tangents: tangents.map { [$0] } ?? [])
      }
    }
  }

  /// One step; the sum of the errors of the batch's samples before it.
  private func step(_ batch: TrainingData, of batches: Int) throws -> Double {
    // Running statistics change with every forward pass; a batch that fails must not change them.
    for parameter in statistics { statisticsBefore.append(parameter.value) }
    defer { statisticsBefore.removeAll(keepingCapacity: true) }
    do {
      let errorSum = try addGradients(batch.inputs, batch.targets, batch.tangents.first)
      try clipGradient()
      let factor = scheduleFactor(batch: position.batch, of: batches)
      for index in groups.indices {
        groups[index].step(epoch: position.epoch, learningRateFactor: factor)
      }
      average(step: position.epoch * batches + position.batch)
      return errorSum
    } catch {
      for (parameter, value) in zip(statistics, statisticsBefore) { parameter.value = value }
      for parameter in parameters { parameter.gradient = nil }
      throw error
    }
  }

  /// Finds the gradient of a batch's loss, part by part; the sum of the errors of its samples.
  private func addGradients(
    _ inputs: Tensor<Float>, _ targets: Tensor<Float>, _ tangents: TangentPairs?
  ) throws -> Double {
    defer { tape.clear() }
    let samples = inputs.shape[0]
    let length = min(samples, configuration.microBatchSize ?? samples)
    var errorSum = 0.0
    for first in stride(from: 0, to: samples, by: length) {
      let part = first..<min(samples, first + length)
      let isWhole = part.count == samples
      let partInputs = isWhole ? inputs : inputs[first: part]
      let comparison = FieldComparison(
        target: isWhole ? targets : targets[first: part], kind: configuration.loss,
        reduction: configuration.lossReduction, axes: configuration.lossAxes,
        scaling: outputScaling.map { ($0.scale, $0.mean) })
      let loss = model.loss(Variable(partInputs), comparedWith: comparison, on: tape)
      var total = loss.total
      if let weight = configuration.tangentWeight, let tangents = isWhole ? tangents : tangents?[part] {
        let tangentLoss = SymmetricDifference(partInputs, tangents.directions, inputScaling).loss(
          { predict($0, on: tape) }, products: tangents.products, reduction: configuration.lossReduction)
        total = add(total, tangentLoss.total, weight: Float(weight))
      }
      let value = Double(total.value[0])
      guard value.isFinite else {
        throw TrainingError.diverged(epoch: position.epoch + 1, batch: position.batch + 1, loss: value)
      }
      // The mean of the batch is that of the parts' means, by their numbers of samples.
      let share = configuration.lossReduction == .mean ? Float(part.count) / Float(samples) : 1
      tape.backward(from: total, gradient: Tensor(shape: total.shape, repeating: share))
      errorSum += loss.errors.withUnsafeBuffer { $0.reduce(0, +) }
    }
    return errorSum
  }

  /// Shortens the gradient to the longest that it may be: PyTorch's `clip_grad_norm_`.
  private func clipGradient() throws {
    let norm = parameters.reduce(0.0) { sum, parameter in
      guard parameter.isTrainable, let gradient = parameter.gradient else { return sum }
      return sum + gradient.withUnsafeBuffer { Float.dot($0.count, $0.baseAddress!, $0.baseAddress!) }
    }.squareRoot()
    guard norm.isFinite else {
      throw TrainingError.divergedGradient(epoch: position.epoch + 1, batch: position.batch + 1)
    }
    guard let longest = configuration.clippingNorm, norm > longest else { return }
    let factor = Float(longest / (norm + 1e-6))
    for parameter in parameters {
      parameter.gradient?.withUnsafeMutableBuffer { Float.scale($0.count, factor, $0.baseAddress!) }
    }
  }

  /// Moves the averages towards the weights, faster in the first steps, when they are still near the start.
  private func average(step: Int) {
    guard let decay = configuration.averagingDecay, var averages else { return }
    self.averages = nil  // so that they are changed in place
    let kept = Float(min(decay, Double(step + 1) / Double(step + 10)))
    for (index, parameter) in parameters.enumerated() {
      guard parameter.isTrainable else {
        averages[index] = parameter.value
        continue
      }
      averages[index].withUnsafeMutableBuffer { average in
        Float.scale(average.count, kept, average.baseAddress!)
        parameter.value.withUnsafeBuffer {
          Float.axpy(average.count, 1 - kept, $0.baseAddress!, average.baseAddress!)
        }
      }
    }
    self.averages = averages
  }

  /// Calls `body` while the model has the averages for weights.
  private func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let averages else { return try body() }
    let weights = parameters.map(\.value)
    for (parameter, average) in zip(parameters, averages) { parameter.value = average }
    defer { for (parameter, weight) in zip(parameters, weights) { parameter.value = weight } }
    return try body()
  }

  /// Normalised inputs to physical outputs.
  private func predict(_ inputs: Tensor<Float>, on tape: Tape) -> Variable {
    let output = model(Variable(inputs), on: tape)
    return outputScaling?.decode(output) ?? output
  }

  /// The errors of the model as it is, batch by batch.
  private func relativeErrors(_ source: any TrainingSource) throws -> [Double] {
    let batches = batches(of: source, order: Array(0..<source.sampleCount)[...])
    var errors: [Double] = []
    while let batch = try batches.next() {
      errors += Metrics.relativeL2(predict(batch.inputs, on: .inference).value, batch.targets)
    }
    return errors
  }

  private func batchCount(samples: Int) -> Int {
    (samples + configuration.batchSize - 1) / configuration.batchSize
  }

  private func scheduleFactor(batch: Int, of batches: Int) -> Double {
    configuration.schedule.factor(
      epoch: position.epoch, fraction: Double(batch) / Double(batches), of: configuration.epochs,
      stepsPerEpoch: batches, errors: errorsToChooseBy)
  }

  private func checkShape(_ data: any TrainingSource) throws {
    let (inputs, outputs) = (data.inputShape[0], data.targetShape[0])
    guard data.sampleCount > 0 else { throw TrainingError.invalidData("there are no samples") }
    guard inputs == modelConfiguration.inputChannels, outputs == modelConfiguration.outputChannels else {
      throw TrainingError.invalidData(
        "the model maps \(modelConfiguration.inputChannels) channels to \(modelConfiguration.outputChannels), "
          + "the data have \(inputs) and \(outputs)")
    }
    let grid = data.inputShape.dropFirst()
    let problem =
      modelConfiguration.problem(grid: grid)
      ?? inputScaling?.problem(channels: inputs, grid: grid)
      ?? outputScaling?.problem(channels: outputs, grid: grid)
    if let problem { throw TrainingError.invalidData(problem) }
  }

  /// Reads all samples once, so that bad ones are named before the first step.
  private func readThrough(_ source: any TrainingSource, direction: Int? = nil) throws {
    let batches = batches(of: source, order: Array(0..<source.sampleCount)[...], direction: direction)
    while try batches.next() != nil {}
  }

  /// A NaN among the data, or a target that vanishes, would only show as a loss that is not finite.
  private static func checkValues(_ data: TrainingData, _ numbers: [Int], prefix: String = "") throws {
    func problem(_ name: String, of sample: Int) -> TrainingError {
      .invalidData("the \(prefix)\(name) of sample \(numbers[sample]) holds NaN or infinite numbers")
    }
    if let sample = firstSample(data.inputs, where: { !$0.isFinite }) { throw problem("input", of: sample) }
    if let sample = firstSample(data.targets, where: { !$0.isFinite }) { throw problem("target", of: sample) }
    if let sample = firstSample(data.targets, where: { $0 == 0 }) {
      throw TrainingError.invalidData(
        "the target of sample \(numbers[sample]) is 0 everywhere: it has no relative error; leave the sample out"
      )
    }
  }

  /// The first sample the sum of whose squares is as `condition` says.
  private static func firstSample(_ fields: Tensor<Float>, where condition: (Double) -> Bool) -> Int? {
    let (samples, count) = (fields.shape[0], fields.count / max(1, fields.shape[0]))
    return withPointers(fields) { start in
      (0..<samples).first { condition(Float.dot(count, start + $0 * count, start + $0 * count)) }
    }
  }
}

extension EpochReport {
  /// What schedules and the end of the training may depend on: never the test samples.
  fileprivate var errorToChooseBy: Double { validationError ?? trainingError }
}
