import Foundation
import Tensors
import TestSupport
import Testing

/// The C kernels of the solvers against plain loops.
@Suite struct SolverKernelsTests {
  private func numbers(_ count: Int, seed: UInt64) -> Tensor<Double> {
    var random = Philox(seed: seed, stream: .inputs)
    return random.normal(shape: [count])
  }

  private func result(_ count: Int, _ body: (UnsafeMutablePointer<Double>) -> Void) -> [Double] {
    Tensor<Double>(shape: [count]) { buffer in
      buffer.update(repeating: 0)
      body(buffer.baseAddress!)
    }.scalars
  }

  private func close(_ a: [Double], _ b: [Double]) -> Bool {
    // Round-off of sums of a few terms of size one, fused or not.
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-13 }
  }

  @Test(arguments: [(8, 3), (9, 4), (16, 6), (12, 1)])
  func joiningAndSplittingHalfSpectra(_ n: Int, columns: Int) {
    let rows = 3
    // Two real fields per row with wave numbers below `columns`: their means are real.
    var pair = numbers(rows * 4 * columns, seed: 7)
    pair.withUnsafeMutableBuffer {
      for start in stride(from: 0, to: $0.count, by: 2 * columns) { $0[start + 1] = 0 }
    }
    let joined = result(2 * rows * n) { target in
      withPointers(pair) {
        SolverKernels.joinHalfSpectra(rows: rows, length: n, columns: columns, pair: $0, joined: target)
      }
    }
    let c = pair.scalars
    for row in 0..<rows {
      for j in 0..<n {
        var (re, im) = (0.0, 0.0)
        for k in 0..<n {
          let phase = 2 * Double.pi * Double(k * j) / Double(n)
          let (a, b) = (joined[2 * (row * n + k)], joined[2 * (row * n + k) + 1])
          re += a * cos(phase) - b * sin(phase)
          im += a * sin(phase) + b * cos(phase)
        }
        func real(_ start: Int) -> Double {
          (1..<max(columns, 1)).reduce(c[start]) { sum, k in
            let phase = 2 * Double.pi * Double(k * j) / Double(n)
            return sum + 2 * (c[start + 2 * k] * cos(phase) - c[start + 2 * k + 1] * sin(phase))
          }
        }
        #expect(abs(re - real(4 * row * columns)) < 1e-12)
        #expect(abs(im - real(4 * row * columns + 2 * columns)) < 1e-12)
      }
    }
    let split = result(rows * 4 * columns) { target in
      joined.withUnsafeBufferPointer {
        SolverKernels.splitHalfSpectra(
          rows: rows, length: n, columns: columns, joined: $0.baseAddress!, pair: target)
      }
    }
    #expect(close(split, c))
  }

  @Test(arguments: [1, 4, 7, 64])
  func velocityProducts(_ points: Int) {
    let z = numbers(2 * points, seed: 9).scalars
    var fastest = 0.0
    let products = result(2 * points) { target in
      target.update(from: z, count: 2 * points)
      fastest = SolverKernels.velocityProducts(points: points, target)
    }
    let pairs = (0..<points).map { (u: z[2 * $0], v: z[2 * $0 + 1]) }
    let expected = pairs.flatMap { (u: Double, v: Double) -> [Double] in [u * v, v * v - u * u] }
    #expect(close(products, expected))
    let speeds = pairs.map { (u: Double, v: Double) -> Double in abs(u) + abs(v) }
    #expect(fastest == speeds.max())
  }
}
