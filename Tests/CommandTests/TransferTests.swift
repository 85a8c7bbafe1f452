import Foundation
import Testing

/// Trainings that begin with the weights of another run, and what that was worth.
@Suite struct TransferTests {
  private func json(_ outcome: Command.Outcome) throws -> [String: Any] {
    #expect(outcome.status == 0, "\(outcome.messages)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  private func run(_ arguments: [String], in folder: String) throws -> String {
    let outcome = try Command.run(arguments, in: folder)
    #expect(outcome.status == 0, "\(outcome.messages)")
    return outcome.messages
  }

  /// Data of two viscosities, and a training on the first.
  private func prepare(_ folder: String) throws {
    _ = try run(["generate", "burgers.yaml", "stored_grid=64"], in: folder)
    _ = try run(
      ["generate", "burgers.yaml", "stored_grid=64", "equation.viscosity=0.09", "output=other.h5"], in: folder
    )
    _ = try run(["train", "train.yaml", "epochs=60"], in: folder)
  }

  @Test func isWorthSomethingAndSaysWhat() throws {
    try Samples.withFolder { folder in
      try prepare(folder)
      // Another viscosity and half the points.
      let other = ["train", "train.yaml", "data.train=other.h5", "data.stride=2", "epochs=4"]
      let messages = try run(other + ["initial_weights=run", "output=transferred"], in: folder)
      #expect(messages.contains("initial weights: all 12 tensors of run are taken\n"), "\(messages)")
      _ = try run(other + ["output=scratch"], in: folder)
      let comparison = try json(
        Command.run(["evaluate", "transferred", "--against", "scratch", "--json"], in: folder))
      // It has seen the same inputs with nearly the same solutions sixty times before.
      #expect(try #require(comparison["ratio"] as? Double) < 0.9)
      let side = try #require(comparison["run"] as? [String: Any])
      #expect(side["initial_weights"] as? String == "run")
      #expect(side["epochs_to_reach"] as? Int == 1)
      let against = try #require(comparison["against"] as? [String: Any])
      #expect(against["initial_weights"] == nil && against["epochs_to_reach"] as? Int == 4)
      let evaluated = try json(Command.run(["evaluate", "scratch", "--json"], in: folder))
      #expect(
        (against["relative_l2"] as? [String: Double])?["mean"]
          == (evaluated["relative_l2"] as? [String: Double])?["mean"])
      let table = try Command.run(["evaluate", "transferred", "--against", "scratch"], in: folder).output
      #expect(table.contains("ratio of the means: ") && table.contains("was first reached:"))

      let manifest = try String(contentsOfFile: "\(folder)/transferred/manifest.json", encoding: .utf8)
      let origin = try #require(
        (try JSONSerialization.jsonObject(with: Data(manifest.utf8)) as? [String: Any])?["initial_weights"]
          as? [String: Any])
      #expect(origin["run"] as? String == "run" && origin["checkpoint"] as? String == "run/checkpoints/last")
      #expect((origin["checksum"] as? String)?.count == 8)
      #expect((origin["config"] as? String)?.contains("train: burgers.h5") == true)

      // Once begun, the run needs the other one no more, and goes on to the same bits.
      _ = try run(other + ["epochs=2", "initial_weights=run", "output=halves"], in: folder)
      try FileManager.default.removeItem(atPath: "\(folder)/run")
      _ = try run(["train", "halves/config.yaml", "epochs=4", "--resume"], in: folder)
      #expect(
        try numbers(in: "\(folder)/halves/checkpoints/last", below: "weights")
          == numbers(in: "\(folder)/transferred/checkpoints/last", below: "weights"))
      #expect(
        try String(contentsOfFile: "\(folder)/halves/manifest.json", encoding: .utf8)
          .contains("\"run\" : \"run\""))
    }
  }

  @Test func matricesOfAnotherGridBeginAnew() throws {
    try Samples.withFolder { folder in
      let model = ["model.kind=xd", "model.layers=1", "architecture_optimizer.learning_rate=1e-3"]
      _ = try run(["generate", "burgers.yaml"], in: folder)
      _ = try run(["train", "train.yaml"] + model, in: folder)
      let messages = try run(
        ["train", "train.yaml", "data.stride=2", "initial_weights=run", "output=coarse"] + model, in: folder)
      #expect(
        messages.contains(
          "of run are taken; the K-matrices of layers.0.convolution do not fit the grid and begin anew"),
        "\(messages)")
      let same = try run(
        ["train", "train.yaml", "initial_weights=run", "output=same", "model.activation=relu"] + model,
        in: folder)
      #expect(same.contains("initial weights: all "), "\(same)")
      #expect(same.contains("initial weights: model.activation was gelu and is relu\n"), "\(same)")
    }
  }

  @Test func whatDoesNotFitIsRefusedBeforeAnyWork() throws {
    try Samples.withFolder { folder in
      try prepare(folder)
      let before = try names(in: folder)
      let train = ["train", "train.yaml", "output=new", "initial_weights=run"]
      let wide = try Command.run(train + ["model.width=10", "model.layers=3"], in: folder)
      #expect(wide.status == 65)
      #expect(
        wide.messages.hasPrefix("error: run/checkpoints/last: not the weights of this model: missing: "))
      #expect(
        wide.messages.contains("layers.2.skip.weight") && wide.messages.contains("[8, 2] instead of [10, 2]"))
      let missing = try Command.run(["train", "train.yaml", "output=new", "initial_weights=old"], in: folder)
      #expect(missing.status == 66)
      #expect(missing.messages.contains("old: there is no such run folder"))
      let own = try Command.run(["train", "train.yaml", "initial_weights=run", "--overwrite"], in: folder)
      #expect(own.status == 64)
      #expect(own.messages.contains("it must be another run than 'output'"))
      #expect(try names(in: folder) == before)

      _ = try run(["train", "train.yaml", "data.train=other.h5", "output=new", "epochs=1"], in: folder)
      let others = try Command.run(["evaluate", "new", "--against", "run"], in: folder)
      #expect(others.status == 64)
      #expect(others.messages.contains("new and run are not tested on the same data: file differ"))
      let flags = try Command.run(["evaluate", "new", "--against", "run", "--grid", "16"], in: folder)
      #expect(flags.status == 64)
    }
  }
}
