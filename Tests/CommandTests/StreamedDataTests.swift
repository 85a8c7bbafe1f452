import Foundation
import HDF5
import Testing

/// Training on samples that stay in their file (`data.memory`).
@Suite struct StreamedDataTests {
  /// The weights and the errors after training, which streaming must not change by a bit.
  private struct Result: Equatable {
    let weights: [String: [Double]]
    let normalization: [String: [Double]]
    let errors: [String]

    init(_ run: String) throws {
      weights = try numbers(in: "\(run)/checkpoints/last", below: "weights")
      normalization = try numbers(in: "\(run)/checkpoints/last", below: "normalization")
      errors = try String(contentsOfFile: "\(run)/metrics.csv", encoding: .utf8).split(separator: "\n")
        .map(String.init).filter { !$0.contains("seconds") }
    }
  }

  private func train(_ arguments: [String], in folder: String) throws {
    let outcome = try Command.run(["train"] + arguments, in: folder)
    #expect(outcome.status == 0, "\(outcome.messages)")
  }

  /// Every second point, frames out of order, validation samples, both normalizers; in our layout and in chunks of
  /// several compressed samples.
  @Test(arguments: ["ns.h5", "chunks.hdf5"]) func theBitsAreThoseOfTrainingInMemory(file: String) throws {
    try Samples.withFolder { folder in
      let data = """
        equation: {kind: navier-stokes, viscosity: 1e-2, final_time: 1, frames: 4}
        grid: 32
        stored_grid: 16
        samples: 14
        output: ns.h5
        """
      try data.write(toFile: "\(folder)/data.yaml", atomically: false, encoding: .utf8)
      #expect(try Command.run(["generate", "data.yaml"], in: folder).status == 0)
      if file != "ns.h5" {
        let values = try HDF5File(opening: "\(folder)/ns.h5").root.dataset("t0_fields/vorticity").read(
          as: Float.self)
        try writeTensor(to: "\(folder)/\(file)", samples: 14, frames: 5, grid: [16, 16], perChunk: 4) {
          sample in
          let size = values.count / 14
          return Array(values[sample * size..<(sample + 1) * size])
        }
      }
      let settings = [
        "train.yaml", "model.modes=3", "data.train=\(file)", "data.train_samples=8",
        "data.validation_samples=3",
        "data.test_samples=3", "data.stride=2", "data.input_frames=[2, 0]", "data.target_frames=[4]",
        "data.normalization.input=pointwise", "batch_size=3", "epochs=4",
      ]
      try train(settings + ["output=memory", "data.memory=in-memory"], in: folder)
      try train(settings + ["output=streamed", "data.memory=streamed"], in: folder)
      let memory = try Result("\(folder)/memory")
      #expect(memory.weights.count > 5 && !memory.normalization.isEmpty && memory.errors.count > 12)
      #expect(try Result("\(folder)/streamed") == memory)
      // One half streamed, the other in memory.
      try train(settings + ["output=halves", "data.memory=streamed", "epochs=2"], in: folder)
      try train(settings + ["output=halves", "data.memory=in-memory", "--resume"], in: folder)
      #expect(try Result("\(folder)/halves") == memory)
    }
  }

  /// What is held in memory is a batch or two, not the file: 150 MiB of samples.
  @Test func memoryDoesNotGrowWithTheFile() throws {
    try Samples.withFolder { folder in
      let (samples, points) = (300, 65_536)
      let wave = (0..<2 * points).map { Float(sin(Double($0) / 1000)) }
      try writeTensor(to: "\(folder)/large.hdf5", samples: samples, frames: 2, grid: [points], perChunk: nil)
      {
        sample in
        var values = wave
        values[0] = Float(sample)
        return values
      }
      func peak(_ memory: String) throws -> Int {
        try Command.peakMemory(
          [
            "train", "train.yaml", "model.width=1", "model.modes=2", "model.layers=1",
            "model.projection_width=1",
            "data.train=large.hdf5", "data.train_samples=\(samples - 1)", "data.test_samples=1",
            "batch_size=3",
            "epochs=1", "data.memory=\(memory)", "output=\(memory)",
          ], in: folder)
      }
      let bytes = 4 * samples * 2 * points
      let (streamed, memory) = (try peak("streamed"), try peak("in-memory"))
      // Some 115 MiB and 270 MiB. Peaks vary by some 30 MiB with how threads free their memory.
      #expect(streamed > 0 && memory > streamed + bytes / 2, "\(streamed) and \(memory) bytes for \(bytes)")
      #expect(memory < streamed + bytes * 5 / 4, "\(streamed) and \(memory) bytes for \(bytes)")
      #expect(try Result("\(folder)/streamed") == Result("\(folder)/in-memory"))
    }
  }

  @Test func aFileThatIsCutOffDuringTrainingKeepsTheLastCheckpoint() throws {
    try Samples.withFolder { folder in
      // More than the library keeps in memory.
      let (samples, points) = (64, 16_384)
      let file = "\(folder)/data.hdf5"
      try writeTensor(to: file, samples: samples, frames: 2, grid: [points], perChunk: nil) { sample in
        (0..<2 * points).map { Float(sin(Double($0 * (sample % 7 + 1)) / 1000)) }
      }
      try FileManager.default.copyItem(atPath: file, toPath: "\(folder)/copy.hdf5")
      let settings = [
        "train.yaml", "data.train=data.hdf5", "data.train_samples=60", "data.memory=streamed",
        "model.width=2",
      ]
      let command = try Command.Running(["train"] + settings + ["epochs=1000000"], in: folder)
      let last = "\(folder)/run/checkpoints/last"
      #expect(command.wait { FileManager.default.fileExists(atPath: last) })
      #expect(truncate(file, 4 * points * samples) == 0)
      let outcome = command.wait()
      #expect(outcome.status == 65, "\(outcome.messages)")
      #expect(
        outcome.messages.contains("data.hdf5: has become shorter since it was opened"), "\(outcome.messages)")
      // The whole file again, the run goes on from its checkpoint.
      try FileManager.default.removeItem(atPath: file)
      try FileManager.default.copyItem(atPath: "\(folder)/copy.hdf5", toPath: file)
      let done = try Result("\(folder)/run").errors.count / 3
      try train(settings + ["epochs=\(done + 1)", "--resume"], in: folder)
      #expect(try Result("\(folder)/run").errors.count / 3 == done + 1)
    }
  }

  @Test func interleavedSamplesAreToBeTranslatedFirst() throws {
    try Samples.withFolder { folder in
      let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Golden/Layouts/burgers-v5.mat").path
      let outcome = try Command.run(
        [
          "train", "train.yaml", "data.train=\(file)", "data.train_samples=3", "data.test_samples=1",
          "batch_size=3", "data.memory=streamed",
        ], in: folder)
      #expect(outcome.status == 64)
      #expect(
        outcome.messages.contains("'data.memory' is streamed, but \(file) stores its samples interleaved"))
      #expect(outcome.messages.contains("phalarope convert"))
      #expect(try !names(in: folder).contains("run"))
    }
  }

  /// A file of PDEBench's layout: one tensor of all samples, its chunks compressed unless it has none.
  private func writeTensor(
    to path: String, samples: Int, frames: Int, grid: [Int], perChunk: Int?, _ values: (Int) -> [Float]
  ) throws {
    try HDF5File.write(to: path, overwriting: false) { file in
      let layout =
        perChunk.map { HDF5Layout(chunks: [$0, frames] + grid, isShuffled: true, deflate: 1) } ?? HDF5Layout()
      let tensor = try file.root.createDataset(
        "tensor", of: Float.self, shape: [samples, frames] + grid, layout: layout)
      for sample in 0..<samples {
        try tensor.write(
          values(sample), HDF5Slab(start: [sample, 0] + grid.map { _ in 0 }, count: [1, frames] + grid))
      }
      for (name, points) in zip(["x", "y"], grid) {
        try file.root.createDataset("\(name)-coordinate", (0..<points).map { Float($0) / Float(points) })
      }
      try file.root.createDataset("t-coordinate", (0..<frames).map { Float($0) })
    }
  }
}
