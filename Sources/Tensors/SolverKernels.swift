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

  /// Calls `body` with ranges that cover the numbers below `modes`, on several threads where there are many: for loops in
  /// which no mode depends on another.
  private static func shareModes(_ modes: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
    let block = 4096  // some microseconds
    guard modes > block else { return body(0, modes) }
    parallelFor((modes + block - 1) / block) { range in
      let first = range.lowerBound * block
      body(first, min(modes, range.upperBound * block) - first)
    }
  }

  /// output ← a · x + b · (yWeight · y + zWeight · z): one stage of a scheme whose linear operator is diagonal.
  ///
  /// All but the two weights are complex, one number per mode.
  public static func diagonalUpdate(
    modes: Int, _ a: Source, _ x: Source, _ b: Source, _ yWeight: Double, _ y: Source, _ zWeight: Double,
    _ z: Source, output: Target
  ) {
    shareModes(modes) { first, count in
      let i = 2 * first
      ck_diagonal_update_f64(count, a + i, x + i, b + i, yWeight, y + i, zWeight, z + i, output + i)
    }
  }

  /// output ← e · u + f1 · n0 + f2 · (n1 + n2) + f3 · n3: the last stage of ETDRK4.
  public static func etdrk4Update(
    modes: Int, e: Source, _ u: Source, f1: Source, _ n0: Source, f2: Source, _ n1: Source, _ n2: Source,
    f3: Source, _ n3: Source, output: Target
  ) {
    shareModes(modes) { first, count in
      let i = 2 * first
      ck_etdrk4_update_f64(
        count, e + i, u + i, f1 + i, n0 + i, f2 + i, n1 + i, n2 + i, f3 + i, n3 + i, output + i)
    }
  }

  /// The coefficients of ETDRK4 for a step h: with z = h · symbol, e = exp(z), half = exp(z/2),
  /// q = (h/2) φ₁(z/2), f1 = h (φ₁ − 3φ₂ + 4φ₃), f2 = h (2φ₂ − 4φ₃), f3 = h (4φ₃ − φ₂).
  ///
  /// φ₁ = (e^z − 1)/z, φ₂ = (φ₁ − 1)/z, φ₃ = (φ₂ − 1/2)/z, by their Taylor series where |z| is small.
  public static func etdrk4Coefficients(
    modes: Int, step: Double, symbol: Source, e: Target, half: Target, q: Target, f1: Target, f2: Target,
    f3: Target
  ) {
    ck_etdrk4_coefficients_f64(modes, step, symbol, e, half, q, f1, f2, f3)
  }

  /// Σ |f (x − y)|² over complex numbers.
  public static func weightedDistance(modes: Int, _ f: Source, _ x: Source, _ y: Source) -> Double {
    ck_weighted_distance_f64(modes, f, x, y)
  }

  /// Σ |symbol · u + n|² over complex numbers.
  public static func rateOfChange(modes: Int, symbol: Source, _ u: Source, _ n: Source) -> Double {
    ck_rate_of_change_f64(modes, symbol, u, n)
  }

  /// output ← factor · input, complex: a derivative in Fourier space.
  public static func multiply(modes: Int, factor: Source, _ input: Source, _ output: Target) {
    shareModes(modes) { first, count in
      ck_complex_multiply_f64(count, factor + 2 * first, input + 2 * first, output + 2 * first)
    }
  }

  /// output ← output + factor · input, complex.
  public static func multiplyAdd(modes: Int, factor: Source, _ input: Source, _ output: Target) {
    shareModes(modes) { first, count in
      ck_complex_multiply_add_f64(count, factor + 2 * first, input + 2 * first, output + 2 * first)
    }
  }

  /// u ← Σ c[p] u^p; returns the largest |derivative| of the polynomial at the values before.
  public static func polynomial(_ count: Int, _ coefficients: [Double], _ u: Target) -> Double {
    ck_polynomial_f64(count, coefficients.count - 1, coefficients, u)
  }

  /// d ← p'(u) d: the derivative of `polynomial`, and its transpose.
  public static func polynomialDerivative(
    _ count: Int, _ coefficients: [Double], at u: Source, _ d: Target
  ) {
    ck_polynomial_derivative_f64(count, coefficients.count - 1, coefficients, u, d)
  }

  /// The largest |x|.
  public static func largestMagnitude(_ count: Int, _ x: Source) -> Double {
    ck_largest_magnitude_f64(count, x)
  }

  // MARK: - Navier-Stokes

  /// The spectra (i · alongX · ŵ, i · alongY · ŵ), interleaved by rows: `[rows, 2, columns]`, rows of `pair` perhaps
  /// longer than that.
  ///
  /// Coefficients lie in runs of three numbers each: where a run starts in ŵ, where in the first of a pair of
  /// rows, and how long it is. What no run covers is left as it is.
  public static func velocitySpectra(
    runs: ArraySlice<Int32>, columns: Int, alongX: Source, alongY: Source, vorticity: Source, pair: Target
  ) {
    runs.withUnsafeBufferPointer {
      ck_velocity_spectra_f64(runs.count / 3, $0.baseAddress, columns, alongX, alongY, vorticity, pair)
    }
  }

  /// Rows of `length` complex numbers whose backward transforms are u + i v.
  ///
  /// `pair` holds the half spectra of the real rows u and v below wave number `columns`, `pairRow` complex numbers from
  /// those of the next rows.
  public static func joinHalfSpectra(
    rows: Int, length: Int, columns: Int, pair: Source, pairRow: Int, joined: Target
  ) {
    ck_join_half_spectra_f64(rows, length, columns, pair, pairRow, joined)
  }

  /// The reverse of `joinHalfSpectra`: wave numbers of `columns` and above are dropped.
  public static func splitHalfSpectra(
    rows: Int, length: Int, columns: Int, joined: Source, pair: Target, pairRow: Int
  ) {
    ck_split_half_spectra_f64(rows, length, columns, joined, pair, pairRow)
  }

  /// z = u + i v becomes u v + i (v² − u²), in place; returns the largest |u| + |v|.
  public static func velocityProducts(points: Int, _ z: Target) -> Double {
    ck_velocity_products_f64(points, z)
  }

  /// dz = du + i dv becomes v du + u dv + i (2 v dv − 2 u du), in place: the derivative of `velocityProducts`.
  public static func velocityProductsTangent(points: Int, at z: Source, _ dz: Target) {
    ck_velocity_products_tangent_f64(points, z, dz)
  }

  /// gz = p + i q becomes v p − 2 u q + i (u p + 2 v q), in place: the transpose of `velocityProductsTangent`.
  public static func velocityProductsAdjoint(points: Int, at z: Source, _ gz: Target) {
    ck_velocity_products_adjoint_f64(points, z, gz)
  }

  /// tendency ← forcing + scale (p · a + q · b) for the pair (a, b) of spectra; p and q are real.
  ///
  /// Runs as in `velocitySpectra`.
  public static func vorticityTendency(
    runs: ArraySlice<Int32>, columns: Int, scale: Double, p: Source, q: Source, forcing: Source, pair: Source,
    tendency: Target
  ) {
    runs.withUnsafeBufferPointer {
      ck_vorticity_tendency_f64(runs.count / 3, $0.baseAddress, columns, scale, p, q, forcing, pair, tendency)
    }
  }

  /// pair ← (scale · p · tendency, scale · q · tendency): the adjoint of `vorticityTendency` without a forcing.
  public static func vorticityTendencyAdjoint(
    runs: ArraySlice<Int32>, columns: Int, scale: Double, p: Source, q: Source, tendency: Source, pair: Target
  ) {
    runs.withUnsafeBufferPointer {
      ck_vorticity_tendency_adjoint_f64(runs.count / 3, $0.baseAddress, columns, scale, p, q, tendency, pair)
    }
  }

  /// ŵ ← −i (alongX · a + alongY · b) for the pair (a, b) of spectra: the adjoint of `velocitySpectra`.
  public static func velocitySpectraAdjoint(
    runs: ArraySlice<Int32>, columns: Int, alongX: Source, alongY: Source, pair: Source, vorticity: Target
  ) {
    runs.withUnsafeBufferPointer {
      ck_velocity_spectra_adjoint_f64(
        runs.count / 3, $0.baseAddress, columns, alongX, alongY, pair, vorticity)
    }
  }

  /// product ← u · slopeX + v · slopeY; returns the largest |u| + |v|.
  public static func advectionProduct(
    points: Int, u: Source, slopeX: Source, v: Source, slopeY: Source, product: Target
  ) -> Double {
    ck_advection_product_f64(points, u, slopeX, v, slopeY, product)
  }

  /// product ← the derivative of `advectionProduct` along `direction`.
  ///
  /// `fields` and `direction` hold u, slopeX, v and slopeY one after another: `[4, points]`.
  public static func advectionProductTangent(
    points: Int, fields: Source, direction: Source, product: Target
  ) {
    ck_advection_product_tangent_f64(points, fields, direction, product)
  }

  /// The transpose of `advectionProductTangent`: the cotangents `[4, points]` of a cotangent g of the product.
  public static func advectionProductAdjoint(points: Int, fields: Source, _ g: Source, cotangent: Target) {
    ck_advection_product_adjoint_f64(points, fields, g, cotangent)
  }
}
