/// A scheme for u_t = L u + N(u), L diagonal in Fourier space.
///
/// The first three treat L by Crank–Nicolson and differ in N; the last one solves L exactly.
public enum TimeScheme: String, Sendable, CaseIterable, Codable {
  /// Second-order Adams–Bashforth, one evaluation of N per step, started by one step of Heun's method.
  ///
  /// The formula for unequal steps is used, so that the order does not drop where the step changes.
  case adamsBashforthCrankNicolson = "adams-bashforth-crank-nicolson"
  /// Heun's method, two evaluations per step, second order: as Kovachki et al., JMLR 2023 describe.
  case heunCrankNicolson = "heun-crank-nicolson"
  /// Forward Euler, one evaluation per step, first order: the code that made the published data.
  case eulerCrankNicolson = "euler-crank-nicolson"
  /// The fourth-order exponential Runge–Kutta method of Cox and Matthews, four evaluations per step.
  case etdrk4

  /// The order of convergence in time.
  public var order: Int {
    switch self {
    case .eulerCrankNicolson: 1
    case .adamsBashforthCrankNicolson, .heunCrankNicolson: 2
    case .etdrk4: 4
    }
  }

  /// Whether a step needs more of the past than the state.
  var isMultistep: Bool { self == .adamsBashforthCrankNicolson }

  /// The largest product of step and frequency of an undamped oscillation that a chosen step allows.
  ///
  /// No explicit scheme of order one or two is stable on the imaginary axis: |amplification| − 1 is C⁴/4 for
  /// Adams–Bashforth, C⁴/8 for Heun, C²/2 for Euler. With these numbers it is below one percent per step, and
  /// so below the damping of the modes that oscillate fastest. The fourth-order method is stable to 2.8.
  var largestCourantNumber: Double {
    switch self {
    case .eulerCrankNicolson: 0.1
    case .adamsBashforthCrankNicolson, .heunCrankNicolson: 0.4
    case .etdrk4: 2
    }
  }
}

/// How a spectral solver steps in time.
public struct TimeStepping: Sendable, Equatable {
  /// The tolerance that is used where none is given.
  public static let defaultTolerance = 1e-8

  /// The scheme.
  public let scheme: TimeScheme
  /// The step, shortened so that a whole number of steps reaches every recorded time; nil lets the solver
  /// choose.
  public let timeStep: Double?
  /// The estimated error of one chosen step of `etdrk4`, relative to the norm of the solution.
  ///
  /// The estimate is that of the embedded third-order method; the solution that is kept has order four. The
  /// other schemes choose their steps by stability and by the rate of change instead.
  public let tolerance: Double

  /// A scheme with its step.
  public init(
    _ scheme: TimeScheme = .etdrk4, timeStep: Double? = nil, tolerance: Double = Self.defaultTolerance
  ) {
    self.scheme = scheme
    self.timeStep = timeStep
    self.tolerance = tolerance
  }

  /// One line for the provenance of a dataset.
  public var summary: String {
    if let timeStep { return "\(scheme.rawValue), time step \(timeStep)" }
    return "\(scheme.rawValue), time step chosen by the solver"
      + (scheme == .etdrk4 ? ", tolerance \(tolerance)" : "")
  }

  /// Throws unless the step and the tolerance can be used up to the last of the `times`.
  func check(times: [Double]) throws {
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
    guard tolerance >= 1e-14, tolerance < 1 else {
      throw SolverError.invalidProblem(
        "the tolerance of a step must be at least 1e-14 and less than 1, not \(tolerance)")
    }
  }
}
