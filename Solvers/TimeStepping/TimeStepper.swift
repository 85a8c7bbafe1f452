import Foundation
import Tensors

/// Advances a `FieldSystem` from recorded time to recorded time, which are hit exactly.
///
/// What remains of an interval is divided into equal steps, none longer than a limit, and divided anew when
/// the limit falls below the step or well above it. The limit is the given step; or what stability and the
/// rate of change allow, reconsidered every 16 steps; or, for `etdrk4`, what the estimated error of every step
/// allows.
final class TimeStepper {
  /// The norm and the resolution are checked this often.
  static var stepsBetweenChecks: Int { 16 }

  let system: any FieldSystem
  private(set) var state: Workspace
  /// Where steps and states are to be kept, if anywhere.
  var trajectory: Trajectory?

  private let timeStepping: TimeStepping
  private let times: [Double]
  private let method: any SteppingMethod
  private let symbol: Workspace
  private let estimator: ETDRK4?  // nil: steps are given, or chosen by a rule
  private var next: Workspace
  private var term: Workspace
  private var nextTerm: Workspace

  private var time = 0.0
  private var limit = 0.0
  private var taken = 0
  private var termIsCurrent = false
  private var initialNorm = 0.0

  init(_ system: any FieldSystem, timeStepping: TimeStepping, times: [Double]) {
    self.system = system
    self.timeStepping = timeStepping
    self.times = times
    symbol = interleaved(system.linearSymbol)
    if timeStepping.scheme == .etdrk4 {
      let etdrk4 = ETDRK4(system)
      method = etdrk4
      estimator = timeStepping.timeStep == nil ? etdrk4 : nil
    } else {
      method = CrankNicolson(system, scheme: timeStepping.scheme)
      estimator = nil
    }
    let count = 2 * system.linearSymbol.count
    (state, next) = (Workspace(count: count), Workspace(count: count))
    (term, nextTerm) = (Workspace(count: count), Workspace(count: count))
  }

  /// The number of equal steps, none longer than `step`, that cover `interval`.
  ///
  /// Intervals that are whole multiples of the step up to rounding get that multiple.
  static func stepCount(covering interval: Double, step: Double) -> Int {
    max(1, Int((interval / step * (1 - 1e-12) - 1e-9).rounded(.up)))
  }

  /// Integrates from an initial field; writes the fields at the recorded times, `[time, ...grid]`.
  func solve(_ input: UnsafePointer<Double>, sample: Int, into output: UnsafeMutablePointer<Double>) throws {
    method.restart()
    time = 0
    taken = 0
    limit = timeStepping.timeStep ?? 0
    termIsCurrent = false
    system.transform(input, into: state.start)
    initialNorm = system.norm(state.start)
    while adaptResolution() {}
    trajectory?.restart()
    trajectory?.append(state, method.memory, resolution: system.resolution)
    for (frame, end) in times.enumerated() {
      try advance(to: end, sample: sample)
      trajectory?.markFrame()
      let target = output + frame * system.pointCount
      if end == 0 {
        target.update(from: input, count: system.pointCount)
      } else {
        system.evaluate(state.start, into: target)
      }
    }
  }

  private func advance(to end: Double, sample: Int) throws {
    let shortest = 1e-9 * (end - time)
    var (left, step, isRetry) = (0, 0.0, false)
    while time < end {
      evaluateTerm()
      if timeStepping.timeStep == nil, !isRetry,
        left == 0 || taken.isMultiple(of: Self.stepsBetweenChecks)
      {
        chooseLimit(interval: end - time)
      }
      guard limit > shortest else {
        throw SolverError.blowUp(
          sample: sample, time: time, advice: "the solution changes too fast for any useful time step")
      }
      let fewest = Self.stepCount(covering: end - time, step: limit)
      if left == 0 || timeStepping.timeStep == nil && (fewest > left || 4 * fewest < 3 * left) {
        left = fewest
        step = (end - time) / Double(left)
      }
      method.advance(state.start, term: term.start, by: step, into: next.start)
      isRetry = !isAccurate(step)
      if isRetry { continue }
      swap(&state, &next)
      taken += 1
      left -= 1
      time = left == 0 ? end : end - Double(left) * step
      if left == 0 || taken.isMultiple(of: Self.stepsBetweenChecks) { try check(sample: sample) }
      _ = adaptResolution()
      trajectory?.append(step: step)
      trajectory?.append(state, method.memory, resolution: system.resolution)
    }
  }

  /// Lets the system change the number of coefficients in use; the others are zero.
  private func adaptResolution() -> Bool {
    guard system.adaptResolution(state.start) else { return false }
    let active = 2 * system.activeModes
    (state.start + active).update(repeating: 0, count: state.count - active)
    (next.start + active).update(repeating: 0, count: next.count - active)
    termIsCurrent = false
    return true
  }

  private func evaluateTerm() {
    guard !termIsCurrent else { return }
    system.evaluateNonlinearity(state.start, into: term.start)
    termIsCurrent = true
  }

  /// The longest step by the system's rule; where errors are estimated, the rule is a bound only.
  private func chooseLimit(interval: Double) {
    let bound = system.stepBound(timeStepping.scheme, timeScale: timeScale)
    guard estimator != nil else {
      limit = bound
      return
    }
    // The first step is a cautious guess; the next ones may be up to four times as long. What starts from next
    // to nothing changes fast at first, relative to itself, and may be no worse for it. L alone is solved exactly.
    let isLinear = Double.dot(2 * system.activeModes, term.start, term.start) == 0
    limit = min(bound, taken > 0 ? limit : isLinear ? .infinity : max(0.01 * timeScale, 1e-8 * interval))
  }

  /// ‖u‖ / ‖u_t‖, from the current term.
  private var timeScale: Double {
    let modes = system.activeModes
    let rate = SolverKernels.rateOfChange(modes: modes, symbol: symbol.start, state.start, term.start)
    return rate > 0 ? (Double.dot(2 * modes, state.start, state.start) / rate).squareRoot() : .infinity
  }

  /// Whether the step that led to `next` is to be kept; adjusts the limit to the estimated error.
  private func isAccurate(_ step: Double) -> Bool {
    guard let estimator else {
      termIsCurrent = false
      return true
    }
    system.evaluateNonlinearity(next.start, into: nextTerm.start)
    let count = 2 * system.activeModes
    let size = max(
      Double.dot(count, state.start, state.start), Double.dot(count, next.start, next.start))
    let error =
      (estimator.squaredError(nextTerm: nextTerm.start) / size).squareRoot() / timeStepping.tolerance
    // The estimate is that of a method of order three: it falls like the fourth power of the step.
    let factor = 0.9 / pow(error, 0.25)
    guard error <= 1 || size == 0 else {
      limit = step * (factor > 0.2 ? min(factor, 0.8) : 0.2)
      return false
    }
    if size == 0 || factor >= 4 {
      limit = max(limit, 4 * step)
    } else {
      limit = step * (factor >= 1 ? factor : 0.8)
    }
    swap(&term, &nextTerm)
    return true
  }

  /// Twice the bound on the exact solution's norm is a blow-up.
  private func check(sample: Int) throws {
    let norm = system.norm(state.start)
    guard norm.isFinite, norm <= 2 * system.normBound(initial: initialNorm, time: time) else {
      evaluateTerm()
      let bound = system.stepBound(timeStepping.scheme, timeScale: timeScale)
      let advice =
        bound.isFinite && bound > 0
        ? String(format: "use a time step of %.2g or less, or let it be chosen", bound)
        : "use a smaller time step, or let it be chosen"
      throw SolverError.blowUp(sample: sample, time: time, advice: advice)
    }
    try system.checkResolution(state.start, time: time, sample: sample)
  }
}
