import Autodiff

/// activation(normalisation(convolution(u))): what residual networks and U-nets are made of.
///
/// Input `[sample, inputs, ...grid]`, output `[sample, outputs, ...grid]`. The convolution has a bias where no
/// normalisation would remove it.
public struct ConvolutionUnit: Module {
  /// The convolution.
  public let convolution: Convolution
  /// Batch normalisation, if any.
  public let normalization: BatchNormalization?
  /// The activation.
  public let activation: Activation

  /// A unit with fresh weights, with kernel, padding and normalisation of a network.
  init(
    _ network: CNN.Configuration, inputs: Int, outputs: Int, activation: Activation,
    using initializer: inout Initializer
  ) {
    let normalizes = network.normalization == .batch
    convolution = Convolution(
      inputs: inputs, outputs: outputs, geometry: network.geometry, hasBias: !normalizes,
      using: &initializer)
    normalization = normalizes ? BatchNormalization(channels: outputs) : nil
    self.activation = activation
  }

  /// The convolution, normalised and activated.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    let v = convolution(u, on: tape)
    return normalization.map { $0(v, activation: activation, on: tape) } ?? Autodiff.activation(v, activation)
  }
}

/// Two units after one another.
public struct DoubleConvolution: Module {
  /// The unit that acts first.
  public let first: ConvolutionUnit
  /// The unit that acts on its result.
  public let second: ConvolutionUnit

  /// Units with fresh weights; the second has the activation that is given.
  init(
    _ network: CNN.Configuration, inputs: Int, outputs: Int, lastActivation: Activation,
    using initializer: inout Initializer
  ) {
    first = ConvolutionUnit(
      network, inputs: inputs, outputs: outputs, activation: network.activation, using: &initializer)
    second = ConvolutionUnit(
      network, inputs: outputs, outputs: outputs, activation: lastActivation, using: &initializer)
  }

  /// The second unit at the result of the first.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    second(first(u, on: tape), on: tape)
  }
}
