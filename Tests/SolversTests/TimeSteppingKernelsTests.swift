import Foundation
import Solvers
import Tensors
import Testing

/// The C kernels of time stepping against plain complex arithmetic.
@Suite struct TimeSteppingKernelsTests {
  private func numbers(_ count: Int, seed: UInt64) -> Tensor<Double> {
    var random = Philox(seed: seed, stream: .inputs)
    return random.normal(shape: [count])
  }

  private func complex(_ t: Tensor<Double>) -> [Complex] {
    let s = t.scalars
    return (0..<s.count / 2).map { Complex(s[2 * $0], s[2 * $0 + 1]) }
  }

  private func result(_ count: Int, _ body: (UnsafeMutablePointer<Double>) -> Void) -> [Complex] {
    complex(
      Tensor<Double>(shape: [2 * count]) { buffer in
        buffer.update(repeating: 0)
        body(buffer.baseAddress!)
      })
  }

  private func close(_ a: [Complex], _ b: [Complex]) -> Bool {
    // Round-off of sums of a few terms of size ten, fused or not.
    a.count == b.count && zip(a, b).allSatisfy { ($0 - $1).magnitude < 1e-13 }
  }

  @Test func diagonalUpdate() {
    let modes = 13
    let inputs = (1...5).map { numbers(2 * modes, seed: $0) }
    let updated = result(modes) { target in
      withPointers(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]) {
        SolverKernels.diagonalUpdate(modes: modes, $0, $1, $2, 1.5, $3, -0.5, $4, output: target)
      }
    }
    let (a, x, b) = (complex(inputs[0]), complex(inputs[1]), complex(inputs[2]))
    let (y, z) = (complex(inputs[3]), complex(inputs[4]))
    let expected = (0..<modes).map { (m: Int) -> Complex in
      let combined: Complex = 1.5 * y[m] - 0.5 * z[m]
      return a[m] * x[m] + b[m] * combined
    }
    #expect(close(updated, expected))
  }

  @Test func etdrk4Update() {
    let modes = 11
    let inputs = (11...19).map { numbers(2 * modes, seed: $0) }
    let updated = result(modes) { target in
      withPointers(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]) { e, u, f1, n0, f2 in
        withPointers(inputs[5], inputs[6], inputs[7], inputs[8]) { n1, n2, f3, n3 in
          SolverKernels.etdrk4Update(
            modes: modes, e: e, u, f1: f1, n0, f2: f2, n1, n2, f3: f3, n3, output: target)
        }
      }
    }
    let c = inputs.map(complex)
    let expected = (0..<modes).map { (m: Int) -> Complex in
      let middle: Complex = c[4][m] * (c[5][m] + c[6][m])
      let ends: Complex = c[2][m] * c[3][m] + c[7][m] * c[8][m]
      return c[0][m] * c[1][m] + middle + ends
    }
    #expect(close(updated, expected))
  }

  /// Kassam and Trefethen's way: the mean of a formula over a circle around z is its value at z, without
  /// the cancellation near zero.
  private func contourMean(_ z: Complex, _ f: (Complex) -> Complex) -> Complex {
    let points = 64
    let radius = z.magnitude < 1.5 ? 2.0 : 1  // the circle must keep away from zero
    let sum = (0..<points).reduce(Complex(0)) { sum, point in
      let angle = 2 * Double.pi * (Double(point) + 0.5) / Double(points)
      return sum + f(z + radius * Complex(cos(angle), sin(angle)))
    }
    return (1 / Double(points)) * sum
  }

  private func exponential(_ z: Complex) -> Complex {
    exp(z.real) * Complex(cos(z.imaginary), sin(z.imaginary))
  }

  // Cox and Matthews' formulas, divided by the step; f2 includes the factor of two.
  private func q(_ z: Complex) -> Complex { (exponential(0.5 * z) - Complex(1)) / z }
  private func f1(_ z: Complex) -> Complex {
    let factor: Complex = Complex(4) - 3 * z + z * z
    return (Complex(-4) - z + exponential(z) * factor) / (z * z * z)
  }
  private func f2(_ z: Complex) -> Complex {
    2 * ((Complex(2) + z + exponential(z) * (z - Complex(2))) / (z * z * z))
  }
  private func f3(_ z: Complex) -> Complex {
    let rest: Complex = Complex(-4) - 3 * z - z * z
    return (rest + exponential(z) * (Complex(4) - z)) / (z * z * z)
  }

  @Test(arguments: [
    [Complex(-1), Complex(0, 1), Complex(-0.6, 0.8), Complex(0.8, -0.6)], [Complex(-1), Complex(1)],
  ])
  func coefficientsAreContourMeansOfCoxAndMatthewsFormulas(_ directions: [Complex]) {
    // Both sides of |z| = 1, where the method of evaluation changes; decay, growth and oscillation, and real symbols
    // only, which have a kernel of their own.
    let sizes = [0, 1e-9, 1e-3, 0.1, 0.5, 0.999, 1.001, 1.999, 2.001, 3, 10, 100]
    let step = 0.25
    let symbols = sizes.flatMap { size in directions.map { (size / step) * $0 } }.filter { $0.real < 40 }
    let modes = symbols.count
    var computed = [[Complex]](repeating: [], count: 6)
    let symbol = Tensor(shape: [2 * modes], scalars: symbols.flatMap { [$0.real, $0.imaginary] })
    let all = result(6 * modes) { target in
      withPointers(symbol) {
        SolverKernels.etdrk4Coefficients(
          modes: modes, step: step, symbol: $0, e: target, half: target + 2 * modes, q: target + 4 * modes,
          f1: target + 6 * modes, f2: target + 8 * modes, f3: target + 10 * modes)
      }
    }
    for index in 0..<6 { computed[index] = Array(all[index * modes..<(index + 1) * modes]) }
    for (mode, symbol) in symbols.enumerated() {
      let z = step * symbol
      let expected = [
        exponential(z), exponential(0.5 * z), contourMean(z, q), contourMean(z, f1), contourMean(z, f2),
        contourMean(z, f3),
      ].enumerated().map { $0 < 2 ? $1 : step * $1 }
      // The mean over 64 points has the round-off of the largest term on the circle, about e^{Re z + 2}; and
      // so has e^z, for which |z| units in the last place of the argument count.
      let scale = 1e-15 * exp(max(0, z.real) + 2) * (1 + z.magnitude)
      for index in 0..<6 {
        #expect((computed[index][mode] - expected[index]).magnitude < scale, "z = \(z), coefficient \(index)")
      }
    }
  }

  /// Blocks of 64 modes whose z lie near zero, far from it, or on both sides of |z| = 1, and beyond what e^z can be.
  @Test func realExponentialsAndBlocksOfOneKind() {
    let ranges: [ClosedRange<Double>] = [
      -0.4...0.4, -30 ... -2.5, -3...0, -700 ... -300, -1700 ... -1300, 1...30, 300...700, 1500...1700,
    ]
    for range in ranges {
      let modes = 64
      let z = (0..<modes).map { mode in
        range.lowerBound + (range.upperBound - range.lowerBound) * Double(mode) / Double(modes - 1)
      }
      /// The real parts of the six coefficients, for one mode alone or for all.
      func coefficients(_ z: [Double]) -> [[Double]] {
        let symbol = Tensor(shape: [2 * z.count], scalars: z.flatMap { [$0, 0] })
        let all = result(6 * z.count) { target in
          let places = (0..<6).map { target + 2 * $0 * z.count }
          withPointers(symbol) {
            SolverKernels.etdrk4Coefficients(
              modes: z.count, step: 1, symbol: $0, e: places[0], half: places[1], q: places[2], f1: places[3],
              f2: places[4], f3: places[5])
          }
        }
        return (0..<6).map { index in all[index * z.count..<(index + 1) * z.count].map(\.real) }
      }
      let found = coefficients(z)
      for (mode, z) in z.enumerated() {
        // Two units in the last place; squaring doubles them. What is no normal number becomes zero.
        let half = z / 2 < -708 ? 0 : exp(z / 2)
        #expect(found[1][mode] == half || abs(found[1][mode] / half - 1) < 5e-16, "z = \(z)")
        #expect(found[0][mode] == half * half || abs(found[0][mode] / (half * half) - 1) < 1e-15, "z = \(z)")
        // A mode alone is a block of one kind or, near |z| = 1, the other way of evaluation; they differ by the
        // digit that divisions by |z| ≥ 1/2 lose three times.
        for (block, alone) in zip(found, coefficients([z])) where alone[0].isFinite {
          #expect(abs(block[mode] - alone[0]) <= 1e-13 * abs(alone[0]), "z = \(z)")
        }
      }
    }
  }

  @Test(arguments: [1, 7, 8, 21])
  func sumsOfSquares(_ modes: Int) {
    let (a, b, c) = (
      numbers(2 * modes, seed: 31), numbers(2 * modes, seed: 32), numbers(2 * modes, seed: 33)
    )
    let (f, x, y) = (complex(a), complex(b), complex(c))
    func total(_ values: [Complex]) -> Double { values.reduce(0) { $0 + $1.magnitude * $1.magnitude } }
    let distance = withPointers(a, b, c) { SolverKernels.weightedDistance(modes: modes, $0, $1, $2) }
    let differences = (0..<modes).map { (m: Int) -> Complex in f[m] * (x[m] - y[m]) }
    #expect(abs(distance - total(differences)) < 1e-11)
    let rate = withPointers(a, b, c) { SolverKernels.rateOfChange(modes: modes, symbol: $0, $1, $2) }
    let rates = (0..<modes).map { (m: Int) -> Complex in f[m] * x[m] + y[m] }
    #expect(abs(rate - total(rates)) < 1e-11)
    let products = result(modes) { target in
      withPointers(a, b) { SolverKernels.multiply(modes: modes, factor: $0, $1, target) }
    }
    #expect(close(products, (0..<modes).map { f[$0] * x[$0] }))
  }

  @Test(
    arguments: [1, 8, 255, 256, 600], [[2], [0, 1], [0, 1, 0.5], [0.5, -1, 0, 2], [1, 0, -1, 0, 0.125]])
  func polynomial(_ n: Int, _ coefficients: [Double]) {
    let u = numbers(n, seed: UInt64(n)).scalars
    var steepest = 0.0
    let values = Tensor<Double>(shape: [n]) { target in
      target.baseAddress!.update(from: u, count: n)
      steepest = SolverKernels.polynomial(n, coefficients, target.baseAddress!)
    }.scalars
    // Powers of numbers up to four have a size of some hundred.
    for (value, u) in zip(values, u) {
      let terms = coefficients.enumerated().map { $1 * pow(u, Double($0)) }
      #expect(abs(value - terms.reduce(0, +)) < 1e-12)
    }
    let slopes = u.map { u in
      abs(
        coefficients.enumerated().dropFirst().reduce(0) {
          $0 + Double($1.0) * $1.1 * pow(u, Double($1.0 - 1))
        })
    }
    #expect(abs(steepest - slopes.max()!) < 1e-12)
    #expect(SolverKernels.largestMagnitude(n, u) == u.map(abs).max())
  }
}
