import Tensors

/// A forward map with a parameter of its own for every sample.
public protocol ParametricOperator: Sendable {
  /// The solutions for inputs `[sample, channel, ...grid]` with one parameter each.
  ///
  /// - Throws: as a `SolutionOperator`.
  func solutions(_ inputs: Tensor<Double>, parameters: [Double]) throws -> Tensor<Double>
}

/// A forward map with a parameter, and its derivatives with respect to input and parameter.
public protocol DifferentiableParametricOperator: ParametricOperator {
  /// The solutions, and the products of the transposed Jacobian with cotangents that may depend on them.
  ///
  /// - Parameters:
  ///   - inputs: w, `[sample, channel, ...grid]`.
  ///   - parameters: one per sample.
  ///   - cotangents: from the solutions of some of the samples, and which ones, to v of the same shape.
  ///     Called once for every part of the batch, in order, on one thread.
  /// - Returns: the solutions, and for every sample the products (∂G/∂w)ᵀ v, of the shape of the input, and
  ///   (∂G/∂parameter)ᵀ v.
  /// - Throws: as `solutions`, and what `cotangents` throws.
  func vectorJacobianProducts(
    _ inputs: Tensor<Double>, parameters: [Double],
    _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>, parameterProducts: [Double])

  /// The solution of one input, and the products of the transposed Jacobian there with several cotangents.
  ///
  /// - Parameters:
  ///   - input: w, `[1, channel, ...grid]`.
  ///   - cotangents: from the solution, `[1, ...]`, to v, `[cotangent, output channel, ...grid]`; called once.
  /// - Returns: the solution, `[1, ...]`, and for every cotangent the products with the derivatives by the input,
  ///   `[cotangent, channel, ...grid]`, and by the parameter.
  /// - Throws: as `solutions`, and what `cotangents` throws.
  func vectorJacobianProducts(
    at input: Tensor<Double>, parameter: Double, _ cotangents: (Tensor<Double>) throws -> Tensor<Double>
  ) throws -> (solution: Tensor<Double>, products: Tensor<Double>, parameterProducts: [Double])
}

/// A spectral problem whose linear part is the viscosity times a fixed operator: L = ν ℓ, ℓ real in Fourier space.
public protocol ViscousProblem: SpectralProblem {
  /// ν > 0, in units of length² per time.
  var viscosity: Double { get }
  /// The same problem with another viscosity.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  func withViscosity(_ viscosity: Double) throws -> Self
}

/// A viscous problem with a viscosity of its own for every sample.
///
/// Derivatives are those of `SpectralProblem`, and with the same steps held fixed those with respect to ν: exact ones
/// of the numbers that are computed.
public struct ViscosityFamily<Problem: ViscousProblem>: DifferentiableParametricOperator {
  private let problem: Problem

  /// All viscosities of a problem, its own aside.
  public init(of problem: Problem) { self.problem = problem }

  /// The solutions `[sample, time, ...grid]` for initial values `[sample, 1, ...grid]` with one viscosity each.
  ///
  /// - Throws: `SolverError`, of the lowest sample that fails.
  public func solutions(_ inputs: Tensor<Double>, parameters: [Double]) throws -> Tensor<Double> {
    let evolutions = try evolutions(inputs, parameters)
    return try solveEachSample(of: inputs, outputShape: outputShape) {
    } solve: { _, sample, input, output in
      try evolutions[sample].makeStepper().solve(input, sample: sample, into: output)
    }
  }

  /// The solutions, and their derivatives along one direction and one change of the viscosity per sample.
  ///
  /// - Throws: as `solutions`.
  public func jacobianVectorProducts(
    _ inputs: Tensor<Double>, parameters: [Double], _ directions: Tensor<Double>, parameterChanges: [Double]
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    precondition(
      directions.shape == inputs.shape && parameterChanges.count == parameters.count,
      "directions \(directions.shape) and \(parameterChanges.count) changes for \(inputs.shape)")
    let evolutions = try evolutions(inputs, parameters)
    let (points, values) = (problem.gridShape.reduce(1, *), outputShape.reduce(1, *))
    var products = Tensor<Double>(shape: [parameters.count] + outputShape)
    let solutions = try products.withUnsafeMutableBuffer { products in
      nonisolated(unsafe) let products = products
      return try withPointers(directions) { directions in
        try solveEachSample(of: inputs, outputShape: outputShape) {
        } solve: { _, sample, input, output in
          let worker = evolutions[sample].makeWorker(viscosity: parameters[sample])
          try worker.solve(input, sample: sample, into: output)
          worker.follow(
            input, directions: directions + sample * points, count: 1,
            viscosityChange: parameterChanges[sample], products: products.baseAddress! + sample * values)
        }
      }
    }
    return (solutions, products)
  }

  /// The solutions, and the products of the transposed Jacobian with cotangents that may depend on them.
  ///
  /// - Throws: as `solutions`, and what `cotangents` throws.
  public func vectorJacobianProducts(
    _ inputs: Tensor<Double>, parameters: [Double],
    _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>, parameterProducts: [Double]) {
    let evolutions = try evolutions(inputs, parameters)
    guard !parameters.isEmpty else { return (try solutions(inputs, parameters: []), inputs, []) }
    let result = try Evolution.adjoints(of: inputs, cotangents) { sample in
      evolutions[sample].makeWorker(viscosity: parameters[sample])
    }
    return (result.solutions, result.products, result.viscosityProducts)
  }

  /// The solution of one input, and the products of its transposed Jacobian with several cotangents.
  ///
  /// They share the solve and its linearisation.
  /// - Throws: as `solutions`, and what `cotangents` throws.
  public func vectorJacobianProducts(
    at input: Tensor<Double>, parameter: Double, _ cotangents: (Tensor<Double>) throws -> Tensor<Double>
  ) throws -> (solution: Tensor<Double>, products: Tensor<Double>, parameterProducts: [Double]) {
    let evolution = try evolutions(input, [parameter])[0]
    let result = try evolution.adjoints(at: input, viscosity: parameter, cotangents)
    return (result.solution, result.products, result.viscosityProducts)
  }

  private var outputShape: Shape { [problem.times.count] + problem.gridShape }

  private func evolutions(_ inputs: Tensor<Double>, _ viscosities: [Double]) throws -> [Evolution] {
    precondition(
      viscosities.count == inputs.shape[0], "\(viscosities.count) viscosities for \(inputs.shape)")
    let evolutions = try viscosities.map { try problem.withViscosity($0).makeEvolution() }
    if let first = evolutions.first { try problem.checkInputs(inputs, of: first.input) }
    return evolutions
  }
}
