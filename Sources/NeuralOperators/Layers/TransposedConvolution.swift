import Autodiff
import Tensors

/// A transposed convolution, which can be turned into the XD-operation that begins as it.
///
/// Input `[sample, inputs, ...grid]`, output `[sample, outputs, ...]` on a grid that is finer by the stride; `weight`
/// `[inputs, outputs/groups, ...kernel]`, `bias` `[outputs]` if there is one, both U(±1/√fan), where fan =
/// outputs/groups · taps: PyTorch's shapes and law. A class, as `Convolution` is.
public final class TransposedConvolution: Module, XDConvertible {
  /// The kernels.
  public let weight: Parameter
  /// What is added to every output channel, if anything.
  public let bias: Parameter?
  /// K, L and M, once this is an XD-operation.
  public private(set) var architecture: XDArchitecture?
  /// Stride, padding and so on, of the convolution that this is the adjoint of.
  public let geometry: ConvolutionGeometry
  /// Points added at the ends of the output's axes.
  public let outputPadding: [Int]

  /// A transposed convolution with fresh weights.
  public init(
    inputs: Int, outputs: Int, geometry: ConvolutionGeometry, outputPadding: [Int]? = nil, hasBias: Bool,
    using initializer: inout Initializer
  ) {
    if let problem = geometry.problem { preconditionFailure(problem) }
    precondition(
      inputs % geometry.groups == 0 && outputs % geometry.groups == 0,
      "\(inputs) to \(outputs) channels in \(geometry.groups) groups")
    let shape: Shape = [inputs, outputs / geometry.groups] + geometry.kernel
    let fan = shape.dropFirst().elementCount
    weight = initializer.linear(shape, fanIn: fan)
    bias = hasBias ? initializer.linear([outputs], fanIn: fan) : nil
    self.geometry = geometry
    self.outputPadding = outputPadding ?? geometry.kernel.map { _ in 0 }
  }

  /// The transposed convolution, or the XD-operation that it has become.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    if let observer = tape.observer {
      observer(weight, u.shape)
      let grid = geometry.transposedGrid(u.shape.dropFirst(2), outputPadding: outputPadding)
      return Variable(Tensor(shape: [u.shape[0], weight.value.shape[1] * geometry.groups] + grid))
    }
    if let architecture {
      return architecture(
        u, filters: swapChannels(tape(weight), groups: geometry.groups), bias: bias, on: tape)
    }
    return transposedConvolution(
      u, weight: tape(weight), bias: bias.map { tape($0) }, geometry, outputPadding: outputPadding)
  }

  /// Becomes the XD-operation on a grid that begins as this transposed convolution.
  ///
  /// - Throws: `XDError` if there is none.
  public func becomeXD(_ configuration: XDConfiguration, grid: Shape) throws {
    architecture = try XDArchitecture(
      transposedConvolution: geometry, weightShape: weight.value.shape, outputPadding: outputPadding,
      grid: grid,
      configuration)
  }
}
