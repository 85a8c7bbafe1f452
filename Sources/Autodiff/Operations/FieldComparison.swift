import CKernels
import Tensors

/// What the predictions of a model are compared with, and how.
///
/// `fieldLoss` of û = scale · prediction + shift, or of the prediction itself. A model that ends in a perceptron can find
/// this loss together with what its last layer does (`perceptron(_:…comparedWith:)`): where the gradient of the loss is the
/// difference û − u times a number for every sample, all else of the way back through the perceptron needs no more than
/// the difference, so that its hidden values are made once instead of twice.
public struct FieldComparison: Sendable {
  /// The fields that should be predicted, `[sample, channel, ...grid]`.
  public let target: Tensor<Float>
  /// The loss of a sample.
  public let kind: FieldLossKind
  /// How the losses of the samples become one number.
  public let reduction: LossReduction
  /// The axes of the grid, for `relativeH1` only.
  public let axes: [DifferenceAxis]
  /// What maps predictions to fields, per channel `[channel]` or per point `[channel, ...grid]`, if they are not the
  /// same.
  public let scaling: (scale: Tensor<Float>, shift: Tensor<Float>)?

  /// A comparison with `target`.
  public init(
    target: Tensor<Float>, kind: FieldLossKind = .relativeL2, reduction: LossReduction,
    axes: [DifferenceAxis] = [], scaling: (scale: Tensor<Float>, shift: Tensor<Float>)? = nil
  ) {
    self.target = target
    self.kind = kind
    self.reduction = reduction
    self.axes = axes
    self.scaling = scaling
  }

  /// The loss of predictions of the target's shape.
  public func loss(of prediction: Variable) -> FieldLoss {
    fieldLoss(
      scaling.map { affine(prediction, scale: $0.scale, shift: $0.shift) } ?? prediction, target: target,
      kind: kind, reduction: reduction, axes: axes)
  }

  // MARK: - Joined with a model's last layer

  /// Whether the gradient of the loss is the difference from the target times a number for every sample.
  var isByDifferences: Bool {
    switch kind {
    case .relativeL2, .meanSquaredError: true
    case .relativeL2ByChannel: target.shape[1] == 1  // the same as relativeL2
    case .relativeH1: false
    }
  }

  /// The target with the scaling at every point, for kernels that act on all samples.
  ///
  /// The pointers are valid while `body` runs.
  func withKernelTarget<Result>(_ body: (KernelTarget) -> Result) -> Result {
    let shape = FieldShape(target.shape)
    guard let scaling else {
      return target.start { body(KernelTarget(shape: shape, values: $0, scale: nil, shift: nil)) }
    }
    let (scale, shift) = (atEveryPoint(scaling.scale, shape), atEveryPoint(scaling.shift, shape))
    return withPointers(target, scale, shift) {
      body(KernelTarget(shape: shape, values: $0, scale: $1, shift: $2))
    }
  }

  /// Constants per channel or per point at every point.
  func atEveryPoint(_ constants: Tensor<Float>, _ shape: FieldShape) -> Tensor<Float> {
    guard constants.rank == 1 else { return constants }
    return .filled([shape.channels] + shape.grid) { result in
      constants.start { constants in
        for channel in 0..<shape.channels {
          (result + channel * shape.points).update(repeating: constants[channel], count: shape.points)
        }
      }
    }
  }

  /// The loss from every sample's sum of squared differences.
  ///
  /// - Parameter pullback: from a factor for every sample, with which the gradient of half that sum is multiplied, to the
  ///   gradients of the inputs.
  func loss<Saved>(
    squaredDistances: Tensor<Double>, from inputs: some Sequence<Variable>, saving saved: Saved,
    pullback:
      @escaping (
        _ saved: consuming Saved, _ factors: Tensor<Float>, _ inputs: Tape.InputGradients
      ) -> Void
  ) -> FieldLoss {
    let groups = withPointers(squaredDistances, target) { distances, values in
      LossGroups(samples: squaredDistances.count, channels: 1, elements: target.count) { start, count in
        (distances[start / count], Float.dot(count, values + start, values + start))
      }
    }
    return groups.loss(kind, reduction, from: inputs, saving: saved, pullback: pullback)
  }

  /// A target as kernels take it.
  struct KernelTarget {
    let shape: FieldShape
    let values: UnsafePointer<Float>
    let scale: UnsafePointer<Float>?
    let shift: UnsafePointer<Float>?

    /// One sample's from a point on.
    func sample(_ sample: Int, from start: Int) -> ck_target {
      ck_target(
        values: values + sample * shape.sampleCount + start, scale: scale.map { $0 + start },
        shift: shift.map { $0 + start }, row: shape.points)
    }

    /// The sum of the squares of `width` differences of every channel, from where `part` begins; adds the sums of what
    /// they are the gradients of to `gradients`.
    func addSums(
      of difference: UnsafePointer<Float>, _ part: ck_target, width: Int,
      toBiasGradients gradients: UnsafeMutablePointer<Float>?
    ) -> Double {
      for channel in 0..<shape.channels {
        guard let gradients else { break }
        let row = difference + channel * width
        let sum = part.scale.map { Float.dot(width, $0 + channel * part.row, row) } ?? ck_sum_f32(width, row)
        gradients[channel] += Float(sum)
      }
      return Float.dot(shape.channels * width, difference, difference)
    }
  }
}

extension Tensor<Float> {
  /// Multiplies the numbers of every sample, along the first axis, by a factor of its own.
  package mutating func scaleSamples(by factors: Tensor<Float>) {
    let (samples, stride) = (factors.count, count / Swift.max(1, factors.count))
    withUnsafeMutableBuffer { values in
      let values = values.baseAddress!
      factors.start { factors in
        parallelFor(samples) { range in
          for sample in range { Float.scale(stride, factors[sample], values + sample * stride) }
        }
      }
    }
  }
}
