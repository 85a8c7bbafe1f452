import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing

@Suite struct KMatrixTests {
  /// exp(sign 2πi jk/n) · scale, with the rows or the columns in bit-reversed order.
  private func fourierMatrix(_ n: Int, sign: Double, scale: Double, reversedRows: Bool) -> Tensor<Double> {
    let bits = n.trailingZeroBitCount
    var result = Tensor<Double>(shape: [n, n, 2])
    for row in 0..<n {
      for column in 0..<n {
        let k = KMatrix.bitReversed(reversedRows ? row : column, count: bits)
        let angle = sign * 2 * Double.pi * Double(k * (reversedRows ? column : row) % n) / Double(n)
        result[row, column, 0] = scale * cos(angle)
        result[row, column, 1] = scale * sin(angle)
      }
    }
    return result
  }

  /// Entries are products of twiddles that are rounded to single precision: log₂ n times 6e-8.
  private let tolerance = 1e-6

  @Test(arguments: [2, 4, 16, 128], [1, 2, 3]) func fourierMatrices(n: Int, depth: Int) {
    let root = 1 / Double(n).squareRoot()
    func check(_ matrix: KMatrix, _ expected: Tensor<Double>) {
      #expect(matrix.product.depth == depth && relativeError(matrix.dense, expected) < tolerance)
    }
    check(
      .fourier(size: n, scale: .unitary, depth: depth),
      fourierMatrix(n, sign: -1, scale: root, reversedRows: true))
    check(
      .fourier(size: n, scale: .plain, depth: depth), fourierMatrix(n, sign: -1, scale: 1, reversedRows: true)
    )
    check(
      .inverseFourier(size: n, scale: .unitary, depth: depth),
      fourierMatrix(n, sign: 1, scale: root, reversedRows: false))
    check(
      .inverseFourier(size: n, scale: .plain, depth: depth),
      fourierMatrix(n, sign: 1, scale: 1 / Double(n), reversedRows: false))
    #expect(KMatrix.fourier(size: n, scale: .plain, depth: depth).twiddle.role == .architecture)
  }

  /// The bit reversals of the two transforms cancel.
  @Test func theInverseFollowsTheTransform() {
    let u = randomTensor([3, 64, 2], sample: 1)
    let spectrum = KMatrix.fourier(size: 64, scale: .unitary)(Variable(u), on: .inference)
    let result = KMatrix.inverseFourier(size: 64, scale: .unitary)(spectrum, on: .inference)
    #expect(relativeError(result.value, u) < tolerance)
    // The library's transform in natural order.
    let field = Tensor<Double>(shape: [1, 64], scalars: (0..<64).map { Double(u[0, $0, 0]) })
    let reference = FFT.forward(field, dimensions: 1)
    let real = Variable(
      Tensor(shape: [1, 64, 2], scalars: (0..<64).flatMap { [u[0, $0, 0], 0] }))
    let plain = KMatrix.fourier(size: 64, scale: .plain)(real, on: .inference).value
    for k in 0...32 {
      for part in 0..<2 {
        #expect(abs(Double(plain[0, KMatrix.bitReversed(k, count: 6), part]) - reference[0, k, part]) < 1e-5)
      }
    }
  }

  @Test(arguments: [1, 2, 3]) func identities(depth: Int) {
    let dense = KMatrix.identity(size: 8, depth: depth, beginsIncreasing: depth == 2).dense
    for row in 0..<8 {
      for column in 0..<8 {
        #expect(dense[row, column, 0] == (row == column ? 1 : 0) && dense[row, column, 1] == 0)
      }
    }
  }

  @Test func randomMatricesKeepTheSizeOfVectors() {
    var initializer = Initializer(seed: 1)
    let matrix = KMatrix.random(size: 256, depth: 2, using: &initializer)
    let deviation = (matrix.twiddle.value.scalars.reduce(0) { $0 + $1 * $1 } / 16_384).squareRoot()
    // 16,384 squares of variance 1/2: the root of their mean is 0.7071 to 0.004 or so.
    #expect(matrix.twiddle.value.count == 16_384 && abs(deviation - 0.7071) < 0.02)
  }

  /// All permutations of small sets, and random ones of large sets.
  @Test func permutationsTakeTwoBlocks() {
    func permutations(_ rest: [Int]) -> [[Int]] {
      rest.isEmpty
        ? [[]] : rest.flatMap { first in permutations(rest.filter { $0 != first }).map { [first] + $0 } }
    }
    var random = Philox(seed: 1, stream: .noise, sample: 0)
    let cases =
      permutations([0, 1]) + permutations([0, 1, 2, 3])
      + [8, 16, 64, 256].flatMap { n in (0..<10).map { _ in random.permutation(n) } }
    for sources in cases {
      let matrix = KMatrix.permutation(sources)
      let input = (0..<sources.count).flatMap { [Double($0), 0.0] }
      let result = matrix.product.multiply(
        input, twiddles: Tensor<Double>(converting: matrix.twiddle.value).scalars)
      #expect(matrix.product.depth == 2)
      #expect(sources.indices.allSatisfy { result[2 * $0] == Double(sources[$0]) })
    }
  }

  @Test func productsConcatenateBlocks() {
    let a = KMatrix.permutation([2, 0, 3, 1])
    let b = KMatrix.fourier(size: 4, scale: .plain)
    let both = KMatrix.product([a, b])
    #expect(both.product.depth == 3 && !both.product.beginsIncreasing)
    #expect(KMatrix.product([b, a]).product.depth == 4)  // an identity between two decreasing blocks
    for matrices in [[a, b], [b, a], [a, a, b]] {
      let u = randomTensor([2, 4, 2], sample: 3)
      let expected = matrices.reduce(Variable(u)) { $1($0, on: .inference) }
      let result = KMatrix.product(matrices)(Variable(u), on: .inference)
      #expect(relativeError(result.value, expected.value) < tolerance)
    }
  }

  /// Full, sparse and empty matrices: a block pair for every permutation.
  @Test func everyMatrixIsAKMatrix() {
    var random = Philox(seed: 2, stream: .noise, sample: 0)
    func matrix(_ n: Int, _ keep: (Int, Int) -> Bool) -> [[Double]] {
      (0..<n).map { row in (0..<n).map { keep(row, $0) ? random.nextUniform() - 0.5 : 0 } }
    }
    let ring = matrix(7) { ($0 + 1) % 7 == $1 || ($1 + 1) % 7 == $0 }
    let cases: [([[Double]], depth: Int)] = [
      (matrix(4) { _, _ in true }, 8), (ring, 4), (matrix(8) { $0 == $1 }, 2),
      (matrix(3) { _, _ in false }, 2),
      (matrix(6) { row, _ in row == 2 }, 12),
    ]
    for (rows, depth) in cases {
      let (n, result) = (rows.count, KMatrix.matrix(rows))
      #expect(result.product.depth == depth)
      let dense = result.dense
      for row in 0..<n {
        for column in 0..<n {
          // Weights are rounded to single precision.
          #expect(abs(dense[row, column, 0] - rows[row][column]) < 1e-7 && dense[row, column, 1] == 0)
        }
      }
    }
  }
}
