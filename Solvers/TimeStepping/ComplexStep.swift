/// Derivatives with respect to the viscosity ν of what is computed from the symbol of L = ν ℓ, ℓ real.
///
/// A function that is real for real arguments has the derivative Im f(ν + iδ) / δ, exact to round-off for a tiny δ
/// because nothing is subtracted. So whatever takes complex symbols is differentiated without formulas of its own.
///
/// Reference: Squire, Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 1998.
struct ComplexStep {
  /// δ / ν: its square is nothing beside one.
  private static let size = 1e-20

  /// ν.
  let viscosity: Double

  /// The symbol of L for ν + iδ.
  func symbol(_ linearSymbol: [Complex]) -> [Complex] {
    linearSymbol.map { rate in
      precondition(rate.imaginary == 0, "a viscosity damps and does nothing else")
      return Complex(rate.real, Self.size * rate.real)
    }
  }

  /// Complex values of functions at ν + iδ become their derivatives at ν.
  func differentiate(_ values: Workspace, modes: Int) {
    for mode in 0..<modes {
      values.start[2 * mode] = values.start[2 * mode + 1] / (Self.size * viscosity)
      values.start[2 * mode + 1] = 0
    }
  }
}
