import Tensors

/// The record of a computation, from which gradients are found by walking back.
///
/// An array of nodes with integer ids: sorted by construction, without the deep recursion of linked nodes
/// when it is freed. One tape serves one forward and at most one backward pass, on one thread; the
/// primitives use all threads inside. Every primitive is a whole block with a hand-written adjoint, so the
/// bookkeeping (about a microsecond per node) does not count.
public final class Tape {
  /// From the gradient of an operation's result to those of its inputs, in order, nil where none is needed.
  ///
  /// The gradient may be changed in place.
  public typealias Pullback = (_ gradient: consuming Tensor<Float>) -> [Tensor<Float>?]

  private enum Node {
    case leaf(Parameter)
    case operation(inputs: [Int], pullback: Pullback)
  }

  /// True while a model is trained: batch normalisation then uses and gathers the statistics of the batch.
  public let isTraining: Bool
  /// False on a tape that only computes values and keeps nothing.
  public let isRecording: Bool

  /// On a tracing tape, told the weight of every convolution and the shape of what it acts on.
  ///
  /// Convolutions then give zeros instead of computing anything.
  public let observer: ((_ weight: Parameter, _ shape: Shape) -> Void)?

  private var nodes: [Node] = []
  private var leaves: [ObjectIdentifier: Int] = [:]
  /// By the weight whose modes they are.
  private var transposedModes: [ObjectIdentifier: TransposedModes] = [:]

  /// A recording tape.
  ///
  /// - Parameter training: false for the gradient of a trained model, as in inverse problems.
  public init(training: Bool = true) {
    isTraining = training
    isRecording = true
    observer = nil
  }

  private init(observer: ((Parameter, Shape) -> Void)?) {
    isTraining = false
    isRecording = false
    self.observer = observer
  }

  /// A tape that records nothing: for predictions.
  public static var inference: Tape { Tape(observer: nil) }

  /// A tape that records nothing, for finding out which shapes the convolutions of a model meet.
  public static func tracing(_ observer: @escaping (_ weight: Parameter, _ shape: Shape) -> Void) -> Tape {
    Tape(observer: observer)
  }

  /// The number of nodes recorded so far.
  public var nodeCount: Int { nodes.count }

  /// The value of a parameter in this computation; its gradient is found if the parameter is trainable.
  public func callAsFunction(_ parameter: Parameter) -> Variable {
    guard isRecording, parameter.isTrainable else { return Variable(parameter.value) }
    let key = ObjectIdentifier(parameter)
    if let node = leaves[key] { return Variable(parameter.value, tape: self, node: node) }
    nodes.append(.leaf(parameter))
    leaves[key] = nodes.count - 1
    return Variable(parameter.value, tape: self, node: nodes.count - 1)
  }

  /// The transposed matrices of a weight's modes, for the way back of one more operation.
  func transposedModes(of weight: Tensor<Float>) -> TransposedModes {
    let modes = transposedModes[weight.identity] ?? TransposedModes(weight)
    transposedModes[weight.identity] = modes
    modes.addUse()
    return modes
  }

  func record(_ inputs: [Int], _ pullback: @escaping Pullback) -> Int {
    nodes.append(.operation(inputs: inputs, pullback: pullback))
    return nodes.count - 1
  }

  /// Adds the gradient of a scalar to the `gradient` of every trainable parameter that it depends on.
  ///
  /// Nodes are removed while walking back, so that activations are freed as soon as they have served; the
  /// tape is empty afterwards.
  public func backward(from loss: Variable) {
    precondition(loss.value.count == 1, "backward needs a scalar, not \(loss.shape)")
    backward(from: loss, gradient: Tensor(shape: loss.shape, repeating: 1))
  }

  /// The same for any scalar whose gradient with respect to `output`, of its shape, is known.
  public func backward(from output: Variable, gradient: Tensor<Float>) {
    precondition(output.tape === self && output.node < nodes.count, "backward needs a variable of this tape")
    precondition(gradient.shape == output.shape, "gradient \(gradient.shape) of a variable \(output.shape)")
    var gradients = [Tensor<Float>?](repeating: nil, count: nodes.count)
    gradients[output.node] = gradient
    while let node = nodes.popLast() {
      guard let gradient = gradients.removeLast() else { continue }
      switch node {
      case .leaf(let parameter): parameter.accumulate(gradient)
      case .operation(let inputs, let pullback):
        // Handed over, so that it is not copied when it is changed in place.
        let contributions = pullback(consume gradient)
        precondition(contributions.count == inputs.count, "a pullback must answer every input")
        for (input, contribution) in zip(inputs, contributions) {
          if input >= 0, let contribution { add(contribution, to: &gradients[input]) }
        }
      }
    }
    leaves = [:]
    transposedModes = [:]
  }
}

/// A value in a computation, and its place on the tape if gradients flow through it.
public struct Variable {
  /// The value.
  public let value: Tensor<Float>
  let tape: Tape?
  let node: Int

  /// The shape of the value: `[sample, channel, ...grid]` for fields.
  public var shape: Shape { value.shape }

  /// True if something trainable lies behind this variable.
  public var needsGradient: Bool { node >= 0 }

  /// A constant.
  public init(_ value: Tensor<Float>) {
    self.value = value
    tape = nil
    node = -1
  }

  init(_ value: Tensor<Float>, tape: Tape, node: Int) {
    self.value = value
    self.tape = tape
    self.node = node
  }

  /// The result of an operation on `inputs`; `pullback` is its adjoint.
  ///
  /// A constant, and `pullback` dropped, when no input needs a gradient.
  public init(_ value: Tensor<Float>, from inputs: [Variable], pullback: @escaping Tape.Pullback) {
    self.value = value
    let tape = inputs.lazy.compactMap(\.tape).first
    precondition(
      inputs.allSatisfy { $0.tape == nil || $0.tape === tape }, "the inputs belong to different tapes")
    self.tape = tape
    node = tape?.record(inputs.map(\.node), pullback) ?? -1
  }
}

/// What a pullback, which is called once, takes for itself: nobody else holds it then, so that it can be changed in
/// place.
final class HandOver<Value> {
  private var value: Value?

  init(_ value: Value) { self.value = value }

  /// The value, once.
  func take() -> Value {
    defer { value = nil }
    guard let value else { preconditionFailure("a pullback is called once") }
    return value
  }
}

/// The axes of a batch of fields.
struct FieldShape {
  let samples: Int
  let channels: Int
  let grid: Shape
  /// The number of grid points.
  let points: Int

  /// The number of elements of one sample.
  var sampleCount: Int { channels * points }

  init(_ shape: Shape) {
    precondition(shape.count >= 3, "\(shape) is not [sample, channel, ...grid]")
    samples = shape[0]
    channels = shape[1]
    grid = shape.dropFirst(2)
    points = grid.elementCount
  }

  /// The same samples and grid with another number of channels.
  func shape(channels: Int) -> Shape { [samples, channels] + grid }
}

/// Scratch memory of one thread inside one kernel call, aligned like a tensor.
func withScratch<Result>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Result) -> Result {
  let raw = MemoryPool.take(4 * count)
  defer { MemoryPool.putBack(raw, 4 * count) }
  return body(raw.bindMemory(to: Float.self, capacity: max(1, count)))
}

/// The sum over the first axis, in order: per-sample gradients of shared weights.
///
/// The order of the sum does not depend on the threads that computed the terms.
func sumOverFirstAxis(_ terms: Tensor<Float>, shape: Shape, from offset: Int = 0) -> Tensor<Float> {
  let stride = terms.count / max(1, terms.shape[0])
  return Tensor(shape: shape) { (sum: UnsafeMutableBufferPointer<Float>) in
    sum.update(repeating: 0)
    terms.withUnsafeBuffer { terms in
      for start in Swift.stride(from: offset, to: terms.count, by: stride) {
        Float.axpy(sum.count, 1, terms.baseAddress! + start, sum.baseAddress!)
      }
    }
  }
}

/// What stands for a tensor that is not wanted.
private let noNumbers = Tensor<Float>(shape: [0])

extension Tensor<Float> {
  /// No numbers: what stands for a tensor that is not wanted.
  static var empty: Tensor { noNumbers }
}

extension Tensor {
  /// Calls `body` with the start of the elements, for kernels.
  func start<Result>(_ body: (UnsafePointer<Scalar>) -> Result) -> Result {
    withUnsafeBuffer { body($0.baseAddress!) }
  }

  /// A tensor that `body` fills, all of it, through a pointer to its start.
  static func filled(_ shape: Shape, _ body: (UnsafeMutablePointer<Scalar>) -> Void) -> Tensor {
    Tensor(shape: shape) { body($0.baseAddress!) }
  }

  /// The same; without a shape, where it is not wanted, there is no tensor, and `body` gets no pointer.
  static func filled(
    wanted shape: Shape?, _ body: (UnsafeMutablePointer<Scalar>?) -> Void
  ) -> Tensor? {
    guard let shape else {
      body(nil)
      return nil
    }
    return .filled(shape) { body($0) }
  }
}
