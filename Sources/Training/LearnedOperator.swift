import Autodiff
import NeuralOperators
import Solvers
import Tensors

/// A trained model as a solution operator: physical inputs to physical outputs.
///
/// Normalisation is inside; nothing is recorded. A batch is computed in parallel; several threads may also
/// each call it with batches of their own.
public struct LearnedOperator: SolutionOperator {
  /// A model that nobody changes any more, and may therefore be shared.
  private final class FixedModel: @unchecked Sendable {
    let module: any Module

    init(_ module: any Module) { self.module = module }
  }

  /// The largest batch that is computed at once; bounds the memory.
  private static let largestBatch = 32

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
  public func problem(grid: [Int]) -> String? {
    configuration.problem(grid: grid)
      ?? inputScaling?.problem(channels: configuration.inputChannels, grid: grid)
      ?? outputScaling?.problem(channels: configuration.outputChannels, grid: grid)
  }

  /// The model's outputs for `[sample, channel, ...grid]`, in physical units.
  ///
  /// - Throws: `TrainingError.invalidData` for fields that the model cannot take.
  public func callAsFunction(_ inputs: Tensor<Double>) throws -> Tensor<Double> {
    guard inputs.rank >= 3, inputs.shape[1] == configuration.inputChannels else {
      throw TrainingError.invalidData(
        "the model takes \(configuration.inputChannels) channels, not fields of shape \(inputs.shape)")
    }
    let grid = Array(inputs.shape.dropFirst(2))
    if let problem = problem(grid: grid) { throw TrainingError.invalidData(problem) }
    let samples = inputs.shape[0]
    let shape = [samples, configuration.outputChannels] + grid
    let stride = shape.dropFirst().reduce(1, *)
    return Tensor(shape: shape) { result in
      for first in Swift.stride(from: 0, to: samples, by: Self.largestBatch) {
        let range = first..<min(samples, first + Self.largestBatch)
        let output = predict(
          Tensor<Float>(converting: range.count == samples ? inputs : inputs[first: range]))
        output.withUnsafeBuffer { output in
          Double.convert(
            output,
            into: UnsafeMutableBufferPointer(rebasing: result[first * stride..<range.upperBound * stride]))
        }
      }
    }
  }

  private func predict(_ inputs: Tensor<Float>) -> Tensor<Float> {
    let output = model.module(Variable(inputScaling?.encode(inputs) ?? inputs), on: .inference)
    return (outputScaling?.decode(output) ?? output).value
  }
}
