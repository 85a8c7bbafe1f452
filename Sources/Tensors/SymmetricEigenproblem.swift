import COpenBLAS

/// The eigenvalues and eigenvectors of a symmetric matrix.
public struct SymmetricEigenproblem: Sendable {
  /// The eigenvalues, smallest first.
  public let values: [Double]
  /// The orthonormal eigenvectors, one per row, in the order of the values.
  public let vectors: Tensor<Double>

  /// Solves the problem of a matrix `[n, n]`, of which the upper triangle is used (LAPACK's divide and conquer).
  ///
  /// - Returns: nil if an element is not finite, or the iteration does not converge, which it practically always does.
  public init?(_ matrix: Tensor<Double>) {
    precondition(
      matrix.rank == 2 && matrix.shape[0] == matrix.shape[1], "\(matrix.shape) is not a square matrix")
    Parallelism.prepared
    let count = matrix.shape[0]
    guard matrix.scalars.allSatisfy(\.isFinite) else { return nil }
    guard count > 0 else {
      (values, vectors) = ([], matrix)
      return
    }
    var n = Int32(count)
    var vectors = matrix
    var values = [Double](repeating: 0, count: count)
    // The sizes that LAPACK asks for, so that no call to find them is needed.
    var lengths = (Int32(1 + 6 * count + 2 * count * count), Int32(3 + 5 * count))
    var work = [Double](repeating: 0, count: Int(lengths.0))
    var integers = [Int32](repeating: 0, count: Int(lengths.1))
    var info: Int32 = 0
    vectors.withUnsafeMutableBuffer { matrix in
      // A symmetric matrix is its own transpose, but for the triangle: our upper one is Fortran's lower one.
      // Eigenvectors are its columns, our rows.
      dsyevd_(
        "V", "L", &n, matrix.baseAddress!, &n, &values, &work, &lengths.0, &integers, &lengths.1, &info, 1, 1)
    }
    guard info == 0 else { return nil }
    self.values = values
    self.vectors = vectors
  }
}
