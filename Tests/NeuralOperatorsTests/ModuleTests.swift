import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing

/// A module with everything that names are made of: a parameter, a list, an optional, a constant.
private struct Sample: Module {
  let first: Parameter
  let maps: [PointwiseLinear]
  let present: PointwiseLinear?
  let absent: PointwiseLinear?
  let factor = 2.0

  func callAsFunction(_ u: Variable, on tape: Tape) -> Variable { u }
}

@Suite struct ModuleTests {
  private func sample() -> Sample {
    var initializer = Initializer(seed: 1)
    return Sample(
      first: initializer.uniform([2], in: 0...1),
      maps: (0..<2).map { _ in PointwiseLinear(inputs: 3, outputs: 2, using: &initializer) },
      present: PointwiseLinear(inputs: 1, outputs: 1, using: &initializer), absent: nil)
  }

  @Test func namesArePaths() {
    let module = sample()
    #expect(
      module.namedParameters.map(\.name) == [
        "first", "maps.0.weight", "maps.0.bias", "maps.1.weight", "maps.1.bias", "present.weight",
        "present.bias",
      ])
    #expect(module.namedParameters[1].parameter === module.maps[0].weight)
    #expect(module.parameterCount == 2 + 2 * 8 + 2)
  }

  @Test func weightsOfDifferentParametersAreDifferentDraws() {
    let module = sample()
    #expect(module.maps[0].weight.value != module.maps[1].weight.value)
    #expect(module.maps[0].weight.value == sample().maps[0].weight.value)
  }

  @Test func unknownKindsAreErrors() throws {
    let known = try JSONEncoder().encode(ModelConfiguration.fno(.modern(dimensions: 1, width: 4, modes: 2)))
    let text = String(decoding: known, as: UTF8.self)
    #expect(text.contains("\"kind\":\"fno\""))
    let unknown = Data(text.replacingOccurrences(of: "\"fno\"", with: "\"fnoo\"").utf8)
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(ModelConfiguration.self, from: unknown) }
  }

  /// Models that find the loss with their last layer: padded and not, several axes, convolutions; and one that does not.
  @Test(arguments: [
    ModelConfiguration.fno(.modern(dimensions: 1, width: 12, modes: 5)),
    .fno(.modern(dimensions: 2, width: 6, modes: 3, padding: 2)),
    .fno(.modern(dimensions: 2, width: 6, modes: 3)),
    .fno(.fno2020(dimensions: 2, width: 6, modes: 3)),
    .cnn(.backbone(dimensions: 2, width: 6, modes: 4)),
    .recurrent(.init(step: .fno(.modern(dimensions: 2, width: 6, modes: 3)), frames: 1)),
  ])
  func lossesAreThoseOfTheOutput(configuration: ModelConfiguration) {
    let isFlat = if case .fno(let fno) = configuration { fno.dimensions == 1 } else { false }
    expectLossOfOutput(configuration, grid: isFlat ? [64] : [16, 16])
  }

  /// A tape that is dropped without walking back frees what it recorded: no node refers to the tape.
  @Test(arguments: [
    FNO.Configuration.fno2020(dimensions: 2, width: 4, modes: 2),
    .modern(dimensions: 2, width: 4, modes: 2, padding: 1),
  ])
  func droppedTapesAreFreed(configuration: FNO.Configuration) {
    weak var dropped: Tape?
    do {
      let tape = Tape()
      dropped = tape
      let output = FNO(configuration, seed: 1)(Variable(randomTensor([1, 1, 8, 8], sample: 1)), on: tape)
      let loss = fieldLoss(
        affine(output, scale: Tensor(shape: [1], repeating: 2), shift: Tensor(shape: [1])),
        target: randomTensor([1, 1, 8, 8], sample: 2), reduction: .mean)
      #expect(loss.total.needsGradient && tape.nodeCount > 10)
    }
    #expect(dropped == nil)
  }
}
