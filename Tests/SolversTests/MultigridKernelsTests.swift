import Foundation
import Tensors
import Testing

/// The kernels of multigrid against dense matrices.
@Suite struct MultigridKernelsTests {
  typealias Matrix = [[Double]]

  /// Sizes with every remainder that coarsening meets.
  static let sizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12]

  private func random(_ count: Int, seed: UInt64) -> [Double] {
    var random = Philox(seed: seed, stream: .inputs, sample: count)
    return (0..<count).map { _ in random.nextNormal() }
  }

  /// Permeabilities on the (inner + 2)² vertices, independent of each other.
  private func permeability(_ inner: Int, spread: Double) -> [Double] {
    random((inner + 2) * (inner + 2), seed: 1).map { exp(spread * $0) }
  }

  private func vector(_ inner: Int, _ values: [Double]) -> [Double] {
    var grid = [Double](repeating: 0, count: (inner + 2) * (inner + 2))
    for i in 0..<inner { for j in 0..<inner { grid[(i + 1) * (inner + 2) + j + 1] = values[i * inner + j] } }
    var result = [Double](repeating: 0, count: MultigridKernels.vectorCount(inner: inner))
    MultigridKernels.split(inner: inner, grid: grid, &result)
    return result
  }

  private func values(_ inner: Int, _ vector: [Double]) -> [Double] {
    var grid = [Double](repeating: 0, count: (inner + 2) * (inner + 2))
    MultigridKernels.join(inner: inner, vector: vector, &grid)
    return (0..<inner * inner).map { grid[($0 / inner + 1) * (inner + 2) + $0 % inner + 1] }
  }

  private func stencil(_ inner: Int, harmonic: Bool, spread: Double = 0.3) -> [Double] {
    var result = [Double](repeating: 0, count: MultigridKernels.fivePointCount(inner: inner))
    MultigridKernels.assemble(
      inner: inner, usesHarmonicMean: harmonic, permeability: permeability(inner, spread: spread), &result)
    return result
  }

  /// The five-point operator as a dense matrix over the inner points in row-major order.
  private func matrix(_ inner: Int, harmonic: Bool) -> Matrix {
    let (a, side) = (permeability(inner, spread: 0.3), inner + 2)
    var result = Matrix(repeating: [Double](repeating: 0, count: inner * inner), count: inner * inner)
    for i in 1...inner {
      for j in 1...inner {
        for (k, l) in [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)] {
          let (p, q) = (a[i * side + j], a[k * side + l])
          let coefficient = harmonic ? 2 * p * q / (p + q) : (p + q) / 2
          let row = (i - 1) * inner + j - 1
          result[row][row] += coefficient
          if (1...inner).contains(k), (1...inner).contains(l) {
            result[row][(k - 1) * inner + l - 1] -= coefficient
          }
        }
      }
    }
    return result
  }

  private func product(_ matrix: Matrix, _ x: [Double]) -> [Double] {
    matrix.map { zip($0, x).reduce(0) { $0 + $1.0 * $1.1 } }
  }

  private func transposed(_ matrix: Matrix, count: Int) -> Matrix {
    (0..<count).map { column in matrix.map { $0[column] } }
  }

  /// Largest difference relative to the largest value.
  private func distance(_ a: [Double], _ b: [Double]) -> Double {
    let scale = b.reduce(0) { max($0, abs($1)) }
    return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) } / max(scale, .leastNormalMagnitude)
  }

  @Test(arguments: sizes) func splittingIsUndone(_ inner: Int) {
    let numbers = random(inner * inner, seed: 2)
    #expect(values(inner, vector(inner, numbers)) == numbers)
  }

  @Test(arguments: sizes) func productsAndResiduals(_ inner: Int) {
    for harmonic in [false, true] {
      let (x, b) = (random(inner * inner, seed: 3), random(inner * inner, seed: 4))
      let (stencil, matrix) = (stencil(inner, harmonic: harmonic), matrix(inner, harmonic: harmonic))
      var y = vector(inner, x.map { _ in 0 })
      let dot = MultigridKernels.multiply(inner: inner, stencil: stencil, vector(inner, x), &y)
      let expected = product(matrix, x)
      // Five terms: a few units in the last place of the largest.
      #expect(distance(values(inner, y), expected) < 1e-14)
      let expectedDot = zip(x, expected).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(dot - expectedDot) < 1e-13 * abs(expectedDot))
      let square = MultigridKernels.residual(
        inner: inner, stencil: stencil, vector(inner, b), vector(inner, x), &y)
      let residual = zip(b, expected).map { $0 - $1 }
      #expect(distance(values(inner, y), residual) < 1e-14)
      let expectedSquare = residual.reduce(0) { $0 + $1 * $1 }
      #expect(abs(square - expectedSquare) < 1e-13 * expectedSquare)
    }
  }

  @Test func movingKeepsTheSum() {
    let cases: [(Double, Double, Double, Double)] = [
      (1, 0x1p-60, 1, 0x1p-60), (0x1p-60, 1, 1, 0x1p-60), (0x1p53, 1.5, 0x1p53 + 2, -0.5),
      (0, 0.1, 0.1, 0), (3, -3, 0, 0), (-0x1p52, 0x1p51 + 0.5, 0.5 - 0x1p51, 0),
      (0.75, 0.5, 1.25, 0), (-0x1p-1, 0x1p60, 0x1p60, -0.5),
      (1, 0x1p-53 + 0x1p-70, 1 + 0x1p-52, 0x1p-70 - 0x1p-53),
    ]
    var (x, c) = (cases.map(\.0), cases.map(\.1))
    MultigridKernels.moveSum(cases.count, &x, &c)
    #expect(x == cases.map(\.2))
    #expect(c == cases.map(\.3))
  }

  // MARK: - The cycle

  /// One cycle by the kernels.
  private func cycle(_ inner: Int, isFinest: Bool, _ stencil: [Double], _ b: [Double]) -> [Double] {
    var x = [Double](repeating: 0, count: b.count)
    guard inner > 1 else {
      MultigridKernels.solveSinglePoint(stencil: stencil, b, &x)
      return x
    }
    let half = inner / 2
    var coarse = [Double](repeating: 0, count: MultigridKernels.ninePointCount(inner: half))
    var coarseB = [Double](repeating: 0, count: MultigridKernels.vectorCount(inner: half))
    // Scratch memory may hold anything.
    var scratch = [Double](repeating: 1e30, count: MultigridKernels.scratchCount(inner: inner))
    MultigridKernels.coarsen(inner: inner, isFinest: isFinest, stencil: stencil, &coarse, scratch: &scratch)
    MultigridKernels.goDown(
      inner: inner, isFinest: isFinest, stencil: stencil, b, &x, &coarseB, scratch: &scratch)
    let correction = cycle(half, isFinest: false, coarse, coarseB)
    MultigridKernels.goUp(
      inner: inner, isFinest: isFinest, stencil: stencil, b, correction, &x, scratch: &scratch)
    return x
  }

  /// Interpolation from the points with even i and j, counted from 1, by the formulas on a dense matrix.
  private func interpolation(_ inner: Int, _ a: Matrix) -> Matrix {
    let half = inner / 2
    func point(_ i: Int, _ j: Int) -> Int? {
      (1...inner).contains(i) && (1...inner).contains(j) ? (i - 1) * inner + j - 1 : nil
    }
    var shares = Matrix(repeating: [Double](repeating: 0, count: half * half), count: inner * inner)
    for k in 0..<half { for l in 0..<half { shares[(2 * k + 1) * inner + 2 * l + 1][k * half + l] = 1 } }
    // Between two coarse points: the equation with its couplings summed across the line.
    for isRow in [true, false] {
      for along in Swift.stride(from: 1, through: inner, by: 2) {
        for fixed in Swift.stride(from: 2, through: inner, by: 2) {
          func at(_ step: Int, _ across: Int) -> Int? {
            isRow ? point(fixed + across, along + step) : point(along + step, fixed + across)
          }
          let p = at(0, 0)!
          func sum(_ step: Int) -> Double {
            [-1, 0, 1].compactMap { at(step, $0) }.reduce(0) { $0 + a[p][$1] }
          }
          for step in [-1, 1] {
            guard let coarse = at(step, 0) else { continue }
            for index in shares[p].indices { shares[p][index] -= sum(step) / sum(0) * shares[coarse][index] }
          }
        }
      }
    }
    // Between four: the whole equation.
    for i in Swift.stride(from: 1, through: inner, by: 2) {
      for j in Swift.stride(from: 1, through: inner, by: 2) {
        let p = point(i, j)!
        for q in a.indices where q != p && a[p][q] != 0 {
          for index in shares[p].indices { shares[p][index] -= a[p][q] / a[p][p] * shares[q][index] }
        }
      }
    }
    return shares
  }

  private func relaxed(_ a: Matrix, _ inner: Int, _ b: [Double], _ x: [Double], isReversed: Bool) -> [Double]
  {
    var x = x
    func kind(_ p: Int) -> Int { 2 * ((p / inner + 1) % 2) + (p % inner + 1) % 2 }
    for colour in isReversed ? [3, 2, 1, 0] : [0, 1, 2, 3] {
      for p in x.indices where kind(p) == colour {
        x[p] += (b[p] - zip(a[p], x).reduce(0) { $0 + $1.0 * $1.1 }) / a[p][p]
      }
    }
    return x
  }

  /// The same cycle with dense matrices.
  private func denseCycle(_ inner: Int, _ a: Matrix, _ b: [Double]) -> [Double] {
    guard inner > 1 else { return [b[0] / a[0][0]] }
    let half = inner / 2
    let p = interpolation(inner, a)
    let restriction = transposed(p, count: half * half)
    let image = transposed(restriction.map { product(a, $0) }, count: inner * inner)
    let coarse = restriction.map { row in
      (0..<half * half).map { column in
        zip(row, image).reduce(0) { $0 + $1.0 * $1.1[column] }
      }
    }
    var x = relaxed(a, inner, b, b.map { _ in 0 }, isReversed: false)
    let residual = zip(b, product(a, x)).map { $0 - $1 }
    let correction = denseCycle(half, coarse, product(restriction, residual))
    x = zip(x, product(p, correction)).map { $0 + $1 }
    return relaxed(a, inner, b, x, isReversed: true)
  }

  @Test(arguments: sizes) func aCycleIsThatOfDenseMatrices(_ inner: Int) {
    for harmonic in [false, true] {
      let b = random(inner * inner, seed: 5)
      var stencil = stencil(inner, harmonic: harmonic)
      MultigridKernels.prepare(inner: inner, stencil: &stencil)
      let x = values(inner, cycle(inner, isFinest: true, stencil, vector(inner, b)))
      // A few hundred roundings at up to four levels. With contrasts this low no coupling of a coarse grid has the
      // wrong sign; those are left out of the interpolation, which the formula here knows nothing of.
      #expect(distance(x, denseCycle(inner, matrix(inner, harmonic: harmonic), b)) < 1e-11)
    }
  }

  // Spread 4: contrasts beyond 10⁶, couplings of the wrong sign on coarse grids.
  @Test(arguments: [0.3, 4]) func aCycleIsSymmetricAndPositive(_ spread: Double) {
    let inner = 14
    var stencil = stencil(inner, harmonic: false, spread: spread)
    MultigridKernels.prepare(inner: inner, stencil: &stencil)
    let vectors = (6..<9).map { vector(inner, random(inner * inner, seed: $0)) }
    let images = vectors.map { cycle(inner, isFinest: true, stencil, $0) }
    func dot(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
    for i in 0..<3 {
      #expect(dot(vectors[i], images[i]) > 0)
      for j in 0..<i {
        let scale = (dot(vectors[i], images[i]) * dot(vectors[j], images[j])).squareRoot()
        #expect(abs(dot(vectors[i], images[j]) - dot(vectors[j], images[i])) < 1e-13 * scale)
      }
    }
  }
}
