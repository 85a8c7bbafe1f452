import Autodiff
import Datasets
import NeuralOperators
import Tensors

/// The weights of a trained model on their way into a new one, for another viscosity, resolution or equation.
///
/// All parameters are taken, running statistics among them. The K-matrices of XD-operations belong to a grid: a
/// layer some of whose K-matrices are missing or have another size keeps its filters and begins as the
/// convolution with them, so an XD model may also begin as a trained network of convolutions. If any other
/// parameter does not fit, nothing is taken.
public struct WeightTransfer: Sendable {
  /// The parameters that are taken.
  public let kept: [(name: String, value: Tensor<Float>)]
  /// The layers whose K-matrices begin anew, as `layers.0.convolution`.
  public let renewedLayers: [String]
  /// The CRC-32 of the weights in the checkpoint: the little-endian bytes in the order of their names.
  public let checksum: UInt32

  /// Weights of a checkpoint, their averages if it has any, for a model of the given configuration.
  ///
  /// - Throws: `TrainingError.mismatchedWeights` with every missing, unknown and misshapen name.
  public init(_ checkpoint: Checkpoint, to model: ModelConfiguration) throws {
    let source = checkpoint.averages.isEmpty ? checkpoint.weights : checkpoint.averages
    let values = Dictionary(source.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    let target = model.makeModel(seed: 0).namedParameters
    func fits(_ name: String, _ parameter: Parameter) -> Bool {
      values[name]?.shape == parameter.value.shape
    }
    var renewed: [String] = []
    for (name, parameter) in target where parameter.role == .architecture && !fits(name, parameter) {
      guard let layer = Self.layer(ofMatrix: name), renewed.last != layer else { continue }
      renewed.append(layer)
    }
    func isRenewed(_ name: String) -> Bool { Self.layer(ofMatrix: name).map(renewed.contains) ?? false }
    let wanted = target.filter { !isRenewed($0.name) }
    let arrays = source.filter { !isRenewed($0.name) }
    let ordered = try Checkpoint.ordered(
      arrays, like: wanted.map { ($0.name, $0.parameter.value.shape) }, path: checkpoint.path)
    kept = zip(wanted, ordered).map { ($0.name, $1) }
    renewedLayers = renewed
    var checksum = Checksum()
    for (_, value) in source.sorted(by: { $0.name < $1.name }) {
      value.withUnsafeBuffer { checksum.update(UnsafeRawBufferPointer($0)) }
    }
    self.checksum = checksum.value
  }

  /// The path of the layer that a K-matrix belongs to, or nil for the name of another parameter.
  private static func layer(ofMatrix name: String) -> String? {
    name.firstRange(of: ".architecture.").map { String(name[..<$0.lowerBound]) }
  }

  /// Gives a model the parameters that are taken.
  func apply(to parameters: [(name: String, parameter: Parameter)]) {
    let values = Dictionary(uniqueKeysWithValues: kept.map { ($0.name, $0.value) })
    for (name, parameter) in parameters {
      if let value = values[name] { parameter.value = value }
    }
  }
}
