import Foundation
import Tensors

/// The normal law of observation errors: mean zero, a standard deviation per observation, and correlations.
///
/// The covariance is D R D with D the standard deviations and R the correlations. Residuals are compared after
/// whitening: L⁻¹ D⁻¹ r with R = L Lᵀ.
public struct NoiseModel: Sendable, Equatable {
  /// The standard deviation of every observation.
  public let deviations: [Double]

  /// L, row by row, up to the diagonal; nil for independent errors.
  private let factor: [[Double]]?

  /// Independent errors.
  public init(deviations: [Double]) {
    precondition(deviations.allSatisfy { $0 > 0 && $0.isFinite }, "standard deviations are positive")
    self.deviations = deviations
    factor = nil
  }

  /// Errors with correlations, `[observation][observation]`; nil if these are not positive definite.
  public init?(deviations: [Double], correlations: [[Double]]) {
    precondition(deviations.allSatisfy { $0 > 0 && $0.isFinite }, "standard deviations are positive")
    precondition(correlations.count == deviations.count, "\(correlations.count) rows of correlations")
    self.deviations = deviations
    var rows: [[Double]] = []
    for (i, correlation) in correlations.enumerated() {
      var row: [Double] = []
      for j in 0...i {
        let other = j < i ? rows[j] : row
        let sum = (0..<j).reduce(correlation[j]) { $0 - row[$1] * other[$1] }
        if j < i {
          row.append(sum / rows[j][j])
        } else {
          guard sum > 1e-12 else { return nil }
          row.append(sum.squareRoot())
        }
      }
      rows.append(row)
    }
    factor = rows
  }

  /// The number of observations.
  public var count: Int { deviations.count }

  /// The standard deviation, if all observations have the same.
  public var commonDeviation: Double? {
    deviations.allSatisfy { $0 == deviations[0] } ? deviations.first : nil
  }

  /// L⁻¹ D⁻¹ r: independent standard normal numbers if r are errors.
  public func whiten(_ residuals: [Double]) -> [Double] {
    var result = zip(residuals, deviations).map(/)
    guard let factor else { return result }
    for (i, row) in factor.enumerated() {
      result[i] = (0..<i).reduce(result[i]) { $0 - row[$1] * result[$1] } / row[i]
    }
    return result
  }

  /// D⁻¹ L⁻ᵀ v, the adjoint of `whiten`.
  public func whitenAdjoint(_ values: [Double]) -> [Double] {
    var result = values
    if let factor {
      for (i, row) in factor.enumerated().reversed() {
        result[i] /= row[i]
        for j in 0..<i { result[j] -= row[j] * result[i] }
      }
    }
    return zip(result, deviations).map(/)
  }

  /// One draw of the errors.
  public func sample(using random: inout Philox) -> [Double] {
    let white = deviations.map { _ in random.nextNormal() }
    guard let factor else { return zip(white, deviations).map(*) }
    return factor.enumerated().map { i, row in
      deviations[i] * row.enumerated().reduce(0) { $0 + $1.element * white[$1.offset] }
    }
  }
}
