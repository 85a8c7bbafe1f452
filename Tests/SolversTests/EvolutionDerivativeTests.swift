import Solvers
import Tensors
import TestSupport
import Testing

/// The derivatives of the discrete solution maps, against differences of solutions and against each other.
@Suite struct EvolutionDerivativeTests {
  /// A problem, with the size of its inputs.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let problem: any SpectralProblem
    var scale = 1.0
    /// Whether inputs have a few large scales only.
    var isVerySmooth = false

    var testDescription: String { name }
  }

  private static func flow(
    _ name: String, grid: Int, viscosity: Double = 1e-3, times: [Double] = [0.4, 1],
    forcing: NavierStokes.Forcing = .kolmogorovDiagonal,
    _ timeStepping: TimeStepping = .init(tolerance: 1e-6),
    _ dealiasing: NavierStokes.Dealiasing = .twoThirds, isVerySmooth: Bool = false
  ) throws -> Case {
    var test = Case(
      name: name,
      problem: try NavierStokes(
        grid: grid, viscosity: viscosity, times: times, forcing: forcing, timeStepping: timeStepping,
        dealiasing: dealiasing))
    test.isVerySmooth = isVerySmooth
    return test
  }

  /// White noise: all wave numbers.
  private static let noise = NavierStokes.Forcing.field(
    field([1, 1, 22, 22], sample: 50).reshaped(to: [22, 22]))

  private static func cases() throws -> [Case] {
    [
      try flow("three recorded times, t = 0 among them", grid: 32, times: [0, 0.3, 1]),
      try flow("no forcing, 20 points", grid: 20, forcing: .none),
      try flow("rough forcing, 22 points", grid: 22, forcing: noise),
      try flow("levels left", grid: 48, viscosity: 0.02, times: [0.1, 1]),
      try flow("levels taken up again", grid: 48, times: [1, 2], isVerySmooth: true),
      try flow("given steps", grid: 18, .init(timeStep: 0.1)),
      try flow("aliased products", grid: 20, .init(tolerance: 1e-6), .none),
      try flow("published scheme", grid: 20, .init(.eulerCrankNicolson, timeStep: 0.02), .productOnly),
      try flow("published terms, ETDRK4, 18 points", grid: 18, .init(tolerance: 1e-6), .productOnly),
      try flow("Euler, chosen steps", grid: 16, viscosity: 1e-2, .init(.eulerCrankNicolson)),
      try flow("Heun", grid: 20, .init(.heunCrankNicolson, timeStep: 0.03)),
      try flow("Adams-Bashforth", grid: 20, times: [0.4, 0.53, 1], .init(.adamsBashforthCrankNicolson)),
      Case(
        name: "Burgers, levels", problem: try Burgers(grid: 256, viscosity: 0.2, times: [0.5, 2]), scale: 0.5),
      Case(
        name: "Burgers, Adams-Bashforth",
        problem: try Burgers(
          grid: 64, viscosity: 0.2, times: [0.2, 1], timeStepping: .init(.adamsBashforthCrankNicolson))),
      Case(name: "Korteweg-de Vries", problem: try KortewegDeVries(grid: 54, length: 20, times: [0.3, 1])),
      Case(
        name: "Kuramoto-Sivashinsky", problem: try KuramotoSivashinsky(grid: 50, length: 30, times: [2, 5])),
      Case(
        name: "Allen-Cahn, two dimensions",
        problem: try AllenCahn(grid: 32, dimensions: 2, diffusivity: 0.05, times: [0.5, 1])),
      Case(name: "advection", problem: try Advection(grid: 18, velocity: [0.3, -0.7], times: [0.5, 1])),
      Case(name: "heat", problem: try Heat(grid: 24, diffusivity: 0.01, times: [0.5, 1])),
    ]
  }

  private static func field(_ shape: Shape, sample: Int) -> Tensor<Double> {
    var random = Philox(seed: 31, stream: .inputs, sample: sample)
    return random.normal(shape: shape)
  }

  /// Smooth random fields `[sample, 1, ...grid]`: what the solvers are for.
  private func inputs(_ test: Case, count: Int = 1, first: Int = 0) -> Tensor<Double> {
    let grid = test.problem.gridShape
    let prior =
      grid.count == 1
      ? PeriodicGaussianField(grid: grid, sigma: 2, tau: 2, alpha: 3)
      : test.isVerySmooth
        ? PeriodicGaussianField(grid: grid, sigma: 1e10, tau: 1, alpha: 13) : .navierStokes(grid: grid[0])
    let fields = (first..<first + count).map { sample in
      var random = Philox(seed: 32, stream: .inputs, sample: sample)
      return Tensor(
        shape: [1] + grid, scalars: prior.sample(using: &random).scalars.map { test.scale * $0 })
    }
    return .stacking(fields)
  }

  private func combination(_ a: Tensor<Double>, _ factor: Double, _ b: Tensor<Double>) -> Tensor<Double> {
    Tensor(shape: a.shape, scalars: zip(a.scalars, b.scalars).map { $0 + factor * $1 })
  }

  private func product(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double {
    zip(a.scalars, b.scalars).reduce(0) { $0 + $1.0 * $1.1 }
  }

  private func norm(_ a: Tensor<Double>) -> Double { product(a, a).squareRoot() }

  // MARK: - Tangent

  @Test(arguments: try cases()) func tangentIsTheLimitOfDifferences(_ test: Case) throws {
    let w = inputs(test)
    let d = inputs(test, first: 100)
    let (solutions, tangent) = try test.problem.jacobianVectorProducts(w, d)
    #expect(try test.problem(w) == solutions)
    #expect(try test.problem.solutions(of: w, withStepsOf: w) == solutions, "not the steps of the solve")
    let isLinear = test.problem is Advection || test.problem is Heat
    // One-sided quotients: their error is that of the second derivative, proportional to the distance.
    let distances = isLinear ? [0.5] : [4e-4, 2e-4, 1e-4]
    let errors = try distances.map { distance in
      let moved = try test.problem.solutions(of: combination(w, distance, d), withStepsOf: w)
      let quotient = combination(moved, -1, solutions).scalars.map { $0 / distance }
      return relativeError(Tensor(shape: moved.shape, scalars: quotient), tangent)
    }
    if isLinear {
      // Round-off of a hundred operations.
      #expect(errors[0] < 1e-13)
    } else {
      print("\(test.name): difference quotients, errors \(errors), orders \(observedOrders(errors))")
      #expect(errors[2] < 1e-2)
      // The next term of the series is smaller by the distance; round-off is 1e-16 / 1e-4 of errors of 1e-5.
      #expect(observedOrders(errors).allSatisfy { abs($0 - 1) < 0.02 }, "\(errors)")
    }
  }

  // MARK: - Adjoint

  @Test(arguments: try cases()) func adjointIsTheTransposeOfTheTangent(_ test: Case) throws {
    let w = inputs(test, count: 3)
    // White noise: every wave number up to the Nyquist frequency, the mean, all recorded times.
    let d = Self.field(w.shape, sample: 1)
    let (solutions, tangents) = try test.problem.jacobianVectorProducts(w, d)
    let v = Self.field(solutions.shape, sample: 2)
    let (again, products) = try test.problem.vectorJacobianProducts(w) { part, range in
      #expect(part == solutions[first: range])
      return v[first: range]
    }
    #expect(again == solutions)
    for sample in 0..<3 {
      let range = sample..<sample + 1
      let left = product(tangents[first: range], v[first: range])
      let right = product(d[first: range], products[first: range])
      let size = norm(tangents[first: range]) * norm(v[first: range])
      // Sums of thousands of rounded terms: round-off grows with the root of the number of operations.
      #expect(abs(left - right) < 1e-13 * size, "\(left) and \(right), sizes \(size)")
    }
  }

  /// A Jacobian, entry by entry, from unit vectors on both sides.
  @Test func columnsOfTheTangentAreRowsOfTheAdjoint() throws {
    let flow = try NavierStokes(
      grid: 8, viscosity: 1e-2, times: [0.5], timeStepping: .init(tolerance: 1e-5))
    let w = Self.field([1, 1, 8, 8], sample: 3)
    let units = Tensor<Double>(shape: [64, 1, 8, 8]) { values in
      values.update(repeating: 0)
      for row in 0..<64 { values[65 * row] = 1 }
    }
    let (solution, rows) = try flow.vectorJacobianProducts(at: w) { _ in units }
    #expect(try flow(w) == solution)
    let columns = try flow.jacobianVectorProducts(
      .concatenating(Array(repeating: w, count: 64)), units
    ).products.scalars
    let transposed = (0..<64).flatMap { row in (0..<64).map { columns[64 * $0 + row] } }
    #expect(largestDifference(rows, Tensor(shape: rows.shape, scalars: transposed)) < 1e-14)
    // Constants are not transported, and nothing has a mean.
    #expect(abs(rows.scalars.reduce(0, +)) < 1e-12)
  }

  // MARK: - Memory, several cotangents, threads

  @Test(arguments: try cases()) func repeatedStatesAreTheSame(_ test: Case) throws {
    let w = inputs(test)
    var evolution = try test.problem.makeEvolution()
    let steps = try evolution.steps(of: w)
    let v = Self.field([1, test.problem.times.count] + test.problem.gridShape, sample: 4)
    let whole = try evolution.adjoints(of: w) { _, _ in v }
    for capacity in [2, 4, 6] {
      evolution.capacity = capacity
      let thinned = try evolution.adjoints(of: w) { _, _ in v }
      #expect(thinned.solutions == whole.solutions)
      #expect(thinned.products == whole.products, "\(capacity) of \(steps.sizes.count + 1) states")
    }
  }

  @Test func theCasesCoverWhatTheyAreFor() throws {
    for test in try Self.cases() {
      let (sizes, resolutions) = try test.problem.makeEvolution().steps(of: inputs(test))
      print("\(test.name): \(sizes.count) steps, resolutions \(Set(resolutions).sorted())")
      #expect(resolutions.count == sizes.count + 1)
      if test.name.contains("levels") { #expect(Set(resolutions).count > 1) }
      if test.name.contains("taken up again") {
        #expect(zip(resolutions, resolutions.dropFirst()).contains { $0 > $1 })
      }
    }
  }

  @Test func severalCotangentsShareASolve() throws {
    let flow = try NavierStokes(grid: 24, viscosity: 1e-3, times: [0.5, 1])
    let test = Case(name: "flow", problem: flow)
    let w = inputs(test)
    let v = Self.field([5, 2, 24, 24], sample: 5)
    let separate = try (0..<5).map { number in
      try flow.vectorJacobianProducts(w) { _, _ in v[first: number..<number + 1] }.products
    }
    for result in try withThreadCounts([1, 2, 3], { try flow.vectorJacobianProducts(at: w) { _ in v } }) {
      #expect(try flow(w) == result.solution)
      #expect(Tensor.concatenating(separate) == result.products)
    }
  }

  @Test func resultsDoNotDependOnTheNumberOfThreads() throws {
    let flow = try NavierStokes(grid: 24, viscosity: 1e-3, times: [1])
    let w = inputs(Case(name: "flow", problem: flow), count: 5)
    let v = Self.field(w.shape, sample: 6)
    let results = try withThreadCounts([1, 2, 3, 8]) {
      try flow.vectorJacobianProducts(w) { _, range in v[first: range] }
    }
    for result in results {
      #expect(result.solutions == results[0].solutions)
      #expect(result.products == results[0].products)
    }
  }

  /// Grids of several blocks, the last of which are smaller.
  @Test func threadsShareASingleField() throws {
    let n = 148
    let cases = try [
      Case(name: "flow", problem: NavierStokes(grid: n, viscosity: 1e-3, times: [0.1])),
      Case(
        name: "aliased flow", problem: NavierStokes(grid: n, viscosity: 1e-3, times: [0.1], dealiasing: .none)
      ),
      Case(name: "phases", problem: AllenCahn(grid: n, dimensions: 2, diffusivity: 1e-3, times: [0.1])),
    ]
    for test in cases {
      let w = inputs(test)
      let results = try withThreadCounts([1, 2, 3, 7]) {
        try test.problem.makeEvolution().adjoints(of: w) { solution, _ in solution }
      }
      for result in results {
        #expect(result.solutions.scalars == results[0].solutions.scalars, "\(test.name)")
        #expect(result.products.scalars == results[0].products.scalars, "\(test.name)")
      }
    }
  }

  // MARK: - Failures

  @Test func failuresAreThoseOfTheSolve() throws {
    let flow = try NavierStokes(
      grid: 16, viscosity: 1e-3, times: [1], timeStepping: .init(.eulerCrankNicolson, timeStep: 0.05))
    let gentle = inputs(Case(name: "flow", problem: flow), count: 3).scalars
    let w = Tensor(shape: [3, 1, 16, 16], scalars: gentle.enumerated().map { $0 / 256 == 1 ? 1e4 * $1 : $1 })
    func failure(_ body: () throws -> Void) -> SolverError? {
      do { try body() } catch { return error as? SolverError }
      return nil
    }
    let expected = failure { _ = try flow(w) }
    guard case .blowUp(sample: 1, _, _)? = expected else {
      Issue.record("the solve ended with \(String(describing: expected))")
      return
    }
    #expect(failure { _ = try flow.vectorJacobianProducts(w) { part, _ in part } } == expected)
    #expect(failure { _ = try flow.jacobianVectorProducts(w, w) } == expected)
    let front = try Burgers(grid: 32, viscosity: 1e-3)
    let sine = Tensor<Double>(shape: [1, 1, 32], scalars: (0..<32).map { $0 < 16 ? 1 : -1 })
    guard case .underResolved? = failure({ _ = try front.vectorJacobianProducts(sine) { part, _ in part } })
    else {
      Issue.record("a front on 32 points passed")
      return
    }
    let broken = Tensor<Double>(shape: [1, 1, 16, 16], repeating: .nan)
    guard case .invalidProblem? = failure({ _ = try flow.jacobianVectorProducts(broken, broken) }) else {
      Issue.record("a field that is not finite passed")
      return
    }
  }

  @Test func aCotangentsErrorIsPassedOn() throws {
    struct Refusal: Error {}
    let flow = try NavierStokes(grid: 16, viscosity: 1e-2, times: [0.1])
    #expect(throws: Refusal.self) {
      try flow.vectorJacobianProducts(inputs(Case(name: "flow", problem: flow))) { _, _ in throw Refusal() }
    }
  }
}
