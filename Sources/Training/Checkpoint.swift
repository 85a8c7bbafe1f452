import Autodiff
import Foundation
import HDF5
import NeuralOperators
import Tensors

/// Everything that a training run is at one moment: enough to continue it, and to use its model.
///
/// An HDF5 file: root attributes `format`, `version`, `model` and `training` (JSON), `position` (JSON); arrays
/// `weights/<name>`, and if weights are averaged `averages/<name>`; for the optimizer of every role (`weight`, `architecture`) a group `optimizer/<role>` with
/// the attribute `step` and what the method remembers, `first` and `second` moments or `velocity`, by the
/// names of the parameters; `normalization/{input,output}/{mean,scale}`; and `history` `[epoch, {number,
/// training error, validation error or NaN, test error or NaN, learning rate, seconds}]`. All arrays carry checksums.
public struct Checkpoint: Sendable {
  /// The model's configuration.
  public var model: ModelConfiguration
  /// The settings of the run, with its seed.
  public var training: TrainingConfiguration
  /// Every parameter by name, running statistics among them.
  public var weights: [(name: String, value: Tensor<Float>)]
  /// The moving averages of all parameters, with which predictions are made; empty if there are none.
  public var averages: [(name: String, value: Tensor<Float>)]
  /// The optimizers of the groups of parameters.
  public var optimizers: [OptimizerState]
  /// Where in which epoch; with the seed it determines the random state.
  public var position: TrainingPosition
  /// The reports of all complete epochs.
  public var history: [EpochReport]
  /// The normalisation of the inputs, if any.
  public var inputScaling: FieldScaling?
  /// The normalisation of the outputs, if any.
  public var outputScaling: FieldScaling?
  /// The file that it was read from; empty for one from memory.
  public internal(set) var path = ""

  private static let format = "phalarope checkpoint"
  private static let version = 2

  /// A checkpoint of the given parts.
  public init(
    model: ModelConfiguration, training: TrainingConfiguration,
    weights: [(name: String, value: Tensor<Float>)],
    averages: [(name: String, value: Tensor<Float>)] = [], optimizers: [OptimizerState],
    position: TrainingPosition, history: [EpochReport], inputScaling: FieldScaling?,
    outputScaling: FieldScaling?
  ) {
    self.model = model
    self.training = training
    self.weights = weights
    self.averages = averages
    self.optimizers = optimizers
    self.position = position
    self.history = history
    self.inputScaling = inputScaling
    self.outputScaling = outputScaling
  }

  // MARK: - Files

  /// Writes the file, whole or not at all, over one that is there.
  ///
  /// - Throws: `HDF5Error` if it cannot be written.
  public func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    func json(_ value: some Encodable) throws -> String {
      String(decoding: try encoder.encode(value), as: UTF8.self)
    }
    try HDF5File.write(to: path, overwriting: true) { file in
      let attributes = file.root.attributes
      try attributes.set("format", Self.format)
      try attributes.set("version", Self.version)
      try attributes.set("model", json(model))
      try attributes.set("training", json(training))
      try attributes.set("position", json(position))
      let group = try file.root.createGroup("weights")
      for (name, value) in weights { try Self.write(value, named: name, in: group) }
      if !averages.isEmpty {
        let group = try file.root.createGroup("averages")
        for (name, value) in averages { try Self.write(value, named: name, in: group) }
      }
      for optimizer in optimizers {
        let folder = "optimizer/\(optimizer.role.rawValue)"
        try file.root.createGroup(folder).attributes.set("step", optimizer.stepCount)
        for (memory, arrays) in optimizer.memory {
          let group = try file.root.createGroup("\(folder)/\(memory)")
          for (name, value) in arrays { try Self.write(value, named: name, in: group) }
        }
      }
      for (folder, scaling) in [("input", inputScaling), ("output", outputScaling)] {
        guard let scaling else { continue }
        let group = try file.root.createGroup("normalization/\(folder)")
        try Self.write(scaling.mean, named: "mean", in: group)
        try Self.write(scaling.scale, named: "scale", in: group)
      }
      let rows = history.flatMap {
        [
          Double($0.epoch), $0.trainingError, $0.validationError ?? .nan, $0.testError ?? .nan,
          $0.learningRate, $0.seconds,
        ]
      }
      try file.root.createDataset("history", rows, shape: [history.count, 6])
    }
  }

  /// Reads a checkpoint.
  ///
  /// - Throws: `TrainingError.invalidCheckpoint` if the file is something else, of a later version, truncated
  ///   or damaged; `HDF5Error` if it is missing or unreadable.
  public init(contentsOf path: String) throws {
    func invalid(_ reason: String) -> TrainingError { .invalidCheckpoint(path: path, reason: reason) }
    do {
      let root = try HDF5File(opening: path).root
      let attributes = root.attributes
      guard try attributes.contains("format"), try attributes.string("format") == Self.format else {
        throw invalid("an HDF5 file, but not a checkpoint")
      }
      let version = try attributes.scalar("version", as: Int.self)
      guard version == Self.version else {
        throw invalid("a checkpoint of version \(version); this program reads version \(Self.version)")
      }
      func decode<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
        do {
          return try JSONDecoder().decode(type, from: Data(attributes.string(name).utf8))
        } catch is DecodingError {
          throw invalid("the attribute '\(name)' is not what this program writes")
        }
      }
      func arrays(_ folder: String) throws -> [(name: String, value: Tensor<Float>)] {
        let group = try root.group(folder)
        return try group.memberNames().map { ($0, try Self.read(group.dataset($0))) }
      }
      func optimizer(_ role: Parameter.Role) throws -> OptimizerState? {
        let folder = "optimizer/\(role.rawValue)"
        guard try root.member(folder) == .group else { return nil }
        let group = try root.group(folder)
        return OptimizerState(
          role: role, stepCount: try group.attributes.scalar("step", as: Int.self),
          memory: try group.memberNames().map { ($0, try arrays("\(folder)/\($0)")) })
      }
      func scaling(_ folder: String) throws -> FieldScaling? {
        guard try root.member("normalization/\(folder)") == .group else { return nil }
        let group = try root.group("normalization/\(folder)")
        let (mean, scale) = (try Self.read(group.dataset("mean")), try Self.read(group.dataset("scale")))
        guard mean.shape == scale.shape, mean.rank > 0 else { throw invalid("the normalizers are damaged") }
        return FieldScaling(mean: mean, scale: scale)
      }
      let rows = try root.dataset("history").read(as: Double.self)
      guard let history = Self.reports(rows) else { throw invalid("the history is damaged") }
      let model = try decode("model", as: ModelConfiguration.self)
      if let problem = model.problem { throw invalid("it describes an impossible model: \(problem)") }
      self.init(
        model: model, training: try decode("training", as: TrainingConfiguration.self),
        weights: try arrays("weights"),
        averages: try root.member("averages") == .group ? arrays("averages") : [],
        optimizers: try Parameter.Role.allCases.compactMap(optimizer),
        position: try decode("position", as: TrainingPosition.self), history: history,
        inputScaling: try scaling("input"), outputScaling: try scaling("output"))
    } catch let error as HDF5Error where error.exitStatus == 65 {
      throw invalid("not a checkpoint that can be read: \(error.message)")
    }
    self.path = path
  }

  private static func reports(_ rows: [Double]) -> [EpochReport]? {
    guard rows.count % 6 == 0 else { return nil }
    let reports = stride(from: 0, to: rows.count, by: 6).compactMap { row -> EpochReport? in
      guard let epoch = Int(exactly: rows[row]) else { return nil }
      func error(_ column: Int) -> Double? { rows[row + column].isNaN ? nil : rows[row + column] }
      return EpochReport(
        epoch: epoch, trainingError: rows[row + 1], validationError: error(2), testError: error(3),
        learningRate: rows[row + 4], seconds: rows[row + 5])
    }
    return reports.count * 6 == rows.count ? reports : nil
  }

  private static func write(_ tensor: Tensor<Float>, named name: String, in group: HDF5Group) throws {
    let chunks = tensor.rank > 0 && tensor.count > 0 ? Array(tensor.shape) : nil
    let dataset = try group.createDataset(
      name, of: Float.self, shape: Array(tensor.shape),
      layout: HDF5Layout(chunks: chunks, hasChecksums: chunks != nil))
    try tensor.withUnsafeBuffer { try dataset.write($0) }
  }

  private static func read(_ dataset: HDF5Dataset) throws -> Tensor<Float> {
    guard let shape = Shape(exactly: try dataset.shape()) else {
      throw HDF5Error(.corrupt, path: dataset.path, "'\(dataset.path)' has too many axes")
    }
    return try Tensor(shape: shape) { try dataset.read(into: $0) }
  }

  // MARK: - Models

  /// The model with its weights, or with their averages if there are any.
  ///
  /// - Throws: `TrainingError.mismatchedWeights` if the weights are not those of the model.
  public func makeModel() throws -> any Module {
    let module = model.makeModel(seed: training.seed)
    try load(averages.isEmpty ? weights : averages, into: module)
    return module
  }

  /// Gives a model the weights, all of them or, if they are not its own, none.
  ///
  /// - Throws: `TrainingError.mismatchedWeights` with every missing, unknown and misshapen name.
  public func load(into module: any Module) throws { try load(weights, into: module) }

  private func load(_ weights: [(name: String, value: Tensor<Float>)], into module: any Module) throws {
    let named = module.namedParameters
    let values = try Self.ordered(
      weights, like: named.map { ($0.name, $0.parameter.value.shape) }, path: path)
    for (parameter, value) in zip(named.map(\.parameter), values) { parameter.value = value }
  }

  /// Arrays in the order of names that they must have, with the shapes that they must have.
  static func ordered(
    _ arrays: [(name: String, value: Tensor<Float>)], like shapes: [(name: String, shape: Shape)],
    path: String
  ) throws -> [Tensor<Float>] {
    let values = Dictionary(arrays.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    let known = Set(shapes.map(\.name))
    let missing = shapes.map(\.name).filter { values[$0] == nil }
    let extra = arrays.map(\.name).filter { !known.contains($0) }
    let misshapen = shapes.compactMap { name, shape in
      values[name].flatMap { $0.shape == shape ? nil : "\(name) \($0.shape) instead of \(shape)" }
    }
    guard missing.isEmpty, extra.isEmpty, misshapen.isEmpty else {
      throw TrainingError.mismatchedWeights(path: path, missing: missing, extra: extra, misshapen: misshapen)
    }
    return shapes.compactMap { values[$0.name] }
  }
}
