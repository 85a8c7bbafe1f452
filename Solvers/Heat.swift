/// The heat equation on a periodic interval or square: maps u(·, 0) to u at the recorded times.
///
/// **Equation.** u_t = κ Δu on [0, L)^d, d = 1 or 2.
///
/// **Boundary conditions.** Periodic.
///
/// **Discretisation.** Every Fourier mode but the Nyquist frequency is multiplied by e^{−κ|k|²t}: with `etdrk4`,
/// the default, exact up to round-off, in one step per recorded time. The other schemes make the error of
/// Crank–Nicolson, which is of order two and damps modes with h κ|k|² ≫ 1 too slowly.
///
/// **When it fails.** Never. The mean is conserved exactly.
///
/// **Good values.** Any; by κt = 0.1 L² all but the mean has decayed to a fiftieth.
///
/// Reference: Fourier, "Théorie analytique de la chaleur", 1822.
public struct Heat: SemilinearEquation {
  /// The number of points per axis, even.
  public let grid: Int
  /// The number of axes, 1 or 2.
  public let dimensions: Int
  /// The length L of the domain along every axis.
  public let length: Double
  /// κ > 0, in units of length² per time.
  public let diffusivity: Double
  /// The recorded times, increasing; t = 0 may be the first.
  public let times: [Double]
  /// How to step in time.
  public let timeStepping: TimeStepping

  /// The problem on `grid` points per axis.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  public init(
    grid: Int, dimensions: Int = 1, length: Double = 1, diffusivity: Double, times: [Double],
    timeStepping: TimeStepping = .init()
  ) throws {
    self.grid = grid
    self.dimensions = dimensions
    self.length = length
    self.diffusivity = diffusivity
    self.times = times
    self.timeStepping = timeStepping
    try checkPositive(diffusivity, "diffusivity")
    try checkProblem()
  }

  /// The equation as text.
  public var equation: String { "u_t = kappa laplace u on [0, L)^\(dimensions), periodic" }
  /// Diffusivity and the length of the domain.
  public var parameters: [(name: String, value: Double)] { [("kappa", diffusivity), ("L", length)] }

  /// −κ |k|².
  public func linearSymbol(_ k: WaveVector) -> Complex { Complex(-diffusivity * k.squared) }
}
