import Autodiff
import Foundation
import NeuralOperators
import Tensors
import Training

/// A problem that a small model learns in seconds: the derivative and the square of smooth random fields.
enum SmallProblem {
  static func data(samples: Int, points: Int = 32, first: Int = 0) -> TrainingData {
    let field = PeriodicField(points: points)
    let pairs = (0..<samples).map { field.sample(first + $0) }
    return TrainingData(
      inputs: Tensor.stacking(pairs.map(\.input)), targets: Tensor.stacking(pairs.map(\.target)))
  }

  static let model = ModelConfiguration.fno(.modern(dimensions: 1, width: 12, modes: 6))

  /// A convolutional network, and the same with its convolutions turned into XD-operations.
  static let convolutional = ModelConfiguration.cnn(.backbone(dimensions: 1, width: 12, modes: 6))
  static let xd = ModelConfiguration.xd(.init(backbone: convolutional, grid: [32]))

  static func configuration(
    epochs: Int, schedule: Schedule = .constant, architectureOptimizer: OptimizerConfiguration? = nil
  ) -> TrainingConfiguration {
    TrainingConfiguration(
      epochs: epochs, batchSize: 8, optimizer: OptimizerConfiguration(learningRate: 5e-3, weightDecay: 1e-5),
      architectureOptimizer: architectureOptimizer, schedule: schedule, seed: 7)
  }
}

/// Random trigonometric polynomials u, and u' + u²/2.
struct PeriodicField {
  let points: Int

  func sample(_ index: Int) -> (input: Tensor<Float>, target: Tensor<Float>) {
    var random = Philox(seed: 5, stream: .inputs, sample: index)
    let coefficients = (1...4).map {
      ($0, random.nextNormal() / Double($0), random.nextNormal() / Double($0))
    }
    var (input, target) = ([Float](), [Float]())
    for point in 0..<points {
      let x = 2 * Double.pi * Double(point) / Double(points)
      var (u, derivative) = (0.0, 0.0)
      for (k, a, b) in coefficients {
        let (cosine, sine) = (cos(Double(k) * x), sin(Double(k) * x))
        u += a * cosine + b * sine
        derivative += Double(k) * (b * cosine - a * sine)
      }
      input.append(Float(u))
      target.append(Float(derivative + u * u / 2))
    }
    return (Tensor(shape: [1, points], scalars: input), Tensor(shape: [1, points], scalars: target))
  }
}

/// Equal weights, moments, counts and errors; the seconds may differ.
func sameState(_ left: Checkpoint, _ right: Checkpoint) -> Bool {
  func equal(_ a: [(name: String, value: Tensor<Float>)], _ b: [(name: String, value: Tensor<Float>)]) -> Bool
  {
    a.count == b.count && zip(a, b).allSatisfy { $0.name == $1.name && $0.value == $1.value }
  }
  func equal(_ a: OptimizerState, _ b: OptimizerState) -> Bool {
    a.role == b.role && a.stepCount == b.stepCount && a.memory.map(\.name) == b.memory.map(\.name)
      && zip(a.memory, b.memory).allSatisfy { equal($0.arrays, $1.arrays) }
  }
  return equal(left.weights, right.weights) && equal(left.averages, right.averages)
    && left.optimizers.count == right.optimizers.count
    && zip(left.optimizers, right.optimizers).allSatisfy(equal)
    && left.position.epoch == right.position.epoch && left.position.batch == right.position.batch
    && left.position.errorSum == right.position.errorSum
    && left.history.map(\.trainingError) == right.history.map(\.trainingError)
    && left.history.map(\.testError) == right.history.map(\.testError)
    && left.history.map(\.validationError) == right.history.map(\.validationError)
    && left.history.map(\.learningRate) == right.history.map(\.learningRate)
}
