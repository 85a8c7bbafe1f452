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

  @Test func gradientsAgreeWithFiniteDifferences() throws {
    let data = SmallProblem.data(samples: 40)
    let scaling = { (mean: Float, scale: Float) in
      FieldScaling(mean: Tensor(shape: [1], repeating: mean), scale: Tensor(shape: [1], repeating: scale))
    }
    let trainer = Trainer(
      SmallProblem.model, configuration: SmallProblem.configuration(epochs: 1), inputScaling: scaling(0.5, 2),
      outputScaling: scaling(-1, 3))
    let learned = try LearnedOperator(trainer.checkpoint)
    let inputs = Tensor<Double>(converting: data.inputs)
    // 40 samples: more than are computed at once.
    let cotangents = Tensor<Double>(converting: randomTensor(data.targets.shape, sample: 1))
    let directions = Tensor<Double>(converting: randomTensor(data.inputs.shape, sample: 2))
    let (solutions, products) = try learned.vectorJacobianProducts(inputs) { _, samples in
      cotangents[first: samples]
    }
    #expect(solutions == (try learned(inputs)))
    let points = inputs.count / 40
    func moved(_ step: Double) throws -> Tensor<Double> {
      var result = inputs
      result.withUnsafeMutableBuffer { result in
        withPointers(directions) { Double.axpy(result.count, step, $0, result.baseAddress!) }
      }
      return try learned(result)
    }
    // Rounding is 6e-8 of outputs of order 3 times √32 points over the step, 1e-5 of the derivatives' size 3e-3
    // times √32; the step changes inputs by a tenth of their deviation.
    let step = 0.1
    let (forth, back) = (try moved(step), try moved(-step))
    withPointers(forth, back, cotangents, directions, products) { forth, back, v, d, gradient in
      for sample in 0..<40 {
        let offset = sample * points
        let difference =
          (Double.dot(points, forth + offset, v + offset) - Double.dot(points, back + offset, v + offset))
          / (2 * step)
        let derivative = Double.dot(points, gradient + offset, d + offset)
        // ⟨g, d⟩ is of the size ‖g‖; a scale that is forgotten, the smallest mistake, is a factor of 2.
        let size = Double.dot(points, gradient + offset, gradient + offset).squareRoot()
        #expect(abs(difference - derivative) < 0.01 * size)
      }
    }
  }
}
