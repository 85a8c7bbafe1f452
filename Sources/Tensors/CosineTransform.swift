import Foundation
import Synchronization

/// DCT-I along both axes of a plane: from cosine coefficients to values at vertices, both ends included, and back.
///
/// y_k = x_0 + (−1)^k x_N + 2 Σ x_j cos(πjk/N) over 0 < j < N for the N + 1 numbers along an axis: what FFTW calls REDFT00,
/// its own inverse up to the factor 2N per axis.
///
/// FFTW is good where N has small factors only, as with 421 or 513 vertices. With 512 vertices N is 7 · 73, with 500 a
/// prime: it then takes five to thirty times as long. There, and where axes are short, the transform is a product with
/// matrices of cosines. Sums of points as far from both ends give the even coefficients, differences the odd ones, so
/// that half of the products is left.
public struct CosineTransform: Sendable {
  /// The numbers of vertices along the axes.
  public let shape: Shape

  private let fourier: FourierTransform<Double>?
  private let matrices: [CosineMatrices]

  /// The transform of a plane of `shape`, at least 2 by 2 vertices.
  public init(shape: Shape) {
    self.init(
      shape: shape,
      byMatrices: shape.contains(where: Self.hasFastMatrices)
        && shape.allSatisfy { $0 <= Self.mostByMatrices })
  }

  /// The same in a given way.
  package init(shape: Shape, byMatrices: Bool) {
    precondition(shape.count == 2 && shape.allSatisfy { $0 >= 2 }, "a plane of \(shape) vertices")
    self.shape = shape
    fourier = byMatrices ? nil : FourierTransform(.cosineVertices, shape: shape)
    matrices = byMatrices ? shape.map(CosineMatrices.cached) : []
  }

  /// The most vertices along an axis for which FFTW, where it is slow, is not as fast as products.
  private static let mostByMatrices = 1000

  /// Whether products with matrices take less time than FFTW for this number of vertices, by measurement.
  private static func hasFastMatrices(_ count: Int) -> Bool {
    if count <= 200 { return true }
    var rest = count - 1
    for prime in [2, 3, 5, 7] { while rest.isMultiple(of: prime) { rest /= prime } }
    return rest > 1
  }

  /// Transforms `input` into `output`, row-major arrays of `shape`, aligned to 16 bytes, that do not overlap.
  public func callAsFunction(_ input: UnsafePointer<Double>, _ output: UnsafeMutablePointer<Double>) {
    if let fourier {
      // FFTW takes a mutable pointer but keeps the input of transforms from real to real.
      fourier(UnsafeMutablePointer(mutating: input), output)
      return
    }
    let (rows, columns) = (shape[0], shape[1])
    MemoryPool.withMemory(of: Double.self, rows * columns) { turned in
      MemoryPool.withMemory(of: Double.self, (max(rows, columns) + 1) * max(rows, columns)) { folded in
        matrices[0].transformColumns(input, count: columns, output, folded: folded)
        transpose(output, rows: rows, columns: columns, turned)
        // Along the rows, which are columns now.
        MemoryPool.withMemory(of: Double.self, rows * columns) { result in
          matrices[1].transformColumns(turned, count: rows, result, folded: folded)
          transpose(result, rows: columns, columns: rows, output)
        }
      }
    }
  }

  /// The transpose of a matrix, by squares that stay in the cache.
  private func transpose(
    _ source: UnsafePointer<Double>, rows: Int, columns: Int, _ target: UnsafeMutablePointer<Double>
  ) {
    let side = 16
    for row in stride(from: 0, to: rows, by: side) {
      for column in stride(from: 0, to: columns, by: side) {
        for j in column..<min(columns, column + side) {
          for i in row..<min(rows, row + side) { target[j * rows + i] = source[i * columns + j] }
        }
      }
    }
  }
}

/// The matrices of a cosine transform of one length, N + 1.
private struct CosineMatrices {
  let count: Int
  /// From sums of the points j and N − j, 2j ≤ N, to the even coefficients.
  let even: Tensor<Double>
  /// From their differences, 2j < N, to the odd ones.
  let odd: Tensor<Double>

  private static let cache = Mutex<[Int: CosineMatrices]>([:])

  static func cached(_ count: Int) -> CosineMatrices {
    cache.withLock { cache in
      if let known = cache[count] { return known }
      let made = CosineMatrices(count)
      cache[count] = made
      return made
    }
  }

  private init(_ count: Int) {
    self.count = count
    let last = count - 1
    // Angles in whole steps, so that none is large.
    let cosines = (0..<2 * last).map { cos(Double.pi * Double($0) / Double(last)) }
    func matrix(_ points: Int, first: Int) -> Tensor<Double> {
      Tensor(shape: [points, points]) { values in
        for row in 0..<points {
          for point in 0..<points {
            let weight = point == 0 ? 1.0 : 2.0
            values[row * points + point] = weight * cosines[(first + 2 * row) * point % (2 * last)]
          }
        }
      }
    }
    even = matrix(last / 2 + 1, first: 0)
    odd = matrix((last + 1) / 2, first: 1)
  }

  /// Transforms the columns of `[N + 1, count]`; `folded` has room for one row more.
  func transformColumns(
    _ input: UnsafePointer<Double>, count columns: Int, _ output: UnsafeMutablePointer<Double>,
    folded: UnsafeMutablePointer<Double>
  ) {
    let (last, sumCount, differenceCount) = (count - 1, even.shape[0], odd.shape[0])
    let (sums, differences) = (folded, folded + sumCount * columns)
    for row in 0..<sumCount {
      let (near, far) = (input + row * columns, input + (last - row) * columns)
      (sums + row * columns).update(from: near, count: columns)
      guard row < differenceCount else { continue }  // the middle, which is its own image
      Double.axpy(columns, 1, far, sums + row * columns)
      (differences + row * columns).update(from: near, count: columns)
      Double.axpy(columns, -1, far, differences + row * columns)
    }
    for (matrix, points, target) in [(even, sums, output), (odd, differences, output + columns)] {
      let size = matrix.shape[0]
      withPointers(matrix) {
        Double.gemm(
          MatrixProduct(rows: size, columns: columns, inner: size, resultStride: 2 * columns), 1, $0, points,
          0,
          target)
      }
    }
  }
}
