import Autodiff
import Tensors

/// Stochastic gradient descent with momentum: v ← μ v + g + λ w, w ← w − rate · v.
///
/// PyTorch's `SGD` with `weight_decay` and without dampening: the rate acts on the whole velocity, so a
/// schedule's factor applies at once.
public struct StochasticGradientDescent: Optimizer {
  private let configuration: OptimizerConfiguration
  private let momentum: Double
  private var velocities: [Tensor<Float>]
  /// The number of steps taken.
  public var stepCount = 0

  /// The sums of the gradients, `velocity`.
  public var memory: [(name: String, values: [Tensor<Float>])] {
    get { [("velocity", velocities)] }
    set {
      precondition(newValue.map(\.name) == ["velocity"], "not what gradient descent remembers")
      velocities = newValue[0].values
    }
  }

  /// An optimizer that has taken no step yet; the configuration's method must be `sgd`.
  public init(_ configuration: OptimizerConfiguration, for parameters: [Parameter]) {
    guard case .sgd(let momentum) = configuration.method else {
      preconditionFailure("gradient descent was asked to be \(configuration.method)")
    }
    self.configuration = configuration
    self.momentum = momentum
    velocities = parameters.map { Tensor(shape: $0.value.shape) }
  }

  /// Changes the parameters by their gradients, and clears those.
  public mutating func step(_ parameters: [Parameter], learningRateFactor: Double = 1) {
    precondition(parameters.count == velocities.count, "not the parameters that it was made for")
    stepCount += 1
    let update = MomentumUpdate(
      learningRate: configuration.learningRate * learningRateFactor, momentum: momentum,
      weightDecay: configuration.weightDecay)
    for (index, parameter) in parameters.enumerated() {
      update.apply(to: parameter, velocity: &velocities[index])
      parameter.gradient = nil
    }
  }
}
