import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The random fields against their covariance formulas, summed here term by term.
@Suite struct GaussianRandomFieldTests {
  /// The covariance of values `lag` apart: σ² Σ_{k ≠ 0} (4π²|k|² + τ²)^(−α) cos 2πk·lag, |k| < n/2.
  private func periodicCovariance(
    grid: Shape, sigma: Double, tau: Double, alpha: Double, lag: [Double]
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
  func periodicCovarianceInTwoDimensions(_ grid: Shape) {
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

  // MARK: - Spectra

  /// Sums over draws of what a closure says of the half spectrum of each, û_k = fft(u)_k / points.
  private func sums(
    _ field: PeriodicGaussianField, draws: Int, seed: UInt64, count: Int,
    _ add: (_ spectrum: [Complex], _ sums: inout [Double]) -> Void
  ) -> [Double] {
    var total = [Double](repeating: 0, count: count)
    let points = Double(field.grid.reduce(1, *))
    for sample in 0..<draws {
      var random = Philox(seed: seed, stream: .inputs, sample: sample)
      let spectrum = FFT.forward(field.sample(using: &random), dimensions: field.grid.count).scalars
      add(
        (0..<spectrum.count / 2).map { Complex(spectrum[2 * $0] / points, spectrum[2 * $0 + 1] / points) },
        &total)
    }
    return total
  }

  @Test(arguments: [[24], [16, 16], [18, 12]])
  func everyModeOfAPeriodicFieldHasThePowerOfItsEigenvalue(_ grid: Shape) {
    let (draws, sigma, tau, alpha) = (3000, 2.0, 5.0, 2.0)
    let field = PeriodicGaussianField(grid: grid, sigma: sigma, tau: tau, alpha: alpha)
    let (rows, columns) = (grid.count == 2 ? grid[0] : 1, grid[grid.count - 1])
    let half = columns / 2 + 1
    // Power, and the two parts of û², whose mean is zero for a stationary field.
    let sums = sums(field, draws: draws, seed: 12, count: 3 * rows * half) { spectrum, sums in
      for (mode, u) in spectrum.enumerated() {
        sums[3 * mode] += u.real * u.real + u.imaginary * u.imaginary
        sums[3 * mode + 1] += u.real * u.real - u.imaginary * u.imaginary
        sums[3 * mode + 2] += 2 * u.real * u.imaginary
      }
    }.map { $0 / Double(draws) }
    for row in 0..<rows {
      let k = row <= rows / 2 ? row : row - rows
      for l in 0..<half {
        let mode = row * half + l
        guard k != 0 || l != 0, 2 * abs(k) < rows || rows == 1, 2 * l < columns else {
          // No mean, and no Nyquist frequency, up to the round-off of the transform.
          #expect(sums[3 * mode] < 1e-30, "mode \(k), \(l)")
          continue
        }
        let power = sigma * sigma * pow(4 * Double.pi * Double.pi * Double(k * k + l * l) + tau * tau, -alpha)
        // |û|² is exponentially distributed: its deviation is its mean. û² has the deviation of a product of
        // two normal variables. Five standard errors: a false alarm in 10,000 such tests, and the seed is fixed.
        let error = 5 * power / Double(draws).squareRoot()
        #expect(abs(sums[3 * mode] - power) < error, "mode \(k), \(l)")
        #expect(abs(sums[3 * mode + 1]) < error && abs(sums[3 * mode + 2]) < error, "mode \(k), \(l)")
      }
    }
  }

  @Test func periodicFieldsAreIsotropic() {
    let (n, draws) = (32, 2000)
    let half = n / 2 + 1
    // |k| = 5 in six directions, and the covariance of the gradient.
    let directions = [(5, 0), (0, 5), (3, 4), (4, 3), (-3, 4), (-4, 3)]
    let tau = 2 * Double.pi
    let sums = sums(.navierStokes(grid: n), draws: draws, seed: 13, count: directions.count + 3) {
      spectrum, sums in
      for (index, (k, l)) in directions.enumerated() {
        let u = spectrum[(k < 0 ? k + n : k) * half + l]
        sums[index] += u.magnitude * u.magnitude
      }
      for row in 0..<n {
        for l in 0..<half {
          let (k, u) = (tau * Double(row < n / 2 ? row : row - n), spectrum[row * half + l])
          let power = (l == 0 ? 1 : 2) * (u.real * u.real + u.imaginary * u.imaginary)
          sums[directions.count] += k * k * power
          sums[directions.count + 1] += tau * Double(l) * tau * Double(l) * power
          sums[directions.count + 2] += k * tau * Double(l) * power
        }
      }
    }.map { $0 / Double(draws) }
    let mean = sums.prefix(directions.count).reduce(0, +) / Double(directions.count)
    for (power, direction) in zip(sums, directions) {
      // Five standard errors of an exponential variable.
      #expect(abs(power / mean - 1) < 5 / Double(draws).squareRoot(), "\(direction)")
    }
    let (xx, yy, xy) = (sums[directions.count], sums[directions.count + 1], sums[directions.count + 2])
    // The gradient of one draw averages over hundreds of modes, some ten of which matter; its mean square deviates by a
    // third at most, so 5 standard errors are 5 · 0.33 · √2 / √2000 = 0.05.
    #expect(abs(xx / yy - 1) < 0.05)
    #expect(abs(xy) < 0.05 * xx)
  }

  @Test(arguments: [NeumannGaussianField.Placement.vertices, .centers])
  func everyCosineOfANeumannFieldHasThePowerOfItsEigenvalue(_ placement: NeumannGaussianField.Placement) {
    let (n, draws, sigma, tau, alpha) = (12, 3000, 1.5, 3.0, 2.0)
    let field = NeumannGaussianField(
      grid: [n, n], sigma: sigma, tau: tau, alpha: alpha, placement: placement)
    let analysis = FourierTransform<Double>(
      placement == .vertices ? .cosineVertices : .cosineAnalysis, shape: [n, n])
    let intervals = Double(placement == .vertices ? n - 1 : n)
    var squares = [Double](repeating: 0, count: n * n)
    for sample in 0..<draws {
      var random = Philox(seed: 14, stream: .inputs, sample: sample)
      var values = field.sample(using: &random)
      let coefficients = Tensor<Double>(shape: [n, n]) { output in
        values.withUnsafeMutableBuffer { analysis($0.baseAddress!, output.baseAddress!) }
      }.scalars
      for index in squares.indices {
        squares[index] += coefficients[index] * coefficients[index] / Double(draws)
      }
    }
    for k in 0..<n {
      for l in 0..<n {
        // The transform of cos πkx cos πly is intervals² at (k, l), twice that for every index at an end.
        let weights = [k, l].map { index -> Double in
          let isEnd = index == 0 || placement == .vertices && index == n - 1
          return (isEnd ? 2 : 1) * (index == 0 ? 1 : 2.0.squareRoot()) * intervals
        }
        let amplitude = weights[0] * weights[1]
        let eigenvalue = pow(Double.pi * Double.pi * Double(k * k + l * l) + tau * tau, -alpha)
        let power = k + l == 0 ? 0 : sigma * sigma * eigenvalue * amplitude * amplitude
        // The square of a normal variable deviates by √2 of its mean: five standard errors. No mean, up to
        // the round-off of a transform of 144 numbers.
        let error = k + l == 0 ? 1e-24 : 5 * power * (2 / Double(draws)).squareRoot()
        #expect(abs(squares[k * n + l] - power) < error, "mode \(k), \(l)")
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
