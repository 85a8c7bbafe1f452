import Tensors

/// A solution operator G whose derivative is at hand: what gradients of a misfit are made of.
///
/// Trained models differentiate by their tape, classical solvers by their discrete adjoint; both give the
/// derivative of the numbers that `callAsFunction` returns, not an approximation to that of the equation.
public protocol DifferentiableOperator: SolutionOperator {
  /// The solutions, and the products of the transposed Jacobian with cotangents that may depend on them.
  ///
  /// With the gradient of a scalar J with respect to the solutions as cotangent, the product ∇J = (∂G/∂w)ᵀ v
  /// is the gradient of J with respect to the inputs.
  ///
  /// - Parameters:
  ///   - inputs: w, `[sample, channel, ...grid]`.
  ///   - cotangents: from the solutions of some of the samples, and which ones, to v of the same shape.
  ///     Called once for every part of the batch, in order, on one thread.
  /// - Returns: the solutions, and for every sample the product, of the shape of the inputs.
  /// - Throws: as `callAsFunction`, and what `cotangents` throws.
  func vectorJacobianProducts(
    _ inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>)

  /// The solution of one input, and the products of the transposed Jacobian there with several cotangents.
  ///
  /// By default as many solves as there are cotangents; a classical solver shares them.
  ///
  /// - Parameters:
  ///   - input: w, `[1, channel, ...grid]`.
  ///   - cotangents: from the solution, `[1, ...]`, to v, `[cotangent, output channel, ...grid]`; called once.
  /// - Returns: the solution, `[1, ...]`, and a product for every cotangent, `[cotangent, channel, ...grid]`.
  /// - Throws: as `callAsFunction`, and what `cotangents` throws.
  func vectorJacobianProducts(
    at input: Tensor<Double>, _ cotangents: (Tensor<Double>) throws -> Tensor<Double>
  ) throws -> (solution: Tensor<Double>, products: Tensor<Double>)
}

extension DifferentiableOperator {
  /// Every cotangent with a solve of its own.
  public func vectorJacobianProducts(
    at input: Tensor<Double>, _ cotangents: (Tensor<Double>) throws -> Tensor<Double>
  ) throws -> (solution: Tensor<Double>, products: Tensor<Double>) {
    let solution = try self(input)
    let weights = try cotangents(solution)
    let inputs = Tensor.concatenating(Array(repeating: input, count: weights.shape[0]))
    return (solution, try vectorJacobianProducts(inputs) { _, range in weights[first: range] }.products)
  }
}

/// A differentiable operator that also has directional derivatives.
public protocol TangentOperator: DifferentiableOperator {
  /// The solutions, and the products of the Jacobian with `directions`: (∂G/∂w) d, sample by sample.
  ///
  /// - Parameters:
  ///   - inputs: w, `[sample, channel, ...grid]`.
  ///   - directions: d, of the shape of the inputs.
  func jacobianVectorProducts(
    _ inputs: Tensor<Double>, _ directions: Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>)
}
