import Autodiff
import Tensors

/// The optimizer Adam (Kingma and Ba, ICLR 2015), with an L2 penalty added to the gradient, and AdamW
/// (Loshchilov and Hutter, ICLR 2019), whose decay is apart from it.
///
/// PyTorch's `Adam` and `AdamW` with `weight_decay`. Real and imaginary parts of complex weights are
/// independent numbers.
public struct Adam: Optimizer {
  private let configuration: OptimizerConfiguration
  private let (beta1, beta2, epsilon): (Double, Double, Double)
  private let isDecoupled: Bool
  private var firstMoments: [Tensor<Float>]
  private var secondMoments: [Tensor<Float>]
  /// The number of steps taken.
  public var stepCount = 0

  /// The means of the gradients, `first`, and of their squares, `second`.
  public var memory: [(name: String, values: [Tensor<Float>])] {
    get { [("first", firstMoments), ("second", secondMoments)] }
    set {
      precondition(newValue.map(\.name) == ["first", "second"], "not what Adam remembers")
      (firstMoments, secondMoments) = (newValue[0].values, newValue[1].values)
    }
  }

  /// An optimizer that has taken no step yet; the configuration's method must be `adam` or `adamW`.
  public init(_ configuration: OptimizerConfiguration, for parameters: [Parameter]) {
    switch configuration.method {
    case .adam(let beta1, let beta2, let epsilon):
      (self.beta1, self.beta2, self.epsilon, isDecoupled) = (beta1, beta2, epsilon, false)
    case .adamW(let beta1, let beta2, let epsilon):
      (self.beta1, self.beta2, self.epsilon, isDecoupled) = (beta1, beta2, epsilon, true)
    case .sgd: preconditionFailure("Adam was asked to be \(configuration.method)")
    }
    self.configuration = configuration
    firstMoments = parameters.map { Tensor(shape: $0.value.shape) }
    secondMoments = firstMoments
  }

  /// Changes the parameters by their gradients, and clears those.
  public mutating func step(_ parameters: [Parameter], learningRateFactor: Double = 1) {
    precondition(parameters.count == firstMoments.count, "not the parameters that Adam was made for")
    stepCount += 1
    let update = AdamUpdate(
      step: stepCount, learningRate: configuration.learningRate * learningRateFactor, beta1: beta1,
      beta2: beta2, epsilon: epsilon, weightDecay: configuration.weightDecay, isDecoupled: isDecoupled)
    for (index, parameter) in parameters.enumerated() {
      update.apply(to: parameter, first: &firstMoments[index], second: &secondMoments[index])
      parameter.gradient = nil
    }
  }
}
