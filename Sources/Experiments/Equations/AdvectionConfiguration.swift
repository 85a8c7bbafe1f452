import Solvers

/// Advection from Gaussian random initial values.
public struct AdvectionConfiguration: SemilinearConfiguration {
  /// Advection.
  public static let kind = EquationKind.advection
  /// One line for the data file.
  public static let title = "Advection at a constant velocity from Gaussian random initial values"

  /// The velocity, one number per axis.
  public let velocity: [Double]
  /// The length L of the domain along every axis.
  public let length: Double
  /// The law of the initial values is by default that of Burgers' equation, 625 (−Δ + 25)^(−2).
  public let evolution: EvolutionSettings

  /// Reads the sections `equation`, `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a solver that there is not.
  public init(_ configuration: ConfigSection) throws {
    let equation = configuration.section("equation")
    velocity = equation.doubleList("velocity")
    let dimensions = min(2, max(1, velocity.count))
    equation.check("velocity", velocity.count == dimensions, "it must have one or two components")
    length = equation.double("length", default: 1, in: .positive)
    evolution = try EvolutionSettings(
      configuration, dimensions: dimensions, prior: (sigma: 25, tau: 5, alpha: 2))
  }

  /// The solver on `grid` points per axis.
  public func problem(grid: Int, times: [Double], timeStepping: TimeStepping) throws -> Advection {
    try Advection(
      grid: grid, velocity: velocity, length: length, times: times, timeStepping: timeStepping)
  }
}
