import CKernels

/// The hot loops of multigrid for the inner points of a square grid, in C: what there is in double precision alone.
///
/// Vectors and operators are stored by the parity of the indices; the layout is described in `multigrid.c`. Counts
/// and layouts are preconditions that the solvers establish once; nothing is checked in the loops.
package enum MultigridKernels {
  /// A pointer to numbers that a kernel reads.
  package typealias Source = UnsafePointer<Double>
  /// A pointer to numbers that a kernel writes.
  package typealias Target = UnsafeMutablePointer<Double>

  /// The numbers in a vector for `inner`² points; those of no point are zeros.
  package static func vectorCount(inner: Int) -> Int { 4 * plane(inner) }

  /// The numbers in the couplings of a five-point operator, with which it begins.
  package static func couplingCount(inner: Int) -> Int { 8 * plane(inner) }

  /// The numbers in a five-point operator.
  package static func fivePointCount(inner: Int) -> Int { 16 * plane(inner) }

  /// The numbers in a nine-point operator.
  package static func ninePointCount(inner: Int) -> Int { 24 * plane(inner) }

  /// The scratch memory that any function of a cycle needs.
  package static func scratchCount(inner: Int) -> Int { 23 * (inner / 2 + 2) }

  private static func plane(_ inner: Int) -> Int { (inner / 2 + 2) * (inner / 2 + 2) }

  /// A grid of (inner + 2)² numbers, without its boundary, as a vector.
  package static func split(inner: Int, grid: Source, _ vector: Target) {
    ck_grid_split_f64(inner, grid, vector)
  }

  /// A vector as the inner points of a grid; the boundary is left as it is.
  package static func join(inner: Int, vector: Source, _ grid: Target) {
    ck_grid_join_f64(inner, vector, grid)
  }

  /// The couplings of the five-point operator −h² ∇·(a ∇u) for the permeability at (inner + 2)² vertices.
  package static func assemble(inner: Int, usesHarmonicMean: Bool, permeability: Source, _ couplings: Target)
  {
    ck_darcy_assemble_f64(inner, usesHarmonicMean ? 1 : 0, permeability, couplings)
  }

  /// x ← x + c rounded, c ← what the rounding leaves over: x + c stays exactly the same.
  package static func moveSum(_ count: Int, _ x: Target, _ c: Target) { ck_move_sum_f64(count, x, c) }
}

/// Numbers of a precision in which conjugate gradients and multigrid can be computed.
package protocol MultigridScalar: TensorScalar {
  /// A pointer to numbers that a kernel reads.
  typealias Source = UnsafePointer<Self>
  /// A pointer to numbers that a kernel writes.
  typealias Target = UnsafeMutablePointer<Self>

  // MARK: Conjugate gradients

  /// y ← A x for a five-point operator; returns x · y.
  static func multiply(inner: Int, stencil: Source, _ x: Source, _ y: Target) -> Double

  /// r ← scale (b − A (x + rest)) for the couplings of a five-point operator; returns ‖b − A x‖² and
  /// ‖b − A (x + rest)‖².
  static func residual(
    inner: Int, couplings: UnsafePointer<Double>, _ b: UnsafePointer<Double>, minus x: UnsafePointer<Double>,
    rest: UnsafePointer<Double>, scale: Double, into r: Target
  ) -> (rounded: Double, exact: Double)

  /// y ← scale · x.
  static func scaled(_ count: Int, _ scale: Double, _ x: UnsafePointer<Double>, into y: Target)

  /// solution ← solution + step · unit · direction, residual ← residual − step · image; returns ‖residual‖².
  static func gradientStep(
    _ count: Int, _ step: Double, unit: Double, direction: Source, image: Source,
    solution: UnsafeMutablePointer<Double>, residual: Target
  ) -> Double

  /// direction ← corrected + ratio · direction.
  static func nextDirection(_ count: Int, _ ratio: Double, _ corrected: Source, _ direction: Target)

  // MARK: Multigrid

  /// Completes the couplings of a five-point operator with its diagonal and its interpolation from the next coarser grid.
  static func prepare(inner: Int, stencil: Target)

  /// The nine-point operator Pᵀ A P of the next coarser grid, with its interpolation, of a prepared operator.
  static func coarsen(inner: Int, isFinest: Bool, stencil: Source, _ coarse: Target, scratch: Target)

  /// x ← one relaxation of A x = b from zero, coarseB ← Pᵀ (b − A x).
  static func goDown(
    inner: Int, isFinest: Bool, stencil: Source, _ b: Source, _ x: Target, _ coarseB: Target, scratch: Target)

  /// x ← x + P coarseX, followed by one relaxation in the reverse order; returns b · x.
  static func goUp(
    inner: Int, isFinest: Bool, stencil: Source, _ b: Source, _ coarseX: Source, _ x: Target, scratch: Target
  ) -> Double

  /// x ← A⁻¹ b for the single point of the coarsest grid; returns b · x.
  static func solveSinglePoint(stencil: Source, _ b: Source, _ x: Target) -> Double
}

extension Double: MultigridScalar {
  package static func multiply(inner: Int, stencil: Source, _ x: Source, _ y: Target) -> Double {
    ck_darcy_multiply_f64(inner, stencil, x, y)
  }

  package static func residual(
    inner: Int, couplings: UnsafePointer<Double>, _ b: UnsafePointer<Double>, minus x: UnsafePointer<Double>,
    rest: UnsafePointer<Double>, scale: Double, into r: Target
  ) -> (rounded: Double, exact: Double) {
    var rounded = 0.0
    let exact = ck_darcy_residual_f64(inner, couplings, b, x, rest, scale, r, &rounded)
    return (rounded, exact)
  }

  package static func scaled(_ count: Int, _ scale: Double, _ x: UnsafePointer<Double>, into y: Target) {
    ck_scaled_f64(count, scale, x, y)
  }

  package static func gradientStep(
    _ count: Int, _ step: Double, unit: Double, direction: Source, image: Source,
    solution: UnsafeMutablePointer<Double>, residual: Target
  ) -> Double {
    ck_gradient_step_f64(count, step, unit, direction, image, solution, residual)
  }

  package static func nextDirection(
    _ count: Int, _ ratio: Double, _ corrected: Source, _ direction: Target
  ) {
    ck_next_direction_f64(count, ratio, corrected, direction)
  }

  package static func prepare(inner: Int, stencil: Target) { ck_multigrid_prepare_f64(inner, stencil) }

  package static func coarsen(
    inner: Int, isFinest: Bool, stencil: Source, _ coarse: Target, scratch: Target
  ) {
    let kernel = isFinest ? ck_multigrid_coarsen_five_f64 : ck_multigrid_coarsen_nine_f64
    kernel(inner, stencil, coarse, scratch)
  }

  package static func goDown(
    inner: Int, isFinest: Bool, stencil: Source, _ b: Source, _ x: Target, _ coarseB: Target, scratch: Target
  ) {
    let kernel = isFinest ? ck_multigrid_down_five_f64 : ck_multigrid_down_nine_f64
    kernel(inner, stencil, b, x, coarseB, scratch)
  }

  package static func goUp(
    inner: Int, isFinest: Bool, stencil: Source, _ b: Source, _ coarseX: Source, _ x: Target, scratch: Target
  ) -> Double {
    let kernel = isFinest ? ck_multigrid_up_five_f64 : ck_multigrid_up_nine_f64
    return kernel(inner, stencil, b, coarseX, x, scratch)
  }

  package static func solveSinglePoint(stencil: Source, _ b: Source, _ x: Target) -> Double {
    ck_multigrid_single_f64(stencil, b, x)
  }
}

extension Float: MultigridScalar {
  package static func multiply(inner: Int, stencil: Source, _ x: Source, _ y: Target) -> Double {
    ck_darcy_multiply_f32(inner, stencil, x, y)
  }

  package static func residual(
    inner: Int, couplings: UnsafePointer<Double>, _ b: UnsafePointer<Double>, minus x: UnsafePointer<Double>,
    rest: UnsafePointer<Double>, scale: Double, into r: Target
  ) -> (rounded: Double, exact: Double) {
    var rounded = 0.0
    let exact = ck_darcy_residual_f32(inner, couplings, b, x, rest, scale, r, &rounded)
    return (rounded, exact)
  }

  package static func scaled(_ count: Int, _ scale: Double, _ x: UnsafePointer<Double>, into y: Target) {
    ck_scaled_f32(count, scale, x, y)
  }

  package static func gradientStep(
    _ count: Int, _ step: Double, unit: Double, direction: Source, image: Source,
    solution: UnsafeMutablePointer<Double>, residual: Target
  ) -> Double {
    ck_gradient_step_f32(count, step, unit, direction, image, solution, residual)
  }

  package static func nextDirection(
    _ count: Int, _ ratio: Double, _ corrected: Source, _ direction: Target
  ) {
    ck_next_direction_f32(count, ratio, corrected, direction)
  }

  package static func prepare(inner: Int, stencil: Target) { ck_multigrid_prepare_f32(inner, stencil) }

  package static func coarsen(
    inner: Int, isFinest: Bool, stencil: Source, _ coarse: Target, scratch: Target
  ) {
    let kernel = isFinest ? ck_multigrid_coarsen_five_f32 : ck_multigrid_coarsen_nine_f32
    kernel(inner, stencil, coarse, scratch)
  }

  package static func goDown(
    inner: Int, isFinest: Bool, stencil: Source, _ b: Source, _ x: Target, _ coarseB: Target, scratch: Target
  ) {
    let kernel = isFinest ? ck_multigrid_down_five_f32 : ck_multigrid_down_nine_f32
    kernel(inner, stencil, b, x, coarseB, scratch)
  }

  package static func goUp(
    inner: Int, isFinest: Bool, stencil: Source, _ b: Source, _ coarseX: Source, _ x: Target, scratch: Target
  ) -> Double {
    let kernel = isFinest ? ck_multigrid_up_five_f32 : ck_multigrid_up_nine_f32
    return kernel(inner, stencil, b, coarseX, x, scratch)
  }

  package static func solveSinglePoint(stencil: Source, _ b: Source, _ x: Target) -> Double {
    ck_multigrid_single_f32(stencil, b, x)
  }
}
