import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The random fields against their covariance formulas, summed here term by term.
@Suite struct GaussianRandomFieldTests {
  /// The covariance of values `lag` apart: σ² Σ_{k ≠ 0} (4π²|k|² + τ²)^(−α) cos 2πk·lag, |k| < n/2.
  private func periodicCovariance(
    grid: [Int], sigma: Double, tau: Double, alpha: Double, lag: [Double]
  ) -> Double {
    var sum = 0.0
    let largestRow = grid.count == 2 ? (grid[0] - 1) / 2 : 0
    let largestColumn = (grid[grid.count - 1] - 1) / 2
    for k in -largestRow...largestRow {
      for l in -largestColumn...largestColumn where k != 0 || l != 0 {
        let eigenvalue = pow(4 * Double.pi * Double.pi * Double(k * k + l * l) + tau * tau, -alpha)
        let rowPhase = lag.count == 2 ? Double(k) * lag[0] : 0
        sum += eigenvalue * cos(2 * Double.pi * (rowPhase + Double(l) * lag[lag.count - 1]))
      }
    }
    return sigma * sigma * sum
  }

  /// The standard error of the average of a product of two normal variables over `count` samples.
  private func standardError(
    _ varianceA: Double, _ varianceB: Double, _ covariance: Double, _ count: Int
  ) -> Double {
    ((varianceA * varianceB + covariance * covariance) / Double(count)).squareRoot()
  }

  @Test func burgersCovariance() {
    let (n, samples) = (32, 4000)
    let field = PeriodicGaussianField.burgers(grid: n)
    var products = [Double](repeating: 0, count: n)
    for sample in 0..<samples {
      var random = Philox(seed: 1, stream: .inputs, sample: sample)
      let values = field.sample(using: &random).scalars
      for j in 0..<n { products[j] += values[3] * values[(3 + j) % n] / Double(samples) }
    }
    let variance = periodicCovariance(grid: [n], sigma: 25, tau: 5, alpha: 2, lag: [0])
    #expect(abs(field.pointVariance - variance) < 1e-13)
    for j in 0..<n {
      let exact = periodicCovariance(grid: [n], sigma: 25, tau: 5, alpha: 2, lag: [Double(j) / Double(n)])
      // Five standard errors: one false alarm in 50,000 rows, and the seed is fixed.
      #expect(abs(products[j] - exact) < 5 * standardError(variance, variance, exact, samples), "lag \(j)")
    }
  }

  @Test func burgersStandardDeviationOfThePapers() {
    // The prior's point-wise standard deviation, from the series of the published sampler.
    #expect(abs(PeriodicGaussianField.burgers(grid: 1024).pointVariance.squareRoot() - 0.5936) < 5e-5)
  }

  @Test(arguments: zip(PeriodicGaussianField.NavierStokesNormalization.allCases, [0.262, 0.185, 0.043]))
  func navierStokesStandardDeviations(
    _ normalization: PeriodicGaussianField.NavierStokesNormalization, expected: Double
  ) {
    let field = PeriodicGaussianField.navierStokes(grid: 64, normalization: normalization)
    // Half a unit of the last digit given.
    #expect(abs(field.pointVariance.squareRoot() - expected) < 5e-4)
  }

  @Test(arguments: [[16, 16], [16, 24], [15, 12]])
  func periodicCovarianceInTwoDimensions(_ grid: [Int]) {
    let samples = 4000
    let field = PeriodicGaussianField(grid: grid, sigma: 3, tau: 4, alpha: 1.5)
    var products = [Double](repeating: 0, count: grid[0] * grid[1])
    for sample in 0..<samples {
      var random = Philox(seed: 2, stream: .inputs, sample: sample)
      let values = field.sample(using: &random).scalars
      let origin = values[2 * grid[1] + 5]
      for index in values.indices { products[index] += origin * values[index] / Double(samples) }
    }
    let variance = periodicCovariance(grid: grid, sigma: 3, tau: 4, alpha: 1.5, lag: [0, 0])
    #expect(abs(field.pointVariance - variance) < 1e-12)
    for i in 0..<grid[0] {
      for j in 0..<grid[1] {
        let lag = [Double(i - 2) / Double(grid[0]), Double(j - 5) / Double(grid[1])]
        let exact = periodicCovariance(grid: grid, sigma: 3, tau: 4, alpha: 1.5, lag: lag)
        let error = standardError(variance, variance, exact, samples)
        #expect(abs(products[i * grid[1] + j] - exact) < 5 * error, "point \(i), \(j)")
      }
    }
  }

  @Test func aSampleIsTheSameFunctionOnEveryPeriodicGrid() {
    let (coarse, fine) = (20, 64)
    func spectrum(_ n: Int) -> Tensor<Double> {
      var random = Philox(seed: 3, stream: .inputs, sample: 7)
      var spectrum = FFT.forward(
        PeriodicGaussianField.navierStokes(grid: n).sample(using: &random), dimensions: 2)
      spectrum.withUnsafeMutableBuffer { for index in $0.indices { $0[index] /= Double(n * n) } }
      return spectrum
    }
    let (a, b) = (spectrum(coarse), spectrum(fine))
    for k in -(coarse / 2)..<coarse / 2 {
      for l in 0...coarse / 2 {
        let isHeld = abs(k) < coarse / 2 && l < coarse / 2
        for part in 0..<2 {
          let expected = isHeld ? b[(k + fine) % fine, l, part] : 0
          // The Nyquist modes of the coarse grid are left out. Round-off of the transforms is 1e-17.
          #expect(abs(a[(k + coarse) % coarse, l, part] - expected) < 1e-15)
        }
      }
    }
  }

  @Test func cosinesAtVerticesAreTheSumOfTheCosines() {
    let (rows, columns) = (5, 4)
    var random = Philox(seed: 6, stream: .inputs)
    var coefficients = random.normal(shape: [rows, columns])
    let given = coefficients
    let transform = FourierTransform<Double>(.cosineVertices, shape: [rows, columns])
    let values = Tensor<Double>(shape: [rows, columns]) { output in
      coefficients.withUnsafeMutableBuffer { transform($0.baseAddress!, output.baseAddress!) }
    }
    for i in 0..<rows {
      for j in 0..<columns {
        var sum = 0.0
        for k in 0..<rows {
          for l in 0..<columns {
            let weight = (k == 0 || k == rows - 1 ? 1.0 : 2) * (l == 0 || l == columns - 1 ? 1 : 2)
            let a = Double.pi * Double(k * i) / Double(rows - 1)
            let b = Double.pi * Double(l * j) / Double(columns - 1)
            sum += weight * given[k, l] * cos(a) * cos(b)
          }
        }
        #expect(abs(values[i, j] - sum) < 1e-13)  // round-off of a sum of 20 terms of size 4
      }
    }
  }

  @Test func aSampleIsTheSameFunctionOnEveryVertexGrid() {
    func coefficients(_ n: Int) -> Tensor<Double> {
      var random = Philox(seed: 3, stream: .inputs, sample: 7)
      var field = NeumannGaussianField.darcy(grid: n).sample(using: &random)
      let transform = FourierTransform<Double>(.cosineVertices, shape: [n, n])
      return Tensor(shape: [n, n]) { output in
        field.withUnsafeMutableBuffer { transform($0.baseAddress!, output.baseAddress!) }
        for index in output.indices { output[index] /= Double(4 * (n - 1) * (n - 1)) }
      }
    }
    let (a, b) = (coefficients(12), coefficients(41))
    // The last mode of the coarse grid has another weight in its transform.
    for k in 0..<11 {
      for l in 0..<11 { #expect(abs(a[k, l] - b[k, l]) < 1e-15) }
    }
  }

  @Test(arguments: [NeumannGaussianField.Placement.vertices, .centers])
  func neumannCovariance(_ placement: NeumannGaussianField.Placement) {
    let (rows, columns, samples) = (9, 7, 4000)
    let (sigma, tau, alpha) = (2.0, 3.0, 1.5)
    let field = NeumannGaussianField(
      grid: [rows, columns], sigma: sigma, tau: tau, alpha: alpha, placement: placement)
    func coordinate(_ i: Int, _ n: Int) -> Double {
      placement == .vertices ? Double(i) / Double(n - 1) : (Double(i) + 0.5) / Double(n)
    }
    func covariance(_ p: (x: Double, y: Double), _ q: (x: Double, y: Double)) -> Double {
      var sum = 0.0
      for k in 0..<rows {
        for l in 0..<columns where k + l > 0 {
          let norm = (k == 0 ? 1.0 : 2) * (l == 0 ? 1 : 2)
          let eigenvalue = pow(Double.pi * Double.pi * Double(k * k + l * l) + tau * tau, -alpha)
          let (a, b) = (Double.pi * Double(k), Double.pi * Double(l))
          sum += norm * eigenvalue * cos(a * p.x) * cos(b * p.y) * cos(a * q.x) * cos(b * q.y)
        }
      }
      return sigma * sigma * sum
    }
    let origins = [(0, 0), (4, 3), (8, 2)]
    var products = [[Double]](repeating: [Double](repeating: 0, count: rows * columns), count: 3)
    for sample in 0..<samples {
      var random = Philox(seed: 4, stream: .inputs, sample: sample)
      let values = field.sample(using: &random).scalars
      for (o, origin) in origins.enumerated() {
        let factor = values[origin.0 * columns + origin.1] / Double(samples)
        for index in values.indices { products[o][index] += factor * values[index] }
      }
    }
    for (o, origin) in origins.enumerated() {
      let p = (x: coordinate(origin.0, rows), y: coordinate(origin.1, columns))
      for i in 0..<rows {
        for j in 0..<columns {
          let q = (x: coordinate(i, rows), y: coordinate(j, columns))
          let exact = covariance(p, q)
          #expect(abs(field.covariance(p, q) - exact) < 1e-12)
          let error = standardError(covariance(p, p), covariance(q, q), exact, samples)
          #expect(abs(products[o][i * columns + j] - exact) < 5 * error, "\(origin) and \(i), \(j)")
        }
      }
    }
  }

  @Test func darcyCoefficientHasTwoValuesInEqualShares() {
    var share = 0.0
    for sample in 0..<200 {
      var random = Philox(seed: 5, stream: .inputs, sample: sample)
      let values = ThresholdedField.darcy(grid: 33).sample(using: &random).scalars
      #expect(values.allSatisfy { $0 == 12 || $0 == 3 })
      share += Double(values.count { $0 == 12 }) / Double(values.count) / 200
    }
    // The share of one sample deviates by at most ½: five standard errors of the mean.
    #expect(abs(share - 0.5) < 5 * 0.5 / 200.0.squareRoot())
  }
}
