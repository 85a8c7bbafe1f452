import Datasets
import Foundation
import NeuralOperators
import Synchronization
import Tensors
import TestSupport
import Testing
import Training

/// Samples that are not in memory: they are read batch by batch, one ahead, and train the same bits.
@Suite struct TrainingSourceTests {
  private struct Unreadable: Error {}

  /// Samples behind a count of how often they were read; reading fails after so many times.
  private final class CountedSource: TrainingSource {
    private let data: TrainingData
    private let limit: Int
    private let count = Mutex(0)
    private let largest = Mutex(0)

    init(_ data: TrainingData, limit: Int = .max) {
      self.data = data
      self.limit = limit
    }

    var sampleCount: Int { data.sampleCount }
    var inputShape: Shape { data.inputShape }
    var targetShape: Shape { data.targetShape }
    var readCount: Int { count.withLock { $0 } }
    var largestPart: Int { largest.withLock { $0 } }

    func read(_ samples: [Int]) throws -> TrainingData {
      largest.withLock { $0 = max($0, samples.count) }
      let part = data.read(samples)
      let isReadable = count.withLock { count in
        count += 1
        return count <= limit
      }
      guard isReadable else { throw Unreadable() }
      return part
    }

    func forEachPart(of side: TrainingSide, _ take: (Tensor<Float>) -> Void) {
      for sample in 0..<sampleCount {
        let part = data.read([sample])
        take(side == .input ? part.inputs : part.targets)
      }
    }
  }

  private static let model = ModelConfiguration.fno(.fno2020(dimensions: 1, width: 12, modes: 6))

  private func trainer(_ source: any TrainingSource, epochs: Int = 2) throws -> Trainer {
    Trainer(
      Self.model, configuration: SmallProblem.configuration(epochs: epochs),
      inputScaling: try FieldScaling(.pointwise, fitting: source, side: .input),
      outputScaling: try FieldScaling(.global, fitting: source, side: .target))
  }

  @Test func theBitsAreThoseOfDataInMemory() throws {
    let (data, test) = (SmallProblem.data(samples: 20), SmallProblem.data(samples: 9, first: 50))
    let memory = try trainer(data)
    try memory.fit(data, validation: test, test: test)
    let sources = (CountedSource(data), CountedSource(test))
    let streamed = try trainer(sources.0)
    try streamed.fit(sources.0, validation: sources.1, test: sources.1)
    #expect(sameState(streamed.checkpoint, memory.checkpoint))
    #expect(streamed.inputScaling == memory.inputScaling && streamed.outputScaling == memory.outputScaling)
    // Never more than a batch at once: a look at all samples, and two epochs of three batches.
    #expect(sources.0.largestPart == 8 && sources.0.readCount == 9)
    #expect(try streamed.evaluate(sources.1) == memory.evaluate(test))
  }

  /// When a batch is done the next is being read or has been: nobody asked for it yet.
  @Test func oneBatchIsReadAhead() throws {
    let source = CountedSource(SmallProblem.data(samples: 32))
    let trainer = try trainer(source, epochs: 1)
    try trainer.fit(source) { batch in
      // Four batches of a first look are behind.
      let expected = 4 + min(4, batch.batch + 1)
      let deadline = Date(timeIntervalSinceNow: 60)
      while source.readCount < expected, Date() < deadline { usleep(500) }
      #expect(source.readCount == expected)
    }
  }

  /// The third batch of the second epoch cannot be read: two steps of it are done, and can be built upon.
  @Test func whatCannotBeReadEndsTheTrainingBeforeItsStep() throws {
    let (data, test) = (SmallProblem.data(samples: 20), SmallProblem.data(samples: 8, first: 50))
    let whole = try trainer(data)
    try whole.fit(data, test: test)
    let source = CountedSource(data, limit: 3 + 3 + 2)
    let stopped = try trainer(source)
    #expect(throws: Unreadable.self) { try stopped.fit(source, test: test) }
    #expect(stopped.position.epoch == 1 && stopped.position.batch == 2)
    try withTemporaryFolder { folder in
      try stopped.checkpoint.write(to: "\(folder)/last")
      let continued = try Trainer(resuming: Checkpoint(contentsOf: "\(folder)/last"))
      try continued.fit(data, test: test)
      #expect(sameState(continued.checkpoint, whole.checkpoint))
    }
  }

  @Test func badSamplesAreNamedBeforeTheFirstStep() throws {
    let data = SmallProblem.data(samples: 20)
    var inputs = data.inputs
    inputs[17, 0, 5] = .nan
    let trainer = try trainer(data)
    let source = CountedSource(TrainingData(inputs: inputs, targets: data.targets))
    #expect(throws: TrainingError.invalidData("the input of sample 17 holds NaN or infinite numbers")) {
      try trainer.fit(source)
    }
    #expect(trainer.position.batch == 0 && source.readCount == 3)
  }
}
