import Foundation
import Testing

/// What `loss.kind` asks for is what is minimised.
@Suite struct LossTests {
  @Test func everyLossTrainsOtherWeights() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      let kinds = ["relative-l2", "h1", "mse"]
      let weights = try kinds.map { kind in
        let outcome = try Command.run(
          ["train", "train.yaml", "loss.kind=\(kind)", "output=\(kind)", "epochs=1"], in: folder)
        #expect(outcome.status == 0, "\(outcome.messages)")
        return try numbers(in: "\(folder)/\(kind)/checkpoints/last", below: "weights")
      }
      for (index, kind) in kinds.enumerated() {
        for other in 0..<index {
          #expect(weights[index] != weights[other], "\(kind) and \(kinds[other]) give the same weights")
        }
      }
      // One channel: the sum over the channels is the whole.
      _ = try Command.run(
        ["train", "train.yaml", "loss.kind=relative-l2-by-channel", "output=channels", "epochs=1"], in: folder
      )
      #expect(try numbers(in: "\(folder)/channels/checkpoints/last", below: "weights") == weights[0])
    }
  }

  /// Derivatives need distances, which a bare array does not have.
  @Test func anH1LossNeedsCoordinates() throws {
    try Samples.withFolder { folder in
      let outcome = try Command.run(
        [
          "train", "train.yaml", "loss.kind=h1", "data.train=\(Self.bare)", "data.train_samples=3",
          "data.test_samples=1", "batch_size=3",
        ], in: folder)
      #expect(outcome.status == 64, "\(outcome.messages)")
      #expect(outcome.messages.contains("'loss.kind' is h1, which needs coordinates"), "\(outcome.messages)")
      #expect(try !names(in: folder).contains("run"))
    }
  }

  /// A file that does not say where its points are.
  private static let bare = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Golden/Layouts/burgers-v5.mat").path
}
