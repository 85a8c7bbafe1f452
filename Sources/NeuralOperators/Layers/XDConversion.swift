import Autodiff
import Tensors

/// A layer that can become an XD-operation and keeps its weights.
public protocol XDConvertible: AnyObject {
  /// The weights, by which the layer is known to a tracing tape.
  var weight: Parameter { get }

  /// Becomes the XD-operation on a grid that begins as this layer.
  ///
  /// - Throws: `XDError` if there is none.
  func becomeXD(_ configuration: XDConfiguration, grid: Shape) throws
}

/// Why something cannot be an XD-operation.
public struct XDError: Error, Equatable, CustomStringConvertible {
  /// The reason, in one line.
  public let description: String

  init(_ description: String) { self.description = description }
}

extension Module {
  /// Every layer that can become an XD-operation, with its path.
  public var convertibleLayers: [(name: String, layer: any XDConvertible)] {
    parts(of: self) { $0 as? any XDConvertible }.map { ($0.name, $0.part) }
  }

  /// Turns convolutions, all of them or those named, into XD-operations that begin as these convolutions.
  ///
  /// The weights stay the same parameters under the same names, so the model gives the same results as before
  /// (but see `XDConfiguration.circularPadding`); from now on it is for one grid only.
  /// - Parameters:
  ///   - channels: those of the model's input.
  ///   - grid: that of the model's input; on which grid each convolution works is found by tracing.
  ///   - names: paths such as `layers.0.convolution`; nil for all.
  /// - Throws: `XDError` before anything is changed if a name is unknown, a convolution is not used, or one
  ///   does not fit its grid.
  public func convertConvolutions(
    _ configuration: XDConfiguration, channels: Int, grid: Shape, named names: [String]? = nil
  ) throws {
    if let problem = configuration.problem { throw XDError(problem) }
    let layers = convertibleLayers
    let unknown = (names ?? []).filter { name in !layers.contains { $0.name == name } }
    guard unknown.isEmpty else {
      throw XDError(
        "no convolution is called \(unknown.joined(separator: ", ")); there are "
          + layers.map(\.name).joined(separator: ", "))
    }
    var grids: [ObjectIdentifier: Shape] = [:]
    let tape = Tape.tracing { grids[ObjectIdentifier($0)] = $1.dropFirst(2) }
    _ = self(Variable(Tensor(shape: [1, channels] + grid)), on: tape)
    let chosen = layers.filter { names?.contains($0.name) ?? true }
    guard !chosen.isEmpty else { throw XDError("the model has no convolution") }
    for (name, layer) in chosen {
      guard let grid = grids[ObjectIdentifier(layer.weight)] else {
        throw XDError("the convolution \(name) takes no part in the model")
      }
      do { try layer.becomeXD(configuration, grid: grid) } catch let error as XDError {
        throw XDError("\(name): \(error)")
      }
    }
  }
}
