import Foundation
import HDF5
import Testing

/// What an inversion is given: everything that is wrong with it is named before the first solve, and nothing is
/// written then.
@Suite struct InversionInputTests {
  /// Runs `invert` on a table of observations; `x` is where it would write.
  private func invert(_ folder: String, _ arguments: [String]) throws -> Command.Outcome {
    try Command.run(["invert", "invert.yaml", "output=x", "--overwrite"] + arguments, in: folder)
  }

  /// Expects that `invert` refuses.
  private func refusal(
    _ folder: String, _ arguments: [String], _ status: Int32, _ message: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let outcome = try invert(folder, arguments)
    #expect(outcome.status == status, sourceLocation: sourceLocation)
    #expect(
      outcome.messages.hasPrefix("error: ") && outcome.messages.contains(message),
      "\(outcome.messages)", sourceLocation: sourceLocation)
    #expect(!FileManager.default.fileExists(atPath: "\(folder)/x"), sourceLocation: sourceLocation)
  }

  private func train(on file: String, _ more: [String] = [], in folder: String) throws {
    let text = Samples.training.replacing("burgers.h5", with: file).replacing(
      "train_samples: 8", with: "train_samples: 1"
    ).replacing("test_samples: 4", with: "test_samples: 1").replacing("batch_size: 4", with: "batch_size: 1")
    try text.write(toFile: "\(folder)/train.yaml", atomically: false, encoding: .utf8)
    let outcome = try Command.run(["train", "train.yaml"] + more, in: folder)
    #expect(outcome.status == 0, "\(outcome.messages)")
  }

  @Test func observationsAndNoise() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "ns.yaml"], in: folder).status == 0)
      // Outside the domain, at an unrecorded time, without a sample.
      try refusal(folder, ["observations.sensors=[[0.5, 1.2]]"], 64, "coordinates at least 0 and below 1")
      try refusal(folder, ["observations.sensors=[[-0.1, 0.2]]"], 64, "coordinates at least 0 and below 1")
      try refusal(
        folder, ["observations.time=0.3"], 64, "'observations.time' is 0.3; the recorded times are 0.5")
      try refusal(
        folder, ["observations.sample=2"], 64, "'observations.sample' is 2; ns.h5 has samples 0 to 1")
      // Noise that is none.
      for noise in ["0", "-0.1", "nan"] {
        try refusal(folder, ["noise=\(noise)"], 64, "'noise' is \(noise); it must be")
      }
      try refusal(folder, ["noise={std: 0}"], 64, "'noise.std' is 0; it must be greater than 0")
      try refusal(
        folder, ["noise={std: 0.1, correlation_length: 0}"], 64, "'noise.correlation_length' is 0; it must be"
      )
      try refusal(
        folder,
        [
          "noise={std: 0.1, correlation_length: 0.2}",
          "observations={file: ns.h5, sensors: [[0.5, 0.5], [0.5, 0.5]]}",
        ],
        64, "two observations at one place and time cannot have correlated errors")
      // A table in HDF5: as good as one in CSV, and as bad.
      func table(_ value: Double, _ sigma: Double, _ name: String) throws {
        try HDF5File.write(to: "\(folder)/\(name)") { file in
          try file.root.createDataset("x", [0.25, 0.51])
          try file.root.createDataset("y", [0.5, 0.75])
          try file.root.createDataset("t", [0.5, 0.5])
          try file.root.createDataset("value", [0.1, value])
          try file.root.createDataset("sigma", [0.1, sigma])
        }
      }
      try table(.nan, 0.1, "nan.h5")
      try refusal(folder, ["observations=nan.h5", "data=ns.h5"], 65, "nan.h5: value 1: value is nan")
      try table(0.2, -1, "negative.h5")
      try refusal(
        folder, ["observations=negative.h5", "data=ns.h5"], 65, "negative.h5: value 1: sigma is -1")
      try refusal(folder, ["observations=absent.csv", "data=ns.h5"], 66, "absent.csv: ")
      try table(0.2, 0.1, "good.h5")
      let outcome = try invert(folder, ["observations=good.h5", "data=ns.h5", "--json"])
      #expect(outcome.status == 0, "\(outcome.messages)")
    }
  }

  @Test func dataThatAreNotFinite() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "ns.yaml"], in: folder).status == 0)
      for frame in [0, 1] {
        do {
          let file = try HDF5File(opening: "\(folder)/ns.h5", writable: true)
          let field = try file.root.dataset("t0_fields/vorticity")
          try field.write(
            [Float](repeating: .nan, count: 256), HDF5Slab(start: [0, frame, 0, 0], count: [1, 1, 16, 16]))
        }
        try refusal(folder, [], 65, "ns.h5: sample 0 of 'vorticity' holds a number that is not finite")
        #expect(try Command.run(["generate", "ns.yaml", "--overwrite"], in: folder).status == 0)
      }
    }
  }

  @Test func surrogatesForSomethingElse() throws {
    try Samples.withFolder { folder in
      for (file, more) in [
        ("ns.h5", []), ("unforced.h5", ["equation.forcing=none"]), ("fine.h5", ["grid=32"]),
      ] {
        #expect(try Command.run(["generate", "ns.yaml", "output=\(file)"] + more, in: folder).status == 0)
      }
      #expect(try Command.run(["generate", "burgers.yaml"], in: folder).status == 0)
      try train(on: "ns.h5", in: folder)
      try train(on: "burgers.h5", ["output=burgers-run"], in: folder)
      try refusal(folder, ["surrogate=absent"], 66, "absent")
      try refusal(
        folder, ["surrogate=burgers-run"], 64,
        "'surrogate' is burgers-run, which was trained for the equation")
      try refusal(
        folder, ["surrogate=run", "observations.file=unforced.h5"], 64,
        "'surrogate' is run, which was trained for the equation")
      try refusal(
        folder, ["surrogate=run", "equation={viscosity: 2e-3}"], 64,
        "'equation.viscosity' is 0.002; ns.h5 is for 0.01")
      try refusal(
        folder, ["surrogate=run", "equation={kind: burgers}"], 64,
        "'equation.kind' is burgers; ns.h5 is for navier-stokes")
      try refusal(
        folder, ["surrogate=run", "equation={grid: 64}"], 64,
        "'equation.grid' is 64; ns.h5 is used on 16 x 16 points")
      // Another grid is possible, but not what was trained.
      let fine = try invert(folder, ["surrogate=run", "observations.file=fine.h5"])
      #expect(fine.status == 0, "\(fine.messages)")
      #expect(
        fine.messages.contains(
          "warning: the surrogate run was trained on 16 x 16 points and is used on 32 x 32"),
        "\(fine.messages)")
      #expect(try Command.run(["generate", "ns.yaml", "seed=5", "--overwrite"], in: folder).status == 0)
      let changed = try invert(folder, ["surrogate=run"])
      #expect(changed.messages.contains("warning: ns.h5 is not what the surrogate run was trained on"))
    }
  }
}
