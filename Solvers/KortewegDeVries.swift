import Foundation

/// The Korteweg–de Vries equation on a periodic interval: maps u(·, 0) to u at the recorded times.
///
/// **Equation.** u_t + 6 u u_x + u_xxx = 0 on [0, L): waves on shallow water, as they steepen and disperse. With
/// other coefficients it is the same equation after scaling x, t and u. A soliton of speed c is
/// (c/2) sech²(√c (x − ct)/2).
///
/// **Boundary conditions.** Periodic.
///
/// **Discretisation.** Fourier–Galerkin with wave numbers below n/3, see `SemilinearEquation`. ∫u is conserved
/// exactly; ∫u² and ∫(u_x²/2 − u³) to the accuracy of the steps.
///
/// **Order.** Spectral in space; in time that of the scheme, 4 by default.
///
/// **Stability.** The frequencies k³ of dispersion do not bound the step of `etdrk4`, which solves them
/// exactly. Crank–Nicolson is stable as well but slows down every wave with h k³ ≳ 1: it needs small steps.
///
/// **When it fails.** A soliton of speed c has the spectrum of sech², exp(−πk/√c): where the highest modes
/// carry more than 0.1 % of the norm, and more than at the start, solving throws `SolverError.underResolved`
/// with a grid that would do.
///
/// **Good values.** L = 64, |u| ≤ 1, 256 points, t ≤ 20.
///
/// References: Korteweg, de Vries, Philos. Mag. 1895; Zabusky, Kruskal, "Interaction of solitons in a
/// collisionless plasma", Phys. Rev. Lett. 1965.
public struct KortewegDeVries: SemilinearEquation {
  /// The number of points, even.
  public let grid: Int
  /// The length L of the domain.
  public let length: Double
  /// The recorded times, increasing; t = 0 may be the first.
  public let times: [Double]
  /// How to step in time.
  public let timeStepping: TimeStepping

  /// The problem on `grid` points.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  public init(
    grid: Int, length: Double = 64, times: [Double], timeStepping: TimeStepping = .init()
  ) throws {
    self.grid = grid
    self.length = length
    self.times = times
    self.timeStepping = timeStepping
    try checkProblem()
  }

  /// The equation as text.
  public var equation: String { "u_t + 6 u u_x + u_xxx = 0 on [0, L), periodic" }
  /// The length of the domain.
  public var parameters: [(name: String, value: Double)] { [("L", length)] }

  /// −(ik)³ = i k³.
  public func linearSymbol(_ k: WaveVector) -> Complex { Complex(0, k.x * k.x * k.x) }
  /// −i k.
  public func nonlinearSymbol(_ k: WaveVector) -> Complex { Complex(0, -k.x) }
  /// 3 u².
  public var polynomial: [Double] { [0, 0, 3] }

  /// A soliton of height A has the spectrum k exp(−πk / √(2A)), whose exponential falls to 10⁻⁶ at k = 2π/L · n/3.
  ///
  /// A hump breaks up into solitons of at most twice its height.
  public func resolvingGrid(amplitude: Double) -> Double? {
    3 * length * log(1e6) * (4 * amplitude).squareRoot() / (2 * .pi * .pi)
  }
}
