import Foundation
import HDF5
import Testing

/// `audit` as a user runs it: table, JSON and status.
@Suite struct AuditTests {
  private func document(_ outcome: Command.Outcome) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  @Test func aSoundFilePasses() throws {
    try Samples.withFolder { folder in
      try Command.run(["generate", "burgers.yaml"], in: folder)
      let outcome = try Command.run(["audit", "burgers.h5"], in: folder)
      #expect(outcome.status == 0, "\(outcome.output)")
      let lines = outcome.output.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.first == "burgers.h5: burgers, 12 samples")
      #expect(lines.contains { $0.hasPrefix("parameter") && $0.contains(" pass ") })
      #expect(lines.contains { $0.hasPrefix("boundary values") && $0.contains(" - ") })
      let json = try document(Command.run(["audit", "burgers.h5", "--json", "--threads", "1"], in: folder))
      let results = try #require(json["results"] as? [[String: Any]])
      #expect(json["equation"] as? String == "burgers" && results.count == 15)
      #expect(results.allSatisfy { ["pass", "not applicable"].contains($0["verdict"] as? String) })
      let again = try Command.run(["audit", "burgers.h5", "--json", "--threads", "2"], in: folder)
      #expect(try NSDictionary(dictionary: document(again)) == NSDictionary(dictionary: json))
    }
  }

  @Test func aWrongSampleEndsWithStatus65() throws {
    try Samples.withFolder { folder in
      try Command.run(["generate", "burgers.yaml"], in: folder)
      let file = try HDF5File(opening: "\(folder)/burgers.h5", writable: true)
      let slab = HDF5Slab(start: [4, 1, 0], count: [1, 1, 32])
      let dataset = try file.root.dataset("t0_fields/u")
      try dataset.write(try dataset.read(as: Float.self, slab).map { -$0 }, slab)
      try file.close()
      let outcome = try Command.run(["audit", "burgers.h5"], in: folder)
      #expect(outcome.status == 65)
      #expect(!outcome.messages.contains("error"), "the findings are the result")
      #expect(
        outcome.output.contains(
          "equation: sample 4 of 'u', frame 1: its sign looks flipped; change the sign back, "
            + "or leave the sample out"))
      #expect(outcome.output.contains("checksums: sample 4: it is not as it was written (wrong checksum)"))
      let json = try Command.run(["audit", "burgers.h5", "--json"], in: folder)
      #expect(json.status == 65)
      let results = try #require(try document(json)["results"] as? [[String: Any]])
      let equation = try #require(results.first { $0["check"] as? String == "equation" })
      #expect(equation["verdict"] as? String == "fail" && equation["failures"] as? Int == 1)
      #expect((equation["worst"] as? [String: Any])?["sample"] as? Int == 4)
    }
  }

  @Test func trainingAndTestFilesAreCompared() throws {
    try Samples.withFolder { folder in
      try Command.run(["generate", "burgers.yaml"], in: folder)
      try Command.run(["generate", "burgers.yaml", "samples=3", "output=test.h5"], in: folder)
      let outcome = try Command.run(["audit", "burgers.h5", "test.h5"], in: folder)
      #expect(outcome.status == 65)
      #expect(outcome.output.contains("leakage: sample 2: sample 2 of test.h5 has its input; take it out"))
    }
  }

  @Test func unfinishedAndMissingFiles() throws {
    try Samples.withFolder { folder in
      let missing = try Command.run(["audit", "none.h5"], in: folder)
      #expect(missing.status == 66)
      try Command.run(["generate", "burgers.yaml"], in: folder)
      let file = try HDF5File(opening: "\(folder)/burgers.h5", writable: true)
      let seconds = try file.root.dataset("provenance/solve_seconds")
      try seconds.write([Double.nan], HDF5Slab(start: [11], count: [1]))
      try file.close()
      let unfinished = try Command.run(["audit", "burgers.h5"], in: folder)
      #expect(unfinished.status == 65)
      #expect(unfinished.messages.contains("incomplete, 11 of 12 samples"))
      for arguments in [["--equation", "burgerz"], ["--set", "viscosty=1"]] {
        try Command.run(["generate", "burgers.yaml", "--overwrite"], in: folder)
        #expect(try Command.run(["audit", "burgers.h5"] + arguments, in: folder).status == 64)
      }
    }
  }
}
