import CKernels
import Tensors

/// What training makes small: a distance of predicted fields from their targets, per sample.
public enum FieldLossKind: String, Codable, Sendable, CaseIterable {
  /// ‖û − u‖₂/‖u‖₂ over all channels and points: the papers' loss and the error that they report.
  case relativeL2 = "relative-l2"
  /// The sum of the relative L2 distances of the channels: the papers' loss for frames predicted one by one.
  case relativeL2ByChannel = "relative-l2-by-channel"
  /// ‖û − u‖/‖u‖ in H¹, where ‖u‖² = ‖u‖₂² + Σ ‖D u‖₂² with forward differences D along every axis.
  case relativeH1 = "h1"
  /// The mean of (û − u)² over channels and points.
  case meanSquaredError = "mse"
}

/// How the losses of the samples of a batch become one number.
public enum LossReduction: String, Codable, Sendable, CaseIterable {
  /// Their sum, as in the papers: the size of a gradient step grows with the batch.
  case sum
  /// Their mean.
  case mean

  /// What every sample's loss is multiplied by.
  func weight(samples: Int) -> Double { self == .sum ? 1 : 1 / Double(samples) }
}

/// An axis as differences along it see it.
public struct DifferenceAxis: Codable, Sendable, Equatable {
  /// The distance of neighbouring points.
  public var spacing: Double
  /// Whether the last point's next neighbour is the first.
  public var isPeriodic: Bool

  /// An axis of equally spaced points.
  public init(spacing: Double, isPeriodic: Bool) {
    self.spacing = spacing
    self.isPeriodic = isPeriodic
  }
}

/// The loss of a batch, and the error of every sample.
public struct FieldLoss {
  /// The reduced loss, one element.
  public let total: Variable
  /// ‖û − u‖₂/‖u‖₂ of every sample, `[sample]`, whatever the loss: the error that is reported.
  public let errors: Tensor<Double>
}

/// The loss of predictions `[sample, channel, ...grid]` of targets of the same shape.
///
/// A target that vanishes gives an infinite relative loss (or NaN), since no relative error exists. Where û = u the
/// gradient is taken as 0.
/// - Parameter axes: the axes of the grid, for `relativeH1` only.
public func fieldLoss(
  _ prediction: Variable, target: Tensor<Float>, kind: FieldLossKind = .relativeL2,
  reduction: LossReduction, axes: [DifferenceAxis] = []
) -> FieldLoss {
  precondition(
    prediction.shape == target.shape, "prediction \(prediction.shape) and target \(target.shape) differ")
  let shape = target.shape
  let channels = kind == .relativeL2ByChannel ? shape[1] : 1
  let grid = shape.dropFirst(2)
  precondition(kind != .relativeH1 || axes.count == grid.count, "\(axes.count) axes for the grid \(grid)")
  let differences = withPointers(prediction.value, target) { prediction, target in
    LossGroups(samples: shape[0], channels: channels, elements: shape.elementCount) { start, count in
      (
        Float.squaredDistance(count, prediction + start, target + start),
        Float.dot(count, target + start, target + start)
      )
    }
  }
  guard kind == .relativeH1 else {
    return differences.loss(
      kind, reduction, from: CollectionOfOne(prediction), saving: (prediction.value, target)
    ) {
      saved, factors, inputs in
      inputs.add(scaledDifference(of: saved.0, from: saved.1, by: factors), to: 0)
    }
  }
  let one = Tensor<Float>(shape: [1], repeating: 1)
  let difference = scaledDifference(of: prediction.value, from: target, by: one)
  // The gradient of half the squared distance.
  var (slope, targetSlope) = (difference, target)
  addLaplacians(of: difference, grid, axes, to: &slope)
  addLaplacians(of: target, grid, axes, to: &targetSlope)
  let groups = withPointers(difference, slope, target, targetSlope) {
    difference, slope, target, targetSlope in
    LossGroups(samples: shape[0], channels: 1, elements: shape.elementCount) { start, count in
      (
        Float.dot(count, difference + start, slope + start),
        Float.dot(count, target + start, targetSlope + start)
      )
    }
  }
  return groups.loss(
    kind, reduction, errors: differences.errors, from: CollectionOfOne(prediction), saving: slope
  ) { slope, factors, inputs in
    var result = slope
    result.scaleSamples(by: factors)
    inputs.add(result, to: 0)
  }
}

/// (û − u) times a factor for every one of as many groups of numbers as there are factors.
private func scaledDifference(
  of prediction: Tensor<Float>, from target: Tensor<Float>, by factors: Tensor<Float>
) -> Tensor<Float> {
  let (shape, groups, count) = (target.shape, factors.count, target.count / max(1, factors.count))
  return withPointers(prediction, target, factors) { prediction, target, factors in
    .filled(shape) { result in
      parallelFor(groups) { range in
        for group in range {
          let start = group * count
          ck_scaled_difference_f32(
            count, factors[group], prediction + start, target + start, result + start)
        }
      }
    }
  }
}

/// The sums of groups of numbers that have a loss of their own: of a sample, or of a channel of one.
struct LossGroups {
  /// The numbers of a group.
  let count: Int
  private let samples: Int
  /// `[group, 2]`: the squared distances and the squared sizes.
  private let sums: Tensor<Double>

  /// - Parameters:
  ///   - channels: the groups of a sample.
  ///   - elements: the numbers of all groups.
  ///   - find: given where a group's numbers begin and how many they are, its squared distance and size.
  init(
    samples: Int, channels: Int, elements: Int,
    _ find: (_ start: Int, _ count: Int) -> (squaredDistance: Double, squaredSize: Double)
  ) {
    self.samples = samples
    let groups = samples * channels
    let count = elements / max(1, groups)
    self.count = count
    sums = .filled(Shape(groups, 2)) { sums in
      parallelFor(groups) { range in
        for group in range { (sums[2 * group], sums[2 * group + 1]) = find(group * count, count) }
      }
    }
  }

  /// ‖û − u‖₂/‖u‖₂ of every sample.
  var errors: Tensor<Double> {
    let groups = sums.count / 2 / max(1, samples)
    return sums.start { sums in
      .filled([samples]) { errors in
        for sample in 0..<samples {
          var (distance, size) = (0.0, 0.0)
          for group in sample * groups..<(sample + 1) * groups {
            distance += sums[2 * group]
            size += sums[2 * group + 1]
          }
          errors[sample] = (distance / size).squareRoot()
        }
      }
    }
  }

  /// The reduced loss.
  ///
  /// - Parameters:
  ///   - errors: of the samples, if they are not those of the groups.
  ///   - pullback: from a factor for every group, with which the gradient of half its squared distance is multiplied, to
  ///     the gradients of the inputs.
  func loss<Saved>(
    _ kind: FieldLossKind, _ reduction: LossReduction, errors: Tensor<Double>? = nil,
    from inputs: some Sequence<Variable>, saving saved: Saved,
    pullback:
      @escaping (
        _ saved: consuming Saved, _ factors: Tensor<Float>, _ inputs: Tape.InputGradients
      ) -> Void
  ) -> FieldLoss {
    let weight = reduction.weight(samples: samples)
    let total = sums.start { sums in
      (0..<self.sums.count / 2).reduce(0) { $0 + loss(kind, of: sums + 2 * $1) } * weight
    }
    let all = SavedLoss(groups: self, kind: kind, weight: weight, saved: saved, pullback: pullback)
    let variable = Variable(Tensor(shape: [1], repeating: Float(total)), from: inputs, saving: all) {
      all, gradient, inputs in
      var all = consume all
      all.pullBack(gradient, inputs)
    }
    return FieldLoss(total: variable, errors: errors ?? self.errors)
  }

  /// What the way back of a loss needs.
  private struct SavedLoss<Saved> {
    let groups: LossGroups
    let kind: FieldLossKind
    let weight: Double
    var saved: Saved?
    let pullback: (_ saved: consuming Saved, _ factors: Tensor<Float>, _ inputs: Tape.InputGradients) -> Void

    mutating func pullBack(_ gradient: Tensor<Float>, _ inputs: Tape.InputGradients) {
      let factors = groups.slopes(kind, times: Double(gradient[0]) * weight)
      // Handed over, so that it is not copied when it is changed in place.
      if let saved = saved.take() { pullback(consume saved, factors, inputs) }
    }
  }

  private func loss(_ kind: FieldLossKind, of sums: UnsafePointer<Double>) -> Double {
    kind == .meanSquaredError ? sums[0] / Double(count) : (sums[0] / sums[1]).squareRoot()
  }

  /// The derivatives of the groups' losses with respect to half their squared distances, times a factor.
  private func slopes(_ kind: FieldLossKind, times factor: Double) -> Tensor<Float> {
    let (groups, count) = (sums.count / 2, count)
    return sums.start { sums in
      .filled([groups]) { slopes in
        for group in 0..<groups {
          let (distance, size) = (sums[2 * group], sums[2 * group + 1])
          let slope =
            kind == .meanSquaredError
            ? 2 / Double(count) : distance > 0 ? 1 / (distance * size).squareRoot() : 0
          slopes[group] = Float(factor * slope)
        }
      }
    }
  }
}

/// result += Σ Dᵀ D u over the axes, D the forward difference divided by the spacing.
private func addLaplacians(
  of field: Tensor<Float>, _ grid: Shape, _ axes: [DifferenceAxis], to result: inout Tensor<Float>
) {
  let points = grid.reduce(1, *)
  let planes = field.count / max(1, points)
  result.withUnsafeMutableBuffer { result in
    nonisolated(unsafe) let result = result.baseAddress!
    field.start { field in
      parallelFor(planes) { range in
        for plane in range {
          let (u, sum) = (field + plane * points, result + plane * points)
          for (axis, length) in grid.enumerated() where length > 1 {
            let inner = grid[(axis + 1)...].reduce(1, *)
            let scale = Float(1 / (axes[axis].spacing * axes[axis].spacing))
            for index in 0..<points {
              let isLast = index / inner % length == length - 1
              if isLast && !axes[axis].isPeriodic { continue }
              let next = isLast ? index - (length - 1) * inner : index + inner
              let difference = scale * (u[next] - u[index])
              sum[next] += difference
              sum[index] -= difference
            }
          }
        }
      }
    }
  }
}
