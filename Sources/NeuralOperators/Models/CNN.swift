import Autodiff
import Tensors

/// The convolutional network of the XD paper: an FNO with convolutions in place of the spectral ones.
///
/// Input `[sample, inputChannels, ...grid]`, output `[sample, outputChannels, ...grid]` in one to three
/// dimensions, on any grid that holds half a kernel. Coordinates are appended to the input channels, the
/// lifting maps them to `width` channels, the layers act, the last one without activation, and the projection
/// maps each point through `projectionWidth` hidden channels to the output. Roberts et al., "Rethinking neural
/// operations for diverse tasks", NeurIPS 2021, section 4.2.
public struct CNN: ProjectedModel {
  /// What determines such a network but for its weights.
  public struct Configuration: Codable, Sendable, Equatable {
    /// The number of axes of the grid: 1 to 3.
    public var dimensions: Int
    /// The channels of the input, without coordinates.
    public var inputChannels: Int
    /// The channels of the output.
    public var outputChannels: Int
    /// The channels of every layer.
    public var width: Int
    /// The taps of the convolutions along every axis, odd numbers.
    public var kernel: [Int]
    /// The number of layers.
    public var layers: Int
    /// The hidden channels of the projection.
    public var projectionWidth: Int
    /// The activation of layers and projection.
    public var activation: Activation
    /// The normalisation of every layer.
    public var normalization: FNO.Configuration.Normalization
    /// What the convolutions see beyond the grid.
    public var paddingMode: ConvolutionGeometry.Padding
    /// The coordinates that are appended to the input channels.
    public var coordinates: Coordinates
    /// The distance of neighbouring taps; nil for 1.
    public var dilation: Int?
    /// Into how many groups of channels, that do not see each other, the convolutions divide them; nil for 1.
    public var groups: Int?
    /// Of a U-net, how grids become coarser; nil for maximum pooling.
    public var downsampling: UNet.Downsampling?
    /// Of a U-net, how they become finer again; nil for repeated values.
    public var upsampling: UNet.Upsampling?

    /// The paper's choices, unless told otherwise: ReLU, batch normalisation, circular padding.
    public init(
      dimensions: Int, inputChannels: Int = 1, outputChannels: Int = 1, width: Int, kernel: [Int],
      layers: Int = 4, projectionWidth: Int = 128, activation: Activation = .relu,
      normalization: FNO.Configuration.Normalization = .batch,
      paddingMode: ConvolutionGeometry.Padding = .circular, coordinates: Coordinates = .inclusive,
      dilation: Int? = nil, groups: Int? = nil, downsampling: UNet.Downsampling? = nil,
      upsampling: UNet.Upsampling? = nil
    ) {
      self.dimensions = dimensions
      self.inputChannels = inputChannels
      self.outputChannels = outputChannels
      self.width = width
      self.kernel = kernel
      self.layers = layers
      self.projectionWidth = projectionWidth
      self.activation = activation
      self.normalization = normalization
      self.paddingMode = paddingMode
      self.coordinates = coordinates
      self.dilation = dilation
      self.groups = groups
      self.downsampling = downsampling
      self.upsampling = upsampling
    }

    /// The convolutions, which keep the grid.
    public var geometry: ConvolutionGeometry {
      .same(
        kernel: kernel, paddingMode: paddingMode,
        dilation: dilation.map { Array(repeating: $0, count: kernel.count) },
        groups: groups ?? 1)
    }

    /// The backbone of the paper beside an FNO that keeps `modes`: kernels of one tap more.
    public static func backbone(
      dimensions: Int, inputChannels: Int = 1, outputChannels: Int = 1, width: Int, modes: Int
    ) -> Configuration {
      Configuration(
        dimensions: dimensions, inputChannels: inputChannels, outputChannels: outputChannels, width: width,
        kernel: Array(repeating: modes + 1, count: dimensions))
    }

    /// Why no model has this configuration, or nil if one has.
    public var problem: String? {
      guard (1...3).contains(dimensions) else { return "a CNN has 1 to 3 dimensions, not \(dimensions)" }
      for (name, value) in [
        ("inputChannels", inputChannels), ("outputChannels", outputChannels), ("width", width),
        ("layers", layers), ("projectionWidth", projectionWidth),
      ] where value < 1 {
        return "\(name) must be at least 1, not \(value)"
      }
      if kernel.count != dimensions || kernel.contains(where: { $0 < 1 || $0.isMultiple(of: 2) }) {
        return "kernel must be \(dimensions) odd numbers, not \(kernel)"
      }
      if let dilation, dilation < 1 { return "dilation must be at least 1, not \(dilation)" }
      if let groups, groups < 1 || !width.isMultiple(of: groups) {
        return "width must be a multiple of groups: \(width) channels are not \(groups) equal groups"
      }
      return nil
    }

    /// Why this model cannot be applied to fields on `grid`, or nil if it can.
    public func problem(grid: Shape) -> String? {
      if let problem { return problem }
      guard grid.count == dimensions else {
        return "the model is for grids of \(dimensions) axes, not \(grid)"
      }
      return geometry.problem(grid: grid)
    }
  }

  /// What the model is made from.
  public let configuration: Configuration
  /// From the input and coordinate channels to `width` channels.
  public let lifting: PointwiseLinear
  /// The layers, in order.
  public let layers: [ConvolutionLayer]
  /// From `width` channels to the output.
  public let projection: Perceptron

  /// A model with fresh weights, the same for equal seeds.
  public init(_ configuration: Configuration, seed: UInt64) {
    if let problem = configuration.problem { preconditionFailure(problem) }
    self.configuration = configuration
    var initializer = Initializer(seed: seed)
    lifting = configuration.lifting(using: &initializer)
    layers = (0..<configuration.layers).map { index in
      ConvolutionLayer(
        width: configuration.width, geometry: configuration.geometry,
        normalizes: configuration.normalization == .batch,
        activation: index < configuration.layers - 1 ? configuration.activation : .identity,
        using: &initializer)
    }
    projection = configuration.projection(using: &initializer)
  }

  /// What the projection acts on.
  public func hiddenFields(_ u: Variable, on tape: Tape) -> Variable {
    configuration.require(u)
    var v = lifting(appendCoordinates(u, configuration.coordinates), on: tape)
    for layer in layers { v = layer(v, on: tape) }
    return v
  }
}

/// What all convolutional networks have in common.
extension CNN.Configuration {
  /// From the input and coordinate channels to `width` channels.
  func lifting(using initializer: inout Initializer) -> PointwiseLinear {
    PointwiseLinear(
      inputs: inputChannels + (coordinates == .none ? 0 : dimensions), outputs: width, using: &initializer)
  }

  /// From `width` channels to the output.
  func projection(using initializer: inout Initializer) -> Perceptron {
    Perceptron(
      inputs: width, hidden: projectionWidth, outputs: outputChannels, activation: activation,
      using: &initializer)
  }

  /// Stops for fields that the model is not for.
  func require(_ u: Variable) {
    precondition(
      u.shape.count == dimensions + 2 && u.shape[1] == inputChannels,
      "a network for \(inputChannels) channels in \(dimensions)-d got \(u.shape)")
  }
}
