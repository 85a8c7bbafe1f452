import Datasets
import Solvers

/// The Navier-Stokes equation from Gaussian random initial vorticities.
public struct NavierStokesConfiguration: EquationConfiguration {
  /// What drives the flow.
  public enum Forcing: String, CaseIterable, Sendable {
    /// f = 0.1 (sin 2π(x + y) + cos 2π(x + y)), that of the papers.
    case kolmogorovDiagonal = "kolmogorov-diagonal"
    /// Nothing.
    case none
  }

  /// The Navier-Stokes equation.
  public static let kind = EquationKind.navierStokes
  /// Periodic.
  public static let gridKind = GridKind.periodic

  /// The viscosity ν.
  public let viscosity: Double
  /// What drives the flow.
  public let forcing: Forcing
  /// The recorded times after t = 0.
  public let times: [Double]
  /// The law of the initial vorticity.
  public let prior: FieldSettings
  /// How the solver steps in time.
  public let timeStepping: TimeStepping

  /// Reads the sections `equation`, `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a solver that there is not.
  public init(_ configuration: ConfigSection) throws {
    let equation = configuration.section("equation")
    viscosity = equation.double("viscosity", in: .positive)
    forcing =
      equation.choice("forcing", of: Forcing.self, default: .kolmogorovDiagonal) ?? .kolmogorovDiagonal
    times = equation.recordedTimes()
    prior = Self.prior(configuration.section("prior"))
    timeStepping = try TimeStepping(
      configuration.section("solver"), default: .adamsBashforthCrankNicolson)
  }

  /// Reads the law of the initial vorticity: (−Δ + 49)^(−2.5) times a factor that is named, `normalization`,
  /// or given, `sigma`.
  static func prior(_ section: ConfigSection) -> FieldSettings {
    typealias Normalization = PeriodicGaussianField.NavierStokesNormalization
    let named = Normalization.code2020
    guard !section.contains("sigma") else {
      if section.contains("normalization") {
        section.reject("normalization", "cannot be given together with 'prior.sigma'")
      }
      return FieldSettings(section, dimensions: 2, defaults: (named.variance.squareRoot(), 7, 2.5))
    }
    let normalization = section.choice("normalization", of: Normalization.self, default: named) ?? named
    return FieldSettings(
      section, dimensions: 2, sigma: normalization.variance.squareRoot(), defaults: (1, 7, 2.5))
  }

  /// The scheme and its step.
  public var method: String { timeStepping.method }

  /// The solver on `grid`² points.
  func problem(grid: Int, times: [Double], timeStepping: TimeStepping) throws -> NavierStokes {
    let force: NavierStokes.Forcing =
      switch forcing {
      case .kolmogorovDiagonal: .kolmogorovDiagonal
      case .none: .none
      }
    return try NavierStokes(
      grid: grid, viscosity: viscosity, times: times, forcing: force, timeStepping: timeStepping)
  }

  /// The vorticity at t = 0 and at the recorded times.
  public func makeSource(_ grid: StridedGrid, seed: UInt64) throws -> any SampleSource {
    let problem = try problem(grid: grid.points, times: [0] + times, timeStepping: timeStepping)
    return EvolutionSource(
      problem, from: prior.periodicField(grid: [grid.points, grid.points]), name: "navier-stokes",
      title: "Two-dimensional Navier-Stokes equation from Gaussian random initial vorticities",
      field: "vorticity", stride: grid.stride, seed: seed)
  }
}
