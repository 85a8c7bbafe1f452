import Solvers

/// The Kuramoto–Sivashinsky equation from Gaussian random initial values.
public struct KuramotoSivashinskyConfiguration: SemilinearConfiguration {
  /// The Kuramoto–Sivashinsky equation.
  public static let kind = EquationKind.kuramotoSivashinsky
  /// One line for the data file.
  public static let title = "Kuramoto-Sivashinsky equation from Gaussian random initial values"

  /// The length L of the domain.
  public let length: Double
  /// The law of the initial values has by default σ = 10⁵, τ = 20, α = 4: smooth, standard deviation 0.91.
  public let evolution: EvolutionSettings

  /// Reads the sections `equation`, `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a solver that there is not.
  public init(_ configuration: ConfigSection) throws {
    length = configuration.section("equation").double("length", default: 64, in: .positive)
    evolution = try EvolutionSettings(configuration, prior: (sigma: 1e5, tau: 20, alpha: 4))
  }

  /// The solver on `grid` points.
  public func problem(grid: Int, times: [Double], timeStepping: TimeStepping) throws -> KuramotoSivashinsky {
    try KuramotoSivashinsky(grid: grid, length: length, times: times, timeStepping: timeStepping)
  }
}
