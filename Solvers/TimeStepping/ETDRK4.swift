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
  private let coefficients: ETDRK4Coefficients
  private let a: Workspace
  private let b: Workspace  // and c
  private let termA: Workspace
  private let termB: Workspace
  private let termC: Workspace

  init(_ system: any SpectralSystem) {
    self.system = system
    coefficients = ETDRK4Coefficients(system.linearSymbol)
    let count = 2 * system.linearSymbol.count
    (a, b) = (Workspace(count: count), Workspace(count: count))
    (termA, termB, termC) = (Workspace(count: count), Workspace(count: count), Workspace(count: count))
  }

  func restart() {}

  func advance(
    _ state: UnsafePointer<Double>, term: UnsafePointer<Double>, by step: Double,
    into next: UnsafeMutablePointer<Double>
  ) {
    let modes = system.activeModes
    let k = coefficients
    k.prepare(step, modes)
    SolverKernels.diagonalUpdate(
      modes: modes, k.half.start, state, k.q.start, 1, term, 0, term, output: a.start)
    system.evaluateNonlinearity(a.start, into: termA.start)
    SolverKernels.diagonalUpdate(
      modes: modes, k.half.start, state, k.q.start, 1, termA.start, 0, termA.start, output: b.start)
    system.evaluateNonlinearity(b.start, into: termB.start)
    SolverKernels.diagonalUpdate(
      modes: modes, k.half.start, a.start, k.q.start, 2, termB.start, -1, term, output: b.start)
    system.evaluateNonlinearity(b.start, into: termC.start)
    SolverKernels.etdrk4Update(
      modes: modes, e: k.e.start, state, f1: k.f1.start, term, f2: k.f2.start, termA.start, termB.start,
      f3: k.f3.start, termC.start, output: next)
  }

  /// The estimated error of the last step, squared and summed over the coefficients; `nextTerm` is N(u⁺).
  func squaredError(nextTerm: UnsafePointer<Double>) -> Double {
    SolverKernels.weightedDistance(modes: system.activeModes, coefficients.f3.start, termC.start, nextTerm)
  }
}

/// The coefficients of `ETDRK4` for the step that was prepared last, or their derivatives with respect to ν.
final class ETDRK4Coefficients {
  let e: Workspace
  let half: Workspace
  let q: Workspace
  let f1: Workspace
  let f2: Workspace
  let f3: Workspace

  private let symbol: Workspace
  private let complexStep: ComplexStep?
  private var prepared = (step: 0.0, modes: 0)

  /// - Parameter complexStep: what differentiates; nil for the coefficients themselves.
  init(_ linearSymbol: [Complex], derivative complexStep: ComplexStep? = nil) {
    self.complexStep = complexStep
    symbol = interleaved(complexStep?.symbol(linearSymbol) ?? linearSymbol)
    let count = symbol.count
    (e, half, q) = (Workspace(count: count), Workspace(count: count), Workspace(count: count))
    (f1, f2, f3) = (Workspace(count: count), Workspace(count: count), Workspace(count: count))
  }

  func prepare(_ step: Double, _ modes: Int) {
    guard step != prepared.step || modes > prepared.modes else { return }
    SolverKernels.etdrk4Coefficients(
      modes: modes, step: step, symbol: symbol.start, e: e.start, half: half.start, q: q.start,
      f1: f1.start, f2: f2.start, f3: f3.start)
    if let complexStep {
      for values in [e, half, q, f1, f2, f3] { complexStep.differentiate(values, modes: modes) }
    }
    prepared = (step, modes)
  }
}

/// The derivative of a step of `ETDRK4` and its adjoint.
///
/// With N′ at the four stages, and ′ for tangents:
///
///     a′ = e^{hL/2} u′ + Q N′(u) u′,  b′ = e^{hL/2} u′ + Q N′(a) a′,  c′ = e^{hL/2} a′ + Q (2 N′(b) b′ − N′(u) u′)
///     u⁺′ = e^{hL} u′ + f₁ N′(u) u′ + f₂ (N′(a) a′ + N′(b) b′) + f₃ N′(c) c′
///
/// The adjoint goes through the same lines from the last to the first, with conjugate coefficients. The derivative with
/// respect to ν adds to each line the same line with the derivatives of its coefficients: a source.
final class ETDRK4Derivative: StepDerivative {
  let variableCount: Int

  private let system: any FieldSystem
  private let coefficients: ETDRK4Coefficients
  private let conjugates: ETDRK4Coefficients  // those of the conjugate symbol
  private let sensitivities: ETDRK4Coefficients?  // their derivatives with respect to ν
  private let sources: [Workspace]  // of a, b, c and u⁺
  private let points: [Workspace]  // u, a, b, c: what N′ needs there
  private let a: Workspace
  private let b: Workspace
  private let terms: [Workspace]  // N at the stages, their tangents or cotangents
  private let result: Workspace
  private var step = 0.0

  /// - Parameter viscosity: ν, if the derivative is to be that with respect to it too.
  init(_ system: any FieldSystem, viscosity: Double?) {
    self.system = system
    let symbol = system.linearSymbol
    coefficients = ETDRK4Coefficients(symbol)
    sensitivities = viscosity.map { ETDRK4Coefficients(symbol, derivative: ComplexStep(viscosity: $0)) }
    conjugates =
      symbol.allSatisfy { $0.imaginary == 0 }
      ? coefficients : ETDRK4Coefficients(symbol.map { Complex($0.real, -$0.imaginary) })
    let count = 2 * symbol.count
    variableCount = count
    points = (0..<4).map { _ in Workspace(count: system.linearizationCount) }
    (a, b) = (Workspace(count: count), Workspace(count: count))
    terms = (0..<4).map { _ in Workspace(count: count) }
    sources = (0..<(viscosity == nil ? 0 : 4)).map { _ in Workspace(count: count) }
    result = Workspace(count: count)
  }

  func linearize(
    at variables: UnsafeMutablePointer<Double>, step: Double, previousStep: Double?,
    into next: UnsafeMutablePointer<Double>?
  ) {
    self.step = step
    takeStages(variables, into: next) { stage, state in
      system.linearize(state, into: points[stage].start)
      // N at the last stage goes into the new state only, and into its source.
      if stage < 3 || next != nil || sensitivities != nil {
        system.evaluateNonlinearity(at: points[stage].start, into: terms[stage].start)
      }
    }
    findSources(variables)
  }

  /// The lines of a step from u with the derivatives of the coefficients.
  private func findSources(_ u: UnsafePointer<Double>) {
    guard let k = sensitivities else { return }
    let modes = system.activeModes
    k.prepare(step, modes)
    let n = (terms[0].start, terms[1].start, terms[2].start, terms[3].start)
    SolverKernels.diagonalUpdate(
      modes: modes, k.half.start, u, k.q.start, 1, n.0, 0, n.0, output: sources[0].start)
    SolverKernels.diagonalUpdate(
      modes: modes, k.half.start, u, k.q.start, 1, n.1, 0, n.1, output: sources[1].start)
    SolverKernels.diagonalUpdate(
      modes: modes, k.half.start, a.start, k.q.start, 2, n.2, -1, n.0, output: sources[2].start)
    SolverKernels.etdrk4Update(
      modes: modes, e: k.e.start, u, f1: k.f1.start, n.0, f2: k.f2.start, n.1, n.2, f3: k.f3.start, n.3,
      output: sources[3].start)
  }

  func applyTangent(to direction: UnsafeMutablePointer<Double>, viscosity change: Double) {
    takeStages(direction, change, into: result.start) { stage, state in
      system.applyTangent(at: points[stage].start, to: state, into: terms[stage].start)
    }
    direction.update(from: result.start, count: 2 * system.activeModes)
  }

  /// The stages of a step, given what stands for N there and how much of the sources is added.
  private func takeStages(
    _ u: UnsafeMutablePointer<Double>, _ share: Double = 0, into next: UnsafeMutablePointer<Double>?,
    _ evaluate: (_ stage: Int, _ state: UnsafeMutablePointer<Double>) -> Void
  ) {
    let (modes, k) = (system.activeModes, coefficients)
    k.prepare(step, modes)
    let n = (terms[0].start, terms[1].start, terms[2].start, terms[3].start)
    func addSource(_ number: Int, to stage: UnsafeMutablePointer<Double>) {
      if share != 0 { Double.axpy(2 * modes, share, sources[number].start, stage) }
    }
    evaluate(0, u)
    SolverKernels.diagonalUpdate(
      modes: modes, k.half.start, u, k.q.start, 1, n.0, 0, n.0, output: a.start)
    addSource(0, to: a.start)
    evaluate(1, a.start)
    SolverKernels.diagonalUpdate(
      modes: modes, k.half.start, u, k.q.start, 1, n.1, 0, n.1, output: b.start)
    addSource(1, to: b.start)
    evaluate(2, b.start)
    SolverKernels.diagonalUpdate(
      modes: modes, k.half.start, a.start, k.q.start, 2, n.2, -1, n.0, output: b.start)
    addSource(2, to: b.start)
    evaluate(3, b.start)
    guard let next else { return }
    SolverKernels.etdrk4Update(
      modes: modes, e: k.e.start, u, f1: k.f1.start, n.0, f2: k.f2.start, n.1, n.2, f3: k.f3.start, n.3,
      output: next)
    addSource(3, to: next)
  }

  func applyAdjoint(to cotangent: UnsafeMutablePointer<Double>) -> Double {
    let (modes, k) = (system.activeModes, conjugates)
    k.prepare(step, modes)
    // The cotangents of N at a stage, of u there, and of the stages a, b and c.
    let (ofTerm, ofStage, gamma) = (terms[0].start, terms[1].start, terms[2].start)
    let (alpha, beta) = (a.start, b.start)
    SolverKernels.multiply(modes: modes, factor: k.f3.start, cotangent, ofTerm)
    system.applyAdjoint(at: points[3].start, to: ofTerm, into: gamma)
    // c′ is made of a′ and the terms at b and u.
    SolverKernels.diagonalUpdate(
      modes: modes, k.f2.start, cotangent, k.q.start, 2, gamma, 0, gamma, output: ofTerm)
    system.applyAdjoint(at: points[2].start, to: ofTerm, into: beta)
    SolverKernels.diagonalUpdate(
      modes: modes, k.f2.start, cotangent, k.q.start, 1, beta, 0, beta, output: ofTerm)
    system.applyAdjoint(at: points[1].start, to: ofTerm, into: alpha)
    SolverKernels.multiplyAdd(modes: modes, factor: k.half.start, gamma, alpha)
    SolverKernels.diagonalUpdate(
      modes: modes, k.f1.start, cotangent, k.q.start, 1, alpha, -1, gamma, output: ofTerm)
    system.applyAdjoint(at: points[0].start, to: ofTerm, into: ofStage)
    SolverKernels.diagonalUpdate(
      modes: modes, k.e.start, cotangent, k.half.start, 1, alpha, 1, beta, output: result.start)
    let ofViscosity = zip(sources, [alpha, beta, gamma, cotangent]).reduce(0) {
      $0 + system.product($1.0.start, $1.1)
    }
    cotangent.update(from: result.start, count: 2 * modes)
    Double.axpy(2 * modes, 1, ofStage, cotangent)
    return ofViscosity
  }
}
