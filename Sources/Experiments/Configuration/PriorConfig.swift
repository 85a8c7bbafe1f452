import Solvers

/// The Gaussian random field with covariance σ² (−Δ + τ² I)^(−α).
///
/// The spectrum of Δ is that of the unit interval or square, whatever the length of the equation's domain.
public struct PriorConfig: Sendable, Equatable {
  /// The scale σ.
  public let sigma: Double
  /// The inverse length scale τ.
  public let tau: Double
  /// The smoothness α.
  public let alpha: Double

  /// Reads the field's parameters; by default those of the papers' data.
  ///
  /// Burgers: 625 (−Δ + 25 I)^(−2). Darcy: (−Δ + 9 I)^(−2) with Neumann conditions. Navier-Stokes:
  /// (−Δ + 49 I)^(−2.5) times a factor that is named, `normalization`, or given, `sigma`.
  init(_ section: ConfigSection, for kind: GenerateConfig.EquationKind) {
    switch kind {
    case .burgers:
      sigma = section.double("sigma", default: 25, in: .positive)
      tau = section.double("tau", default: 5, in: .nonNegative)
    case .darcy:
      // The scale does not matter below a threshold.
      sigma = section.double("sigma", default: 1, in: .positive)
      tau = section.double("tau", default: 3, in: .nonNegative)
    case .navierStokes:
      typealias Normalization = PeriodicGaussianField.NavierStokesNormalization
      if section.contains("sigma") {
        sigma = section.double("sigma", in: .positive)
        if section.contains("normalization") {
          section.reject("normalization", "cannot be given together with 'prior.sigma'")
        }
      } else {
        let normalization =
          section.choice("normalization", of: Normalization.self, default: .code2020) ?? .code2020
        sigma = normalization.variance.squareRoot()
      }
      tau = section.double("tau", default: 7, in: .nonNegative)
    }
    let halfDimension = kind == .burgers ? 0.5 : 1
    // With a smaller α the point values have no finite variance.
    alpha = section.double(
      "alpha", default: kind == .navierStokes ? 2.5 : 2,
      in: ConfigRange("greater than \(halfDimension)") { $0 > halfDimension })
  }
}
