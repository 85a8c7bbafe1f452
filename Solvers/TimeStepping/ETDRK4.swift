import Tensors

/// The fourth-order exponential time differencing Runge–Kutta method, with an embedded error estimate.
///
/// L is solved exactly, so that neither stiffness nor fast linear oscillations bound the step:
///
///     a = e^{hL/2} u + Q N(u)
///     b = e^{hL/2} u + Q N(a)
///     c = e^{hL/2} a + Q (2 N(b) − N(u))
///     u⁺ = e^{hL} u + f₁ N(u) + f₂ (N(a) + N(b)) + f₃ N(c)
///
/// Cox and Matthews' formulas for Q, f₁, f₂, f₃ cancel for small hL. Kassam and Trefethen replace them by
/// means over a contour; Taylor's series there costs less and is as exact, and the tests compare the two.
///
/// N(u⁺), which the next step needs anyway, in the place of N(c) gives a method of order three: for L = 0, the
/// embedded pair of Balac and Mahé. The difference, f₃ (N(c) − N(u⁺)), estimates the error of a step at no
/// cost.
///
/// References: Cox, Matthews, "Exponential time differencing for stiff systems", J. Comput. Phys. 2002;
/// Kassam, Trefethen, "Fourth-order time-stepping for stiff PDEs", SIAM J. Sci. Comput. 2005; Balac, Mahé,
/// "Embedded Runge-Kutta scheme for step-size control in the interaction picture method", Comput. Phys.
/// Commun. 2013.
final class ETDRK4: SteppingMethod {
  private let system: any SpectralSystem
  private let symbol: Workspace
  private let e: Workspace
  private let half: Workspace
  private let q: Workspace
  private let f1: Workspace
  private let f2: Workspace
  private let f3: Workspace
  private let a: Workspace
  private let b: Workspace  // and c
  private let termA: Workspace
  private let termB: Workspace
  private let termC: Workspace
  /// What the coefficients are for.
  private var prepared = (step: 0.0, modes: 0)

  init(_ system: any SpectralSystem) {
    self.system = system
    symbol = interleaved(system.linearSymbol)
    let count = symbol.count
    (e, half, q) = (Workspace(count: count), Workspace(count: count), Workspace(count: count))
    (f1, f2, f3) = (Workspace(count: count), Workspace(count: count), Workspace(count: count))
    (a, b) = (Workspace(count: count), Workspace(count: count))
    (termA, termB, termC) = (Workspace(count: count), Workspace(count: count), Workspace(count: count))
  }

  func restart() {}

  func advance(
    _ state: UnsafePointer<Double>, term: UnsafePointer<Double>, by step: Double,
    into next: UnsafeMutablePointer<Double>
  ) {
    let modes = system.activeModes
    prepare(step, modes)
    SolverKernels.diagonalUpdate(
      modes: modes, half.start, state, q.start, 1, term, 0, term, output: a.start)
    system.evaluateNonlinearity(a.start, into: termA.start)
    SolverKernels.diagonalUpdate(
      modes: modes, half.start, state, q.start, 1, termA.start, 0, termA.start, output: b.start)
    system.evaluateNonlinearity(b.start, into: termB.start)
    SolverKernels.diagonalUpdate(
      modes: modes, half.start, a.start, q.start, 2, termB.start, -1, term, output: b.start)
    system.evaluateNonlinearity(b.start, into: termC.start)
    SolverKernels.etdrk4Update(
      modes: modes, e: e.start, state, f1: f1.start, term, f2: f2.start, termA.start, termB.start,
      f3: f3.start, termC.start, output: next)
  }

  /// The estimated error of the last step, squared and summed over the coefficients; `nextTerm` is N(u⁺).
  func squaredError(nextTerm: UnsafePointer<Double>) -> Double {
    SolverKernels.weightedDistance(modes: system.activeModes, f3.start, termC.start, nextTerm)
  }

  private func prepare(_ step: Double, _ modes: Int) {
    guard step != prepared.step || modes > prepared.modes else { return }
    SolverKernels.etdrk4Coefficients(
      modes: modes, step: step, symbol: symbol.start, e: e.start, half: half.start, q: q.start,
      f1: f1.start, f2: f2.start, f3: f3.start)
    prepared = (step, modes)
  }
}
