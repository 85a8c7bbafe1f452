import Solvers

/// The heat equation from Gaussian random initial values.
public struct HeatConfiguration: SemilinearConfiguration {
  /// The heat equation.
  public static let kind = EquationKind.heat
  /// One line for the data file.
  public static let title = "Heat equation from Gaussian random initial values"

  /// The number of axes, 1 or 2.
  public let dimensions: Int
  /// The diffusivity κ.
  public let diffusivity: Double
  /// The length L of the domain along every axis.
  public let length: Double
  /// The law of the initial values is by default that of Burgers' equation, 625 (−Δ + 25)^(−2).
  public let evolution: EvolutionSettings

  /// Reads the sections `equation`, `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a solver that there is not.
  public init(_ configuration: ConfigSection) throws {
    let equation = configuration.section("equation")
    dimensions = equation.int("dimensions", default: 1, in: .between(1, 2))
    diffusivity = equation.double("diffusivity", in: .positive)
    length = equation.double("length", default: 1, in: .positive)
    evolution = try EvolutionSettings(
      configuration, dimensions: dimensions, prior: (sigma: 25, tau: 5, alpha: 2))
  }

  /// The solver on `grid` points per axis.
  public func problem(grid: Int, times: [Double], timeStepping: TimeStepping) throws -> Heat {
    try Heat(
      grid: grid, dimensions: dimensions, length: length, diffusivity: diffusivity, times: times,
      timeStepping: timeStepping)
  }
}
