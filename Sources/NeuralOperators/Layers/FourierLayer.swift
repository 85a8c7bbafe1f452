import Autodiff

/// One layer of an FNO: activation(normalisation(spectral convolution(u) + W u + b)), and in neuraloperator's form
/// a mixing of the channels behind it, with an activation of its own.
///
/// Input and output `[sample, width, ...grid]`.
public struct FourierLayer: Module {
  /// The part that acts across the grid.
  public let spectral: SpectralConvolution
  /// W and b, the part that acts at every point.
  public let skip: PointwiseLinear
  /// Batch normalisation, if any.
  public let normalization: BatchNormalization?
  /// The mixing of the channels, if any.
  public let mixing: ChannelMixing?
  /// The activation; `identity` in the last layer.
  public let activation: Activation

  /// A layer with fresh weights; `mixingWidth` is that of the hidden channels of the mixing.
  public init(
    width: Int, modes: [Int], normalizes: Bool, activation: Activation, mixingWidth: Int? = nil,
    mixingActivation: Activation = .gelu, using initializer: inout Initializer
  ) {
    spectral = SpectralConvolution(inputs: width, outputs: width, modes: modes, using: &initializer)
    skip = PointwiseLinear(inputs: width, outputs: width, using: &initializer)
    normalization = normalizes ? BatchNormalization(channels: width) : nil
    mixing = mixingWidth.map {
      ChannelMixing(width: width, hidden: $0, activation: mixingActivation, using: &initializer)
    }
    self.activation = activation
  }

  /// What `fourierLayers` takes, or nil if there is more to this layer.
  func variables(on tape: Tape) -> FourierLayerVariables? {
    guard normalization == nil && mixing == nil else { return nil }
    return FourierLayerVariables(
      weight: tape(spectral.weight), skipWeight: tape(skip.weight), skipBias: tape(skip.bias),
      activation: activation)
  }

  /// One fused operation, or, with normalisation, two; and the mixing.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    var v = fourierLayer(
      u, weight: tape(spectral.weight), skipWeight: tape(skip.weight), skipBias: tape(skip.bias),
      activation: normalization == nil ? activation : .identity)
    if let normalization { v = normalization(v, activation: activation, on: tape) }
    if let mixing { v = Autodiff.activation(mixing(v, skip: u, on: tape), activation) }
    return v
  }
}
