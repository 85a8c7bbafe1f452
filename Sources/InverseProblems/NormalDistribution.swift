import Foundation

/// The standard normal law.
enum NormalDistribution {
  /// The number below which a standard normal deviate lies with the given probability.
  ///
  /// Acklam's rational approximation (relative error 1e-9), refined by one step of Halley's method with the
  /// complementary error function: accurate to rounding.
  static func quantile(_ probability: Double) -> Double {
    guard probability > 0 else { return -.infinity }
    guard probability < 1 else { return .infinity }
    let x = approximateQuantile(probability)
    let error = 0.5 * erfc(-x / 2.0.squareRoot()) - probability
    let step = error * (2 * Double.pi).squareRoot() * exp(0.5 * x * x)
    return x - step / (1 + 0.5 * x * step)
  }

  private static func approximateQuantile(_ p: Double) -> Double {
    func polynomial(_ coefficients: [Double], _ x: Double) -> Double {
      coefficients.reduce(0) { $0 * x + $1 }
    }
    let tail = 0.02425
    if p < tail || p > 1 - tail {
      let q = (-2 * log(p < tail ? p : 1 - p)).squareRoot()
      let value =
        polynomial(
          [
            -7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00, -2.549732539343734e+00,
            4.374664141464968e+00, 2.938163982698783e+00,
          ], q)
        / polynomial(
          [7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00, 1], q)
      return p < tail ? value : -value
    }
    let q = p - 0.5
    return q
      * polynomial(
        [
          -3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02, 1.383577518672690e+02,
          -3.066479806614716e+01, 2.506628277459239e+00,
        ], q * q)
      / polynomial(
        [
          -5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
          -1.328068155288572e+01, 1,
        ], q * q)
  }
}
