import Autodiff
import Foundation
import NeuralOperators
import Tensors
import TestSupport
import Testing
import Training

/// Training on the derivatives of the map that is learned.
@Suite struct TangentLossTests {
  private let model = FNO(.modern(dimensions: 1, width: 8, modes: 4), seed: 3)

  private func pairs(_ samples: Int, first: Int = 0) -> (TrainingData, TangentPairs) {
    let data = SmallProblem.data(samples: samples, first: first)
    let directions = SmallProblem.data(samples: samples, first: first + 500).inputs
    // The derivative of u' + u²/2 along v is v' + u v, and v' the target of v without its square.
    let other = SmallProblem.data(samples: samples, first: first + 500).targets
    let products = zip(zip(data.inputs.scalars, directions.scalars), other.scalars).map { pair, target in
      target - pair.1 * pair.1 / 2 + pair.0 * pair.1
    }
    let tangents = TangentPairs(
      directions: directions, products: Tensor(shape: directions.shape, scalars: products))
    return (TrainingData(inputs: data.inputs, targets: data.targets, tangents: [tangents]), tangents)
  }

  /// The gradient of the loss with respect to the weights, by finite differences.
  @Test func gradientOfTheLoss() {
    let (data, tangents) = pairs(3)
    let scaling = FieldScaling(
      mean: Tensor(shape: [1], scalars: [0.3]), scale: Tensor(shape: [1], scalars: [1.7]))
    let inputs = scaling.encode(data.inputs)
    let difference = SymmetricDifference(inputs, tangents.directions, scaling)
    let disagreements = gradientDisagreements(model.parameters, step: 0.1) { tape in
      let loss = difference.loss(
        { model(Variable($0), on: tape) }, products: tangents.products, reduction: .sum)
      let output = fieldLoss(model(Variable(inputs), on: tape), target: data.targets, reduction: .sum)
      return add(output.total, loss.total, weight: 0.7)
    }
    // Rounding leaves 1e-5 of the difference of two outputs, since their distance is a hundredth. The smallest weights,
    // of size 1e-2, are moved by a tenth of that: 1e-5 / 1e-3 of a loss of about 3, relative to gradients of about 0.5.
    // A wrong sign or factor would show as one or more.
    #expect(disagreements.allSatisfy { $0 < 0.1 }, "\(disagreements)")
  }

  /// Against the exact derivative by reverse mode: ⟨w, J v⟩ = ⟨Jᵀ w, v⟩.
  @Test func quotientsAreTheModelsDerivative() {
    let (data, tangents) = pairs(2)
    let scaling = FieldScaling(
      mean: Tensor(shape: [1], scalars: [0.3]), scale: Tensor(shape: [1], scalars: [1.7]))
    let difference = SymmetricDifference(scaling.encode(data.inputs), tangents.directions, scaling)
    let quotients = difference.quotients { model(Variable($0), on: .inference) }
    let weights = randomTensor(quotients.shape, sample: 9)
    let tape = Tape()
    let input = Parameter(data.inputs)
    let output = model(scaling.encode(tape(input)), on: tape)
    tape.backward(from: output, gradient: weights)
    let gradient = input.gradient ?? Tensor(shape: [0])
    for sample in 0..<2 {
      let range = sample..<sample + 1
      func dot(_ a: Tensor<Float>, _ b: Tensor<Float>) -> Double {
        zip(a[first: range].scalars, b[first: range].scalars).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      }
      // Rounding leaves 2e-7 of every value over a step of a hundredth; truncation is 1e-4 of a third derivative.
      let sizes = [output.value, quotients].map { (dot($0, $0) * dot(weights, weights)).squareRoot() }
      let difference = dot(weights, quotients) - dot(gradient, tangents.directions)
      #expect(abs(difference) < 2e-5 * sizes[0] + 1e-3 * sizes[1], "\(difference), \(sizes)")
    }
  }

  /// A model that is linear has the same difference quotient at any step, so what is found is its matrix.
  @Test func aLinearMapHasItsOwnJacobian() {
    let matrix = Tensor<Float>(shape: [1, 1, 1], scalars: [2.5])
    let (data, tangents) = pairs(2)
    func predict(_ inputs: Tensor<Float>) -> Variable {
      affine(
        Variable(inputs), scale: Tensor(shape: [1], scalars: matrix.scalars),
        shift: Tensor(shape: [1], scalars: [4]))
    }
    let difference = SymmetricDifference(data.inputs, tangents.directions, nil)
    let quotients = difference.quotients(predict)
    for (quotient, direction) in zip(quotients.scalars, tangents.directions.scalars) {
      // Rounding of values of order 5 over a step of order a hundredth.
      #expect(abs(quotient - 2.5 * direction) < 1e-3)
    }
    let products = Tensor<Float>(
      shape: tangents.directions.shape, scalars: tangents.directions.scalars.map { 2.5 * $0 })
    let loss = difference.loss(predict, products: products, reduction: .mean)
    #expect(loss.errors.scalars.allSatisfy { $0 < 1e-3 })
  }

  @Test func derivativesAreLearned() throws {
    let (data, _) = pairs(12)
    let (test, exact) = pairs(32, first: 200)
    func errors(weight: Double?) throws -> (output: Double, tangent: Double) {
      var configuration = SmallProblem.configuration(epochs: 80)
      configuration.tangentWeight = weight
      let trainer = Trainer(SmallProblem.model, configuration: configuration)
      try trainer.fit(data)
      let learned = try LearnedOperator(trainer.checkpoint)
      let (solutions, products) = try learned.jacobianVectorProducts(
        Tensor(converting: test.inputs), Tensor(converting: exact.directions))
      #expect(solutions == (try learned(Tensor(converting: test.inputs))))
      return (
        MetricSummary(try trainer.evaluate(test)).mean,
        MetricSummary(Metrics.relativeL2(Tensor<Float>(converting: products), exact.products)).mean
      )
    }
    let (plain, informed) = (try errors(weight: nil), try errors(weight: 1))
    // Measured: derivatives 0.098 and 0.062, outputs 0.060 and 0.051.
    #expect(informed.tangent < 0.8 * plain.tangent, "\(plain), \(informed)")
    #expect(informed.output < 1.2 * plain.output, "\(plain), \(informed)")
  }

  @Test func parametersWithoutDerivativesAreRefused() throws {
    var configuration = SmallProblem.configuration(epochs: 1)
    configuration.tangentWeight = 1
    let trainer = Trainer(SmallProblem.model, configuration: configuration)
    #expect(throws: TrainingError.self) { try trainer.fit(SmallProblem.data(samples: 4)) }
  }

  @Test func aContinuedRunGivesTheSameBits() throws {
    try withTemporaryFolder { folder in
      let (data, first) = pairs(20)
      let (_, second) = pairs(20, first: 300)
      let both = TrainingData(inputs: data.inputs, targets: data.targets, tangents: [first, second])
      var configuration = SmallProblem.configuration(epochs: 4)
      configuration.tangentWeight = 0.5
      configuration.microBatchSize = 3
      let whole = Trainer(SmallProblem.model, configuration: configuration)
      try whole.fit(both)
      struct Stop: Error {}
      let stopped = Trainer(SmallProblem.model, configuration: configuration)
      #expect(throws: Stop.self) {
        try stopped.fit(both) { if $0.epoch == 2 && $0.batch == 2 { throw Stop() } }
      }
      try stopped.checkpoint.write(to: folder + "/last")
      let continued = try Trainer(resuming: Checkpoint(contentsOf: folder + "/last"))
      try continued.fit(both)
      #expect(sameState(whole.checkpoint, continued.checkpoint))
    }
  }
}
