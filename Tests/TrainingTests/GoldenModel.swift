import Archives
import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing
import Training

/// A file that `Tests/Golden/fno.py` or `networks.py` made: weights, a batch, and what PyTorch makes of them in double
/// precision.
struct GoldenModel {
  let file: Safetensors
  let model: any Module
  let placements: [WeightPlacement]

  /// - Parameter path: of the file in `Tests/Golden`, without its ending.
  init(_ path: String, _ configuration: ModelConfiguration, _ layout: WeightLayout) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Golden").path
    file = try Safetensors(contentsOf: "\(folder)/\(path).safetensors")
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

  func array(_ name: String) throws -> (shape: Shape, values: [Float]) {
    let entry = try #require(file.entries.first { $0.name == name }, "\(name)")
    return (Shape(entry.shape), entry.values)
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

  /// Compares output, loss, every gradient, the losses of ten steps, and the output after them.
  func expectAgreement(_ kind: FieldLossKind = .relativeL2) throws {
    let (input, target) = (try tensor("input"), try tensor("target"))
    var optimizer = Adam(OptimizerConfiguration(learningRate: 1e-3, weightDecay: 1e-4), for: model.parameters)
    var losses: [Float] = []
    for step in 0..<10 {
      let tape = Tape()
      let output = model(Variable(input), on: tape)
      let loss = fieldLoss(output, target: target, kind: kind, reduction: .sum)
      losses.append(loss.total.value[0])
      tape.backward(from: loss.total)
      if step == 0 {
        let error = relativeError(output.value, try tensor("output"))
        #expect(error < (try tolerance("output")))
        try expectGradients()
      }
      optimizer.step(model.parameters)
    }
    let expected = try tensor("losses")
    #expect(
      relativeError(Tensor(shape: [10], scalars: losses), expected) < (try tolerance("losses")))
    // Ten steps that change the losses by no more than they may differ would prove nothing.
    let change = Double(losses[0] - losses[9]) / Double(losses[0])
    let tolerated = try tolerance("losses")
    #expect(change > 50 * tolerated)
    let evaluation = model(Variable(input), on: .inference).value
    #expect(
      relativeError(evaluation, try tensor("evaluation")) < (try tolerance("evaluation")))
  }

  private func expectGradients() throws {
    let largest = try placements.filter(\.parameter.isTrainable).map {
      norm(try array("gradient/\($0.name)").values)
    }.max()
    let tolerance = try tolerance("gradients")
    for placement in placements where placement.parameter.isTrainable {
      let expected = try array("gradient/\(placement.name)").values
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
