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
  /// ‖û − u‖₂/‖u‖₂ of every sample, whatever the loss: the error that is reported.
  public let samples: [Double]
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
  let (samples, channels) = (shape[0], kind == .relativeL2ByChannel ? shape[1] : 1)
  let grid = shape.dropFirst(2)
  precondition(kind != .relativeH1 || axes.count == grid.count, "\(axes.count) axes for the grid \(grid)")
  // A group of numbers has a loss of its own: a sample, or a channel of one.
  let count = target.count / max(1, samples * channels)
  var groups = [LossGroup](repeating: LossGroup(), count: samples * channels)
  // The gradient of half the squared distance; for all but H¹ the difference itself.
  var slopes: Tensor<Float>?
  withPointers(prediction.value, target) { prediction, target in
    if kind == .relativeH1 {
      slopes = .filled(shape) { slope in
        ck_scaled_difference_f32(samples * count, 1, prediction, target, slope)
      }
    }
    groups.withUnsafeMutableBufferPointer { groups in
      nonisolated(unsafe) let groups = groups
      parallelFor(groups.count) { range in
        for group in range {
          let start = target + group * count
          groups[group].squaredDistance = Float.squaredDistance(count, prediction + group * count, start)
          groups[group].squaredSize = Float.dot(count, start, start)
        }
      }
    }
  }
  let errors = (0..<samples).map { LossGroup.error(of: groups[$0 * channels..<($0 + 1) * channels]) }
  if kind == .relativeH1, var slope = slopes {
    let difference = slope
    addLaplacians(of: difference, grid, axes, to: &slope)
    var targetSlope = target
    addLaplacians(of: target, grid, axes, to: &targetSlope)
    withPointers(difference, slope, target, targetSlope) { difference, slope, target, targetSlope in
      for group in groups.indices {
        let start = group * count
        groups[group].squaredDistance = Float.dot(count, difference + start, slope + start)
        groups[group].squaredSize = Float.dot(count, target + start, targetSlope + start)
      }
    }
    slopes = slope
  }
  let finalGroups = groups
  let weight = reduction.weight(samples: samples)
  let losses = finalGroups.map { $0.loss(kind, count: count) }
  let total = Tensor<Float>(shape: [1], repeating: Float(losses.reduce(0, +) * weight))
  let variable = Variable(total, from: [prediction]) { [prediction = prediction.value] gradient in
    let factor = Double(gradient[0]) * weight
    return [
      withPointers(prediction, target, slopes ?? target) { prediction, target, slopeStart in
        Tensor<Float>.filled(shape) { result in
          parallelFor(finalGroups.count) { range in
            for group in range {
              let scale = Float(factor * finalGroups[group].slope(kind, count: count))
              let offset = group * count
              if slopes != nil {
                ck_affine_f32(count, scale, 0, slopeStart + offset, result + offset)
              } else {
                ck_scaled_difference_f32(
                  count, scale, prediction + offset, target + offset, result + offset)
              }
            }
          }
        }
      }
    ]
  }
  return FieldLoss(total: variable, samples: errors)
}

/// Numbers that have a loss of their own.
struct LossGroup {
  var squaredDistance = 0.0
  var squaredSize = 0.0

  func loss(_ kind: FieldLossKind, count: Int) -> Double {
    kind == .meanSquaredError
      ? squaredDistance / Double(count) : (squaredDistance / squaredSize).squareRoot()
  }

  /// ‖û − u‖₂/‖u‖₂ of groups together.
  static func error(of groups: ArraySlice<LossGroup>) -> Double {
    (groups.reduce(0) { $0 + $1.squaredDistance } / groups.reduce(0) { $0 + $1.squaredSize }).squareRoot()
  }

  /// The derivative of the loss with respect to half the squared distance.
  func slope(_ kind: FieldLossKind, count: Int) -> Double {
    if kind == .meanSquaredError { return 2 / Double(count) }
    return squaredDistance > 0 ? 1 / (squaredDistance * squaredSize).squareRoot() : 0
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
