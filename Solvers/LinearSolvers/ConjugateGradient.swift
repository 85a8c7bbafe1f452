import Tensors

/// A symmetric positive definite system of linear equations with a preconditioner.
protocol PreconditionedSystem {
  /// The length of a vector.
  var count: Int { get }

  /// y ← A x; returns x · A x.
  func multiply(_ x: Workspace, into y: Workspace) -> Double

  /// r ← b − A x, computed anew; returns ‖r‖² and ‖D x‖², D the diagonal of A.
  func residual(_ b: Workspace, minus x: Workspace, into r: Workspace) -> (
    residual: Double, magnitude: Double
  )

  /// z ← M⁻¹ r, M close to A, symmetric and positive definite.
  func precondition(_ r: Workspace, into z: Workspace)
}

/// The preconditioned conjugate gradient method for symmetric positive definite systems.
///
/// **True residuals.** The residual that the method updates drifts away from b − A x by rounding, so it is replaced
/// by the true one whenever it has fallen by four orders of magnitude (van der Vorst and Ye), and the residual that
/// is reported is computed from the result. The result is x + c, where c collects the steps since the last
/// replacement: the steps lose no digits by being added to something large.
///
/// **Where rounding ends it.** A solution rounded to doubles has a residual of about 2⁻⁵³ ‖D x‖, which can be larger
/// than the tolerance: for permeabilities of 1 and 10⁶ on 421² points it is 10⁻⁷ ‖b‖. There the updated residual,
/// that of the result before it is rounded, must meet the tolerance, and the true one that bound.
///
/// Hestenes and Stiefel 1952; Saad, "Iterative Methods for Sparse Linear Systems", 2003, algorithm 9.1; van der
/// Vorst and Ye, "Residual replacement strategies for Krylov subspace iterative methods", SIAM J. Sci. Comput.
/// 22 (2000).
final class ConjugateGradient {
  /// How a solve ended.
  struct Outcome {
    /// The number of iterations.
    let iterations: Int
    /// ‖b − A x‖ / ‖b‖, computed from the solution.
    let relativeResidual: Double
    /// Whether that is as small as demanded, or as doubles allow.
    let hasConverged: Bool
  }

  private let residual: Workspace
  private let direction: Workspace
  private let image: Workspace
  private let corrected: Workspace
  private let steps: Workspace

  /// Scratch memory for systems of `count` unknowns.
  init(count: Int) {
    residual = Workspace(count: count)
    direction = Workspace(count: count)
    image = Workspace(count: count)
    corrected = Workspace(count: count)
    steps = Workspace(count: count)
  }

  /// Solves A x = b to ‖b − A x‖ ≤ tolerance ‖b‖, from x = 0.
  func solve(
    _ system: some PreconditionedSystem, rightSide: Workspace, solution: Workspace, tolerance: Double,
    maximumIterations: Int
  ) -> Outcome {
    let count = system.count
    solution.start.update(repeating: 0, count: count)
    steps.start.update(repeating: 0, count: count)
    residual.start.update(from: rightSide.start, count: count)
    let size = Double.dot(count, rightSide.start, rightSide.start).squareRoot()
    guard size > 0 else { return Outcome(iterations: 0, relativeResidual: 0, hasConverged: true) }

    /// Moves the steps into the solution and the true residual into its place.
    func replace() -> (relative: Double, limit: Double) {
      Double.axpy(count, 1, steps.start, solution.start)
      steps.start.update(repeating: 0, count: count)
      let squares = system.residual(rightSide, minus: solution, into: residual)
      // Twice the rounding of x; beyond 10⁻⁴ no residual counts as small.
      let limit = min(1e-4, 0x1p-52 * squares.magnitude.squareRoot() / size)
      return (squares.residual.squareRoot() / size, limit)
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
        count, product / curvature, direction: direction.start, image: image.start, solution: steps.start,
        residual: residual.start)
      let relative = updated.squareRoot() / size
      guard relative.isFinite else { break }
      if relative <= tolerance || relative < 1e-4 * replaced {
        let actual = replace()
        if relative <= tolerance && actual.relative <= max(tolerance, actual.limit) {
          return Outcome(iterations: iteration, relativeResidual: actual.relative, hasConverged: true)
        }
        replaced = actual.relative
      }
      system.precondition(residual, into: corrected)
      let next = Double.dot(count, residual.start, corrected.start)
      MultigridKernels.nextDirection(count, next / product, corrected.start, direction.start)
      product = next
    }
    let (relative, _) = replace()
    return Outcome(iterations: iteration, relativeResidual: relative, hasConverged: false)
  }
}
