import Tensors

/// A periodic problem in time that is solved in Fourier space, and differentiated.
///
/// **Derivatives** are those of the discrete map from w(0) to w at the recorded times: of the numbers that are
/// computed, with the sizes of the steps held fixed that error control has chosen. (They depend on w(0) too, within
/// the tolerance and in jumps.) What the input has beyond the wave numbers in use is dropped, so derivatives along it
/// are zero. Memory and cost: see docs/solvers.md.
public protocol SpectralProblem: EvolutionProblem, TangentOperator {
  /// How the problem is solved.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  func makeEvolution() throws -> Evolution
}

extension SpectralProblem {
  /// The solutions `[sample, time, ...grid]` for initial values `[sample, 1, ...grid]`.
  ///
  /// - Throws: `SolverError`, of the lowest sample that fails.
  public func callAsFunction(_ inputs: Tensor<Double>) throws -> Tensor<Double> {
    let evolution = try makeEvolution()
    try checkInputs(inputs, of: evolution.input)
    return try evolution.solutions(of: inputs)
  }

  /// The solutions, and their derivatives along one direction per sample.
  ///
  /// - Throws: as `callAsFunction`.
  public func jacobianVectorProducts(
    _ inputs: Tensor<Double>, _ directions: Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    let evolution = try makeEvolution()
    try checkInputs(inputs, of: evolution.input)
    return try evolution.tangents(of: inputs, directions)
  }

  /// The solutions, and the products of the transposed Jacobian with cotangents that may depend on them.
  ///
  /// - Throws: as `callAsFunction`, and what `cotangents` throws.
  public func vectorJacobianProducts(
    _ inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    let evolution = try makeEvolution()
    try checkInputs(inputs, of: evolution.input)
    return try evolution.adjoints(of: inputs, cotangents)
  }

  /// The solution of one input, and the products of its transposed Jacobian with several cotangents.
  ///
  /// They share the solve and its linearisation.
  /// - Throws: as `callAsFunction`, and what `cotangents` throws.
  public func vectorJacobianProducts(
    at input: Tensor<Double>, _ cotangents: (Tensor<Double>) throws -> Tensor<Double>
  ) throws -> (solution: Tensor<Double>, products: Tensor<Double>) {
    let evolution = try makeEvolution()
    try checkInputs(input, of: evolution.input)
    let result = try evolution.adjoints(at: input, cotangents)
    return (result.solution, result.products)
  }

  /// The solutions of `inputs` by the steps that those of `reference` take: the map that is differentiated.
  ///
  /// - Throws: as `callAsFunction` of the reference.
  public func solutions(
    of inputs: Tensor<Double>, withStepsOf reference: Tensor<Double>
  ) throws -> Tensor<Double> {
    let evolution = try makeEvolution()
    try checkInputs(inputs, of: evolution.input)
    try checkInputs(reference, of: evolution.input)
    return try evolution.solutions(of: inputs, withStepsOf: reference)
  }
}

/// The discrete map from initial fields to the fields at the recorded times, with its derivatives.
public struct Evolution {
  /// What initial fields are called in messages.
  let input: String
  let times: [Double]
  let timeStepping: TimeStepping
  let gridShape: Shape
  /// How many states of a solve the adjoint may keep; nil for the default.
  package var capacity: Int?
  let makeSystem: () -> any FieldSystem

  /// The sizes of the steps that the solve of one input takes, and the resolution of every state: 0 is the finest.
  package func steps(of input: Tensor<Double>) throws -> (sizes: [Double], resolutions: [Int]) {
    let worker = makeWorker()
    _ = try Self.eachSample(of: input, outputShape: [times.count] + gridShape) { sample, input, output in
      try worker.solve(input, sample: sample, into: output)
    }
    return worker.steps
  }

  private var points: Int { gridShape.reduce(1, *) }

  /// The fields `[sample, time, ...grid]` for initial fields `[sample, 1, ...grid]`.
  ///
  /// - Throws: `SolverError`, of the lowest sample that fails.
  func solutions(of inputs: Tensor<Double>) throws -> Tensor<Double> {
    try solveEachSample(of: inputs, outputShape: [times.count] + gridShape, makeWorker: makeStepper) {
      stepper, sample, input, output in
      try stepper.solve(input, sample: sample, into: output)
    }
  }

  /// The solutions and the derivatives along one direction per sample.
  func tangents(
    of inputs: Tensor<Double>, _ directions: Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    precondition(directions.shape == inputs.shape, "directions \(directions.shape) for \(inputs.shape)")
    var products = Tensor<Double>(shape: [inputs.shape[0], times.count] + gridShape)
    let solutions = try products.withUnsafeMutableBuffer { products in
      nonisolated(unsafe) let products = products
      return try withPointers(directions) { directions in
        try solveEachSample(
          of: inputs, outputShape: [times.count] + gridShape, makeWorker: { makeWorker() }
        ) { worker, sample, input, output in
          try worker.solve(input, sample: sample, into: output)
          worker.follow(
            input, directions: directions + sample * points, count: 1,
            products: products.baseAddress! + sample * times.count * points)
        }
      }
    }
    return (solutions, products)
  }

  /// The solutions and, with the steps that each took held fixed, those of other inputs.
  func solutions(of inputs: Tensor<Double>, withStepsOf reference: Tensor<Double>) throws -> Tensor<Double> {
    precondition(reference.shape == inputs.shape, "inputs \(inputs.shape), references \(reference.shape)")
    return try withPointers(inputs) { inputs in
      try solveEachSample(
        of: reference, outputShape: [times.count] + gridShape, makeWorker: { makeWorker() }
      ) { worker, sample, reference, output in
        try worker.solve(reference, sample: sample, into: output)
        worker.follow(inputs + sample * points, into: output)
      }
    }
  }

  /// The solutions and the products of the transposed Jacobian with cotangents that may depend on them.
  package func adjoints(
    of inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    let samples = inputs.shape[0]
    guard samples > 0 else { return (try solutions(of: inputs), inputs) }
    let workers = (0..<min(samples, Parallelism.threadCount)).map { _ in makeWorker() }
    let result = try Self.adjoints(of: inputs, cotangents, atOnce: workers.count) {
      workers[$0 % workers.count]
    }
    return (result.solutions, result.products)
  }

  /// As `adjoints(of:_:)`, with the worker of every sample; there is at least one sample.
  ///
  /// `size` samples at a time, with a worker each that keeps states of its solve: no two of them may have the same.
  ///
  /// - Returns: also the products with the derivative with respect to the viscosity, where the workers find it.
  static func adjoints(
    of inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>,
    atOnce size: Int = Parallelism.threadCount, worker: (_ sample: Int) throws -> EvolutionDerivative
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>, viscosityProducts: [Double]) {
    let samples = inputs.shape[0]
    var solutions: [Tensor<Double>] = []
    var products: [Tensor<Double>] = []
    var viscosityProducts: [Double] = []
    for start in stride(from: 0, to: samples, by: size) {
      let range = start..<min(samples, start + size)
      let workers = try range.map(worker)
      let part = range.count == samples ? inputs : inputs[first: range]
      let gridShape = Array(inputs.shape.dropFirst(2))
      let solved = try eachSample(
        of: part, outputShape: [workers[0].times.count] + gridShape
      ) { sample, input, output in
        try workers[sample].solve(input, sample: start + sample, into: output)
      }
      let weights = try cotangents(solved, range)
      precondition(weights.shape == solved.shape, "cotangents \(weights.shape) of \(solved.shape)")
      solutions.append(solved)
      products.append(
        try eachSample(of: weights, outputShape: [1] + gridShape) { sample, cotangent, product in
          workers[sample].applyAdjoint(to: cotangent, count: 1, into: product)
        })
      viscosityProducts += workers.flatMap(\.viscosityProducts)
    }
    return (.concatenating(solutions), .concatenating(products), viscosityProducts)
  }

  /// The solution of one input and the products of its transposed Jacobian with several cotangents.
  ///
  /// They share the solve and the linearisation; every thread has some of them.
  ///
  /// - Parameter viscosity: that of the problem, if its derivative is wanted too.
  /// - Returns: also the products with the derivative with respect to the viscosity.
  func adjoints(
    at input: Tensor<Double>, viscosity: Double? = nil,
    _ cotangents: (Tensor<Double>) throws -> Tensor<Double>
  ) throws -> (solution: Tensor<Double>, products: Tensor<Double>, viscosityProducts: [Double]) {
    precondition(input.shape[0] == 1, "one input, not \(input.shape[0])")
    let workers = (0..<Parallelism.threadCount).map { _ in makeWorker(viscosity: viscosity) }
    let solution = try Self.eachSample(
      of: .concatenating(Array(repeating: input, count: workers.count)),
      outputShape: [times.count] + gridShape
    ) { part, input, output in
      try workers[part].solve(input, sample: 0, into: output)
    }[first: 0..<1]
    let weights = try cotangents(solution)
    let count = weights.shape[0]
    precondition(weights.shape == [count] + solution.shape.dropFirst(), "cotangents \(weights.shape)")
    let products = Tensor<Double>(shape: [count, 1] + gridShape) { products in
      withPointers(weights) { weights in
        nonisolated(unsafe) let (weights, products, workers) = (weights, products.baseAddress!, workers)
        parallelForEach(workers.count) { part, _ in
          let share = count * part / workers.count..<count * (part + 1) / workers.count
          guard !share.isEmpty else { return }
          workers[part].applyAdjoint(
            to: weights + share.lowerBound * times.count * points, count: share.count,
            into: products + share.lowerBound * points)
        }
      }
    }
    return (solution, products, workers.flatMap(\.viscosityProducts))
  }

  /// What solves, on one thread.
  func makeStepper() -> TimeStepper { TimeStepper(makeSystem(), timeStepping: timeStepping, times: times) }

  /// What solves and differentiates, on one thread.
  ///
  /// - Parameter viscosity: that of the problem, if derivatives are to be those with respect to it too.
  func makeWorker(viscosity: Double? = nil) -> EvolutionDerivative {
    EvolutionDerivative(
      makeSystem(), timeStepping: timeStepping, times: times, capacity: capacity, viscosity: viscosity)
  }

  /// As `solveEachSample`, where every sample has its own worker already.
  private static func eachSample(
    of inputs: Tensor<Double>, outputShape: Shape,
    solve: (_ sample: Int, UnsafePointer<Double>, UnsafeMutablePointer<Double>) throws -> Void
  ) throws -> Tensor<Double> {
    try solveEachSample(of: inputs, outputShape: outputShape) {
    } solve: { _, sample, input, output in
      try solve(sample, input, output)
    }
  }
}
