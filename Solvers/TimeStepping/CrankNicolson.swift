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
  private let symbol: [Complex]
  private let keep: Workspace  // (1 + hL/2) / (1 − hL/2)
  private let gain: Workspace  // 1 / (1 − hL/2)
  private let previous: Workspace  // N at the last step, or at Heun's prediction
  private var preparedStep = 0.0
  private var lastStep: Double?  // nil: no previous value of N

  init(_ system: any SpectralSystem, scheme: TimeScheme) {
    self.system = system
    self.scheme = scheme
    symbol = system.linearSymbol
    keep = Workspace(count: 2 * symbol.count)
    gain = Workspace(count: 2 * symbol.count)
    previous = Workspace(count: 2 * symbol.count)
  }

  func restart() {
    lastStep = nil
    previous.start.update(repeating: 0, count: previous.count)
  }

  func advance(
    _ state: UnsafePointer<Double>, term: UnsafePointer<Double>, by step: Double,
    into next: UnsafeMutablePointer<Double>
  ) {
    prepare(step)
    let modes = system.activeModes
    func update(_ a: Double, _ b: Double) {
      SolverKernels.diagonalUpdate(
        modes: modes, keep.start, state, gain.start, a, term, b, previous.start, output: next)
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

  private func prepare(_ step: Double) {
    guard step != preparedStep else { return }
    for (mode, rate) in symbol.enumerated() {
      let half = 0.5 * step * rate
      let implicit = Complex(1) / (Complex(1) - half)
      let kept = (Complex(1) + half) * implicit
      (gain.start[2 * mode], gain.start[2 * mode + 1]) = (implicit.real, implicit.imaginary)
      (keep.start[2 * mode], keep.start[2 * mode + 1]) = (kept.real, kept.imaginary)
    }
    preparedStep = step
  }
}
