import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing

@Suite struct SpaceTimeModelTests {
  /// Two channels to five frames of two fields.
  private static let configuration: SpaceTimeModel.Configuration = {
    var model = FNO.Configuration.modern(
      dimensions: 3, inputChannels: 2, outputChannels: 2, width: 4, modes: 2, padding: 1)
    model.layers = 2
    model.projectionWidth = 6
    return SpaceTimeModel.Configuration(model: .fno(model), frames: 5)
  }()

  /// The model inside sees the input at every time, and its times become channels.
  @Test func timeIsTheLastAxis() {
    let model = SpaceTimeModel(Self.configuration, seed: 1)
    let u = randomTensor([2, 2, 4, 6], sample: 1)
    let repeated = Tensor(
      shape: [2, 2, 4, 6, 5], scalars: u.scalars.flatMap { Array(repeating: $0, count: 5) })
    let inside = model.model(Variable(repeated), on: .inference).value
    let result = model(Variable(u), on: .inference).value
    #expect(result.shape == [2, 10, 4, 6])
    for sample in 0..<2 {
      for channel in 0..<10 {
        for i in 0..<4 {
          for j in 0..<6 {
            #expect(result[sample, channel, i, j] == inside[sample, channel / 5, i, j, channel % 5])
          }
        }
      }
    }
  }

  @Test func gradient() {
    let model = SpaceTimeModel(Self.configuration, seed: 1)
    let u = Parameter(randomTensor([2, 2, 4, 6], sample: 1))
    let errors = gradientDisagreements([u] + model.parameters) { model($0(u), on: $0) }
    // Two GELU layers at step 1e-2; the smooth composition has derivatives of order 1.
    #expect(errors.allSatisfy { $0 < 3e-3 }, "\(errors)")
  }

  /// The loss found inside, where times are an axis, is that of the frames.
  @Test(arguments: [FieldLossKind.relativeL2, .meanSquaredError, .relativeL2ByChannel], [1, 3])
  func losses(kind: FieldLossKind, rank: Int) {
    let constants: Shape = rank == 1 ? [10] : [10, 4, 6]
    for scaling in [nil, (randomTensor(constants, sample: 3), randomTensor(constants, sample: 4))] {
      let comparison = FieldComparison(
        target: randomTensor([2, 10, 4, 6], sample: 2), kind: kind, reduction: .mean, scaling: scaling)
      func run(_ loss: (SpaceTimeModel, Variable, Tape) -> FieldLoss) -> [Tensor<Float>] {
        let (model, tape) = (SpaceTimeModel(Self.configuration, seed: 1), Tape())
        let u = Parameter(randomTensor([2, 2, 4, 6], sample: 1))
        let result = loss(model, tape(u), tape)
        tape.backward(from: result.total)
        return [result.total.value] + ([u] + model.parameters).compactMap(\.gradient)
      }
      let joined = run { $0.loss($1, comparedWith: comparison, on: $2) }
      let parts = run { comparison.loss(of: $0($1, on: $2)) }
      #expect(joined.count == parts.count && (joined == parts) == (kind == .relativeL2ByChannel))
      // The order of sums.
      for (left, right) in zip(joined, parts) { #expect(relativeError(left, right) < 2e-5) }
    }
  }

  @Test func countIsThePublishedOne() {
    let inside = FNO.Configuration.fno2020(dimensions: 3, inputChannels: 10, width: 20, modes: 8)
    let model = SpaceTimeModel(SpaceTimeModel.Configuration(model: .fno(inside), frames: 40), seed: 0)
    #expect(model.parameterCount == 6_558_537)
    #expect(model.namedParameters[0].name == "model.lifting.weight")
  }

  @Test func configurationsAreCheckedAndSurviveJSON() throws {
    let model = ModelConfiguration.spaceTime(Self.configuration)
    #expect(model.inputChannels == 2 && model.outputChannels == 10 && model.problem == nil)
    #expect(try JSONDecoder().decode(ModelConfiguration.self, from: JSONEncoder().encode(model)) == model)
    #expect(model.problem(grid: [4, 6]) == nil)
    #expect(model.problem(grid: [2, 6])?.contains("modes do not fit") == true)
  }
}
