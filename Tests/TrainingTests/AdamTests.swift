import Autodiff
import Foundation
import Tensors
import TestSupport
import Testing
import Training

@Suite struct AdamTests {
  /// Against the formulas of the papers, in double precision: PyTorch's L2 penalty and the decoupled decay.
  @Test(arguments: [OptimizerConfiguration.Method.adam(), .adamW()])
  func followsTheFormula(method: OptimizerConfiguration.Method) {
    let isDecoupled = method == .adamW()
    let start = randomTensor([37], sample: 1)
    let parameter = Parameter(start)
    let settings = OptimizerConfiguration(method, learningRate: 0.01, weightDecay: 0.1)
    var adam = Adam(settings, for: [parameter])
    var (w, m, v) = (
      start.scalars.map(Double.init), [Double](repeating: 0, count: 37), [Double](repeating: 0, count: 37)
    )
    for step in 1...20 {
      let gradient = randomTensor([37], sample: 1 + step)
      parameter.gradient = gradient
      adam.step([parameter], learningRateFactor: 0.5)
      for index in 0..<37 {
        let g = Double(gradient[index]) + (isDecoupled ? 0 : 0.1 * w[index])
        if isDecoupled { w[index] -= 0.005 * 0.1 * w[index] }
        m[index] = 0.9 * m[index] + 0.1 * g
        v[index] = 0.999 * v[index] + 0.001 * g * g
        let size = (v[index] / (1 - pow(0.999, Double(step)))).squareRoot() + 1e-8
        w[index] -= 0.005 * m[index] / (1 - pow(0.9, Double(step))) / size
      }
    }
    #expect(parameter.gradient == nil && adam.stepCount == 20)
    for index in 0..<37 {
      // 20 steps of size 0.005, each with a few roundings of a value of order 1.
      #expect(abs(Double(parameter.value[index]) - w[index]) < 3e-6)
    }
  }

  @Test func withoutAGradientNothingChanges() {
    let parameter = Parameter(randomTensor([5], sample: 1), isTrainable: false)
    let before = parameter.value
    var adam = Adam(OptimizerConfiguration(), for: [parameter])
    adam.step([parameter])
    #expect(parameter.value == before)
  }
}
