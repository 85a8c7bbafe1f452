import Foundation
import Glibc
import Testing

/// Two processes that want the same run folder.
@Suite struct RunLockTests {
  /// A training that ends only when it is told to.
  private func begin(in folder: String) throws -> Command.Running {
    #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
    let running = try Command.Running(["train", "train.yaml", "epochs=100000000"], in: folder)
    #expect(running.wait { FileManager.default.fileExists(atPath: "\(folder)/run/checkpoints/last") })
    return running
  }

  @Test func theSecondIsRefusedInOneLine() throws {
    try Samples.withFolder { folder in
      let first = try begin(in: folder)
      for flags in [[], ["--resume"], ["--overwrite"]] {
        let outcome = try Command.run(["train", "train.yaml", "epochs=100000000"] + flags, in: folder)
        #expect(outcome.status == 73)
        #expect(
          outcome.messages
            == "error: run: another process, number \(first.identifier), is at work on this run; "
            + "wait for its end, or name another output\n")
      }
      let other = try Command.run(["invert", "invert.yaml", "output=run", "--overwrite"], in: folder)
      #expect(other.status == 73 || other.status == 66, "\(other.messages)")
      // Looking at it is allowed.
      #expect(try Command.run(["inspect", "run"], in: folder).status == 0)
      first.signal(SIGINT)
      #expect(first.wait().status == 130)
      // What the first one did is whole, and goes on.
      let epochs = try String(contentsOfFile: "\(folder)/run/metrics.csv", encoding: .utf8)
        .split(separator: "\n").count
      #expect(epochs > 3)
      let rest = try Command.run(["train", "train.yaml", "epochs=1", "--overwrite"], in: folder)
      #expect(rest.status == 0, "\(rest.messages)")
    }
  }

  /// The system gives the lock back, whatever becomes of the process.
  @Test func aKilledProcessLeavesTheFolderFree() throws {
    try Samples.withFolder { folder in
      let first = try begin(in: folder)
      first.signal(SIGKILL)
      #expect(first.wait().status == 137)
      let metrics = try String(contentsOfFile: "\(folder)/run/events.jsonl", encoding: .utf8)
      let done = metrics.components(separatedBy: "\"event\":\"epoch\"").count
      let rest = try Command.run(["train", "train.yaml", "epochs=\(done + 1)", "--resume"], in: folder)
      #expect(rest.status == 0, "\(rest.messages)")
    }
  }

  @Test func aRowOfATableIsRefusedBeforeAnythingIsDone() throws {
    try Samples.withFolder { folder in
      func arguments(_ rows: String, _ epochs: Int) -> [String] {
        [
          "reproduce", "burgers", "--output", "table", "--only", rows, "epochs=\(epochs)",
          "generate.samples=14",
          "generate.grid=512", "generate.stored_grid=256", "model.width=2", "model.modes=2",
          "model.projection_width=2", "model.layers=1", "data.train_samples=8", "data.test_samples=4",
          "batch_size=4", "checkpoint_every=1",
        ]
      }
      let first = try Command.Running(arguments("fno-256", 100_000_000), in: folder)
      #expect(
        first.wait { FileManager.default.fileExists(atPath: "\(folder)/table/fno-256/checkpoints/last") })
      for flags in [[], ["--overwrite"]] {
        let outcome = try Command.run(arguments("cnn-256,fno-256", 100_000_000) + flags, in: folder)
        #expect(outcome.status == 73)
        #expect(outcome.messages.hasPrefix("error: table/fno-256: another process"), "\(outcome.messages)")
      }
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/table/cnn-256"))
      // Other rows of the same table may be done at the same time.
      let other = try Command.run(arguments("cnn-256", 1), in: folder)
      #expect(other.status == 0, "\(other.messages)")
      first.signal(SIGTERM)
      #expect(first.wait().status == 143)
    }
  }
}
