import Autodiff
import Tensors

/// The Fourier neural operator in one, two or three dimensions: lifting, Fourier layers, projection.
///
/// Input `[sample, inputChannels, ...grid]`, output `[sample, outputChannels, ...grid]`, on any grid that holds
/// the modes: the same weights serve every resolution. Coordinates are appended to the input channels, the
/// lifting maps them to `width` channels, the grid is padded with zeros, the layers act, the last one without
/// activation, the padding is cropped, and the projection maps each point through `projectionWidth` hidden
/// channels to the output. Li et al., "Fourier neural operator for parametric partial differential
/// equations", ICLR 2021.
public struct FNO: ProjectedModel {
  /// What determines an FNO but for its weights.
  public struct Configuration: Codable, Sendable, Equatable {
    /// What stands between a layer and its activation.
    public enum Normalization: String, Codable, Sendable, CaseIterable {
      /// Nothing: the code since January 2021.
      case none
      /// Batch normalisation: the code behind the first paper's tables.
      case batch
    }

    /// The number of axes of the grid: 1, 2 or 3.
    public var dimensions: Int
    /// The channels of the input, without coordinates.
    public var inputChannels: Int
    /// The channels of the output.
    public var outputChannels: Int
    /// The channels of every layer.
    public var width: Int
    /// The modes kept along every axis: frequencies below this number along the last axis, and from minus
    /// this number along the others.
    public var modes: [Int]
    /// The number of Fourier layers.
    public var layers: Int
    /// The hidden channels of the projection.
    public var projectionWidth: Int
    /// The activation of layers and projection.
    public var activation: Activation
    /// The normalisation of every layer.
    public var normalization: Normalization
    /// How many points of zeros are added at the end of every axis.
    public var padding: [Int]
    /// The coordinates that are appended to the input channels.
    public var coordinates: Coordinates
    /// The hidden channels of the lifting; nil for a linear one.
    public var liftingWidth: Int?
    /// The hidden channels of the mixing of channels behind every Fourier layer; nil for none.
    public var mixingWidth: Int?
    /// What stands beside the spectral convolutions; nil for a matrix.
    public var skip: SkipConnection.Kind?
    /// What stands beside the mixing of channels; nil for soft gating.
    public var mixingSkip: SkipConnection.Kind?
    /// Whether layers without mixing activate twice, as neuraloperator's do; nil for no.
    public var activatesTwice: Bool?

    /// Any combination; `fno2020`, `modern` and `neuraloperator` give the customary ones.
    public init(
      dimensions: Int, inputChannels: Int, outputChannels: Int, width: Int, modes: [Int], layers: Int = 4,
      projectionWidth: Int = 128, activation: Activation, normalization: Normalization, padding: [Int],
      coordinates: Coordinates, liftingWidth: Int? = nil, mixingWidth: Int? = nil,
      skip: SkipConnection.Kind? = nil, mixingSkip: SkipConnection.Kind? = nil, activatesTwice: Bool? = nil
    ) {
      self.dimensions = dimensions
      self.inputChannels = inputChannels
      self.outputChannels = outputChannels
      self.width = width
      self.modes = modes
      self.layers = layers
      self.projectionWidth = projectionWidth
      self.activation = activation
      self.normalization = normalization
      self.padding = padding
      self.coordinates = coordinates
      self.liftingWidth = liftingWidth
      self.mixingWidth = mixingWidth
      self.skip = skip
      self.mixingSkip = mixingSkip
      self.activatesTwice = activatesTwice
    }

    /// The model of the first paper and of its comparisons: ReLU, batch normalisation, no padding.
    public static func fno2020(
      dimensions: Int, inputChannels: Int = 1, outputChannels: Int = 1, width: Int, modes: Int
    ) -> Configuration {
      Configuration(
        dimensions: dimensions, inputChannels: inputChannels, outputChannels: outputChannels, width: width,
        modes: Array(repeating: modes, count: dimensions), activation: .relu, normalization: .batch,
        padding: Array(repeating: 0, count: dimensions), coordinates: .inclusive)
    }

    /// The model of the later code: GELU, no normalisation, and padding where the domain is not periodic.
    public static func modern(
      dimensions: Int, inputChannels: Int = 1, outputChannels: Int = 1, width: Int, modes: Int,
      padding: Int = 0
    ) -> Configuration {
      Configuration(
        dimensions: dimensions, inputChannels: inputChannels, outputChannels: outputChannels, width: width,
        modes: Array(repeating: modes, count: dimensions), activation: .gelu, normalization: .none,
        padding: Array(repeating: padding, count: dimensions), coordinates: .inclusive)
    }

    /// The model of neuraloperator 2.0: GELU, a perceptron as lifting and one behind every Fourier layer.
    ///
    /// Its `n_modes` are 2m along every axis but the last and 2(m - 1) along that.
    public static func neuraloperator(
      dimensions: Int, inputChannels: Int = 1, outputChannels: Int = 1, width: Int, modes: Int
    ) -> Configuration {
      Configuration(
        dimensions: dimensions, inputChannels: inputChannels, outputChannels: outputChannels, width: width,
        modes: Array(repeating: modes, count: dimensions), projectionWidth: 2 * width, activation: .gelu,
        normalization: .none, padding: Array(repeating: 0, count: dimensions), coordinates: .periodic,
        liftingWidth: 2 * width, mixingWidth: max(1, width / 2))
    }

    /// Why no model has this configuration, or nil if one has.
    public var problem: String? {
      guard (1...3).contains(dimensions) else {
        return "an FNO has 1, 2 or 3 dimensions, not \(dimensions)"
      }
      for (name, value) in [
        ("inputChannels", inputChannels), ("outputChannels", outputChannels), ("width", width),
        ("layers", layers), ("projectionWidth", projectionWidth), ("liftingWidth", liftingWidth ?? 1),
        ("mixingWidth", mixingWidth ?? 1),
      ] where value < 1 {
        return "\(name) must be at least 1, not \(value)"
      }
      if modes.count != dimensions || modes.contains(where: { $0 < 1 }) {
        return "modes must be \(dimensions) positive numbers, not \(modes)"
      }
      if padding.count != dimensions || padding.contains(where: { $0 < 0 }) {
        return "padding must be \(dimensions) numbers of points, not \(padding)"
      }
      return nil
    }

    /// Why this model cannot be applied to fields on `grid`, or nil if it can.
    public func problem(grid: Shape) -> String? {
      if let problem { return problem }
      guard grid.count == dimensions else {
        return "the model is for grids of \(dimensions) axes, not \(grid)"
      }
      let padded = Shape(count: dimensions) { grid[$0] + padding[$0] }
      return TruncatedFourierTransform.problem(grid: padded, modes: Shape(modes)).map {
        padded == grid ? $0 : "\($0) (\(grid) points with a padding of \(padding))"
      }
    }
  }

  /// What the model is made from.
  public let configuration: Configuration
  /// From the input and coordinate channels to `width` channels: a `PointwiseLinear` or a `Perceptron`.
  public let lifting: any Module
  /// The Fourier layers, in order.
  public let layers: [FourierLayer]
  /// From `width` channels to the output.
  public let projection: Perceptron

  /// A model with fresh weights, the same for equal seeds.
  public init(_ configuration: Configuration, seed: UInt64) {
    if let problem = configuration.problem { preconditionFailure(problem) }
    self.configuration = configuration
    var initializer = Initializer(seed: seed)
    let coordinateCount = configuration.coordinates == .none ? 0 : configuration.dimensions
    let liftingInputs = configuration.inputChannels + coordinateCount
    if let hidden = configuration.liftingWidth {
      lifting = Perceptron(
        inputs: liftingInputs, hidden: hidden, outputs: configuration.width,
        activation: configuration.activation, using: &initializer)
    } else {
      lifting = PointwiseLinear(
        inputs: liftingInputs, outputs: configuration.width, using: &initializer)
    }
    layers = (0..<configuration.layers).map { index in
      FourierLayer(
        width: configuration.width, modes: configuration.modes,
        normalizes: configuration.normalization == .batch,
        activation: index < configuration.layers - 1 ? configuration.activation : .identity,
        skip: configuration.skip ?? .linear, mixingWidth: configuration.mixingWidth,
        mixingSkip: configuration.mixingSkip ?? .softGating,
        activatesTwice: configuration.activatesTwice ?? false, using: &initializer)
    }
    projection = Perceptron(
      inputs: configuration.width, hidden: configuration.projectionWidth,
      outputs: configuration.outputChannels, activation: configuration.activation, using: &initializer)
  }

  /// The output fields.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable { self(ChannelSelection(u), on: tape) }

  /// The output fields for an input that is made of channels of others.
  public func callAsFunction(_ u: ChannelSelection, on tape: Tape) -> Variable {
    // The projection is joined with the last layer where nothing is cropped between them.
    if isPadded || !isStack { return projection(hiddenFields(selectChannels(u), on: tape), on: tape) }
    return withStack(u, on: tape) { field, lifting, constants, layers in
      fourierLayers(
        field, lifting: lifting, constants: constants, layers, projection: projection.variables(on: tape))
    }
  }

  /// The loss of the output fields, found together with what the projection does.
  public func loss(_ u: Variable, comparedWith comparison: FieldComparison, on tape: Tape) -> FieldLoss {
    if isPadded || !isStack {
      return projection.loss(hiddenFields(u, on: tape), comparedWith: comparison, on: tape)
    }
    return withStack(ChannelSelection(u), on: tape) { field, lifting, constants, layers in
      fourierLayers(
        field, lifting: lifting, constants: constants, layers, projection: projection.variables(on: tape),
        comparedWith: comparison)
    }
  }

  private var isPadded: Bool { !configuration.padding.allSatisfy { $0 == 0 } }

  /// Whether there is nothing between the Fourier layers, so that they can be fused.
  private var isStack: Bool { layers.allSatisfy(\.isPlain) }

  /// Calls `body` with what fused Fourier layers take.
  private func withStack<Result>(
    _ u: ChannelSelection, on tape: Tape,
    _ body: (ChannelSelection, _ lifting: Variable?, _ constants: Tensor<Float>?, [FourierLayerVariables]) ->
      Result
  ) -> Result {
    precondition(
      u.shape.count == configuration.dimensions + 2 && u.shape[1] == configuration.inputChannels,
      "an FNO for \(configuration.inputChannels) channels in \(configuration.dimensions)-d got \(u.shape)")
    return idleLayerLists.withArray { variables in
      for layer in layers { variables.append(layer.variables(on: tape)) }
      let (field, lifting, constants) = entrance(u, on: tape)
      return body(field, lifting, constants, variables)
    }
  }

  /// What the first of the fused layers begins with.
  private func entrance(
    _ u: ChannelSelection, on tape: Tape
  ) -> (field: ChannelSelection, lifting: Variable?, constants: Tensor<Float>?) {
    // A linear lifting from fewer channels is joined with the first layer; its bias meets the channel of ones.
    let linear = (lifting as? PointwiseLinear).flatMap {
      $0.weight.value.shape[1] < configuration.width ? $0 : nil
    }
    if let linear, !isPadded {
      let constants = coordinateChannels(u.shape.dropFirst(2), configuration.coordinates, ones: true)
      return (u, linear.matrix(on: tape), constants)
    }
    // What is padded is padded with its coordinates.
    var v = appendCoordinates(selectChannels(u), configuration.coordinates, ones: linear != nil)
    if linear == nil { v = lifting(v, on: tape) }
    return (ChannelSelection(pad(v, by: Shape(configuration.padding))), linear?.matrix(on: tape), nil)
  }

  /// What the projection acts on.
  public func hiddenFields(_ u: Variable, on tape: Tape) -> Variable {
    let padding = Shape(configuration.padding)
    if isStack {
      return withStack(ChannelSelection(u), on: tape) { field, lifting, constants, layers in
        crop(fourierLayers(field, lifting: lifting, constants: constants, layers), by: padding)
      }
    }
    var v = pad(lifting(appendCoordinates(u, configuration.coordinates), on: tape), by: padding)
    for layer in layers { v = layer(v, on: tape) }
    return crop(v, by: padding)
  }
}

/// The memory of the lists that computations hand to fused layers.
private let idleLayerLists = IdleObjects<[FourierLayerVariables]>()
