import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing

@Suite struct XDModelTests {
  private func xd(_ backbone: CNN.Configuration, _ grid: Shape, _ conversion: XDConfiguration = .init())
    -> ModelConfiguration
  { .xd(.init(backbone: .cnn(backbone), grid: grid, conversion: conversion)) }

  /// Complex numbers in the twiddles of the whole network, as the paper's method has them.
  @Test func architectureParameterCounts() {
    func count(_ dimensions: Int, _ grid: Shape, modes: Int) -> Int {
      // The number does not depend on the width.
      let model = xd(.backbone(dimensions: dimensions, width: 1, modes: modes), grid).makeModel(seed: 0)
      let twiddles = model.parameters.filter { $0.role == .architecture }
      return twiddles.reduce(0) { $0 + $1.value.count } / 2
    }
    for (points, expected) in [(256, 49_152), (512, 110_592), (1024, 245_760), (8192, 2_555_904)] {
      #expect(count(1, [points], modes: 16) == expected)
    }
    #expect(count(2, [85, 85], modes: 12) == 43_008)
    #expect(count(2, [106, 106], modes: 12) == 43_008)
    #expect(count(2, [141, 141], modes: 12) == 98_304)
    #expect(count(2, [211, 211], modes: 12) == 98_304)
    #expect(count(2, [421, 421], modes: 12) == 221_184)
    #expect(count(3, [64, 64, 20], modes: 8) == 22_272)
    #expect(count(3, [64, 64, 10], modes: 8) == 19_968)
  }

  /// Checkpoints depend on these names; those of the backbone stay.
  @Test func parameterNames() {
    var backbone = CNN.Configuration.backbone(dimensions: 2, width: 4, modes: 2)
    backbone.layers = 1
    let names = xd(backbone, [8, 8]).makeModel(seed: 0).namedParameters.map(\.name)
    #expect(
      Array(names[2..<10]) == [
        "layers.0.convolution.weight", "layers.0.convolution.architecture.k.0.twiddle",
        "layers.0.convolution.architecture.k.1.twiddle", "layers.0.convolution.architecture.l.0.twiddle",
        "layers.0.convolution.architecture.l.1.twiddle", "layers.0.convolution.architecture.m.0.twiddle",
        "layers.0.convolution.architecture.m.1.twiddle", "layers.0.skip.weight",
      ])
    #expect(
      names.filter { !$0.contains("architecture") } == CNN(backbone, seed: 0).namedParameters.map(\.name))
  }

  /// Before training the model is its backbone: as it is along axes of a power of two or with exact padding,
  /// with zeros beyond the grid along the others.
  @Test func conversionKeepsTheModel() {
    for (grid, conversion, paddingMode) in [
      ([16] as Shape, XDConfiguration(depth: .init(k: 2, l: 3, m: 3)), ConvolutionGeometry.Padding.circular),
      ([8, 16], XDConfiguration(), .circular), ([7, 9], XDConfiguration(circularPadding: .exact), .circular),
      ([7, 9], XDConfiguration(), .zeros), ([3, 5, 6], XDConfiguration(), .zeros),
    ] {
      let backbone = CNN.Configuration.backbone(dimensions: grid.count, width: 5, modes: 4)
      var reference = backbone
      reference.paddingMode = paddingMode
      let u = Variable(randomTensor([2, 1] + grid, sample: 1))
      let model = xd(backbone, grid, conversion).makeModel(seed: 3)
      let expected = CNN(reference, seed: 3)(u, on: Tape()).value
      // Four layers, each with a normalisation, in single precision.
      #expect(relativeError(model(u, on: Tape()).value, expected) < 1e-5)
    }
  }

  /// The reference implementation's test of a whole network, on Darcy's grid: the weights stay, deeper matrices have
  /// more numbers, and the result is the same.
  @Test func aNetworkOnDarcysGrid() {
    var backbone = CNN.Configuration.backbone(dimensions: 2, width: 4, modes: 12)
    (backbone.paddingMode, backbone.projectionWidth) = (.zeros, 8)
    let u = Variable(randomTensor([1, 1, 85, 85], sample: 1))
    let plain = CNN(backbone, seed: 2)
    let expected = plain(u, on: .inference).value
    let counts = [1, 3].map { depth in
      let conversion = XDConfiguration(depth: .init(k: depth, l: depth, m: depth))
      let model = xd(backbone, [85, 85], conversion).makeModel(seed: 2)
      // Four layers in single precision.
      #expect(relativeError(model(u, on: .inference).value, expected) < 1e-5)
      func count(_ role: Parameter.Role) -> Int {
        model.parameters.filter { $0.role == role && $0.isTrainable }.reduce(0) { $0 + $1.value.count }
      }
      #expect(count(.weight) == plain.parameterCount)
      return count(.architecture)
    }
    #expect(counts[0] == 2 * 43_008 && counts[1] == 3 * counts[0])
  }

  @Test func namedConvolutionsOnly() throws {
    let model = CNN(.backbone(dimensions: 1, width: 4, modes: 2), seed: 1)
    #expect(model.convertibleLayers.map(\.name) == (0..<4).map { "layers.\($0).convolution" })
    try model.convertConvolutions(
      XDConfiguration(), channels: 1, grid: [16], named: ["layers.1.convolution", "layers.3.convolution"])
    #expect(model.layers.map { $0.convolution.architecture != nil } == [false, true, false, true])
    #expect {
      try model.convertConvolutions(
        XDConfiguration(), channels: 1, grid: [16], named: ["layers.4.convolution"])
    } throws: {
      "\($0)".hasPrefix("no convolution is called layers.4.convolution; there are layers.0.convolution, ")
    }
  }

  /// An FNO has none.
  @Test func modelsWithoutConvolutionsAreRefused() {
    let fno = ModelConfiguration.fno(.modern(dimensions: 1, width: 4, modes: 2))
    let configuration = ModelConfiguration.xd(.init(backbone: fno, grid: [16]))
    #expect(configuration.problem == "the backbone has no convolution")
    #expect(throws: XDError.self) {
      try fno.makeModel(seed: 0).convertConvolutions(XDConfiguration(), channels: 1, grid: [16])
    }
  }

  @Test func otherGridsAreRefusedWithTheReason() {
    let configuration = xd(.backbone(dimensions: 2, width: 4, modes: 2), [85, 85])
    #expect(configuration.problem(grid: [85, 85]) == nil)
    #expect(
      configuration.problem(grid: [43, 43])
        == "the K-matrices of an XD model fit the grid that it was trained on, [85, 85], and no other, "
        + "such as [43, 43]")
    #expect(xd(.backbone(dimensions: 2, width: 4, modes: 6), [2, 2]).problem != nil)
  }

  @Test func configurationsSurviveJSON() throws {
    let configuration = ModelConfiguration.xd(
      .init(
        backbone: .cnn(.backbone(dimensions: 2, width: 8, modes: 12)), grid: [32, 32],
        conversion: XDConfiguration(depth: .init(l: 3), circularPadding: .exact),
        convolutions: ["layers.0.convolution"]))
    let data = try JSONEncoder().encode(configuration)
    #expect(String(decoding: data, as: UTF8.self).contains("\"kind\":\"xd\""))
    #expect(try JSONDecoder().decode(ModelConfiguration.self, from: data) == configuration)
  }

  @Test func gradientOfAWholeModel() {
    var backbone = CNN.Configuration(
      dimensions: 2, width: 3, kernel: [3, 3], activation: .gelu, normalization: .none)
    backbone.layers = 2
    backbone.projectionWidth = 5
    let model = xd(backbone, [5, 8]).makeModel(seed: 1)
    let u = Parameter(randomTensor([2, 1, 5, 8], sample: 1))
    let errors = gradientDisagreements([u] + model.parameters, step: 1e-2) { model($0(u), on: $0) }
    // The squared step times the third derivative: of GELU, and of the product of seven factors.
    #expect(errors.allSatisfy { $0 < 5e-3 }, "\(errors)")
  }
}
