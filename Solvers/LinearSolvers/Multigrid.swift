import Foundation
import Tensors

/// One symmetric V-cycle of geometric multigrid, as a preconditioner for nine-point operators.
///
/// **Grids of any size.** Every level has half as many intervals per axis, rounded down; where the number is
/// odd the last coarse interval covers three fine ones. Intervals of one grid thus never differ by more than a
/// factor of two, whatever n is. (Pairing all and leaving a single interval over would let that factor double
/// on every level.) Interpolation is bilinear in the actual coordinates.
///
/// **Coarse operators** are Galerkin products Pᵀ A P: they see jumps of the coefficient between coarse points and
/// keep the preconditioner symmetric and positive. **Smoothing:** one Gauss–Seidel sweep before, one in reverse
/// order after, each other's adjoints. **Coarsest level:** at most 5 × 5 unknowns, by Cholesky factorisation.
///
/// Briggs, Henson, McCormick, "A Multigrid Tutorial", 2000; Trottenberg, Oosterlee, Schüller, "Multigrid", 2001,
/// section 7.7.
final class Multigrid {
  /// The operator of the finest level: set its planes, then call `prepare`.
  var finest: Stencil { levels[0].stencil }

  private let levels: [Level]
  private let transfers: [Transfer]
  private let coarsest: DenseCholesky
  private let row: Workspace

  /// Memory for the operators of side × side points, boundary included.
  init(side: Int) {
    var levels = [Level(side: side)]
    var transfers: [Transfer] = []
    var coordinates = (0..<side).map(Double.init)
    while levels[levels.count - 1].side > 7 {
      let transfer = Transfer(fineCoordinates: coordinates)
      coordinates = transfer.coarseCoordinates
      transfers.append(transfer)
      levels.append(Level(side: coordinates.count))
    }
    self.levels = levels
    self.transfers = transfers
    coarsest = DenseCholesky(side: coordinates.count)
    row = Workspace(count: side)
  }

  /// Computes the coarse operators from the finest.
  func prepare() {
    for (level, transfer) in transfers.enumerated() {
      let (fine, coarse) = (levels[level], levels[level + 1])
      SolverKernels.galerkin(
        fine: fine.side, coarse: coarse.side, parent: transfer.parent, weight: transfer.weight.start,
        stencil: fine.stencil.planes.start, result: coarse.stencil.planes.start)
    }
    coarsest.factor(levels[levels.count - 1].stencil)
  }

  /// x ← M⁻¹ b.
  func apply(_ b: Workspace, into x: Workspace) { cycle(0, b.start, x.start) }

  private func cycle(_ index: Int, _ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>) {
    let level = levels[index]
    let side = level.side
    guard index < transfers.count else { return coarsest.solve(b, x) }
    let transfer = transfers[index]
    let coarse = levels[index + 1]
    let stencil = level.stencil.planes.start
    x.update(repeating: 0, count: side * side)
    SolverKernels.sweep(side: side, stencil: stencil, b, backward: false, x, row: row.start)
    SolverKernels.residual(side: side, stencil: stencil, x, b, level.residual.start)
    SolverKernels.restrict(
      fine: side, coarse: coarse.side, parent: transfer.parent, weight: transfer.weight.start,
      level.residual.start, coarse.rightSide.start, row: row.start)
    cycle(index + 1, coarse.rightSide.start, coarse.correction.start)
    SolverKernels.prolong(
      fine: side, coarse: coarse.side, parent: transfer.parent, weight: transfer.weight.start,
      coarse.correction.start, x, row: row.start)
    SolverKernels.sweep(side: side, stencil: stencil, b, backward: true, x, row: row.start)
  }

  /// One grid: its operator and scratch memory.
  private struct Level {
    let side: Int
    let stencil: Stencil
    let residual: Workspace
    let rightSide: Workspace
    let correction: Workspace

    init(side: Int) {
      self.side = side
      stencil = Stencil(side: side)
      residual = Workspace(count: side * side)
      rightSide = Workspace(count: side * side)
      correction = Workspace(count: side * side)
    }
  }

  /// Linear interpolation along one axis, the same for both.
  private final class Transfer {
    let coarseCoordinates: [Double]
    /// The coarse point at or before each fine point.
    let parent: UnsafeMutablePointer<Int>
    /// How far the fine point is on its way to the next coarse point.
    let weight: Workspace

    init(fineCoordinates: [Double]) {
      let last = fineCoordinates.count - 1
      let chosen = (0..<last / 2).map { 2 * $0 } + [last]
      coarseCoordinates = chosen.map { fineCoordinates[$0] }
      parent = .allocate(capacity: last + 1)
      parent.initialize(repeating: 0, count: last + 1)
      weight = Workspace(count: last + 1)
      for (index, coordinate) in fineCoordinates.enumerated() {
        let before = min(index / 2, chosen.count - 2)
        let (low, high) = (coarseCoordinates[before], coarseCoordinates[before + 1])
        parent[index] = before
        weight.start[index] = (coordinate - low) / (high - low)
      }
    }

    deinit { parent.deallocate() }
  }
}

/// A = R Rᵀ for the few unknowns of the coarsest grid.
final class DenseCholesky {
  private let side: Int
  private let inner: Int
  private let factorRows: Workspace
  private let unknowns: Workspace

  init(side: Int) {
    self.side = side
    inner = max(0, side - 2)
    factorRows = Workspace(count: inner * inner * inner * inner)
    unknowns = Workspace(count: inner * inner)
  }

  func factor(_ stencil: Stencil) {
    let count = inner * inner
    let matrix = factorRows.start
    matrix.update(repeating: 0, count: count * count)
    for i in 0..<inner {
      for j in 0..<inner {
        let unknown = i * inner + j
        let steps = [(0, 0), (0, 1), (1, -1), (1, 0), (1, 1)]
        for (plane, step) in steps.enumerated() {
          let (k, l) = (i + step.0, j + step.1)
          guard k < inner, l >= 0, l < inner else { continue }
          matrix[(k * inner + l) * count + unknown] = stencil[plane, i + 1, j + 1]
        }
      }
    }
    for row in 0..<count {
      for column in 0...row {
        var sum = matrix[row * count + column]
        for k in 0..<column { sum -= matrix[row * count + k] * matrix[column * count + k] }
        matrix[row * count + column] =
          row == column ? sum.squareRoot() : sum / matrix[column * count + column]
      }
    }
  }

  func solve(_ b: UnsafePointer<Double>, _ x: UnsafeMutablePointer<Double>) {
    let count = inner * inner
    let (matrix, values) = (factorRows.start, unknowns.start)
    for row in 0..<count {
      var sum = b[(row / inner + 1) * side + row % inner + 1]
      for k in 0..<row { sum -= matrix[row * count + k] * values[k] }
      values[row] = sum / matrix[row * count + row]
    }
    for row in stride(from: count - 1, through: 0, by: -1) {
      var sum = values[row]
      for k in row + 1..<max(row + 1, count) { sum -= matrix[k * count + row] * values[k] }
      values[row] = sum / matrix[row * count + row]
    }
    x.update(repeating: 0, count: side * side)
    for row in 0..<count { x[(row / inner + 1) * side + row % inner + 1] = values[row] }
  }
}
