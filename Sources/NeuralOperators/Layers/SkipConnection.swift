import Autodiff
import Tensors

/// What stands beside the spectral convolution of a Fourier layer: S u + b at every point of the grid.
///
/// S is a matrix, a diagonal one, the identity or nothing: the kinds of neuraloperator 2.0 (Kossaifi et al.). Input and
/// output `[sample, width, ...grid]`; `bias` `[width]` is there for every kind, as the spectral convolution has none.
public struct SkipConnection: Module {
  /// The kinds of matrices.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// Any matrix, `[width, width]`: a 1×1 convolution.
    case linear
    /// A diagonal one, `[width]`, which starts as the identity.
    case softGating = "soft-gating"
    /// The identity.
    case identity
    /// Zero.
    case none
  }

  /// The kind of S.
  public let kind: Kind
  /// The numbers of S that are trained: `[width, width]`, `[width]` or none.
  public let weight: Parameter?
  /// b, `[width]`.
  public let bias: Parameter

  /// A connection with fresh weights, U(±1/√width) but for the diagonal, which starts at 1.
  public init(_ kind: Kind, width: Int, using initializer: inout Initializer) {
    self.kind = kind
    weight =
      switch kind {
      case .linear: initializer.linear([width, width], fanIn: width)
      case .softGating: Parameter(Tensor(shape: [width], repeating: 1))
      case .identity, .none: nil
      }
    bias = initializer.linear([width], fanIn: width)
  }

  /// S as a matrix `[width, width]`.
  func matrix(on tape: Tape) -> Variable {
    let width = bias.value.count
    return switch (kind, weight) {
    case (.linear, let weight?): tape(weight)
    case (.softGating, let weight?): diagonalMatrix(tape(weight))
    case (.identity, _): diagonalMatrix(Variable(Tensor(shape: [width], repeating: 1)))
    default: Variable(Tensor(shape: [width, width]))
    }
  }

  /// S u + b.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    pointwiseLinear(u, weight: matrix(on: tape), bias: tape(bias))
  }
}
