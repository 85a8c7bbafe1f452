import Foundation
import Solvers
import Synchronization
import Tensors
import TestSupport
import Testing

/// Darcy flow against exact solutions and a dense direct solver.
@Suite struct DarcyFlowTests {
  private func field(_ n: Int, _ value: (_ x: Double, _ y: Double) -> Double) -> Tensor<Double> {
    Tensor(shape: [n, n]) { values in
      for i in 0..<n {
        for j in 0..<n { values[i * n + j] = value(Double(i) / Double(n - 1), Double(j) / Double(n - 1)) }
      }
    }
  }

  private func permeability(_ n: Int, sample: Int) -> Tensor<Double> {
    var random = Philox(seed: 21, stream: .inputs, sample: sample)
    return ThresholdedField.darcy(grid: n).sample(using: &random).reshaped(to: [1, 1, n, n])
  }

  /// The error for u = sin πx · sin 2πy · e^x with a = 2 + x + sin 3y, f = −∇·(a∇u) worked out by hand.
  private func manufacturedError(_ n: Int, _ mean: DarcyFlow.FaceCoefficient) throws -> Double {
    let pi = Double.pi
    let exact = field(n) { x, y in sin(pi * x) * sin(2 * pi * y) * exp(x) }
    let source = field(n) { x, y in
      let (s, c, e) = (sin(pi * x), cos(pi * x), exp(x))
      let slopeX = sin(2 * pi * y) * e * (s + pi * c)
      let slopeY = 2 * pi * cos(2 * pi * y) * e * s
      let laplacian = sin(2 * pi * y) * e * (s + 2 * pi * c - pi * pi * s - 4 * pi * pi * s)
      return -((2 + x + sin(3 * y)) * laplacian + slopeX + 3 * cos(3 * y) * slopeY)
    }
    let coefficient = field(n) { x, y in 2 + x + sin(3 * y) }
    let solver = try DarcyFlow(grid: n, source: .field(source), faceCoefficient: mean)
    let solution = try solver(coefficient.reshaped(to: [1, 1, n, n]))
    return relativeError(solution.reshaped(to: [n, n]), exact)
  }

  @Test(arguments: DarcyFlow.FaceCoefficient.allCases)
  func orderInSpace(_ mean: DarcyFlow.FaceCoefficient) throws {
    let errors = try [17, 33, 65, 129].map { try manufacturedError($0, mean) }
    print("Darcy, \(mean.rawValue): errors \(errors), observed orders in space \(observedOrders(errors))")
    // The next term of the error is (πh)² of the first, at most 4 %.
    #expect(observedOrders(errors).allSatisfy { abs($0 - 2) < 0.05 })
  }

  /// The error for two layers, 10 and 1, that meet half way between vertices: u = v(x) sin πy, where v and a v' are
  /// continuous at x = ½ and v'' is not zero on the right.
  private func layeredError(_ n: Int, _ mean: DarcyFlow.FaceCoefficient) throws -> Double {
    let (left, right) = (10.0, 1.0)
    let ratio = left / right
    let (beta, delta) = (2 + ratio, -2 * (1 + ratio))
    func profile(_ x: Double) -> Double { x < 0.5 ? x : beta * (1 - x) + delta * (1 - x) * (1 - x) }
    let exact = field(n) { x, y in profile(x) * sin(.pi * y) }
    let source = field(n) { x, y in
      let across = Double.pi * Double.pi * profile(x)
      return (x < 0.5 ? left * across : right * (across - 2 * delta)) * sin(.pi * y)
    }
    let coefficient = field(n) { x, _ in x < 0.5 ? left : right }
    let solver = try DarcyFlow(grid: n, source: .field(source), faceCoefficient: mean)
    return relativeError(try solver(coefficient.reshaped(to: [1, 1, n, n])).reshaped(to: [n, n]), exact)
  }

  @Test(arguments: DarcyFlow.FaceCoefficient.allCases)
  func orderAtAJump(_ mean: DarcyFlow.FaceCoefficient) throws {
    // An even number of vertices: the jump is on faces.
    let errors = try [32, 64, 128, 256].map { try layeredError($0, mean) }
    let orders = zip(errors, errors.dropFirst()).enumerated().map { index, pair in
      let cells = Double(32 << index)
      return log(pair.0 / pair.1) / log((2 * cells - 1) / (cells - 1))
    }
    print("Darcy, layers, \(mean.rawValue): errors \(errors), observed orders in space \(orders)")
    // The harmonic mean is the resistance of half a cell of each layer, exactly; with the arithmetic mean the layers
    // meet half a cell elsewhere.
    let order = mean == .harmonicMean ? 2.0 : 1.0
    #expect(orders.allSatisfy { abs($0 - order) < 0.05 })
  }

  // The same function on nested grids; its jumps cross the grid at any angle.
  @Test(.enabled(if: runsDeepTests)) func deepOrderForThePapersCoefficients() throws {
    func solution(_ n: Int, _ mean: DarcyFlow.FaceCoefficient) throws -> Tensor<Double> {
      try DarcyFlow(grid: n, faceCoefficient: mean)(permeability(n, sample: 2)).reshaped(to: [n, n])
    }
    let reference = try solution(1665, .harmonicMean)
    for mean in DarcyFlow.FaceCoefficient.allCases {
      let errors = try [53, 105, 209, 417].map { n in
        relativeError(try solution(n, mean), everyPoint(of: reference, on: n))
      }
      print(
        "Darcy, papers' coefficients, \(mean.rawValue): errors \(errors), orders \(observedOrders(errors))")
      // First order, by where the jumps are on the grid: erratic from one halving to the next.
      #expect(errors[3] < errors[0] / 4)
    }
  }

  @Test(.enabled(if: runsDeepTests)) func deepOrderForLogNormalCoefficients() throws {
    func solution(_ n: Int, _ mean: DarcyFlow.FaceCoefficient) throws -> Tensor<Double> {
      var random = Philox(seed: 21, stream: .inputs, sample: 2)
      let field = NeumannGaussianField(grid: [n, n], sigma: 10, tau: 3, alpha: 2)
      let a = LogNormalField(field).sample(using: &random).reshaped(to: [1, 1, n, n])
      return everyPoint(of: try DarcyFlow(grid: n, faceCoefficient: mean)(a).reshaped(to: [n, n]), on: 43)
    }
    let reference = try solution(1345, .harmonicMean)
    for mean in DarcyFlow.FaceCoefficient.allCases {
      let errors = try [43, 85, 169, 337].map { relativeError(try solution($0, mean), reference) }
      print("Darcy, log-normal, \(mean.rawValue): errors \(errors), orders \(observedOrders(errors))")
      // The field gains modes with the grid, and with α = 2 it has not the four derivatives that order two takes.
      #expect(observedOrders(errors).allSatisfy { $0 > 1.6 })
    }
  }

  /// The points of a field that a coarser grid has too.
  private func everyPoint(of field: Tensor<Double>, on n: Int) -> Tensor<Double> {
    let stride = (field.shape[0] - 1) / (n - 1)
    return Tensor(shape: [n, n]) { values in
      for i in 0..<n { for j in 0..<n { values[i * n + j] = field[i * stride, j * stride] } }
    }
  }

  /// The pressure by Gaussian elimination on the dense matrix of the five-point scheme.
  private func denseSolution(
    _ a: [Double], _ n: Int, face: (Double, Double) -> Double, source: Double
  ) -> [Double] {
    let inner = n - 2
    let count = inner * inner
    let h = 1 / Double(n - 1)
    var matrix = [[Double]](repeating: [Double](repeating: 0, count: count + 1), count: count)
    for i in 1...inner {
      for j in 1...inner {
        let row = (i - 1) * inner + j - 1
        matrix[row][count] = source
        for (di, dj) in [(0, 1), (0, -1), (1, 0), (-1, 0)] {
          let (k, l) = (i + di, j + dj)
          let flux = face(a[i * n + j], a[k * n + l]) / (h * h)
          matrix[row][row] += flux
          if (1...inner).contains(k), (1...inner).contains(l) {
            matrix[row][(k - 1) * inner + l - 1] -= flux
          }
        }
      }
    }
    for pivot in 0..<count {  // diagonally dominant: no exchanges needed
      for row in pivot + 1..<max(count, pivot + 1) where matrix[row][pivot] != 0 {
        let factor = matrix[row][pivot] / matrix[pivot][pivot]
        for column in pivot...count { matrix[row][column] -= factor * matrix[pivot][column] }
      }
    }
    var x = [Double](repeating: 0, count: count)
    for row in stride(from: count - 1, through: 0, by: -1) {
      let known = (row + 1..<max(count, row + 1)).reduce(0.0) { $0 + matrix[row][$1] * x[$1] }
      x[row] = (matrix[row][count] - known) / matrix[row][row]
    }
    var result = [Double](repeating: 0, count: n * n)
    for i in 0..<inner { for j in 0..<inner { result[(i + 1) * n + j + 1] = x[i * inner + j] } }
    return result
  }

  // From one unknown to three levels, with every remainder that coarsening meets.
  @Test(arguments: [3, 4, 5, 7, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18])
  func agreesWithADirectSolver(_ n: Int) throws {
    let coefficient = permeability(n, sample: n)
    for mean in DarcyFlow.FaceCoefficient.allCases {
      let solver = try DarcyFlow(grid: n, source: .constant(2), faceCoefficient: mean, tolerance: 1e-12)
      func face(_ a: Double, _ b: Double) -> Double {
        mean == .arithmeticMean ? (a + b) / 2 : 2 * a * b / (a + b)
      }
      let exact = denseSolution(coefficient.scalars, n, face: face, source: 2)
      // The error is at most the residual times the condition number, about 4 (n − 1)² · 4/π² < 500.
      #expect(
        relativeError(try solver(coefficient), Tensor(shape: [1, 1, n, n], scalars: exact)) < 5e-10)
    }
  }

  /// ‖f − A u‖ / ‖f‖ over the inner vertices for f = 1, by differences of neighbours, row after row.
  private func relativeResidual(
    _ a: Tensor<Double>, _ u: Tensor<Double>, _ n: Int, _ mean: DarcyFlow.FaceCoefficient = .arithmeticMean
  ) -> Double {
    withPointers(a, u) { a, u in
      let scale = Double((n - 1) * (n - 1))
      var sum = 0.0
      for i in 1..<n - 1 {
        for p in i * n + 1..<i * n + n - 1 {
          var flux = 0.0
          for q in [p - n, p + n, p - 1, p + 1] {
            let face = mean == .arithmeticMean ? 0.5 * (a[p] + a[q]) : 2 * a[p] * a[q] / (a[p] + a[q])
            flux += face * (u[p] - u[q])
          }
          sum += (scale * flux - 1) * (scale * flux - 1)
        }
      }
      return (sum / Double((n - 2) * (n - 2))).squareRoot()
    }
  }

  @Test func theTrueResidualMeetsTheToleranceOnEveryGrid() throws {
    var iterations: [Int: Int] = [:]
    for n in [85, 421, 1681] {
      let a = permeability(n, sample: 0)
      let reported = Mutex((iterations: 0, residual: 0.0))
      let clock = ContinuousClock()
      let start = clock.now
      let u = try DarcyFlow(grid: n).solve(a) { _, iterations, residual in
        reported.withLock { $0 = (iterations, residual) }
      }
      let time = clock.now - start
      let (count, given) = reported.withLock { $0 }
      let residual = relativeResidual(a, u, n)
      print("Darcy, n = \(n): \(count) iterations, true residual \(residual), \(time)")
      // The same numbers in another order differ by what rounds in the residual, 2⁻⁵³ a |∇u| (n − 1) / f < 10⁻¹².
      #expect(given <= 1e-10 && residual <= 1.01e-10 && abs(residual - given) < 1e-12)
      iterations[n] = count
    }
    #expect(iterations[1681]! <= iterations[85]! + 2)
  }

  // MARK: - High contrast

  enum Pattern: String, CaseIterable {
    case thresholdedField, checkerboard, blocks, channels, twoValuedVertices, logUniformVertices
  }

  /// A coefficient between 1 and `contrast`.
  private func coefficient(_ pattern: Pattern, _ contrast: Double, _ n: Int) -> Tensor<Double> {
    let lower = 3.0
    var random = Philox(seed: 22, stream: .inputs, sample: n)
    let values = (0..<n * n).map { point -> Double in
      let (i, j) = (point / n, point % n)
      switch pattern {
      case .thresholdedField: return 1
      case .checkerboard: return (i + j).isMultiple(of: 2) ? 1 : contrast
      case .blocks: return (8 * i / n + 8 * j / n).isMultiple(of: 2) ? 1 : contrast
      case .channels: return i % 9 == 4 || (j % 13 == 5 && i < n / 2) ? contrast : 1
      // The share at which the sites of one value just connect: the hardest.
      case .twoValuedVertices: return random.nextUniform() < 0.59 ? contrast : 1
      case .logUniformVertices: return pow(contrast, random.nextUniform())
      }
    }
    guard pattern == .thresholdedField else { return Tensor(shape: [1, 1, n, n], scalars: values) }
    let scalars = permeability(n, sample: 1).scalars.map { $0 > lower ? contrast : 1 }
    return Tensor(shape: [1, 1, n, n], scalars: scalars)
  }

  /// Solves with high contrast; nil if the solver says that it did not converge.
  private func solveWithContrast(
    _ pattern: Pattern, _ contrast: Double, _ n: Int, _ mean: DarcyFlow.FaceCoefficient
  ) throws -> Int? {
    let a = coefficient(pattern, contrast, n)
    let counts = Mutex((iterations: 0, residual: 0.0))
    let clock = ContinuousClock()
    let start = clock.now
    do {
      let u = try DarcyFlow(grid: n, faceCoefficient: mean).solve(a) { _, iterations, residual in
        counts.withLock { $0 = (iterations, residual) }
      }
      let (iterations, reported) = counts.withLock { $0 }
      let residual = relativeResidual(a, u, n, mean)
      // What rounding leaves: half a unit of every u, times the couplings.
      let rounding = 0x1p-53 * a.scalars.max()! * 8 * u.scalars.max()! * Double((n - 1) * (n - 1))
      print(
        "Darcy, \(pattern.rawValue), contrast \(contrast), n = \(n), \(mean.rawValue): \(iterations) iterations, "
          + "residual \(residual), \(clock.now - start)")
      #expect(residual <= 1e-10 + rounding && abs(reported - residual) <= 1e-10 + 0.01 * residual)
      #expect(u.scalars.allSatisfy { $0 >= 0 && $0 <= 1 / (4 * Double.pi) })
      return iterations
    } catch SolverError.noConvergence(_, let iterations, let residual) {
      print(
        "Darcy, \(pattern.rawValue), contrast \(contrast), n = \(n), \(mean.rawValue): NO after \(iterations) iterations, "
          + "residual \(residual), \(clock.now - start)")
      #expect(residual > 1e-10)
      return nil
    }
  }

  @Test(arguments: Pattern.allCases, DarcyFlow.FaceCoefficient.allCases)
  func highContrast(_ pattern: Pattern, _ mean: DarcyFlow.FaceCoefficient) throws {
    for contrast in [1e2, 1e4, 1e6] {
      #expect(try solveWithContrast(pattern, contrast, 65, mean) != nil)
    }
  }

  @Test(.enabled(if: runsDeepTests), arguments: Pattern.allCases, DarcyFlow.FaceCoefficient.allCases)
  func deepHighContrast(_ pattern: Pattern, _ mean: DarcyFlow.FaceCoefficient) throws {
    for contrast in [1e2, 1e4, 1e6] {
      #expect(try solveWithContrast(pattern, contrast, 421, mean) != nil)
    }
  }

  // Far beyond: it may fail, but must say so.
  @Test(arguments: Pattern.allCases, DarcyFlow.FaceCoefficient.allCases)
  func absurdContrast(_ pattern: Pattern, _ mean: DarcyFlow.FaceCoefficient) throws {
    for contrast in [1e9, 1e13] { _ = try solveWithContrast(pattern, contrast, 65, mean) }
  }

  @Test(arguments: Pattern.allCases, DarcyFlow.FaceCoefficient.allCases)
  func highContrastAgreesWithADirectSolver(_ pattern: Pattern, _ mean: DarcyFlow.FaceCoefficient) throws {
    let n = 18
    let a = coefficient(pattern, 1e6, n)
    func face(_ a: Double, _ b: Double) -> Double {
      mean == .arithmeticMean ? (a + b) / 2 : 2 * a * b / (a + b)
    }
    let exact = denseSolution(a.scalars, n, face: face, source: 1)
    let error = relativeError(
      try DarcyFlow(grid: n, faceCoefficient: mean)(a), Tensor(shape: a.shape, scalars: exact))
    print("Darcy, \(pattern.rawValue), contrast 1e6, n = 18, \(mean.rawValue): relative error \(error)")
    // At most the residual over the smallest eigenvalue, 2π² min a = 20: 5e-12, of pressures of 1e-3 or more (less
    // where no face is weak, but then the eigenvalue is as much larger).
    #expect(error < 1e-8)
  }

  @Test func iterationsDoNotGrowWithTheGrid() throws {
    var worst: [Int: Int] = [:]
    for n in [33, 64, 85, 94, 141, 211, 421] {
      let solver = try DarcyFlow(grid: n)
      let counts = Mutex<[Int]>([])
      let inputs = (0..<2).map { permeability(n, sample: $0).reshaped(to: [1, n, n]) }
      let clock = ContinuousClock()
      let time = try clock.measure {
        _ = try solver.solve(.stacking(inputs)) { _, iterations, residual in
          #expect(residual <= 1e-10)
          counts.withLock { $0.append(iterations) }
        }
      }
      worst[n] = counts.withLock { $0.max() ?? 0 }
      print("Darcy, n = \(n): \(counts.withLock { $0 }) iterations, \(time) for two samples")
    }
    // Convergence that depends on h only through the coefficient's jumps: the textbook behaviour of multigrid.
    #expect(worst.values.max()! <= 20)
    #expect(worst[421]! <= worst[33]! + 6)
  }

  @Test func statisticsOfThePublishedData() throws {
    // Published normalisation constants of the 241² file: mean 5.746e-3, standard deviation 3.884e-3. With 4 for
    // 3 as the lower value the mean would be 15 % lower, which this tells; whether it is met exactly is for
    // DarcyStatisticsTests.
    let (n, samples) = (61, 200)
    let inputs = (0..<samples).map { permeability(n, sample: $0).reshaped(to: [1, n, n]) }
    let values = try DarcyFlow(grid: n)(.stacking(inputs)).scalars
    let means = (0..<samples).map { sample in
      // The average over cells, which leaves out the weight of the zero boundary.
      values[sample * n * n..<(sample + 1) * n * n].reduce(0, +) / Double((n - 1) * (n - 1))
    }
    let mean = means.reduce(0, +) / Double(samples)
    let spread = (means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(samples)).squareRoot()
    print("Darcy: mean pressure \(mean), standard error \(spread / Double(samples).squareRoot())")
    #expect(abs(mean - 5.746e-3) < 4 * spread / Double(samples).squareRoot() + 0.01 * mean)
    #expect(values.allSatisfy { $0 >= 0 })  // maximum principle
  }

  @Test func boundaryValuesAreExactlyZero() throws {
    let n = 20
    let u = try DarcyFlow(grid: n)(permeability(n, sample: 3)).reshaped(to: [n, n])
    for i in 0..<n {
      #expect(u[0, i] == 0 && u[n - 1, i] == 0 && u[i, 0] == 0 && u[i, n - 1] == 0)
      if i > 0, i < n - 1 { #expect(u[i, 1] > 0 && u[1, i] > 0) }
    }
  }

  @Test func theFluxBalancesTheSource() throws {
    // Summed over the inner vertices, the fluxes through inner faces cancel: what leaves through the faces next
    // to the boundary is the source times the area, to the tolerance times the number of unknowns' root.
    let n = 30
    let a = permeability(n, sample: 4)
    let u = try DarcyFlow(grid: n)(a)
    var outflow = 0.0
    for i in 1..<n - 1 {
      for (k, l, p, q) in [(i, 1, i, 0), (i, n - 2, i, n - 1), (1, i, 0, i), (n - 2, i, n - 1, i)] {
        outflow += 0.5 * (a[0, 0, k, l] + a[0, 0, p, q]) * u[0, 0, k, l]
      }
    }
    let source = Double((n - 2) * (n - 2)) / Double((n - 1) * (n - 1))
    #expect(abs(outflow - source) < 1e-8)
  }

  @Test func theSolutionScalesWithSourceAndPermeability() throws {
    let n = 25
    let a = permeability(n, sample: 5)
    let u = try DarcyFlow(grid: n, source: .constant(1))(a)
    let scaled = Tensor(shape: a.shape, scalars: a.scalars.map { 4 * $0 })
    let v = try DarcyFlow(grid: n, source: .constant(8))(scaled)
    let expected = Tensor(shape: u.shape, scalars: u.scalars.map { 2 * $0 })
    // Powers of two change no rounding.
    #expect(v == expected)
    #expect(try DarcyFlow(grid: n, source: .constant(0))(a).scalars.allSatisfy { $0 == 0 })
  }

  @Test func impossibleProblemsAreRefused() throws {
    #expect(throws: SolverError.self) { try DarcyFlow(grid: 2) }
    #expect(throws: SolverError.self) { try DarcyFlow(grid: 9, tolerance: 0) }
    #expect(throws: SolverError.self) { try DarcyFlow(grid: 9, source: .constant(.infinity)) }
    #expect(throws: SolverError.self) { try DarcyFlow(grid: 9, source: .field(Tensor(shape: [8, 8]))) }
    let solver = try DarcyFlow(grid: 9)
    #expect(throws: SolverError.self) { try solver(Tensor(shape: [1, 1, 9, 8], repeating: 1)) }
    for value in [0, -3, Double.infinity, .nan] {
      var a = Tensor<Double>(shape: [3, 1, 9, 9], repeating: 1)
      a[1, 0, 2, 3] = value
      a[2, 0, 2, 3] = value
      do {
        _ = try solver(a)
        Issue.record("no error for \(value)")
      } catch SolverError.invalidProblem(let message) {
        #expect(message.hasPrefix("the permeability of sample 1 is not "))
      }
    }
  }

  @Test func slowConvergenceIsAnError() throws {
    let solver = try DarcyFlow(grid: 40, maximumIterations: 2)
    do {
      _ = try solver(permeability(40, sample: 0))
      Issue.record("no error")
    } catch SolverError.noConvergence(let sample, let iterations, let residual) {
      #expect(sample == 0 && iterations == 2 && residual > 1e-10 && residual < 1)
    }
  }
}
