import Foundation
import Tensors

/// The viscous Burgers equation on a periodic interval: maps u(·, 0) to u at the recorded times.
///
/// **Equation.** u_t + (u²/2)_x = ν u_xx on [0, 2π). The length is 2π, not 1: the published data
/// (`burgers_data_R10.mat`) agree with that and with nothing else.
///
/// **Boundary conditions.** Periodic.
///
/// **Discretisation.** Fourier–Galerkin: wave numbers below n/3, which makes the product u² free of aliasing
/// (the 2/3 rule). Higher modes of the input are dropped; the mean is conserved exactly. Crank–Nicolson for
/// diffusion; the conservative advection term by `scheme`.
///
/// **Order.** Spectral in space for resolved solutions, second in time (first for `.eulerCrankNicolson`).
///
/// **Stability.** Stable if h ≤ ν / (2 max u²), whatever the grid, or if h (n/3) max|u| ≤ 0.4. The chosen step
/// is half the larger of the two, and at most 0.002 / max|u_x| for accuracy, which leaves relative errors of
/// about 10⁻⁵ at t = 1 on the papers' data.
///
/// **When it fails.** Fronts of width 4ν / (jump) need at least a few points: where the highest modes carry
/// more than 1 % of the norm and more than at the start, solving throws `SolverError.invalidProblem` with a grid that would do. A given
/// step that is too large ends in `SolverError.blowUp`, found within 16 steps, because the exact norm never
/// grows. Crank–Nicolson damps unresolved fine scales slowly: frames shortly after a rough start
/// oscillate at h ν k² ≫ 1.
///
/// **Good values.** ν = 0.1, t = 1, 1024 to 8192 points, no time step given.
///
/// Reference: Li et al., "Fourier neural operator", ICLR 2021; Canuto, Hussaini, Quarteroni, Zang,
/// "Spectral Methods", 2006, section 3.
public struct Burgers: EvolutionProblem {
  /// The number of points.
  public let grid: Int
  /// ν > 0, in units of length² per time.
  public let viscosity: Double
  /// How the advection term is advanced.
  public let scheme: SemiImplicitScheme

  private let schedule: RecordedTimes

  /// The recorded times, increasing; t = 0 may be the first.
  public var times: [Double] { schedule.times }
  /// The step that was asked for; nil lets the solver choose.
  public var timeStep: Double? { schedule.timeStep }

  /// The problem on `grid` points, an even number.
  ///
  /// A given time step is shortened so that a whole number of steps reaches every recorded time.
  /// - Throws: `SolverError.invalidProblem`.
  public init(
    grid: Int, viscosity: Double = 0.1, times: [Double] = [1], timeStep: Double? = nil,
    scheme: SemiImplicitScheme = .adamsBashforthCrankNicolson
  ) throws {
    try checkPeriodicGrid(grid)
    try checkViscosity(viscosity)
    self.grid = grid
    self.viscosity = viscosity
    self.scheme = scheme
    schedule = try RecordedTimes(times, timeStep: timeStep)
  }

  /// The equation as text.
  public var equation: String { "u_t + (u^2/2)_x = nu u_xx on [0, 2 pi), periodic" }
  /// The viscosity.
  public var parameters: [(name: String, value: Double)] { [("nu", viscosity)] }
  /// One periodic axis of length 2π.
  public var axes: [GridAxis] { [.periodic("x", count: grid, length: 2 * .pi)] }
  /// Periodic.
  public var boundaryCondition: BoundaryCondition { .periodic }

  /// The solutions `[sample, time, n]` for initial values `[sample, 1, n]`.
  ///
  /// - Throws: `SolverError`, of the lowest sample that fails.
  public func callAsFunction(_ inputs: Tensor<Double>) throws -> Tensor<Double> {
    try checkInputs(inputs, of: "initial value")
    return try solveEachSample(of: inputs, outputShape: [times.count, grid]) {
      SemiImplicitStepper(
        BurgersSpectrum(grid: grid, viscosity: viscosity), scheme: scheme, schedule: schedule)
    } solve: { stepper, sample, input, output in
      stepper.equation.transform(input, into: stepper.state.start)
      try stepper.run(sample: sample) { frame in
        let target = output + frame * grid
        if times[frame] == 0 {
          target.update(from: input, count: grid)
        } else {
          stepper.equation.evaluate(stepper.state.start)
          target.update(from: stepper.equation.values.start, count: grid)
        }
      }
    }
  }
}

/// The Fourier coefficients û_k, 0 ≤ k < n/3, u = Σ û_k e^{ikx} + conjugates.
private final class BurgersSpectrum: SpectralEquation {
  let decayRates: [Double]
  let growthRate = 0.0
  /// The field on the grid, `[n]`.
  let values: Workspace

  private let n: Int
  private let viscosity: Double
  private let modes: Int
  private let spectrum: Workspace  // [n/2 + 1] complex
  private let derivative: Workspace  // -k / n: the derivative, its sign, and FFTW's normalisation
  private let forward: FourierTransform<Double>
  private let backward: FourierTransform<Double>
  private var largest = 0.0
  private var steepest = 0.0
  private var initialTail = 0.0

  init(grid: Int, viscosity: Double) {
    n = grid
    self.viscosity = viscosity
    modes = (grid - 1) / 3 + 1
    decayRates = (0..<modes).map { viscosity * Double($0 * $0) }
    values = Workspace(count: grid)
    spectrum = Workspace(count: grid + 2)
    derivative = Workspace((0..<modes).map { -Double($0) / Double(grid) })
    forward = FourierTransform(.realToComplex, shape: [grid])
    backward = FourierTransform(.complexToReal, shape: [grid])
  }

  /// The coefficients of the values at `field`, truncated.
  func transform(_ field: UnsafePointer<Double>, into state: UnsafeMutablePointer<Double>) {
    values.start.update(from: field, count: n)
    forward(values.start, spectrum.start)
    for index in 0..<2 * modes { state[index] = spectrum.start[index] / Double(n) }
    initialTail = tailPower(state)
  }

  /// Leaves the field of `state` in `values`.
  func evaluate(_ state: UnsafePointer<Double>) {
    spectrum.start.update(from: state, count: 2 * modes)
    (spectrum.start + 2 * modes).update(repeating: 0, count: n + 2 - 2 * modes)
    backward(spectrum.start, values.start)
  }

  func evaluateExplicitTerm(
    _ state: UnsafeMutablePointer<Double>, into term: UnsafeMutablePointer<Double>
  ) {
    evaluate(state)
    (largest, steepest) = SolverKernels.halfSquare(n, values.start)
    forward(values.start, spectrum.start)
    SolverKernels.multiplyImaginary(modes: modes, factor: derivative.start, spectrum.start, term)
  }

  func stepBound(_ scheme: SemiImplicitScheme) -> Double {
    guard largest > 0 else { return .infinity }
    let courant = scheme.largestCourantNumber / (Double(modes - 1) * largest)
    let diffusive = viscosity / (2 * largest * largest)
    let slope = steepest * Double(n) / (2 * .pi)
    return min(0.5 * max(courant, diffusive), 0.002 / slope)
  }

  func norm(_ state: UnsafePointer<Double>) -> Double {
    (2 * Double.dot(2 * modes, state, state) - state[0] * state[0]).squareRoot()
  }

  /// Σ |û|² over the highest eighth of the modes.
  private func tailPower(_ state: UnsafePointer<Double>) -> Double {
    let start = modes - max(1, modes / 8)
    return Double.dot(2 * (modes - start), state + 2 * start, state + 2 * start)
  }

  /// The highest eighth of the modes must carry less than a hundredth of the fluctuation's norm.
  ///
  /// Rough data may carry more from the start: diffusion takes it away. Fronts make it grow.
  func checkResolution(_ state: UnsafePointer<Double>, sample: Int) throws {
    let tail = tailPower(state)
    let all = Double.dot(2 * (modes - 1), state + 2, state + 2)
    guard tail <= 1e-4 * all || tail <= initialTail || all <= 1e-24 * state[0] * state[0] else {
      // A front of jump 2U has the profile U tanh(Ux/2ν), whose spectrum falls as exp(−π ν k / U): to 10⁻⁴
      // at k = n/3.
      let needed = 3 * largest * log(1e4) / (.pi * viscosity)
      let grid = max(2 * n, 2 * Int((needed / 2).rounded(.up)))
      throw SolverError.invalidProblem(
        "a grid of \(n) points cannot resolve the fronts of sample \(sample) at viscosity \(viscosity); "
          + "use \(grid) points or more")
    }
  }
}

/// Throws unless a pseudo-spectral solver can use `grid` points per axis.
func checkPeriodicGrid(_ grid: Int) throws {
  guard grid >= 8, grid % 2 == 0 else {
    throw SolverError.invalidProblem(
      "a periodic grid needs an even number of points, 8 or more: \(max(8, grid + grid % 2)) instead of \(grid)"
    )
  }
}

/// Throws unless `viscosity` is positive and finite.
func checkViscosity(_ viscosity: Double) throws {
  guard viscosity > 0, viscosity.isFinite else {
    throw SolverError.invalidProblem("the viscosity must be positive and finite, not \(viscosity)")
  }
}
