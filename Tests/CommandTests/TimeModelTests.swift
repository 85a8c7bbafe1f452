import Foundation
import HDF5
import Testing

/// Models of several frames, and their weights on the way to other programs and back.
@Suite struct TimeModelTests {
  private static let data = """
    equation: {kind: navier-stokes, viscosity: 1e-2, final_time: 1, frames: 10}
    grid: 32
    stored_grid: 32
    samples: 6
    output: ns.h5
    """

  private static func training(_ time: String, modes: String) -> String {
    """
    model: {kind: fno, time: \(time), width: 5, modes: \(modes), layers: 2, projection_width: 8,
      activation: relu, normalization: batch}
    data: {train: ns.h5, train_samples: 4, test_samples: 2, stride: 2, input_frames: 1..4, target_frames: 5..10}
    epochs: 2
    batch_size: 2
    optimizer: {learning_rate: 1e-3}
    loss: {kind: relative-l2-by-channel, reduction: sum}
    output: run
    """
  }

  private func json(_ outcome: Command.Outcome) throws -> [String: Any] {
    #expect(outcome.status == 0, "\(outcome.messages)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  private func error(_ run: String, _ folder: String, _ flags: [String] = []) throws -> Double {
    let evaluation = try json(Command.run(["evaluate", run, "--json"] + flags, in: folder))
    return try #require((evaluation["relative_l2"] as? [String: Double])?["mean"])
  }

  private func write(_ text: String, _ path: String) throws {
    try text.write(toFile: path, atomically: false, encoding: .utf8)
  }

  @Test(arguments: [("recurrent", "3"), ("space-time", "[3, 3, 2]")])
  func trainsResumesEvaluatesAndTravels(time: String, modes: String) throws {
    try Samples.withFolder { folder in
      try write(Self.data, "\(folder)/data.yaml")
      try write(Self.training(time, modes: modes), "\(folder)/train.yaml")
      #expect(try Command.run(["generate", "data.yaml"], in: folder).status == 0)
      _ = try json(Command.run(["train", "train.yaml", "--json"], in: folder))
      // A run that is continued has the same weights.
      _ = try json(Command.run(["train", "train.yaml", "epochs=1", "output=halves", "--json"], in: folder))
      _ = try json(Command.run(["train", "train.yaml", "output=halves", "--resume", "--json"], in: folder))
      let weights = try numbers(in: "\(folder)/run/checkpoints/last", below: "weights")
      #expect(try numbers(in: "\(folder)/halves/checkpoints/last", below: "weights") == weights)

      let evaluation = try json(Command.run(["evaluate", "run", "--json"], in: folder))
      let channels = try #require(evaluation["channels"] as? [[String: Any]])
      #expect(
        channels.compactMap { $0["name"] as? String }
          == (5...10).map { "vorticity at t = \($0 == 10 ? "1" : "0.\($0)")" })
      let valid = try #require(evaluation["valid_time"] as? [String: Any])
      #expect(abs(try #require(valid["longest"] as? Double) - 0.6) < 1e-9)
      let mean = try #require((valid["time"] as? [String: Double])?["mean"])
      #expect(mean >= 0 && mean <= 0.6)
      // At another resolution than trained: twice as many points.
      #expect(try error("run", folder, ["--grid", "32"]).isFinite)

      // Out and back: the same predictions to the last bit, since the weights are.
      let exported = try Command.run(["export", "run", "--output", "w.safetensors"], in: folder)
      #expect(exported.status == 0, "\(exported.messages)")
      #expect(try Command.run(["export", "run", "--output", "w.safetensors"], in: folder).status == 73)
      let imported = try Command.run(
        ["import", "w.safetensors", "--layout", "fno2020", "--output", "back"], in: folder)
      #expect(imported.status == 0, "\(imported.messages)")
      #expect(try error("back", folder) == error("run", folder))
      #expect(try numbers(in: "\(folder)/back/checkpoints/last", below: "weights") == weights)
      let config = try Command.run(
        ["import", "w.safetensors", "--layout", "fno2020", "--config", "train.yaml", "--output", "third"],
        in: folder)
      #expect(config.status == 0, "\(config.messages)")
      #expect(try error("third", folder) == error("run", folder))
      let refused = try Command.run(["export", "run", "--layout", "neuralop"], in: folder)
      #expect(refused.status == 64)
      #expect(refused.messages.contains("has no batch normalisation"), "\(refused.messages)")
    }
  }

  @Test func neuraloperatorsBlockTravels() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      let train = ["train", "train.yaml", "model.lifting_width=12", "model.mixing_width=4", "--json"]
      _ = try json(Command.run(train, in: folder))
      let exported = try Command.run(["export", "run"], in: folder)
      #expect(exported.status == 0 && exported.messages.contains("32"), "\(exported.messages)")
      let file = "run/weights-neuralop.safetensors"
      let imported = try Command.run(
        ["import", file, "--layout", "neuralop", "--output", "back"], in: folder)
      #expect(imported.status == 0, "\(imported.messages)")
      // The coordinates have become those of the layout: the same sum but for rounding (1e-7 of its terms).
      let (before, after) = (try error("run", folder), try error("back", folder))
      #expect(abs(before - after) < 1e-5 * before)
      let wrongLayout = try Command.run(["import", file, "--layout", "fno2020", "--output", "x"], in: folder)
      #expect(wrongLayout.status == 65 && wrongLayout.messages.contains("in the layout neuralop"))
    }
  }

  /// The block's other choices, on a model whose coordinates are those of the layout: the weights stay as they are.
  @Test(arguments: [
    ["model.skip=soft-gating", "model.mixing_width=4", "model.mixing_skip=linear"],
    ["model.skip=identity", "model.mixing_width=4", "model.mixing_skip=none"],
    ["model.skip=none", "model.mixing_width=4", "model.mixing_skip=identity", "model.lifting_width=6"],
    ["model.double_activation=true"],
  ]) func otherBlocksTravel(choices: [String]) throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      _ = try json(
        Command.run(["train", "train.yaml", "model.coordinates=periodic", "--json"] + choices, in: folder))
      let exported = try json(Command.run(["export", "run", "--json"], in: folder))
      #expect(exported["layout"] as? String == "neuralop")
      let file = "run/weights-neuralop.safetensors"
      let imported = try Command.run(
        ["import", file, "--layout", "neuralop", "--output", "back"], in: folder)
      #expect(imported.status == 0, "\(imported.messages)")
      #expect(
        try numbers(in: "\(folder)/back/checkpoints/last", below: "weights")
          == numbers(in: "\(folder)/run/checkpoints/last", below: "weights"))
      let refused = try Command.run(["export", "run", "--layout", "fno2020"], in: folder)
      #expect(refused.status == 64 && refused.messages.contains("use the layout neuralop"))
    }
  }

  @Test(arguments: [
    (["model.mixing_skip=linear"], "it stands beside 'mixing_width', which is 0"),
    (["model.mixing_width=4", "model.double_activation=true"], "it is for layers without mixing"),
    (["model.skip=gating"], "it must be one of linear, soft-gating, identity, none"),
    (["model.kind=cnn", "model.skip=linear"], "unknown key 'model.skip'"),
  ]) func choicesThatDoNotFitAreExplained(choices: [String], message: String) throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      let outcome = try Command.run(["train", "train.yaml"] + choices, in: folder)
      #expect(outcome.status == 64 && outcome.messages.contains(message), "\(outcome.messages)")
    }
  }

  /// One activation is not two: a GELU model without mixing has no form in neuraloperator, and is told what has.
  @Test func oneActivationIsNotTwo() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      _ = try json(Command.run(["train", "train.yaml", "--json"], in: folder))
      let refused = try Command.run(["export", "run", "--layout", "neuralop"], in: folder)
      #expect(refused.status == 64)
      #expect(refused.messages.contains("activates twice") && refused.messages.contains("double_activation"))
    }
  }

  @Test func operationsTravel() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      let xd = Samples.training.replacing("kind: fno", with: "kind: xd")
        .replacing("output: run", with: "architecture_optimizer: {learning_rate: 1e-2}\noutput: run")
      try write(xd, "\(folder)/train.yaml")
      _ = try json(Command.run(["train", "train.yaml", "--json"], in: folder))
      let exported = try Command.run(["export", "run", "--output", "w.safetensors"], in: folder)
      #expect(exported.status == 0, "\(exported.messages)")
      let header = String(
        decoding: try Data(contentsOf: URL(fileURLWithPath: "\(folder)/w.safetensors")), as: UTF8.self)
      // 32 points: five factors of 16 pairs.
      #expect(header.contains(#""conv1.M.0.twiddle":{"data_offsets":["#))
      #expect(header.contains(#""dtype":"F32","shape":[1,1,5,16,2,2,2]}"#))
      let imported = try Command.run(
        ["import", "w.safetensors", "--layout", "fno2020", "--output", "back"], in: folder)
      #expect(imported.status == 0, "\(imported.messages)")
      #expect(try error("back", folder) == error("run", folder))
      let refused = try Command.run(["export", "run", "--layout", "neuralop"], in: folder)
      #expect(refused.status == 64 && refused.messages.contains("has no names for this kind of model"))
    }
  }

  @Test func wrongWeightsAreListed() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      _ = try json(
        Command.run(
          [
            "train", "train.yaml", "data.normalization.input=none", "data.normalization.target=none",
            "--json",
          ], in: folder))
      #expect(try Command.run(["export", "run", "--output", "w.safetensors"], in: folder).status == 0)
      let outcome = try Command.run(
        [
          "import", "w.safetensors", "data.normalization.input=none", "data.normalization.target=none",
          "model.modes=5", "model.layers=3", "model.normalization=batch", "--layout",
          "fno2020", "--config", "train.yaml", "--output", "other",
        ], in: folder)
      #expect(outcome.status == 65)
      for words in [
        "missing: bn0.weight", "conv2.weights1", "bn2.running_var",
        "of another shape: conv0.weights1 [8, 8, 6, 2] instead of complex [8, 8, 5]", "conv1.weights1",
      ] {
        #expect(outcome.messages.contains(words), "\(words): \(outcome.messages)")
      }
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/other"))
      let scaled = try Command.run(
        ["import", "w.safetensors", "--layout", "fno2020", "--config", "train.yaml", "--output", "x"],
        in: folder)
      #expect(scaled.status == 64 && scaled.messages.contains("data.normalization"), "\(scaled.messages)")
      let damaged = try Command.run(
        ["import", "train.yaml", "--layout", "fno2020", "--output", "x"], in: folder)
      #expect(damaged.status == 65 && damaged.messages.contains("not a safetensors file"))
      let missing = try Command.run(["import", "no", "--layout", "fno2020", "--output", "x"], in: folder)
      #expect(missing.status == 66)
    }
  }

  @Test func framesThatDoNotFollowAreRefused() throws {
    try Samples.withFolder { folder in
      try write(Self.data, "\(folder)/data.yaml")
      try write(Self.training("recurrent", modes: "3"), "\(folder)/train.yaml")
      #expect(try Command.run(["generate", "data.yaml"], in: folder).status == 0)
      for (change, message) in [
        ("data.target_frames=6..10", "frames that follow each other in equal steps, not 1, 2, 3, 4, 6"),
        ("data.normalization.input=global", "'data.normalization.input' is global"),
        ("model.modes=[3, 3, 3]", "the model's grid has 2 axes"),
        ("data.target_frames=10..6", "a list of integers or a range"),
      ] {
        let outcome = try Command.run(["train", "train.yaml", change], in: folder)
        #expect(outcome.status == 64 && outcome.messages.contains(message), "\(outcome.messages)")
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
      }
    }
  }
}
