import Tensors

/// A normal law N(m, K) of the coordinates that a sampler's proposals leave invariant.
///
/// Either the prior, N(0, I), or one informed by the data: K = (I + V Λ Vᵀ)⁻¹ with few orthonormal directions V
/// in which the data narrow the prior by the factors 1/√(1 + λ), as the Laplace approximation finds them.
/// K differs from the prior in finitely many directions, so it is equivalent to it on the function space and
/// samplers that use it do not deteriorate on finer grids.
///
/// Rudolf and Sprungk, "On a generalization of the preconditioned Crank-Nicolson Metropolis algorithm",
/// Found. Comput. Math. 18 (2018); Pinski, Simpson, Stuart, Weber, "Algorithms for Kullback-Leibler
/// approximation of probability measures in infinite dimensions", SIAM J. Sci. Comput. 37 (2015).
public struct GaussianReference: Sendable, Equatable {
  /// The mean m.
  public let mean: Tensor<Double>
  /// The orthonormal directions V, `[direction, coordinate]`, most informed first.
  ///
  /// Fewer coordinates than the mean has: the directions are zero in the others.
  public let directions: Tensor<Double>
  /// The eigenvalues λ > 0 of the misfit's Hessian in those directions.
  public let eigenvalues: [Double]

  private let narrowing: [Double]  // (1 + λ)^(−½) − 1
  private let widening: [Double]  // (1 + λ)^½ − 1
  private let meanProjections: [Double]  // ⟨v, m⟩

  /// The law with the given mean, directions and eigenvalues.
  public init(mean: Tensor<Double>, directions: Tensor<Double>, eigenvalues: [Double]) {
    precondition(
      directions.rank == 2 && directions.shape[0] == eigenvalues.count && directions.shape[1] <= mean.count
        && eigenvalues.allSatisfy { $0 > -1 },
      "directions \(directions.shape) for \(eigenvalues.count) eigenvalues and \(mean.count) coordinates")
    self.mean = mean
    self.directions = directions
    self.eigenvalues = eigenvalues
    isPrior = eigenvalues.isEmpty && mean.scalars.allSatisfy { $0 == 0 }
    narrowing = eigenvalues.map { 1 / (1 + $0).squareRoot() - 1 }
    widening = eigenvalues.map { (1 + $0).squareRoot() - 1 }
    meanProjections = withPointers(mean, directions) { mean, values in
      eigenvalues.indices.map { Double.dot(directions.shape[1], values + $0 * directions.shape[1], mean) }
    }
  }

  /// The prior of so many coordinates.
  public static func prior(coordinates: Int) -> GaussianReference {
    GaussianReference(
      mean: Tensor(shape: [coordinates]), directions: Tensor(shape: [0, 0]), eigenvalues: [])
  }

  /// The law with as many times the standard deviation in its directions, but no wider than the prior.
  ///
  /// A law that is wider everywhere would be singular to this one on the function space.
  public func widened(by factor: Double) -> GaussianReference {
    GaussianReference(
      mean: mean, directions: directions,
      eigenvalues: eigenvalues.map { max(0, (1 + $0) / (factor * factor) - 1) })
  }

  /// One draw.
  func sample(using random: inout Philox) -> [Double] {
    var draw = random.normal(shape: [count])
    draw.withUnsafeMutableBuffer { draw in
      applySquareRoot(draw.baseAddress!)
      withPointers(mean) { Double.axpy(count, 1, $0, draw.baseAddress!) }
    }
    return draw.scalars
  }

  /// The number of coordinates.
  public var count: Int { mean.count }

  /// The number of coordinates in which directions are not zero.
  private var support: Int { directions.shape[1] }

  /// Whether this is the prior.
  public let isPrior: Bool

  /// x ← K^½ x.
  func applySquareRoot(_ x: UnsafeMutablePointer<Double>) { apply(narrowing, x) }

  /// x ← K^(−½) x.
  func applyInverseSquareRoot(_ x: UnsafeMutablePointer<Double>) { apply(widening, x) }

  /// x ← (I + V diag(factors) Vᵀ) x.
  private func apply(_ factors: [Double], _ x: UnsafeMutablePointer<Double>) {
    withPointers(directions) { directions in
      let projections = factors.indices.map { Double.dot(support, directions + $0 * support, x) }
      for (index, projection) in projections.enumerated() {
        Double.axpy(support, factors[index] * projection, directions + index * support, x)
      }
    }
  }

  /// log dN(m, K)/dN(0, I) at ξ, up to a constant: ⟨m, ξ⟩ − ½ Σ λ ⟨v, ξ − m⟩².
  ///
  /// What a misfit is increased by when this law takes the place of the prior.
  func logDensity(_ point: UnsafePointer<Double>) -> Double {
    withPointers(mean, directions) { mean, directions in
      var sum = Double.dot(count, mean, point)
      for (index, eigenvalue) in eigenvalues.enumerated() {
        let direction = directions + index * support
        let projection = Double.dot(support, direction, point) - meanProjections[index]
        sum -= 0.5 * eigenvalue * projection * projection
      }
      return sum
    }
  }

  /// Turns white noise ζ into the point m + ρ (ξ − m) + √(1 − ρ²) K^½ ζ, the next one of a sequence with this law.
  ///
  /// - Returns: `logDensity` there less that at ξ, for which the products with the directions are at hand.
  func move(from point: UnsafePointer<Double>, correlation rho: Double, noise: UnsafeMutablePointer<Double>)
    -> Double
  {
    let fresh = (1 - rho * rho).squareRoot()
    return withPointers(mean, directions) { mean, directions in
      var change = isPrior ? 0 : -Double.dot(count, mean, point)
      // The directions are orthonormal: what is added along one does not change the products with the others.
      for index in eigenvalues.indices {
        let direction = directions + index * support
        let (projection, pointProjection) = Double.dots(support, direction, noise, point)
        let before = pointProjection - meanProjections[index]
        // ⟨v, K^½ ζ⟩ = (1 + λ)^(−½) ⟨v, ζ⟩.
        let after = rho * before + fresh * (1 + narrowing[index]) * projection
        change -= 0.5 * eigenvalues[index] * (after * after - before * before)
        Double.axpy(support, narrowing[index] * projection, direction, noise)
      }
      Double.scale(count, fresh, noise)
      Double.axpy(count, rho, point, noise)
      if isPrior { return change }
      Double.axpy(count, 1 - rho, mean, noise)
      return change + Double.dot(count, mean, noise)
    }
  }

  /// Adds the gradient of `logDensity` at ξ: m − Σ λ ⟨v, ξ − m⟩ v.
  func addLogDensityGradient(_ point: UnsafePointer<Double>, to gradient: UnsafeMutablePointer<Double>) {
    withPointers(mean, directions) { mean, directions in
      Double.axpy(count, 1, mean, gradient)
      for (index, eigenvalue) in eigenvalues.enumerated() {
        let direction = directions + index * support
        let projection = Double.dot(support, direction, point) - meanProjections[index]
        Double.axpy(support, -eigenvalue * projection, direction, gradient)
      }
    }
  }
}
