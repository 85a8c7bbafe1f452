import Foundation
import InverseProblems
import Solvers
import Tensors

/// The heat equation u_t = κ Δu on the unit torus, solved exactly mode by mode: linear and self-adjoint.
struct HeatEquation: TangentOperator {
  let grid: Shape
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
  let grid: Shape = [16]
  let prior = PeriodicGaussianField(grid: [16], sigma: 12, tau: 4, alpha: 1.2)
  let observation = PointObservation(grid: [16], sensors: [[1], [4], [9], [12]])
  let data = [1.1, -0.4, 0.6, -1.3]
  var noise = 0.8
  let heat = HeatEquation(grid: [16], diffusion: 0.002)

  var problem: InverseProblem { problem(heat) }

  func problem(_ forward: any SolutionOperator) -> InverseProblem {
    InverseProblem(prior: prior, forward: forward, observation: observation, data: data, noise: noise)
  }

  /// The heat equation with another diffusivity and an amplitude that is wrong: a surrogate that is far off.
  var biased: HeatEquation { HeatEquation(grid: grid, diffusion: 2 * heat.diffusion, gain: 0.7) }

  /// The posterior mean of the field and its covariance at the grid points.
  func exactPosterior() throws -> (mean: [Double], covariance: [[Double]]) {
    try InverseProblemsTests.exactPosterior(of: problem)
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

/// The posterior mean of the field of a linear problem and its covariance at the grid points.
///
/// With A the map from coordinates to whitened observations, found column by column: the covariance of the
/// coordinates is (I + AᵀA)⁻¹, their mean that times Aᵀ times the whitened data.
func exactPosterior(of problem: InverseProblem) throws -> (mean: [Double], covariance: [[Double]]) {
  let count = problem.prior.coordinateCount
  let fields = (0..<count).map { column in
    problem.prior.makeField(
      Tensor(shape: [count], scalars: (0..<count).map { $0 == column ? 1.0 : 0 }))
  }
  let columns = try fields.map { field in
    problem.noise.whiten(
      problem.observation(try problem.forward(field.reshaped(to: [1, 1] + problem.prior.grid))))
  }
  func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
  let precision = (0..<count).map { i in
    (0..<count).map { j in dot(columns[i], columns[j]) + (i == j ? 1 : 0) }
  }
  let covariance = inverse(precision)
  let data = problem.noise.whiten(problem.data)
  let right = columns.map { dot($0, data) }
  let mean = covariance.map { dot($0, right) }
  let points = (0..<fields[0].count).map { point in fields.map { $0.scalars[point] } }
  return (
    points.map { dot($0, mean) },
    points.map { p in
      let row = covariance.map { dot($0, p) }
      return points.map { dot($0, row) }
    }
  )
}

/// A linear map of fields given by its matrix, which need not be symmetric.
struct MatrixOperator: DifferentiableOperator {
  /// `[output point][input point]`.
  let rows: [[Double]]

  /// The Navier-Stokes equation linearised about a flow: the derivative of its solver, from central differences
  /// at every grid point, whose error is of the order of the square of the step.
  init(linearising solver: NavierStokes, about flow: Tensor<Double>, step: Double = 1e-4) throws {
    let points = flow.count
    let columns = try (0..<points).map { point in
      let sides = try [step, -step].map { shift in
        var moved = flow.reshaped(to: [1, 1] + flow.shape)
        moved.withUnsafeMutableBuffer { $0[point] += shift }
        return try solver(moved).scalars
      }
      return zip(sides[0], sides[1]).map { ($0 - $1) / (2 * step) }
    }
    rows = (0..<points).map { row in columns.map { $0[row] } }
  }

  private init(rows: [[Double]]) { self.rows = rows }

  /// The map times a number.
  func scaled(by factor: Double) -> MatrixOperator {
    MatrixOperator(rows: rows.map { $0.map { factor * $0 } })
  }

  /// The adjoint.
  var transposed: MatrixOperator {
    MatrixOperator(rows: rows[0].indices.map { column in rows.map { $0[column] } })
  }

  func callAsFunction(_ inputs: Tensor<Double>) -> Tensor<Double> {
    let points = rows.count
    return Tensor(shape: inputs.shape) { result in
      withPointers(inputs) { inputs in
        for sample in 0..<result.count / points {
          for (row, weights) in rows.enumerated() {
            result[sample * points + row] = weights.withUnsafeBufferPointer {
              Double.dot(points, $0.baseAddress!, inputs + sample * points)
            }
          }
        }
      }
    }
  }

  func vectorJacobianProducts(
    _ inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) rethrows -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    let solutions = self(inputs)
    return (solutions, transposed(try cotangents(solutions, 0..<inputs.shape[0])))
  }
}

/// The vorticity of a perturbation, from eight noisy values, by the Navier-Stokes equation linearised about two
/// rows of vortices: advection and shear make it no symmetric map, unlike diffusion.
struct LinearisedFlow {
  let prior = PeriodicGaussianField(grid: [8, 8], sigma: 12, tau: 4, alpha: 1.8)
  let forward: MatrixOperator
  let problem: InverseProblem

  init() throws {
    var flow = Tensor<Double>(shape: [8, 8])
    for i in 0..<8 {
      for j in 0..<8 {
        let (x, y) = (2 * Double.pi * Double(i) / 8, 2 * Double.pi * Double(j) / 8)
        flow[i, j] = 6 * cos(x) * sin(2 * y) + 3 * sin(x + y)
      }
    }
    let solver = try NavierStokes(grid: 8, viscosity: 2e-3, times: [0.5], forcing: .none)
    forward = try MatrixOperator(linearising: solver, about: flow)
    problem = InverseProblem(
      prior: prior, forward: forward,
      observation: PointObservation(
        grid: [8, 8], sensors: [[0, 1], [1, 4], [2, 6], [3, 3], [4, 0], [5, 5], [6, 2], [7, 7]]),
      data: [0.9, -0.4, 0.6, -1.1, 0.2, 0.7, -0.8, 0.3], noise: 0.5)
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
  _ history: ChainHistory, mean: [Double], covariance: [[Double]], everyPoint spacing: Int = 1
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
  for point in stride(from: 0, to: points, by: spacing) {
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
