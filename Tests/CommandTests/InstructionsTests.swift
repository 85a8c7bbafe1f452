import Foundation
import Testing

/// Older processors: the same work with fewer instructions gives the same results but for rounding.
@Suite struct InstructionsTests {
  /// What `body` computes with no more than the given instructions.
  private func results(_ instructions: String) throws -> [String: [Double]] {
    let environment = ["PHALAROPE_INSTRUCTIONS": instructions]
    return try Samples.withFolder { folder in
      func run(_ arguments: [String]) throws {
        let outcome = try Command.run(arguments + ["--quiet"], in: folder, environment: environment)
        #expect(outcome.status == 0, "\(arguments) \(instructions): \(outcome.messages)")
      }
      let darcy = """
        equation: {kind: darcy}
        grid: 17
        samples: 2
        output: darcy.h5
        """
      try darcy.write(toFile: "\(folder)/darcy.yaml", atomically: false, encoding: .utf8)
      for config in ["burgers", "ns", "darcy"] { try run(["generate", "\(config).yaml"]) }
      try run(["train", "train.yaml", "output=fno"])
      try run(["train", "train.yaml", "model.kind=cnn", "output=cnn"])
      try run(["train", "train.yaml", "model.kind=xd", "output=xd"])
      try run(["invert", "invert.yaml"])
      var all: [String: [Double]] = [:]
      for (file, prefix) in [
        ("burgers.h5", "t0_fields"), ("ns.h5", "t0_fields"), ("darcy.h5", "t0_fields"),
        ("fno/checkpoints/last", "weights"), ("cnn/checkpoints/last", "weights"),
        ("xd/checkpoints/last", "weights"), ("inversion/posterior.nc", "posterior/vorticity"),
      ] {
        let found = try numbers(in: "\(folder)/\(file)", below: prefix)
        #expect(!found.isEmpty, "\(file)")
        for (path, values) in found { all["\(file) \(path)"] = values }
      }
      return all
    }
  }

  @Test(arguments: ["baseline", "avx2"]) func lessGivesTheSame(instructions: String) throws {
    let best = try results("avx512")
    let less = try results(instructions)
    #expect(Set(best.keys) == Set(less.keys))
    for (name, values) in best {
      let other = less[name] ?? []
      try #require(other.count == values.count)
      let scale = values.map(abs).max() ?? 0
      let difference = zip(values, other).map { abs($0 - $1) }.max() ?? 0
      print(name, instructions, difference / scale)
    }
  }

  @Test func doctorSaysWhatIsUsed() throws {
    let environment = ["PHALAROPE_INSTRUCTIONS": "baseline"]
    let outcome = try Command.run(["doctor", "--json"], in: "/", environment: environment)
    #expect(outcome.status == 0)
    let document = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    #expect((document?["libraries"] as? [String: String])?["kernels"] == "baseline")
    #expect((document?["instructions"] as? [String: String])?["in_use"] == "baseline")
    let machine = try #require((document?["instructions"] as? [String: String])?["of_machine"])
    #expect(["baseline", "avx2", "avx512"].contains(machine))
    let free = try Command.run(
      ["doctor", "--json"], in: "/", environment: ["PHALAROPE_INSTRUCTIONS": machine])
    #expect(free.output.contains("\"kernels\" : \"\(machine)\""))
  }

  @Test func aWrongNameIsRefused() throws {
    let outcome = try Command.run(["doctor"], in: "/", environment: ["PHALAROPE_INSTRUCTIONS": "sse9"])
    #expect(outcome.status == 64)
    #expect(
      outcome.messages.contains("PHALAROPE_INSTRUCTIONS is 'sse9'; it must be one of baseline, avx2, avx512"))
  }
}
