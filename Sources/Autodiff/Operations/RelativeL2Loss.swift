import CKernels
import Tensors

/// How the losses of the samples of a batch become one number.
public enum LossReduction: String, Codable, Sendable, CaseIterable {
  /// Their sum, as in the papers: the size of a gradient step grows with the batch.
  case sum
  /// Their mean.
  case mean
}

/// The relative L2 distance of every sample, and their sum or mean as a variable.
public struct RelativeL2Loss {
  /// The reduced loss, one element.
  public let total: Variable
  /// ‖û − u‖/‖u‖ of every sample; the reported error is their mean, whatever the reduction.
  public let samples: [Double]
}

/// The relative L2 distance ‖û − u‖₂/‖u‖₂ per sample, over all its channels and points.
///
/// A target that vanishes gives an infinite loss (or NaN), since no relative error exists. Where û = u the
/// gradient is taken as 0.
public func relativeL2Loss(
  _ prediction: Variable, target: Tensor<Float>, reduction: LossReduction
) -> RelativeL2Loss {
  precondition(
    prediction.shape == target.shape, "prediction \(prediction.shape) and target \(target.shape) differ")
  let shape = target.shape
  let samples = shape[0]
  let count = target.count / max(1, samples)
  var norms = [(distance: Double, target: Double)](repeating: (0, 0), count: samples)
  withPointers(prediction.value, target) { prediction, target in
    norms.withUnsafeMutableBufferPointer { norms in
      nonisolated(unsafe) let norms = norms
      parallelFor(samples) { range in
        for sample in range {
          let start = target + sample * count
          norms[sample] = (
            Float.squaredDistance(count, prediction + sample * count, start).squareRoot(),
            Float.dot(count, start, start).squareRoot()
          )
        }
      }
    }
  }
  let errors = norms.map { $0.distance / $0.target }
  let weight = reduction == .sum ? 1 : 1 / Double(samples)
  let total = Tensor<Float>(shape: [1], repeating: Float(errors.reduce(0, +) * weight))
  let sampleNorms = norms
  let variable = Variable(total, from: [prediction]) { [prediction = prediction.value] gradient in
    let factor = Double(gradient[0]) * weight
    return [
      withPointers(prediction, target) { prediction, target in
        Tensor<Float>.filled(shape) { result in
          parallelFor(samples) { range in
            for sample in range {
              let (distance, size) = sampleNorms[sample]
              let offset = sample * count
              ck_scaled_difference_f32(
                count, distance > 0 ? Float(factor / (distance * size)) : 0, prediction + offset,
                target + offset, result + offset)
            }
          }
        }
      }
    ]
  }
  return RelativeL2Loss(total: variable, samples: errors)
}
