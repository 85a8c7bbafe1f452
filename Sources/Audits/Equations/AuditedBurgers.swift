import Foundation
import Solvers
import Tensors

/// What an audit knows of Burgers' equation, u_t + (u²/2)_x = ν u_xx, periodic.
public struct AuditedBurgers: AuditedEvolution {
  /// Burgers.
  public var name: String { "burgers" }
  /// The field that is the solution.
  public let field: String
  /// Its domain may have any length: u and ν are scaled.
  public var lengths: [Double]? { nil }
  /// One.
  public var dimensions: Int { 1 }
  /// ν.
  public let parameter: AuditedParameter?
  /// The points of the solver's grid, if known.
  public let solverGrid: Int?
  /// The law of the initial values, if stated.
  public let law: AuditedLaw?
  /// |u| never grows.
  public var hasMaximumPrinciple: Bool { true }
  /// The mean is conserved.
  public var conservesMean: Bool { true }

  /// How the file says that it was stepped.
  public let timeStepping: TimeStepping
  private let length: Double

  /// Burgers' equation as a file states it; what it does not state is nil.
  ///
  /// - Parameter length: of the domain, if it is not 2π.
  public init(
    field: String = "u", viscosity: Double?, solverGrid: Int? = nil,
    law: AuditedLaw? = nil,
    timeStepping: TimeStepping = TimeStepping(), length: Double? = nil
  ) {
    self.field = field
    parameter = AuditedParameter(name: "viscosity", stated: viscosity, range: 1e-4...1)
    self.solverGrid = solverGrid
    self.law = law
    self.timeStepping = timeStepping
    self.length = length ?? 2 * .pi
  }

  /// The problem on [0, 2π): for x = (L/2π) x', u' = (2π/L) u solves it with ν' = (2π/L)² ν.
  public func problem(
    grid: Int, times: [Double], parameter: Double?, isAlternative: Bool
  ) throws -> any EvolutionProblem {
    let factor = 2 * .pi / length
    return try Burgers(
      grid: grid, viscosity: factor * factor * (parameter ?? .nan), times: times,
      timeStepping: isAlternative ? timeStepping.alternative : timeStepping)
  }

  /// 2π/L.
  public func fieldScale(_ subject: Subject) -> Double { 2 * .pi / length }

  /// The norm never grows.
  public func normBound(_ norm: Double, after duration: Double) -> Double? { norm }
}
