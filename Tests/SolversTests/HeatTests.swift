import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The heat equation against decaying modes and Jacobi's theta function.
@Suite struct HeatTests {
  @Test func theHeatKernelSpreads() throws {
    // A narrow Gaussian, summed over its images, stays one: its variance grows by 2κt.
    let (n, length, diffusivity, variance) = (128, 2.0, 0.05, 0.01)
    func exact(_ t: Double) -> Tensor<Double> {
      let total = variance + 2 * diffusivity * t
      return Tensor(
        shape: [1, 1, n],
        scalars: (0..<n).map { j in
          let x = length * (Double(j) / Double(n) - 0.5)
          return (-4...4).reduce(0) { sum, image in
            sum + exp(-pow(x - length * Double(image), 2) / (2 * total))
              / (2 * Double.pi * total).squareRoot()
          }
        })
    }
    let times = [0.1, 1, 4]
    let frames = try Heat(grid: n, length: length, diffusivity: diffusivity, times: times)(exact(0))
    for (frame, time) in times.enumerated() {
      let u = frames.reshaped(to: [3, n])[first: frame..<frame + 1].reshaped(to: [1, 1, n])
      #expect(relativeError(u, exact(time)) < 1e-14)
    }
  }

  @Test func modesDecayInTwoDimensions() throws {
    let (n, length, diffusivity, time) = (16, 3.0, 0.02, 2.0)
    let wave = 2 * Double.pi / length
    func exact(_ t: Double) -> Tensor<Double> {
      Tensor(shape: [1, 1, n, n]) { values in
        for i in 0..<n {
          for j in 0..<n {
            let (x, y) = (length * Double(i) / Double(n), length * Double(j) / Double(n))
            let slow = exp(-diffusivity * wave * wave * 5 * t) * cos(wave * (2 * x - y))
            let fast = exp(-diffusivity * wave * wave * 58 * t) * sin(wave * (3 * x + 7 * y) + 1)
            values[i * n + j] = 0.5 + slow + fast
          }
        }
      }
    }
    let solver = try Heat(grid: n, dimensions: 2, length: length, diffusivity: diffusivity, times: [time])
    #expect(relativeError(try solver(exact(0)), exact(time)) < 1e-14)
    let errors = try [0.05, 0.025, 0.0125].map { step in
      let crankNicolson = try Heat(
        grid: n, dimensions: 2, length: length, diffusivity: diffusivity, times: [time],
        timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: step))
      return relativeError(try crankNicolson(exact(0)), exact(time))
    }
    print("Heat, Crank-Nicolson: observed orders in time \(observedOrders(errors))")
    // A series in (h κk²)², 0.07 for the fast mode at the largest step.
    #expect(observedOrders(errors).allSatisfy { abs($0 - 2) < 0.05 }, "\(errors)")
  }

  @Test func aSampleDoesNotDependOnItsBatch() throws {
    let n = 16
    let fields = (0..<5).map { sample in
      var random = Philox(seed: 3, stream: .inputs, sample: sample)
      return PeriodicGaussianField(grid: [n, n], sigma: 25, tau: 5, alpha: 2).sample(using: &random)
    }
    let solver = try Heat(grid: n, dimensions: 2, diffusivity: 0.01, times: [0, 1])
    let together = try solver(Tensor.stacking(fields).reshaped(to: [5, 1, n, n]))
    for (sample, field) in fields.enumerated() {
      let alone = try solver(field.reshaped(to: [1, 1, n, n]))
      #expect(alone.scalars == together[first: sample..<sample + 1].scalars)
    }
  }
}
