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

  /// The words of `solver.kind`: a time scheme, or one word for all that the papers' code does.
  struct SolverKind: RawRepresentable, CaseIterable, Equatable {
    static let etdrk4 = SolverKind(TimeScheme.etdrk4.rawValue)
    static let fno2020 = SolverKind("fno2020")
    static let allCases = TimeScheme.allCases.map { SolverKind($0.rawValue) } + [fno2020]

    let rawValue: String

    private init(_ word: String) { rawValue = word }

    init?(rawValue: String) {
      guard Self.allCases.contains(where: { $0.rawValue == rawValue }) else { return nil }
      self.rawValue = rawValue
    }
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
  /// What is done about the aliasing of products.
  public let dealiasing: NavierStokes.Dealiasing

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
    let solver = configuration.section("solver")
    guard let kind = solver.choice("kind", of: SolverKind.self, default: .etdrk4) else { throw solver.stop() }
    if kind == .fno2020 {
      timeStepping = TimeStepping(
        .eulerCrankNicolson, timeStep: solver.double("time_step", default: 1e-4, in: .positive))
      dealiasing = .productOnly
    } else {
      timeStepping = try TimeStepping(solver)
      dealiasing =
        solver.choice("dealiasing", of: NavierStokes.Dealiasing.self, default: .twoThirds) ?? .twoThirds
    }
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
  public var method: String {
    switch dealiasing {
    case .twoThirds: timeStepping.method
    case .none: "Fourier, products not dealiased, \(timeStepping.summary)"
    case .productOnly: "Fourier, the advection term cut off at n/3 and nothing else, \(timeStepping.summary)"
    }
  }

  /// The forcing as the solver takes it.
  var solverForcing: NavierStokes.Forcing {
    switch forcing {
    case .kolmogorovDiagonal: .kolmogorovDiagonal
    case .none: .none
    }
  }

  /// The solver on `grid`² points.
  func problem(
    grid: Int, times: [Double], timeStepping: TimeStepping
  ) throws -> NavierStokes {
    try NavierStokes(
      grid: grid, viscosity: viscosity, times: times, forcing: solverForcing, timeStepping: timeStepping,
      dealiasing: dealiasing)
  }

  /// The vorticity at t = 0 and at the recorded times.
  public func makeSource(_ grid: StridedGrid, seed: UInt64) throws -> any SampleSource {
    let problem = try problem(grid: grid.points, times: [0] + times, timeStepping: timeStepping)
    return EvolutionSource(
      problem, from: prior.periodicField(grid: [grid.points, grid.points]), name: "navier-stokes",
      title: "Two-dimensional Navier-Stokes equation from Gaussian random initial vorticities",
      field: "vorticity", stride: grid.stride, seed: seed,
      resolution: ResolutionRecord(grid: grid.points) { VorticityBudget(of: $0).spectralTail })
  }
}
