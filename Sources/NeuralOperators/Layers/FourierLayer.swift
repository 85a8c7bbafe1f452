import Autodiff

/// One layer of an FNO: activation(normalisation(spectral convolution(u) + S u + b)), and in neuraloperator's form
/// a mixing of the channels behind it, or none, and the activation once more.
///
/// Input and output `[sample, width, ...grid]`.
public struct FourierLayer: Module {
  /// The part that acts across the grid.
  public let spectral: SpectralConvolution
  /// S and b, the part that acts at every point.
  public let skip: SkipConnection
  /// Batch normalisation, if any.
  public let normalization: BatchNormalization?
  /// The mixing of the channels, if any.
  public let mixing: ChannelMixing?
  /// The activation; `identity` in the last layer.
  public let activation: Activation
  /// Whether a layer without mixing activates twice.
  public let activatesTwice: Bool

  /// A layer with fresh weights; `mixingWidth` is that of the hidden channels of the mixing.
  public init(
    width: Int, modes: [Int], normalizes: Bool, activation: Activation,
    skip skipKind: SkipConnection.Kind = .linear, mixingWidth: Int? = nil,
    mixingSkip: SkipConnection.Kind = .softGating, activatesTwice: Bool = false,
    using initializer: inout Initializer
  ) {
    spectral = SpectralConvolution(inputs: width, outputs: width, modes: modes, using: &initializer)
    skip = SkipConnection(skipKind, width: width, using: &initializer)
    normalization = normalizes ? BatchNormalization(channels: width) : nil
    mixing = mixingWidth.map {
      ChannelMixing(width: width, hidden: $0, skip: mixingSkip, using: &initializer)
    }
    self.activation = activation
    self.activatesTwice = activatesTwice
  }

  /// Whether `variables` is all there is to this layer.
  var isPlain: Bool { normalization == nil && mixing == nil && !activatesTwice }

  /// What `fourierLayers` takes.
  func variables(on tape: Tape) -> FourierLayerVariables {
    FourierLayerVariables(
      weight: tape(spectral.weight), skipWeight: skip.matrix(on: tape), skipBias: tape(skip.bias),
      activation: activation)
  }

  /// One fused operation, or, with normalisation, two; and the mixing.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    var v = fourierLayer(
      u, weight: tape(spectral.weight), skipWeight: skip.matrix(on: tape), skipBias: tape(skip.bias),
      activation: normalization == nil ? activation : .identity)
    if let normalization { v = normalization(v, activation: activation, on: tape) }
    if let mixing { v = mixing(v, skip: u, on: tape) }
    return mixing != nil || activatesTwice ? Autodiff.activation(v, activation) : v
  }
}
