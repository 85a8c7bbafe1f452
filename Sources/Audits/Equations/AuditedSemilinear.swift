import Datasets
import Foundation
import Solvers
import Tensors

/// What an audit knows of any equation u_t = L u + N(u): its symbols say what it conserves, its bound on the norm
/// what may grow.
public struct AuditedSemilinear: AuditedEvolution {
  /// Makes the problem on `grid` points per axis with a value of the fitted parameter.
  public typealias MakeProblem =
    @Sendable (
      _ grid: Int, _ times: [Double], _ parameter: Double, _ timeStepping: TimeStepping
    ) throws -> any SemilinearEquation

  /// Its name, as `heat`.
  public let name: String
  /// The field u.
  public var field: String { "u" }
  /// The domain has the length that the file gives.
  public var lengths: [Double]? { nil }
  /// One or two.
  public let dimensions: Int
  /// The number that is fitted, if there is one.
  public let parameter: AuditedParameter?
  /// The points of the solver's grid, if known.
  public let solverGrid: Int?
  /// The law of the initial values, if stated.
  public let law: AuditedLaw?
  /// Whether u stays between its extremes.
  public let hasMaximumPrinciple: Bool
  /// Whether neither L nor N has a part of wave number 0.
  public let conservesMean: Bool

  /// How the file says that it was stepped.
  public let timeStepping: TimeStepping
  private let typical: any SemilinearEquation
  private let makeProblem: MakeProblem

  /// An equation as a file states it; what it does not state is nil.
  ///
  /// - Parameter makeProblem: gets 1 for the parameter if there is none.
  /// - Throws: `SolverError.invalidProblem` for settings that make no problem.
  public init(
    name: String, parameter: AuditedParameter? = nil, hasMaximumPrinciple: Bool = false,
    solverGrid: Int? = nil, law: AuditedLaw? = nil, timeStepping: TimeStepping = TimeStepping(),
    makeProblem: @escaping MakeProblem
  ) throws {
    self.name = name
    self.parameter = parameter
    self.hasMaximumPrinciple = hasMaximumPrinciple
    self.solverGrid = solverGrid
    self.law = law
    self.timeStepping = timeStepping
    self.makeProblem = makeProblem
    typical = try makeProblem(8, [1], parameter?.stated ?? 1, timeStepping)
    dimensions = typical.dimensions
    let constant = WaveVector(x: 0, y: 0)
    conservesMean =
      typical.linearSymbol(constant) == Complex(0)
      && (typical.polynomial.isEmpty || typical.nonlinearSymbol(constant) == Complex(0))
  }

  /// The problem with the file's domain.
  public func problem(
    grid: Int, times: [Double], parameter: Double?, isAlternative: Bool
  ) throws -> any EvolutionProblem {
    try makeProblem(grid, times, parameter ?? 1, isAlternative ? timeStepping.alternative : timeStepping)
  }

  /// That of the solver.
  public func normBound(_ norm: Double, after duration: Double) -> Double? {
    typical.normBound(initial: norm, time: duration)
  }
}
