import Tensors

/// The derivatives of the pressure with respect to the permeability.
///
/// The discrete equation is A(a) u = h² f with A symmetric, A u at a vertex the sum of c (u − u′) over its faces. So
/// along a direction d of the permeability A u̇ = −Ȧ u, and the transposed Jacobian times v is, with A λ = v,
/// −Σ ∂c/∂a (u − u′) (λ − λ′) over the faces of a vertex: one more solve with the same operator either way. Exact up to the
/// tolerance of the solves.
extension DarcyFlow: TangentOperator {
  /// The pressures, and their derivatives along directions of the permeability.
  ///
  /// - Throws: `SolverError`, of the lowest sample that fails.
  public func jacobianVectorProducts(
    _ inputs: Tensor<Double>, _ directions: Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    precondition(directions.shape == inputs.shape, "directions \(directions.shape) at \(inputs.shape)")
    let solutions = try self(inputs)
    let points = grid * grid
    let products = try withPointers(solutions, directions) { solutions, directions in
      try solveEachSample(of: inputs, outputShape: [1, grid, grid]) {
        DarcySystem(side: grid, source: source)
      } solve: { system, sample, coefficient, product in
        let (pressure, direction) = (solutions + sample * points, directions + sample * points)
        var rightSide = [Double](repeating: 0, count: points)
        forEachFace { p, q in
          let slopes = faceSlopes(coefficient[p], coefficient[q])
          let flux = (slopes.0 * direction[p] + slopes.1 * direction[q]) * (pressure[p] - pressure[q])
          rightSide[p] -= flux
          rightSide[q] += flux
        }
        system.assemble(coefficient, usesHarmonicMean: faceCoefficient == .harmonicMean)
        system.setRightSide(rightSide)
        try solve(system, sample: sample, product)
      }
    }
    return (solutions, products)
  }

  /// The pressures, and the products of the transposed Jacobian with cotangents that may depend on them.
  ///
  /// - Throws: `SolverError`, of the lowest sample that fails, and what `cotangents` throws.
  public func vectorJacobianProducts(
    _ inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    let solutions = try self(inputs)
    let weights = try cotangents(solutions, 0..<inputs.shape[0])
    return (solutions, try adjointProducts(weights, at: inputs, solutions))
  }

  /// The pressure of one permeability, and the products of its transposed Jacobian with several cotangents.
  ///
  /// - Throws: as above.
  public func vectorJacobianProducts(
    at input: Tensor<Double>, _ cotangents: (Tensor<Double>) throws -> Tensor<Double>
  ) throws -> (solution: Tensor<Double>, products: Tensor<Double>) {
    let solution = try self(input)
    return (solution, try adjointProducts(try cotangents(solution), at: input, solution))
  }

  /// Jᵀ v for every cotangent, at permeabilities of which there is one for each or one for all.
  private func adjointProducts(
    _ cotangents: Tensor<Double>, at inputs: Tensor<Double>, _ solutions: Tensor<Double>
  ) throws -> Tensor<Double> {
    precondition(
      Array(cotangents.shape.dropFirst()) == [1, grid, grid],
      "cotangents \(cotangents.shape) of pressures on \(grid) x \(grid) vertices")
    let points = grid * grid
    let stride = inputs.shape[0] == 1 ? 0 : points
    return try withPointers(inputs, solutions) { inputs, solutions in
      try solveEachSample(of: cotangents, outputShape: [1, grid, grid]) {
        DarcySystem(side: grid, source: source)
      } solve: { system, sample, cotangent, product in
        let (coefficient, pressure) = (inputs + sample * stride, solutions + sample * stride)
        system.assemble(coefficient, usesHarmonicMean: faceCoefficient == .harmonicMean)
        system.setRightSide(cotangent)
        var adjoint = Tensor<Double>(shape: [points])
        try adjoint.withUnsafeMutableBuffer { adjoint in
          let adjoint = adjoint.baseAddress!
          try solve(system, sample: sample, adjoint)
          product.update(repeating: 0, count: points)
          forEachFace { p, q in
            let slopes = faceSlopes(coefficient[p], coefficient[q])
            let change = (pressure[p] - pressure[q]) * (adjoint[p] - adjoint[q])
            product[p] -= slopes.0 * change
            product[q] -= slopes.1 * change
          }
        }
      }
    }
  }

  /// Calls `body` with the two vertices of every face that carries a flux.
  private func forEachFace(_ body: (_ p: Int, _ q: Int) -> Void) {
    for line in 1..<grid - 1 {
      for step in 0..<grid - 1 {
        body(line * grid + step, line * grid + step + 1)
        body(step * grid + line, (step + 1) * grid + line)
      }
    }
  }

  /// The derivatives of a face's coefficient with respect to the permeabilities on its sides.
  private func faceSlopes(_ a: Double, _ b: Double) -> (Double, Double) {
    switch faceCoefficient {
    case .arithmeticMean: (0.5, 0.5)
    case .harmonicMean: (2 * b * b / ((a + b) * (a + b)), 2 * a * a / ((a + b) * (a + b)))
    }
  }
}
