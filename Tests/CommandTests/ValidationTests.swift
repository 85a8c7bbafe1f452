import Foundation
import Testing

/// The validation samples, and not the test samples, choose the checkpoint that a run's numbers are of.
@Suite struct ValidationTests {
  @Test func theBestCheckpointIsThatOfTheSmallestValidationError() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      // Steps so large that errors rise and fall.
      let outcome = try Command.run(
        [
          "train", "train.yaml", "data.train_samples=6", "data.validation_samples=3", "data.test_samples=3",
          "epochs=12", "optimizer.learning_rate=0.1",
        ], in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      let lines = try String(contentsOfFile: "\(folder)/run/metrics.csv", encoding: .utf8).split(
        separator: "\n")
      let errors = lines.filter { $0.contains(",validation,") }.compactMap { $0.split(separator: ",").last }
        .compactMap { Double($0) }
      #expect(errors.count == 12)
      let evaluation = try Command.run(["evaluate", "run", "--json"], in: folder)
      let document = try #require(
        try JSONSerialization.jsonObject(with: Data(evaluation.output.utf8)) as? [String: Any])
      let epoch = try #require(document["epochs"] as? Int)
      #expect(errors[epoch - 1] == errors.min())
      #expect(document["checkpoint"] as? String == "run/checkpoints/best")
      #expect(document["samples"] as? Int == 3)
    }
  }
}
