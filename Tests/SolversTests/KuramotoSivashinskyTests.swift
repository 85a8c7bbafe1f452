import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The Kuramoto–Sivashinsky equation: growth rates, conservation, and a plain Galerkin method.
@Suite struct KuramotoSivashinskyTests {
  private func field(_ n: Int, _ length: Double, _ value: (Double) -> Double) -> Tensor<Double> {
    Tensor(shape: [1, 1, n], scalars: (0..<n).map { value(length * Double($0) / Double(n)) })
  }

  @Test func smallWavesGrowAtTheLinearRates() throws {
    let (n, length, amplitude, time) = (64, 32.0, 1e-6, 10.0)
    for mode in 1...6 {
      let k = 2 * Double.pi * Double(mode) / length
      let initial = field(n, length) { amplitude * cos(k * $0) }
      let solution = try KuramotoSivashinsky(grid: n, length: length, times: [time])(initial)
      let spectrum = FFT.forward(solution.reshaped(to: [n]), dimensions: 1).scalars
      let growth = 2 * spectrum[2 * mode] / Double(n) / amplitude
      // A wave of amplitude a changes its own growth by a² at most, after the growth of a by e^{t/4} = 12.
      #expect(abs(growth / exp((k * k - k * k * k * k) * time) - 1) < 1e-9, "mode \(mode)")
    }
  }

  @Test func everySchemeConvergesToThePlainGalerkinMethod() throws {
    let (n, length, time) = (48, 22.0, 10.0)
    let initial = field(n, length) { x in
      let s = 2 * Double.pi * x / length
      return cos(2 * s) + 0.5 * sin(s) + 0.3 * cos(3 * s + 1)
    }
    let model = try KuramotoSivashinsky(grid: n, length: length, times: [time])
    let plain = PlainGalerkin(model, largest: (n - 1) / 3)
    let exact = plain.solve(initial, until: time, steps: 4000)
    // The classical Runge–Kutta method with twice the step, to see the error of the reference.
    let rough = relativeError(plain.solve(initial, until: time, steps: 2000), exact) / 15
    #expect(rough < 1e-10)
    for scheme in TimeScheme.allCases {
      let steps: [Double] =
        switch scheme {
        case .etdrk4: [0.0125, 0.00625, 0.003125]
        case .eulerCrankNicolson: [0.002, 0.001, 0.0005]
        default: [0.01, 0.005, 0.0025]
        }
      let errors = try steps.map { step in
        let solver = try KuramotoSivashinsky(
          grid: n, length: length, times: [time], timeStepping: .init(scheme, timeStep: step))
        return relativeError(try solver(initial), exact)
      }
      let orders = observedOrders(errors)
      print("Kuramoto-Sivashinsky, \(scheme.rawValue): errors \(errors), observed orders in time \(orders)")
      #expect(orders.allSatisfy { abs($0 - Double(scheme.order)) < 0.1 }, "\(scheme): \(errors)")
    }
    let error = relativeError(try model(initial), exact)
    print("Kuramoto-Sivashinsky: chosen step: error \(error)")
    // Errors of 10⁻⁸ per step, over some two hundred steps, in a flow that amplifies them.
    #expect(error < 1e-6)
  }

  @Test func chaosStaysBoundedAndKeepsItsMean() throws {
    let (n, length) = (128, 64.0)
    let initial = field(n, length) {
      0.1 + cos(2 * Double.pi * $0 / length) * (1 + sin(4 * Double.pi * $0 / length))
    }
    let frames = try KuramotoSivashinsky(grid: n, length: length, times: [50, 100])(initial)
    let mean = initial.scalars.reduce(0, +) / Double(n)
    for frame in 0..<2 {
      let u = frames.reshaped(to: [2, n])[first: frame..<frame + 1].scalars
      #expect(abs(u.reduce(0, +) / Double(n) - mean) < 1e-12)  // round-off of a thousand steps
      let size = (u.reduce(0) { $0 + $1 * $1 } / Double(n)).squareRoot()
      // On the attractor the root mean square is about 1.3, whatever the length (Wittenberg, Holmes 1999).
      #expect(size > 0.8 && size < 2, "t = \(50 * (frame + 1)): \(size)")
    }
  }
}
