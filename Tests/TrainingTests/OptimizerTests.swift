import Autodiff
import Foundation
import Tensors
import TestSupport
import Testing
import Training

@Suite struct AdamTests {
  /// Against the formula of the paper with PyTorch's L2 penalty, in double precision.
  @Test func followsTheFormula() {
    let start = randomTensor([37], sample: 1)
    let parameter = Parameter(start)
    let settings = Adam.Configuration(learningRate: 0.01, weightDecay: 0.1)
    var adam = Adam(settings, for: [parameter])
    var (w, m, v) = (
      start.scalars.map(Double.init), [Double](repeating: 0, count: 37), [Double](repeating: 0, count: 37)
    )
    for step in 1...20 {
      let gradient = randomTensor([37], sample: 1 + step)
      parameter.gradient = gradient
      adam.step([parameter], learningRateFactor: 0.5)
      for index in 0..<37 {
        let g = Double(gradient[index]) + 0.1 * w[index]
        m[index] = 0.9 * m[index] + 0.1 * g
        v[index] = 0.999 * v[index] + 0.001 * g * g
        let size = (v[index] / (1 - pow(0.999, Double(step)))).squareRoot() + 1e-8
        w[index] -= 0.005 * m[index] / (1 - pow(0.9, Double(step))) / size
      }
    }
    #expect(parameter.gradient == nil && adam.stepCount == 20)
    for index in 0..<37 {
      // 20 steps of size 0.005, each with a few roundings of a value of order 1.
      #expect(abs(Double(parameter.value[index]) - w[index]) < 3e-6)
    }
  }

  @Test func withoutAGradientNothingChanges() {
    let parameter = Parameter(randomTensor([5], sample: 1), isTrainable: false)
    let before = parameter.value
    var adam = Adam(Adam.Configuration(), for: [parameter])
    adam.step([parameter])
    #expect(parameter.value == before)
  }
}

@Suite struct ScheduleTests {
  private func factor(_ schedule: Schedule, _ epoch: Int, _ fraction: Double = 0) -> Double {
    schedule.factor(epoch: epoch, fraction: fraction, of: 500, stepsPerEpoch: 50)
  }

  @Test func stepsAreThePapers() {
    let schedule = Schedule.step(factor: 0.5, epochs: 100)
    #expect([0, 99, 100, 250, 499].map { factor(schedule, $0, 0.9) } == [1, 1, 0.5, 0.25, 0.0625])
    #expect(factor(.constant, 400) == 1)
  }

  @Test func cosineWarmsUpAndComesDown() {
    let schedule = Schedule.cosine(warmUpEpochs: 10, finalFactor: 0.1)
    #expect(factor(schedule, 0) == 0.002)  // the first of 500 steps of warm-up
    #expect(abs(factor(schedule, 9, 0.98) - 1) < 1e-12)
    #expect(factor(schedule, 10) == 1)
    #expect(abs(factor(schedule, 255) - 0.55) < 1e-12)  // half way down
    #expect(abs(factor(schedule, 499, 1) - 0.1) < 1e-12)
    #expect(factor(.cosine(warmUpEpochs: 0, finalFactor: 0), 0) == 1)
  }

  @Test(arguments: [
    Schedule.constant, .step(factor: 0.5, epochs: 100), .cosine(warmUpEpochs: 2.5, finalFactor: 0.01),
  ])
  func survivesJSON(schedule: Schedule) throws {
    #expect(try JSONDecoder().decode(Schedule.self, from: JSONEncoder().encode(schedule)) == schedule)
  }
}

@Suite struct MetricsTests {
  private let target = Tensor<Double>(shape: [2, 1, 2], scalars: [3, 4, 0, 2])
  private let prediction = Tensor<Double>(shape: [2, 1, 2], scalars: [3, 5, 2, 2])

  @Test func areTheirDefinitions() {
    #expect(Metrics.relativeL2(prediction, target) == [0.2, 1])
    #expect(Metrics.meanSquaredError(prediction, target) == [0.5, 2])
    #expect(Metrics.largestError(prediction, target) == [1, 2])
    let single = Metrics.relativeL2(Tensor<Float>(converting: prediction), Tensor<Float>(converting: target))
    #expect(single == [0.2, 1])  // sums of small whole numbers, accumulated in double precision
    let broken = Tensor<Double>(shape: [2, 1, 2], scalars: [3, .nan, 2, 2])
    #expect(Metrics.largestError(broken, target)[0].isNaN)
  }

  @Test func summaries() {
    let summary = MetricSummary([4, 1, 3, 2])
    #expect(summary.mean == 2.5 && summary.median == 2.5 && summary.maximum == 4)
    #expect(MetricSummary([5, 1, 3]).median == 3)
  }
}
