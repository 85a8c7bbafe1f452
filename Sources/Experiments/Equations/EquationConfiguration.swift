import Datasets
import Solvers

/// The equations that data can be generated for: the one place that maps a name to a type.
public enum EquationKind: String, CaseIterable, Sendable {
  /// u_t + (u²/2)_x = ν u_xx, periodic on (0, 2π).
  case burgers
  /// −∇·(a ∇u) = f on the unit square, u = 0 on its boundary.
  case darcy
  /// w_t + u·∇w = ν Δw + f on the unit torus.
  case navierStokes = "navier-stokes"
  /// u_t + 6 u u_x + u_xxx = 0, periodic.
  case kortewegDeVries = "korteweg-de-vries"
  /// u_t + u u_x + u_xx + u_xxxx = 0, periodic.
  case kuramotoSivashinsky = "kuramoto-sivashinsky"
  /// u_t = D Δu + r (u − u³), periodic in one or two dimensions.
  case allenCahn = "allen-cahn"
  /// u_t + c · ∇u = 0, periodic in one or two dimensions.
  case advection
  /// u_t = κ Δu, periodic in one or two dimensions.
  case heat

  /// What reads its configuration and makes its samples.
  var configuration: any EquationConfiguration.Type {
    switch self {
    case .burgers: BurgersConfiguration.self
    case .darcy: DarcyConfiguration.self
    case .navierStokes: NavierStokesConfiguration.self
    case .kortewegDeVries: KortewegDeVriesConfiguration.self
    case .kuramotoSivashinsky: KuramotoSivashinskyConfiguration.self
    case .allenCahn: AllenCahnConfiguration.self
    case .advection: AdvectionConfiguration.self
    case .heat: HeatConfiguration.self
    }
  }
}

/// An equation as a configuration states it: its parameters, the law of its inputs, the method that solves it.
///
/// One type per equation reads the sections `equation`, `prior` and `solver`; nothing else knows their keys.
public protocol EquationConfiguration: Sendable {
  /// Which equation it is.
  static var kind: EquationKind { get }

  /// Where the points of its grid are, which decides which grids it takes and how they are thinned.
  static var gridKind: GridKind { get }

  /// Reads the three sections of a configuration; mistakes are collected there.
  ///
  /// - Throws: `ConfigError` only where a mistake leaves the names of further keys unknown.
  init(_ configuration: ConfigSection) throws

  /// The numerical method in one line, for the provenance of a dataset.
  var method: String { get }

  /// The samples.
  ///
  /// - Throws: `SolverError.invalidProblem` for settings that the solver refuses.
  func makeSource(_ grid: StridedGrid, seed: UInt64) throws -> any SampleSource
}

/// Where the points of a grid are.
public enum GridKind: Sendable {
  /// A torus: the end point, which is the first one again, is left out.
  case periodic
  /// Both boundaries are grid points.
  case bounded

  /// The numbers of points per axis that solvers take.
  var range: ConfigRange<Int> { self == .periodic ? .even(atLeast: 8) : .atLeast(5) }

  /// The distance between stored points that keeps the period, or both boundaries; nil if there is none.
  func stride(from grid: Int, to stored: Int) -> Int? {
    let (points, kept) = self == .periodic ? (grid, stored) : (grid - 1, stored - 1)
    return points.isMultiple(of: kept) ? points / kept : nil
  }
}

/// The points per axis that the solver uses, of which every stride-th is stored.
public struct StridedGrid: Sendable, Equatable {
  /// The points per axis that the solver uses.
  public let points: Int
  /// The distance of stored points.
  public let stride: Int
}
