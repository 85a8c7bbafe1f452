import Tensors

/// Crank–Nicolson for L; Euler's, Heun's or the second-order Adams–Bashforth method for N.
///
/// (1 − hL/2) u⁺ = (1 + hL/2) u + h N*, where N* is N(u) for Euler, the mean of N(u) and N(Euler's u⁺) for Heun,
/// and (1 + r/2) N(u) − (r/2) N(u⁻) for Adams–Bashforth, r being the ratio of this step to the last one.
///
/// Reference: Canuto, Hussaini, Quarteroni, Zang, "Spectral Methods", 2006, appendix D.
final class CrankNicolson: SteppingMethod {
  private let system: any SpectralSystem
  private let scheme: TimeScheme
  private let coefficients: CrankNicolsonCoefficients
  private let previous: Workspace  // N at the last step, or at Heun's prediction
  private var lastStep: Double?  // nil: no previous value of N

  init(_ system: any SpectralSystem, scheme: TimeScheme) {
    self.system = system
    self.scheme = scheme
    coefficients = CrankNicolsonCoefficients(system.linearSymbol)
    previous = Workspace(count: 2 * system.linearSymbol.count)
  }

  var memory: Workspace? { scheme.isMultistep ? previous : nil }

  func restart() {
    lastStep = nil
    previous.start.update(repeating: 0, count: previous.count)
  }

  func advance(
    _ state: UnsafePointer<Double>, term: UnsafePointer<Double>, by step: Double,
    into next: UnsafeMutablePointer<Double>
  ) {
    let (modes, k) = (system.activeModes, coefficients)
    k.prepare(step)
    func update(_ a: Double, _ b: Double) {
      SolverKernels.diagonalUpdate(
        modes: modes, k.keep.start, state, k.gain.start, a, term, b, previous.start, output: next)
    }
    switch (scheme, lastStep) {
    case (.eulerCrankNicolson, _):
      update(step, 0)
    case (.adamsBashforthCrankNicolson, .some(let lastStep)):
      let ratio = step / lastStep
      update(step * (1 + 0.5 * ratio), -0.5 * ratio * step)
    default:
      update(step, 0)
      system.evaluateNonlinearity(next, into: previous.start)
      update(0.5 * step, 0.5 * step)
    }
    guard scheme == .adamsBashforthCrankNicolson else { return }
    previous.start.update(from: term, count: 2 * modes)
    (previous.start + 2 * modes).update(repeating: 0, count: previous.count - 2 * modes)
    lastStep = step
  }
}

/// The coefficients of `CrankNicolson` for the step that was prepared last, or their derivatives with respect to ν.
final class CrankNicolsonCoefficients {
  let keep: Workspace  // (1 + hL/2) / (1 − hL/2)
  let gain: Workspace  // 1 / (1 − hL/2)

  private let symbol: [Complex]
  private let complexStep: ComplexStep?
  private var preparedStep = 0.0

  /// - Parameter complexStep: what differentiates; nil for the coefficients themselves.
  init(_ linearSymbol: [Complex], derivative complexStep: ComplexStep? = nil) {
    self.complexStep = complexStep
    symbol = complexStep?.symbol(linearSymbol) ?? linearSymbol
    keep = Workspace(count: 2 * symbol.count)
    gain = Workspace(count: 2 * symbol.count)
  }

  func prepare(_ step: Double) {
    guard step != preparedStep else { return }
    for (mode, rate) in symbol.enumerated() {
      let half = 0.5 * step * rate
      let implicit = Complex(1) / (Complex(1) - half)
      let kept = (Complex(1) + half) * implicit
      (gain.start[2 * mode], gain.start[2 * mode + 1]) = (implicit.real, implicit.imaginary)
      (keep.start[2 * mode], keep.start[2 * mode + 1]) = (kept.real, kept.imaginary)
    }
    for values in [keep, gain] { complexStep?.differentiate(values, modes: symbol.count) }
    preparedStep = step
  }
}

/// The derivative of a step of `CrankNicolson` and its adjoint.
///
/// For Adams–Bashforth the variables are the state and the last value of N. The derivative with respect to ν adds to
/// a step, and to Heun's prediction, the same with the derivatives of its coefficients: a source.
final class CrankNicolsonDerivative: StepDerivative {
  let variableCount: Int

  /// The last step that was linearised: with one evaluation of N, or with two (Heun's).
  private enum Step {
    /// N* = a N(u) + b N(u⁻), both weights times h.
    case one(a: Double, b: Double)
    case two(h: Double)
  }

  private let system: any FieldSystem
  private let scheme: TimeScheme
  private let coefficients: CrankNicolsonCoefficients
  private let conjugates: CrankNicolsonCoefficients
  private let sensitivities: CrankNicolsonCoefficients?  // their derivatives with respect to ν
  private let sources: [Workspace]  // of u⁺ and the prediction
  private let stateCount: Int
  private let points: [Workspace]  // u and, for Heun's steps, the prediction
  private let terms: [Workspace]
  private let prediction: Workspace
  private let result: Workspace
  private var step = (size: 0.0, kind: Step.one(a: 0, b: 0))

  /// - Parameter viscosity: ν, if the derivative is to be that with respect to it too.
  init(_ system: any FieldSystem, scheme: TimeScheme, viscosity: Double?) {
    self.system = system
    self.scheme = scheme
    let symbol = system.linearSymbol
    coefficients = CrankNicolsonCoefficients(symbol)
    conjugates = CrankNicolsonCoefficients(symbol.map { Complex($0.real, -$0.imaginary) })
    sensitivities = viscosity.map {
      CrankNicolsonCoefficients(symbol, derivative: ComplexStep(viscosity: $0))
    }
    stateCount = 2 * symbol.count
    variableCount = scheme.isMultistep ? 2 * stateCount : stateCount
    let count = stateCount
    points = (0..<2).map { _ in Workspace(count: system.linearizationCount) }
    terms = (0..<2).map { _ in Workspace(count: count) }
    sources = (0..<(viscosity == nil ? 0 : 2)).map { _ in Workspace(count: count) }
    (prediction, result) = (Workspace(count: count), Workspace(count: count))
  }

  func linearize(
    at variables: UnsafeMutablePointer<Double>, step size: Double, previousStep: Double?,
    into next: UnsafeMutablePointer<Double>?
  ) {
    switch (scheme, previousStep) {
    case (.eulerCrankNicolson, _): step = (size, .one(a: size, b: 0))
    case (.adamsBashforthCrankNicolson, .some(let previousStep)):
      let ratio = size / previousStep
      step = (size, .one(a: size * (1 + 0.5 * ratio), b: -0.5 * ratio * size))
    default: step = (size, .two(h: size))
    }
    takeStep(variables, into: next) { stage, state in
      system.linearize(state, into: points[stage].start)
      system.evaluateNonlinearity(at: points[stage].start, into: terms[stage].start)
    }
    findSources(variables)
  }

  /// A step from u, and Heun's prediction, with the derivatives of the coefficients.
  private func findSources(_ u: UnsafePointer<Double>) {
    guard let k = sensitivities else { return }
    let modes = system.activeModes
    k.prepare(step.size)
    let (term, second) = (terms[0].start, terms[1].start)
    func update(_ a: Double, _ b: Double, _ other: UnsafePointer<Double>, _ output: Workspace) {
      SolverKernels.diagonalUpdate(
        modes: modes, k.keep.start, u, k.gain.start, a, term, b, other, output: output.start)
    }
    switch step.kind {
    case .one(let a, let b):
      update(a, b, scheme.isMultistep ? u + stateCount : UnsafePointer(term), sources[0])
    case .two(let h):
      update(0.5 * h, 0.5 * h, second, sources[0])
      update(h, 0, term, sources[1])
    }
  }

  func applyTangent(to direction: UnsafeMutablePointer<Double>, viscosity change: Double) {
    takeStep(direction, change, into: direction) { stage, state in
      system.applyTangent(at: points[stage].start, to: state, into: terms[stage].start)
    }
  }

  /// A step from u, given what stands for N there and how much of the sources is added; `next` may be `u`.
  private func takeStep(
    _ u: UnsafeMutablePointer<Double>, _ share: Double = 0, into next: UnsafeMutablePointer<Double>?,
    _ evaluate: (_ stage: Int, _ state: UnsafeMutablePointer<Double>) -> Void
  ) {
    let (modes, k) = (system.activeModes, coefficients)
    k.prepare(step.size)
    let (term, second) = (terms[0].start, terms[1].start)
    func update(_ a: Double, _ b: Double, _ other: UnsafePointer<Double>, _ output: Workspace) {
      SolverKernels.diagonalUpdate(
        modes: modes, k.keep.start, u, k.gain.start, a, term, b, other, output: output.start)
    }
    func addSource(_ number: Int, to output: Workspace) {
      if share != 0 { Double.axpy(2 * modes, share, sources[number].start, output.start) }
    }
    evaluate(0, u)
    switch step.kind {
    case .one(let a, let b):
      guard next != nil else { return }
      update(a, b, scheme.isMultistep ? u + stateCount : term, result)
    case .two(let h):
      update(h, 0, term, prediction)
      addSource(1, to: prediction)
      evaluate(1, prediction.start)
      guard next != nil else { return }
      update(0.5 * h, 0.5 * h, second, result)
    }
    guard let next else { return }
    addSource(0, to: result)
    next.update(from: result.start, count: 2 * modes)
    if scheme.isMultistep { (next + stateCount).update(from: term, count: 2 * modes) }
  }

  func applyAdjoint(to cotangent: UnsafeMutablePointer<Double>) -> Double {
    let (modes, k) = (system.activeModes, conjugates)
    k.prepare(step.size)
    let (ofTerm, ofStage) = (terms[0].start, terms[1].start)
    let memory = scheme.isMultistep ? cotangent + stateCount : nil
    var ofViscosity = sources.isEmpty ? 0 : system.product(sources[0].start, cotangent)
    SolverKernels.multiply(modes: modes, factor: k.gain.start, cotangent, prediction.start)
    ofTerm.update(from: prediction.start, count: 2 * modes)
    switch step.kind {
    case .one(let a, let b):
      Double.scale(2 * modes, a, ofTerm)
      if let memory {
        Double.axpy(2 * modes, 1, memory, ofTerm)
        memory.update(from: prediction.start, count: 2 * modes)
        Double.scale(2 * modes, b, memory)
      }
    case .two(let h):
      Double.scale(2 * modes, 0.5 * h, ofTerm)
      system.applyAdjoint(at: points[1].start, to: ofTerm, into: ofStage)
      if !sources.isEmpty { ofViscosity += system.product(sources[1].start, ofStage) }
      // The prediction is u (1 + hL/2) / (1 − hL/2) and N(u).
      Double.axpy(2 * modes, 1, ofStage, cotangent)
      Double.scale(2 * modes, h, ofStage)
      SolverKernels.multiplyAdd(modes: modes, factor: k.gain.start, ofStage, ofTerm)
      if let memory {
        Double.axpy(2 * modes, 1, memory, ofTerm)
        memory.update(repeating: 0, count: 2 * modes)
      }
    }
    system.applyAdjoint(at: points[0].start, to: ofTerm, into: ofStage)
    SolverKernels.multiply(modes: modes, factor: k.keep.start, cotangent, result.start)
    cotangent.update(from: result.start, count: 2 * modes)
    Double.axpy(2 * modes, 1, ofStage, cotangent)
    return ofViscosity
  }
}
