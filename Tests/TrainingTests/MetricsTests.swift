import Tensors
import Testing
import Training

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
