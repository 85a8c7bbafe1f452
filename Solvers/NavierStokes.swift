import Foundation
import Tensors

/// The two-dimensional Navier-Stokes equation in vorticity form on the unit torus.
///
/// Maps w(·, 0) to w at the recorded times.
///
/// **Equation.** w_t + u·∇w = ν Δw + f on [0, 1)², with u = (ψ_y, −ψ_x), −Δψ = w, so that w = ∇ × u. Axis 0 of
/// a field is x, axis 1 is y. The mean of w and the mean velocity are zero.
///
/// **Boundary conditions.** Periodic in both axes.
///
/// **Discretisation.** Fourier–Galerkin: wave numbers below n/3 on both axes, which makes the products free of
/// aliasing (the 2/3 rule). Higher modes of the input and of the forcing are dropped, and so is the mean, which
/// no vorticity on a torus has. Crank–Nicolson for viscosity; advection and forcing by `scheme`. The advection
/// term is computed as (∂xx − ∂yy)(uv) + ∂xy(v² − u²): two real fields to transform there and two back, which
/// travel as one complex field each way.
///
/// **Order.** Spectral in space, second in time (first for `.eulerCrankNicolson`, the scheme of the code that
/// made the published data, with h = 10⁻⁴).
///
/// **Stability.** h · 2π (n/3) · max(|u| + |v|) ≤ 0.4 (0.1 for Euler) keeps the growth that every explicit
/// scheme of low order has on the imaginary axis below the damping; that is the chosen step, at most 0.05. Well
/// damped flows tolerate several times as much (ν = 10⁻³ on 64² points: h = 2 · 10⁻² up to t = 50, error
/// 10⁻⁴); at ν ≤ 10⁻⁴ a fixed step of 10⁻² blows up before t = 30 as the forcing accelerates the flow.
///
/// **When it fails.** A step that is too large ends in `SolverError.blowUp`, found within 16 steps by the exact
/// bound ‖w(t)‖ ≤ ‖w(0)‖ + t ‖f‖. Flows with ν below about (max|w| / 2)(3 / 2πn)² lose their smallest scales. The
/// problem is chaotic: at ν = 10⁻⁵ no two schemes agree for long.
///
/// **Good values.** ν = 10⁻³, t ≤ 50, 64² to 256²; ν = 10⁻⁴, t ≤ 30; ν = 10⁻⁵, t ≤ 20, 256².
///
/// Reference: Li et al., "Fourier neural operator", ICLR 2021; Kovachki et al., JMLR 2023, section 6.4;
/// Basdevant, "Technical improvements for direct numerical simulation of homogeneous three-dimensional
/// turbulence", J. Comput. Phys. 1983 (fewer transforms for the advection term).
public struct NavierStokes: EvolutionProblem {
  /// What drives the flow: f, constant in time.
  public enum Forcing: Sendable, Equatable {
    /// f = 0.1 (sin 2π(x + y) + cos 2π(x + y)), that of the papers.
    case kolmogorovDiagonal
    /// f = 0.
    case none
    /// The values of f on the grid, `[n, n]`.
    case field(Tensor<Double>)
  }

  /// The number of points per axis.
  public let grid: Int
  /// ν > 0, in units of length² per time.
  public let viscosity: Double
  /// What drives the flow.
  public let forcing: Forcing
  /// The recorded times, increasing; t = 0 may be the first.
  public let times: [Double]
  /// How to step in time.
  public let timeStepping: TimeStepping

  /// The problem on `grid`² points, `grid` an even number.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  public init(
    grid: Int, viscosity: Double, times: [Double], forcing: Forcing = .kolmogorovDiagonal,
    timeStepping: TimeStepping = .init(.adamsBashforthCrankNicolson)
  ) throws {
    try checkPeriodicGrid(grid)
    try checkPositive(viscosity, "viscosity")
    try timeStepping.check(times: times)
    if case .field(let values) = forcing {
      guard values.shape == [grid, grid], values.scalars.allSatisfy(\.isFinite) else {
        throw SolverError.invalidProblem(
          "the forcing must be finite and of shape [\(grid), \(grid)]; it has shape \(values.shape)")
      }
    }
    self.grid = grid
    self.viscosity = viscosity
    self.forcing = forcing
    self.times = times
    self.timeStepping = timeStepping
  }

  /// The equation as text.
  public var equation: String {
    let source =
      switch forcing {
      case .kolmogorovDiagonal: "f, f = 0.1 (sin 2 pi (x + y) + cos 2 pi (x + y))"
      case .none: "0"
      case .field: "f, f given on the grid"
      }
    return "w_t + u . grad w = nu laplace w + \(source); u = (psi_y, -psi_x), -laplace psi = w on [0, 1)^2, "
      + "periodic"
  }
  /// The viscosity.
  public var parameters: [(name: String, value: Double)] { [("nu", viscosity)] }
  /// Two periodic axes of length 1.
  public var axes: [GridAxis] { [.periodic("x", count: grid), .periodic("y", count: grid)] }
  /// Periodic.
  public var boundaryCondition: BoundaryCondition { .periodic }

  /// The vorticity `[sample, time, n, n]` for initial vorticities `[sample, 1, n, n]`.
  ///
  /// - Throws: `SolverError`, of the lowest sample that fails.
  public func callAsFunction(_ inputs: Tensor<Double>) throws -> Tensor<Double> {
    try checkInputs(inputs, of: "initial vorticity")
    let points = grid * grid
    return try solveEachSample(of: inputs, outputShape: [times.count, grid, grid]) {
      let system = VorticitySpectrum(grid: grid, viscosity: viscosity)
      system.force(by: forcingValues)
      return TimeStepper(system, timeStepping: timeStepping, times: times)
    } solve: { stepper, sample, input, output in
      stepper.system.transform(input, into: stepper.state.start)
      try stepper.run(sample: sample) { frame in
        let target = output + frame * points
        if times[frame] == 0 {
          target.update(from: input, count: points)
        } else {
          stepper.system.evaluate(stepper.state.start, into: target)
        }
      }
    }
  }

  /// f on the grid; nil if there is none.
  private var forcingValues: Tensor<Double>? {
    switch forcing {
    case .none: return nil
    case .field(let values): return values
    case .kolmogorovDiagonal:
      return Tensor(shape: [grid, grid]) { values in
        for i in 0..<grid {
          for j in 0..<grid {
            let phase = 2 * Double.pi * Double((i + j) % grid) / Double(grid)
            values[i * grid + j] = 0.1 * (sin(phase) + cos(phase))
          }
        }
      }
    }
  }
}

/// The Fourier coefficients ŵ_kl, |k| < n/3 along x, 0 ≤ l < n/3 along y: `[n, columns]` complex.
///
/// Rows are in FFT order; those of |k| ≥ n/3 stay zero. The other half of the plane follows from symmetry.
private final class VorticitySpectrum: SpectralSystem {
  let linearSymbol: [Complex]

  private let n: Int
  private let columns: Int
  private let alongX: Workspace  // û = i alongX ŵ
  private let alongY: Workspace  // v̂ = i alongY ŵ
  private let ofProduct: Workspace  // multiplies the spectrum of uv, normalised
  private let ofDifference: Workspace  // multiplies that of v² − u²
  private let isHeld: [Bool]
  private let forcing: Workspace
  private var growthRate = 0.0  // ‖f‖, what the forcing may add to the norm per unit of time
  private let pair: Workspace  // [n, 2, columns] complex: two half spectra
  private let turned: Workspace  // the same after the transforms along x
  private let joined: Workspace  // [n, n] complex
  private let physical: Workspace  // [n, n] complex: u + i v
  private let columnsForward: FourierTransform<Double>
  private let columnsBackward: FourierTransform<Double>
  private let rowsForward: FourierTransform<Double>
  private let rowsBackward: FourierTransform<Double>
  private var fastest = 0.0

  init(grid: Int, viscosity: Double) {
    n = grid
    let largest = (grid - 1) / 3
    columns = largest + 1
    let modes = grid * columns
    alongX = Workspace(count: modes)
    alongY = Workspace(count: modes)
    ofProduct = Workspace(count: modes)
    ofDifference = Workspace(count: modes)
    forcing = Workspace(count: 2 * modes)
    pair = Workspace(count: 4 * modes)
    turned = Workspace(count: 4 * modes)
    joined = Workspace(count: 2 * grid * grid)
    physical = Workspace(count: 2 * grid * grid)
    columnsForward = FourierTransform(.complexForward, shape: [grid], batch: 2 * columns, interleaved: true)
    columnsBackward = FourierTransform(.complexBackward, shape: [grid], batch: 2 * columns, interleaved: true)
    rowsForward = FourierTransform(.complexForward, shape: [grid], batch: grid)
    rowsBackward = FourierTransform(.complexBackward, shape: [grid], batch: grid)
    var symbol = [Complex](repeating: Complex(0), count: modes)
    var held = [Bool](repeating: false, count: modes)
    for row in 0..<grid {
      let k = row < grid / 2 ? row : row - grid
      guard abs(k) <= largest else { continue }
      for l in 0..<columns where k != 0 || l != 0 {
        let mode = row * columns + l
        let (x, y) = (2 * Double.pi * Double(k), 2 * Double.pi * Double(l))
        let laplacian = x * x + y * y
        held[mode] = true
        symbol[mode] = Complex(-viscosity * laplacian)
        alongX.start[mode] = y / laplacian  // u = ψ_y
        alongY.start[mode] = -x / laplacian  // v = −ψ_x
        // −u·∇w = −(∂xx − ∂yy)(uv) − ∂xy(v² − u²), divided by n² because FFTW does not normalise.
        ofProduct.start[mode] = (x * x - y * y) / Double(grid * grid)
        ofDifference.start[mode] = x * y / Double(grid * grid)
      }
    }
    linearSymbol = symbol
    isHeld = held
  }

  /// Sets f; nil is zero.
  func force(by values: Tensor<Double>?) {
    guard let values else { return }
    values.withUnsafeBuffer { transform($0.baseAddress!, into: forcing.start) }
    growthRate = norm(forcing.start)
  }

  /// The coefficients of the real field at `field`, truncated.
  func transform(_ field: UnsafePointer<Double>, into state: UnsafeMutablePointer<Double>) {
    for point in 0..<n * n {
      physical.start[2 * point] = field[point]
      physical.start[2 * point + 1] = 0
    }
    transformForward()
    let scale = 1 / Double(n * n)
    for row in 0..<n {
      for column in 0..<columns {
        let mode = row * columns + column
        let source = 2 * (2 * row * columns + column)
        state[2 * mode] = isHeld[mode] ? scale * pair.start[source] : 0
        state[2 * mode + 1] = isHeld[mode] ? scale * pair.start[source + 1] : 0
      }
    }
  }

  /// Writes the real field of `state` into `field`, `[n, n]`.
  func evaluate(_ state: UnsafePointer<Double>, into field: UnsafeMutablePointer<Double>) {
    for row in 0..<n {
      let target = pair.start + 4 * row * columns
      target.update(from: state + 2 * row * columns, count: 2 * columns)
      (target + 2 * columns).update(repeating: 0, count: 2 * columns)
    }
    transformBackward()
    for point in 0..<n * n { field[point] = physical.start[2 * point] }
  }

  func evaluateNonlinearity(
    _ state: UnsafeMutablePointer<Double>, into term: UnsafeMutablePointer<Double>
  ) {
    SolverKernels.velocitySpectra(
      rows: n, columns: columns, alongX: alongX.start, alongY: alongY.start, vorticity: state,
      pair: pair.start)
    transformBackward()
    fastest = SolverKernels.velocityProducts(points: n * n, physical.start)
    transformForward()
    SolverKernels.vorticityTendency(
      rows: n, columns: columns, p: ofProduct.start, q: ofDifference.start, forcing: forcing.start,
      pair: pair.start, tendency: term)
  }

  /// From the two half spectra in `pair` to the complex field in `physical`.
  private func transformBackward() {
    columnsBackward(pair.start, turned.start)
    SolverKernels.joinHalfSpectra(
      rows: n, length: n, columns: columns, pair: turned.start, joined: joined.start)
    rowsBackward(joined.start, physical.start)
  }

  /// The way back, not normalised.
  private func transformForward() {
    rowsForward(physical.start, joined.start)
    SolverKernels.splitHalfSpectra(
      rows: n, length: n, columns: columns, joined: joined.start, pair: turned.start)
    columnsForward(turned.start, pair.start)
  }

  func stepBound(_ scheme: TimeScheme, timeScale: Double) -> Double {
    min(0.05, scheme.largestCourantNumber / (2 * .pi * Double(columns - 1) * fastest))
  }

  func norm(_ state: UnsafePointer<Double>) -> Double {
    let all = Double.dot(2 * n * columns, state, state)
    let once = (0..<n).reduce(0.0) { sum, row in
      let (real, imaginary) = (state[2 * row * columns], state[2 * row * columns + 1])
      return sum + real * real + imaginary * imaginary
    }
    return (2 * all - once).squareRoot()
  }

  func normBound(initial: Double, time: Double) -> Double { initial + growthRate * time }

  /// Nothing to check: an unresolved flow is a matter of accuracy, not of failure.
  func checkResolution(_ state: UnsafeMutablePointer<Double>, sample: Int) throws {}
}
