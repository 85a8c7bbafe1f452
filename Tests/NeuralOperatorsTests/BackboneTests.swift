import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing

/// Residual networks and U-nets, as they are and with XD-operations.
@Suite struct BackboneTests {
  private static func network(
    _ dimensions: Int, _ padding: ConvolutionGeometry.Padding = .circular, layers: Int = 2
  )
    -> CNN.Configuration
  {
    CNN.Configuration(
      dimensions: dimensions, inputChannels: 2, width: 3, kernel: Array(repeating: 3, count: dimensions),
      layers: layers, projectionWidth: 5, activation: .gelu, normalization: .none, paddingMode: padding)
  }

  /// A network with taps farther apart, in groups of one channel.
  private static func spread(_ dimensions: Int, layers: Int = 2) -> CNN.Configuration {
    var network = network(dimensions, layers: layers)
    network.dilation = 2
    network.groups = 3
    return network
  }

  /// A U-net all of whose operations are convolutions.
  private static func convolutional(
    _ dimensions: Int, _ padding: ConvolutionGeometry.Padding = .circular, layers: Int = 2
  ) -> CNN.Configuration {
    var network = network(dimensions, padding, layers: layers)
    network.downsampling = .strided
    network.upsampling = .transposed
    return network
  }

  private static let cases: [(ModelConfiguration, Shape)] = [
    (.resNet(network(1)), [9]), (.resNet(network(2, .zeros)), [6, 7]), (.uNet(network(1)), [11]),
    (.uNet(network(2)), [7, 8]), (.uNet(network(3, .zeros, layers: 1)), [4, 3, 5]),
    (.cnn(spread(2)), [6, 7]), (.resNet(spread(1)), [9]), (.uNet(spread(1, layers: 1)), [13]),
    (.uNet(convolutional(1)), [11]), (.uNet(convolutional(2, .zeros)), [7, 8]),
    (.uNet(convolutional(3, layers: 1)), [4, 3, 5]),
  ]

  /// Checkpoints depend on these names.
  @Test func parameterNames() {
    var configuration = Self.network(1)
    configuration.layers = 1
    let (lifting, projection) = (
      ["lifting.weight", "lifting.bias"],
      ["hidden.weight", "hidden.bias", "output.weight", "output.bias"].map { "projection.\($0)" }
    )
    func unit(_ path: String) -> [String] {
      ["first", "second"].flatMap { ["\(path).\($0).convolution.weight", "\(path).\($0).convolution.bias"] }
    }
    #expect(
      ResNet(configuration, seed: 0).namedParameters.map(\.name) == lifting + unit("blocks.0") + projection)
    #expect(
      UNet(configuration, seed: 0).namedParameters.map(\.name)
        == lifting + unit("down.0") + unit("down.1") + unit("up.0") + projection)
    configuration.downsampling = .strided
    configuration.upsampling = .transposed
    #expect(
      UNet(configuration, seed: 0).namedParameters.map(\.name)
        == lifting + unit("down.0") + unit("down.1") + unit("up.0")
        + ["coarser.0.weight", "coarser.0.bias", "finer.0.weight", "finer.0.bias"] + projection)
    configuration.normalization = .batch
    let names = ResNet(configuration, seed: 0).namedParameters.map(\.name)
    #expect(names.contains("blocks.0.first.normalization.scale"))
    #expect(!names.contains("blocks.0.first.convolution.bias"))
  }

  @Test(arguments: cases) func gradient(model: ModelConfiguration, grid: Shape) {
    // Where another point becomes the largest of its cell, differences are no derivatives: `PoolingTests` has
    // the gradient of that; here U-nets take means.
    var module = model.makeModel(seed: 1)
    if case .uNet(var network) = model, network.downsampling == nil {
      network.downsampling = .average
      module = UNet(network, seed: 1)
    }
    // Fresh weights make signals smaller from layer to layer, down to the rounding of the result's; √6 times as
    // large they keep the size of what passes a rectifier.
    for parameter in module.convertibleLayers.map(\.layer.weight) {
      parameter.value = Tensor(
        shape: parameter.value.shape, scalars: parameter.value.scalars.map { Float(6).squareRoot() * $0 })
    }
    let u = Parameter(randomTensor([2, 2] + grid, sample: 1))
    #expect(module(Variable(u.value), on: .inference).shape == [2, 1] + grid)
    // Larger steps for gradients so small that they drown in rounding, a smaller one for those that change fast.
    let steps = [3e-2, 1e-2, 3e-3].map { step in
      gradientDisagreements([u] + module.parameters, step: Float(step)) { module($0(u), on: $0) }
    }
    let errors = steps[0].indices.map { parameter in steps.map { $0[parameter] }.min() ?? .infinity }
    // Several GELU layers at that step in single precision.
    #expect(errors.allSatisfy { $0 < 1e-2 }, "\(errors)")
  }

  /// XD-operations begin as the convolutions on every level, whatever the sizes of the grids.
  @Test(arguments: cases) func lossesAreThoseOfTheOutput(model: ModelConfiguration, grid: Shape) {
    expectLossOfOutput(model, grid: grid)
  }

  @Test(arguments: cases) func conversionKeepsTheModel(model: ModelConfiguration, grid: Shape) throws {
    let conversion = XDConfiguration(circularPadding: .exact)
    let xd = ModelConfiguration.xd(.init(backbone: model, grid: grid, conversion: conversion))
    #expect(xd.problem == nil)
    let u = Variable(randomTensor([2, 2] + grid, sample: 1))
    let (converted, plain) = (xd.makeModel(seed: 3), model.makeModel(seed: 3))
    #expect(converted.convertibleLayers.count == plain.convertibleLayers.count)
    #expect(converted.parameters.contains { $0.role == .architecture })
    // Up to ten layers in single precision.
    #expect(relativeError(converted(u, on: .inference).value, plain(u, on: .inference).value) < 1e-5)
    let json = try JSONEncoder().encode(xd)
    #expect(try JSONDecoder().decode(ModelConfiguration.self, from: json) == xd)
  }

  @Test func groupsAndDilationsThatDoNotFitAreExplained() {
    var configuration = Self.network(1)
    configuration.groups = 2
    #expect(
      configuration.problem == "width must be a multiple of groups: 3 channels are not 2 equal groups")
    configuration.groups = 3
    configuration.dilation = 9
    #expect(configuration.problem == nil)
    #expect(
      ModelConfiguration.resNet(configuration).problem(grid: [8])
        == "a circular padding of 9 is more than the 8 points of axis 0")
  }

  @Test func coarseGridsThatAreTooSmallAreExplained() {
    var configuration = Self.network(2)
    configuration.kernel = [7, 7]
    #expect(ModelConfiguration.uNet(configuration).problem(grid: [12, 12]) == nil)
    #expect(
      ModelConfiguration.uNet(configuration).problem(grid: [8, 12])
        == "level 2 has [2, 3] points: a circular padding of 3 is more than the 2 points of axis 0")
    configuration.kernel = [3, 3]
    configuration.layers = 4
    #expect(ModelConfiguration.uNet(configuration).problem(grid: [8, 16]) == nil)
    #expect(
      ModelConfiguration.uNet(configuration).problem(grid: [8, 8])
        == "level 3 has a single point: it cannot be made coarser")
    configuration.layers = 60
    #expect(ModelConfiguration.uNet(configuration).problem == "a U-net has at most 16 levels, not 60")
    #expect(
      ModelConfiguration.resNet(configuration).problem(grid: [12])
        == "the model is for grids of 2 axes, not [12]")
  }
}
