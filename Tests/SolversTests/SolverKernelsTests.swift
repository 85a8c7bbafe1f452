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

  @Test(arguments: [(8, 3, 0), (9, 4, 1), (16, 6, 0), (12, 1, 2)])
  func joiningAndSplittingHalfSpectra(_ n: Int, columns: Int, more: Int) {
    let rows = 3
    let pairRow = 2 * columns + more
    // Two real fields per row with wave numbers below `columns`: their means are real.
    var pair = numbers(rows * 2 * pairRow, seed: 7)
    pair.withUnsafeMutableBuffer {
      for row in 0..<rows {
        for field in 0..<2 { $0[2 * (row * pairRow + field * columns) + 1] = 0 }
        for index in 4 * columns..<2 * pairRow { $0[2 * row * pairRow + index] = 0 }
      }
    }
    let joined = result(2 * rows * n) { target in
      withPointers(pair) {
        SolverKernels.joinHalfSpectra(
          rows: rows, length: n, columns: columns, pair: $0, pairRow: pairRow, joined: target)
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
        #expect(abs(re - real(2 * row * pairRow)) < 1e-12)
        #expect(abs(im - real(2 * row * pairRow + 2 * columns)) < 1e-12)
      }
    }
    // What lies between the pairs is left as it is: zeros here, as there.
    let split = result(rows * 2 * pairRow) { target in
      joined.withUnsafeBufferPointer {
        SolverKernels.splitHalfSpectra(
          rows: rows, length: n, columns: columns, joined: $0.baseAddress!, pair: target, pairRow: pairRow)
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

  // MARK: - Derivatives

  /// Σ a b.
  private func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

  /// The change of `function` along a direction, to the rounding of a quadratic function: it has no third derivative.
  private func difference(_ z: [Double], _ d: [Double], _ function: ([Double]) -> [Double]) -> [Double] {
    let (forward, backward) = (zip(z, d).map { $0 + $1 }, zip(z, d).map { $0 - $1 })
    return zip(function(forward), function(backward)).map { 0.5 * ($0 - $1) }
  }

  @Test(arguments: [1, 4, 7, 64])
  func velocityProductsDerivative(_ points: Int) {
    let (z, d) = (numbers(2 * points, seed: 30).scalars, numbers(2 * points, seed: 31).scalars)
    let tangent = result(2 * points) { target in
      target.update(from: d, count: 2 * points)
      SolverKernels.velocityProductsTangent(points: points, at: z, target)
    }
    let expected = difference(z, d) { z in
      result(2 * points) { target in
        target.update(from: z, count: 2 * points)
        _ = SolverKernels.velocityProducts(points: points, target)
      }
    }
    #expect(close(tangent, expected))
    let g = numbers(2 * points, seed: 32).scalars
    let adjoint = result(2 * points) { target in
      target.update(from: g, count: 2 * points)
      SolverKernels.velocityProductsAdjoint(points: points, at: z, target)
    }
    #expect(abs(product(tangent, g) - product(d, adjoint)) < 1e-12)
  }

  @Test(arguments: [1, 5, 64])
  func advectionProductDerivative(_ points: Int) {
    let (fields, d) = (numbers(4 * points, seed: 33).scalars, numbers(4 * points, seed: 34).scalars)
    let tangent = result(points) {
      SolverKernels.advectionProductTangent(points: points, fields: fields, direction: d, product: $0)
    }
    let expected = difference(fields, d) { fields in
      result(points) { target in
        fields.withUnsafeBufferPointer { fields in
          let u = fields.baseAddress!
          _ = SolverKernels.advectionProduct(
            points: points, u: u, slopeX: u + points, v: u + 2 * points, slopeY: u + 3 * points,
            product: target)
        }
      }
    }
    #expect(close(tangent, expected))
    let g = numbers(points, seed: 35).scalars
    let adjoint = result(4 * points) {
      SolverKernels.advectionProductAdjoint(points: points, fields: fields, g, cotangent: $0)
    }
    #expect(abs(product(tangent, g) - product(d, adjoint)) < 1e-12)
  }

  @Test(arguments: [1, 256, 300], [[3.0, -1.5], [0.5, 1, -2, 0.25]])
  func polynomialDerivative(_ count: Int, _ coefficients: [Double]) {
    let (u, d) = (numbers(count, seed: 36).scalars, numbers(count, seed: 37).scalars)
    let tangent = result(count) { target in
      target.update(from: d, count: count)
      SolverKernels.polynomialDerivative(count, coefficients, at: u, target)
    }
    let expected = zip(u, d).map { u, d in
      d * (1..<coefficients.count).reduce(0) { $0 + Double($1) * coefficients[$1] * pow(u, Double($1 - 1)) }
    }
    #expect(zip(tangent, expected).allSatisfy { abs($0 - $1) < 1e-13 * max(1, abs($1)) })
  }

  /// The two steps between coefficients and pairs of spectra, and their adjoints, for two runs of coefficients.
  @Test func spectraOfVelocityAndTendencyAreTransposed() {
    let (columns, rows, modes) = (3, 2, 5)
    let runs: ArraySlice<Int32> = [0, 0, 3, 3, Int32(2 * columns), 2]
    let size = 4 * rows * columns
    let (p, q) = (numbers(modes, seed: 38).scalars, numbers(modes, seed: 39).scalars)
    let (w, pair) = (numbers(2 * modes, seed: 40).scalars, numbers(size, seed: 41).scalars)
    let spectra = result(size) {
      SolverKernels.velocitySpectra(
        runs: runs, columns: columns, alongX: p, alongY: q, vorticity: w, pair: $0)
    }
    let fromSpectra = result(2 * modes) {
      SolverKernels.velocitySpectraAdjoint(
        runs: runs, columns: columns, alongX: p, alongY: q, pair: pair, vorticity: $0)
    }
    #expect(abs(product(spectra, pair) - product(w, fromSpectra)) < 1e-13)
    let zeros = [Double](repeating: 0, count: 2 * modes)
    let tendency = result(2 * modes) {
      SolverKernels.vorticityTendency(
        runs: runs, columns: columns, scale: 0.5, p: p, q: q, forcing: zeros, pair: pair, tendency: $0)
    }
    let fromTendency = result(size) {
      SolverKernels.vorticityTendencyAdjoint(
        runs: runs, columns: columns, scale: 0.5, p: p, q: q, tendency: w, pair: $0)
    }
    #expect(abs(product(tendency, w) - product(pair, fromTendency)) < 1e-13)
  }
}
