import Archives
import Foundation
import HDF5
import Testing

/// A model whose errors are known by formula: it predicts that nothing changes, and waves move on.
///
/// Frame t of sample s is sin(x − φ), φ = phases[s][t]. Then the prediction sin x has, over the points of whole waves,
/// the mean squared error 1 − cos φ, the correlation cos φ, and the relative L2 error 2 sin(φ/2).
@Suite struct KnownErrorTests {
  private static let points = 32
  private static let phases: [[Double]] = [
    [0.2, 0.4, 0.6, 0.8, 1.0],  // cos 0.6 is more than 0.8, cos 0.8 is not: good for three frames
    [0.1, 0.2, 0.3, 0.4, 0.5],  // to the end
    [0.7, 0.1, 0.1, 0.1, 0.1],  // not even one frame, however good the later ones are
    [0.1, 0.9, 0.2, 0.2, 0.2],  // one
  ]
  private static let validTimes: [Double] = [3, 5, 0, 1].map { 0.5 * $0 }

  private static let training = """
    model: {kind: fno, width: 1, modes: 1, layers: 1, projection_width: 2, activation: relu, coordinates: none}
    data: {train: waves.hdf5, train_samples: 1, test_samples: 4, input_frames: [0], target_frames: 1..5}
    epochs: 1
    batch_size: 1
    optimizer: {learning_rate: 1e-3}
    output: run
    """

  /// Samples 0 to 4 of a file of PDEBench's layout; the first is for training.
  private func writeWaves(_ folder: String) throws {
    try HDF5File.write(to: "\(folder)/waves.hdf5", overwriting: false) { file in
      var values: [Float] = []
      for phases in [[0, 0, 0, 0, 0]] + Self.phases {
        for phase in [0] + phases {
          for point in 0..<Self.points {
            let x: Double = 2 * Double.pi * Double(point) / Double(Self.points)
            values.append(Float(sin(x - phase)))
          }
        }
      }
      try file.root.createDataset("tensor", values, shape: [5, 6, Self.points])
      try file.root.createDataset(
        "x-coordinate", (0..<Self.points).map { Float($0) / Float(Self.points) })
      try file.root.createDataset("t-coordinate", (0...5).map { 0.5 * Float($0) })
    }
  }

  /// The weights with which all layers together are the identity: x = max(x, 0) − max(−x, 0).
  private func writeIdentity(_ folder: String) throws {
    func array(_ name: String, _ shape: [Int], _ values: [Float]) -> Safetensors.Entry {
      .init(name: name, type: .single, shape: shape, values: values)
    }
    try Safetensors([
      array("fc0.weight", [1, 1], [1]), array("fc0.bias", [1], [0]),
      array("conv0.weights1", [1, 1, 1, 2], [0, 0]), array("w0.weight", [1, 1, 1], [1]),
      array("w0.bias", [1], [0]), array("fc1.weight", [2, 1], [1, -1]), array("fc1.bias", [2], [0, 0]),
      array("fc2.weight", [5, 2], [1, -1, 1, -1, 1, -1, 1, -1, 1, -1]),
      array("fc2.bias", [5], [0, 0, 0, 0, 0]),
    ]).write(to: "\(folder)/identity.safetensors")
  }

  @Test func everyMeasureIsItsFormula() throws {
    try Samples.withFolder { folder in
      try writeWaves(folder)
      try writeIdentity(folder)
      try Self.training.write(toFile: "\(folder)/train.yaml", atomically: false, encoding: .utf8)
      let imported = try Command.run(
        [
          "import", "identity.safetensors", "--layout", "fno2020", "--config", "train.yaml", "--output",
          "run",
        ], in: folder)
      #expect(imported.status == 0, "\(imported.messages)")
      let outcome = try Command.run(["evaluate", "run", "--json"], in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      let document = try #require(
        try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      func numbers(_ key: String) throws -> [String: Double] {
        try #require(document[key] as? [String: Any], "\(key)").compactMapValues { $0 as? Double }
      }
      // Waves and results are rounded to single precision, errors are of the order 0.1: to some 1e-6 of them.
      func expect(_ value: Double?, _ formula: Double, _ what: String) {
        #expect(abs((value ?? .nan) - formula) < 2e-6, "\(what): \(value ?? .nan) instead of \(formula)")
      }
      let phases = Self.phases
      func means(_ value: (Double) -> Double) -> [Double] {
        phases.map { $0.reduce(0) { $0 + value($1) } / 5 }
      }
      func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
      let squares = means { 1 - cos($0) }
      expect(try numbers("mean_squared_error")["mean"], mean(squares), "mean squared error")
      expect(try numbers("mean_squared_error")["maximum"], squares.max() ?? 0, "its maximum")
      expect(
        try numbers("root_mean_square_error")["mean"], mean(squares.map { $0.squareRoot() }), "its root")
      // The target's mean square is 1/2.
      let relative = squares.map { (2 * $0).squareRoot() }
      let found = try #require(document["sample_relative_l2"] as? [Double])
      for (value, formula) in zip(found, relative) { expect(value, formula, "relative L2") }
      // The variance is 1/2 · n/(n − 1).
      let variance = 0.5 * Double(Self.points) / Double(Self.points - 1)
      let scaled = means { ((1 - cos($0)) / (variance + 1e-7)).squareRoot() }
      expect(try numbers("variance_scaled_error")["mean"], mean(scaled), "VRMSE")

      let channels = try #require(document["channels"] as? [[String: Any]])
      #expect(channels.count == 5)
      for (frame, channel) in channels.enumerated() {
        #expect(
          (channel["name"] as? String)?.hasSuffix(
            "at t = \(Double(frame + 1) * 0.5)".replacing(".0", with: "")) == true)
        let angles = phases.map { $0[frame] }
        expect(channel["relative_l2"] as? Double, mean(angles.map { 2 * sin($0 / 2) }), "frame \(frame)")
        expect(channel["correlation"] as? Double, mean(angles.map(cos)), "correlation of frame \(frame)")
      }

      let valid = try #require(document["valid_time"] as? [String: Any])
      let time = try #require(valid["time"] as? [String: Double])
      #expect(valid["correlation"] as? Double == 0.8)
      #expect(time["mean"] == mean(Self.validTimes))
      #expect(time["median"] == 1)  // the mean of 0.5 and 1.5
      #expect(time["maximum"] == 2.5)
      #expect(valid["minimum"] as? Double == 0)
      #expect(valid["samples_to_the_end"] as? Int == 1)
      #expect(valid["longest"] as? Double == 2.5)
    }
  }
}
