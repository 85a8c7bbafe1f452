import Solvers
import Tensors

/// An unknown input of a solution operator, seen through noisy observations of its output.
///
/// The unknown is w = L ξ with ξ standard normal under the prior. The data are y = O(G(w)) + η with G the
/// operator, O the observation and η normal noise of covariance Γ; the posterior density with respect to the
/// prior is proportional to exp(−Φ), Φ = ½ |Γ^(−½)(y − O(G(w)))|². With the true input, Φ is half a χ²
/// variable: about half the number of observations.
///
/// All functions take points of the coordinate space, `[chain, coordinate]`.
public struct InverseProblem: Sendable {
  /// The prior of the unknown.
  public let prior: any Prior
  /// The forward map G: `[sample, 1, ...grid]` to `[sample, channels, ...grid]`.
  public let forward: any SolutionOperator
  /// The observation O.
  public let observation: PointObservation
  /// The observed values y, one per sensor.
  public let data: [Double]
  /// The law of the noise η.
  public let noise: NoiseModel
  /// The prior of a factor of the noise's covariance, if its level is to be inferred.
  public var noisePrior: InverseGamma?
  /// What becomes of the prior's field before the forward map sees it.
  public var transform = FieldTransform.identity
  /// A parameter of the equation that is inferred too; `prior` is a `ScalarPrior` then.
  public var scalar: ScalarUnknown?
  /// Counts the time of the forward map.
  public var clock = SolveClock()

  /// An inverse problem with one value and one standard deviation per sensor.
  public init(
    prior: any Prior, forward: any SolutionOperator, observation: PointObservation, data: [Double],
    noise: NoiseModel
  ) {
    precondition(data.count == observation.count, "\(data.count) data for \(observation.count) sensors")
    precondition(noise.count == data.count, "\(noise.count) standard deviations for \(data.count) data")
    self.prior = prior
    self.forward = forward
    self.observation = observation
    self.data = data
    self.noise = noise
  }

  /// An inverse problem with independent noise of one standard deviation.
  public init(
    prior: any Prior, forward: any SolutionOperator, observation: PointObservation, data: [Double],
    noise: Double
  ) {
    self.init(
      prior: prior, forward: forward, observation: observation, data: data,
      noise: NoiseModel(deviations: data.map { _ in noise }))
  }

  /// The same observations seen through another forward map.
  public func replacingForward(by forward: any SolutionOperator) -> InverseProblem {
    var problem = InverseProblem(
      prior: prior, forward: forward, observation: observation, data: data, noise: noise)
    (problem.noisePrior, problem.transform, problem.scalar) = (noisePrior, transform, scalar)
    problem.clock = clock
    return problem
  }

  /// A forward map that has derivatives with respect to everything that is unknown.
  private enum Derivative {
    case byField(any DifferentiableOperator)
    case byFieldAndScalar(any DifferentiableParametricOperator, ScalarUnknown)
  }

  private var derivative: Derivative? {
    guard transform.isDifferentiable else { return nil }
    if let scalar {
      return (scalar.family as? any DifferentiableParametricOperator).map { .byFieldAndScalar($0, scalar) }
    }
    return (forward as? any DifferentiableOperator).map(Derivative.byField)
  }

  /// Whether gradients of the misfit are to be had.
  public var isDifferentiable: Bool { derivative != nil }

  /// The misfit Φ of every point.
  ///
  /// Where the solver gives up or the solution is not finite the misfit is +∞, which samplers reject.
  /// - Parameter fields: the fields of the points, `[chain, 1, ...grid]`, if they are at hand.
  /// - Throws: what the forward map throws, unless it is the failure of one solution.
  public func misfits(of coordinates: Tensor<Double>, fields: Tensor<Double>? = nil) throws -> [Double] {
    try separately(coordinates, fields ?? prior.makeFields(coordinates)) { coordinates, fields in
      let inputs = transform(fields)
      let solutions = try clock.measure {
        try scalar.map { try $0.family.solutions(inputs, parameters: $0.values(coordinates)) }
          ?? forward(inputs)
      }
      return (residuals(solutions).map(misfit), Tensor(shape: [fields.shape[0], 0]))
    }.misfits
  }

  /// The misfit of every point and its gradient with respect to the coordinates.
  ///
  /// Where the misfit or a component of its gradient is not finite, the misfit is +∞ and the gradient zero.
  /// - Throws: what the forward map throws, unless it is the failure of one solution.
  public func misfitsAndGradients(
    of coordinates: Tensor<Double>, fields: Tensor<Double>? = nil
  ) throws -> (misfits: [Double], gradients: Tensor<Double>) {
    guard let derivative else { preconditionFailure("the forward map has no derivative") }
    return try separately(coordinates, fields ?? prior.makeFields(coordinates)) { coordinates, fields in
      var misfits: [Double] = []
      let inputs = transform(fields)
      // Φ = ½|r|² with r = Γ^(−½)(O(G(w)) − y).
      func misfitCotangents(_ solutions: Tensor<Double>, _ range: Range<Int>) -> Tensor<Double> {
        let residuals = residuals(solutions)
        misfits += residuals.map(misfit)
        return cotangents(residuals.map(noise.whitenAdjoint), channels: solutions.shape[1])
      }
      var gradients: Tensor<Double>
      switch derivative {
      case .byField(let forward):
        let products = try clock.measure {
          try forward.vectorJacobianProducts(inputs, misfitCotangents).products
        }
        gradients = prior.applyAdjoint(transform.pullBack(products, at: fields))
      case .byFieldAndScalar(let family, let scalar):
        let values = scalar.values(coordinates)
        let (_, products, ofScalar) = try clock.measure {
          try family.vectorJacobianProducts(inputs, parameters: values, misfitCotangents)
        }
        gradients = prior.applyAdjoint(transform.pullBack(products, at: fields))
        scalar.setDerivatives(ofScalar, at: values, in: &gradients)
      }
      let count = prior.coordinateCount
      gradients.withUnsafeMutableBuffer { gradients in
        for chain in misfits.indices {
          let gradient = UnsafeMutableBufferPointer(rebasing: gradients[chain * count..<(chain + 1) * count])
          if misfits[chain].isFinite && gradient.allSatisfy(\.isFinite) { continue }
          misfits[chain] = .infinity
          gradient.update(repeating: 0)
        }
      }
      return (misfits, gradients)
    }
  }

  /// The Jacobian of the residuals r = Γ^(−½)(O(G(L ξ)) − y) at one point: `[observation, coordinate]`.
  ///
  /// Its transpose times itself is the Gauss-Newton Hessian of the misfit. One adjoint solve per observation.
  /// - Returns: the residuals and the Jacobian.
  public func linearization(
    at coordinates: Tensor<Double>
  ) throws -> (residuals: [Double], jacobian: Tensor<Double>) {
    guard let derivative else { preconditionFailure("the forward map has no derivative") }
    let field = prior.makeField(coordinates).reshaped(to: [1, 1] + prior.grid)
    let units = data.indices.map { row in noise.whitenAdjoint(data.indices.map { $0 == row ? 1 : 0 }) }
    func unitCotangents(_ solution: Tensor<Double>) -> Tensor<Double> {
      cotangents(units, channels: solution.shape[1])
    }
    switch derivative {
    case .byField(let forward):
      let (solution, products) = try forward.vectorJacobianProducts(at: transform(field), unitCotangents)
      return (residuals(solution)[0], prior.applyAdjoint(transform.pullBack(products, at: field)))
    case .byFieldAndScalar(let family, let scalar):
      let value = scalar.value(coordinates[0])
      let (solution, products, ofScalar) = try family.vectorJacobianProducts(
        at: transform(field), parameter: value, unitCotangents)
      var jacobian = prior.applyAdjoint(transform.pullBack(products, at: field))
      scalar.setDerivatives(ofScalar, at: ofScalar.map { _ in value }, in: &jacobian)
      return (residuals(solution)[0], jacobian)
    }
  }

  /// Γ^(−½)(O(u) − y) for every solution of a batch.
  private func residuals(_ solutions: Tensor<Double>) -> [[Double]] {
    let (batch, channels) = (solutions.shape[0], solutions.shape[1])
    let points = observation.grid.reduce(1, *)
    precondition(
      solutions.count == batch * channels * points,
      "the forward map returned \(solutions.shape) for observations on \(observation.grid)")
    return withPointers(solutions) { solutions in
      (0..<batch).map { sample in
        let values = observation(solutions + sample * channels * points, channels: channels)
        return noise.whiten(zip(values, data).map(-))
      }
    }
  }

  private func misfit(_ residuals: [Double]) -> Double {
    let misfit = 0.5 * residuals.reduce(0) { $0 + $1 * $1 }
    return misfit.isFinite ? misfit : .infinity
  }

  /// What the observation's adjoint makes of `values`, one list per field of the result.
  private func cotangents(_ values: [[Double]], channels: Int) -> Tensor<Double> {
    let points = observation.grid.reduce(1, *)
    var result = Tensor<Double>(shape: [values.count, channels] + observation.grid)
    result.withUnsafeMutableBuffer { result in
      for (sample, values) in values.enumerated() {
        observation.addAdjoint(
          values, to: result.baseAddress! + sample * channels * points, channels: channels)
      }
    }
    return result
  }

  /// Evaluates all fields at once and, only where the solver gives up on one of them, one by one.
  private func separately(
    _ coordinates: Tensor<Double>, _ fields: Tensor<Double>,
    _ evaluate: (_ coordinates: Tensor<Double>, _ fields: Tensor<Double>) throws -> ([Double], Tensor<Double>)
  ) throws -> (misfits: [Double], gradients: Tensor<Double>) {
    do {
      let (misfits, gradients) = try evaluate(coordinates, fields)
      return (misfits, gradients)
    } catch let error as SolverError where error.isFailureOfOneSolution {
      guard fields.shape[0] > 1 else {
        return ([.infinity], Tensor(shape: [1, prior.coordinateCount]))
      }
      let parts = try (0..<fields.shape[0]).map { chain in
        try separately(
          coordinates[first: chain..<chain + 1], fields[first: chain..<chain + 1], evaluate)
      }
      // Without gradients those of the points that did not fail are empty.
      let length = parts.map { $0.gradients.shape[1] }.min() ?? 0
      return (
        parts.flatMap(\.misfits),
        Tensor(
          shape: [parts.count, length], scalars: parts.flatMap { $0.gradients.scalars.prefix(length) })
      )
    }
  }
}

extension SolverError {
  /// Whether another input might be solved all the same.
  fileprivate var isFailureOfOneSolution: Bool {
    switch self {
    case .blowUp, .noConvergence, .underResolved: true
    case .invalidProblem: false
    }
  }
}
