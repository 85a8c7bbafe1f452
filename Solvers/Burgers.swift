import Foundation

/// The viscous Burgers equation on a periodic interval: maps u(·, 0) to u at the recorded times.
///
/// **Equation.** u_t + (u²/2)_x = ν u_xx on [0, 2π). The length is 2π, not 1: the published data
/// (`burgers_data_R10.mat`) agree with that and with nothing else.
///
/// **Boundary conditions.** Periodic.
///
/// **Discretisation.** Fourier–Galerkin with wave numbers below n/3, which makes the product u² free of aliasing
/// (the 2/3 rule), see `SemilinearEquation`. The advection term is in conservative form: the mean is conserved
/// exactly.
///
/// **Order.** Spectral in space for resolved solutions; in time that of the scheme, 4 by default.
///
/// **Stability.** Chosen steps are stable. Given ones are if h ≤ ν / (2 max u²), whatever the grid, or if
/// h (n/3) max|u| ≤ 0.4 (2 for `etdrk4`). At t = 1, on the papers' data, the default leaves relative errors of
/// about 10⁻⁹, the second-order schemes with their chosen steps 10⁻⁶.
///
/// **When it fails.** Fronts of width 4ν / (jump) need at least a few points: where the highest modes carry more
/// than 0.1 % of the norm, and more than diffusion leaves of what they carried at the start, solving throws
/// `SolverError.underResolved` with a grid that would do. A given step that is too large ends in
/// `SolverError.blowUp`, found within 16 steps, because the exact norm never grows. Crank–Nicolson damps fine
/// scales slowly: frames shortly after a rough start oscillate at h ν k² ≫ 1, where `etdrk4` is exact.
///
/// **Good values.** ν = 0.1, t = 1, 1024 to 8192 points, no time step given.
///
/// References: Li et al., "Fourier neural operator", ICLR 2021; Canuto, Hussaini, Quarteroni, Zang, "Spectral
/// Methods", 2006, section 3.
public struct Burgers: SemilinearEquation, ViscousProblem {
  /// The number of points.
  public let grid: Int
  /// ν > 0, in units of length² per time.
  public let viscosity: Double
  /// The recorded times, increasing; t = 0 may be the first.
  public let times: [Double]
  /// How to step in time.
  public let timeStepping: TimeStepping

  /// The problem on `grid` points, an even number.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  public init(
    grid: Int, viscosity: Double = 0.1, times: [Double] = [1], timeStepping: TimeStepping = .init()
  ) throws {
    self.grid = grid
    self.viscosity = viscosity
    self.times = times
    self.timeStepping = timeStepping
    try checkPositive(viscosity, "viscosity")
    try checkProblem()
  }

  /// The same problem with another viscosity.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  public func withViscosity(_ viscosity: Double) throws -> Burgers {
    try Burgers(grid: grid, viscosity: viscosity, times: times, timeStepping: timeStepping)
  }

  /// The equation as text.
  public var equation: String { "u_t + (u^2/2)_x = nu u_xx on [0, 2 pi), periodic" }
  /// The viscosity.
  public var parameters: [(name: String, value: Double)] { [("nu", viscosity)] }
  /// 2π.
  public var length: Double { 2 * .pi }

  /// −ν k².
  public func linearSymbol(_ k: WaveVector) -> Complex { Complex(-viscosity * k.squared) }
  /// −i k.
  public func nonlinearSymbol(_ k: WaveVector) -> Complex { Complex(0, -k.x) }
  /// u²/2.
  public var polynomial: [Double] { [0, 0, 0.5] }

  /// A front of jump 2U has the profile U tanh(Ux/2ν), whose spectrum falls as exp(−π ν k / U): to 10⁻⁴ at
  /// k = n/3.
  public func resolvingGrid(amplitude: Double) -> Double? {
    3 * amplitude * log(1e4) / (.pi * viscosity)
  }
}
