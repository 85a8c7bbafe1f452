import Tensors

/// A symmetric nine-point operator on side × side points with zero values on the outermost ones.
///
/// Five planes of side² numbers: the diagonal and the couplings to the neighbours (i, j + 1), (i + 1, j − 1),
/// (i + 1, j) and (i + 1, j + 1). The other four follow by symmetry.
struct Stencil {
  static let diagonal = 0
  static let east = 1
  static let southwest = 2
  static let south = 3
  static let southeast = 4

  let side: Int
  let planes: Workspace

  init(side: Int) {
    self.side = side
    planes = Workspace(count: 5 * side * side)
  }

  subscript(plane: Int, row: Int, column: Int) -> Double {
    get { planes.start[(plane * side + row) * side + column] }
    nonmutating set { planes.start[(plane * side + row) * side + column] = newValue }
  }

  /// y ← A x.
  func multiply(_ x: Workspace, into y: Workspace) {
    SolverKernels.multiply(side: side, stencil: planes.start, x.start, y.start)
  }
}
