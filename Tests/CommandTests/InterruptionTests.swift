import Foundation
import Glibc
import Testing

/// Ctrl-C, kills and full disks in the middle of work: nothing half-written under a final name, and a
/// continued run gives the same bits as one that was never disturbed.
@Suite(.serialized) struct InterruptionTests {
  private func checksum(_ file: String, in folder: String) throws -> String? {
    let outcome = try Command.run(["inspect", file, "--json"], in: folder)
    let document = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    return document?["checksum"] as? String
  }

  @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143)), (SIGKILL, Int32(137))])
  func generateContinues(signal: Int32, status: Int32) throws {
    try Samples.withFolder { folder in
      // Far more samples than are solved between two looks at the journal, on any machine.
      let sizes = ["grid=2048", "stored_grid=256", "samples=200"]
      #expect(
        try Command.run(["generate", "burgers.yaml", "output=whole.h5"] + sizes, in: folder).status == 0)
      let running = try Command.Running(["generate", "burgers.yaml"] + sizes, in: folder)
      let partial = "\(folder)/burgers.h5.partial"
      let journal = "\(partial).journal"
      #expect(running.wait { (try? String(contentsOfFile: journal, encoding: .utf8))?.count ?? 0 > 200 })
      running.signal(signal)
      let outcome = running.wait()
      #expect(outcome.status == status)
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/burgers.h5"))
      if signal != SIGKILL {
        #expect(outcome.messages.contains("give the same command again to continue"))
      }
      #expect(FileManager.default.fileExists(atPath: partial))
      let rest = try Command.run(
        ["generate", "burgers.yaml", "--threads", "1"] + sizes, in: folder)
      #expect(rest.status == 0, "\(rest.messages)")
      #expect(!FileManager.default.fileExists(atPath: partial))
      let found = try checksum("burgers.h5", in: folder)
      #expect(try found != nil && found == checksum("whole.h5", in: folder))
    }
  }

  @Test func trainContinuesToTheSameBits() throws {
    try Samples.withFolder { folder in
      try Command.run(["generate", "burgers.yaml"], in: folder)
      let (outcome, epochs) = try Command.interrupt(
        SIGINT, whenThereIs: { "\(folder)/run\($0)/checkpoints/last" }, epochs: [60, 600, 6000, 60_000],
        in: folder
      ) { ["train", "train.yaml", "epochs=\($0)", "output=run\($0)"] }
      let run = "run\(epochs)"
      let last = "\(folder)/\(run)/checkpoints/last"
      #expect(outcome.status == 130)
      #expect(outcome.messages.contains("phalarope train \(run)/config.yaml --resume"))
      #expect(
        try String(contentsOfFile: "\(folder)/\(run)/manifest.json", encoding: .utf8).contains("interrupted"))
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/\(run)/evaluation.json"))
      let whole = ["train", "train.yaml", "epochs=\(epochs)", "output=whole"]
      #expect(try Command.run(whole, in: folder).status == 0)
      let rest = try Command.run(["train", "\(run)/config.yaml", "--resume", "--threads", "1"], in: folder)
      #expect(rest.status == 0, "\(rest.messages)")
      for group in ["weights", "optimizer"] {
        #expect(
          try numbers(in: last, below: group)
            == numbers(in: "\(folder)/whole/checkpoints/last", below: group))
      }
      func errors(_ run: String) throws -> [Substring] {
        try String(contentsOfFile: "\(folder)/\(run)/metrics.csv", encoding: .utf8).split(separator: "\n")
          .filter { !$0.contains("seconds") }
      }
      #expect(try errors(run) == errors("whole"))
      let temporary = try FileManager.default.subpathsOfDirectory(atPath: "\(folder)/\(run)")
        .filter { $0.contains("partial") || $0.hasSuffix(".tmp") }
      #expect(temporary.isEmpty)
    }
  }

  @Test func invertContinuesToTheSameBits() throws {
    try Samples.withFolder { folder in
      try Command.run(["generate", "ns.yaml"], in: folder)
      let sizes = ["sampler.samples=6000", "sampler.thin=400"]
      #expect(try Command.run(["invert", "invert.yaml", "output=whole"] + sizes, in: folder).status == 0)
      let running = try Command.Running(["invert", "invert.yaml"] + sizes, in: folder)
      let events = "\(folder)/inversion/events.jsonl"
      #expect(running.wait { FileManager.default.fileExists(atPath: events) })
      usleep(100_000)
      running.signal(SIGTERM)
      let outcome = running.wait()
      #expect(outcome.status == 143)
      #expect(outcome.messages.contains("phalarope invert inversion/config.yaml --resume"))
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/inversion/posterior.nc"))
      let other = try Command.run(
        ["invert", "inversion/config.yaml", "noise=0.1", "--resume"], in: folder)
      #expect(other.status == 73)
      #expect(other.messages.contains("was started with noise = 0.05, not 0.1"))
      let rest = try Command.run(
        ["invert", "inversion/config.yaml", "--resume", "--threads", "1"], in: folder)
      #expect(rest.status == 0, "\(rest.messages)")
      for group in ["posterior", "sample_stats", "observed_data"] {
        #expect(
          try numbers(in: "\(folder)/inversion/posterior.nc", below: group + "/")
            == numbers(in: "\(folder)/whole/posterior.nc", below: group + "/"))
      }
    }
  }

  /// The verbs that take seconds at most stop too, and leave the folder as it was.
  @Test func shortVerbsStop() throws {
    try Samples.withFolder { folder in
      let generation = ["generate", "burgers.yaml", "grid=512", "stored_grid=64", "samples=2000"]
      try #require(try Command.run(generation, in: folder).status == 0)
      let training = ["train", "train.yaml", "epochs=1", "data.test_samples=1900"]
      try #require(try Command.run(training, in: folder).status == 0)
      let before = try FileManager.default.subpathsOfDirectory(atPath: folder).sorted()
      for arguments in [
        ["inspect", "burgers.h5"], ["audit", "burgers.h5"], ["evaluate", "run"], ["report", "run"],
        ["predict", "run", "--input", "burgers.h5", "--output", "prediction.h5"],
      ] {
        #expect(try interrupt(arguments, in: folder), "\(arguments)")
        let after = try FileManager.default.subpathsOfDirectory(atPath: folder).sorted()
        #expect(after.filter { !$0.contains(".partial") } == before, "\(arguments)")
      }
    }
  }

  /// Sends Ctrl-C later and later until it meets the command at work; false if it never does.
  private func interrupt(_ arguments: [String], in folder: String) throws -> Bool {
    var delay = 5000.0
    while delay < 2e6 {
      let running = try Command.Running(arguments, in: folder)
      usleep(UInt32(delay))
      running.signal(SIGINT)
      let outcome = running.wait()
      if outcome.messages.contains("stopped on request") { return outcome.status == 130 }
      // Before the command listens the system ends it; after its work is done there is nothing to stop.
      #expect(outcome.status == 130 || outcome.status == 0, "\(outcome.messages)")
      delay *= 1.15
    }
    return false
  }

  /// A limit on the size of files stands for a full disk: writes fail half-way, without need of a device.
  @Test func fullDisk() throws {
    try Samples.withFolder { folder in
      let generate = ["generate", "burgers.yaml", "grid=512", "stored_grid=512", "samples=200"]
      let outcome = try Command.run(generate, in: folder, fileSizeLimit: 100)
      #expect(outcome.status == 74, "\(outcome.messages)")
      #expect(outcome.messages.hasPrefix("error: "))
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/burgers.h5"))
      let rest = try Command.run(generate, in: folder)
      #expect(rest.status == 0, "\(rest.messages)")

      let train = ["train", "train.yaml", "model.width=64", "model.modes=12"]
      let stopped = try Command.run(train, in: folder, fileSizeLimit: 100)
      #expect(stopped.status == 74, "\(stopped.messages)")
      #expect(stopped.messages.hasPrefix("error: "))
      #expect(try names(in: "\(folder)/run/checkpoints").isEmpty)
      #expect(try Command.run(train + ["--resume"], in: folder).status == 0)
    }
  }

  /// The same on a file system without space, where the tests may mount one.
  @Test func fullFileSystem() throws {
    try Samples.withFolder { folder in
      let small = "\(folder)/small"
      try FileManager.default.createDirectory(atPath: small, withIntermediateDirectories: true)
      guard mount("none", small, "tmpfs", 0, "size=256k") == 0 else { return }
      defer { umount(small) }
      let outcome = try Command.run(
        ["generate", "burgers.yaml", "output=small/b.h5", "grid=512", "stored_grid=512", "samples=200"],
        in: folder)
      #expect(outcome.status == 74, "\(outcome.messages)")
      #expect(outcome.messages.hasPrefix("error: "))
      #expect(!FileManager.default.fileExists(atPath: "\(small)/b.h5"))
      try Command.run(["generate", "burgers.yaml"], in: folder)
      let train = try Command.run(
        ["train", "train.yaml", "model.width=64", "model.modes=12", "output=small/run"], in: folder)
      #expect(train.status == 74, "\(train.messages)")
    }
  }
}
