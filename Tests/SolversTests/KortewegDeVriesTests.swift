import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The Korteweg–de Vries equation against its solitons.
@Suite struct KortewegDeVriesTests {
  private func points(_ n: Int, _ length: Double) -> [Double] {
    (0..<n).map { length * Double($0) / Double(n) }
  }

  private func field(_ values: [Double]) -> Tensor<Double> {
    Tensor(shape: [1, 1, values.count], scalars: values)
  }

  /// (c/2) sech²(√c (x − x₀ − ct)/2), on a circle: what its images add is e^{−√c L/2} and less.
  private func soliton(_ n: Int, length: Double, speed: Double, time: Double) -> Tensor<Double> {
    field(
      points(n, length).map { x in
        let distance = (x - 0.5 * length - speed * time).remainder(dividingBy: length)
        return 0.5 * speed / pow(cosh(0.5 * speed.squareRoot() * distance), 2)
      })
  }

  @Test(arguments: [TimeScheme.etdrk4, .heunCrankNicolson, .adamsBashforthCrankNicolson])
  func orderInTime(_ scheme: TimeScheme) throws {
    let (n, length) = (256, 32.0)  // the spectrum of the soliton has fallen to 10⁻¹¹ at n/3
    let initial = soliton(n, length: length, speed: 4, time: 0)
    let exact = soliton(n, length: length, speed: 4, time: 1)
    let steps = scheme == .etdrk4 ? [0.0025, 0.00125, 0.000625] : [4e-4, 2e-4, 1e-4]
    let errors = try steps.map { step in
      let solver = try KortewegDeVries(
        grid: n, length: length, times: [1], timeStepping: .init(scheme, timeStep: step))
      return relativeError(try solver(initial), exact)
    }
    let orders = observedOrders(errors)
    print("Korteweg-de Vries, \(scheme.rawValue): errors \(errors), observed orders in time \(orders)")
    #expect(orders.allSatisfy { abs($0 - Double(scheme.order)) < 0.1 }, "\(errors)")
  }

  @Test func spectralConvergenceInSpace() throws {
    let length = 32.0
    let grids = [64, 96, 128, 192]
    let errors = try grids.map { n in
      let solver = try KortewegDeVries(
        grid: n, length: length, times: [0.5], timeStepping: .init(tolerance: 1e-11))
      return relativeError(
        try solver(soliton(n, length: length, speed: 4, time: 0)),
        soliton(n, length: length, speed: 4, time: 0.5))
    }
    print("Korteweg-de Vries: errors on \(grids) points: \(errors)")
    // What is left out is the spectrum of sech² beyond k = 2π/L · n/3, k exp(−πk/√c) with √c = 2.
    func tail(_ n: Int) -> Double {
      let k = 2 * Double.pi / length * Double(n) / 3
      return k * exp(-0.5 * Double.pi * k)
    }
    for (coarse, fine) in [(0, 1), (1, 2), (2, 3)] {
      #expect(errors[fine] / errors[coarse] < 1.5 * tail(grids[fine]) / tail(grids[coarse]))
    }
  }

  /// u = 2 (ln F)_xx for the two-soliton solution of Hirota, with F = 1 + e^a + e^b + A e^{a+b}.
  private func twoSolitons(_ x: Double, _ t: Double) -> Double {
    let (k, l) = (2.0, 1.2)
    let (a, b) = (k * (x + 12) - k * k * k * t, l * (x + 6) - l * l * l * t)
    let pair = pow((k - l) / (k + l), 2)
    // Divided by the largest term, so that nothing overflows.
    let top = max(0, a, b, a + b)
    let (one, ea, eb, eab) = (exp(-top), exp(a - top), exp(b - top), pair * exp(a + b - top))
    let f = one + ea + eb + eab
    let slope = (k * ea + l * eb + (k + l) * eab) / f
    let second = (k * k * ea + l * l * eb + (k + l) * (k + l) * eab) / f
    return 2 * (second - slope * slope)
  }

  @Test func twoSolitonsPassThroughEachOther() throws {
    let (n, length) = (384, 64.0)
    let times = [0.0, 2, 4, 6]
    let solver = try KortewegDeVries(grid: n, length: length, times: times)
    let frames = try solver(field(points(n, length).map { twoSolitons($0 - 32, 0) })).reshaped(to: [4, n])
    var invariants: [[Double]] = []
    for (frame, time) in times.enumerated() {
      let u = frames[first: frame..<frame + 1].scalars
      let exact = points(n, length).map { twoSolitons($0 - 32, time) }
      let error = relativeError(
        Tensor(shape: [n], scalars: u), Tensor(shape: [n], scalars: exact))
      print("Korteweg-de Vries, two solitons: t = \(time): error \(error)")
      // The tolerance of a step, 10⁻⁸, times the hundreds of steps; the images add e^{−1.2 · 18}.
      #expect(error < 1e-6)
      let spectrum = FFT.forward(Tensor(shape: [n], scalars: u), dimensions: 1).scalars
      let slopes = (0...n / 2).reduce(0.0) { sum, k in
        let wave = 2 * Double.pi * Double(k) / length
        return sum + 2 * wave * wave * (pow(spectrum[2 * k], 2) + pow(spectrum[2 * k + 1], 2)) / Double(n * n)
      }
      let mean = { (p: Double) in u.reduce(0) { $0 + pow($1, p) } / Double(n) }
      invariants.append([mean(1), mean(2), 0.5 * slopes - mean(3)])
    }
    for later in invariants.dropFirst() {
      #expect(abs(later[0] / invariants[0][0] - 1) < 1e-13)  // exact but for round-off
      #expect(abs(later[1] / invariants[0][1] - 1) < 1e-6)
      #expect(abs(later[2] / invariants[0][2] - 1) < 1e-6)
    }
  }

  @Test func aGridThatIsTooCoarseIsRefusedWithOneThatWillDo() throws {
    // One broad hump breaks up into solitons of nearly twice its height, narrower than it.
    let length = 64.0
    func solve(_ n: Int) throws {
      let hump = points(n, length).map { 2 * exp(-pow(($0 - 32) / 6, 2)) }
      _ = try KortewegDeVries(grid: n, length: length, times: [3])(field(hump))
    }
    do {
      try solve(64)
      Issue.record("no error")
    } catch SolverError.underResolved(_, _, _, let grid) {
      #expect(grid > 64)
      try solve(grid)
    }
  }
}
