import Autodiff
import Tensors

/// What neuraloperator's block has behind its Fourier layer: perceptron(v) + S u, where u is the input of the block and
/// v the output of the Fourier layer, both `[sample, width, ...grid]`.
///
/// S is one of the matrices of a `SkipConnection`. The perceptron's activation is GELU whatever that of the model, as
/// there. Kossaifi et al., neuraloperator 2.0.
public struct ChannelMixing: Module {
  /// The map of the channels at every point.
  public let perceptron: Perceptron
  /// The kind of S.
  public let skip: SkipConnection.Kind
  /// The diagonal of S, `[width]`, of soft gating; starts at 1.
  public let gate: Parameter?
  /// S, `[width, width]`, of a linear skip connection.
  public let skipWeight: Parameter?

  /// A mixing with fresh weights.
  public init(
    width: Int, hidden: Int, skip: SkipConnection.Kind = .softGating, using initializer: inout Initializer
  ) {
    perceptron = Perceptron(
      inputs: width, hidden: hidden, outputs: width, activation: .gelu, using: &initializer)
    self.skip = skip
    gate = skip == .softGating ? Parameter(Tensor(shape: [width], repeating: 1)) : nil
    skipWeight = skip == .linear ? initializer.linear([width, width], fanIn: width) : nil
  }

  /// perceptron(u) + S u.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable { self(u, skip: u, on: tape) }

  /// perceptron(v) + S u.
  public func callAsFunction(_ v: Variable, skip u: Variable, on tape: Tape) -> Variable {
    let mixed = perceptron(v, on: tape)
    if let gate { return add(mixed, channelScaling(u, scale: tape(gate))) }
    if let skipWeight {
      let bias = Variable(Tensor(shape: [skipWeight.value.shape[0]]))
      return add(mixed, pointwiseLinear(u, weight: tape(skipWeight), bias: bias))
    }
    return skip == .identity ? add(mixed, u) : mixed
  }
}
