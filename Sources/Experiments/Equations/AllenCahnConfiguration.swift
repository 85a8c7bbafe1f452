import Solvers

/// The Allen–Cahn equation from Gaussian random initial values.
public struct AllenCahnConfiguration: SemilinearConfiguration {
  /// The Allen–Cahn equation.
  public static let kind = EquationKind.allenCahn
  /// One line for the data file.
  public static let title = "Allen-Cahn equation from Gaussian random initial values"

  /// The number of axes, 1 or 2.
  public let dimensions: Int
  /// The diffusivity D.
  public let diffusivity: Double
  /// The rate r of the reaction.
  public let reactionRate: Double
  /// The length L of the domain along every axis.
  public let length: Double
  /// The law of the initial values has by default σ = 2 · 10⁴, τ = 20, α = 4: smooth, standard deviation 0.18
  /// in one dimension, 0.39 in two.
  public let evolution: EvolutionSettings

  /// Reads the sections `equation`, `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a solver that there is not.
  public init(_ configuration: ConfigSection) throws {
    let equation = configuration.section("equation")
    dimensions = equation.int("dimensions", default: 1, in: .between(1, 2))
    diffusivity = equation.double("diffusivity", in: .positive)
    reactionRate = equation.double("reaction_rate", default: 1, in: .positive)
    length = equation.double("length", default: 1, in: .positive)
    evolution = try EvolutionSettings(
      configuration, dimensions: dimensions, prior: (sigma: 2e4, tau: 20, alpha: 4))
  }

  /// The solver on `grid` points per axis.
  public func problem(grid: Int, times: [Double], timeStepping: TimeStepping) throws -> AllenCahn {
    try AllenCahn(
      grid: grid, dimensions: dimensions, length: length, diffusivity: diffusivity,
      reactionRate: reactionRate,
      times: times, timeStepping: timeStepping)
  }
}
