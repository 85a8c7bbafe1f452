import Autodiff
import Tensors

/// A convolution, which can be turned into the XD-operation that begins as that convolution.
///
/// Input `[sample, inputs, ...grid]`, output `[sample, outputs, ...]`; `weight` `[outputs, inputs/groups,
/// ...kernel]`, `bias` `[outputs]` if there is one, both U(±1/√fan), where fan = inputs/groups · taps: PyTorch's
/// shapes and law. A class, because `becomeXD` changes how it computes while the model that holds it stays
/// as it is; the weight stays the same parameter under the same name.
public final class Convolution: Module, XDConvertible {
  /// The kernels.
  public let weight: Parameter
  /// What is added to every output channel, if anything.
  public let bias: Parameter?
  /// K, L and M, once this is an XD-operation.
  public private(set) var architecture: XDArchitecture?
  /// Stride, padding and so on.
  public let geometry: ConvolutionGeometry

  /// A convolution with fresh weights.
  public init(
    inputs: Int, outputs: Int, geometry: ConvolutionGeometry, hasBias: Bool,
    using initializer: inout Initializer
  ) {
    if let problem = geometry.problem { preconditionFailure(problem) }
    precondition(
      inputs % geometry.groups == 0 && outputs % geometry.groups == 0,
      "\(inputs) to \(outputs) channels in \(geometry.groups) groups")
    let shape: Shape = [outputs, inputs / geometry.groups] + geometry.kernel
    let fan = shape.dropFirst().elementCount
    weight = initializer.linear(shape, fanIn: fan)
    bias = hasBias ? initializer.linear([outputs], fanIn: fan) : nil
    self.geometry = geometry
  }

  /// The convolution, or the XD-operation that it has become.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    if let observer = tape.observer {
      observer(weight, u.shape)
      let grid = geometry.outputGrid(u.shape.dropFirst(2))
      return Variable(Tensor(shape: [u.shape[0], weight.value.shape[0]] + grid))
    }
    if let architecture { return architecture(u, filters: tape(weight), bias: bias, on: tape) }
    return convolution(u, weight: tape(weight), bias: bias.map { tape($0) }, geometry)
  }

  /// Becomes the XD-operation on a grid that begins as this convolution.
  ///
  /// - Throws: `XDError` if the convolution does not fit the grid.
  public func becomeXD(_ configuration: XDConfiguration, grid: Shape) throws {
    architecture = try XDArchitecture(
      convolution: geometry, weightShape: weight.value.shape, grid: grid, configuration)
  }
}
