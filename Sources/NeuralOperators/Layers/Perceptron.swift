import Autodiff

/// Two linear maps of the channels at every grid point with an activation between them.
///
/// Input `[sample, inputs, ...grid]`, output `[sample, outputs, ...grid]`; both maps are initialised as
/// `PointwiseLinear`.
public struct Perceptron: Module {
  /// From the inputs to the hidden channels.
  public let hidden: PointwiseLinear
  /// From the hidden channels to the outputs.
  public let output: PointwiseLinear
  /// What lies between.
  public let activation: Activation

  /// A perceptron with fresh weights.
  public init(
    inputs: Int, hidden: Int, outputs: Int, activation: Activation, using initializer: inout Initializer
  ) {
    self.hidden = PointwiseLinear(inputs: inputs, outputs: hidden, using: &initializer)
    output = PointwiseLinear(inputs: hidden, outputs: outputs, using: &initializer)
    self.activation = activation
  }

  /// The parameters on a tape.
  func variables(on tape: Tape) -> PerceptronVariables {
    PerceptronVariables(
      hiddenWeight: tape(hidden.weight), hiddenBias: tape(hidden.bias), weight: tape(output.weight),
      bias: tape(output.bias), activation: activation)
  }

  /// W₂ activation(W₁ u + b₁) + b₂, fused.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    perceptron(u, variables(on: tape))
  }
  /// The loss of that, for which the hidden values are made once where that is possible.
  public func loss(_ u: Variable, comparedWith comparison: FieldComparison, on tape: Tape) -> FieldLoss {
    perceptron(u, variables(on: tape), comparedWith: comparison)
  }
}
