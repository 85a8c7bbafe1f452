import CKernels

/// The hot loops of the PDE solvers, in C.
///
/// Complex numbers are interleaved (real part, imaginary part). Counts and layouts are preconditions that
/// the solvers' workspaces establish once; nothing is checked in the loops.
public enum SolverKernels {
  /// A pointer to numbers that a kernel reads.
  public typealias Source = UnsafePointer<Double>
  /// A pointer to numbers that a kernel writes.
  public typealias Target = UnsafeMutablePointer<Double>

  // MARK: - Time stepping in Fourier space

  /// One semi-implicit step: state ← keep · state + gain · (a · current + b · previous).
  ///
  /// `keep` and `gain` are real, one number per mode; the rest is complex.
  public static func semiImplicitUpdate(
    modes: Int, keep: Source, gain: Source, _ currentWeight: Double, _ current: Source,
    _ previousWeight: Double, _ previous: Source, state: Target
  ) {
    ck_semi_implicit_update_f64(
      modes, keep, gain, currentWeight, current, previousWeight, previous, state)
  }

  /// output ← i · factor · input: a derivative in Fourier space.
  public static func multiplyImaginary(modes: Int, factor: Source, _ input: Source, _ output: Target) {
    ck_multiply_imaginary_f64(modes, factor, input, output)
  }

  // MARK: - Burgers

  /// u ← u²/2 on a periodic grid; returns the largest |u| and the largest difference of neighbours before.
  public static func halfSquare(_ count: Int, _ u: Target) -> (largest: Double, steepest: Double) {
    var bounds = (largest: 0.0, steepest: 0.0)
    withUnsafeMutableBytes(of: &bounds) {
      ck_half_square_f64(count, u, $0.assumingMemoryBound(to: Double.self).baseAddress!)
    }
    return bounds
  }

  // MARK: - Navier-Stokes

  /// The spectra (i · alongX · ŵ, i · alongY · ŵ), interleaved by rows: `[rows, 2, columns]`.
  public static func velocitySpectra(
    rows: Int, columns: Int, alongX: Source, alongY: Source, vorticity: Source, pair: Target
  ) {
    ck_velocity_spectra_f64(rows, columns, alongX, alongY, vorticity, pair)
  }

  /// Rows of `length` complex numbers whose backward transforms are u + i v.
  ///
  /// `pair` holds the half spectra of the real rows u and v below wave number `columns`.
  public static func joinHalfSpectra(rows: Int, length: Int, columns: Int, pair: Source, joined: Target) {
    ck_join_half_spectra_f64(rows, length, columns, pair, joined)
  }

  /// The reverse of `joinHalfSpectra`: wave numbers of `columns` and above are dropped.
  public static func splitHalfSpectra(rows: Int, length: Int, columns: Int, joined: Source, pair: Target) {
    ck_split_half_spectra_f64(rows, length, columns, joined, pair)
  }

  /// z = u + i v becomes u v + i (v² − u²), in place; returns the largest |u| + |v|.
  public static func velocityProducts(points: Int, _ z: Target) -> Double {
    ck_velocity_products_f64(points, z)
  }

  /// tendency ← forcing + p · a + q · b for the pair (a, b) of spectra; p and q are real.
  public static func vorticityTendency(
    rows: Int, columns: Int, p: Source, q: Source, forcing: Source, pair: Source, tendency: Target
  ) {
    ck_vorticity_tendency_f64(rows, columns, p, q, forcing, pair, tendency)
  }

  // MARK: - Nine-point stencils
  //
  // Symmetric, on side × side points with a zero boundary: five planes, the diagonal and the couplings to
  // the neighbours (i, j + 1), (i + 1, j − 1), (i + 1, j), (i + 1, j + 1).

  /// y ← A x at the inner points.
  public static func multiply(side: Int, stencil: Source, _ x: Source, _ y: Target) {
    ck_stencil_multiply_f64(side, stencil, x, y)
  }

  /// y ← b − A x at the inner points.
  public static func residual(side: Int, stencil: Source, _ x: Source, _ b: Source, _ y: Target) {
    ck_stencil_residual_f64(side, stencil, x, b, y)
  }

  /// One Gauss–Seidel sweep over x in row-major order or in reverse; `row` is scratch of `side` numbers.
  public static func sweep(
    side: Int, stencil: Source, _ b: Source, backward: Bool, _ x: Target, row: Target
  ) {
    ck_stencil_sweep_f64(side, stencil, b, backward ? 1 : 0, x, row)
  }

  /// y ← y + P x, where P interpolates bilinearly from `coarse`² to `fine`² points.
  ///
  /// Fine index i lies between the coarse indices parent[i] and parent[i] + 1, at the fraction weight[i].
  public static func prolong(
    fine: Int, coarse: Int, parent: UnsafePointer<Int>, weight: Source, _ x: Source, _ y: Target, row: Target
  ) {
    ck_bilinear_prolong_f64(fine, coarse, parent, weight, x, y, row)
  }

  /// y ← Pᵀ x, zero on the boundary.
  public static func restrict(
    fine: Int, coarse: Int, parent: UnsafePointer<Int>, weight: Source, _ x: Source, _ y: Target, row: Target
  ) {
    ck_bilinear_restrict_f64(fine, coarse, parent, weight, x, y, row)
  }

  /// The stencil of Pᵀ A P.
  public static func galerkin(
    fine: Int, coarse: Int, parent: UnsafePointer<Int>, weight: Source, stencil: Source, result: Target
  ) {
    ck_galerkin_stencil_f64(fine, coarse, parent, weight, stencil, result)
  }
}
