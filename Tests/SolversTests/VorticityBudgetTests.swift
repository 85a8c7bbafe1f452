import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The integrals of a vorticity field, and how well the solver keeps their balance.
@Suite struct VorticityBudgetTests {
  private let tau = 2 * Double.pi

  private func field(_ n: Int, _ value: (_ x: Double, _ y: Double) -> Double) -> Tensor<Double> {
    Tensor(shape: [n, n]) { values in
      for i in 0..<n {
        for j in 0..<n { values[i * n + j] = value(Double(i) / Double(n), Double(j) / Double(n)) }
      }
    }
  }

  @Test(arguments: [16, 18, 30])
  func integralsOfAFewWaves(_ n: Int) {
    // Orthogonal waves of squared wave numbers 5, 1 and 8; means of their squares 1/2 times the amplitude's.
    let w = field(n) { x, y in
      2 * cos(tau * (x + 2 * y)) + 3 * sin(tau * y) + cos(tau * (2 * x - 2 * y)) + 7
    }
    let f = field(n) { x, y in 0.5 * cos(tau * (x + 2 * y)) + sin(tau * x) }
    let budget = VorticityBudget(of: w, forcing: f)
    let square = tau * tau
    // Round-off of sums of n² terms.
    #expect(abs(budget.energy - 0.25 * (4 / 5 + 9 + 1.0 / 8) / square) < 1e-15)
    #expect(abs(budget.enstrophy - 0.25 * (4 + 9 + 1)) < 1e-13)
    #expect(abs(budget.palinstrophy - 0.25 * (4 * 5 + 9 + 8) * square) < 1e-11)
    #expect(abs(budget.energyInput - 0.5 / (5 * square)) < 1e-15)
    #expect(abs(budget.enstrophyInput - 0.5) < 1e-14)
    #expect(budget.energyRate(viscosity: 0.1) == budget.energyInput - 0.2 * budget.enstrophy)
    #expect(budget.enstrophyRate(viscosity: 0.1) == budget.enstrophyInput - 0.2 * budget.palinstrophy)
    #expect(VorticityBudget(of: w).energyInput == 0)
  }

  @Test func theTailIsTheShareOfTheHighestWaveNumbers() {
    let n = 48  // n/3 = 16; beyond 14 on either axis counts
    for (k, l, isTail) in [(14, 3, false), (15, 3, true), (2, -15, true), (24, 24, true), (14, 14, false)] {
      let w = field(n) { x, y in cos(tau * 3 * x) + 0.02 * cos(tau * (Double(k) * x + Double(l) * y)) }
      let budget = VorticityBudget(of: w)
      // The Nyquist frequency's cosine has twice the mean square of the others.
      let amplitude = isTail ? 0.02 * (k == 24 ? 2.0.squareRoot() : 1) : 0
      // Round-off of the transform.
      #expect(abs(budget.spectralTail - amplitude / (1 + amplitude * amplitude).squareRoot()) < 1e-15)
      #expect(budget.isResolved != isTail)
    }
    #expect(VorticityBudget(of: Tensor(shape: [16, 16])).spectralTail == 0)
  }

  /// The largest |ΔQ − ∫ dQ/dt| over the recorded times, relative to Q, for energy and enstrophy.
  ///
  /// Every step is recorded. Simpson's rule over pairs of steps is of order four in the step, as the best
  /// scheme is.
  private func imbalance(_ timeStepping: TimeStepping, step: Double, time: Double) throws -> [Double] {
    let (n, viscosity) = (32, 2e-3)
    let steps = Int((time / step).rounded())
    let times = (0...steps).map { Double($0) * time / Double(steps) }
    let solver = try NavierStokes(grid: n, viscosity: viscosity, times: times, timeStepping: timeStepping)
    var random = Philox(seed: 15, stream: .inputs)
    // Twelve points hold the wave numbers that every grid here keeps; four times the papers' amplitude.
    let coarse = FFT.forward(
      PeriodicGaussianField.navierStokes(grid: 12).sample(using: &random), dimensions: 2)
    var fine = Tensor<Double>(shape: [n, n / 2 + 1, 2])
    for k in -5...5 {
      for l in 0...5 {
        for part in 0..<2 {
          fine[(k + n) % n, l, part] = 4 * coarse[(k + 12) % 12, l, part] * Double(n * n) / 144
        }
      }
    }
    let frames = try solver(FFT.inverse(fine, shape: [n, n]).reshaped(to: [1, 1, n, n]))
      .reshaped(to: [times.count, n, n])
    let budgets = times.indices.map { frame in
      VorticityBudget(
        of: frames[first: frame..<frame + 1].reshaped(to: [n, n]), forcing: solver.forcingValues)
    }
    let quantities: [(value: (VorticityBudget) -> Double, rate: (VorticityBudget) -> Double)] = [
      ({ $0.energy }, { $0.energyRate(viscosity: viscosity) }),
      ({ $0.enstrophy }, { $0.enstrophyRate(viscosity: viscosity) }),
    ]
    return quantities.map { quantity in
      var (integral, largest) = (0.0, 0.0)
      for frame in stride(from: 2, through: steps, by: 2) {
        let rates = budgets[frame - 2...frame].map(quantity.rate)
        integral += (rates[0] + 4 * rates[1] + rates[2]) * time / Double(steps) / 3
        largest = max(largest, abs(quantity.value(budgets[frame]) - quantity.value(budgets[0]) - integral))
      }
      return largest / quantity.value(budgets[0])
    }
  }

  @Test(arguments: TimeScheme.allCases)
  func budgetsCloseToTheOrderOfTheScheme(_ scheme: TimeScheme) throws {
    // Heun's error in these integrals is small: below these steps it is more than Simpson's.
    let first = scheme == .etdrk4 ? 0.05 : scheme == .heunCrankNicolson ? 0.00125 : 0.005
    let steps = [first, first / 2, first / 4]
    let imbalances = try steps.map {
      try imbalance(TimeStepping(scheme, timeStep: $0), step: $0, time: 1)
    }
    for (index, name) in ["energy", "enstrophy"].enumerated() {
      let errors = imbalances.map { $0[index] }
      let orders = observedOrders(errors)
      print("Navier-Stokes, \(scheme.rawValue): \(name) imbalance \(errors), observed orders \(orders)")
      // The next term of the error is a tenth of the first at the largest step of etdrk4, less for the others.
      #expect(orders.allSatisfy { abs($0 - Double(scheme.order)) < 0.2 }, "\(name)")
    }
  }
}
