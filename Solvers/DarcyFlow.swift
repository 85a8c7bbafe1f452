import Foundation
import Tensors

/// Steady Darcy flow in the unit square: maps the permeability a to the pressure u.
///
/// **Equation.** −∇·(a ∇u) = f on (0, 1)², f = 1 by default.
///
/// **Boundary conditions.** u = 0; the boundary values of the result are exact zeros.
///
/// **Discretisation.** Finite volumes on the vertex grid x_i = i/(n − 1), both boundaries included: the flux
/// through the face between two vertices is the face's coefficient times the difference quotient, which gives
/// the symmetric five-point scheme. The face's coefficient is the arithmetic mean of the two vertices' by default,
/// as in the published data, or the harmonic mean, which conserves the flux through a jump half way.
///
/// **Order.** Two for smooth coefficients, and for jumps half way between vertices with the harmonic mean; one for
/// other jumps.
///
/// **Solver.** Conjugate gradients, preconditioned by one multigrid V-cycle (`Multigrid`): the number of
/// iterations does not grow with n, so work and memory grow with the number of unknowns alone. Any n ≥ 3 will do.
/// Directions and cycles are of single precision, which takes half the time and no more iterations for coefficients up to
/// some 10³ apart; what does not converge so within 40 is solved with double precision. Either way the residual
/// that meets the tolerance is computed anew in double precision, and is that of the pressures before they are rounded to
/// it; the rounding leaves 10⁻⁷ for coefficients 10⁶ apart on 421² vertices, 4·10⁻¹¹ for the
/// published data's on 1681².
///
/// **When it fails.** Coefficients that are not positive and finite are refused. Coefficients 10⁶ apart have
/// converged wherever they were placed: in 25 iterations as regions, in 150 as channels one vertex wide, in thousands
/// at random vertices near the percolation threshold, after the 40 of single precision. With 10⁹ and more it may
/// end in `SolverError.noConvergence` with the true residual.
///
/// **Good values.** n = 85 to 421, relative residual 10⁻¹⁰: far below the error of the discretisation.
///
/// Reference: Li et al., "Fourier neural operator", ICLR 2021; Kovachki et al., JMLR 2023, section 6.2.
public struct DarcyFlow: PhysicalProblem {
  /// The right side f.
  public enum Source: Sendable, Equatable {
    /// The same everywhere.
    case constant(Double)
    /// The values of f on the grid, `[n, n]`; those on the boundary are not used.
    case field(Tensor<Double>)
  }

  /// The coefficient between two vertices.
  public enum FaceCoefficient: String, Sendable, CaseIterable, Codable {
    /// (a + b) / 2.
    case arithmeticMean = "arithmetic"
    /// 2ab / (a + b).
    case harmonicMean = "harmonic"
  }

  /// The number of vertices per axis, boundaries included.
  public let grid: Int
  /// The right side f.
  public let source: Source
  /// The coefficient between two vertices.
  public let faceCoefficient: FaceCoefficient
  /// The iteration stops at this residual, relative to the right side.
  public let tolerance: Double
  /// The iteration gives up after as many steps.
  public let maximumIterations: Int
  private let systems = IdleObjects<DarcySystem>()

  /// The problem on `grid`² vertices.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  public init(
    grid: Int, source: Source = .constant(1), faceCoefficient: FaceCoefficient = .arithmeticMean,
    tolerance: Double = 1e-10, maximumIterations: Int = 10_000
  ) throws {
    guard grid >= 3 else {
      throw SolverError.invalidProblem("a Darcy grid needs 3 vertices per axis or more, not \(grid)")
    }
    guard tolerance >= 1e-13, tolerance < 1, maximumIterations > 0 else {
      throw SolverError.invalidProblem(
        "the tolerance must be in [1e-13, 1) and the iterations positive, not \(tolerance), \(maximumIterations)"
      )
    }
    let isFinite =
      switch source {
      case .constant(let value): value.isFinite
      case .field(let values): values.shape == [grid, grid] && values.scalars.allSatisfy(\.isFinite)
      }
    guard isFinite else {
      throw SolverError.invalidProblem("the source must be finite, and a field of shape [\(grid), \(grid)]")
    }
    self.grid = grid
    self.source = source
    self.faceCoefficient = faceCoefficient
    self.tolerance = tolerance
    self.maximumIterations = maximumIterations
  }

  /// The equation as text.
  public var equation: String {
    let right =
      switch source {
      case .constant(let value): "\(value)"
      case .field: "f, f given on the grid"
      }
    return "-div(a grad u) = \(right) on (0, 1)^2, u = 0 on the boundary"
  }
  /// The source, where it is one number.
  public var parameters: [(name: String, value: Double)] {
    if case .constant(let value) = source { [("f", value)] } else { [] }
  }
  /// Two bounded axes of length 1.
  public var axes: [GridAxis] { [.bounded("x", count: grid), .bounded("y", count: grid)] }
  /// As many points along both.
  public var gridShape: Shape { [grid, grid] }
  /// Zero on the boundary.
  public var boundaryCondition: BoundaryCondition { .zeroDirichlet }

  /// The pressures `[sample, 1, n, n]` for permeabilities of the same shape.
  ///
  /// - Throws: `SolverError`, of the lowest sample that fails.
  public func callAsFunction(_ inputs: Tensor<Double>) throws -> Tensor<Double> {
    try solve(inputs, report: { _, _, _ in })
  }

  /// The same, telling `report` the iterations and the relative residual of every sample.
  ///
  /// The residual is the true one of the pressures returned: above the tolerance only where rounding them to double
  /// precision leaves more.
  ///
  /// `report` is called from several threads.
  public func solve(
    _ inputs: Tensor<Double>, report: (_ sample: Int, _ iterations: Int, _ relativeResidual: Double) -> Void
  ) throws -> Tensor<Double> {
    try checkInputs(inputs, of: "permeability")
    let points = grid * grid
    return try solveEachSample(of: inputs, outputShape: [1, grid, grid], keptIn: systems) {
      DarcySystem(side: grid, source: source)
    } solve: { system, sample, coefficient, pressure in
      if let point = (0..<points).first(where: { !(coefficient[$0] > 0) }) {
        throw SolverError.invalidProblem(
          "the permeability of sample \(sample) is not positive: \(coefficient[point]) at point "
            + "[\(point / grid), \(point % grid)]")
      }
      system.assemble(coefficient, usesHarmonicMean: faceCoefficient == .harmonicMean)
      let outcome = try solve(system, sample: sample, pressure)
      report(sample, outcome.iterations, outcome.relativeResidual)
    }
  }

  /// Solves an assembled system for its right side.
  ///
  /// - Throws: `SolverError.noConvergence`.
  @discardableResult
  func solve(
    _ system: DarcySystem, sample: Int, _ pressure: UnsafeMutablePointer<Double>
  ) throws -> LinearSolveOutcome {
    let outcome = system.solve(
      tolerance: tolerance, maximumIterations: maximumIterations, pressure: pressure)
    guard outcome.hasConverged else {
      throw SolverError.noConvergence(
        sample: sample, iterations: outcome.iterations, relativeResidual: outcome.relativeResidual)
    }
    return outcome
  }
}

/// The linear system of one worker: h² times the five-point operator on the inner vertices.
final class DarcySystem {
  private let inner: Int
  private let couplings: Workspace
  private let rightSide: Workspace
  private let solution: Workspace
  private let rest: Workspace
  private lazy var single = PreconditionedDarcySystem<Float>(inner: inner, couplings: couplings)
  private lazy var double = PreconditionedDarcySystem<Double>(inner: inner, couplings: couplings)
  /// A typical coupling.
  private var typical = 1.0

  init(side: Int, source: DarcyFlow.Source) {
    inner = side - 2
    let count = MultigridKernels.vectorCount(inner: inner)
    couplings = Workspace(count: MultigridKernels.couplingCount(inner: inner))
    rightSide = Workspace(count: count)
    solution = Workspace(count: count)
    rest = Workspace(count: count)
    let spacing = 1 / Double(side - 1)
    let scaled =
      switch source {
      case .constant(let value): [Double](repeating: value * spacing * spacing, count: side * side)
      case .field(let values): values.scalars.map { $0 * spacing * spacing }
      }
    MultigridKernels.split(inner: inner, grid: scaled, rightSide.start)
  }

  /// Takes the operator of a permeability on the grid.
  func assemble(_ permeability: UnsafePointer<Double>, usesHarmonicMean: Bool) {
    MultigridKernels.assemble(
      inner: inner, usesHarmonicMean: usesHarmonicMean, permeability: permeability, couplings.start)
    typical = permeability[(inner + 2) * (inner + 2) / 2].powerOfTwo
  }

  /// Takes the inner values of a grid for the right side, in place of h² f.
  func setRightSide(_ values: UnsafePointer<Double>) {
    MultigridKernels.split(inner: inner, grid: values, rightSide.start)
  }

  /// Solves for the right side: with directions of single precision, and if that has not converged when it usually has,
  /// as with permeabilities far apart, with directions of double precision.
  func solve(
    tolerance: Double, maximumIterations: Int, pressure: UnsafeMutablePointer<Double>
  ) -> LinearSolveOutcome {
    let scale = 1 / typical
    var outcome = single.solve(
      scale: scale, rightSide: rightSide, solution: solution, rest: rest, tolerance: tolerance,
      maximumIterations: min(maximumIterations, Self.singleIterations))
    if !outcome.hasConverged, outcome.iterations < maximumIterations {
      let before = outcome.iterations
      outcome = double.solve(
        scale: scale, rightSide: rightSide, solution: solution, rest: rest, tolerance: tolerance,
        maximumIterations: maximumIterations - before)
      outcome.iterations += before
    }
    pressure.update(repeating: 0, count: (inner + 2) * (inner + 2))
    MultigridKernels.join(inner: inner, vector: solution.start, pressure)
    return outcome
  }

  /// More than single precision takes where it does at all.
  private static let singleIterations = 40
}

/// A Darcy system with its multigrid preconditioner, for iterations in one precision.
private final class PreconditionedDarcySystem<Scalar: MultigridScalar>: PreconditionedSystem {
  let count: Int
  private(set) var scale = 1.0

  private let inner: Int
  private let couplings: Workspace
  private let multigrid: Multigrid<Scalar>
  private let conjugateGradient: ConjugateGradient<Scalar>

  init(inner: Int, couplings: Workspace) {
    self.inner = inner
    self.couplings = couplings
    count = MultigridKernels.vectorCount(inner: inner)
    multigrid = Multigrid(inner: inner)
    conjugateGradient = ConjugateGradient(count: count)
  }

  /// Solves for the couplings as they are now.
  func solve(
    scale: Double, rightSide: Workspace, solution: Workspace, rest: Workspace, tolerance: Double,
    maximumIterations: Int
  ) -> LinearSolveOutcome {
    self.scale = scale
    multigrid.prepare(couplings, scale: scale)
    return conjugateGradient.solve(
      self, rightSide: rightSide, solution: solution, rest: rest, tolerance: tolerance,
      maximumIterations: maximumIterations)
  }

  func multiply(_ x: Buffer<Scalar>, into y: Buffer<Scalar>) -> Double {
    Scalar.multiply(inner: inner, stencil: multigrid.finest.start, x.start, y.start)
  }

  func residual(
    _ b: Workspace, minus x: Workspace, rest: Workspace, residualScale: Double, into r: Buffer<Scalar>
  ) -> (rounded: Double, exact: Double) {
    Scalar.residual(
      inner: inner, couplings: couplings.start, b.start, minus: x.start, rest: rest.start,
      scale: residualScale, into: r.start)
  }

  func precondition(_ r: Buffer<Scalar>, into z: Buffer<Scalar>) -> Double { multigrid.apply(r, into: z) }
}
