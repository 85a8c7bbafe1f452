import Autodiff
import Tensors

/// A part of a model, or a whole one: a map of fields with parameters.
///
/// Modules are structs that hold `Parameter`s and other modules; applying one means calling it with a tape.
/// The names of the properties are the names of the parameters in checkpoints: renaming one breaks old
/// checkpoints, so a test pins the names of every model.
public protocol Module {
  /// The value of this map at `u`, `[sample, channel, ...grid]`.
  func callAsFunction(_ u: Variable, on tape: Tape) -> Variable

  /// The value at a field that is made of channels of others; a model may take them from where they are.
  func callAsFunction(_ u: ChannelSelection, on tape: Tape) -> Variable

  /// The loss of the value at u; a model may find it together with what its last layer does.
  func loss(_ u: Variable, comparedWith comparison: FieldComparison, on tape: Tape) -> FieldLoss
}

extension Module {
  /// The value at the field, made before it.
  public func callAsFunction(_ u: ChannelSelection, on tape: Tape) -> Variable {
    self(selectChannels(u), on: tape)
  }

  /// The loss of the value, found after it.
  public func loss(_ u: Variable, comparedWith comparison: FieldComparison, on tape: Tape) -> FieldLoss {
    comparison.loss(of: self(u, on: tape))
  }

  /// Every parameter with its path, such as `layers.0.spectral.weight`, in the order of declaration.
  ///
  /// Found by reflection: call it once and keep the result.
  public var namedParameters: [(name: String, parameter: Parameter)] {
    parts(of: self) { $0 as? Parameter }.map { ($0.name, $0.part) }
  }

  /// Every parameter, in the order of `namedParameters`.
  public var parameters: [Parameter] { namedParameters.map(\.parameter) }

  /// The number of trainable real numbers.
  public var parameterCount: Int {
    parameters.reduce(0) { $0 + ($1.isTrainable ? $1.value.count : 0) }
  }
}

/// What `select` finds in a value and its properties, elements and so on, in order, with its path.
///
/// What has been selected is not searched further.
func parts<Part>(
  of value: Any, path: String = "", _ select: (Any) -> Part?
) -> [(name: String, part: Part)] {
  if let part = select(value) { return [(path, part)] }
  let mirror = Mirror(reflecting: value)
  if mirror.displayStyle == .optional {
    return mirror.children.flatMap { parts(of: $0.value, path: path, select) }
  }
  return mirror.children.enumerated().flatMap { index, child in
    let name = mirror.displayStyle == .collection ? String(index) : child.label ?? String(index)
    return parts(of: child.value, path: path.isEmpty ? name : "\(path).\(name)", select)
  }
}

/// Draws the initial weights of a model: every parameter from a generator of its own, in order of creation.
public struct Initializer {
  private let seed: UInt64
  private var parameterIndex = 0

  /// An initialiser for one model; equal seeds give equal weights.
  public init(seed: UInt64) { self.seed = seed }

  /// A parameter of independent numbers, uniform in `range`.
  public mutating func uniform(_ shape: Shape, in range: ClosedRange<Double>) -> Parameter {
    var random = Philox(seed: seed, stream: .weights, sample: parameterIndex)
    parameterIndex += 1
    let width = range.upperBound - range.lowerBound
    return Parameter(
      Tensor(shape: shape) { values in
        for index in values.indices {
          values[index] = Float(range.lowerBound + width * random.nextUniform())
        }
      })
  }

  /// A tensor of independent normal numbers with mean 0.
  public mutating func normal(_ shape: Shape, deviation: Double) -> Tensor<Float> {
    var random = Philox(seed: seed, stream: .weights, sample: parameterIndex)
    parameterIndex += 1
    return Tensor(
      shape: shape, scalars: random.normal(shape: shape).scalars.map { Float(deviation * $0) })
  }

  /// PyTorch's default for linear layers and convolutions: U(±1/√fanIn), for weights and biases alike.
  public mutating func linear(_ shape: Shape, fanIn: Int) -> Parameter {
    let bound = 1 / Double(fanIn).squareRoot()
    return uniform(shape, in: -bound...bound)
  }
}
