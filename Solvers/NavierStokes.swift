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
/// no vorticity on a torus has. While the highest modes are negligible (a tenth of the tolerance), coarser grids
/// evaluate the products; results do not depend on it to that accuracy. Other choices: `Dealiasing`.
///
/// **Order.** Spectral in space; in time four for `.etdrk4`, two or one for the others.
///
/// **Steps.** Those of `.etdrk4` keep the estimated error of each below the tolerance and
/// h · 2πK · max(|u| + |v|) ≤ 2, K the largest wave number in use. The other schemes need 0.4 there (0.1 for Euler), and 0.05 at
/// most: no explicit scheme of low order is stable on the imaginary axis, and this keeps its growth below the
/// damping.
///
/// **When it fails.** A given step that is too large ends in `SolverError.blowUp`, found within 16 steps by the
/// exact bound ‖w(t)‖ ≤ ‖w(0)‖ + t ‖f‖. A flow that the grid does not resolve is integrated all the same: see
/// `VorticityBudget.spectralTail`. At ν ≤ 10⁻⁵ the flow is chaotic, and no two schemes agree for long.
///
/// **Good values.** ν = 10⁻³, t ≤ 50, 64² to 256²; ν = 10⁻⁴, t ≤ 30, 128² to 256²; ν = 10⁻⁵, t ≤ 20, 256² and more.
///
/// Reference: Li et al., "Fourier neural operator", ICLR 2021; Kovachki et al., JMLR 2023, section 6.4.
public struct NavierStokes: ViscousProblem {
  /// What drives the flow: f, constant in time.
  public enum Forcing: Sendable, Equatable {
    /// f = 0.1 (sin 2π(x + y) + cos 2π(x + y)), that of the papers.
    case kolmogorovDiagonal
    /// f = 0.
    case none
    /// The values of f on the grid, `[n, n]`.
    case field(Tensor<Double>)
  }

  /// What is done about the aliasing of products, which have twice the wave numbers that a grid holds.
  public enum Dealiasing: String, Sendable, CaseIterable, Codable {
    /// Wave numbers below n/3 only: no aliasing, and energy and enstrophy are conserved by advection.
    case twoThirds = "two-thirds"
    /// All wave numbers but the Nyquist frequency, products as the grid gives them: for comparison.
    case none
    /// As in the code that made the published data: all wave numbers, and only the spectrum of u·∇w, evaluated
    /// in that form, is cut off at n/3.
    case productOnly = "product-only"
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
  /// What is done about aliasing.
  public let dealiasing: Dealiasing

  /// The problem on `grid`² points, `grid` an even number.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  public init(
    grid: Int, viscosity: Double, times: [Double], forcing: Forcing = .kolmogorovDiagonal,
    timeStepping: TimeStepping = .init(), dealiasing: Dealiasing = .twoThirds
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
    self.dealiasing = dealiasing
  }

  /// The scheme of the code that made the published data, step for step, in double precision: Euler for
  /// advection and forcing, Crank–Nicolson for viscosity, and `Dealiasing.productOnly`.
  ///
  /// Kovachki et al. describe Heun's method instead; their code has Euler's, with steps of 10⁻⁴.
  /// - Throws: `SolverError.invalidProblem`.
  public static func fno2020(
    grid: Int, viscosity: Double, times: [Double], forcing: Forcing = .kolmogorovDiagonal,
    timeStep: Double = 1e-4
  ) throws -> NavierStokes {
    try NavierStokes(
      grid: grid, viscosity: viscosity, times: times, forcing: forcing,
      timeStepping: .init(.eulerCrankNicolson, timeStep: timeStep), dealiasing: .productOnly)
  }

  /// The same flow with another viscosity.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  public func withViscosity(_ viscosity: Double) throws -> NavierStokes {
    try NavierStokes(
      grid: grid, viscosity: viscosity, times: times, forcing: forcing, timeStepping: timeStepping,
      dealiasing: dealiasing)
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
  /// As many points along both.
  public var gridShape: Shape { [grid, grid] }
  /// Periodic.
  public var boundaryCondition: BoundaryCondition { .periodic }

  /// The solver of the discretisation that `dealiasing` asks for.
  public func makeEvolution() -> Evolution {
    Evolution(
      input: "initial vorticity", times: times, timeStepping: timeStepping, gridShape: gridShape
    ) {
      if dealiasing == .productOnly {
        return PublishedVorticityScheme(grid: grid, viscosity: viscosity, forcing: forcingValues)
      }
      let isDealiased = dealiasing == .twoThirds
      return VorticitySpectrum(
        grid: grid, largest: isDealiased ? (grid - 1) / 3 : grid / 2 - 1, dealiased: isDealiased,
        viscosity: viscosity, forcing: forcingValues, negligible: 0.1 * timeStepping.tolerance)
    }
  }

  /// f on the grid, `[n, n]`; nil if there is none.
  public var forcingValues: Tensor<Double>? {
    switch forcing {
    case .none: return nil
    case .field(let values): return values
    case .kolmogorovDiagonal:
      let wave = (0..<grid).map { point in
        let phase = 2 * Double.pi * Double(point) / Double(grid)
        return 0.1 * (sin(phase) + cos(phase))
      }
      return Tensor(shape: [grid, grid]) { values in
        for i in 0..<grid {
          for j in 0..<grid { values[i * grid + j] = wave[(i + j) % grid] }
        }
      }
    }
  }
}
