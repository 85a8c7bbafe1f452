import Archives
import Autodiff
import Foundation
import NeuralOperators
import Tensors

/// A trained model as a file for other programs: safetensors in one of the layouts, with everything that belongs to
/// the weights in its metadata.
///
/// The metadata: `layout`; `config`, JSON with what the model's constructor there is to be told; `activation`;
/// `normalizers`, JSON with mean, scale and shape of input and output; `model` and `training`, JSON from which this
/// program makes the run again; `run`, its configuration as YAML.
public enum WeightFile {
  /// The weights of a checkpoint in a layout.
  ///
  /// - Parameters:
  ///   - grid: the points per axis that the model was trained on; a layout whose coordinates differ from the
  ///     model's agrees with it on this grid only.
  ///   - run: the configuration of the run, as YAML.
  /// - Throws: `WeightLayoutError` if the layout has no names for the model; `TrainingError`.
  public static func make(
    _ checkpoint: Checkpoint, layout: WeightLayout, grid: Shape, run: String, software: String
  ) throws -> Safetensors {
    let model = try checkpoint.makeModel()
    let placements = try layout.placements(of: model)
    if layout == .neuralop, let inside = checkpoint.model.fourierNeuralOperator {
      useNeuraloperatorCoordinates(placements, inside.configuration, grid: grid + inside.addedAxes)
    }
    var entries = placements.map { placement in
      Safetensors.Entry(
        name: placement.name, type: layout == .neuralop && placement.isComplex ? .complex : .single,
        shape: placement.shape + (layout != .neuralop && placement.isComplex ? [2] : []),
        values: placement.values(in: placement.parameter.value))
    }
    // PyTorch counts the batches of a normalisation, and asks for the count when it loads.
    for name in placements.map(\.name) where name.hasSuffix(".running_mean") {
      let count = name.replacing(".running_mean", with: ".num_batches_tracked")
      entries.append(.init(name: count, type: .integer, shape: [], values: [0]))
    }
    let constructor = try layout.constructor(checkpoint.model)
    return Safetensors(
      entries,
      metadata: [
        "format": "pt", "software": software, "layout": layout.rawValue, "run": run,
        "activation": constructor.activation.rawValue, "config": try json(constructor.arguments),
        "normalizers": try json(
          Normalizers(
            input: checkpoint.inputScaling.map(Scaling.init),
            output: checkpoint.outputScaling.map(Scaling.init))),
        "model": try json(checkpoint.model), "training": try json(checkpoint.training),
      ])
  }

  /// What a file says about the run that it is from, if this program wrote it.
  public struct Origin {
    /// The model.
    public let model: ModelConfiguration
    /// The settings of its training.
    public let training: TrainingConfiguration
    /// The run's configuration, as YAML.
    public let run: String
    /// The normalisation of the inputs, if any.
    public let inputScaling: FieldScaling?
    /// The normalisation of the outputs, if any.
    public let outputScaling: FieldScaling?

    /// What the metadata say; nil if they are not this program's.
    ///
    /// - Throws: `TrainingError.invalidWeights` if they are damaged.
    public init?(_ file: Safetensors, path: String, layout: WeightLayout) throws {
      let metadata = file.metadata
      guard let model = metadata["model"], let training = metadata["training"], let run = metadata["run"],
        let normalizers = metadata["normalizers"]
      else { return nil }
      if let written = metadata["layout"], written != layout.rawValue {
        throw TrainingError.invalidWeights(
          path: path, reason: "is in the layout \(written), not \(layout.rawValue)")
      }
      do {
        func decode<Value: Decodable>(_ text: String, as type: Value.Type) throws -> Value {
          try JSONDecoder().decode(type, from: Data(text.utf8))
        }
        var configuration = try decode(model, as: ModelConfiguration.self)
        if layout == .neuralop, configuration.fourierNeuralOperator?.configuration.coordinates == .inclusive {
          configuration = configuration.with(coordinates: .periodic)
        }
        if let problem = configuration.problem {
          throw TrainingError.invalidWeights(path: path, reason: "describes an impossible model: \(problem)")
        }
        let scalings = try decode(normalizers, as: Normalizers.self)
        self.model = configuration
        self.training = try decode(training, as: TrainingConfiguration.self)
        self.run = run
        inputScaling = try scalings.input?.scaling(path)
        outputScaling = try scalings.output?.scaling(path)
      } catch is DecodingError {
        throw TrainingError.invalidWeights(path: path, reason: "its metadata are damaged")
      }
    }
  }

  /// Gives a model the weights of a file, all of them or, if they are not its own, none.
  ///
  /// - Throws: `TrainingError.mismatchedWeights` with every missing, unknown and misshapen name;
  ///   `WeightLayoutError` if the layout has no names for the model.
  public static func load(
    _ file: Safetensors, path: String, layout: WeightLayout, into module: any Module
  ) throws {
    let entries = Dictionary(uniqueKeysWithValues: file.entries.map { ($0.name, $0) })
    let placements = try layout.placements(of: module)
    let known = Set(placements.map(\.name))
    let missing = placements.map(\.name).filter { entries[$0] == nil }
    let extra = file.entries.map(\.name).filter {
      !known.contains($0) && !$0.hasSuffix("num_batches_tracked")
    }
    let misshapen = placements.compactMap { placement -> String? in
      guard let entry = entries[placement.name], !fits(entry, placement) else { return nil }
      let kind = placement.isComplex ? "complex " : ""
      let given = entry.type == .complex ? "complex " : ""
      return "\(placement.name) \(given)\(entry.shape) instead of \(kind)\(placement.shape)"
    }
    guard missing.isEmpty, extra.isEmpty, misshapen.isEmpty else {
      throw TrainingError.mismatchedWeights(path: path, missing: missing, extra: extra, misshapen: misshapen)
    }
    for placement in placements {
      if let entry = entries[placement.name] { placement.assign(entry.values) }
    }
  }

  /// Whether an array is what a placement takes: complex as such or with an axis for the parts, and a pointwise map
  /// with any number of axes of length 1 behind it.
  private static func fits(_ entry: Safetensors.Entry, _ placement: WeightPlacement) -> Bool {
    if placement.isComplex {
      return entry.shape == Array(placement.shape) + (entry.type == .complex ? [] : [2])
    }
    func trimmed(_ shape: some BidirectionalCollection<Int>) -> [Int] {
      Array(shape.prefix(2)) + shape.dropFirst(2).reversed().drop { $0 == 1 }.reversed()
    }
    return entry.type != .complex && trimmed(entry.shape) == trimmed(placement.shape)
  }

  /// Makes the lifting expect the coordinates i/n of neuraloperator in place of i/(n − 1), on one grid.
  private static func useNeuraloperatorCoordinates(
    _ placements: [WeightPlacement], _ model: FNO.Configuration, grid: Shape
  ) {
    guard model.coordinates == .inclusive,
      let weight = placements.first(where: { $0.name == "lifting.fcs.0.weight" })?.parameter
    else { return }
    for row in 0..<weight.value.shape[0] {
      for (axis, points) in grid.enumerated() {
        let column = model.inputChannels + axis
        weight.value[row, column] = Float(
          Double(weight.value[row, column]) * Double(points) / Double(max(1, points - 1)))
      }
    }
  }

  private static func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  private struct Normalizers: Codable {
    let input: Scaling?
    let output: Scaling?
  }

  private struct Scaling: Codable {
    let shape: Shape
    let mean: [Float]
    let scale: [Float]

    init(_ scaling: FieldScaling) {
      (shape, mean, scale) = (scaling.mean.shape, scaling.mean.scalars, scaling.scale.scalars)
    }

    func scaling(_ path: String) throws -> FieldScaling {
      let count = shape.allSatisfy { $0 > 0 && $0 <= mean.count } ? shape.reduce(1.0) { $0 * Double($1) } : -1
      guard !shape.isEmpty, Double(mean.count) == count, scale.count == mean.count,
        scale.allSatisfy({ $0.isFinite && $0 != 0 }), mean.allSatisfy(\.isFinite)
      else { throw TrainingError.invalidWeights(path: path, reason: "its normalizers are damaged") }
      return FieldScaling(
        mean: Tensor(shape: shape, scalars: mean), scale: Tensor(shape: shape, scalars: scale))
    }
  }
}

extension WeightLayout {
  /// What the constructor of the other program's model is told, as its keyword arguments, and the activation.
  fileprivate func constructor(
    _ model: ModelConfiguration
  ) throws -> (arguments: [String: JSONValue], activation: Activation) {
    switch model {
    case .recurrent(let model): return try constructor(model.step)
    case .spaceTime(let model): return try constructor(model.model)
    case .xd(let model):
      var (arguments, activation) = try constructor(model.backbone)
      let depth = model.conversion.depth
      arguments["grid"] = .integers(Array(model.grid))
      arguments["depth"] = .integers([depth.k, depth.l, depth.m])
      return (arguments, activation)
    case .cnn(let model), .resNet(let model), .uNet(let model):
      var arguments: [String: JSONValue] = [:]
      if let dilation = model.dilation { arguments["dilation"] = .integer(dilation) }
      if let groups = model.groups { arguments["groups"] = .integer(groups) }
      if let kind = model.downsampling { arguments["downsampling"] = .text(kind.rawValue) }
      if let kind = model.upsampling { arguments["upsampling"] = .text(kind.rawValue) }
      return (
        arguments.merging([
          "kernel": .integers(model.kernel), "width": .integer(model.width), "layers": .integer(model.layers),
          "in_channels": .integer(model.inputChannels), "out_channels": .integer(model.outputChannels),
          "projection_width": .integer(model.projectionWidth), "activation": .text(model.activation.rawValue),
          "normalization": .text(model.normalization.rawValue),
          "padding_mode": .text(model.paddingMode.rawValue), "coordinates": .text(model.coordinates.rawValue),
        ]) { $1 }, model.activation
      )
    case .fno(let model):
      return (self == .neuralop ? neuraloperator(model) : original(model), model.activation)
    }
  }

  private func original(_ model: FNO.Configuration) -> [String: JSONValue] {
    [
      "modes": .integers(model.modes), "width": .integer(model.width), "layers": .integer(model.layers),
      "in_channels": .integer(model.inputChannels), "out_channels": .integer(model.outputChannels),
      "projection_width": .integer(model.projectionWidth), "activation": .text(model.activation.rawValue),
      "normalization": .text(model.normalization.rawValue), "padding": .integers(model.padding),
      "coordinates": .text(model.coordinates.rawValue),
    ]
  }

  private func neuraloperator(_ model: FNO.Configuration) -> [String: JSONValue] {
    let width = Double(model.width)
    // The program multiplies and rounds down.
    func ratio(_ hidden: Int) -> JSONValue { .number((Double(hidden) + 0.25) / width) }
    var arguments: [String: JSONValue] = [
      "n_modes": .integers(
        model.modes.dropLast().map { 2 * $0 } + model.modes.suffix(1).map { 2 * ($0 - 1) }),
      "in_channels": .integer(model.inputChannels), "out_channels": .integer(model.outputChannels),
      "hidden_channels": .integer(model.width), "n_layers": .integer(model.layers),
      "lifting_channel_ratio": model.liftingWidth.map(ratio) ?? .integer(0),
      "projection_channel_ratio": ratio(model.projectionWidth),
      "use_channel_mlp": .boolean(model.mixingWidth != nil),
      "positional_embedding": model.coordinates == .none ? .null : .text("grid"),
    ]
    func skip(_ kind: SkipConnection.Kind) -> JSONValue { kind == .none ? .null : .text(kind.rawValue) }
    arguments["fno_skip"] = skip(model.skip ?? .linear)
    if let width = model.mixingWidth {
      arguments["channel_mlp_expansion"] = ratio(width)
      arguments["channel_mlp_skip"] = skip(model.mixingSkip ?? .softGating)
    }
    return arguments
  }
}

/// A value of a JSON object.
private enum JSONValue: Encodable {
  case integer(Int), number(Double), text(String), boolean(Bool), integers([Int]), null

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .boolean(let value): try container.encode(value)
    case .integers(let value): try container.encode(value)
    case .null: try container.encodeNil()
    }
  }
}
