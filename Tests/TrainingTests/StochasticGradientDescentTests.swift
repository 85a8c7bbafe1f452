import Autodiff
import Foundation
import Tensors
import TestSupport
import Testing
import Training

@Suite struct StochasticGradientDescentTests {
  /// Against PyTorch's formula in double precision.
  @Test(arguments: [0, 0.5, 0.9]) func followsTheFormula(momentum: Double) {
    let start = randomTensor([37], sample: 1)
    let parameter = Parameter(start)
    let settings = OptimizerConfiguration(.sgd(momentum: momentum), learningRate: 0.1, weightDecay: 0.01)
    var descent = StochasticGradientDescent(settings, for: [parameter])
    var (w, v) = (start.scalars.map(Double.init), [Double](repeating: 0, count: 37))
    for step in 1...20 {
      let gradient = randomTensor([37], sample: 1 + step)
      parameter.gradient = gradient
      descent.step([parameter], learningRateFactor: 0.5)
      for index in 0..<37 {
        v[index] = momentum * v[index] + Double(gradient[index]) + 0.01 * w[index]
        w[index] -= 0.05 * v[index]
      }
    }
    #expect(parameter.gradient == nil && descent.stepCount == 20)
    for index in 0..<37 {
      // 20 steps of numbers of order 1, each rounded a few times.
      #expect(abs(Double(parameter.value[index]) - w[index]) < 3e-6)
    }
  }

  @Test func withoutAGradientNothingChanges() {
    let parameter = Parameter(randomTensor([5], sample: 1))
    let before = parameter.value
    var descent = OptimizerConfiguration(.sgd(momentum: 0.5)).makeOptimizer(for: [parameter])
    descent.step([parameter], learningRateFactor: 1)
    #expect(parameter.value == before)
  }

  @Test func configurationsSurviveJSON() throws {
    for configuration in [
      OptimizerConfiguration(),
      OptimizerConfiguration(.adamW(beta2: 0.99)),
      OptimizerConfiguration(.sgd(momentum: 0.25), learningRate: 0.1, warmUpEpochs: 3),
    ] {
      let data = try JSONEncoder().encode(configuration)
      #expect(try JSONDecoder().decode(OptimizerConfiguration.self, from: data) == configuration)
    }
  }
}
