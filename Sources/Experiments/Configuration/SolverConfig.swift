/// The numerical method that solves an equation, with its accuracy.
public enum SolverConfig: Sendable, Equatable {
  /// Fourier collocation in space, a time stepping scheme with a constant step in time.
  case pseudospectral(scheme: TimeSteppingScheme, timeStep: Double)
  /// Second-order finite differences, solved iteratively to a relative residual.
  case finiteDifferences(tolerance: Double)

  /// The time stepping schemes.
  public enum TimeSteppingScheme: String, CaseIterable, Sendable {
    /// Fourth-order exponential time differencing Runge-Kutta.
    case etdrk4
  }

  /// The methods for steady problems.
  enum SteadyScheme: String, CaseIterable {
    case finiteDifferences = "finite-differences"
  }

  /// Reads the settings of a solver; nil if its kind is not known.
  init?(_ section: ConfigSection, for equation: GenerateConfig.EquationKind) {
    switch equation {
    case .burgers, .navierStokes:
      guard let scheme = section.choice("kind", of: TimeSteppingScheme.self) else { return nil }
      self = .pseudospectral(scheme: scheme, timeStep: section.double("time_step", in: .positive))
    case .darcy:
      guard section.choice("kind", of: SteadyScheme.self) != nil else { return nil }
      self = .finiteDifferences(
        tolerance: section.double("tolerance", default: 1e-8, in: .above(0, upTo: 1e-2)))
    }
  }
}
