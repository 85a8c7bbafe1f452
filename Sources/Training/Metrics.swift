import Tensors

/// Measures of the distance of predictions from targets, `[sample, ...]` each.
public enum Metrics {
  /// ‖û − u‖₂/‖u‖₂ of every sample, over all its channels and points.
  public static func relativeL2<Scalar>(_ prediction: Tensor<Scalar>, _ target: Tensor<Scalar>) -> [Double] {
    perSample(prediction, target) { count, prediction, target in
      (Scalar.squaredDistance(count, prediction, target) / Scalar.dot(count, target, target)).squareRoot()
    }
  }

  /// The mean squared difference of every sample.
  public static func meanSquaredError<Scalar>(
    _ prediction: Tensor<Scalar>, _ target: Tensor<Scalar>
  ) -> [Double] {
    perSample(prediction, target) { count, prediction, target in
      Scalar.squaredDistance(count, prediction, target) / Double(count)
    }
  }

  /// The largest absolute difference of every sample.
  public static func largestError<Scalar>(
    _ prediction: Tensor<Scalar>, _ target: Tensor<Scalar>
  ) -> [Double] {
    let (left, right) = (Tensor<Double>(converting: prediction), Tensor<Double>(converting: target))
    return perSample(left, right) { count, prediction, target in
      var largest = 0.0
      for index in 0..<count {
        let difference = abs(prediction[index] - target[index])
        if !(difference <= largest) { largest = difference }  // NaN is the largest
        if largest.isNaN { break }
      }
      return largest
    }
  }

  /// VRMSE of The Well (Ohana et al., NeurIPS 2024): √(mean squared error / (variance + 10⁻⁷)) of every sample,
  /// averaged over its channels; the variance is over the points of a channel, with n − 1.
  ///
  /// One for a prediction that is the target's mean everywhere.
  public static func varianceScaledError(_ prediction: Tensor<Double>, _ target: Tensor<Double>) -> [Double] {
    let channels = target.rank > 1 ? target.shape[1] : 1
    return perSample(prediction, target) { count, prediction, target in
      let points = count / channels
      let sum = (0..<channels).reduce(0.0) { sum, channel in
        let (prediction, target) = (prediction + channel * points, target + channel * points)
        let mean = (0..<points).reduce(0.0) { $0 + target[$1] } / Double(points)
        let variance =
          (0..<points).reduce(0.0) { $0 + (target[$1] - mean) * (target[$1] - mean) } / Double(points - 1)
        let error = Double.squaredDistance(points, prediction, target) / Double(points)
        return sum + (error / (variance + 1e-7)).squareRoot()
      }
      return sum / Double(channels)
    }
  }

  /// The correlation of prediction and target over the points of every channel: `[sample][channel]`.
  public static func correlation(_ prediction: Tensor<Double>, _ target: Tensor<Double>) -> [[Double]] {
    precondition(prediction.shape == target.shape && target.rank >= 3, "fields of shape \(target.shape)")
    let (samples, channels) = (target.shape[0], target.shape[1])
    let points = target.count / max(1, samples * channels)
    return withPointers(prediction, target) { predictions, targets in
      (0..<samples).map { sample in
        (0..<channels).map { channel in
          let start = (sample * channels + channel) * points
          return correlation(points, predictions + start, targets + start)
        }
      }
    }
  }

  private static func correlation(
    _ points: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>
  ) -> Double {
    let means = (
      (0..<points).reduce(0.0) { $0 + x[$1] } / Double(points),
      (0..<points).reduce(0.0) { $0 + y[$1] } / Double(points)
    )
    var (xx, yy, xy) = (0.0, 0.0, 0.0)
    for point in 0..<points {
      let (dx, dy) = (x[point] - means.0, y[point] - means.1)
      xx += dx * dx
      yy += dy * dy
      xy += dx * dy
    }
    return xy / (xx * yy).squareRoot()
  }

  private static func perSample<Scalar>(
    _ prediction: Tensor<Scalar>, _ target: Tensor<Scalar>,
    _ measure: (Int, UnsafePointer<Scalar>, UnsafePointer<Scalar>) -> Double
  ) -> [Double] {
    precondition(
      prediction.shape == target.shape && target.rank > 0,
      "prediction \(prediction.shape) and target \(target.shape) differ")
    let samples = target.shape[0]
    let count = target.count / max(1, samples)
    return withPointers(prediction, target) { prediction, target in
      (0..<samples).map { measure(count, prediction + $0 * count, target + $0 * count) }
    }
  }
}

/// A few numbers that describe many.
public struct MetricSummary: Codable, Sendable, Equatable {
  /// The mean.
  public let mean: Double
  /// The median: of an even number, the mean of the middle two.
  public let median: Double
  /// The largest.
  public let maximum: Double

  /// The summary of at least one value.
  public init(_ values: [Double]) {
    precondition(!values.isEmpty, "no values to summarise")
    let sorted = values.sorted()
    mean = values.reduce(0, +) / Double(values.count)
    median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    maximum = values.contains(where: \.isNaN) ? .nan : sorted[sorted.count - 1]
  }
}
