import Tensors

/// A map from the data of a PDE problem to its solution.
///
/// Classical solvers compute it, trained models approximate it; generation, evaluation, timing and inversion
/// take either. This protocol is the only thing that joins the two worlds.
public protocol SolutionOperator: Sendable {
  /// The solutions for a batch of inputs.
  ///
  /// - Parameter inputs: `[sample, channel, ...grid]`.
  /// - Returns: `[sample, output channel, ...grid]`; for a trajectory the channels are the recorded times.
  /// - Throws: `SolverError` where a classical solver cannot go on (blow-up, no convergence).
  func callAsFunction(_ inputs: Tensor<Double>) throws -> Tensor<Double>
}

/// Why a solver gave up, or cannot start.
public enum SolverError: Error, Equatable, CustomStringConvertible {
  /// A parameter or grid that the scheme cannot use; the text says which, and what would do.
  case invalidProblem(String)
  /// The solution has features that the grid cannot hold; `suggestion` points per axis hold them.
  case underResolved(sample: Int, time: Double, grid: Int, suggestion: Int)
  /// The solution stopped being finite, or grew beyond any physical bound.
  case blowUp(sample: Int, time: Double, advice: String)
  /// An iterative solver did not reach its tolerance.
  case noConvergence(sample: Int, iterations: Int, relativeResidual: Double)

  /// One line: what happened, where, and what to do.
  public var description: String {
    switch self {
    case .invalidProblem(let text): text
    case .underResolved(let sample, let time, let grid, let suggestion):
      "a grid of \(grid) points per axis cannot resolve the solution of sample \(sample) at t = \(time); "
        + "use \(suggestion) points or more"
    case .blowUp(let sample, let time, let advice):
      "the solution of sample \(sample) blew up at t = \(time): \(advice)"
    case .noConvergence(let sample, let iterations, let residual):
      "sample \(sample) did not converge: relative residual \(residual) after \(iterations) iterations; "
        + "loosen the tolerance, or reduce the contrast of the coefficient"
    }
  }
}
