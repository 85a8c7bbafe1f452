import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing
import Training

@Suite struct CheckpointTests {
  private func trained() throws -> Trainer {
    let scaling = FieldScaling(mean: randomTensor([1], sample: 1), scale: Tensor(shape: [1], repeating: 2))
    let pointwise = FieldScaling(
      mean: randomTensor([1, 32], sample: 2), scale: Tensor(shape: [1, 32], repeating: 3))
    let trainer = Trainer(
      .fno(.fno2020(dimensions: 1, width: 6, modes: 4)), configuration: SmallProblem.configuration(epochs: 2),
      inputScaling: scaling, outputScaling: pointwise)
    try trainer.fit(SmallProblem.data(samples: 16), test: SmallProblem.data(samples: 4, first: 90))
    return trainer
  }

  @Test func everythingComesBack() throws {
    try withTemporaryFolder { folder in
      let written = try trained().checkpoint
      try written.write(to: folder + "/last")
      let read = try Checkpoint(contentsOf: folder + "/last")
      #expect(sameState(read, written))
      #expect(read.model == written.model && read.training == written.training)
      #expect(read.position == written.position && read.history == written.history)
      #expect(read.inputScaling == written.inputScaling && read.outputScaling == written.outputScaling)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["last"])
      // A checkpoint replaces an earlier one.
      try written.write(to: folder + "/last")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["last"])
    }
  }

  @Test func aWrongModelIsExplainedWithAllNames() throws {
    let checkpoint = try trained().checkpoint
    var configuration = FNO.Configuration.modern(dimensions: 1, width: 8, modes: 4)
    configuration.layers = 5
    let other = FNO(configuration, seed: 0)
    let before = other.parameters.map(\.value)
    let error = #expect(throws: TrainingError.self) { try checkpoint.load(into: other) }
    guard case .mismatchedWeights(_, let missing, let extra, let misshapen) = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(missing == ["layers.4.spectral.weight", "layers.4.skip.weight", "layers.4.skip.bias"])
    #expect(extra.count == 16 && extra[0] == "layers.0.normalization.scale")
    #expect(misshapen.first == "lifting.weight [6, 2] instead of [8, 2]")
    #expect(other.parameters.map(\.value) == before)
    #expect(error?.exitStatus == 65)
  }

  @Test func foreignAndDamagedFilesAreExplained() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/last"
      func reason() -> String {
        do {
          _ = try Checkpoint(contentsOf: path)
          return "none"
        } catch TrainingError.invalidCheckpoint(let named, let reason) {
          return named == path ? reason : "wrong path"
        } catch { return "another error: \(error)" }
      }
      try Data("epoch,split,metric,value\n".utf8).write(to: URL(fileURLWithPath: path))
      #expect(reason().hasPrefix("not a checkpoint that can be read"))
      try trained().checkpoint.write(to: path)
      #expect(reason() == "none")
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: path))
      #expect(reason().contains("truncated"))
      // One flipped bit in the bytes of a weight fails the array's checksum.
      let weight = try trained().checkpoint.weights[0].value.scalars[0]
      var damaged = whole
      let place = try #require(damaged.range(of: withUnsafeBytes(of: weight) { Data($0) }))
      damaged[place.lowerBound] ^= 1
      try damaged.write(to: URL(fileURLWithPath: path))
      #expect(reason().hasPrefix("not a checkpoint that can be read"))
    }
  }

  @Test func missingFilesAreNotDamagedOnes() {
    #expect(throws: (any Error).self) { try Checkpoint(contentsOf: "/nonexistent/last") }
    do { _ = try Checkpoint(contentsOf: "/nonexistent/last") } catch {
      #expect(!(error is TrainingError))  // the file layer's own error, with its own exit status
    }
  }
}
