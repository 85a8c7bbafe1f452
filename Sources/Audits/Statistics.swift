import Foundation

/// Estimates that single wrong samples do not move.
enum Statistics {
  /// The median; of an even number of values the mean of the middle two.
  static func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return .nan }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : 0.5 * (sorted[middle - 1] + sorted[middle])
  }

  /// The median absolute deviation, scaled to the standard deviation of a normal distribution.
  static func robustDeviation(_ values: [Double], about center: Double) -> Double {
    1.4826 * median(values.map { abs($0 - center) })
  }

  /// The value below which half of the weight lies.
  static func weightedMedian(_ values: [Double], weights: [Double]) -> Double {
    let sorted = zip(values, weights).sorted { $0.0 < $1.0 }
    let half = 0.5 * weights.reduce(0, +)
    var sum = 0.0
    for (value, weight) in sorted {
      sum += weight
      if sum >= half { return value }
    }
    return sorted.last?.0 ?? .nan
  }

  /// How far the mean of `count` squares of normal variables is from its expectation 1, in standard deviations.
  ///
  /// By the cube root, which makes it nearly normal even for few (Wilson and Hilferty, PNAS 1931).
  ///
  /// - Parameter degreesOfFreedom: of one variable, a sum of so many normal squares, divided by their number: 2 for
  ///   an exponential one.
  static func deviationOfSquares(_ mean: Double, count: Int, degreesOfFreedom: Int) -> Double {
    let variance = 2 / (9 * Double(count * degreesOfFreedom))
    return (cbrt(max(0, mean)) - (1 - variance)) / variance.squareRoot()
  }
}
