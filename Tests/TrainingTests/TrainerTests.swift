import Autodiff
import Datasets
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing
import Training

@Suite struct TrainerTests {
  @Test func theErrorFalls() throws {
    let trainer = Trainer(SmallProblem.model, configuration: SmallProblem.configuration(epochs: 40))
    let test = SmallProblem.data(samples: 32, first: 1000)
    let before = MetricSummary(try trainer.evaluate(test)).mean
    try trainer.fit(SmallProblem.data(samples: 128), test: test)
    let after = try #require(trainer.history.last?.testError)
    // An untrained network is as good as predicting 0 (error 1); a linear one cannot get the square.
    #expect(before > 0.8 && after < 0.1, "from \(before) to \(after)")
    #expect(trainer.history.count == 40)
    #expect(trainer.history.map(\.epoch) == Array(1...40))
    #expect(MetricSummary(try trainer.evaluate(test)).mean == after)
  }

  @Test func runsOfOneSeedAreEqualWhateverTheThreads() throws {
    let data = SmallProblem.data(samples: 20)
    let runs = try withThreadCounts([1, 2, 3]) {
      let trainer = Trainer(SmallProblem.model, configuration: SmallProblem.configuration(epochs: 3))
      try trainer.fit(data, test: data)
      return trainer.checkpoint
    }
    #expect(sameState(runs[0], runs[1]))
    #expect(sameState(runs[0], runs[2]))
  }

  @Test(arguments: [
    ModelConfiguration.fno(.modern(dimensions: 1, width: 12, modes: 6)),
    .fno(.fno2020(dimensions: 1, width: 12, modes: 6)), SmallProblem.xd,
  ])
  func aContinuedRunGivesTheSameBits(model: ModelConfiguration) throws {
    try checkContinuation(
      model,
      SmallProblem.configuration(
        epochs: 6, schedule: .cosine(warmUpEpochs: 1, finalFactor: 0.01),
        architectureOptimizer: OptimizerConfiguration(
          .sgd(momentum: 0.5), learningRate: 0.01, warmUpEpochs: 1)))
  }

  @Test(arguments: [
    Schedule.plateau(factor: 0.5, patience: 0, minimumFactor: 0.01),
    .oneCycle(rise: 0.3, initialFactor: 0.04, finalFactor: 1e-3),
  ])
  func aContinuedRunGivesTheSameBitsWithEverything(schedule: Schedule) throws {
    var configuration = SmallProblem.configuration(epochs: 6, schedule: schedule)
    configuration.optimizer.method = .adamW()
    configuration.clippingNorm = 0.5
    configuration.microBatchSize = 3
    configuration.averagingDecay = 0.9
    configuration.earlyStoppingPatience = 5
    try checkContinuation(.fno(.fno2020(dimensions: 1, width: 12, modes: 6)), configuration)
  }

  private func checkContinuation(
    _ model: ModelConfiguration, _ configuration: TrainingConfiguration
  ) throws {
    try withTemporaryFolder { folder in
      let (data, test) = (SmallProblem.data(samples: 20), SmallProblem.data(samples: 8, first: 50))
      let validation = SmallProblem.data(samples: 6, first: 70)
      let whole = Trainer(model, configuration: configuration)
      try whole.fit(data, validation: validation, test: test)
      #expect(whole.history.count == 6)

      // Stopped after the epoch 2, then in the middle of the epoch 4.
      struct Stop: Error {}
      let path = folder + "/last"
      let first = Trainer(model, configuration: configuration)
      #expect(throws: Stop.self) {
        try first.fit(data, validation: validation, test: test) { _ in
        } afterEpoch: {
          if $0.epoch == 2 { throw Stop() }
        }
      }
      try first.checkpoint.write(to: path)
      let second = try Trainer(resuming: Checkpoint(contentsOf: path))
      #expect(throws: CancellationError.self) {
        try second.fit(data, validation: validation, test: test) {
          if $0.epoch == 4 && $0.batch == 2 { throw CancellationError() }
        }
      }
      #expect(second.position.epoch == 3 && second.position.batch == 2)
      try second.checkpoint.write(to: path)
      let third = try withThreadCounts([3]) {
        let trainer = try Trainer(resuming: Checkpoint(contentsOf: path))
        try trainer.fit(data, validation: validation, test: test)
        return trainer
      }[0]
      #expect(sameState(third.checkpoint, whole.checkpoint))
    }
  }

  /// While the K-matrices warm up, an XD model is trained as the convolutional network that it begins as.
  @Test func twoOptimizersStepTogether() throws {
    let data = SmallProblem.data(samples: 20)
    func train(_ model: ModelConfiguration, epochs: Int, warmUp: Int) throws -> Trainer {
      let trainer = Trainer(
        model,
        configuration: SmallProblem.configuration(
          epochs: epochs,
          architectureOptimizer: OptimizerConfiguration(
            .sgd(momentum: 0.5), learningRate: 1e-3, weightDecay: 0, warmUpEpochs: warmUp)))
      try trainer.fit(data)
      return trainer
    }
    let cnn = try train(SmallProblem.convolutional, epochs: 2, warmUp: 0)
    let resting = try train(SmallProblem.xd, epochs: 2, warmUp: 2)
    for (left, right) in zip(cnn.history, resting.history) {
      // Six steps, in which the two ways to convolve differ by rounding, which Adam enlarges at first.
      #expect(abs(left.trainingError - right.trainingError) < 1e-3 * left.trainingError)
    }
    let start = SmallProblem.xd.makeModel(seed: 7).namedParameters
    func changed(_ trainer: Trainer) -> Set<Parameter.Role> {
      Set(
        zip(start, trainer.model.namedParameters).filter { $0.parameter.value != $1.parameter.value }
          .filter(\.1.parameter.isTrainable).map(\.1.parameter.role))
    }
    #expect(changed(resting) == [.weight])
    #expect(resting.checkpoint.optimizers.map(\.stepCount) == [6, 0])
    let both = try train(SmallProblem.xd, epochs: 2, warmUp: 1)
    #expect(changed(both) == [.weight, .architecture])
    #expect(both.checkpoint.optimizers.map(\.role) == [.weight, .architecture])
    #expect(both.checkpoint.optimizers.map(\.stepCount) == [6, 3])
    #expect(both.checkpoint.optimizers[1].memory.map(\.name) == ["velocity"])
    #expect(cnn.checkpoint.optimizers.count == 1)
  }

  @Test func theStateOfAnotherOptimizerIsRefused() throws {
    let trainer = Trainer(SmallProblem.xd, configuration: SmallProblem.configuration(epochs: 1))
    var checkpoint = trainer.checkpoint
    checkpoint.training.architectureOptimizer = OptimizerConfiguration(.sgd())
    #expect(throws: TrainingError.self) { try Trainer(resuming: checkpoint) }
    checkpoint = trainer.checkpoint
    checkpoint.optimizers.removeLast()
    #expect(throws: TrainingError.self) { try Trainer(resuming: checkpoint) }
  }

  @Test func anXDModelRefusesOtherGrids() throws {
    let trainer = Trainer(SmallProblem.xd, configuration: SmallProblem.configuration(epochs: 1))
    #expect {
      try trainer.fit(SmallProblem.data(samples: 8, points: 16))
    } throws: {
      "\($0)"
        == "the K-matrices of an XD model fit the grid that it was trained on, [32], and no other, such as [16]"
    }
  }

  @Test func anInfiniteLossStopsBeforeTheWeightsAreTouched() throws {
    var configuration = SmallProblem.configuration(epochs: 3)
    configuration.optimizer.learningRate = 1e25  // the square of such weights is not finite
    let trainer = Trainer(SmallProblem.model, configuration: configuration)
    var batches = 0
    var last = trainer.checkpoint
    let error = #expect(throws: TrainingError.self) {
      try trainer.fit(SmallProblem.data(samples: 16)) { _ in
        batches += 1
        last = trainer.checkpoint
      }
    }
    guard case .diverged(epoch: 1, let batch, let loss) = error else {
      Issue.record("not a divergence: \(String(describing: error))")
      return
    }
    #expect(batch == batches + 1 && !loss.isFinite)
    #expect(sameState(trainer.checkpoint, last))
  }

  /// The loss is finite, its gradient is not: a rate that no number holds makes the weights so next time.
  @Test func aGradientThatIsNotFiniteStopsBeforeAnythingChanges() throws {
    let trainer = Trainer(
      .fno(.fno2020(dimensions: 1, width: 12, modes: 6)),
      configuration: SmallProblem.configuration(epochs: 3),
      outputScaling: FieldScaling(mean: Tensor(shape: [1]), scale: Tensor(shape: [1], repeating: 1e30)))
    let data = SmallProblem.data(samples: 16)
    // Errors of 1e30 relative to targets of 1e-8: the quotient is a number, the gradient's square is none.
    let small = TrainingData(
      inputs: data.inputs,
      targets: Tensor(shape: data.targets.shape, scalars: data.targets.scalars.map { 1e-18 * $0 }))
    let before = trainer.checkpoint
    #expect(throws: TrainingError.self) { try trainer.fit(small) }
    #expect(sameState(trainer.checkpoint, before))
  }

  /// Parts of a batch give the gradient of the whole, for sums and for means; without batch normalisation.
  @Test(arguments: [LossReduction.sum, .mean]) func partsOfABatchMakeTheSameStep(reduction: LossReduction)
    throws
  {
    let data = SmallProblem.data(samples: 16)
    func train(_ part: Int?) throws -> Trainer {
      var configuration = SmallProblem.configuration(epochs: 1)
      configuration.optimizer.method = .sgd()
      configuration.lossReduction = reduction
      configuration.microBatchSize = part
      let trainer = Trainer(SmallProblem.model, configuration: configuration)
      try trainer.fit(data)
      return trainer
    }
    let (whole, parts) = (try train(nil), try train(3))
    for (left, right) in zip(whole.checkpoint.weights, parts.checkpoint.weights) {
      // Two steps, whose sums have another order.
      #expect(relativeError(right.value, left.value) < 1e-5, "\(left.name)")
    }
    #expect(
      parts.checkpoint.weights[0].value
        != Trainer(
          SmallProblem.model, configuration: whole.configuration
        ).checkpoint.weights[0].value)
  }

  /// With plain gradient descent a step is as long as the rate times the gradient.
  @Test func longGradientsAreShortened() throws {
    let data = SmallProblem.data(samples: 8)
    func stepLength(_ norm: Double?) throws -> Double {
      var configuration = SmallProblem.configuration(epochs: 1)
      configuration.optimizer = OptimizerConfiguration(.sgd(), learningRate: 0.01, weightDecay: 0)
      configuration.clippingNorm = norm
      let trainer = Trainer(SmallProblem.model, configuration: configuration)
      let before = trainer.checkpoint.weights
      try trainer.fit(data)
      return zip(before, trainer.checkpoint.weights).reduce(0.0) { sum, pair in
        sum + zip(pair.0.value.scalars, pair.1.value.scalars).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
      }.squareRoot()
    }
    let free = try stepLength(nil)
    // Differences of single-precision weights.
    #expect(abs(try stepLength(free / 0.02) - free / 2) < 1e-3 * free)
    #expect(try stepLength(free / 0.005) == free)
  }

  @Test func errorsAreThoseOfTheAverages() throws {
    let (data, test) = (SmallProblem.data(samples: 8), SmallProblem.data(samples: 8, first: 50))
    var configuration = SmallProblem.configuration(epochs: 2)  // one step per epoch
    configuration.averagingDecay = 0.15
    let trainer = Trainer(.fno(.fno2020(dimensions: 1, width: 12, modes: 6)), configuration: configuration)
    var weights = [trainer.checkpoint.weights]
    try trainer.fit(data, test: test) { _ in weights.append(trainer.checkpoint.weights) }
    let averages = trainer.checkpoint.averages
    for (index, average) in averages.enumerated() where !average.name.contains("running") {
      let (w0, w1, w2) = (weights[0][index].value, weights[1][index].value, weights[2][index].value)
      for point in average.value.scalars.indices {
        // The first decay is 1/10, the second 0.15, less than 2/11.
        let first = 0.1 * w0.scalars[point] + 0.9 * w1.scalars[point]
        let expected = 0.15 * first + 0.85 * w2.scalars[point]
        #expect(abs(average.value.scalars[point] - expected) < 1e-6 * max(1, abs(expected)))
      }
    }
    let learned = try LearnedOperator(trainer.checkpoint)
    let predicted = try learned(Tensor<Double>(converting: test.inputs))
    let errors = Metrics.relativeL2(Tensor<Float>(converting: predicted), test.targets)
    let last = try #require(trainer.history.last?.testError)
    #expect(abs(errors.reduce(0, +) / 8 - last) < 1e-6)
    #expect(trainer.checkpoint.weights.map(\.value) == weights[2].map(\.value))
  }

  @Test func trainingEndsWhenTheValidationErrorDoes() throws {
    let data = SmallProblem.data(samples: 8)
    var configuration = SmallProblem.configuration(epochs: 50)
    configuration.optimizer = OptimizerConfiguration(.sgd(), learningRate: 1e-12, weightDecay: 0)
    configuration.earlyStoppingPatience = 3
    let trainer = Trainer(SmallProblem.model, configuration: configuration)
    // Steps too small to change a weight: the first epoch stays the best.
    try trainer.fit(data, validation: SmallProblem.data(samples: 4, first: 70))
    #expect(trainer.history.count == 4 && trainer.isFinished)
    let continued = try Trainer(resuming: trainer.checkpoint)
    try continued.fit(data, validation: SmallProblem.data(samples: 4, first: 70))
    #expect(continued.history.count == 4)
  }

  /// The best epoch is that of the smallest validation error, whatever the test and training errors are.
  @Test func theEndAndTheBestEpochAreThoseOfTheValidation() throws {
    var configuration = SmallProblem.configuration(epochs: 50)
    configuration.earlyStoppingPatience = 3
    let trainer = Trainer(SmallProblem.model, configuration: configuration)
    func after(_ errors: [Double]) throws -> Trainer {
      var checkpoint = trainer.checkpoint
      checkpoint.history = errors.enumerated().map { index, error in
        EpochReport(
          epoch: index + 1, trainingError: 1 / Double(index + 1), validationError: error,
          testError: 1 / Double(index + 1), learningRate: 1e-3, seconds: 1)
      }
      checkpoint.position.epoch = errors.count
      return try Trainer(resuming: checkpoint)
    }
    // Smaller than the epoch before is not smaller than the best.
    #expect(try !after([3, 2, 2.5, 2.4]).isFinished)
    #expect(try after([3, 2, 2.5, 2.4, 2.3]).isFinished)
    #expect(try !after([3, 2, 2.5, 2.4, 1.9]).isFinished)
    #expect(try !after([3, 2, 2.5, 2.4, 1.9, 2.5, 2.4]).isFinished)
    #expect(try after([3, 2, 2.5, 2.4, 1.9, 2.5, 2.4, 2.3]).isFinished)
    for (errors, isBest) in [([3, 2, 2.5, 2.4], false), ([3, 2, 2.5, 1.9], true), ([2.0], true)] {
      #expect(try after(errors).lastEpochIsBest == isBest, "\(errors)")
    }
  }

  /// With plain gradient descent a step is the rate times the gradient: half as long in the second epoch.
  @Test func theScheduleMultipliesEveryStep() throws {
    func train(_ schedule: Schedule) throws -> (first: [Float], second: [Float], rates: [Double]) {
      var configuration = SmallProblem.configuration(epochs: 2, schedule: schedule)  // one step per epoch
      configuration.optimizer = OptimizerConfiguration(.sgd(), learningRate: 0.05, weightDecay: 0)
      let trainer = Trainer(SmallProblem.model, configuration: configuration)
      var weights = [trainer.checkpoint.weights.flatMap(\.value.scalars)]
      try trainer.fit(SmallProblem.data(samples: 8)) { _ in
        weights.append(trainer.checkpoint.weights.flatMap(\.value.scalars))
      }
      return (
        zip(weights[1], weights[0]).map(-), zip(weights[2], weights[1]).map(-),
        trainer.history.map(\.learningRate)
      )
    }
    let (constant, halved) = (
      try train(.constant), try train(.step(factor: 0.5, epochs: 1))
    )
    #expect(constant.rates == [0.05, 0.05] && halved.rates == [0.05, 0.025])
    #expect(constant.first == halved.first)
    let (whole, half) = (
      Tensor(shape: [constant.second.count], scalars: constant.second),
      Tensor(shape: [halved.second.count], scalars: halved.second.map { 2 * $0 })
    )
    // Differences of weights of order 1 that are a hundred times smaller, so to some 1e-5.
    #expect(relativeError(half, whole) < 1e-3)
    let warm = try train(.cosine(warmUpEpochs: 2, finalFactor: 0))
    let first = Tensor(shape: [warm.first.count], scalars: warm.first.map { 2 * $0 })
    #expect(relativeError(first, Tensor(shape: first.shape, scalars: constant.first)) < 1e-3)
  }

  /// Errors that do not change: the rate falls after every epoch but the first two, of which one is the best.
  @Test func aPlateauLowersTheRateOfTheTraining() throws {
    var configuration = SmallProblem.configuration(
      epochs: 5, schedule: .plateau(factor: 0.5, patience: 0, minimumFactor: 0))
    configuration.optimizer = OptimizerConfiguration(.sgd(), learningRate: 1e-12, weightDecay: 0)
    let trainer = Trainer(SmallProblem.model, configuration: configuration)
    try trainer.fit(SmallProblem.data(samples: 8), validation: SmallProblem.data(samples: 4, first: 70))
    #expect(trainer.history.map(\.learningRate) == [1, 1, 0.5, 0.25, 0.125].map { 1e-12 * $0 })
  }

  @Test func dataOfAnotherShapeAreExplained() {
    let trainer = Trainer(SmallProblem.model, configuration: SmallProblem.configuration(epochs: 1))
    #expect(
      throws: TrainingError.invalidData(
        "6 modes do not fit the 8 points of axis 0, which hold at most 5")
    ) { try trainer.fit(SmallProblem.data(samples: 4, points: 8)) }
    let wide = TrainingData(
      inputs: Tensor(shape: [2, 2, 32]), targets: Tensor(shape: [2, 1, 32]))
    #expect(
      throws: TrainingError.invalidData("the model maps 1 channels to 1, the data have 2 and 1")
    ) { try trainer.fit(wide) }
  }

  @Test func badValuesAndOtherDataAreExplained() throws {
    let data = SmallProblem.data(samples: 16)
    let trainer = Trainer(SmallProblem.model, configuration: SmallProblem.configuration(epochs: 1))
    var inputs = data.inputs
    inputs[3, 0, 5] = .nan
    #expect(throws: TrainingError.invalidData("the input of sample 3 holds NaN or infinite numbers")) {
      try trainer.fit(TrainingData(inputs: inputs, targets: data.targets))
    }
    var targets = data.targets
    for point in 0..<32 { targets[2, 0, point] = 0 }
    #expect(
      throws: TrainingError.invalidData(
        "the target of sample 2 is 0 everywhere: it has no relative error; leave the sample out")
    ) { try trainer.fit(TrainingData(inputs: data.inputs, targets: targets)) }
    try trainer.fit(data)
    let continued = try Trainer(resuming: trainer.checkpoint, epochs: 2)
    #expect(
      throws: TrainingError.invalidData(
        "the run was begun with 16 training samples and cannot continue with 8")
    ) { try continued.fit(SmallProblem.data(samples: 8)) }
    try continued.fit(data)
    #expect(continued.history.count == 2)
  }

  @Test func normalizersBecomeScalings() throws {
    let data = SmallProblem.data(samples: 16)
    for kind in [Normalizer.Kind.global, .pointwise] {
      let normalizer = try Normalizer(kind, fitting: data.inputs)
      let scaling = try #require(FieldScaling(normalizer))
      var encoded = data.inputs
      try normalizer.encode(&encoded)
      #expect(largestDifference(scaling.encode(data.inputs), encoded) < 2e-6)  // two roundings of order 1
      #expect(scaling.problem(channels: 1, grid: [32]) == nil)
      #expect((scaling.problem(channels: 1, grid: [64]) == nil) == (kind == .global))
    }
    #expect(FieldScaling(.none) == nil)
    let constant = Tensor<Float>(shape: [3, 1, 32], repeating: 12)
    let scaling = try #require(FieldScaling(try Normalizer(.pointwise, fitting: constant)))
    #expect(scaling.encode(constant) == Tensor(shape: [3, 1, 32]))
  }

  /// The loss is of physical fields: with targets scaled by 1000 and decoding, the errors stay the same up to
  /// the rounding of the scaling.
  @Test func theLossIsThatOfDecodedFields() throws {
    let data = SmallProblem.data(samples: 16)
    let large = TrainingData(
      inputs: data.inputs,
      targets: Tensor(shape: data.targets.shape, scalars: data.targets.scalars.map { 1024 * $0 }))
    let scaling = FieldScaling(
      mean: Tensor(shape: [1]), scale: Tensor(shape: [1], repeating: 1024))
    let plain = Trainer(SmallProblem.model, configuration: SmallProblem.configuration(epochs: 2))
    let scaled = Trainer(
      SmallProblem.model, configuration: SmallProblem.configuration(epochs: 2), outputScaling: scaling)
    try plain.fit(data)
    try scaled.fit(large)
    for (left, right) in zip(plain.history, scaled.history) {
      // Powers of two scale exactly; only the products in the gradient's factor round differently.
      #expect(abs(left.trainingError - right.trainingError) < 1e-4)
    }
  }
}
