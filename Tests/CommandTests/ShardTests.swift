import Foundation
import Glibc
import HDF5
import TestSupport
import Testing

/// Datasets made in parts: by hand, by a Slurm job array, merged, killed, without room, within bounded memory.
@Suite(.serialized) struct ShardTests {
  private static let darcy = """
    equation: {kind: darcy}
    grid: 17
    samples: 9
    deflate: 3
    output: darcy.h5
    """

  /// Runs the command and expects it to succeed.
  @discardableResult
  private func succeed(
    _ arguments: [String], in folder: String, environment: [String: String] = [:]
  ) throws -> Command.Outcome {
    let outcome = try Command.run(arguments, in: folder, environment: environment)
    #expect(outcome.status == 0, "\(arguments): \(outcome.messages)")
    return outcome
  }

  /// Every number in a dataset file but the seconds that were spent.
  private func content(_ path: String) throws -> [String: [Double]] {
    var content = try numbers(in: path, below: "")
    #expect(content.removeValue(forKey: "provenance/solve_seconds")?.allSatisfy { $0 >= 0 } == true)
    return content
  }

  private func shards(_ count: Int, of name: String) -> [String] {
    (0..<count).map { "\(name)-0000\($0)-of-0000\(count).h5" }
  }

  @Test(arguments: ["burgers", "darcy", "ns"])
  func threadsAndShardsGiveTheSameFile(name: String) throws {
    try Samples.withFolder { folder in
      try Self.darcy.write(toFile: "\(folder)/darcy.yaml", atomically: false, encoding: .utf8)
      let generate = ["generate", "\(name).yaml", "samples=9"]
      try succeed(generate + ["--threads", "1"], in: folder)
      for index in 0..<7 {
        try succeed(generate + ["--threads", "2", "--shard", "\(index)/7"], in: folder)
      }
      try succeed(["merge"] + shards(7, of: name).reversed() + ["--output", "merged.h5"], in: folder)
      let whole = try content("\(folder)/\(name).h5")
      #expect(try content("\(folder)/merged.h5") == whole)
      #expect(whole.keys.contains("provenance/checksum") && whole.keys.contains("provenance/sample_seed"))
      #expect(FileManager.default.fileExists(atPath: "\(folder)/merged.xmf"))
    }
  }

  @Test func aSlurmArrayMakesShards() throws {
    try Samples.withFolder { folder in
      // sbatch --array=1-5:2 has three tasks: 1, 3 and 5.
      func task(_ id: Int) -> [String: String] {
        [
          "SLURM_ARRAY_TASK_ID": "\(id)", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "1",
          "SLURM_ARRAY_TASK_STEP": "2",
        ]
      }
      for id in [1, 3, 5] {
        let outcome = try succeed(["generate", "burgers.yaml"], in: folder, environment: task(id))
        #expect(
          outcome.messages.hasPrefix(
            "shard \(id / 2)/3 because SLURM_ARRAY_TASK_ID is \(id) (--shard 0/1 for the whole dataset)\n"))
        #expect(outcome.messages.split(separator: "\n").count == 1)
      }
      // A task that is started again finds its shard and is done.
      let again = try succeed(["generate", "burgers.yaml", "--json"], in: folder, environment: task(3))
      #expect(again.messages.contains("burgers-00001-of-00003.h5: is complete already"))
      let document = try JSONSerialization.jsonObject(with: Data(again.output.utf8)) as? [String: Any]
      #expect(document?["shard"] as? String == "1/3" && document?["resumed"] as? Int == 4)
      let other = try Command.run(["generate", "burgers.yaml", "seed=1"], in: folder, environment: task(3))
      #expect(other.status == 73)
      #expect(other.messages.contains("burgers-00001-of-00003.h5: exists already and its seed is 0, not 1;"))

      try succeed(["merge"] + shards(3, of: "burgers") + ["--output", "merged.h5"], in: folder)
      let whole = try succeed(
        ["generate", "burgers.yaml", "--shard", "0/1"], in: folder, environment: task(3))
      #expect(whole.messages.isEmpty)
      #expect(try content("\(folder)/burgers.h5") == content("\(folder)/merged.h5"))

      let before = try names(in: folder)
      for (id, count, first, message) in [
        ("17", "1", "17", "in an array of 1 task, so which shard this is is not clear"),
        ("9", "3", "1", "are not evenly spaced"), ("0", "3", "1", "are not evenly spaced"),
        ("x", "3", "1", "SLURM_ARRAY_TASK_ID is 'x', not a whole number"),
      ] {
        let outcome = try Command.run(
          ["generate", "burgers.yaml", "output=other.h5"], in: folder,
          environment: [
            "SLURM_ARRAY_TASK_ID": id, "SLURM_ARRAY_TASK_COUNT": count, "SLURM_ARRAY_TASK_MIN": first,
            "SLURM_ARRAY_TASK_STEP": "1",
          ])
        #expect(outcome.status == 64 && outcome.messages.contains(message), "\(outcome.messages)")
      }
      #expect(try names(in: folder) == before)
    }
  }

  @Test func mistakesAreOneLineAndWriteNothing() throws {
    try Samples.withFolder { folder in
      for index in 0..<3 { try succeed(["generate", "burgers.yaml", "--shard", "\(index)/3"], in: folder) }
      try succeed(["generate", "burgers.yaml"], in: folder)
      try succeed(["generate", "burgers.yaml", "seed=1", "--shard", "1/3", "output=other.h5"], in: folder)
      try Data("text".utf8).write(to: URL(fileURLWithPath: "\(folder)/text.h5"))
      let all = shards(3, of: "burgers")
      let before = try names(in: folder)
      let cases: [([String], Int32, String)] = [
        (["generate", "burgers.yaml", "--shard", "3/3"], 64, "--shard is '3/3'; it must be i/N"),
        (["generate", "burgers.yaml", "--shard", "1"], 64, "--shard is '1'; it must be i/N"),
        (["generate", "burgers.yaml", "--shard", "0/13"], 64, "12 samples cannot be cut into 13 shards"),
        (["merge", all[0], all[2], "--output", "m.h5"], 66, "1 of 3 shards are missing: \(all[1])"),
        (["merge"] + all + [all[0], "--output", "m.h5"], 64, "\(all[0]): holds the same shard as \(all[0])"),
        (["merge"] + all + ["--output", all[1], "--overwrite"], 64, "\(all[1]): is a shard and the output"),
        (["merge"] + all + ["--output", "burgers.h5"], 73, "burgers.h5: exists already"),
        (["merge"] + all + ["--output", "train.yaml/m.h5"], 73, "train.yaml: cannot be created"),
        (["merge", all[0], "missing.h5", "--output", "m.h5"], 66, "missing.h5: no such file"),
        (["merge", all[0], "text.h5", "--output", "m.h5"], 65, "text.h5: not an HDF5 file"),
        (["merge", all[0], "burgers.h5", "--output", "m.h5"], 65, "burgers.h5: is not a shard"),
        (
          ["merge", all[0], "other-00001-of-00003.h5", "--output", "m.h5"], 65,
          "other-00001-of-00003.h5: does not belong with \(all[0]): its seed is 1, not 0"
        ),
      ]
      for (arguments, status, message) in cases {
        let outcome = try Command.run(arguments, in: folder)
        #expect(outcome.status == status, "\(arguments): \(outcome.messages)")
        #expect(outcome.messages.hasPrefix("error: \(message)"), "\(arguments): \(outcome.messages)")
        #expect(outcome.messages.split(separator: "\n").count == 1 && outcome.output.isEmpty)
        #expect(try names(in: folder) == before, "\(arguments)")
      }
    }
  }

  /// SIGKILL while solving, while checking the journal, while compressing, and while merging: see also
  /// `Tests/Interoperability/kill_generation.py`, which kills at random moments.
  @Test func killsDoNotChangeTheFile() throws {
    try Samples.withFolder { folder in
      let sizes = ["grid=1024", "stored_grid=1024", "samples=120", "deflate=9"]
      let generate = ["generate", "burgers.yaml"] + sizes
      try succeed(generate + ["output=whole.h5"], in: folder)
      let whole = try content("\(folder)/whole.h5")

      /// Starts again after each kill; returns how many of the kills met the command at work.
      func disturb(_ arguments: [String], _ output: String) throws -> Int {
        let journal = "\(folder)/\(output).partial.journal"
        func isJournal(longerThan length: Int) -> Bool {
          (try? FileManager.default.attributesOfItem(atPath: journal)[.size] as? Int) ?? 0 > length
        }
        /// The file has its name and nothing is left beside it.
        func isFinished() throws -> Bool {
          try names(in: folder).filter { $0.hasPrefix(output) } == [output]
        }
        var kills = 0
        for moment in 0..<5 {
          let running = try Command.Running(arguments, in: folder)
          let isMet = running.wait {
            switch moment {
            case 0: isJournal(longerThan: 0)
            case 1: isJournal(longerThan: 500)
            case 2: isJournal(longerThan: 1500)
            default: FileManager.default.fileExists(atPath: "\(folder)/\(output).partial.compressed")
            }
          }
          running.signal(SIGKILL)
          if running.wait().status == 137 && isMet { kills += 1 }
          // A command that was too quick for the kill is begun anew.
          if moment < 4, try isFinished() { unlink("\(folder)/\(output)") }
        }
        if try !isFinished() { try succeed(arguments, in: folder) }
        #expect(try content("\(folder)/\(output)") == whole)
        #expect(try isFinished())
        return kills
      }
      #expect(try disturb(generate, "burgers.h5") >= 2)
      for index in 0..<3 { try succeed(generate + ["--shard", "\(index)/3"], in: folder) }
      #expect(
        try disturb(["merge"] + shards(3, of: "burgers") + ["--output", "merged.h5"], "merged.h5") >= 1)
    }
  }

  /// A file system that fills up, and grows again, where the tests may mount one.
  @Test func roomThatRunsOut() throws {
    try Samples.withFolder { folder in
      let small = "\(folder)/small"
      try FileManager.default.createDirectory(atPath: small, withIntermediateDirectories: true)
      guard mount("none", small, "tmpfs", 0, "size=256k") == 0 else { return }
      defer { umount2(small, Int32(MNT_DETACH)) }
      func resize(_ size: String) throws {
        try #require(mount("none", small, "tmpfs", UInt(MS_REMOUNT), "size=\(size)") == 0)
      }
      let sizes = ["grid=512", "stored_grid=512", "samples=200"]  // fields of 819,200 bytes
      let generate = ["generate", "burgers.yaml", "output=small/b.h5"] + sizes
      try succeed(["generate", "burgers.yaml", "output=whole.h5"] + sizes, in: folder)
      let whole = try content("\(folder)/whole.h5")

      // No room for the fields: said before anything is solved, and nothing is left.
      let refused = try Command.run(generate, in: folder)
      #expect(refused.status == 74)
      #expect(refused.messages.contains("b.h5.partial: there is no room for its fields, 819 kB:"))
      #expect(try names(in: small).isEmpty)

      // Room for the fields, but another program takes the rest: the journal cannot grow.
      try resize("4m")
      let running = try Command.Running(generate, in: folder)
      let journal = "\(small)/b.h5.partial.journal"
      #expect(running.wait { (try? String(contentsOfFile: journal, encoding: .utf8))?.count ?? 0 > 100 })
      running.signal(SIGSTOP)
      #expect(FileManager.default.createFile(atPath: "\(small)/filler", contents: nil))
      let filler = open("\(small)/filler", O_WRONLY)
      let page = [UInt8](repeating: 1, count: 4096)
      while write(filler, page, page.count) == page.count {}
      close(filler)
      running.signal(SIGCONT)
      let stopped = running.wait()
      #expect(stopped.status == 74, "\(stopped.messages)")
      #expect(try names(in: small) == ["b.h5.partial", "b.h5.partial.journal", "filler"])

      // Continued where there is room; and with compression, whose copy needs room once more.
      try resize("6m")
      let rest = try succeed(generate + ["--json"], in: folder)
      let document = try JSONSerialization.jsonObject(with: Data(rest.output.utf8)) as? [String: Any]
      #expect(document?["resumed"] as? Int ?? 0 > 0)
      #expect(try content("\(small)/b.h5") == whole)

      for name in try names(in: small) { unlink("\(small)/\(name)") }
      try resize("1m")
      let compressed = try Command.run(generate + ["deflate=1"], in: folder)
      #expect(compressed.status == 74, "\(compressed.messages)")
      #expect(try names(in: small) == ["b.h5.partial", "b.h5.partial.journal"])
      try resize("4m")
      let last = try succeed(generate + ["deflate=1", "--json"], in: folder)
      let again = try JSONSerialization.jsonObject(with: Data(last.output.utf8)) as? [String: Any]
      #expect(again?["resumed"] as? Int == 200)
      #expect(try content("\(small)/b.h5") == whole)
    }
  }

  /// Eight times the samples, 28 MB more of fields, take no more memory, neither solved nor merged.
  @Test func memoryDoesNotGrowWithTheSamples() throws {
    try Samples.withFolder { folder in
      let problem = [
        "generate", "burgers.yaml", "grid=512", "stored_grid=512", "equation.times=[0.01, 0.02, 0.03]",
        "--threads", "2", "--quiet",
      ]
      var peaks: [Int: (solved: Int, merged: Int)] = [:]
      for samples in [500, 4000] {
        let sized = problem + ["samples=\(samples)", "output=\(samples).h5"]
        let solved = try Command.peakMemory(sized + ["--shard", "0/2"], in: folder)
        try succeed(sized + ["--shard", "1/2"], in: folder)
        let merged = try Command.peakMemory(
          ["merge"] + shards(2, of: "\(samples)") + ["--output", "\(samples).h5"], in: folder)
        peaks[samples] = (solved, merged)
      }
      let (few, many) = (try #require(peaks[500]), try #require(peaks[4000]))
      #expect(few.solved > 1 << 20 && few.merged > 1 << 20)
      // Per sample there are its checksum, its seconds and its line in the journal: less than 1 kB, with the
      // index of chunks that HDF5 caches. The fields alone are 8 kB a sample.
      #expect(many.solved - few.solved < 4 << 20, "\(few.solved) bytes, then \(many.solved)")
      #expect(many.merged - few.merged < 4 << 20, "\(few.merged) bytes, then \(many.merged)")
    }
  }
}
