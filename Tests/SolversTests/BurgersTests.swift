import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// Burgers' equation against the Cole–Hopf solution (Hopf 1950, Cole 1951).
@Suite struct BurgersTests {
  /// The modified Bessel function I_n by its power series; all terms are positive, nothing cancels.
  private func besselI(_ order: Int, _ x: Double) -> Double {
    var term = 1.0
    for k in 0..<order { term *= 0.5 * x / Double(k + 1) }
    var sum = term
    for k in 1..<200 {
      term *= 0.25 * x * x / (Double(k) * Double(k + order))
      sum += term
    }
    return sum
  }

  /// u(x, t) from u(x, 0) = sin x: u = −2ν φ_x / φ with φ = Σ I_n(1/2ν) e^{inx − n²νt}.
  private func sineSolution(grid: Int, viscosity: Double, time: Double) -> [Double] {
    let coefficients = (0..<80).map { n in
      besselI(n, 0.5 / viscosity) * exp(-Double(n * n) * viscosity * time)
    }
    return (0..<grid).map { index in
      let x = 2 * Double.pi * Double(index) / Double(grid)
      var (phi, slope) = (coefficients[0], 0.0)
      for n in 1..<80 {
        phi += 2 * coefficients[n] * cos(Double(n) * x)
        slope -= 2 * Double(n) * coefficients[n] * sin(Double(n) * x)
      }
      return -2 * viscosity * slope / phi
    }
  }

  /// u(·, t) from any smooth u(·, 0) of mean zero, by direct Fourier sums and the exact heat kernel.
  private func coleHopf(_ initial: [Double], viscosity: Double, time: Double) -> [Double] {
    let n = initial.count
    let cosines = (0..<n).map { cos(2 * Double.pi * Double($0) / Double(n)) }
    let sines = (0..<n).map { sin(2 * Double.pi * Double($0) / Double(n)) }
    func coefficients(_ f: [Double]) -> [(Double, Double)] {
      (0..<n / 2).map { k in
        var (a, b) = (0.0, 0.0)
        for j in 0..<n {
          a += f[j] * cosines[k * j % n]
          b += f[j] * sines[k * j % n]
        }
        let scale = (k == 0 ? 1 : 2) / Double(n)
        return (a * scale, b * scale)
      }
    }
    func values(_ c: [(Double, Double)]) -> [Double] {
      (0..<n).map { j in
        c.indices.reduce(0) { $0 + c[$1].0 * cosines[$1 * j % n] + c[$1].1 * sines[$1 * j % n] }
      }
    }
    let integral = coefficients(initial).enumerated().map { k, c in
      k == 0 ? (0, 0) : (-c.1 / Double(k), c.0 / Double(k))
    }
    let phi = coefficients(values(integral).map { exp(-$0 / (2 * viscosity)) }).enumerated().map { k, c in
      let decay = exp(-Double(k * k) * viscosity * time)
      return (c.0 * decay, c.1 * decay)
    }
    let slope = phi.enumerated().map { k, c in (Double(k) * c.1, -Double(k) * c.0) }
    return zip(values(slope), values(phi)).map { -2 * viscosity * $0 / $1 }
  }

  private func sine(_ n: Int) -> Tensor<Double> {
    Tensor(shape: [1, 1, n], scalars: (0..<n).map { sin(2 * Double.pi * Double($0) / Double(n)) })
  }

  private func error(_ solution: Tensor<Double>, _ exact: [Double]) -> Double {
    relativeError(solution, Tensor(shape: solution.shape, scalars: exact))
  }

  @Test func theTwoColeHopfFormulasAgree() {
    let a = coleHopf(sine(256).scalars, viscosity: 0.1, time: 1)
    let b = sineSolution(grid: 256, viscosity: 0.1, time: 1)
    // φ spans a factor e^{1/ν} = e^{10}, which costs five of sixteen digits.
    #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-10 })
  }

  @Test(arguments: TimeScheme.allCases)
  func orderInTime(_ scheme: TimeScheme) throws {
    // 128 points resolve the solution to 2e-9, 256 to round-off.
    let n = 256
    let exact = sineSolution(grid: n, viscosity: 0.1, time: 1)
    let steps = scheme == .etdrk4 ? [0.025, 0.0125, 0.00625] : [0.02, 0.01, 0.005, 0.0025]
    let errors = try steps.map { step in
      let solver = try Burgers(grid: n, viscosity: 0.1, timeStepping: .init(scheme, timeStep: step))
      return error(try solver(sine(n)), exact)
    }
    let orders = observedOrders(errors)
    print("Burgers, \(scheme.rawValue): errors \(errors), observed orders in time \(orders)")
    // The next term of the error is smaller by a factor of h · max|u_x| ≤ 5 %.
    #expect(orders.allSatisfy { abs($0 - Double(scheme.order)) < 0.1 })
  }

  @Test func orderTwoAcrossUnequalIntervals() throws {
    // A short interval in between makes the step change under way.
    let exact = sineSolution(grid: 128, viscosity: 0.1, time: 1)
    let errors = try [0.016, 0.008, 0.004].map { step in
      let solver = try Burgers(
        grid: 128, viscosity: 0.1, times: [0.3, 0.31, 1],
        timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: step))
      let frames = try solver(sine(128))
      return error(frames.reshaped(to: [3, 128])[first: 2..<3], exact)
    }
    print("Burgers, unequal steps: observed orders in time \(observedOrders(errors))")
    // The steps of an interval are the nearest whole fraction: halving is exact to 5 % only.
    #expect(observedOrders(errors).allSatisfy { abs($0 - 2) < 0.2 }, "\(errors)")
  }

  @Test func spectralConvergenceInSpace() throws {
    let grids = [40, 56, 72, 88]
    let errors = try grids.map { n in
      let solver = try Burgers(grid: n, viscosity: 0.2, timeStepping: .init(tolerance: 1e-13))
      return error(try solver(sine(n)), sineSolution(grid: n, viscosity: 0.2, time: 1))
    }
    print("Burgers: errors on \(grids) points: \(errors)")
    // The logarithm of the error falls linearly in n: 16 points more are worth exp(0.21 · 16) = 29 by the width
    // of the front.
    #expect(zip(errors, errors.dropFirst()).allSatisfy { $1 < $0 / 29 })
  }

  @Test func chosenStepIsAccurateOnThePapersData() throws {
    let (n, samples) = (512, 3)
    let field = PeriodicGaussianField.burgers(grid: n)
    let inputs = (0..<samples).map { sample in
      var random = Philox(seed: 8, stream: .inputs, sample: sample)
      return field.sample(using: &random)
    }
    let solver = try Burgers(grid: n, times: [0, 0.5, 1])
    let batch = Tensor.stacking(inputs).reshaped(to: [samples, 1, n])
    let solutions = try solver(batch)
    #expect(solutions.shape == [samples, 3, n])
    for (sample, input) in inputs.enumerated() {
      let frames = solutions[first: sample..<sample + 1].reshaped(to: [3, n])
      #expect(frames[first: 0..<1].scalars == input.scalars)
      for (frame, time) in [(1, 0.5), (2, 1.0)] {
        let exact = coleHopf(input.scalars, viscosity: 0.1, time: time)
        let size = error(frames[first: frame..<frame + 1], exact)
        print("Burgers: chosen step, sample \(sample), t = \(time): error \(size)")
        // Errors per step of 10⁻⁸ at most, over about fifty steps.
        #expect(size < 1e-7)
      }
      // A sample does not depend on its batch.
      #expect(try solver(batch[first: sample..<sample + 1]).scalars == frames.scalars)
    }
  }

  @Test func conservesTheMeanAndLosesEnergy() throws {
    let n = 128
    let input = Tensor(shape: [1, 1, n], scalars: sine(n).scalars.map { $0 + 0.7 })
    let solver = try Burgers(grid: n, viscosity: 0.1, times: [0, 0.5, 1, 2])
    let frames = try solver(input).reshaped(to: [4, n])
    var energy = Double.infinity
    for frame in 0..<4 {
      let values = frames[first: frame..<frame + 1].scalars
      // Exact but for round-off of the transforms.
      #expect(abs(values.reduce(0, +) / Double(n) - 0.7) < 1e-13)
      let next = values.reduce(0) { $0 + $1 * $1 }
      #expect(next < energy)
      energy = next
    }
  }

  @Test func blowUpIsReportedForTheLowestSample() throws {
    let n = 64
    let calm = sine(n).scalars.map { 0.01 * $0 }
    let wild = sine(n).scalars.map { 300 * $0 }
    let inputs = Tensor(shape: [3, 1, n], scalars: calm + wild + wild)
    let solver = try Burgers(
      grid: n, viscosity: 1, timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: 0.1))
    do {
      _ = try solver(inputs)
      Issue.record("no error")
    } catch SolverError.blowUp(let sample, let time, let advice) {
      #expect(sample == 1 && time <= 1 && advice.contains("time step"))
    }
  }

  @Test func unresolvedFrontsAreRefusedWithAGridThatWillDo() throws {
    let viscosity = 0.05  // less, and the Bessel series loses all digits: φ spans e^{1/ν}
    func solve(_ n: Int) throws -> Tensor<Double> {
      try Burgers(
        grid: n, viscosity: viscosity, times: [1.5],
        timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: 1e-3))(sine(n))
    }
    do {
      _ = try solve(24)
      Issue.record("no error")
    } catch SolverError.underResolved(_, _, _, let grid) {
      let exact = sineSolution(grid: grid, viscosity: viscosity, time: 1.5)
      // That grid resolves the front's spectrum to 10⁻⁴ of the front's height.
      #expect(error(try solve(grid), exact) < 1e-3)
    }
  }

  @Test func impossibleProblemsAreRefused() throws {
    #expect(throws: SolverError.self) { try Burgers(grid: 64, viscosity: 0) }
    #expect(throws: SolverError.self) { try Burgers(grid: 64, viscosity: .nan) }
    #expect(throws: SolverError.self) { try Burgers(grid: 63) }
    #expect(throws: SolverError.self) { try Burgers(grid: 64, times: []) }
    #expect(throws: SolverError.self) { try Burgers(grid: 64, times: [1, 1]) }
    #expect(throws: SolverError.self) { try Burgers(grid: 64, times: [-1]) }
    #expect(throws: SolverError.self) {
      try Burgers(grid: 64, timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: 0))
    }
    let solver = try Burgers(grid: 64)
    #expect(throws: SolverError.self) { try solver(sine(32)) }
    var broken = Tensor<Double>(shape: [2, 1, 64])
    broken[1, 0, 5] = .nan
    #expect(throws: SolverError.invalidProblem("the initial value of sample 1 is not finite")) {
      try solver(broken)
    }
  }

  @Test func describesItself() throws {
    let solver = try Burgers(grid: 8, viscosity: 0.1)
    #expect(solver.axes.count == 1 && solver.axes[0].isPeriodic)
    #expect(abs(solver.axes[0].coordinates[7] - 2 * .pi * 7 / 8) < 1e-15)
    #expect(solver.parameters.map(\.name) == ["nu"] && solver.boundaryCondition == .periodic)
  }

  // MARK: - Long checks

  /// u(x, t) at some points by the Cole–Hopf integral, for any viscosity: the ratio of the integrals of
  /// ((x − y)/t) e^{−G/2ν} and e^{−G/2ν}, G = (x − y)²/2t + ∫u(y', 0) dy' up to y.
  ///
  /// The integrands are smooth and vanish at infinity, so the trapezoidal rule is exact to round-off on a grid
  /// that resolves them; all terms are positive. The initial value is of mean zero and band-limited.
  private func coleHopfIntegral(
    _ initial: [Double], viscosity: Double, time: Double, points: [Double]
  ) -> [Double] {
    // The potential on a grid of a sixth of the integrand's width, √(2νt), or finer.
    let n = initial.count
    var fine = n
    while 2 * Double.pi / Double(fine) > (2 * viscosity * time).squareRoot() / 6 { fine *= 2 }
    let spectrum = FFT.forward(Tensor(shape: [n], scalars: initial), dimensions: 1).scalars
    var integral = [Double](repeating: 0, count: 2 * (fine / 2 + 1))
    for k in 1..<n / 2 {  // divided by ik
      let scale = Double(fine) / Double(n * k)
      (integral[2 * k], integral[2 * k + 1]) = (scale * spectrum[2 * k + 1], -scale * spectrum[2 * k])
    }
    let potential = FFT.inverse(Tensor(shape: [fine / 2 + 1, 2], scalars: integral), shape: [fine]).scalars
    let spacing = 2 * Double.pi / Double(fine)
    // Characteristics come from no further than t max|u|; the kernel reaches nine of its widths.
    let reach = time * initial.map(abs).max()! + 9 * (2 * viscosity * time).squareRoot()
    let window = Int(reach / spacing) + 1
    return points.map { x in
      let centre = Int((x / spacing).rounded())
      let exponents = (-window...window).map { offset -> (distance: Double, exponent: Double) in
        let y = Double(centre + offset) * spacing
        let place = ((centre + offset) % fine + fine) % fine
        return (x - y, -((x - y) * (x - y) / (2 * time) + potential[place]) / (2 * viscosity))
      }
      let top = exponents.map(\.exponent).max()!
      var (above, below) = (0.0, 0.0)
      for (distance, exponent) in exponents {
        let weight = exp(exponent - top)
        above += distance / time * weight
        below += weight
      }
      return above / below
    }
  }

  private func draw(_ n: Int, sample: Int) -> Tensor<Double> {
    var random = Philox(seed: 8, stream: .inputs, sample: sample)
    return PeriodicGaussianField.burgers(grid: n).sample(using: &random).reshaped(to: [1, 1, n])
  }

  /// The relative error on every `stride`-th point.
  private func error(
    of u: Tensor<Double>, _ initial: Tensor<Double>, viscosity: Double, time: Double, stride step: Int
  ) -> Double {
    let n = initial.count
    let indices = Array(stride(from: 0, to: n, by: step))
    let exact = coleHopfIntegral(
      initial.scalars, viscosity: viscosity, time: time,
      points: indices.map { 2 * Double.pi * Double($0) / Double(n) })
    let values = indices.map { u.scalars[$0] }
    return relativeError(
      Tensor(shape: [indices.count], scalars: values), Tensor(shape: [indices.count], scalars: exact))
  }

  @Test func theColeHopfIntegralAgreesWithTheSeries() {
    let initial = draw(256, sample: 0)
    let series = coleHopf(initial.scalars, viscosity: 0.1, time: 1)
    // The series loses as many digits as φ has powers of ten, four or five.
    #expect(
      error(
        of: Tensor(shape: [1, 1, 256], scalars: series), initial, viscosity: 0.1, time: 1, stride: 8) < 1e-10)
  }

  @Test(.enabled(if: runsDeepTests))
  func deepTwentyDrawsAtFullSize() throws {
    for sample in 0..<20 {
      let initial = draw(8192, sample: sample)
      let clock = ContinuousClock()
      let start = clock.now
      let u = try Burgers(grid: 8192)(initial)
      let elapsed = clock.now - start
      let size = error(of: u, initial, viscosity: 0.1, time: 1, stride: 16)
      print("Burgers, 8192 points, default settings, sample \(sample): error \(size), \(elapsed)")
      #expect(size < 1e-6)
      // The benchmark's tolerance, whose peer is solved to the same error.
      let loose = try Burgers(grid: 8192, timeStepping: .init(tolerance: 1e-6))(initial)
      #expect(error(of: loose, initial, viscosity: 0.1, time: 1, stride: 16) < 1e-6)
    }
  }

  /// Draws of the prior at a size at which a coarse grid cannot hold the fronts.
  private func steep(_ n: Int, viscosity: Double, sample: Int) -> Tensor<Double> {
    let scale = viscosity < 0.05 ? 1.0 : 5
    return Tensor(shape: [1, 1, n], scalars: draw(n, sample: sample).scalars.map { scale * $0 })
  }

  private func checkRefusal(viscosity: Double, coarse: Int, sample: Int) throws {
    do {
      _ = try Burgers(grid: coarse, viscosity: viscosity)(steep(coarse, viscosity: viscosity, sample: sample))
      Issue.record("\(coarse) points were not refused")
    } catch SolverError.underResolved(_, _, _, let grid) {
      #expect(grid > coarse && grid.isMultiple(of: coarse))
      let initial = steep(grid, viscosity: viscosity, sample: sample)
      let start = ContinuousClock().now
      let u = try Burgers(grid: grid, viscosity: viscosity)(initial)
      let elapsed = ContinuousClock().now - start
      let size = error(of: u, initial, viscosity: viscosity, time: 1, stride: max(1, grid / 200))
      print("Burgers, nu = \(viscosity): \(coarse) points refused, error \(size) on \(grid), \(elapsed)")
      // A front's spectrum falls to 10⁻⁴ of its height on the grid that is named, and the tail of a field that
      // is accepted is less than 10⁻³ of it.
      #expect(size < 1e-3)
    }
  }

  @Test(arguments: 0..<4) func refusalsNameAGridThatWorks(sample: Int) throws {
    try checkRefusal(viscosity: 0.1, coarse: 32, sample: sample)
    try checkRefusal(viscosity: 0.02, coarse: 32, sample: sample)
  }

  @Test(.enabled(if: runsDeepTests), arguments: [1e-1, 1e-2, 1e-3, 1e-4])
  func deepRefusalsNameAGridThatWorks(viscosity: Double) throws {
    // On fewer points some draws are smooth: their few modes are held, and nothing is refused. At the smallest
    // viscosity one draw takes a minute or two.
    for sample in 0..<(viscosity < 1e-3 ? 1 : 10) {
      for coarse in viscosity < 1e-3 ? [64] : [32, 64] {
        try checkRefusal(viscosity: viscosity, coarse: coarse, sample: sample)
      }
    }
  }
}
