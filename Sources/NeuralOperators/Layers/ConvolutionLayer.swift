import Autodiff

/// One layer of a convolutional backbone: activation(normalisation(convolution(u) + W u + b)).
///
/// Input and output `[sample, width, ...grid]`: a Fourier layer with a convolution in place of the spectral one.
public struct ConvolutionLayer: Module {
  /// The part that acts across the grid, without a bias of its own.
  public let convolution: Convolution
  /// W and b, the part that acts at every point.
  public let skip: PointwiseLinear
  /// Batch normalisation, if any.
  public let normalization: BatchNormalization?
  /// The activation; `identity` in the last layer.
  public let activation: Activation

  /// A layer with fresh weights; the convolution must keep the grid.
  public init(
    width: Int, geometry: ConvolutionGeometry, normalizes: Bool, activation: Activation,
    using initializer: inout Initializer
  ) {
    convolution = Convolution(
      inputs: width, outputs: width, geometry: geometry, hasBias: false, using: &initializer)
    skip = PointwiseLinear(inputs: width, outputs: width, using: &initializer)
    normalization = normalizes ? BatchNormalization(channels: width) : nil
    self.activation = activation
  }

  /// The sum, normalised and activated.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    let sum = add(convolution(u, on: tape), skip(u, on: tape))
    return normalization.map { $0(sum, activation: activation, on: tape) }
      ?? Autodiff.activation(sum, activation)
  }
}
