import Autodiff
import Datasets
import Tensors

/// Samples to train on or to measure errors with, in physical units, wherever they are kept.
public protocol TrainingSource: Sendable {
  /// The number of samples.
  var sampleCount: Int { get }
  /// `[channel, ...grid]` of an input.
  var inputShape: Shape { get }
  /// `[channel, ...grid]` of a target, on the same grid.
  var targetShape: Shape { get }

  /// The samples of these numbers, from 0, in this order.
  ///
  /// Called from one thread at a time, which is not always the same.
  func read(_ samples: [Int]) throws -> TrainingData

  /// Along how many directions the derivatives of the targets are known; 0 unless told otherwise.
  var directionCount: Int { get }

  /// The derivatives of the samples of these numbers along one of the directions, counted from 0.
  func readTangents(_ samples: [Int], direction: Int) throws -> TangentPairs

  /// Calls `take` with all inputs, or all targets, `[sample, channel, ...grid]`, in their order, some at a time.
  func forEachPart(of side: TrainingSide, _ take: (Tensor<Float>) -> Void) throws
}

extension TrainingSource {
  /// None.
  public var directionCount: Int { 0 }

  /// Not to be called where there are none.
  public func readTangents(_ samples: [Int], direction: Int) throws -> TangentPairs {
    preconditionFailure("there are no derivatives")
  }
}

/// One of the two fields of a pair.
public enum TrainingSide: Sendable {
  /// What a model is given.
  case input
  /// What it is to find.
  case target
}

/// Inputs and the outputs that belong to them, in physical units, in memory.
public struct TrainingData: TrainingSource {
  /// `[sample, channel, ...grid]`.
  public let inputs: Tensor<Float>
  /// `[sample, channel, ...grid]`, the same samples on the same grid.
  public let targets: Tensor<Float>
  /// Derivatives of the targets with respect to the inputs, if there are any, all along as many directions.
  public let tangents: [TangentPairs]

  /// Pairs of inputs and targets.
  public init(inputs: Tensor<Float>, targets: Tensor<Float>, tangents: [TangentPairs] = []) {
    precondition(
      inputs.rank >= 3 && targets.rank == inputs.rank && inputs.shape[0] == targets.shape[0]
        && inputs.shape.dropFirst(2) == targets.shape.dropFirst(2),
      "inputs \(inputs.shape) and targets \(targets.shape) are not pairs of fields")
    precondition(
      tangents.allSatisfy { $0.directions.shape == inputs.shape && $0.products.shape == targets.shape },
      "derivatives of another shape than inputs \(inputs.shape) and targets \(targets.shape)")
    self.inputs = inputs
    self.targets = targets
    self.tangents = tangents
  }

  /// The number of pairs.
  public var sampleCount: Int { inputs.shape[0] }
  /// `[channel, ...grid]` of an input.
  public var inputShape: Shape { inputs.shape.dropFirst() }
  /// `[channel, ...grid]` of a target.
  public var targetShape: Shape { targets.shape.dropFirst() }

  /// Copies of the samples of these numbers, in this order.
  public func read(_ samples: [Int]) -> TrainingData {
    TrainingData(inputs: gather(inputs, samples), targets: gather(targets, samples))
  }

  /// As many as there are `tangents`.
  public var directionCount: Int { tangents.count }

  /// Copies of the derivatives of the samples of these numbers.
  public func readTangents(_ samples: [Int], direction: Int) -> TangentPairs {
    let pairs = tangents[direction]
    return TangentPairs(
      directions: gather(pairs.directions, samples), products: gather(pairs.products, samples))
  }

  /// Calls `take` with all of them at once.
  public func forEachPart(of side: TrainingSide, _ take: (Tensor<Float>) -> Void) {
    take(side == .input ? inputs : targets)
  }
}

/// The given samples of a tensor, in the given order.
private func gather(_ tensor: Tensor<Float>, _ samples: [Int]) -> Tensor<Float> {
  let stride = tensor.count / max(1, tensor.shape[0])
  return Tensor(shape: [samples.count] + tensor.shape.dropFirst()) { target in
    tensor.withUnsafeBuffer { source in
      for (position, sample) in samples.enumerated() {
        (target.baseAddress! + position * stride)
          .update(from: source.baseAddress! + sample * stride, count: stride)
      }
    }
  }
}

/// Shift and scale between physical fields and the numbers of order one that a model sees.
///
/// encode(x) = (x − mean)/scale, decode its inverse; constants per channel `[channel]` or per point
/// `[channel, ...grid]`.
public struct FieldScaling: Sendable, Equatable {
  /// What is subtracted.
  public let mean: Tensor<Float>
  /// What is divided by; nowhere 0.
  public let scale: Tensor<Float>

  /// A scaling of fields with `mean.shape[0]` channels.
  public init(mean: Tensor<Float>, scale: Tensor<Float>) {
    precondition(
      mean.shape == scale.shape && mean.rank >= 1, "shapes \(mean.shape) and \(scale.shape) differ")
    self.mean = mean
    self.scale = scale
  }

  /// The scaling of a normalizer fitted to training data; nil for the normalizer that does nothing.
  public init?(_ normalizer: Normalizer) {
    if normalizer.kind == .none { return nil }
    let shape = normalizer.kind == .global ? [normalizer.mean.count] : Shape(normalizer.shape)
    self.init(
      mean: Tensor(shape: shape, scalars: normalizer.mean),
      scale: Tensor(shape: shape, scalars: normalizer.scale))
  }

  /// The scaling that is fitted to the inputs, or the targets, of training samples; nil for none.
  ///
  /// - Throws: `DatasetError.invalidNormalizer` if there are too few numbers, and what reading them throws.
  public init?(
    _ kind: Normalizer.Kind, fitting source: any TrainingSource, side: TrainingSide
  ) throws {
    let shape = side == .input ? source.inputShape : source.targetShape
    self.init(try Normalizer(kind, shape: Array(shape)) { try source.forEachPart(of: side, $0) })
  }

  /// Why fields of this shape cannot be scaled, or nil if they can.
  public func problem(channels: Int, grid: Shape) -> String? {
    if mean.shape == [channels] || mean.shape == [channels] + grid { return nil }
    return mean.rank == 1
      ? "the normalizer is for \(mean.shape[0]) channels, not \(channels)"
      : "the pointwise normalizer is for fields of shape \(mean.shape), not \([channels] + grid); "
        + "train with a global normalizer to use other grids"
  }

  /// (x − mean)/scale.
  ///
  /// The mean is subtracted first: a field that is constant over the samples has a tiny scale, and would
  /// otherwise become the difference of two large numbers.
  public func encode(_ fields: Variable) -> Variable {
    let centred = affine(
      fields, scale: Tensor(shape: mean.shape, repeating: 1),
      shift: Tensor(shape: mean.shape, scalars: mean.scalars.map { -$0 }))
    return affine(
      centred, scale: Tensor(shape: scale.shape, scalars: scale.scalars.map { 1 / $0 }),
      shift: Tensor(shape: scale.shape))
  }

  /// (x − mean)/scale, of numbers.
  public func encode(_ fields: Tensor<Float>) -> Tensor<Float> { encode(Variable(fields)).value }

  /// x/scale: what encoding makes of a difference of two fields.
  func encodeDifference(_ fields: Tensor<Float>) -> Tensor<Float> {
    affine(
      Variable(fields), scale: Tensor(shape: scale.shape, scalars: scale.scalars.map { 1 / $0 }),
      shift: Tensor(shape: scale.shape)
    ).value
  }

  /// x · scale + mean.
  public func decode(_ fields: Variable) -> Variable { affine(fields, scale: scale, shift: mean) }
}
