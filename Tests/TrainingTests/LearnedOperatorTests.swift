import Autodiff
import NeuralOperators
import Tensors
import TestSupport
import Testing
import Training

@Suite struct LearnedOperatorTests {
  @Test func equalsTheTrainersModel() throws {
    try withTemporaryFolder { folder in
      let data = SmallProblem.data(samples: 40)
      let inputScaling = FieldScaling(
        mean: Tensor(shape: [1], repeating: 0.5), scale: Tensor(shape: [1], repeating: 2))
      let trainer = Trainer(
        SmallProblem.model, configuration: SmallProblem.configuration(epochs: 1), inputScaling: inputScaling)
      try trainer.fit(data)
      try trainer.checkpoint.write(to: folder + "/best")
      let learned = try LearnedOperator(contentsOf: folder + "/best")
      let inputs = Tensor<Double>(converting: data.inputs)
      let outputs = try learned(inputs)
      // The trainer evaluates in batches of 8; the mixing of modes rounds alike in every batch size.
      let errors = Metrics.relativeL2(outputs, Tensor<Double>(converting: data.targets))
      for (left, right) in zip(errors, try trainer.evaluate(data)) { #expect(abs(left - right) < 1e-6) }
      // 40 samples: more than are computed at once.
      #expect(outputs[first: 36..<37] == (try learned(inputs[first: 36..<37])))
    }
  }

  @Test func otherGridsWorkAndTooSmallOnesAreExplained() throws {
    let trainer = Trainer(SmallProblem.model, configuration: SmallProblem.configuration(epochs: 1))
    let learned = try LearnedOperator(trainer.checkpoint)
    #expect(try learned(Tensor(shape: [1, 1, 100])).shape == [1, 1, 100])
    #expect(
      throws: TrainingError.invalidData("6 modes do not fit the 8 points of axis 0, which hold at most 5")
    ) { try learned(Tensor(shape: [1, 1, 8])) }
    #expect(throws: TrainingError.self) { try learned(Tensor(shape: [1, 3, 32])) }
  }

  @Test func severalThreadsMayCallIt() throws {
    let trainer = Trainer(SmallProblem.model, configuration: SmallProblem.configuration(epochs: 1))
    let learned = try LearnedOperator(trainer.checkpoint)
    let inputs = Tensor<Double>(converting: SmallProblem.data(samples: 16).inputs)
    let together = try learned(inputs)
    var apart = [Tensor<Double>?](repeating: nil, count: 16)
    apart.withUnsafeMutableBufferPointer { apart in
      nonisolated(unsafe) let apart = apart
      parallelForEach(16) { index, _ in apart[index] = try? learned(inputs[first: index..<index + 1]) }
    }
    for (index, result) in apart.enumerated() { #expect(result == together[first: index..<index + 1]) }
  }
}
