import Autodiff
import Datasets
import Tensors

/// Inputs and the outputs that belong to them, in physical units.
public struct TrainingData: Sendable {
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

  /// The number of points along every axis.
  public var grid: [Int] { Array(inputs.shape.dropFirst(2)) }
}

/// The given samples of a tensor, in the given order.
func gather(_ tensor: Tensor<Float>, _ samples: ArraySlice<Int>) -> Tensor<Float> {
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
    let shape = normalizer.kind == .global ? [normalizer.mean.count] : normalizer.shape
    self.init(
      mean: Tensor(shape: shape, scalars: normalizer.mean),
      scale: Tensor(shape: shape, scalars: normalizer.scale))
  }

  /// Why fields of this shape cannot be scaled, or nil if they can.
  public func problem(channels: Int, grid: [Int]) -> String? {
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
