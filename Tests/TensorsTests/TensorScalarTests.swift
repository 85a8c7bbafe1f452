import Tensors
import TestSupport
import Testing

/// Kernels and library calls against the loops that define them.
@Suite struct TensorScalarTests {
  private func noise(_ shape: Shape, _ seed: UInt64) -> Tensor<Double> {
    var random = Philox(seed: seed, stream: .inputs)
    return random.normal(shape: shape)
  }

  @Test(arguments: [0, 1, 15, 16, 17, 1000])
  func vectorKernelsAreTheirDefinitions(count: Int) {
    let x = noise([count], 1)
    let y = noise([count], 2)
    var sum = y
    sum.withUnsafeMutableBuffer { sum in
      x.withUnsafeBuffer { Double.axpy(count, 2.5, $0.baseAddress!, sum.baseAddress!) }
    }
    let pairs = zip(x.scalars, y.scalars)
    // One rounding more or less, with or without fused multiply-add.
    for (observed, (x, y)) in zip(sum.scalars, pairs) { #expect(abs(observed - (2.5 * x + y)) < 1e-14) }
    let dot = withPointers(x, y) { Double.dot(count, $0, $1) }
    #expect(abs(dot - pairs.reduce(0) { $0 + $1.0 * $1.1 }) < 1e-11)
    let distance = withPointers(x, y) { Double.squaredDistance(count, $0, $1) }
    #expect(abs(distance - pairs.reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }) < 1e-11)
  }

  /// Single-precision reductions accumulate in double: a million terms of 0.1 would be off by 1 % otherwise.
  @Test func singlePrecisionSumsDoNotDrift() {
    let count = 1 << 20
    let x = Tensor<Float>(shape: [count], repeating: 0.1)
    let one = Tensor<Float>(shape: [count], repeating: 1)
    let sum = withPointers(x, one) { Float.dot(count, $0, $1) }
    #expect(abs(sum - Double(count) * Double(Float(0.1))) < 1e-6 * Double(count))
  }

  private static let operations: [MatrixProduct.Operation] = [.none, .transpose]

  @Test(arguments: operations, operations)
  func matrixProductsAreTheirDefinition(left: MatrixProduct.Operation, right: MatrixProduct.Operation) {
    let (m, n, k) = (3, 4, 5)
    let a = noise(left == .none ? [m, k] : [k, m], 3)
    let b = noise(right == .none ? [k, n] : [n, k], 4)
    var c = Tensor<Double>(shape: [m, n], repeating: 1)
    c.withUnsafeMutableBuffer { c in
      withPointers(a, b) { a, b in
        let product = MatrixProduct(rows: m, columns: n, inner: k, left: left, right: right)
        Double.gemm(product, 2, a, b, 0.5, c.baseAddress!)
      }
    }
    for i in 0..<m {
      for j in 0..<n {
        var sum = 0.5
        for l in 0..<k {
          sum += 2 * (left == .none ? a[i, l] : a[l, i]) * (right == .none ? b[l, j] : b[j, l])
        }
        #expect(abs(c[i, j] - sum) < 1e-13)
      }
    }
  }
}
