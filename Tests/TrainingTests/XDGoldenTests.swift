import Autodiff
import Foundation
import HDF5
import NeuralOperators
import Tensors
import TestSupport
import Testing
import Training

/// CNN and XD models against a reference of dense matrices with automatic differentiation.
///
/// Outputs, loss, every gradient and ten steps of both optimizers; the file is written by `Tests/Golden/xd.py`.
@Suite struct XDGoldenTests {
  static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures/xd.h5").path

  /// What the reference says about a case.
  private struct Description: Decodable {
    struct Matrices: Decodable {
      let depth: [Int]
      let kind: String
      let rate: Double
      let momentum: Double
    }
    let grid: Shape
    let width: Int
    let kernel: [Int]
    let xd: Matrices?
    let layers: Int
    let hidden: Int
    let rate: Double
    let decay: Double

    var model: ModelConfiguration {
      let backbone = ModelConfiguration.cnn(
        CNN.Configuration(
          dimensions: grid.count, width: width, kernel: kernel, layers: layers, projectionWidth: hidden))
      guard let depth = xd?.depth else { return backbone }
      return .xd(
        XDModel.Configuration(
          backbone: backbone, grid: grid,
          conversion: XDConfiguration(depth: .init(k: depth[0], l: depth[1], m: depth[2]))))
    }

    func optimizer(_ role: Parameter.Role) -> OptimizerConfiguration {
      guard role == .architecture, let xd else {
        return OptimizerConfiguration(learningRate: rate, weightDecay: decay)
      }
      return OptimizerConfiguration(
        xd.kind == "adam" ? .adam() : .sgd(momentum: xd.momentum), learningRate: xd.rate, weightDecay: decay)
    }
  }

  @Test(arguments: ["cnn-1d", "cnn-2d", "xd-1d", "xd-2d", "xd-deep", "xd-3d"])
  func agreesWithTheReference(name: String) throws {
    let group = try HDF5File(opening: Self.path).root.group(name)
    let description = try JSONDecoder().decode(
      Description.self, from: Data(group.attributes.string("case").utf8))
    func tensor(_ name: String) throws -> Tensor<Float> {
      let dataset = try group.dataset(name)
      return try Tensor(shape: Shape(dataset.shape())) { try dataset.read(into: $0) }
    }
    let model = description.model.makeModel(seed: 0)
    let trained = model.namedParameters.filter(\.parameter.isTrainable)
    for (name, parameter) in trained {
      let value = try tensor("parameters/\(name)")
      #expect(value.shape == parameter.value.shape, "\(name)")
      parameter.value = value
    }
    #expect(try group.group("parameters").memberNames().count == trained.count)

    let (input, target) = (try tensor("input"), try tensor("target"))
    func loss() -> (output: Tensor<Float>, loss: FieldLoss, tape: Tape) {
      let tape = Tape()
      let output = model(Variable(input), on: tape)
      return (output.value, fieldLoss(output, target: target, reduction: .sum), tape)
    }
    let first = loss()
    first.tape.backward(from: first.loss.total)
    // Single precision through two layers with batch normalisation.
    #expect(relativeError(first.output, try tensor("output")) < 1e-5)
    let expected = Double(try tensor("loss").scalars[0])
    #expect(abs(first.loss.errors.scalars.reduce(0, +) - expected) < 1e-5 * expected)
    for (name, parameter) in trained {
      let (gradient, reference) = (try #require(parameter.gradient), try tensor("gradients/\(name)"))
      let size = reference.scalars.reduce(0) { $0 + Double($1 * $1) }.squareRoot()
      let distance = relativeError(gradient, reference) * size
      // Single precision; a bias before a normalisation has the gradient 0, up to the rounding of its terms.
      #expect(distance < 3e-5 * size + 1e-5, "\(name): \(distance) of \(size)")
    }

    var optimizers = Parameter.Role.allCases.map { role in
      let parameters = trained.map(\.parameter).filter { $0.role == role }
      return (parameters, description.optimizer(role).makeOptimizer(for: parameters))
    }
    let losses = try tensor("losses").scalars
    for step in 0..<10 {
      for parameter in trained.map(\.parameter) { parameter.gradient = nil }
      let current = loss()
      let value = current.loss.errors.scalars.reduce(0, +)
      // Adam's first steps have the size of the rate whatever that of the gradient, rounded as it may be.
      #expect(abs(value - Double(losses[step])) < 1e-5 * value, "step \(step)")
      current.tape.backward(from: current.loss.total)
      for index in optimizers.indices {
        optimizers[index].1.step(optimizers[index].0, learningRateFactor: 1)
      }
    }
  }
}
