import Archives
import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing
import Training

/// A file that `Tests/Golden/fno.py` made: weights, a batch, and what PyTorch makes of them in double precision.
private struct GoldenFNO {
  let file: Safetensors
  let model: any Module
  let placements: [WeightPlacement]

  init(_ name: String, _ configuration: ModelConfiguration, _ layout: WeightLayout) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Golden/FNO").path
    file = try Safetensors(contentsOf: "\(folder)/\(name).safetensors")
    model = configuration.makeModel(seed: 0)
    placements = try layout.placements(of: model)
    for placement in placements {
      let (shape, values) = try array("weight/\(placement.name)")
      try #require(shape == placement.shape + (placement.isComplex ? [2] : []), "\(placement.name)")
      placement.assign(values)
    }
    // Every array of the file has its place.
    let names = file.entries.map(\.name).filter { $0.hasPrefix("weight/") }
    #expect(Set(names) == Set(placements.map { "weight/\($0.name)" }))
    // Every parameter is filled.
    #expect(Set(placements.map { ObjectIdentifier($0.parameter) }).count == model.parameters.count)
  }

  func array(_ name: String) throws -> (shape: [Int], values: [Float]) {
    let entry = try #require(file.entries.first { $0.name == name }, "\(name)")
    return (entry.shape, entry.values)
  }

  func tensor(_ name: String) throws -> Tensor<Float> {
    let (shape, values) = try array(name)
    return Tensor(shape: shape, scalars: values)
  }

  /// How far PyTorch's single precision may be from its double precision, as another order of sums: four times
  /// what it is, and not less than the few ulp (1e-7) that rounding the reference values takes.
  func tolerance(_ quantity: String) throws -> Double {
    let text = try #require(file.metadata["single precision \(quantity)"])
    return 4 * max(try #require(Double(text)), 1e-7)
  }
}

@Suite struct FNOGoldenTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let name: String
    let layout: WeightLayout
    var configuration: ModelConfiguration
    var loss = FieldLossKind.relativeL2
    var testDescription: String { name }

    init(
      _ name: String, _ layout: WeightLayout, channels: Int, width: Int, modes: [Int], padding: [Int]? = nil
    ) {
      self.name = name
      self.layout = layout
      let dimensions = modes.count
      var configuration: FNO.Configuration =
        switch (layout, padding) {
        case (.fno2020, nil):
          .fno2020(dimensions: dimensions, inputChannels: channels, width: width, modes: 1)
        case (.fno2020, _): .modern(dimensions: dimensions, inputChannels: channels, width: width, modes: 1)
        case (.neuralop, _):
          .neuraloperator(dimensions: dimensions, inputChannels: channels, width: width, modes: 1)
        }
      configuration.modes = modes
      if layout == .fno2020 { configuration.projectionWidth = 16 }
      if let padding { configuration.padding = padding }
      self.configuration = .fno(configuration)
    }

    /// The same model frame by frame.
    func recurrent(frames: Int) -> Case {
      var result = self
      result.configuration = .recurrent(.init(step: configuration, frames: frames))
      result.loss = .relativeL2ByChannel
      return result
    }

    /// The same model with time as its last axis.
    func spaceTime(frames: Int) -> Case {
      var result = self
      result.configuration = .spaceTime(.init(model: configuration, frames: frames))
      return result
    }
  }

  static let cases = [
    Case("fno2020-1d", .fno2020, channels: 1, width: 8, modes: [4]),
    Case("fno2020-2d", .fno2020, channels: 2, width: 6, modes: [3, 2]),
    Case("fno2020-3d", .fno2020, channels: 2, width: 4, modes: [2, 1, 2]),
    Case("modern-1d", .fno2020, channels: 1, width: 8, modes: [4], padding: [3]),
    Case("modern-2d", .fno2020, channels: 2, width: 6, modes: [3, 2], padding: [3, 2]),
    Case("modern-3d", .fno2020, channels: 2, width: 4, modes: [2, 1, 2], padding: [0, 0, 3]),
    Case("neuralop-1d", .neuralop, channels: 1, width: 8, modes: [5]),
    Case("neuralop-2d", .neuralop, channels: 2, width: 6, modes: [3, 3]),
    Case("neuralop-3d", .neuralop, channels: 1, width: 4, modes: [2, 1, 3]),
    Case("recurrent-2d", .fno2020, channels: 3, width: 6, modes: [3, 2]).recurrent(frames: 4),
    Case("space-time-2d", .fno2020, channels: 3, width: 4, modes: [2, 1, 2]).spaceTime(frames: 5),
  ]

  /// Output, loss, every gradient, the losses of ten steps, and the output after them.
  @Test(arguments: cases)
  func agreesWithPyTorch(_ golden: Case) throws {
    let reference = try GoldenFNO(golden.name, golden.configuration, golden.layout)
    let model = reference.model
    let (input, target) = (try reference.tensor("input"), try reference.tensor("target"))
    var optimizer = Adam(OptimizerConfiguration(learningRate: 1e-3, weightDecay: 1e-4), for: model.parameters)
    var losses: [Float] = []
    for step in 0..<10 {
      let tape = Tape()
      let output = model(Variable(input), on: tape)
      let loss = fieldLoss(output, target: target, kind: golden.loss, reduction: .sum)
      losses.append(loss.total.value[0])
      tape.backward(from: loss.total)
      if step == 0 {
        let error = relativeError(output.value, try reference.tensor("output"))
        #expect(error < (try reference.tolerance("output")))
        try expectGradients(reference)
      }
      optimizer.step(model.parameters)
    }
    let expected = try reference.tensor("losses")
    #expect(
      relativeError(Tensor(shape: [10], scalars: losses), expected) < (try reference.tolerance("losses")))
    #expect(losses[9] < losses[0] - 0.001, "ten steps that change nothing would prove nothing")
    let evaluation = model(Variable(input), on: .inference).value
    #expect(
      relativeError(evaluation, try reference.tensor("evaluation")) < (try reference.tolerance("evaluation")))
  }

  private func expectGradients(_ reference: GoldenFNO) throws {
    let largest = try reference.placements.filter(\.parameter.isTrainable).map {
      norm(try reference.array("gradient/\($0.name)").values)
    }.max()
    let tolerance = try reference.tolerance("gradients")
    for placement in reference.placements where placement.parameter.isTrainable {
      let expected = try reference.array("gradient/\(placement.name)").values
      let gradient = placement.values(in: try #require(placement.parameter.gradient, "\(placement.name)"))
      let difference = norm(zip(gradient, expected).map { $0 - $1 })
      // What batch normalisation takes out again has a gradient of rounding, an ulp or so of the others.
      let size = max(norm(expected), 0.1 * (largest ?? 0))
      #expect(difference < tolerance * size, "\(placement.name): \(difference) of \(size)")
    }
  }

  private func norm(_ values: [Float]) -> Double {
    values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
  }
}
