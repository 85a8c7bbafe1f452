import Foundation
import Tensors

/// A positive field whose logarithm is a Gaussian random field: a permeability that varies smoothly over decades.
///
/// a = m e^g, g Gaussian of mean zero, m the median at every point. With σ = 10, τ = 3, α = 2 the standard deviation
/// of log a is 0.97 on average over the square (more in the corners, where the derivatives of g vanish).
///
/// Reference: Lord, Powell, Shardlow, "An Introduction to Computational Stochastic PDEs", 2014, section 9.1.
public struct LogNormalField: Sendable {
  /// The field g.
  public let field: NeumannGaussianField
  /// The median m.
  public let median: Double

  /// The exponential of `field` times `median`.
  public init(_ field: NeumannGaussianField, median: Double = 1) {
    self.field = field
    self.median = median
  }

  /// One coefficient of shape `field.grid`.
  ///
  /// It overflows, or underflows to zero, where |g| is greater than about 700.
  public func sample(using random: inout Philox) -> Tensor<Double> {
    var result = field.sample(using: &random)
    result.withUnsafeMutableBuffer { values in
      for index in values.indices { values[index] = median * exp(values[index]) }
    }
    return result
  }
}
