import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing

@Suite struct CNNTests {
  /// The numbers of parameters of the published backbones.
  @Test func parameterCounts() {
    func count(_ configuration: CNN.Configuration) -> Int { CNN(configuration, seed: 0).parameterCount }
    #expect(count(.backbone(dimensions: 1, width: 64, modes: 16)) == 304_321)
    #expect(count(.backbone(dimensions: 2, width: 32, modes: 12)) == 701_185)
    #expect(count(.backbone(dimensions: 3, inputChannels: 10, width: 20, modes: 8)) == 1_171_337)
  }

  /// Checkpoints depend on these names.
  @Test func parameterNames() {
    var configuration = CNN.Configuration.backbone(dimensions: 1, width: 4, modes: 2)
    configuration.layers = 1
    #expect(
      CNN(configuration, seed: 0).namedParameters.map(\.name) == [
        "lifting.weight", "lifting.bias", "layers.0.convolution.weight", "layers.0.skip.weight",
        "layers.0.skip.bias", "layers.0.normalization.scale", "layers.0.normalization.shift",
        "layers.0.normalization.running.mean", "layers.0.normalization.running.variance",
        "projection.hidden.weight", "projection.hidden.bias", "projection.output.weight",
        "projection.output.bias",
      ])
  }

  private static let small: [(CNN.Configuration, Shape)] = [
    (.init(dimensions: 1, width: 6, kernel: [5], activation: .gelu, normalization: .none), [9]),
    (
      .init(
        dimensions: 2, inputChannels: 2, width: 5, kernel: [3, 5], activation: .gelu, normalization: .none,
        paddingMode: .zeros), [6, 7]
    ),
    (.init(dimensions: 3, width: 3, kernel: [3, 1, 3], activation: .gelu, normalization: .none), [4, 3, 5]),
  ]

  @Test(arguments: small) func gradient(configuration: CNN.Configuration, grid: Shape) {
    var configuration = configuration
    configuration.layers = 2
    configuration.projectionWidth = 9
    let model = CNN(configuration, seed: 1)
    let u = Parameter(randomTensor([2, configuration.inputChannels] + grid, sample: 1))
    let errors = gradientDisagreements([u] + model.parameters, step: 1e-2) { model($0(u), on: $0) }
    // Two GELU layers at step 1e-2; the smooth composition has derivatives of order 1.
    #expect(errors.allSatisfy { $0 < 3e-3 }, "\(errors)")
  }

  @Test func configurationsSurviveJSON() throws {
    let configuration = ModelConfiguration.cnn(.backbone(dimensions: 2, width: 8, modes: 12))
    let data = try JSONEncoder().encode(configuration)
    #expect(try JSONDecoder().decode(ModelConfiguration.self, from: data) == configuration)
  }

  @Test func whatDoesNotFitIsExplained() {
    let configuration = CNN.Configuration.backbone(dimensions: 2, width: 8, modes: 12)
    #expect(configuration.problem(grid: [6, 64]) == nil)
    #expect(
      configuration.problem(grid: [5, 64]) == "a circular padding of 6 is more than the 5 points of axis 0")
    #expect(configuration.problem(grid: [64]) == "the model is for grids of 2 axes, not [64]")
    #expect(
      CNN.Configuration(dimensions: 2, width: 8, kernel: [4, 3]).problem
        == "kernel must be 2 odd numbers, not [4, 3]")
  }
}
