import CKernels
import Tensors

/// The sums of products that layers are made of, finished while a block of the result is in registers.
package enum MatrixKernels {
  /// C ← A B of whole matrices: what these products reach is measured so.
  package static func multiply(
    rows: Int, columns: Int, inner: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>
  ) {
    product(rows: rows, columns: columns, ck_factors(inner: inner, a, b, bStride: columns), into: c)
  }

  /// C ← finish(A B): `rows` by `columns`, the rows of C `stride` apart.
  static func product(
    rows: Int, columns: Int, _ factors: ck_factors, finish: ck_finish? = nil,
    into c: UnsafeMutablePointer<Float>, stride: Int? = nil
  ) {
    withUnsafePointer(to: factors) { factors in
      if var finish {
        ck_product(rows, columns, factors, &finish, c, stride ?? columns)
      } else {
        ck_product(rows, columns, factors, nil, c, stride ?? columns)
      }
    }
  }

  /// C ← X Yᵀ, or C ← C + X Yᵀ, of `rows` and `columns` long rows.
  static func innerProducts(
    rows: Int, columns: Int, length: Int, _ x: UnsafePointer<Float>, xStride: Int? = nil,
    _ y: UnsafePointer<Float>, yStride: Int? = nil, adding: Bool = false,
    into c: UnsafeMutablePointer<Float>, stride: Int? = nil
  ) {
    ck_inner_products(
      rows, columns, length, x, xStride ?? length, y, yStride ?? length, adding ? 1 : 0, c, stride ?? columns)
  }
}

extension ck_factors {
  /// A, row-major with rows `stride` apart, times B with rows `bStride` apart.
  init(
    inner: Int, _ a: UnsafePointer<Float>, stride: Int? = nil, _ b: UnsafePointer<Float>, bStride: Int
  ) {
    self.init(inner: inner, a: a, row: stride ?? inner, column: 1, b: b, b_row: bStride)
  }

  /// Aᵀ, where A is row-major with rows `stride` apart, times B.
  init(
    inner: Int, transposed a: UnsafePointer<Float>, stride: Int, _ b: UnsafePointer<Float>, bStride: Int
  ) {
    self.init(inner: inner, a: a, row: 1, column: stride, b: b, b_row: bStride)
  }
}

extension Activation {
  /// How a product ends in this activation of the sum plus a bias per row.
  ///
  /// - Parameters:
  ///   - addend: what belongs to the sum, with rows `addendStride` apart; it may be what the result takes the place of.
  ///   - slope: gets the derivative, laid out as the result; for `gelu` only.
  func finish(
    addend: UnsafePointer<Float>? = nil, addendStride: Int = 0, bias: UnsafePointer<Float>?,
    slope: UnsafeMutablePointer<Float>? = nil
  ) -> ck_finish {
    ck_finish(
      kind: kernel, addend: addend, addend_row: addendStride, bias: bias, factor: nil, slope: slope)
  }
}
