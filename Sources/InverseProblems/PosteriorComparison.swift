import Foundation
import Tensors

/// How far two estimates of a posterior are apart: of a surrogate's and the one that the true forward map
/// corrected.
///
/// Distances are in units of the second's standard deviation, pointwise, as root mean squares over the field:
/// below about 0.2 the difference is hardly seen in any credible interval.
public struct PosteriorComparison: Sendable, Equatable, Codable {
  /// The distance of the means.
  public let meanDistance: Double
  /// The distance that two estimates of one posterior with so many effective draws would have.
  public let monteCarloError: Double
  /// The first's standard deviation over the second's: below 1 the first is too sure.
  public let deviationRatio: Double

  /// Compares chains for the same field.
  public init(
    _ first: (chains: MarkovChains, history: ChainHistory),
    _ second: (chains: MarkovChains, history: ChainHistory)
  ) {
    let means = (first.chains.posteriorMean.scalars, second.chains.posteriorMean.scalars)
    let deviations = (
      first.chains.posteriorStandardDeviation.scalars, second.chains.posteriorStandardDeviation.scalars
    )
    let points = Double(means.0.count)
    var (distance, ratio) = (0.0, 0.0)
    for point in means.0.indices {
      let offset = (means.0[point] - means.1[point]) / deviations.1[point]
      distance += offset * offset / points
      let quotient = deviations.0[point] / deviations.1[point]
      ratio += quotient * quotient / points
    }
    meanDistance = distance.squareRoot()
    deviationRatio = ratio.squareRoot()
    // The average over the followed modes stands for that over the field.
    func inverseDraws(_ history: ChainHistory) -> Double {
      let modes = InversionDiagnostics(history).modes
      return modes.reduce(0) { $0 + 1 / $1.meanESS } / Double(modes.count)
    }
    monteCarloError =
      (ratio * inverseDraws(first.history) + inverseDraws(second.history)).squareRoot()
  }
}
