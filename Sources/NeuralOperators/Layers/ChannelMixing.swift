import Autodiff
import Tensors

/// What neuraloperator's block has behind its Fourier layer: perceptron(v) + gate · u, where u is the input of the
/// block and v the output of the Fourier layer, both `[sample, width, ...grid]`.
///
/// `gate` `[width]` starts at 1. Kossaifi et al., neuraloperator 2.0.
public struct ChannelMixing: Module {
  /// The map of the channels at every point.
  public let perceptron: Perceptron
  /// The factors of the block's input.
  public let gate: Parameter

  /// A mixing with fresh weights.
  public init(width: Int, hidden: Int, activation: Activation, using initializer: inout Initializer) {
    perceptron = Perceptron(
      inputs: width, hidden: hidden, outputs: width, activation: activation, using: &initializer)
    gate = Parameter(Tensor(shape: [width], repeating: 1))
  }

  /// perceptron(u) + gate · u.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable { self(u, skip: u, on: tape) }

  /// perceptron(v) + gate · u.
  public func callAsFunction(_ v: Variable, skip u: Variable, on tape: Tape) -> Variable {
    add(perceptron(v, on: tape), channelScaling(u, scale: tape(gate)))
  }
}
