import Tensors

/// A periodic problem u_t = L u + N(u) for one real field in one or two dimensions, solved in Fourier space.
///
/// L is a symbol: a complex number for every wave vector. N(u) is a polynomial of the point values of u, to
/// which a second symbol is applied: ∂_x(u²) is the polynomial u² and the symbol i k. So an equation is
/// two functions and a list of coefficients; the rest is here.
///
/// **Discretisation.** Fourier–Galerkin: with a polynomial of degree p only the wave numbers below n/(p + 1)
/// are kept, which makes the products free of aliasing (for p = 2, the 2/3 rule). Linear equations keep all
/// but the Nyquist frequency. Higher modes of the input are dropped.
///
/// In one dimension, where the highest modes fall below 10⁻¹⁴ of the norm, grids of n/2, n/4, … points
/// evaluate N for as long as that lasts: what is left out is round-off.
///
/// **Steps.** See `TimeStepping`. The chosen step of `etdrk4` keeps the estimated error of every step below
/// the tolerance. The chosen step of the other schemes is 0.002 ‖u‖/‖u_t‖ at most. Both keep step times
/// |symbol of N| · max|derivative of the polynomial| below a constant, for all modes that L does not damp at
/// half that rate at least. A linear equation is solved exactly, in one step, by `etdrk4`.
public protocol SemilinearEquation: SpectralProblem {
  /// The number of points per axis, even.
  var grid: Int { get }
  /// The number of axes, 1 or 2.
  var dimensions: Int { get }
  /// The length of the domain along every axis.
  var length: Double { get }
  /// How to step in time.
  var timeStepping: TimeStepping { get }

  /// The symbol of L: what L multiplies e^{ik·x} by. Its value at −k must be the complex conjugate.
  func linearSymbol(_ k: WaveVector) -> Complex
  /// The symbol that turns the polynomial of u into N(u), as `linearSymbol`; one by default.
  func nonlinearSymbol(_ k: WaveVector) -> Complex
  /// The coefficients of the polynomial, from the constant one; none, the default, for a linear equation.
  var polynomial: [Double] { get }

  /// A rigorous bound on the root mean square of u at `time`, given that at t = 0: twice it is a blow-up.
  func normBound(initial: Double, time: Double) -> Double
  /// The number of points per axis that solutions of this size need; nil where the equation does not tell.
  func resolvingGrid(amplitude: Double) -> Double?
}

extension SemilinearEquation {
  /// One axis.
  public var dimensions: Int { 1 }
  /// The identity.
  public func nonlinearSymbol(_ k: WaveVector) -> Complex { Complex(1) }
  /// None: the equation is linear.
  public var polynomial: [Double] { [] }
  /// What the root mean square of a conserved or decaying solution never exceeds.
  public func normBound(initial: Double, time: Double) -> Double { initial }
  /// Not known.
  public func resolvingGrid(amplitude: Double) -> Double? { nil }

  /// Periodic axes of the same length.
  public var axes: [GridAxis] {
    ["x", "y"].prefix(dimensions).map { .periodic($0, count: grid, length: length) }
  }
  /// As many points along every axis; the coordinates need not be made for that.
  public var gridShape: Shape { Shape(repeating: grid, count: dimensions) }
  /// Periodic.
  public var boundaryCondition: BoundaryCondition { .periodic }

  /// Throws `SolverError.invalidProblem` unless the grid, the domain and the steps can be used.
  public func checkProblem() throws {
    try checkPeriodicGrid(grid)
    guard dimensions == 1 || dimensions == 2 else {
      throw SolverError.invalidProblem("a periodic problem has one or two dimensions, not \(dimensions)")
    }
    try checkPositive(length, "length of the domain")
    try timeStepping.check(times: times)
  }

  /// The solver of the equation's Fourier coefficients.
  ///
  /// - Throws: as `checkProblem`.
  public func makeEvolution() throws -> Evolution {
    try checkProblem()
    return Evolution(
      input: "initial value", times: times, timeStepping: timeStepping, gridShape: gridShape
    ) { PeriodicSpectrum(self) }
  }
}

/// The smallest integer without prime factors above 5 that is not below `bound`: transforms of such lengths are
/// fast.
func smoothNumber(atLeast bound: Double) -> Int {
  var number = Int(min(bound, 1e9).rounded(.up))
  while true {
    var rest = number
    for factor in [2, 3, 5] { while rest.isMultiple(of: factor) { rest /= factor } }
    if rest == 1 { return number }
    number += 1
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

/// Throws unless `value` is positive and finite.
func checkPositive(_ value: Double, _ name: String) throws {
  guard value > 0, value.isFinite else {
    throw SolverError.invalidProblem("the \(name) must be positive and finite, not \(value)")
  }
}
