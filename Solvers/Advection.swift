/// Advection at a constant velocity on a periodic interval or square: maps u(·, 0) to u at the recorded times.
///
/// **Equation.** u_t + c · ∇u = 0 on [0, L)^d, d = 1 or 2.
///
/// **Boundary conditions.** Periodic.
///
/// **Discretisation.** Every Fourier mode but the Nyquist frequency, which no grid can shift, is multiplied by
/// e^{−ik·ct}: with `etdrk4`, the default, exact up to round-off, in one step per recorded time. The other
/// schemes make the error of Crank–Nicolson, which is of order two.
///
/// **When it fails.** Never; but a discontinuous u rings, as every band-limited function does.
///
/// **Good values.** Any.
///
/// Reference: LeVeque, "Numerical Methods for Conservation Laws", 1992, for why every other method is harder.
public struct Advection: SemilinearEquation {
  /// The number of points per axis, even.
  public let grid: Int
  /// The velocity c, one number per axis: 1 or 2 of them.
  public let velocity: [Double]
  /// The length L of the domain along every axis.
  public let length: Double
  /// The recorded times, increasing; t = 0 may be the first.
  public let times: [Double]
  /// How to step in time.
  public let timeStepping: TimeStepping

  /// The problem on `grid` points per axis, in as many dimensions as the velocity has.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  public init(
    grid: Int, velocity: [Double], length: Double = 1, times: [Double], timeStepping: TimeStepping = .init()
  ) throws {
    self.grid = grid
    self.velocity = velocity
    self.length = length
    self.times = times
    self.timeStepping = timeStepping
    guard velocity.allSatisfy(\.isFinite) else {
      throw SolverError.invalidProblem("the velocity must be finite, not \(velocity)")
    }
    try checkProblem()
  }

  /// The number of axes.
  public var dimensions: Int { velocity.count }
  /// The equation as text.
  public var equation: String { "u_t + c . grad u = 0 on [0, L)^\(dimensions), periodic" }
  /// The components of the velocity, and the length of the domain.
  public var parameters: [(name: String, value: Double)] {
    zip(["c_x", "c_y"], velocity).map { (name: $0, value: $1) } + [("L", length)]
  }

  /// −i c · k.
  public func linearSymbol(_ k: WaveVector) -> Complex {
    Complex(0, -(velocity[0] * k.x + (velocity.count > 1 ? velocity[1] * k.y : 0)))
  }
}
