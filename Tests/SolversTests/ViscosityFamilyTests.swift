import Solvers
import Tensors
import TestSupport
import Testing

/// Derivatives with respect to the viscosity, against differences of solutions and against each other.
@Suite struct ViscosityFamilyTests {
  /// A problem with a viscosity.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let problem: any ViscousProblem
    /// Whether solutions are smooth functions of the viscosity: steps are given, and levels differ by round-off only.
    var isSmooth = true

    var testDescription: String { name }
  }

  private static func flow(
    _ name: String, grid: Int = 20, viscosity: Double = 5e-3, times: [Double] = [0, 0.4, 1],
    _ timeStepping: TimeStepping, _ dealiasing: NavierStokes.Dealiasing = .twoThirds, isSmooth: Bool = true
  ) throws -> Case {
    Case(
      name: name,
      problem: try NavierStokes(
        grid: grid, viscosity: viscosity, times: times, timeStepping: timeStepping, dealiasing: dealiasing),
      isSmooth: isSmooth)
  }

  private static func cases() throws -> [Case] {
    [
      try flow("flow, given steps", .init(timeStep: 0.1, tolerance: 1e-14)),
      try flow(
        "flow, chosen steps, levels left", grid: 48, viscosity: 0.02, times: [0.1, 1], .init(tolerance: 1e-6),
        isSmooth: false),
      try flow("published terms, ETDRK4", .init(timeStep: 0.05), .productOnly),
      try flow("published scheme", .init(.eulerCrankNicolson, timeStep: 0.02), .productOnly),
      try flow("Heun", .init(.heunCrankNicolson, timeStep: 0.03, tolerance: 1e-14)),
      try flow(
        "Adams-Bashforth, unequal steps", times: [0.4, 0.53, 1],
        .init(.adamsBashforthCrankNicolson, timeStep: 0.05, tolerance: 1e-14)),
      Case(
        name: "Burgers, levels",
        problem: try Burgers(
          grid: 128, viscosity: 0.2, times: [0.5, 2], timeStepping: .init(timeStep: 0.05))),
      Case(
        name: "Burgers, Adams-Bashforth, chosen steps",
        problem: try Burgers(
          grid: 64, viscosity: 0.2, times: [0.2, 1], timeStepping: .init(.adamsBashforthCrankNicolson)),
        isSmooth: false),
    ]
  }

  private static func noise(_ shape: Shape, sample: Int) -> Tensor<Double> {
    var random = Philox(seed: 41, stream: .inputs, sample: sample)
    return random.normal(shape: shape)
  }

  /// Smooth random fields `[sample, 1, ...grid]`.
  private static func inputs(_ problem: any ViscousProblem, count: Int) -> Tensor<Double> {
    let grid = problem.gridShape
    let prior =
      grid.count == 1
      ? PeriodicGaussianField(grid: grid, sigma: 2, tau: 2, alpha: 3) : .navierStokes(grid: grid[0])
    return .stacking(
      (0..<count).map { sample in
        var random = Philox(seed: 42, stream: .inputs, sample: sample)
        return prior.sample(using: &random).reshaped(to: [1] + grid)
      })
  }

  private static func product(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double {
    zip(a.scalars, b.scalars).reduce(0) { $0 + $1.0 * $1.1 }
  }

  // Statements about one problem, whose type is not known at the call.

  private static func solutionsAreThoseOfTheProblems<Problem: ViscousProblem>(_ problem: Problem) throws {
    let w = inputs(problem, count: 3)
    let viscosities = [0.5, 1, 1.7].map { $0 * problem.viscosity }
    let family = ViscosityFamily(of: problem)
    let separate = try viscosities.enumerated().map { sample, viscosity in
      try problem.withViscosity(viscosity)(w[first: sample..<sample + 1])
    }
    let v = noise(separate[0].shape, sample: 9)
    let cotangents = Tensor.concatenating([v, v, v])
    let results = try withThreadCounts([1, 2, 3]) {
      try family.vectorJacobianProducts(w, parameters: viscosities) { _, range in cotangents[first: range] }
    }
    for result in results {
      #expect(result.solutions == .concatenating(separate))
      #expect(result.products == results[0].products)
      #expect(result.parameterProducts == results[0].parameterProducts)
    }
    #expect(try family.solutions(w, parameters: viscosities) == .concatenating(separate))
  }

  private static func tangentIsTheLimitOfDifferences<Problem: ViscousProblem>(
    _ problem: Problem, _ name: String
  ) throws {
    let w = inputs(problem, count: 1)
    let family = ViscosityFamily(of: problem)
    let nu = problem.viscosity
    let (solutions, tangent) = try family.jacobianVectorProducts(
      w, parameters: [nu], Tensor(shape: w.shape), parameterChanges: [nu])
    #expect(try problem(w) == solutions)
    // Central quotients: their error is that of the third derivative, proportional to the square of the distance.
    let errors = try [0.04, 0.02, 0.01].map { distance in
      let sides = try [1 + distance, 1 - distance].map { try problem.withViscosity($0 * nu)(w) }
      let quotient = Tensor(
        shape: tangent.shape,
        scalars: zip(sides[0].scalars, sides[1].scalars).map { ($0 - $1) / (2 * distance) })
      return relativeError(quotient, tangent)
    }
    print("\(name): difference quotients, errors \(errors), orders \(observedOrders(errors))")
    #expect(errors[2] < 1e-3)
    // The next term of the series is smaller by the square of the distance.
    #expect(observedOrders(errors).allSatisfy { abs($0 - 2) < 0.05 }, "\(errors)")
  }

  private static func adjointIsTheTransposeOfTheTangent<Problem: ViscousProblem>(_ problem: Problem) throws {
    let w = inputs(problem, count: 3)
    let viscosities = [0.8, 1, 1.3].map { $0 * problem.viscosity }
    let family = ViscosityFamily(of: problem)
    let d = noise(w.shape, sample: 1)
    // Without a direction of the field the viscosity's part stands alone.
    for direction in [d, Tensor(shape: w.shape)] {
      let changes = viscosities.map { 0.7 * $0 }
      let (solutions, tangents) = try family.jacobianVectorProducts(
        w, parameters: viscosities, direction, parameterChanges: changes)
      let v = noise(solutions.shape, sample: 2)
      let (again, products, ofViscosity) = try family.vectorJacobianProducts(w, parameters: viscosities) {
        part, range in
        #expect(part == solutions[first: range])
        return v[first: range]
      }
      #expect(again == solutions)
      for sample in 0..<3 {
        let range = sample..<sample + 1
        let left = product(tangents[first: range], v[first: range])
        let right =
          product(direction[first: range], products[first: range]) + changes[sample] * ofViscosity[sample]
        let size =
          (product(tangents[first: range], tangents[first: range])
          * product(v[first: range], v[first: range])).squareRoot()
        // Sums of thousands of rounded terms: round-off grows with the root of the number of operations.
        #expect(abs(left - right) < 1e-12 * size, "\(left) and \(right), sizes \(size)")
      }
    }
  }

  private static func severalCotangentsShareASolve<Problem: ViscousProblem>(_ problem: Problem) throws {
    let family = ViscosityFamily(of: problem)
    let w = inputs(problem, count: 1)
    let viscosity = 1.2 * problem.viscosity
    let solution = try problem.withViscosity(viscosity)(w)
    let v = noise([5] + solution.shape.dropFirst(), sample: 3)
    let separate = try (0..<5).map { number in
      try family.vectorJacobianProducts(w, parameters: [viscosity]) { _, _ in v[first: number..<number + 1] }
    }
    let results = try withThreadCounts([1, 2, 3]) {
      try family.vectorJacobianProducts(at: w, parameter: viscosity) { _ in v }
    }
    for result in results {
      #expect(result.solution == solution)
      #expect(result.products == .concatenating(separate.map(\.products)))
      #expect(result.parameterProducts == separate.flatMap(\.parameterProducts))
    }
  }

  @Test(arguments: try cases()) func solutionsAreThoseOfTheProblems(_ test: Case) throws {
    try Self.solutionsAreThoseOfTheProblems(test.problem)
  }

  @Test(arguments: try cases().filter(\.isSmooth)) func tangentIsTheLimitOfDifferences(_ test: Case) throws {
    try Self.tangentIsTheLimitOfDifferences(test.problem, test.name)
  }

  @Test(arguments: try cases()) func adjointIsTheTransposeOfTheTangent(_ test: Case) throws {
    try Self.adjointIsTheTransposeOfTheTangent(test.problem)
  }

  @Test(arguments: try cases()) func severalCotangentsShareASolve(_ test: Case) throws {
    try Self.severalCotangentsShareASolve(test.problem)
  }
}
