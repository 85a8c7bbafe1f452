import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The Allen–Cahn equation against travelling waves and the uniform solution.
@Suite struct AllenCahnTests {
  private let diffusivity = 1e-4

  /// The front ½ (1 − tanh((x − vt)/4w)), w = √(D/2r), v = 3 √(Dr/2), of u_t = D u_xx + r (u − u³).
  private func front(_ x: Double, _ t: Double, diffusivity: Double, rate: Double) -> Double {
    let speed = 3 * (0.5 * diffusivity * rate).squareRoot()
    return 0.5 * (1 - tanh((x - speed * t) * (rate / (8 * diffusivity)).squareRoot()))
  }

  /// A region of ones in a sea of zeros that two fronts enlarge: the product of a front and its mirror image,
  /// exact but for their tails.
  private func island(_ s: Double, _ t: Double, diffusivity: Double, rate: Double) -> Double {
    front(s - 0.7, t, diffusivity: diffusivity, rate: rate)
      * front(0.3 - s, t, diffusivity: diffusivity, rate: rate)
  }

  @Test(arguments: [TimeScheme.etdrk4, .heunCrankNicolson, .adamsBashforthCrankNicolson])
  func frontsTravel(_ scheme: TimeScheme) throws {
    // Where the period ends, 0.3 from either front, their tails of width 0.01 have fallen to 10⁻¹³.
    let (n, rate, time) = (512, 2.0, 2.0)
    func exact(_ t: Double) -> Tensor<Double> {
      Tensor(
        shape: [1, 1, n],
        scalars: (0..<n).map { island(Double($0) / Double(n), t, diffusivity: diffusivity, rate: rate) })
    }
    let steps = scheme == .etdrk4 ? [0.025, 0.0125, 0.00625] : [0.02, 0.01, 0.005]
    let errors = try steps.map { step in
      let solver = try AllenCahn(
        grid: n, diffusivity: diffusivity, reactionRate: rate, times: [time],
        timeStepping: .init(scheme, timeStep: step))
      return relativeError(try solver(exact(0)), exact(time))
    }
    let orders = observedOrders(errors)
    print("Allen-Cahn, \(scheme.rawValue): errors \(errors), observed orders in time \(orders)")
    #expect(orders.allSatisfy { abs($0 - Double(scheme.order)) < 0.1 }, "\(errors)")
    let chosen = try AllenCahn(
      grid: n, diffusivity: diffusivity, reactionRate: rate, times: [time], timeStepping: .init(scheme))
    let error = relativeError(try chosen(exact(0)), exact(time))
    print("Allen-Cahn, \(scheme.rawValue), chosen step: error \(error)")
    #expect(error < (scheme == .etdrk4 ? 1e-7 : 1e-4))
  }

  @Test func frontsTravelAlongTheDiagonal() throws {
    // A function of x + y on the unit torus has twice the second derivative.
    let (n, rate, time) = (256, 2.0, 1.0)
    func exact(_ t: Double) -> Tensor<Double> {
      Tensor(shape: [1, 1, n, n]) { values in
        for i in 0..<n {
          for j in 0..<n {
            let s = Double((i + j) % n) / Double(n)
            values[i * n + j] = island(s, t, diffusivity: 2e-4, rate: rate)
          }
        }
      }
    }
    let solver = try AllenCahn(
      grid: n, dimensions: 2, diffusivity: 1e-4, reactionRate: rate, times: [time])
    let error = relativeError(try solver(exact(0)), exact(time))
    print("Allen-Cahn in two dimensions: error \(error)")
    // Where the period ends, 0.3 from either front, their tails of width 0.014 have fallen to 6 · 10⁻¹⁰.
    #expect(error < 1e-7)
  }

  @Test(arguments: [1, 2])
  func uniformStatesFollowTheReaction(dimensions: Int) throws {
    let shape: Shape = [1, 1] + Shape(repeating: 8, count: dimensions)
    let (u0, rate, time) = (-0.2, 3.0, 1.0)
    let errors = try [0.0125, 0.00625, 0.003125].map { step in
      let solver = try AllenCahn(
        grid: 8, dimensions: dimensions, diffusivity: 1, reactionRate: rate, times: [time],
        timeStepping: .init(.etdrk4, timeStep: step))
      let u = try solver(Tensor(shape: shape, repeating: u0))
      let growth = exp(rate * time)
      let exact = u0 * growth / (1 + u0 * u0 * (growth * growth - 1)).squareRoot()
      return relativeError(u, Tensor(shape: u.shape, repeating: exact))
    }
    print("Allen-Cahn, uniform, \(dimensions)-d: observed orders in time \(observedOrders(errors))")
    #expect(observedOrders(errors).allSatisfy { abs($0 - 4) < 0.1 }, "\(errors)")
  }

  @Test func thinInterfacesAreRefusedWithAGridThatWillDo() throws {
    func solve(_ n: Int) throws {
      let initial = (0..<n).map { 0.5 * sin(2 * Double.pi * Double($0) / Double(n)) }
      _ = try AllenCahn(grid: n, diffusivity: 1e-5, times: [10])(Tensor(shape: [1, 1, n], scalars: initial))
    }
    do {
      try solve(128)
      Issue.record("no error")
    } catch SolverError.underResolved(_, _, _, let grid) {
      #expect(grid > 128)
      try solve(grid)
    }
  }

  @Test func impossibleProblemsAreRefused() {
    #expect(throws: SolverError.self) { try AllenCahn(grid: 64, diffusivity: 0, times: [1]) }
    #expect(throws: SolverError.self) { try AllenCahn(grid: 64, dimensions: 3, diffusivity: 1, times: [1]) }
    #expect(throws: SolverError.self) { try AllenCahn(grid: 64, length: -1, diffusivity: 1, times: [1]) }
  }
}
