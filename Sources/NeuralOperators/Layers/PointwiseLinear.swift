import Autodiff

/// A linear map of the channels at every grid point: y = W u + b, a 1×1 convolution.
///
/// Input `[sample, inputs, ...grid]`, output `[sample, outputs, ...grid]`; `weight` `[outputs, inputs]`, `bias`
/// `[outputs]`, both U(±1/√inputs).
public struct PointwiseLinear: Module {
  /// W, `[outputs, inputs]`.
  public let weight: Parameter
  /// b, `[outputs]`.
  public let bias: Parameter

  /// A map with fresh weights.
  public init(inputs: Int, outputs: Int, using initializer: inout Initializer) {
    weight = initializer.linear([outputs, inputs], fanIn: inputs)
    bias = initializer.linear([outputs], fanIn: inputs)
  }

  /// [W | b], which acts on fields with a channel of ones behind their own.
  func matrix(on tape: Tape) -> Variable { joinBias(weight: tape(weight), bias: tape(bias)) }

  /// W u + b.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    pointwiseLinear(u, weight: tape(weight), bias: tape(bias))
  }
}
