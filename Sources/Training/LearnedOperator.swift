import Autodiff
import NeuralOperators
import Solvers
import Tensors

/// A trained model as a solution operator: physical inputs to physical outputs.
///
/// Normalisation is inside; nothing is recorded. A batch is computed in parallel; several threads may also
/// each call it with batches of their own.
public struct LearnedOperator: TangentOperator {
  /// A model that nobody changes any more, and may therefore be shared.
  private final class FixedModel: @unchecked Sendable {
    let module: any Module

    /// With the memory of computations that are done.
    let passes = IdleObjects<ForwardPass>()
    let lists = IdleObjects<[ForwardPass]>()

    init(_ module: any Module) {
      // Gradients are wanted with respect to inputs only: nothing is spent on those of the weights.
      for parameter in module.parameters { parameter.isTrainable = false }
      self.module = module
    }
  }

  /// A computation of the model whose way back is still to come.
  private final class ForwardPass {
    private let tape = Tape(training: false)
    private let input = Parameter(Tensor(shape: [0]))
    private var result: Variable?

    /// The outputs for some inputs.
    func begin(_ learned: LearnedOperator, _ inputs: Tensor<Double>) -> Tensor<Float> {
      input.value = Tensor<Float>(converting: inputs)
      let output = learned.output(tape(input), on: tape)
      result = output
      return output.value
    }

    /// The gradient of Σ cotangent · output with respect to the input.
    func gradient(_ cotangents: Tensor<Double>) -> Tensor<Float> {
      guard let output = result.take() else {
        preconditionFailure("there is no computation to go back through")
      }
      if output.needsGradient {
        tape.backward(from: output, gradient: Tensor<Float>(converting: cotangents))
      }
      return input.gradient.take() ?? Tensor(shape: input.value.shape)
    }

    /// Lets go of the computation.
    func clear() {
      tape.clear()
      result = nil
      input.value = Tensor(shape: [0])
    }
  }

  /// The largest batch whose gradients are computed at once; bounds the memory.
  private static let largestBatch = 32
  /// The largest part of it that one thread takes through the whole model.
  ///
  /// What one layer writes is still in the cache when the next one reads it. Two samples share the reading of
  /// weights.
  private static let largestPart = 2

  /// The model's configuration.
  public let configuration: ModelConfiguration
  /// The normalisation of the inputs, if any.
  public let inputScaling: FieldScaling?
  /// The normalisation of the outputs, if any.
  public let outputScaling: FieldScaling?

  private let model: FixedModel

  /// The model of a checkpoint.
  ///
  /// - Throws: `TrainingError.mismatchedWeights` if the checkpoint's weights are not those of its model.
  public init(_ checkpoint: Checkpoint) throws {
    configuration = checkpoint.model
    inputScaling = checkpoint.inputScaling
    outputScaling = checkpoint.outputScaling
    model = FixedModel(try checkpoint.makeModel())
  }

  /// The model of a checkpoint file, such as `checkpoints/best` of a run.
  ///
  /// - Throws: `TrainingError` or `HDF5Error` if the file cannot be read.
  public init(contentsOf path: String) throws { try self.init(Checkpoint(contentsOf: path)) }

  /// Why the operator cannot be applied to fields on `grid`, or nil if it can.
  public func problem(grid: Shape) -> String? {
    configuration.problem(grid: grid)
      ?? inputScaling?.problem(channels: configuration.inputChannels, grid: grid)
      ?? outputScaling?.problem(channels: configuration.outputChannels, grid: grid)
  }

  /// The model's outputs for `[sample, channel, ...grid]`, in physical units.
  ///
  /// - Throws: `TrainingError.invalidData` for fields that the model cannot take.
  public func callAsFunction(_ inputs: Tensor<Double>) throws -> Tensor<Double> {
    let shape = try outputShape(inputs)
    return Tensor(shape: shape) { result in
      nonisolated(unsafe) let result = result
      let parts = parts(of: 0..<shape[0])
      parallelForEach(parts.count) { part, _ in
        let fields = Tensor<Float>(converting: inputs[first: parts[part]])
        let outputs = output(Variable(fields), on: .inference).value
        write(outputs, into: result, at: parts[part], of: shape)
      }
    }
  }

  /// The model's outputs, and the gradients with respect to its inputs of Σ cotangent · output.
  ///
  /// In physical units throughout; exact derivatives of the single-precision computation.
  /// - Throws: `TrainingError.invalidData` for fields that the model cannot take, and what `cotangents` throws.
  public func vectorJacobianProducts(
    _ inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    let shape = try outputShape(inputs)
    var solutions = Tensor<Double>(shape: shape)
    var products = Tensor<Double>(shape: inputs.shape)
    for batch in batches(of: inputs) {
      let parts = parts(of: batch)
      try model.lists.withArray { passes in
        for _ in parts.indices { passes.append(model.passes.take { ForwardPass() }) }
        defer {
          for pass in passes {
            pass.clear()
            model.passes.putBack(pass)
          }
        }
        nonisolated(unsafe) let taken = passes
        solutions.withUnsafeMutableBuffer { solutions in
          nonisolated(unsafe) let solutions = solutions
          parallelForEach(parts.count) { index, _ in
            let outputs = taken[index].begin(self, inputs[first: parts[index]])
            write(outputs, into: solutions, at: parts[index], of: shape)
          }
        }
        let weights = try cotangents(solutions[first: batch], batch)
        precondition(
          weights.shape == [batch.count] + shape.dropFirst(),
          "cotangents \(weights.shape) of outputs \(shape)")
        products.withUnsafeMutableBuffer { products in
          nonisolated(unsafe) let products = products
          parallelForEach(parts.count) { index, _ in
            let start = parts[index].lowerBound - batch.lowerBound
            let gradient = taken[index].gradient(weights[first: start..<start + parts[index].count])
            write(gradient, into: products, at: parts[index], of: inputs.shape)
          }
        }
      }
    }
    return (solutions, products)
  }

  /// The model's outputs, and their derivatives along `directions` by symmetric differences: `SymmetricDifference`.
  ///
  /// - Throws: `TrainingError.invalidData` for fields that the model cannot take.
  public func jacobianVectorProducts(
    _ inputs: Tensor<Double>, _ directions: Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    (try self(inputs), try derivatives(inputs, along: directions))
  }

  /// The derivatives of the model's outputs along `directions`, without the outputs: two computations of the model.
  ///
  /// - Throws: `TrainingError.invalidData` for fields that the model cannot take.
  public func derivatives(
    _ inputs: Tensor<Double>, along directions: Tensor<Double>
  ) throws -> Tensor<Double> {
    precondition(directions.shape == inputs.shape, "directions \(directions.shape) at \(inputs.shape)")
    let shape = try outputShape(inputs)
    return Tensor<Double>(shape: shape) { result in
      for range in batches(of: inputs) {
        let fields = Tensor<Float>(converting: inputs[first: range])
        let encoded = inputScaling?.encode(fields) ?? fields
        let difference = SymmetricDifference(
          encoded, Tensor<Float>(converting: directions[first: range]), inputScaling)
        let quotients = difference.quotients { decoded(model.module(Variable($0), on: .inference)) }
        write(quotients, into: result, at: range, of: shape)
      }
    }
  }

  /// The shape of the outputs for inputs that the model can take.
  private func outputShape(_ inputs: Tensor<Double>) throws -> Shape {
    guard inputs.rank >= 3, inputs.shape[1] == configuration.inputChannels else {
      throw TrainingError.invalidData(
        "the model takes \(configuration.inputChannels) channels, not fields of shape \(inputs.shape)")
    }
    let grid = inputs.shape.dropFirst(2)
    if let problem = problem(grid: grid) { throw TrainingError.invalidData(problem) }
    return [inputs.shape[0], configuration.outputChannels] + grid
  }

  /// Ranges of one length, but for the last, that cover another one.
  private struct Parts: RandomAccessCollection {
    let whole: Range<Int>
    let length: Int

    var startIndex: Int { 0 }
    var endIndex: Int { (whole.count + length - 1) / length }
    subscript(position: Int) -> Range<Int> {
      let start = whole.lowerBound + position * length
      return start..<Swift.min(whole.upperBound, start + length)
    }
  }

  private func batches(of inputs: Tensor<Double>) -> Parts {
    Parts(whole: 0..<inputs.shape[0], length: Self.largestBatch)
  }

  /// What threads take through the whole model on their own; all of the batch where there are more threads than
  /// samples, which then share out the work of every layer.
  private func parts(of batch: Range<Int>) -> Parts {
    let share = batch.count / Parallelism.threadCount
    let size = share == 0 ? batch.count : min(Self.largestPart, share)
    return Parts(whole: batch, length: max(1, size))
  }

  /// Widens a part of a batch into its place.
  private func write(
    _ part: Tensor<Float>, into result: UnsafeMutableBufferPointer<Double>, at range: Range<Int>,
    of shape: Shape
  ) {
    let stride = shape.dropFirst().elementCount
    part.withUnsafeBuffer { part in
      Double.convert(
        part,
        into: UnsafeMutableBufferPointer(
          rebasing: result[range.lowerBound * stride..<range.upperBound * stride]))
    }
  }

  /// From physical inputs to physical outputs.
  private func output(_ inputs: Variable, on tape: Tape) -> Variable {
    decoded(model.module(inputScaling?.encode(inputs) ?? inputs, on: tape))
  }

  private func decoded(_ output: Variable) -> Variable { outputScaling?.decode(output) ?? output }
}
