import Foundation
import Solvers
import Tensors

/// What an audit knows of the two-dimensional Navier-Stokes equation in vorticity form on a torus.
public struct AuditedNavierStokes: AuditedEvolution {
  /// Navier-Stokes.
  public var name: String { "navier-stokes" }
  /// The field that is the solution.
  public let field: String
  /// The domain is the unit torus.
  public var lengths: [Double]? { [1, 1] }
  /// Two.
  public var dimensions: Int { 2 }
  /// ν.
  public let parameter: AuditedParameter?
  /// The points per axis of the solver's grid, if known.
  public let solverGrid: Int?
  /// The law of the initial vorticity, if stated.
  public let law: AuditedLaw?
  /// The forcing can raise the extremes.
  public var hasMaximumPrinciple: Bool { forcing == .none }
  /// The mean is zero.
  public var conservesMean: Bool { true }

  private let forcing: NavierStokes.Forcing
  /// How the file says that it was stepped.
  public let timeStepping: TimeStepping
  private let dealiasing: NavierStokes.Dealiasing

  /// The equation as a file states it; what it does not state is nil.
  public init(
    field: String = "vorticity", viscosity: Double?,
    forcing: NavierStokes.Forcing = .kolmogorovDiagonal,
    solverGrid: Int? = nil, law: AuditedLaw? = nil,
    timeStepping: TimeStepping = TimeStepping(),
    dealiasing: NavierStokes.Dealiasing = .twoThirds
  ) {
    self.field = field
    parameter = AuditedParameter(name: "viscosity", stated: viscosity, range: 1e-6...1e-1)
    self.forcing = forcing
    self.solverGrid = solverGrid
    self.law = law
    self.timeStepping = timeStepping
    self.dealiasing = dealiasing
  }

  /// The problem on the unit torus.
  public func problem(
    grid: Int, times: [Double], parameter: Double?, isAlternative: Bool
  ) throws -> any EvolutionProblem {
    try NavierStokes(
      grid: grid, viscosity: parameter ?? .nan, times: times, forcing: forcing,
      timeStepping: isAlternative ? timeStepping.alternative : timeStepping, dealiasing: dealiasing)
  }

  /// d‖w‖/dt ≤ −4π²ν ‖w‖ + ‖f‖, by Poincaré's inequality on functions of mean zero.
  public func normBound(_ norm: Double, after duration: Double) -> Double? {
    let force: Double
    switch forcing {
    case .none: force = 0
    // 0.1 (sin + cos) has the root mean square 0.1.
    case .kolmogorovDiagonal: force = 0.1
    case .field(let values): force = values.withUnsafeBuffer { Frame.norm($0) }
    }
    let rate = 4 * Double.pi * Double.pi * (parameter?.stated ?? 0)
    guard rate > 0 else { return norm + force * duration }
    return norm * exp(-rate * duration) + force * -expm1(-rate * duration) / rate
  }
}
