import Foundation
import Tensors

/// How a semi-implicit solver advances y' = −L y + N(y), L ≥ 0 diagonal in Fourier space.
///
/// All three treat L by Crank–Nicolson; they differ in N.
public enum SemiImplicitScheme: String, Sendable, CaseIterable, Codable {
  /// Second-order Adams–Bashforth, one evaluation of N per step, started by one step of Heun's method.
  ///
  /// The formula for unequal steps is used, so that the order does not drop where the step changes.
  case adamsBashforthCrankNicolson = "adams-bashforth-crank-nicolson"
  /// Heun's method, two evaluations per step, second order: as Kovachki et al., JMLR 2023 describe.
  case heunCrankNicolson = "heun-crank-nicolson"
  /// Forward Euler, one evaluation per step, first order: the code that made the published data.
  case eulerCrankNicolson = "euler-crank-nicolson"

  /// The order of convergence in time.
  public var order: Int { self == .eulerCrankNicolson ? 1 : 2 }

  /// The evaluations of the explicit term per step.
  public var evaluationsPerStep: Int { self == .heunCrankNicolson ? 2 : 1 }

  /// The largest product of step and frequency of an undamped oscillation at which the growth of the scheme
  /// is below one percent per step, and so below the damping of the modes that oscillate fastest.
  ///
  /// No explicit scheme of order one or two is stable on the imaginary axis: |amplification| − 1 is C⁴/4 for
  /// Adams–Bashforth, C⁴/8 for Heun, C²/2 for Euler.
  var largestCourantNumber: Double { self == .eulerCrankNicolson ? 0.1 : 0.4 }
}

/// An equation y' = −L y + N(y) for complex coefficients, with the scratch memory to evaluate N.
///
/// L is diagonal, real and not negative. One instance belongs to one worker.
protocol SpectralEquation: AnyObject {
  /// L, one number per complex coefficient.
  var decayRates: [Double] { get }
  /// Writes N(state) into `term`, and remembers what bounds the step.
  func evaluateExplicitTerm(_ state: UnsafeMutablePointer<Double>, into term: UnsafeMutablePointer<Double>)
  /// The largest step that is stable and accurate at the last evaluated state.
  func stepBound(_ scheme: SemiImplicitScheme) -> Double
  /// The L² norm of the field; not finite if any coefficient is not.
  func norm(_ state: UnsafePointer<Double>) -> Double
  /// A rigorous bound on the growth of the norm per unit of time.
  var growthRate: Double { get }
  /// Throws if the grid does not resolve the state.
  func checkResolution(_ state: UnsafePointer<Double>, sample: Int) throws
}

/// When the steps of a solver end: recorded times are hit exactly, by counting steps.
struct RecordedTimes: Sendable {
  let times: [Double]
  /// The step that was asked for; nil lets the solver choose.
  let timeStep: Double?

  init(_ times: [Double], timeStep: Double?) throws {
    guard let first = times.first, first >= 0, times.allSatisfy({ $0.isFinite }),
      zip(times, times.dropFirst()).allSatisfy({ $0 < $1 })
    else {
      throw SolverError.invalidProblem(
        "the recorded times must be increasing, finite and not negative: \(times)")
    }
    if let timeStep, !(timeStep.isFinite && timeStep > 0) {
      throw SolverError.invalidProblem("the time step must be positive and finite, not \(timeStep)")
    }
    if let timeStep, times[times.count - 1] / timeStep > 1e9 {
      throw SolverError.invalidProblem("a time step of \(timeStep) takes more than 10⁹ steps")
    }
    self.times = times
    self.timeStep = timeStep
  }

  /// The number of equal steps, none longer than `step`, that cover `interval`.
  ///
  /// Intervals that are whole multiples of the step up to rounding get that multiple.
  static func stepCount(covering interval: Double, step: Double) -> Int {
    max(1, Int((interval / step * (1 - 1e-12) - 1e-9).rounded(.up)))
  }
}

/// Advances a `SpectralEquation` from recorded time to recorded time.
final class SemiImplicitStepper<Equation: SpectralEquation> {
  /// The norm and the resolution are checked, and a chosen step is reconsidered, this often.
  static var stepsBetweenChecks: Int { 16 }

  let equation: Equation
  let state: Workspace

  private let scheme: SemiImplicitScheme
  private let schedule: RecordedTimes
  private let modes: Int
  private let rates: [Double]
  private let keep: Workspace
  private let gain: Workspace
  private var current: Workspace
  private var previous: Workspace
  private let predicted: Workspace
  /// The step that `keep` and `gain` are for.
  private var preparedStep = 0.0

  init(_ equation: Equation, scheme: SemiImplicitScheme, schedule: RecordedTimes) {
    self.equation = equation
    self.scheme = scheme
    self.schedule = schedule
    rates = equation.decayRates
    modes = rates.count
    state = Workspace(count: 2 * modes)
    keep = Workspace(count: modes)
    gain = Workspace(count: modes)
    current = Workspace(count: 2 * modes)
    previous = Workspace(count: 2 * modes)
    predicted = Workspace(count: 2 * modes)
  }

  /// Integrates from `state` at t = 0, calling `record` at every recorded time, t = 0 included.
  func run(sample: Int, record: (_ frame: Int) -> Void) throws {
    let initialNorm = equation.norm(state.start)
    var time = 0.0
    var lastStep: Double?  // nil: no previous value of the explicit term
    var nextCheck = 0
    var taken = 0
    var safeStep = Double.infinity
    for (frame, end) in schedule.times.enumerated() {
      let start = time
      let interval = end - start
      // The interval is divided anew when a chosen step changes: `left` steps of `step` always end at `end`.
      var left = interval > 0 ? 1 : 0
      var step = interval
      if let given = schedule.timeStep, interval > 0 {
        left = RecordedTimes.stepCount(covering: interval, step: given)
        step = interval / Double(left)
      }
      var mustChoose = schedule.timeStep == nil
      while left > 0 {
        equation.evaluateExplicitTerm(state.start, into: current.start)
        if taken == nextCheck || mustChoose {
          safeStep = equation.stepBound(scheme)
          guard safeStep > 1e-9 * interval else {
            throw SolverError.blowUp(
              sample: sample, time: time, advice: "the velocity is too large for any useful time step")
          }
          if schedule.timeStep == nil, mustChoose || step > safeStep || step < 0.4 * safeStep {
            let remaining = end - time
            left = RecordedTimes.stepCount(covering: remaining, step: safeStep)
            step = remaining / Double(left)
          }
          mustChoose = false
          nextCheck = taken + Self.stepsBetweenChecks
        }
        advance(step, after: lastStep)
        lastStep = step
        taken += 1
        left -= 1
        time = left == 0 ? end : end - Double(left) * step
        if taken == nextCheck || left == 0 {
          try check(sample: sample, time: time, initialNorm: initialNorm, safeStep: safeStep)
        }
      }
      time = end
      record(frame)
    }
  }

  /// One step; `current` is the explicit term at the state and becomes `previous`.
  private func advance(_ step: Double, after lastStep: Double?) {
    prepare(step)
    switch (scheme, lastStep) {
    case (.eulerCrankNicolson, _):
      update(step, current, 0, current)
    case (.adamsBashforthCrankNicolson, .some(let lastStep)):
      let ratio = step / lastStep
      update(step * (1 + 0.5 * ratio), current, -0.5 * ratio * step, previous)
    case (.adamsBashforthCrankNicolson, nil), (.heunCrankNicolson, _):
      predicted.start.update(from: state.start, count: 2 * modes)
      SolverKernels.semiImplicitUpdate(
        modes: modes, keep: keep.start, gain: gain.start, step, current.start, 0, current.start,
        state: predicted.start)
      equation.evaluateExplicitTerm(predicted.start, into: previous.start)
      update(0.5 * step, current, 0.5 * step, previous)
    }
    swap(&current, &previous)
  }

  private func update(_ a: Double, _ first: Workspace, _ b: Double, _ second: Workspace) {
    SolverKernels.semiImplicitUpdate(
      modes: modes, keep: keep.start, gain: gain.start, a, first.start, b, second.start, state: state.start)
  }

  private func prepare(_ step: Double) {
    guard step != preparedStep else { return }
    for (mode, rate) in rates.enumerated() {
      let implicit = 1 / (1 + 0.5 * step * rate)
      gain.start[mode] = implicit
      keep.start[mode] = (1 - 0.5 * step * rate) * implicit
    }
    preparedStep = step
  }

  /// The exact solution never exceeds the initial norm plus what the forcing adds; twice that is a blow-up.
  private func check(sample: Int, time: Double, initialNorm: Double, safeStep: Double) throws {
    let bound = 2 * (initialNorm + equation.growthRate * time)
    guard equation.norm(state.start) <= bound else {
      let advice =
        safeStep.isFinite && safeStep > 0
        ? String(format: "use a time step of %.2g or less, or let it be chosen", safeStep)
        : "use a smaller time step, or let it be chosen"
      throw SolverError.blowUp(sample: sample, time: time, advice: advice)
    }
    try equation.checkResolution(state.start, sample: sample)
  }
}
