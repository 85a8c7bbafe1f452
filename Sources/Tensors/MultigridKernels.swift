import CKernels

/// The hot loops of multigrid and conjugate gradients for the inner points of a square grid, in C.
///
/// Vectors and operators are stored by the parity of the indices; the layout is described in `multigrid.c`. Counts
/// and layouts are preconditions that the solvers establish once; nothing is checked in the loops.
public enum MultigridKernels {
  /// A pointer to numbers that a kernel reads.
  public typealias Source = UnsafePointer<Double>
  /// A pointer to numbers that a kernel writes.
  public typealias Target = UnsafeMutablePointer<Double>

  /// The numbers in a vector for `inner`² points; those of no point are zeros.
  public static func vectorCount(inner: Int) -> Int { 4 * plane(inner) }

  /// The numbers in a five-point operator.
  public static func fivePointCount(inner: Int) -> Int { 16 * plane(inner) }

  /// The numbers in a nine-point operator.
  public static func ninePointCount(inner: Int) -> Int { 24 * plane(inner) }

  /// The scratch memory that any of the functions below needs.
  public static func scratchCount(inner: Int) -> Int { 23 * (inner / 2 + 2) }

  private static func plane(_ inner: Int) -> Int { (inner / 2 + 2) * (inner / 2 + 2) }

  /// A grid of (inner + 2)² numbers, without its boundary, as a vector.
  public static func split(inner: Int, grid: Source, _ vector: Target) {
    ck_grid_split_f64(inner, grid, vector)
  }

  /// A vector as the inner points of a grid; the boundary is left as it is.
  public static func join(inner: Int, vector: Source, _ grid: Target) {
    ck_grid_join_f64(inner, vector, grid)
  }

  // MARK: - Darcy's operator

  /// The five-point operator −h² ∇·(a ∇u) for the permeability at (inner + 2)² vertices.
  public static func assemble(inner: Int, usesHarmonicMean: Bool, permeability: Source, _ stencil: Target) {
    ck_darcy_assemble_f64(inner, usesHarmonicMean ? 1 : 0, permeability, stencil)
  }

  /// y ← A x for a five-point operator; returns x · y.
  public static func multiply(inner: Int, stencil: Source, _ x: Source, _ y: Target) -> Double {
    ck_darcy_multiply_f64(inner, stencil, x, y)
  }

  /// r ← b − A x for a five-point operator; returns ‖r‖².
  public static func residual(
    inner: Int, stencil: Source, _ b: Source, _ x: Source, _ r: Target
  ) -> Double {
    ck_darcy_residual_f64(inner, stencil, b, x, r)
  }

  // MARK: - Conjugate gradients

  /// x ← x + step · direction, r ← r − step · image; returns ‖r‖².
  public static func gradientStep(
    _ count: Int, _ step: Double, direction: Source, image: Source, solution: Target, residual: Target
  ) -> Double {
    ck_gradient_step_f64(count, step, direction, image, solution, residual)
  }

  /// x ← x + c rounded, c ← what the rounding leaves over: x + c stays exactly the same.
  public static func moveSum(_ count: Int, _ x: Target, _ c: Target) { ck_move_sum_f64(count, x, c) }

  /// direction ← corrected + ratio · direction.
  public static func nextDirection(_ count: Int, _ ratio: Double, _ corrected: Source, _ direction: Target) {
    ck_next_direction_f64(count, ratio, corrected, direction)
  }

  // MARK: - Multigrid

  /// Completes a five-point operator with its interpolation from the next coarser grid.
  public static func prepare(inner: Int, stencil: Target) { ck_multigrid_prepare_f64(inner, stencil) }

  /// The nine-point operator Pᵀ A P of the next coarser grid, with its interpolation, of a prepared operator.
  public static func coarsen(inner: Int, isFinest: Bool, stencil: Source, _ coarse: Target, scratch: Target) {
    let kernel = isFinest ? ck_multigrid_coarsen_five_f64 : ck_multigrid_coarsen_nine_f64
    kernel(inner, stencil, coarse, scratch)
  }

  /// x ← one relaxation of A x = b from zero, coarseB ← Pᵀ (b − A x).
  public static func goDown(
    inner: Int, isFinest: Bool, stencil: Source, _ b: Source, _ x: Target, _ coarseB: Target, scratch: Target
  ) {
    let kernel = isFinest ? ck_multigrid_down_five_f64 : ck_multigrid_down_nine_f64
    kernel(inner, stencil, b, x, coarseB, scratch)
  }

  /// x ← x + P coarseX, followed by one relaxation in the reverse order.
  public static func goUp(
    inner: Int, isFinest: Bool, stencil: Source, _ b: Source, _ coarseX: Source, _ x: Target, scratch: Target
  ) {
    let kernel = isFinest ? ck_multigrid_up_five_f64 : ck_multigrid_up_nine_f64
    kernel(inner, stencil, b, coarseX, x, scratch)
  }

  /// x ← A⁻¹ b for the single point of the coarsest grid.
  public static func solveSinglePoint(stencil: Source, _ b: Source, _ x: Target) {
    ck_multigrid_single_f64(stencil, b, x)
  }
}
