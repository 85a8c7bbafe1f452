import Foundation
import Testing
import Training

@Suite struct TrainingConfigurationTests {
  @Test func survivesJSON() throws {
    let configuration = TrainingConfiguration(
      epochs: 3, schedule: .cosine(warmUpEpochs: 1, finalFactor: 0.1), lossReduction: .mean, clippingNorm: 2,
      microBatchSize: 5, averagingDecay: 0.99, earlyStoppingPatience: 7, seed: .max)
    let data = try JSONEncoder().encode(configuration)
    #expect(try JSONDecoder().decode(TrainingConfiguration.self, from: data) == configuration)
  }

  @Test func reportsBecomeLinesOfAMetricsFile() {
    let report = EpochReport(
      epoch: 2, trainingError: 0.53, testError: 0.61, learningRate: 0.001, seconds: 3.2)
    let validated = EpochReport(
      epoch: 2, trainingError: 0.53, validationError: 0.57, testError: nil, learningRate: 0.001, seconds: 3.2)
    #expect(validated.csvLines[1] == "2,validation,relative_l2,0.57" && validated.csvLines.count == 4)
    #expect(EpochReport.csvHeader == "epoch,split,metric,value")
    #expect(
      report.csvLines == [
        "2,train,relative_l2,0.53", "2,test,relative_l2,0.61", "2,train,learning_rate,0.001",
        "2,train,seconds,3.2",
      ])
  }
}
