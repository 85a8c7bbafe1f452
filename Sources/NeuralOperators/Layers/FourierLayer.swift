import Autodiff

/// One layer of an FNO: activation(normalisation(spectral convolution(u) + W u + b)).
///
/// Input and output `[sample, width, ...grid]`.
public struct FourierLayer: Module {
  /// The part that acts across the grid.
  public let spectral: SpectralConvolution
  /// W and b, the part that acts at every point.
  public let skip: PointwiseLinear
  /// Batch normalisation, if any.
  public let normalization: BatchNormalization?
  /// The activation; `identity` in the last layer.
  public let activation: Activation

  /// A layer with fresh weights.
  public init(
    width: Int, modes: [Int], normalizes: Bool, activation: Activation, using initializer: inout Initializer
  ) {
    spectral = SpectralConvolution(inputs: width, outputs: width, modes: modes, using: &initializer)
    skip = PointwiseLinear(inputs: width, outputs: width, using: &initializer)
    normalization = normalizes ? BatchNormalization(channels: width) : nil
    self.activation = activation
  }

  /// One fused operation, or, with normalisation, two.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    let fused = fourierLayer(
      u, weight: tape(spectral.weight), skipWeight: tape(skip.weight), skipBias: tape(skip.bias),
      activation: normalization == nil ? activation : .identity)
    return normalization.map { $0(fused, activation: activation, on: tape) } ?? fused
  }
}
