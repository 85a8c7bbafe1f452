import Tensors

/// The preconditioned conjugate gradient method for symmetric positive definite systems.
///
/// Hestenes and Stiefel 1952; Saad, "Iterative Methods for Sparse Linear Systems", 2003, algorithm 9.1.
final class ConjugateGradient {
  private let count: Int
  private let residual: Workspace
  private let direction: Workspace
  private let image: Workspace
  private let corrected: Workspace

  /// Scratch memory for systems of `count` unknowns.
  init(count: Int) {
    self.count = count
    residual = Workspace(count: count)
    direction = Workspace(count: count)
    image = Workspace(count: count)
    corrected = Workspace(count: count)
  }

  /// Solves A x = b to ‖b − A x‖ ≤ tolerance ‖b‖, from x = 0.
  ///
  /// - Returns: the number of iterations, the residual reached, and whether that is small enough.
  func solve(
    multiply: (Workspace, Workspace) -> Void, precondition: (Workspace, Workspace) -> Void,
    rightSide: Workspace,
    solution: Workspace, tolerance: Double, maximumIterations: Int
  ) -> (iterations: Int, relativeResidual: Double, hasConverged: Bool) {
    solution.start.update(repeating: 0, count: count)
    residual.start.update(from: rightSide.start, count: count)
    let size = dot(rightSide, rightSide).squareRoot()
    guard size > 0 else { return (0, 0, true) }
    precondition(residual, corrected)
    direction.start.update(from: corrected.start, count: count)
    var product = dot(residual, corrected)
    var relative = 1.0
    for iteration in 1...max(1, maximumIterations) {
      multiply(direction, image)
      let step = product / dot(direction, image)
      Double.axpy(count, step, direction.start, solution.start)
      Double.axpy(count, -step, image.start, residual.start)
      relative = dot(residual, residual).squareRoot() / size
      if relative <= tolerance { return (iteration, relative, true) }
      guard relative.isFinite else { return (iteration, relative, false) }
      precondition(residual, corrected)
      let next = dot(residual, corrected)
      Double.scale(count, next / product, direction.start)
      Double.axpy(count, 1, corrected.start, direction.start)
      product = next
    }
    return (maximumIterations, relative, false)
  }

  private func dot(_ x: Workspace, _ y: Workspace) -> Double { Double.dot(count, x.start, y.start) }
}
