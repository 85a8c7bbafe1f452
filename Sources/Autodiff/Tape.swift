import Tensors

/// The record of a computation, from which gradients are found by walking back.
///
/// An array of nodes with integer ids: sorted by construction, without the deep recursion of linked nodes
/// when it is freed. One tape serves one forward and at most one backward pass at a time, on one thread; the
/// primitives use all threads inside. Every primitive is a whole block with a hand-written adjoint, so the
/// bookkeeping does not count. A tape that records the same computation again, as
/// training does, has the memory for that.
public final class Tape {
  /// From the gradient of an operation's result to those of its inputs, which go to `inputs`.
  ///
  /// Both what was saved and the gradient are handed over, and may be changed in place: what takes them must `consume` them.
  public typealias Pullback<Saved> = (
    _ saved: consuming Saved, _ gradient: consuming Tensor<Float>, _ inputs: InputGradients
  ) -> Void

  /// True while a model is trained: batch normalisation then uses and gathers the statistics of the batch.
  public let isTraining: Bool
  /// False on a tape that only computes values and keeps nothing.
  public let isRecording: Bool

  /// On a tracing tape, told the weight of every convolution and the shape of what it acts on.
  ///
  /// Convolutions then give zeros instead of computing anything.
  public let observer: ((_ weight: Parameter, _ shape: Shape) -> Void)?

  private enum Node {
    case leaf(Parameter)
    /// The next one of `operations`, and how many of `inputs` are its own.
    case operation(inputCount: Int)
  }

  private var nodes: [Node] = []
  /// The nodes that operations take, −1 for constants, operation by operation.
  private var inputs: [Int] = []
  /// The first are those of the nodes, the others are left from an earlier computation.
  private var operations: [RecordedOperation] = []
  private var operationCount = 0
  /// While walking back, those of the nodes.
  private var gradients: [Tensor<Float>?] = []
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

  /// The tape that records nothing: for predictions, on any thread, as nothing of it ever changes.
  public nonisolated(unsafe) static let inference = Tape(observer: nil)

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
    if let modes = transposedModes[weight.identity] {
      modes.addUse()
      return modes
    }
    let modes = TransposedModes.of(weight)
    transposedModes[weight.identity] = modes
    return modes
  }

  fileprivate func record<Saved>(
    _ variables: some Sequence<Variable>, _ saved: Saved, _ pullback: @escaping Pullback<Saved>
  ) -> Int {
    let firstInput = inputs.count
    for variable in variables { inputs.append(variable.node) }
    nodes.append(.operation(inputCount: inputs.count - firstInput))
    if operationCount < operations.count,
      let left = operations[operationCount] as? SavedOperation<Saved>
    {
      left.fill(saved, pullback)
    } else {
      let new = SavedOperation(saved, pullback)
      if operationCount < operations.count {
        operations[operationCount] = new
      } else {
        operations.append(new)
      }
    }
    operationCount += 1
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
    for node in nodes.indices { gradients.append(node == output.node ? gradient : nil) }
    while let node = nodes.popLast() {
      var gradient = gradients.removeLast()
      switch node {
      case .leaf(let parameter): if let gradient { parameter.accumulate(gradient) }
      case .operation(let inputCount):
        let range = inputs.count - inputCount..<inputs.count
        operationCount -= 1
        if gradient != nil {
          operations[operationCount].pullBack(&gradient, InputGradients(tape: self, range: range))
        } else {
          operations[operationCount].forget()
        }
        inputs.removeLast(inputCount)
      }
    }
    clear()
  }

  /// Removes what is recorded.
  public func clear() {
    for index in 0..<operationCount { operations[index].forget() }
    operationCount = 0
    nodes.removeAll(keepingCapacity: true)
    inputs.removeAll(keepingCapacity: true)
    leaves.removeAll(keepingCapacity: true)
    for modes in transposedModes.values { modes.release() }
    transposedModes.removeAll(keepingCapacity: true)
  }

  /// The gradients of an operation's inputs, where its adjoint puts them.
  public struct InputGradients {
    fileprivate let tape: Tape
    fileprivate let range: Range<Int>

    /// Whether the gradient of an input is needed.
    public func isNeeded(_ input: Int) -> Bool { tape.inputs[range.lowerBound + input] >= 0 }

    /// Whether that of any of these inputs is needed.
    public func areNeeded(_ inputs: Range<Int>) -> Bool { inputs.contains(where: isNeeded) }

    /// The gradient of an input, or a part of it: adds up.
    ///
    /// May be left out, and counts for nothing, where it is not needed.
    public func add(_ gradient: consuming Tensor<Float>?, to input: Int) {
      let node = tape.inputs[range.lowerBound + input]
      if node >= 0, let gradient { Autodiff.add(gradient, to: &tape.gradients[node]) }
    }
  }
}

/// The way back of an operation, on a tape.
private class RecordedOperation {
  /// Takes the gradient of the result.
  func pullBack(_ gradient: inout Tensor<Float>?, _ inputs: Tape.InputGradients) {}

  /// Lets go of what was saved.
  func forget() {}
}

private final class SavedOperation<Saved>: RecordedOperation {
  private var saved: Saved?
  private var pullback: Tape.Pullback<Saved>?

  init(_ saved: Saved, _ pullback: @escaping Tape.Pullback<Saved>) {
    self.saved = saved
    self.pullback = pullback
  }

  func fill(_ saved: Saved, _ pullback: @escaping Tape.Pullback<Saved>) {
    self.saved = saved
    self.pullback = pullback
  }

  override func pullBack(_ gradient: inout Tensor<Float>?, _ inputs: Tape.InputGradients) {
    // Nobody else holds them then, so that they can be changed in place.
    guard let saved = saved.take(), let gradient = gradient.take(), let pullback else {
      preconditionFailure("an operation goes back once")
    }
    self.pullback = nil
    pullback(consume saved, consume gradient, inputs)
  }

  override func forget() {
    saved = nil
    pullback = nil
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

  /// The same value as a constant.
  var withoutGradient: Variable { Variable(value) }

  fileprivate init(_ value: Tensor<Float>, tape: Tape, node: Int) {
    self.value = value
    self.tape = tape
    self.node = node
  }

  /// The result of an operation on one variable.
  public init<Saved>(
    _ value: Tensor<Float>, from input: Variable, saving saved: Saved,
    pullback: @escaping Tape.Pullback<Saved>
  ) {
    self.init(value, from: CollectionOfOne(input), saving: saved, pullback: pullback)
  }

  /// The result of an operation on `inputs`; `pullback` is its adjoint, which gets what it needs as `saved`.
  ///
  /// A constant, and both dropped, when no input needs a gradient. What is saved must not hold variables, which hold
  /// the tape. A closure that captures nothing takes no memory.
  public init<Saved>(
    _ value: Tensor<Float>, from inputs: some Sequence<Variable>, saving saved: Saved,
    pullback: @escaping Tape.Pullback<Saved>
  ) {
    self.value = value
    var tape: Tape?
    for input in inputs where input.node >= 0 {
      precondition(tape == nil || input.tape === tape, "the inputs belong to different tapes")
      tape = input.tape
    }
    self.tape = tape
    node = tape?.record(inputs, saved, pullback) ?? -1
  }
}

/// A few variables: what an operation depends on, without memory from the heap.
struct VariableList: Sequence, IteratorProtocol {
  private let variables: InlineArray<5, Variable?>
  private var position = 0

  init(
    _ first: Variable, _ second: Variable, _ third: Variable, _ fourth: Variable? = nil,
    _ fifth: Variable? = nil
  ) {
    variables = [first, second, third, fourth, fifth]
  }

  mutating func next() -> Variable? {
    guard position < variables.count else { return nil }
    defer { position += 1 }
    return variables[position]
  }
}

/// The axes of a batch of fields.
struct FieldShape: Equatable {
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
  MemoryPool.withMemory(of: Float.self, count, body)
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
