import Foundation
import Testing

/// The convolutional networks with all their choices, from configuration to evaluation, on an odd grid.
@Suite struct BackboneTests {
  private static let data = """
    equation: {kind: darcy}
    grid: 17
    samples: 8
    output: darcy.h5
    """

  private static let training = """
    model: {kind: unet, width: 4, modes: 2, layers: 2, projection_width: 4, padding_mode: zeros}
    data: {train: darcy.h5, train_samples: 6, test_samples: 2}
    epochs: 2
    batch_size: 3
    optimizer: {learning_rate: 1e-3}
    output: run
    """

  private func withFolder(_ body: (String) throws -> Void) throws {
    try Samples.withFolder { folder in
      for (name, text) in [("data", Self.data), ("net", Self.training)] {
        try text.write(toFile: "\(folder)/\(name).yaml", atomically: false, encoding: .utf8)
      }
      #expect(try Command.run(["generate", "data.yaml"], in: folder).status == 0)
      try body(folder)
    }
  }

  @Test(arguments: [
    ["model.kind=cnn", "model.dilation=2", "model.groups=2"], ["model.kind=resnet", "model.groups=4"],
    ["model.downsampling=average"], ["model.downsampling=strided", "model.upsampling=transposed"],
    ["model.upsampling=transposed", "model.dilation=1", "model.groups=2"],
  ]) func trainResumeEvaluate(choices: [String]) throws {
    try withFolder { folder in
      let train = ["train", "net.yaml"] + choices
      let outcome = try Command.run(train, in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      #expect(try Command.run(train + ["output=halves", "epochs=1"], in: folder).status == 0)
      #expect(try Command.run(train + ["output=halves", "--resume"], in: folder).status == 0)
      let weights = try numbers(in: "\(folder)/run/checkpoints/last", below: "weights")
      #expect(try numbers(in: "\(folder)/halves/checkpoints/last", below: "weights") == weights)
      #expect(try Command.run(["train", "net.yaml", "output=plain"], in: folder).status == 0)
      #expect(try numbers(in: "\(folder)/plain/checkpoints/last", below: "weights") != weights)
      let evaluation = try Command.run(["evaluate", "run", "--json"], in: folder)
      let document = try JSONSerialization.jsonObject(with: Data(evaluation.output.utf8)) as? [String: Any]
      let (mse, rmse) = (
        try #require(document?["mean_squared_error"] as? [String: Double]),
        try #require(document?["root_mean_square_error"] as? [String: Double])
      )
      // Of two samples: the largest error is the root of the largest square.
      #expect(abs(mse["maximum"]!.squareRoot() - rmse["maximum"]!) < 1e-12 * rmse["maximum"]!)
    }
  }

  /// Out to the layout that PyTorch modules load and back, with the same predictions; other layouts are refused.
  @Test(arguments: [
    ["model.kind=resnet", "model.normalization=batch"],
    ["model.downsampling=strided", "model.upsampling=transposed", "data.normalization.target=pointwise"],
    ["model.kind=cnn", "model.normalization=batch"],
    ["model.kind=xd", "model.backbone=resnet", "architecture_optimizer={learning_rate: 1e-3}"],
  ]) func weightsTravel(choices: [String]) throws {
    try withFolder { folder in
      let outcome = try Command.run(["train", "net.yaml"] + choices, in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      let exported = try Command.run(
        ["export", "run", "--layout", "plain", "--output", "w.safetensors"], in: folder)
      #expect(exported.status == 0, "\(exported.messages)")
      let imported = try Command.run(
        ["import", "w.safetensors", "--layout", "plain", "--output", "back"], in: folder)
      #expect(imported.status == 0, "\(imported.messages)")
      for group in ["weights", "normalization"] {
        #expect(
          try numbers(in: "\(folder)/back/checkpoints/last", below: group)
            == numbers(in: "\(folder)/run/checkpoints/last", below: group))
      }
      let refused = try Command.run(["export", "run", "--layout", "neuralop"], in: folder)
      #expect(refused.status == 64 && refused.messages.contains("plain for CNN, ResNet, U-net"))
      if !choices.contains("model.kind=cnn") {
        // The layout that a model has is the default.
        let plain = try Command.run(["export", "run"], in: folder)
        #expect(
          plain.status == 0 && plain.output.contains("run/weights-plain.safetensors"), "\(plain.output)")
        let original = try Command.run(["export", "run", "--layout", "fno2020"], in: folder)
        #expect(original.status == 64, "\(original.messages)")
      }
    }
  }

  /// All of a U-net becomes learned operations, those between its grids too; the grid is then fixed.
  @Test func theWholeOfAUNetBecomesXD() throws {
    try withFolder { folder in
      let xd = [
        "model.kind=xd", "model.backbone=unet", "model.downsampling=strided", "model.upsampling=transposed",
        "architecture_optimizer={learning_rate: 1e-3}",
      ]
      let outcome = try Command.run(["train", "net.yaml"] + xd, in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      let names = try numbers(in: "\(folder)/run/checkpoints/last", below: "weights").keys
      for part in ["coarser.0", "finer.1", "down.2.first.convolution"] {
        #expect(names.contains("weights/\(part).architecture.m.0.twiddle"), "\(names.sorted())")
      }
      let other = try Command.run(["evaluate", "run", "--grid", "9"], in: folder)
      #expect(other.status == 65)
      #expect(
        other.messages
          == "error: the K-matrices of an XD model fit the grid that it was trained on, [17, 17], and no other, such as "
          + "[9, 9]\n")
      let unknown = try Command.run(
        ["train", "net.yaml", "model.convolutions=[finer.9]", "output=x"] + xd, in: folder)
      #expect(unknown.status == 64 && unknown.messages.contains("no convolution is called finer.9"))
    }
  }

  @Test func dataOfOtherAxesNameBothSides() throws {
    try withFolder { folder in
      #expect(try Command.run(["train", "net.yaml", "epochs=1", "model.kind=cnn"], in: folder).status == 0)
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      for arguments in [
        ["evaluate", "run", "--data", "burgers.h5"],
        ["predict", "run", "--input", "burgers.h5", "--output", "p.h5"],
      ] {
        let outcome = try Command.run(arguments, in: folder)
        #expect(outcome.status == 65)
        #expect(outcome.messages == "error: the model is for grids of 2 axes, not [32]\n")
      }
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/p.h5"))
    }
  }

  /// Both sides of what does not fit are named, and no folder is made.
  @Test(arguments: [
    (["model.groups=3"], "width must be a multiple of groups: 4 channels are not 3 equal groups"),
    (["model.layers=6"], "it cannot be made coarser"),
    (["model.kind=cnn", "model.upsampling=transposed"], "unknown key 'model.upsampling'"),
    (["model.upsampling=nearest"], "it must be one of repeated, transposed"),
    (
      ["model.kind=fno", "model.modes=10", "model.padding_mode=zeros"],
      "unknown key 'model.padding_mode'"
    ),
    (
      ["model.kind=cnn", "model.modes=8", "model.dilation=5", "model.padding_mode=circular"],
      "a circular padding of 20 is more than the 17 points of axis 0"
    ),
  ]) func whatDoesNotFitIsExplained(choices: [String], message: String) throws {
    try withFolder { folder in
      let outcome = try Command.run(["train", "net.yaml"] + choices, in: folder)
      #expect(outcome.status == 64)
      #expect(outcome.messages.contains(message), "\(outcome.messages)")
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"))
    }
  }
}
