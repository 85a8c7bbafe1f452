import Foundation
import Testing

/// A training that goes wrong after it went well.
@Suite struct DivergenceTests {
  /// The weights rest for two epochs, then take a step that no number holds: the third epoch ends in its second batch.
  @Test func theLastGoodCheckpointIsKept() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      let good = ["train", "train.yaml", "optimizer.warm_up_epochs=2", "epochs=2", "output=good"]
      #expect(try Command.run(good, in: folder).status == 0)
      let outcome = try Command.run(
        ["train", "train.yaml", "optimizer.warm_up_epochs=2", "optimizer.learning_rate=1e30", "epochs=5"],
        in: folder)
      #expect(outcome.status == 65)
      #expect(
        outcome.messages.contains("in epoch 3, batch 2; checkpoints are from before it"),
        "\(outcome.messages)")
      #expect(
        try numbers(in: "\(folder)/run/checkpoints/last", below: "weights")
          == numbers(in: "\(folder)/good/checkpoints/last", below: "weights"))
      let manifest = try String(contentsOfFile: "\(folder)/run/manifest.json", encoding: .utf8)
      #expect(manifest.contains("\"status\" : \"failed\"") && manifest.contains("in epoch 3, batch 2"))
      #expect(try Command.run(["inspect", "run"], in: folder).output.contains("in epoch 3, batch 2"))
      #expect(try Command.run(["evaluate", "run"], in: folder).status == 0)
    }
  }
}
