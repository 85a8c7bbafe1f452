import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing

@Suite struct FNOTests {
  /// The names are the keys of checkpoints: a change here breaks old checkpoints.
  @Test func parameterNamesArePinned() {
    var configuration = FNO.Configuration.fno2020(dimensions: 1, width: 4, modes: 2)
    configuration.layers = 1
    #expect(
      FNO(configuration, seed: 0).namedParameters.map(\.name) == [
        "lifting.weight", "lifting.bias", "layers.0.spectral.weight", "layers.0.skip.weight",
        "layers.0.skip.bias", "layers.0.normalization.scale", "layers.0.normalization.shift",
        "layers.0.normalization.running.mean", "layers.0.normalization.running.variance",
        "projection.hidden.weight", "projection.hidden.bias", "projection.output.weight",
        "projection.output.bias",
      ])
  }

  /// The published models have these many parameters (with and without batch normalisation).
  @Test func parameterCountsAreThePublishedOnes() {
    func count(_ configuration: FNO.Configuration) -> Int { FNO(configuration, seed: 0).parameterCount }
    #expect(count(.fno2020(dimensions: 1, width: 64, modes: 16)) == 550_081)
    #expect(count(.modern(dimensions: 1, width: 64, modes: 16)) == 549_569)
    #expect(count(.fno2020(dimensions: 2, width: 32, modes: 12)) == 2_368_257)
    #expect(count(.modern(dimensions: 2, width: 32, modes: 12)) == 2_368_001)
    #expect(count(.fno2020(dimensions: 2, inputChannels: 10, width: 20, modes: 8)) == 414_517)
    #expect(count(.fno2020(dimensions: 3, inputChannels: 10, width: 20, modes: 8)) == 6_558_537)
  }

  @Test func initialWeightsFollowTheirLaws() throws {
    let model = FNO(.modern(dimensions: 1, width: 64, modes: 16), seed: 3)
    let spectral = model.layers[0].spectral.weight.value.scalars
    let bound: Float = 1 / (64 * 64)
    #expect(spectral.allSatisfy { $0 >= 0 && $0 <= bound })
    let mean = spectral.reduce(0, +) / Float(spectral.count)
    // 131,072 uniform numbers: the mean has a deviation of bound/√12/362 = 0.0008 bound.
    #expect(abs(mean / bound - 0.5) < 0.004)
    let skip = try #require(model.layers[1].skip.weight).value.scalars
    #expect(
      skip.allSatisfy { abs($0) <= 1 / 8 } && skip.contains { $0 > 0.12 } && skip.contains { $0 < -0.12 })
    #expect(
      FNO(.modern(dimensions: 1, width: 64, modes: 16), seed: 3).parameters.map(\.value)
        == model.parameters.map(\.value))
    #expect(
      FNO(.modern(dimensions: 1, width: 64, modes: 16), seed: 4).parameters[0].value
        != model.parameters[0].value)
  }

  private static let small: [FNO.Configuration] = [
    .modern(dimensions: 1, width: 6, modes: 3), .modern(dimensions: 2, width: 5, modes: 2, padding: 2),
  ]

  @Test(arguments: small)
  func gradient(configuration: FNO.Configuration) {
    var configuration = configuration
    configuration.layers = 2
    configuration.projectionWidth = 9
    let model = FNO(configuration, seed: 1)
    let grid = configuration.dimensions == 1 ? [12] : [7, 8]
    let u = Parameter(randomTensor([2, 1] + grid, sample: 1))
    let parameters = [u] + model.parameters
    let errors = gradientDisagreements(parameters, step: 1e-2) { model($0(u), on: $0) }
    // Two GELU layers at step 1e-2; the smooth composition has derivatives of order 1.
    #expect(errors.allSatisfy { $0 < 3e-3 }, "\(errors)")
  }

  /// The lifting is joined with the first layer; padding cuts the lifting's bias off, too.
  ///
  /// The projection is joined with the last layer of a wide model without padding.
  @Test(
    arguments: small + [
      .modern(dimensions: 1, width: 24, modes: 3), .modern(dimensions: 1, width: 24, modes: 3, padding: 4),
    ])
  func equalsItsParts(configuration: FNO.Configuration) {
    // With the weights of seed 1 the output of the wide models nearly cancels to a hundredth of that of others.
    let model = FNO(configuration, seed: 2)
    let u = Variable(randomTensor([2, 1] + (configuration.dimensions == 1 ? [12] : [7, 8]), sample: 1))
    var v = model.lifting(appendCoordinates(u, configuration.coordinates), on: .inference)
    v = pad(v, by: Shape(configuration.padding))
    for layer in model.layers { v = layer(v, on: .inference) }
    v = model.projection(crop(v, by: Shape(configuration.padding)), on: .inference)
    // The order of sums, four layers and a projection from up to 24 channels: 2e-7 and less for most weights, up to 9e-7
    // where the output is small.
    #expect(relativeError(model(u, on: .inference).value, v.value) < 1e-6)
  }

  @Test func gradientsDoNotDependOnTheNumberOfThreads() {
    let u = randomTensor([5, 1, 12, 14], sample: 1)
    let results = withThreadCounts([1, 2, 3]) {
      let model = FNO(.fno2020(dimensions: 2, width: 8, modes: 3), seed: 1)
      let tape = Tape()
      let loss = fieldLoss(
        model(Variable(u), on: tape), target: randomTensor([5, 1, 12, 14], sample: 2), reduction: .sum)
      tape.backward(from: loss.total)
      return model.parameters.map { $0.gradient ?? $0.value }
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }

  /// A field of few modes, given on two grids, has the same image on the points that both share.
  @Test func theModelDoesNotDependOnTheResolution() {
    var configuration = FNO.Configuration.modern(dimensions: 1, width: 8, modes: 4)
    configuration.coordinates = .none
    configuration.activation = .identity  // an activation would make frequencies that a coarse grid aliases
    let model = FNO(configuration, seed: 1)
    func field(_ points: Int) -> Tensor<Float> {
      Tensor(
        shape: [1, 1, points],
        scalars: (0..<points).map {
          let x = 2 * Double.pi * Double($0) / Double(points)
          return Float(0.3 + sin(x) - 0.5 * cos(3 * x) + 0.2 * sin(5 * x))
        })
    }
    let coarse = model(Variable(field(24)), on: .inference).value
    let fine = model(Variable(field(96)), on: .inference).value
    for index in 0..<24 { #expect(abs(coarse[0, 0, index] - fine[0, 0, 4 * index]) < 1e-5) }  // rounding
  }

  @Test func gridsThatAreTooSmallAreExplained() {
    let configuration = FNO.Configuration.modern(dimensions: 2, width: 8, modes: 12, padding: 2)
    #expect(configuration.problem(grid: [22, 22]) == nil)
    #expect(
      configuration.problem(grid: [20, 64])
        == "12 modes do not fit the 22 points of axis 0, which hold at most 11 ([20, 64] points with a padding of [2, 2])"
    )
    #expect(configuration.problem(grid: [64]) != nil)
    var wrong = configuration
    wrong.width = 0
    #expect(wrong.problem == "width must be at least 1, not 0")
  }

  @Test func configurationsSurviveJSON() throws {
    let configuration = ModelConfiguration.fno(.modern(dimensions: 2, width: 8, modes: 12, padding: 2))
    let data = try JSONEncoder().encode(configuration)
    #expect(try JSONDecoder().decode(ModelConfiguration.self, from: data) == configuration)
  }

  @Test func evaluationDoesNotChangeTheRunningStatistics() {
    let model = FNO(.fno2020(dimensions: 1, width: 4, modes: 2), seed: 1)
    let u = Variable(randomTensor([3, 1, 16], sample: 1))
    let before = model.parameters.map(\.value)
    _ = model(u, on: .inference)
    #expect(model.parameters.map(\.value) == before)
    _ = model(u, on: Tape())
    #expect(model.parameters.map(\.value) != before)
  }
}
