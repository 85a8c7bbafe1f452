import Autodiff
import NeuralOperators
import Tensors
import TestSupport
import Testing
import Training

@Suite struct WeightTransferTests {
  /// A checkpoint of a model after a few steps, so that nothing is as it was initialised.
  private func trained(
    _ model: ModelConfiguration, points: Int = 32, averagingDecay: Double? = nil
  ) throws -> Checkpoint {
    var configuration = SmallProblem.configuration(
      epochs: 1, architectureOptimizer: OptimizerConfiguration(learningRate: 1e-2))
    configuration.averagingDecay = averagingDecay
    let trainer = Trainer(model, configuration: configuration)
    try trainer.fit(SmallProblem.data(samples: 16, points: points))
    return trainer.checkpoint
  }

  private func begin(_ model: ModelConfiguration, from transfer: WeightTransfer) -> Checkpoint {
    Trainer(model, configuration: SmallProblem.configuration(epochs: 1), initialWeights: transfer).checkpoint
  }

  private func outputs(_ checkpoint: Checkpoint, points: Int) throws -> Tensor<Double> {
    try LearnedOperator(checkpoint)(Tensor(converting: SmallProblem.data(samples: 3, points: points).inputs))
  }

  @Test func aFourierOperatorGoesToAnotherResolutionWhole() throws {
    let source = try trained(SmallProblem.model)
    let transfer = try WeightTransfer(source, to: SmallProblem.model)
    #expect(transfer.kept.count == source.weights.count && transfer.renewedLayers.isEmpty)
    let begun = begin(SmallProblem.model, from: transfer)
    #expect(begun.weights.map(\.value) == source.weights.map(\.value))
    #expect(begun.position == TrainingPosition() && begun.optimizers.allSatisfy { $0.stepCount == 0 })
    #expect(try outputs(begun, points: 48) == outputs(source, points: 48))
  }

  @Test func averagesAreWhatIsTaken() throws {
    let source = try trained(SmallProblem.model, averagingDecay: 0.9)
    #expect(source.averages.map(\.value) != source.weights.map(\.value))
    let begun = begin(SmallProblem.model, from: try WeightTransfer(source, to: SmallProblem.model))
    #expect(begun.weights.map(\.value) == source.averages.map(\.value))
  }

  @Test func onTheSameGridMatricesAreKept() throws {
    let source = try trained(SmallProblem.xd)
    let transfer = try WeightTransfer(source, to: SmallProblem.xd)
    #expect(transfer.renewedLayers.isEmpty)
    #expect(begin(SmallProblem.xd, from: transfer).weights.map(\.value) == source.weights.map(\.value))
  }

  /// K-matrices of another size begin as those of the convolution with the filters that were learned.
  @Test(arguments: [64, 128]) func onAnotherGridMatricesBeginAnew(points: Int) throws {
    let source = try trained(SmallProblem.xd)
    let target = ModelConfiguration.xd(.init(backbone: SmallProblem.convolutional, grid: [points]))
    let transfer = try WeightTransfer(source, to: target)
    #expect(transfer.renewedLayers == (0..<4).map { "layers.\($0).convolution" })
    var convolutions = source
    convolutions.model = SmallProblem.convolutional
    convolutions.weights = source.weights.filter { !$0.name.contains(".architecture.") }
    #expect(transfer.kept.count == convolutions.weights.count)
    let (found, wanted) = (
      try outputs(begin(target, from: transfer), points: points), try outputs(convolutions, points: points)
    )
    // Single precision through four layers.
    #expect(relativeDistance(found, wanted) < 1e-5)
  }

  @Test func aTrainedConvolutionalNetworkBecomesXD() throws {
    let source = try trained(SmallProblem.convolutional)
    let transfer = try WeightTransfer(source, to: SmallProblem.xd)
    #expect(transfer.kept.count == source.weights.count && transfer.renewedLayers.count == 4)
    let begun = begin(SmallProblem.xd, from: transfer)
    #expect(try relativeDistance(outputs(begun, points: 32), outputs(source, points: 32)) < 1e-5)
  }

  @Test func whatDoesNotFitIsNamedAltogether() throws {
    let source = try trained(SmallProblem.xd)
    var narrow = CNN.Configuration.backbone(dimensions: 1, width: 8, modes: 6)
    narrow.layers = 5
    let error = #expect(throws: TrainingError.self) { try WeightTransfer(source, to: .cnn(narrow)) }
    guard case .mismatchedWeights(_, let missing, let extra, let misshapen) = error else {
      Issue.record("another error: \(String(describing: error))")
      return
    }
    #expect(missing.contains("layers.4.convolution.weight"))
    // A network of convolutions has no K-matrices.
    #expect(extra.filter { $0.contains(".architecture.") }.count == 12)
    #expect(misshapen.contains("lifting.weight [12, 2] instead of [8, 2]"))
    #expect(misshapen.contains("layers.0.convolution.weight [12, 12, 7] instead of [8, 8, 7]"))
  }

  @Test func theChecksumIsThatOfTheWeights() throws {
    let source = try trained(SmallProblem.model)
    var other = source
    other.position.epoch += 1
    other.weights[0].value.withUnsafeMutableBuffer { $0[0] += 1 }
    let found = try [source, source, other].map { try WeightTransfer($0, to: SmallProblem.model).checksum }
    #expect(found[0] == found[1] && found[0] != found[2])
  }

  private func relativeDistance(_ left: Tensor<Double>, _ right: Tensor<Double>) -> Double {
    let squares = zip(left.scalars, right.scalars).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (squares / right.scalars.reduce(0) { $0 + $1 * $1 }).squareRoot()
  }
}
