import Datasets
import Solvers

/// Burgers' equation from Gaussian random initial values.
public struct BurgersConfiguration: EquationConfiguration {
  /// Burgers' equation.
  public static let kind = EquationKind.burgers
  /// Periodic.
  public static let gridKind = GridKind.periodic

  /// The viscosity ν.
  public let viscosity: Double
  /// The recorded times after t = 0.
  public let times: [Double]
  /// The law of the initial values; by default 625 (−Δ + 25)^(−2), that of the papers' data.
  public let prior: FieldSettings
  /// How the solver steps in time.
  public let timeStepping: TimeStepping

  /// Reads the sections `equation`, `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a solver that there is not.
  public init(_ configuration: ConfigSection) throws {
    let equation = configuration.section("equation")
    viscosity = equation.double("viscosity", in: .positive)
    times = equation.recordedTimes()
    prior = FieldSettings(
      configuration.section("prior"), dimensions: 1, defaults: (sigma: 25, tau: 5, alpha: 2))
    timeStepping = try TimeStepping(configuration.section("solver"))
  }

  /// The scheme and its step.
  public var method: String { timeStepping.method }

  /// u at t = 0 and at the recorded times.
  public func makeSource(_ grid: StridedGrid, seed: UInt64) throws -> any SampleSource {
    let problem = try Burgers(
      grid: grid.points, viscosity: viscosity, times: [0] + times, timeStepping: timeStepping)
    return EvolutionSource(
      problem, from: prior.periodicField(grid: [grid.points]), name: "burgers",
      title: "Viscous Burgers equation from Gaussian random initial values", field: "u",
      stride: grid.stride, seed: seed)
  }
}
