import Solvers

/// Burgers' equation from Gaussian random initial values.
public struct BurgersConfiguration: SemilinearConfiguration {
  /// Burgers' equation.
  public static let kind = EquationKind.burgers
  /// One line for the data file.
  public static let title = "Viscous Burgers equation from Gaussian random initial values"

  /// The viscosity ν.
  public let viscosity: Double
  /// The law of the initial values is by default 625 (−Δ + 25)^(−2), that of the papers' data.
  public let evolution: EvolutionSettings

  /// Reads the sections `equation`, `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a solver that there is not.
  public init(_ configuration: ConfigSection) throws {
    viscosity = configuration.section("equation").double("viscosity", in: .positive)
    evolution = try EvolutionSettings(configuration, prior: (sigma: 25, tau: 5, alpha: 2))
  }

  /// The solver on `grid` points.
  public func problem(grid: Int, times: [Double], timeStepping: TimeStepping) throws -> Burgers {
    try Burgers(grid: grid, viscosity: viscosity, times: times, timeStepping: timeStepping)
  }
}
