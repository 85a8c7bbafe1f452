import Foundation
import Tensors

/// The inverse gamma law: the conjugate prior of the variance of normal noise.
///
/// Density proportional to v^(−a−1) exp(−b/v). If residuals of half square sum Φ (in units of the nominal noise)
/// are seen in d observations, the posterior of the variance is the law with a + d/2 and b + Φ.
public struct InverseGamma: Sendable, Equatable, Codable {
  /// a > 0.
  public let shape: Double
  /// b > 0.
  public let scale: Double

  /// A law with the given parameters.
  public init(shape: Double, scale: Double) {
    precondition(shape > 0 && scale > 0, "an inverse gamma law needs positive parameters")
    self.shape = shape
    self.scale = scale
  }

  /// The posterior after `observations` residuals whose half sum of squares is `misfit`.
  public func posterior(misfit: Double, observations: Int) -> InverseGamma {
    InverseGamma(shape: shape + Double(observations) / 2, scale: scale + misfit)
  }

  /// One variance: b over a gamma deviate.
  ///
  /// Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000).
  public func sample(using random: inout Philox) -> Double {
    // Below 1 the deviate of shape a + 1 is multiplied by u^(1/a).
    let boost = shape < 1 ? pow(1 - random.nextUniform(), 1 / shape) : 1
    let d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = random.nextNormal()
      let v = (1 + c * x) * (1 + c * x) * (1 + c * x)
      let u = 1 - random.nextUniform()
      guard v > 0 else { continue }
      if log(u) < 0.5 * x * x + d - d * v + d * log(v) { return scale / (d * v * boost) }
    }
  }
}
