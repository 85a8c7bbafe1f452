import Tensors

/// A symmetric positive definite system of linear equations with a preconditioner.
///
/// The iteration works on A and r in its own precision, each times a power of two that keeps its numbers in range.
protocol PreconditionedSystem<Scalar> {
  /// The numbers of the iteration.
  associatedtype Scalar: MultigridScalar

  /// The length of a vector.
  var count: Int { get }

  /// What A is multiplied by in `multiply` and `precondition`.
  var scale: Double { get }

  /// y ← scale A x; returns x · y.
  func multiply(_ x: Buffer<Scalar>, into y: Buffer<Scalar>) -> Double

  /// r ← residualScale (b − A (x + rest)); returns ‖b − A x‖² and ‖b − A (x + rest)‖².
  func residual(
    _ b: Workspace, minus x: Workspace, rest: Workspace, residualScale: Double, into r: Buffer<Scalar>
  ) -> (rounded: Double, exact: Double)

  /// z ← M⁻¹ r, M close to scale A, symmetric and positive definite; returns r · z.
  func precondition(_ r: Buffer<Scalar>, into z: Buffer<Scalar>) -> Double
}

/// The preconditioned conjugate gradient method for symmetric positive definite systems.
///
/// **True residuals.** The residual that the method updates drifts away from b − A x by rounding. Here it is replaced
/// by the true one, computed anew in double precision, whenever it has fallen by four orders of magnitude (van der Vorst
/// and Ye), and the method ends only if the true one is small enough. That is why its directions may be of single
/// precision: the iterate is a sum of them in double precision, and what their images lack is found by the next
/// replacement.
///
/// **Twice the digits.** Rounding a solution to doubles alone leaves a residual of about 2⁻⁵³ ‖A‖ ‖x‖, which can be
/// larger than the tolerance: 10⁻⁷ ‖b‖ for permeabilities of 1 and 10⁶ on 421² points. The iterate is therefore an
/// unevaluated sum x + c, and so is the one whose residual must be small; it is rounded to x when all is done. The
/// residual of x is reported; one above 10⁻⁴ counts as not converged.
///
/// Hestenes and Stiefel 1952; Saad, "Iterative Methods for Sparse Linear Systems", 2003, algorithm 9.1; van der
/// Vorst and Ye, "Residual replacement strategies for Krylov subspace iterative methods", SIAM J. Sci. Comput.
/// 22 (2000).
final class ConjugateGradient<Scalar: MultigridScalar> {
  private let residual: Buffer<Scalar>
  private let direction: Buffer<Scalar>
  private let image: Buffer<Scalar>
  private let corrected: Buffer<Scalar>

  /// Scratch memory for systems of `count` unknowns.
  init(count: Int) {
    residual = Buffer(count: count)
    direction = Buffer(count: count)
    image = Buffer(count: count)
    corrected = Buffer(count: count)
  }

  /// Solves A x = b to ‖b − A (x + c)‖ ≤ tolerance ‖b‖, from x = 0, c (`rest`) the rounding of the result.
  func solve(
    _ system: some PreconditionedSystem<Scalar>, rightSide: Workspace, solution: Workspace, rest: Workspace,
    tolerance: Double, maximumIterations: Int
  ) -> LinearSolveOutcome {
    let count = system.count
    solution.start.update(repeating: 0, count: count)
    rest.start.update(repeating: 0, count: count)
    let size = Double.dot(count, rightSide.start, rightSide.start).squareRoot()
    guard size > 0 else { return LinearSolveOutcome(iterations: 0, relativeResidual: 0, hasConverged: true) }
    // Numbers of about one.
    let residualScale = 1 / (size / Double(count).squareRoot()).powerOfTwo
    let unit = system.scale / residualScale

    /// Computes the residuals of x and of x + c; the latter takes the place of the updated one.
    func replace() -> (rounded: Double, exact: Double) {
      MultigridKernels.moveSum(count, solution.start, rest.start)
      let squares = system.residual(
        rightSide, minus: solution, rest: rest, residualScale: residualScale, into: residual)
      return (squares.rounded.squareRoot() / size, squares.exact.squareRoot() / size)
    }

    Scalar.scaled(count, residualScale, rightSide.start, into: residual.start)
    var product = system.precondition(residual, into: corrected)
    direction.start.update(from: corrected.start, count: count)
    var replaced = 1.0
    var iteration = 0
    while iteration < maximumIterations {
      iteration += 1
      let curvature = system.multiply(direction, into: image)
      // Not positive, or not a number: rounding has made the preconditioner useless.
      guard curvature > 0, product > 0 else { break }
      let updated = Scalar.gradientStep(
        count, product / curvature, unit: unit, direction: direction.start, image: image.start,
        solution: rest.start, residual: residual.start)
      let relative = updated.squareRoot() / (residualScale * size)
      guard relative.isFinite else { break }
      if relative <= tolerance || relative < 1e-4 * replaced {
        let actual = replace()
        if actual.exact <= tolerance {
          return LinearSolveOutcome(
            iterations: iteration, relativeResidual: actual.rounded,
            hasConverged: actual.rounded <= max(tolerance, LinearSolveOutcome.largestRounding))
        }
        replaced = actual.exact
      }
      let next = system.precondition(residual, into: corrected)
      Scalar.nextDirection(count, next / product, corrected.start, direction.start)
      product = next
    }
    return LinearSolveOutcome(iterations: iteration, relativeResidual: replace().rounded, hasConverged: false)
  }
}

/// How the solution of a linear system ended.
struct LinearSolveOutcome {
  /// The number of iterations.
  var iterations: Int
  /// ‖b − A x‖ / ‖b‖, computed from the solution: the tolerance at most, or what rounding it to doubles leaves.
  let relativeResidual: Double
  /// Whether the solution, before it is rounded, has a residual as small as demanded.
  let hasConverged: Bool

  /// The relative residual that the rounding of a solution may leave.
  static let largestRounding = 1e-4
}

extension Double {
  /// The largest power of two that is not above this positive number.
  var powerOfTwo: Double { Double(sign: .plus, exponent: exponent, significand: 1) }
}
