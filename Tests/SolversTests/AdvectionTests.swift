import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// Advection against the shifted initial value.
@Suite struct AdvectionTests {
  private func wave(_ s: Double) -> Double { exp(sin(2 * Double.pi * s)) }

  private func field(_ n: Int, _ dimensions: Int, _ value: (_ x: Double, _ y: Double) -> Double) -> Tensor<
    Double
  > {
    let rows = dimensions == 1 ? 1 : n
    return Tensor(shape: [1, 1] + Shape(repeating: n, count: dimensions)) { values in
      for i in 0..<rows {
        for j in 0..<n {
          let (a, b) = (Double(i) / Double(n), Double(j) / Double(n))
          values[i * n + j] = dimensions == 1 ? value(2 * b, 0) : value(2 * a, 2 * b)
        }
      }
    }
  }

  @Test(arguments: [[0.7], [-1.3], [0.4, -0.9]])
  func theProfileMovesUnchanged(velocity: [Double]) throws {
    let (n, length, times) = (48, 2.0, [0.3, 5.0])  // e^{sin} has 1/(2^24 24!) at the last mode
    func exact(_ t: Double) -> Tensor<Double> {
      field(n, velocity.count) { x, y in
        wave((x - velocity[0] * t) / length)
          * (velocity.count == 1 ? 1 : wave(2 * (y - velocity[1] * t) / length))
      }
    }
    let solver = try Advection(grid: n, velocity: velocity, length: length, times: times)
    let frames = try solver(exact(0)).reshaped(to: [2] + solver.gridShape)
    for (frame, time) in times.enumerated() {
      let u = frames[first: frame..<frame + 1].reshaped(to: [1, 1] + solver.gridShape)
      // Round-off of the phase, 2π n/2 · ct / L radians times 10⁻¹⁶.
      #expect(relativeError(u, exact(time)) < 1e-12)
    }
  }

  @Test func crankNicolsonHasOrderTwo() throws {
    let n = 32
    func exact(_ t: Double) -> Tensor<Double> { field(n, 1) { x, _ in wave(x / 2 - t / 2) } }
    let errors = try [0.01, 0.005, 0.0025].map { step in
      let solver = try Advection(
        grid: n, velocity: [1], length: 2, times: [1], timeStepping: .init(.heunCrankNicolson, timeStep: step)
      )
      return relativeError(try solver(exact(0)), exact(1))
    }
    print("Advection, Crank-Nicolson: observed orders in time \(observedOrders(errors))")
    // The error is a series in (h c k)², 0.01 for the modes that count.
    #expect(observedOrders(errors).allSatisfy { abs($0 - 2) < 0.05 }, "\(errors)")
  }

  @Test func impossibleProblemsAreRefused() {
    #expect(throws: SolverError.self) { try Advection(grid: 32, velocity: [], times: [1]) }
    #expect(throws: SolverError.self) { try Advection(grid: 32, velocity: [1, 1, 1], times: [1]) }
    #expect(throws: SolverError.self) { try Advection(grid: 32, velocity: [.nan], times: [1]) }
  }
}
