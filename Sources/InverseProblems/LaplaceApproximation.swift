import Solvers
import Tensors

/// The point of largest posterior density, and the normal law that fits the posterior there.
///
/// The maximum a posteriori minimises Φ(ξ) + ½|ξ|² in the coordinates in which the prior is white. There the
/// misfit's Gauss-Newton Hessian JᵀJ, of rank at most the number of observations, is taken exactly: J has one
/// row per observation, an adjoint solve each, and the eigenvalues λ of JJᵀ are those of JᵀJ. The Laplace
/// approximation N(mode, (I + JᵀJ)⁻¹) differs from the prior in those directions only, by the factors
/// 1/√(1 + λ). For a linear forward map it is the posterior. Bui-Thanh, Ghattas, Martin, Stadler, "A computational
/// framework for infinite-dimensional Bayesian inverse problems I", SIAM J. Sci. Comput. 35 (2013).
public struct LaplaceApproximation: Sendable {
  /// The mode and the directions that the data inform.
  public let reference: GaussianReference
  /// The misfit Φ at the mode.
  public let misfit: Double
  /// How the search for the mode went.
  public let search: LBFGS.Result
  /// The solutions by the forward map that it took all in all.
  public let solves: Int
  /// The adjoint solves: one for every solution of the search, and one per observation at the mode.
  public let adjointSolves: Int

  private let prior: any Prior

  /// Searches the mode and linearises there.
  ///
  /// - Parameters:
  ///   - start: where the search begins; the prior mean if nil.
  ///   - otherStarts: where it begins again as long as no mode was found: a flow that amplifies what is next to nothing
  ///     has no useful gradient at the prior mean. These searches see the misfit divided by 256, 64, 16 and 4 first, as if
  ///     the noise were larger: a chaotic flow's misfit has many valleys, which noise fills. The lowest point is kept.
  ///   - smallestEigenvalue: directions below are left to the prior: 0.05 narrows it by two percent.
  ///   - discarded: the coordinates that the data inform least are left to the prior, as many as together have
  ///     this share of the Jacobian's sum of squares. The finer half of a grid costs time and tells nothing.
  ///   - progress: called after every iteration of the search.
  /// - Throws: what the forward map or `progress` throws.
  public init(
    of problem: InverseProblem, start: Tensor<Double>? = nil, otherStarts: [Tensor<Double>] = [],
    method: LBFGS = LBFGS(),
    smallestEigenvalue: Double = 0.05, discarded: Double = 1e-6,
    progress: (LBFGS.Result) throws -> Void = { _ in }
  ) throws {
    let count = problem.prior.coordinateCount
    func minimize(
      from start: Tensor<Double>, _ method: LBFGS = method, temperature: Double = 1
    ) throws -> LBFGS.Result {
      try method.minimize(from: start, progress: progress) { try value($0, temperature) }
    }
    func value(_ point: Tensor<Double>, _ temperature: Double) throws -> (Double, Tensor<Double>) {
      let (misfits, gradients) = try problem.misfitsAndGradients(of: point.reshaped(to: [1, count]))
      var gradient = gradients.reshaped(to: [count])
      let squares = gradient.withUnsafeMutableBuffer { gradient in
        withPointers(point) { point in
          Double.scale(count, 1 / temperature, gradient.baseAddress!)
          Double.axpy(count, 1, point, gradient.baseAddress!)
          return Double.dot(count, point, point)
        }
      }
      return (misfits[0] / temperature + 0.5 * squares, gradient)
    }
    var best = try minimize(from: start ?? Tensor(shape: [count]))
    var evaluations = best.evaluations
    for other in otherStarts where !best.isMode {
      var start = other
      for temperature in [256.0, 64, 16, 4] {
        var rough = method
        (rough.iterations, rough.tolerance) = (min(20, method.iterations), 0.05)
        let result = try minimize(from: start, rough, temperature: temperature)
        evaluations += result.evaluations
        start = result.point
      }
      let result = try minimize(from: start)
      evaluations += result.evaluations
      if result.value < best.value { best = result }
    }
    search = best
    let (residuals, wholeJacobian) = try problem.linearization(at: search.point)
    let jacobian = Self.leading(wholeJacobian, discarded: discarded)
    let support = jacobian.shape[1]
    misfit = 0.5 * residuals.reduce(0) { $0 + $1 * $1 }
    let rows = residuals.count
    solves = evaluations + 1
    adjointSolves = evaluations + rows
    let gram = Tensor<Double>(shape: [rows, rows]) { gram in
      withPointers(jacobian) { jacobian in
        Double.gemm(
          MatrixProduct(rows: rows, columns: rows, inner: support, right: .transpose), 1, jacobian, jacobian,
          0,
          gram.baseAddress!)
      }
    }
    guard let eigen = SymmetricEigenproblem(gram) else {
      throw SolverError.invalidProblem("the derivative of the forward map at the mode is not finite")
    }
    let kept = eigen.values.indices.reversed().filter { eigen.values[$0] >= smallestEigenvalue }
    // v = Jᵀ u / √λ for every eigenvector u of JJᵀ.
    let left = kept.flatMap { row in
      eigen.vectors[first: row..<row + 1].scalars.map { $0 / eigen.values[row].squareRoot() }
    }
    let directions = Tensor<Double>(shape: [kept.count, support]) { directions in
      guard !kept.isEmpty else { return }
      withPointers(Tensor<Double>(shape: [kept.count, rows], scalars: left), jacobian) { left, jacobian in
        Double.gemm(
          MatrixProduct(rows: kept.count, columns: support, inner: rows), 1, left, jacobian, 0,
          directions.baseAddress!)
      }
    }
    reference = GaussianReference(
      mean: search.point, directions: directions, eigenvalues: kept.map { eigen.values[$0] })
    prior = problem.prior
  }

  /// The first columns of a matrix, without as many of the last ones as have a share of its sum of squares.
  private static func leading(_ matrix: Tensor<Double>, discarded: Double) -> Tensor<Double> {
    let (rows, columns) = (matrix.shape[0], matrix.shape[1])
    return withPointers(matrix) { matrix in
      let squares = (0..<columns).map { column in
        (0..<rows).reduce(0) { $0 + matrix[$1 * columns + column] * matrix[$1 * columns + column] }
      }
      var left = discarded * squares.reduce(0, +)
      var kept = columns
      while kept > 1, squares[kept - 1] <= left {
        left -= squares[kept - 1]
        kept -= 1
      }
      return Tensor(shape: [rows, kept]) { result in
        for row in 0..<rows {
          (result.baseAddress! + row * kept).update(from: matrix + row * columns, count: kept)
        }
      }
    }
  }

  /// The field of the mode.
  public var mode: Tensor<Double> { prior.makeField(search.point) }

  /// The standard deviation of the field at every point, given that of the prior.
  ///
  /// The variance is the prior's less Σ λ/(1 + λ) (L v)².
  public func standardDeviation(prior priorDeviation: Tensor<Double>) -> Tensor<Double> {
    var variance = priorDeviation.scalars.map { $0 * $0 }
    for (row, eigenvalue) in reference.eigenvalues.enumerated() {
      let direction = reference.directions[first: row..<row + 1].scalars
      let zeros = Array(repeating: 0.0, count: reference.count - direction.count)
      let field = prior.makeField(Tensor(shape: [reference.count], scalars: direction + zeros))
      for (point, value) in field.scalars.enumerated() {
        variance[point] -= eigenvalue / (1 + eigenvalue) * value * value
      }
    }
    return Tensor(shape: priorDeviation.shape, scalars: variance.map { max(0, $0).squareRoot() })
  }
}

extension LBFGS.Result {
  /// Whether this is a mode as far as a sampler is concerned.
  ///
  /// The gradient has fallen to a hundredth, or it says that the log density could grow by no more than 0.05: ½|∇|² in
  /// coordinates in which the Hessian is the identity at least.
  public var isMode: Bool {
    value.isFinite && (relativeGradient <= 0.01 || 0.5 * gradient.dot(gradient) <= 0.05)
  }
}
