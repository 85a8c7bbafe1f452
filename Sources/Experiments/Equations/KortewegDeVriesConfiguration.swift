import Solvers

/// The Korteweg–de Vries equation from Gaussian random initial values.
public struct KortewegDeVriesConfiguration: SemilinearConfiguration {
  /// The Korteweg–de Vries equation.
  public static let kind = EquationKind.kortewegDeVries
  /// One line for the data file.
  public static let title = "Korteweg-de Vries equation from Gaussian random initial values"

  /// The length L of the domain.
  public let length: Double
  /// The law of the initial values has by default σ = 5 · 10⁴, τ = 20, α = 4: smooth, standard deviation 0.46.
  public let evolution: EvolutionSettings

  /// Reads the sections `equation`, `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a solver that there is not.
  public init(_ configuration: ConfigSection) throws {
    length = configuration.section("equation").double("length", default: 64, in: .positive)
    evolution = try EvolutionSettings(configuration, prior: (sigma: 5e4, tau: 20, alpha: 4))
  }

  /// The solver on `grid` points.
  public func problem(grid: Int, times: [Double], timeStepping: TimeStepping) throws -> KortewegDeVries {
    try KortewegDeVries(grid: grid, length: length, times: times, timeStepping: timeStepping)
  }
}
