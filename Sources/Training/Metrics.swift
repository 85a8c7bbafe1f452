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
