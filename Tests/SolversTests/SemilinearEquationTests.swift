import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// What all equations u_t = L u + N(u) share: transforms, products without aliasing, steps, errors.
@Suite struct SemilinearEquationTests {
  /// Every term at once: growth, decay, oscillation, a cubic polynomial with all coefficients, a complex symbol.
  private struct General: SemilinearEquation {
    let grid: Int
    let dimensions: Int
    let times: [Double]
    var timeStepping = TimeStepping()
    var length: Double { 3 }
    var equation: String { "u_t = L u + N(u)" }
    var parameters: [(name: String, value: Double)] { [] }
    var polynomial: [Double] { [0.1, 0.3, 0.4, -0.3] }
    func linearSymbol(_ k: WaveVector) -> Complex {
      Complex(0.5 - 0.05 * k.squared, 0.02 * k.x * k.squared - 0.3 * k.y)
    }
    func nonlinearSymbol(_ k: WaveVector) -> Complex { Complex(1, 0.3 * k.x + 0.2 * k.y) }
    func normBound(initial: Double, time: Double) -> Double { 100 }
  }

  private func randomField(_ shape: Shape, seed: UInt64) -> Tensor<Double> {
    var random = Philox(seed: seed, stream: .inputs)
    return PeriodicGaussianField(grid: shape, sigma: 2e4, tau: 20, alpha: 4).sample(using: &random)
      .reshaped(to: [1, 1] + shape)
  }

  @Test(arguments: [1, 2])
  func everySchemeConvergesToThePlainGalerkinMethod(dimensions: Int) throws {
    let n = dimensions == 1 ? 32 : 24
    let (time, plainSteps) = (0.5, dimensions == 1 ? 1600 : 200)
    let shape: Shape = [1, 1] + Shape(repeating: n, count: dimensions)
    let initial = Tensor<Double>(shape: shape) { values in
      for point in values.indices {
        let (x, y) = (Double(point % n) / Double(n), Double(point / n) / Double(n))
        values[point] = 0.3 * cos(2 * .pi * x + 1) + 0.2 * sin(2 * .pi * (x - y)) + 0.1
      }
    }
    let model = General(grid: n, dimensions: dimensions, times: [time])
    let plain = PlainGalerkin(model, largest: (n - 1) / 4)
    let exact = plain.solve(initial, until: time, steps: plainSteps)
    let rough = relativeError(plain.solve(initial, until: time, steps: plainSteps / 2), exact) / 15
    #expect(rough < 1e-10)
    for scheme in TimeScheme.allCases {
      let steps = scheme == .etdrk4 ? [0.1, 0.05, 0.025] : [0.01, 0.005, 0.0025]
      let errors = try steps.map { step in
        let solver = General(
          grid: n, dimensions: dimensions, times: [time], timeStepping: .init(scheme, timeStep: step))
        return relativeError(try solver(initial), exact)
      }
      let orders = observedOrders(errors)
      print("\(dimensions)-d, \(scheme.rawValue): errors \(errors), observed orders in time \(orders)")
      #expect(orders.allSatisfy { abs($0 - Double(scheme.order)) < 0.1 }, "\(scheme): \(errors)")
    }
  }

  @Test func errorsFollowTheTolerance() throws {
    let n = 64
    let initial = randomField([n], seed: 6)
    func solve(_ tolerance: Double) throws -> Tensor<Double> {
      try General(grid: n, dimensions: 1, times: [1], timeStepping: .init(tolerance: tolerance))(initial)
    }
    let reference = try solve(1e-12)
    let errors = try [1e-4, 1e-6, 1e-8].map { relativeError(try solve($0), reference) }
    print("Tolerances 1e-4, 1e-6, 1e-8: errors \(errors)")
    // The error of the fourth-order method per step is below the estimate, that of its third-order companion.
    for (error, tolerance) in zip(errors, [1e-4, 1e-6, 1e-8]) { #expect(error < 10 * tolerance) }
    #expect(errors[1] < 0.1 * errors[0] && errors[2] < 0.1 * errors[1])
  }

  @Test func recordedTimesDoNotChangeTheSolution() throws {
    // Short, long and unequal intervals: each is hit exactly, whatever the steps before it.
    let n = 64
    let initial = randomField([n], seed: 7)
    let times = [0.0, 1e-7, 0.1, 0.1003, 0.7, 1]
    let frames = try General(grid: n, dimensions: 1, times: times)(initial).reshaped(to: [6, n])
    for (frame, time) in times.enumerated().dropFirst() {
      let alone = try General(grid: n, dimensions: 1, times: [time])(initial).reshaped(to: [1, n])
      // The tolerance of each run.
      #expect(relativeError(frames[first: frame..<frame + 1].reshaped(to: [1, n]), alone) < 1e-7)
    }
    #expect(frames[first: 0..<1].scalars == initial.scalars)
  }

  @Test func fewerModesGiveTheSameSolution() throws {
    // On 1,024 points the solver drops to coarser grids, on 64 it never does; 64 resolve the solution.
    let viscosity = 0.3
    func sine(_ n: Int) -> Tensor<Double> {
      Tensor(shape: [1, 1, n], scalars: (0..<n).map { sin(2 * Double.pi * Double($0) / Double(n)) })
    }
    let fine = try Burgers(grid: 1024, viscosity: viscosity)(sine(1024)).scalars
    let plain = try Burgers(grid: 64, viscosity: viscosity)(sine(64))
    let thinned = stride(from: 0, to: 1024, by: 16).map { fine[$0] }
    #expect(relativeError(Tensor(shape: plain.shape, scalars: thinned), plain) < 1e-9)
  }

  @Test func explosionsAreReported() throws {
    // u_t = u² becomes infinite at t = 1 / u(0) = 0.5.
    struct Explosion: SemilinearEquation {
      let times = [1.0]
      let timeStepping: TimeStepping
      var grid: Int { 8 }
      var length: Double { 1 }
      var equation: String { "u_t = u^2" }
      var parameters: [(name: String, value: Double)] { [] }
      var polynomial: [Double] { [0, 0, 1] }
      func linearSymbol(_ k: WaveVector) -> Complex { Complex(0) }
      func normBound(initial: Double, time: Double) -> Double { .infinity }
    }
    for timeStep in [nil, 0.01] {
      do {
        _ = try Explosion(timeStepping: .init(timeStep: timeStep))(Tensor(shape: [1, 1, 8], repeating: 2))
        Issue.record("no error")
      } catch SolverError.blowUp(let sample, let time, _) {
        // A given step is checked every 16 of them.
        #expect(sample == 0 && time > 0.45 && time < 0.7)
      }
    }
  }
}
