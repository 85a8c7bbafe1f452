import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing

@Suite struct RecurrentModelTests {
  /// Three frames of two fields to the next one, over four frames.
  private static let configuration: RecurrentModel.Configuration = {
    var step = FNO.Configuration.modern(
      dimensions: 2, inputChannels: 6, outputChannels: 2, width: 5, modes: 2)
    step.layers = 2
    step.projectionWidth = 7
    return RecurrentModel.Configuration(step: .fno(step), fields: 2, frames: 4)
  }()

  /// A channel of a sample as a tensor of one sample and one channel.
  private func channel(_ u: Tensor<Float>, _ channel: Int) -> [Float] {
    let points = u.shape[2] * u.shape[3]
    return Array(u.scalars[channel * points..<(channel + 1) * points])
  }

  /// Against a loop that puts the windows together number by number.
  @Test func predictedFramesBecomeInput() {
    let model = RecurrentModel(Self.configuration, seed: 1)
    let u = randomTensor([1, 6, 6, 8], sample: 1)
    let result = model(Variable(u), on: .inference).value
    #expect(result.shape == [1, 8, 6, 8])
    var fields = (0..<2).map { field in (0..<3).map { channel(u, field * 3 + $0) } }
    for frame in 0..<4 {
      let window = fields.flatMap { $0.suffix(3).flatMap { $0 } }
      let next = model.step(Variable(Tensor(shape: [1, 6, 6, 8], scalars: window)), on: .inference).value
      for field in 0..<2 {
        fields[field].append(channel(next, field))
        #expect(channel(result, field * 4 + frame) == channel(next, field), "field \(field), frame \(frame)")
      }
    }
  }

  @Test func gradientThroughTheRollOut() {
    let model = RecurrentModel(Self.configuration, seed: 1)
    let u = Parameter(randomTensor([2, 6, 6, 8], sample: 1))
    let errors = gradientDisagreements([u] + model.parameters, step: 1e-2) { model($0(u), on: $0) }
    // Rounding (1e-7 of the result) over the step, which is shortest for the modes' matrices of small numbers: up to 5e-4
    // with any instruction set.
    #expect(errors.allSatisfy { $0 < 2e-3 }, "\(errors)")
  }

  /// The sum of the frames' relative distances, and its gradient through batch normalisation.
  @Test func lossOfTheFirstPaper() {
    let configuration = RecurrentModel.Configuration(
      step: .fno(.fno2020(dimensions: 2, inputChannels: 3, width: 4, modes: 2)), frames: 3)
    let model = RecurrentModel(configuration, seed: 2)
    let (u, target) = (randomTensor([3, 3, 6, 6], sample: 1), randomTensor([3, 3, 6, 6], sample: 2))
    let tape = Tape()
    let output = model(Variable(u), on: tape)
    let loss = fieldLoss(output, target: target, kind: .relativeL2ByChannel, reduction: .sum)
    var sum = 0.0
    for plane in 0..<9 {
      let range = plane * 36..<(plane + 1) * 36
      let (a, b) = (output.value.scalars[range], target.scalars[range])
      let distance = zip(a, b).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
      sum += (distance / b.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
    }
    #expect(abs(Double(loss.total.value[0]) - sum) < 1e-5 * sum)  // sums of 36 squares in single precision
    tape.backward(from: loss.total)
    #expect(model.parameters.allSatisfy { !$0.isTrainable || $0.gradient != nil })
  }

  @Test func namesAndCountAreThePublishedOnes() {
    let step = FNO.Configuration.fno2020(dimensions: 2, inputChannels: 10, width: 20, modes: 8)
    let model = RecurrentModel(RecurrentModel.Configuration(step: .fno(step), frames: 40), seed: 0)
    #expect(model.parameterCount == 414_517)
    #expect(model.namedParameters.allSatisfy { $0.name.hasPrefix("step.") })
    #expect(model.namedParameters[0].name == "step.lifting.weight")
  }

  @Test func configurationsAreCheckedAndSurviveJSON() throws {
    let model = ModelConfiguration.recurrent(Self.configuration)
    #expect(model.inputChannels == 6 && model.outputChannels == 8 && model.problem == nil)
    #expect(try JSONDecoder().decode(ModelConfiguration.self, from: JSONEncoder().encode(model)) == model)
    var wrong = Self.configuration
    wrong.fields = 3
    #expect(ModelConfiguration.recurrent(wrong).problem?.contains("6 channels to 2") == true)
    #expect(model.problem(grid: [3, 8])?.contains("modes do not fit") == true)
  }
}
