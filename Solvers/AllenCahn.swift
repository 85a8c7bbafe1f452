import Foundation

/// The Allen–Cahn equation on a periodic interval or square: maps u(·, 0) to u at the recorded times.
///
/// **Equation.** u_t = D Δu + r (u − u³) on [0, L)^d, d = 1 or 2: diffusion and a reaction with the stable states
/// u = ±1, between which interfaces of width √(2D/r) form and then shorten.
///
/// **Boundary conditions.** Periodic.
///
/// **Discretisation.** Fourier–Galerkin with wave numbers below n/4 on every axis, which makes u³ free of
/// aliasing, see `SemilinearEquation`. Diffusion and the linear part of the reaction make up L.
///
/// **Order.** Spectral in space; in time that of the scheme, 4 by default.
///
/// **Stability.** The reaction bounds the step: h · 3r max u² ≤ 2 for `etdrk4`, 0.4 for the second-order
/// schemes.
///
/// **When it fails.** The profile tanh(x/w), w = √(2D/r), has the spectrum exp(−πkw/2): where the highest modes
/// carry more than 0.1 % of the norm, and more than diffusion leaves of what they carried at the start, solving
/// throws `SolverError.underResolved` with a grid that would do.
///
/// **Good values.** L = 1, D = 10⁻³, r = 1, 128 points per axis, t ≤ 20.
///
/// References: Allen, Cahn, Acta Metall. 1979; for the travelling waves, Kaliappan, Physica D 1984.
public struct AllenCahn: SemilinearEquation {
  /// The number of points per axis, even.
  public let grid: Int
  /// The number of axes, 1 or 2.
  public let dimensions: Int
  /// The length L of the domain along every axis.
  public let length: Double
  /// D > 0, in units of length² per time.
  public let diffusivity: Double
  /// r > 0, per time.
  public let reactionRate: Double
  /// The recorded times, increasing; t = 0 may be the first.
  public let times: [Double]
  /// How to step in time.
  public let timeStepping: TimeStepping

  /// The problem on `grid` points per axis.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  public init(
    grid: Int, dimensions: Int = 1, length: Double = 1, diffusivity: Double, reactionRate: Double = 1,
    times: [Double], timeStepping: TimeStepping = .init()
  ) throws {
    self.grid = grid
    self.dimensions = dimensions
    self.length = length
    self.diffusivity = diffusivity
    self.reactionRate = reactionRate
    self.times = times
    self.timeStepping = timeStepping
    try checkPositive(diffusivity, "diffusivity")
    try checkPositive(reactionRate, "reaction rate")
    try checkProblem()
  }

  /// The equation as text.
  public var equation: String { "u_t = D laplace u + r (u - u^3) on [0, L)^\(dimensions), periodic" }
  /// Diffusivity, reaction rate and the length of the domain.
  public var parameters: [(name: String, value: Double)] {
    [("D", diffusivity), ("r", reactionRate), ("L", length)]
  }

  /// r − D |k|².
  public func linearSymbol(_ k: WaveVector) -> Complex { Complex(reactionRate - diffusivity * k.squared) }
  /// −r u³.
  public var polynomial: [Double] { [0, 0, 0, -reactionRate] }

  /// d‖u‖²/dt ≤ 2r (‖u‖² − ‖u‖⁴) by the Cauchy–Schwarz inequality.
  public func normBound(initial: Double, time: Double) -> Double { max(1, initial) }

  /// The spectrum of an interface, exp(−πkw/2), falls to 10⁻⁴ at k = 2π/L · n/4.
  public func resolvingGrid(amplitude: Double) -> Double? {
    let width = (2 * diffusivity / reactionRate).squareRoot()
    return 4 * length * log(1e4) / (.pi * .pi * width)
  }
}
