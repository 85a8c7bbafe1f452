import Tensors

/// A symmetric positive definite system of linear equations with a preconditioner.
protocol PreconditionedSystem {
  /// The length of a vector.
  var count: Int { get }

  /// y ← A x; returns x · A x.
  func multiply(_ x: Workspace, into y: Workspace) -> Double

  /// r ← b − A x; returns ‖r‖².
  func residual(_ b: Workspace, minus x: Workspace, into r: Workspace) -> Double

  /// z ← M⁻¹ r, M close to A, symmetric and positive definite.
  func precondition(_ r: Workspace, into z: Workspace)
}

/// The preconditioned conjugate gradient method for symmetric positive definite systems.
///
/// **True residuals.** The residual that the method updates drifts away from b − A x by rounding. Here it is replaced
/// by the true one, computed anew, whenever it has fallen by four orders of magnitude (van der Vorst and Ye), and the
/// method ends only if the true one is small enough.
///
/// **Twice the digits.** Rounding a solution to doubles alone leaves a residual of about 2⁻⁵³ ‖A‖ ‖x‖, which can be
/// larger than the tolerance: 10⁻⁷ ‖b‖ for permeabilities of 1 and 10⁶ on 421² points. The iterate is therefore an
/// unevaluated sum x + c, and so is the one whose residual must be small; it is rounded to x when all is done. The
/// residual of x is reported; one above 10⁻⁴ counts as not converged.
///
/// Hestenes and Stiefel 1952; Saad, "Iterative Methods for Sparse Linear Systems", 2003, algorithm 9.1; van der
/// Vorst and Ye, "Residual replacement strategies for Krylov subspace iterative methods", SIAM J. Sci. Comput.
/// 22 (2000).
final class ConjugateGradient {
  /// How a solve ended.
  struct Outcome {
    /// The number of iterations.
    let iterations: Int
    /// ‖b − A x‖ / ‖b‖, computed from the solution: the tolerance at most, or what rounding it to doubles leaves.
    let relativeResidual: Double
    /// Whether the solution, before it is rounded, has a residual as small as demanded.
    let hasConverged: Bool
  }

  private let residual: Workspace
  private let direction: Workspace
  private let image: Workspace
  private let corrected: Workspace
  private let rest: Workspace

  /// Scratch memory for systems of `count` unknowns.
  init(count: Int) {
    residual = Workspace(count: count)
    direction = Workspace(count: count)
    image = Workspace(count: count)
    corrected = Workspace(count: count)
    rest = Workspace(count: count)
  }

  /// Solves A x = b to ‖b − A (x + c)‖ ≤ tolerance ‖b‖, from x = 0, c the rounding of the result.
  func solve(
    _ system: some PreconditionedSystem, rightSide: Workspace, solution: Workspace, tolerance: Double,
    maximumIterations: Int
  ) -> Outcome {
    let count = system.count
    solution.start.update(repeating: 0, count: count)
    rest.start.update(repeating: 0, count: count)
    residual.start.update(from: rightSide.start, count: count)
    let size = Double.dot(count, rightSide.start, rightSide.start).squareRoot()
    guard size > 0 else { return Outcome(iterations: 0, relativeResidual: 0, hasConverged: true) }

    /// Computes the residuals of x and of x + c; the latter takes the place of the updated one.
    func replace() -> (rounded: Double, exact: Double) {
      MultigridKernels.moveSum(count, solution.start, rest.start)
      let rounded = system.residual(rightSide, minus: solution, into: residual).squareRoot() / size
      _ = system.multiply(rest, into: image)
      Double.axpy(count, -1, image.start, residual.start)
      return (rounded, Double.dot(count, residual.start, residual.start).squareRoot() / size)
    }

    system.precondition(residual, into: corrected)
    direction.start.update(from: corrected.start, count: count)
    var product = Double.dot(count, residual.start, corrected.start)
    var replaced = 1.0
    var iteration = 0
    while iteration < maximumIterations {
      iteration += 1
      let curvature = system.multiply(direction, into: image)
      // Not positive, or not a number: rounding has made the preconditioner useless.
      guard curvature > 0, product > 0 else { break }
      let updated = MultigridKernels.gradientStep(
        count, product / curvature, direction: direction.start, image: image.start, solution: rest.start,
        residual: residual.start)
      let relative = updated.squareRoot() / size
      guard relative.isFinite else { break }
      if relative <= tolerance || relative < 1e-4 * replaced {
        let actual = replace()
        if actual.exact <= tolerance {
          return Outcome(
            iterations: iteration, relativeResidual: actual.rounded,
            hasConverged: actual.rounded <= max(tolerance, Self.largestRounding))
        }
        replaced = actual.exact
      }
      system.precondition(residual, into: corrected)
      let next = Double.dot(count, residual.start, corrected.start)
      MultigridKernels.nextDirection(count, next / product, corrected.start, direction.start)
      product = next
    }
    return Outcome(iterations: iteration, relativeResidual: replace().rounded, hasConverged: false)
  }

  /// The relative residual that the rounding of a solution may leave.
  private static let largestRounding = 1e-4
}
