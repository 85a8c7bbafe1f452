import Foundation

/// The Kuramoto–Sivashinsky equation on a periodic interval: maps u(·, 0) to u at the recorded times.
///
/// **Equation.** u_t + u u_x + u_xx + u_xxxx = 0 on [0, L): the slope of a flame front, chaotic for L ≳ 18.
///
/// **Boundary conditions.** Periodic.
///
/// **Discretisation.** Fourier–Galerkin with wave numbers below n/3, see `SemilinearEquation`. The mean is
/// conserved exactly.
///
/// **Order.** Spectral in space; in time that of the scheme, 4 by default.
///
/// **Stability.** Modes with 0 < k < 1 grow, at the rate k² − k⁴; the others decay. `etdrk4` solves both
/// exactly, so only u u_x bounds the step.
///
/// **When it fails.** Chaos: nearby solutions separate like e^{λt}, λ ≈ 0.1 for large L, so that at t = 200
/// nothing but the statistics can be compared, whatever the method. Spectra fall exponentially beyond k = 1;
/// a grid with a largest wave number below about 2 is refused while solving.
///
/// **Good values.** L = 64, 256 points, t ≤ 100. L = 22 is the smallest system that is often studied.
///
/// References: Kuramoto, Tsuzuki, Prog. Theor. Phys. 1976; Sivashinsky, Acta Astronaut. 1977; Kassam, Trefethen,
/// "Fourth-order time-stepping for stiff PDEs", SIAM J. Sci. Comput. 2005.
public struct KuramotoSivashinsky: SemilinearEquation {
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
  public var equation: String { "u_t + u u_x + u_xx + u_xxxx = 0 on [0, L), periodic" }
  /// The length of the domain.
  public var parameters: [(name: String, value: Double)] { [("L", length)] }

  /// k² − k⁴.
  public func linearSymbol(_ k: WaveVector) -> Complex { Complex(k.squared - k.squared * k.squared) }
  /// −i k.
  public func nonlinearSymbol(_ k: WaveVector) -> Complex { Complex(0, -k.x) }
  /// u²/2.
  public var polynomial: [Double] { [0, 0, 0.5] }

  /// No mode grows faster than e^{t/4}, and u u_x only moves energy between modes.
  public func normBound(initial: Double, time: Double) -> Double { initial * exp(0.25 * time) }
}
