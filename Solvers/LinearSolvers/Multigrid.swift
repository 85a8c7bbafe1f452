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
/// Dendy, "Black box multigrid", J. Comput. Phys. 48 (1982); Trottenberg, Oosterlee, Schüller, "Multigrid", 2001,
/// section 7.7.
final class Multigrid {
  /// The operator of the finest grid: assemble it, then call `prepare`.
  var finest: Workspace { levels[0].stencil }

  private let levels: [Level]
  private let scratch: Workspace

  /// Memory for operators on inner × inner points, the boundary not counted.
  init(inner: Int) {
    var levels: [Level] = []
    var remaining = inner
    repeat {
      levels.append(Level(inner: remaining, isFinest: levels.isEmpty))
      remaining /= 2
    } while remaining > 0
    self.levels = levels
    scratch = Workspace(count: MultigridKernels.scratchCount(inner: inner))
  }

  /// Computes the interpolations and the coarse operators from the finest operator.
  func prepare() {
    MultigridKernels.prepare(inner: levels[0].inner, stencil: finest.start)
    for (fine, coarse) in zip(levels, levels.dropFirst()) {
      MultigridKernels.coarsen(
        inner: fine.inner, isFinest: fine.isFinest, stencil: fine.stencil.start, coarse.stencil.start,
        scratch: scratch.start)
    }
  }

  /// x ← M⁻¹ b.
  func apply(_ b: Workspace, into x: Workspace) { cycle(0, b.start, x.start) }

  private func cycle(_ index: Int, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>) {
    let level = levels[index]
    let stencil = level.stencil.start
    guard index + 1 < levels.count else {
      return MultigridKernels.solveSinglePoint(stencil: stencil, b, x)
    }
    let coarse = levels[index + 1]
    MultigridKernels.goDown(
      inner: level.inner, isFinest: level.isFinest, stencil: stencil, b, x, coarse.rightSide.start,
      scratch: scratch.start)
    cycle(index + 1, coarse.rightSide.start, coarse.correction.start)
    MultigridKernels.goUp(
      inner: level.inner, isFinest: level.isFinest, stencil: stencil, b, coarse.correction.start, x,
      scratch: scratch.start)
  }

  /// One grid: its operator, and the vectors of a cycle, which the finest grid is given.
  private struct Level {
    let inner: Int
    let isFinest: Bool
    let stencil: Workspace
    let rightSide: Workspace
    let correction: Workspace

    init(inner: Int, isFinest: Bool) {
      self.inner = inner
      self.isFinest = isFinest
      typealias Kernels = MultigridKernels
      let operatorCount =
        isFinest ? Kernels.fivePointCount(inner: inner) : Kernels.ninePointCount(inner: inner)
      stencil = Workspace(count: operatorCount)
      rightSide = Workspace(count: isFinest ? 0 : Kernels.vectorCount(inner: inner))
      correction = Workspace(count: isFinest ? 0 : Kernels.vectorCount(inner: inner))
    }
  }
}
