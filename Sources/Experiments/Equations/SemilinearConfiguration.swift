import Datasets
import Solvers

/// The configuration of a periodic problem u_t = L u + N(u) for one field: what all of them share.
///
/// An equation adds its own parameters and makes the problem.
public protocol SemilinearConfiguration: EquationConfiguration {
  /// The solver.
  associatedtype Problem: SemilinearEquation
  /// One line that says what the dataset is.
  static var title: String { get }
  /// The recorded times, the law of the initial values, and the scheme.
  var evolution: EvolutionSettings { get }
  /// The problem on `grid` points per axis.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  func problem(grid: Int, times: [Double], timeStepping: TimeStepping) throws -> Problem
}

extension SemilinearConfiguration {
  /// Periodic.
  public static var gridKind: GridKind { .periodic }

  /// The scheme and its step.
  public var method: String { evolution.timeStepping.method }

  /// u at t = 0 and at the recorded times.
  public func makeSource(_ grid: StridedGrid, seed: UInt64) throws -> any SampleSource {
    let problem = try problem(
      grid: grid.points, times: [0] + evolution.times, timeStepping: evolution.timeStepping)
    return EvolutionSource(
      problem, from: evolution.prior.periodicField(grid: problem.gridShape), name: Self.kind.rawValue,
      title: Self.title, field: "u", stride: grid.stride, seed: seed)
  }
}

/// When an evolution is recorded, where it starts, and how it is integrated.
public struct EvolutionSettings: Sendable, Equatable {
  /// The recorded times after t = 0.
  public let times: [Double]
  /// The law of the initial values.
  public let prior: FieldSettings
  /// How the solver steps in time.
  public let timeStepping: TimeStepping

  /// Reads the times of `equation`, and the sections `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a solver that there is not.
  init(
    _ configuration: ConfigSection, dimensions: Int = 1, prior: (sigma: Double, tau: Double, alpha: Double)
  ) throws {
    times = configuration.section("equation").recordedTimes()
    self.prior = FieldSettings(configuration.section("prior"), dimensions: dimensions, defaults: prior)
    timeStepping = try TimeStepping(configuration.section("solver"))
  }
}
