import Autodiff

/// A residual network on one grid: lifting, blocks u ← activation(u + two convolutions of u), projection.
///
/// Input `[sample, inputChannels, ...grid]`, output `[sample, outputChannels, ...grid]` in one to three
/// dimensions. A `CNN.Configuration` says all, where `layers` is the number of blocks. No strides, as outputs are
/// fields. He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016.
public struct ResNet: ProjectedModel {
  /// What the model is made from.
  public let configuration: CNN.Configuration
  /// From the input and coordinate channels to `width` channels.
  public let lifting: PointwiseLinear
  /// The convolutions of the blocks, in order.
  public let blocks: [DoubleConvolution]
  /// From `width` channels to the output.
  public let projection: Perceptron

  /// A model with fresh weights, the same for equal seeds.
  public init(_ configuration: CNN.Configuration, seed: UInt64) {
    if let problem = configuration.problem { preconditionFailure(problem) }
    self.configuration = configuration
    var initializer = Initializer(seed: seed)
    lifting = configuration.lifting(using: &initializer)
    blocks = (0..<configuration.layers).map { _ in
      DoubleConvolution(
        configuration, inputs: configuration.width, outputs: configuration.width, lastActivation: .identity,
        using: &initializer)
    }
    projection = configuration.projection(using: &initializer)
  }

  /// What the projection acts on.
  public func hiddenFields(_ u: Variable, on tape: Tape) -> Variable {
    configuration.require(u)
    var v = lifting(appendCoordinates(u, configuration.coordinates), on: tape)
    for block in blocks { v = activation(add(v, block(v, on: tape)), configuration.activation) }
    return v
  }
}
