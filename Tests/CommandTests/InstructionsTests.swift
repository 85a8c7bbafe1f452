import Foundation
import Testing

/// Older processors: the same work with fewer instructions gives the same results but for rounding.
@Suite struct InstructionsTests {
  /// The fields that are generated, the errors of what is trained and the draws of an inversion.
  private func results(_ instructions: String) throws -> [String: [Double]] {
    try Samples.withFolder { folder in
      func run(_ arguments: [String]) throws -> Data {
        let outcome = try Command.run(
          arguments + ["--quiet", "--json"], in: folder, environment: ["PHALAROPE_INSTRUCTIONS": instructions]
        )
        #expect(outcome.status == 0, "\(arguments) \(instructions): \(outcome.messages)")
        return Data(outcome.output.utf8)
      }
      let darcy = """
        equation: {kind: darcy}
        grid: 17
        samples: 2
        output: darcy.h5
        """
      try darcy.write(toFile: "\(folder)/darcy.yaml", atomically: false, encoding: .utf8)
      var all: [String: [Double]] = [:]
      for (config, field) in [("burgers", "u"), ("ns", "vorticity"), ("darcy", "pressure")] {
        _ = try run(["generate", "\(config).yaml"])
        all[config] = try numbers(in: "\(folder)/\(config).h5", below: "t0_fields/\(field)").values.first
      }
      let xd = ["model.kind=xd", "architecture_optimizer={learning_rate: 1e-3}"]
      for (name, model) in [("fno", []), ("cnn", ["model.kind=cnn"]), ("xd", xd)] {
        let summary = try run(["train", "train.yaml", "output=\(name)"] + model)
        let document = try JSONSerialization.jsonObject(with: summary) as? [String: Any]
        let errors = (document?["evaluation"] as? [String: Any])?["relative_l2"] as? [String: Double]
        all[name] = errors.map { [$0["mean"], $0["maximum"]].compactMap { $0 } }
      }
      _ = try run(["invert", "invert.yaml"])
      all["inversion"] =
        try numbers(in: "\(folder)/inversion/posterior.nc", below: "posterior/vorticity").values.first
      #expect(all.count == 7)
      return all
    }
  }

  @Test(arguments: ["baseline", "avx2"]) func lessGivesTheSame(instructions: String) throws {
    let (best, less) = (try results("avx512"), try results(instructions))
    for (name, values) in best {
      let other = less[name] ?? []
      try #require(!values.isEmpty && other.count == values.count, "\(name)")
      let scale = values.map(abs).max() ?? 0
      let difference = zip(values, other).map { abs($0 - $1) }.max() ?? 0
      // Files hold single precision. Adam turns gradients that are nothing but rounding into whole steps, which move
      // weights without effect; what the trained model does agrees.
      let bound = ["fno", "cnn", "xd"].contains(name) ? 1e-3 : 1e-5
      #expect(difference <= bound * scale, "\(name) with \(instructions): \(difference / scale)")
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
