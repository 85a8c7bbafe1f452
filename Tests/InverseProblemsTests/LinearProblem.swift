import Foundation
import InverseProblems
import Solvers
import Tensors

/// The heat equation u_t = κ Δu on the unit torus, solved exactly mode by mode: linear and self-adjoint.
struct HeatEquation: TangentOperator {
  let grid: [Int]
  /// κ t, the diffusivity times the observed time.
  let diffusion: Double
  /// A factor on the solution: 1, or something wrong for a biased surrogate.
  var gain = 1.0

  func callAsFunction(_ inputs: Tensor<Double>) -> Tensor<Double> {
    var spectrum = FFT.forward(inputs, dimensions: grid.count)
    let half = grid[grid.count - 1] / 2 + 1
    let rows = grid.count == 1 ? 1 : grid[0]
    let modes = rows * half
    spectrum.withUnsafeMutableBuffer { spectrum in
      for index in 0..<spectrum.count / 2 {
        let (row, column) = (index % modes / half, index % half)
        let k = row <= rows / 2 ? row : row - rows
        let factor = gain * exp(-4 * Double.pi * Double.pi * Double(k * k + column * column) * diffusion)
        spectrum[2 * index] *= factor
        spectrum[2 * index + 1] *= factor
      }
    }
    return FFT.inverse(spectrum, shape: grid)
  }

  func vectorJacobianProducts(
    _ inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) rethrows -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    let solutions = self(inputs)
    return (solutions, self(try cotangents(solutions, 0..<inputs.shape[0])))
  }

  func jacobianVectorProducts(
    _ inputs: Tensor<Double>, _ directions: Tensor<Double>
  ) -> (solutions: Tensor<Double>, products: Tensor<Double>) { (self(inputs), self(directions)) }
}

/// A small problem whose posterior is a known normal law: the initial heat from four noisy temperatures.
struct LinearProblem {
  let grid = [16]
  let prior = PeriodicGaussianField(grid: [16], sigma: 12, tau: 4, alpha: 1.2)
  let observation = PointObservation(grid: [16], sensors: [[1], [4], [9], [12]])
  let data = [1.1, -0.4, 0.6, -1.3]
  var noise = 0.8
  let heat = HeatEquation(grid: [16], diffusion: 0.002)

  var problem: InverseProblem { problem(heat) }

  func problem(_ forward: any SolutionOperator) -> InverseProblem {
    InverseProblem(prior: prior, forward: forward, observation: observation, data: data, noise: noise)
  }

  /// The posterior mean of the field and its covariance at the grid points.
  ///
  /// With A the map from coordinates to residuals, found column by column: the covariance of the coordinates
  /// is (I + AᵀA)⁻¹, their mean that times Aᵀ y/γ.
  func exactPosterior() -> (mean: [Double], covariance: [[Double]]) {
    let count = prior.coordinateCount
    let units = (0..<count).map { column in
      Tensor<Double>(shape: [count], scalars: (0..<count).map { $0 == column ? 1.0 : 0 })
    }
    let fields = units.map { prior.makeField($0) }
    let columns = fields.map { field in
      observation(heat(field.reshaped(to: [1, 1] + grid))).map { $0 / noise }
    }
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    let precision = (0..<count).map { i in
      (0..<count).map { j in dot(columns[i], columns[j]) + (i == j ? 1 : 0) }
    }
    let covariance = inverse(precision)
    let right = columns.map { dot($0, data.map { $0 / noise }) }
    let mean = covariance.map { dot($0, right) }
    func point(_ point: Int) -> [Double] { fields.map { $0[point] } }
    let points = (0..<grid[0]).map(point)
    return (
      points.map { dot($0, mean) },
      points.map { p in
        let row = covariance.map { dot($0, p) }
        return points.map { dot($0, row) }
      }
    )
  }

  /// The covariance of the prior at the grid points.
  func priorCovariance() -> [[Double]] {
    let count = prior.coordinateCount
    let fields = (0..<count).map { column in
      prior.makeField(Tensor(shape: [count], scalars: (0..<count).map { $0 == column ? 1.0 : 0 }))
    }
    return (0..<grid[0]).map { i in
      (0..<grid[0]).map { j in fields.reduce(0) { $0 + $1[i] * $1[j] } }
    }
  }
}

/// The inverse of a symmetric positive definite matrix, by Gauss-Jordan elimination.
func inverse(_ matrix: [[Double]]) -> [[Double]] {
  let count = matrix.count
  var work = matrix.enumerated().map { row, values in values + (0..<count).map { $0 == row ? 1.0 : 0 } }
  for pivot in 0..<count {
    let scale = 1 / work[pivot][pivot]
    work[pivot] = work[pivot].map { $0 * scale }
    for row in 0..<count where row != pivot {
      let factor = work[row][pivot]
      for column in pivot..<2 * count { work[row][column] -= factor * work[pivot][column] }
    }
  }
  return work.map { Array($0.suffix(count)) }
}

/// How far chains are from a normal law, in standard errors of the chains: the largest over the grid points
/// of the differences of means, of variances, and of covariances of neighbours.
///
/// The standard errors come from the effective sample sizes of the values, their squares and their
/// products; of a product of normal deviates the variance is σ₁²σ₂² + σ₁₂².
func disagreement(
  _ history: ChainHistory, mean: [Double], covariance: [[Double]]
) -> (mean: Double, covariance: Double) {
  let points = mean.count
  let draws = (0..<history.count).map { chain in
    (0..<history.storedDraws).map { draw in
      zip(history.draw(draw, ofChain: chain), mean).map { Double($0) - $1 }
    }
  }
  func average(_ traces: [[Double]]) -> Double {
    traces.reduce(0) { $0 + $1.reduce(0, +) } / Double(traces.count * traces[0].count)
  }
  var (largestMean, largestCovariance) = (0.0, 0.0)
  for point in 0..<points {
    let values = draws.map { $0.map { $0[point] } }
    let error = (covariance[point][point] / ChainDiagnostics(values).meanESS).squareRoot()
    largestMean = max(largestMean, abs(average(values)) / error)
    for other in [point, (point + 1) % points] {
      let products = draws.map { $0.map { $0[point] * $0[other] } }
      let exact = covariance[point][other]
      let spread = covariance[point][point] * covariance[other][other] + exact * exact
      let error = (spread / ChainDiagnostics(products).meanESS).squareRoot()
      largestCovariance = max(largestCovariance, abs(average(products) - exact) / error)
    }
  }
  return (largestMean, largestCovariance)
}

/// How many standard errors are too many: of some 48 correlated differences per comparison and some dozen
/// comparisons, one in a million is beyond 5 by chance.
let tooManyStandardErrors = 5.0
