import Tensors

/// One symmetric V-cycle of multigrid, as a preconditioner for the five-point operator of Darcy flow.
///
/// **Grids of any size.** Every second inner point is one of the next coarser grid, down to a single point. Where
/// the number of inner points is even, the last one is a coarse point next to the boundary.
///
/// **Interpolation** follows the operator: the value between two coarse points is the one that balances the fluxes
/// along the line, the value between four the one that solves its equation. The correction thus has a continuous
/// flux through jumps of the coefficient, which linear interpolation has not: with that the number of iterations
/// grows with the contrast.
///
/// **Coarse operators** are Galerkin products Pᵀ A P, of nine points: they keep the preconditioner symmetric and
/// positive. **Relaxation:** one Gauss–Seidel sweep in four colours before, one in the reverse order after, each
/// other's adjoints. Colours, unlike rows, let all loops work on consecutive numbers.
///
/// In single precision the cycle takes half the memory and half the time, and preconditions as well unless permeabilities
/// are far apart.
///
/// Dendy, "Black box multigrid", J. Comput. Phys. 48 (1982); Trottenberg, Oosterlee, Schüller, "Multigrid", 2001,
/// section 7.7.
final class Multigrid<Scalar: MultigridScalar> {
  /// The operator of the finest grid, prepared.
  var finest: Buffer<Scalar> { levels[0].stencil }

  private let levels: [Level]
  private let scratch: Buffer<Scalar>

  /// Memory for operators on inner × inner points, the boundary not counted.
  init(inner: Int) {
    var levels: [Level] = []
    var remaining = inner
    repeat {
      levels.append(Level(inner: remaining, isFinest: levels.isEmpty))
      remaining /= 2
    } while remaining > 0
    self.levels = levels
    scratch = Buffer(count: MultigridKernels.scratchCount(inner: inner))
  }

  /// Takes `scale` times the operator of these couplings: computes the interpolations and the coarse operators.
  func prepare(_ couplings: Buffer<Double>, scale: Double) {
    let inner = levels[0].inner
    Scalar.scaled(
      MultigridKernels.couplingCount(inner: inner), scale, couplings.start, into: finest.start)
    Scalar.prepare(inner: inner, stencil: finest.start)
    for (fine, coarse) in zip(levels, levels.dropFirst()) {
      Scalar.coarsen(
        inner: fine.inner, isFinest: fine.isFinest, stencil: fine.stencil.start, coarse.stencil.start,
        scratch: scratch.start)
    }
  }

  /// x ← M⁻¹ b; returns b · x.
  func apply(_ b: Buffer<Scalar>, into x: Buffer<Scalar>) -> Double { cycle(0, b.start, x.start) }

  @discardableResult
  private func cycle(_ index: Int, _ b: UnsafePointer<Scalar>, _ x: UnsafeMutablePointer<Scalar>) -> Double {
    let level = levels[index]
    let stencil = level.stencil.start
    guard index + 1 < levels.count else { return Scalar.solveSinglePoint(stencil: stencil, b, x) }
    let coarse = levels[index + 1]
    Scalar.goDown(
      inner: level.inner, isFinest: level.isFinest, stencil: stencil, b, x, coarse.rightSide.start,
      scratch: scratch.start)
    cycle(index + 1, coarse.rightSide.start, coarse.correction.start)
    return Scalar.goUp(
      inner: level.inner, isFinest: level.isFinest, stencil: stencil, b, coarse.correction.start, x,
      scratch: scratch.start)
  }

  /// One grid: its operator, and the vectors of a cycle, which the finest grid is given.
  private struct Level {
    let inner: Int
    let isFinest: Bool
    let stencil: Buffer<Scalar>
    let rightSide: Buffer<Scalar>
    let correction: Buffer<Scalar>

    init(inner: Int, isFinest: Bool) {
      self.inner = inner
      self.isFinest = isFinest
      typealias Kernels = MultigridKernels
      let operatorCount =
        isFinest ? Kernels.fivePointCount(inner: inner) : Kernels.ninePointCount(inner: inner)
      stencil = Buffer(count: operatorCount)
      rightSide = Buffer(count: isFinest ? 0 : Kernels.vectorCount(inner: inner))
      correction = Buffer(count: isFinest ? 0 : Kernels.vectorCount(inner: inner))
    }
  }
}
