import Autodiff
import Tensors

/// The optimiser Adam (Kingma and Ba, ICLR 2015), with an L2 penalty added to the gradient.
///
/// PyTorch's `Adam` with `weight_decay`, not AdamW. Real and imaginary parts of complex weights are
/// independent numbers.
public struct Adam: Sendable {
  /// The constants of the method.
  public struct Configuration: Codable, Sendable, Equatable {
    /// The rate before the schedule's factor.
    public var learningRate: Double
    /// The memory of the mean of the gradients.
    public var beta1: Double
    /// The memory of the mean of their squares.
    public var beta2: Double
    /// What is added to the root of the mean square.
    public var epsilon: Double
    /// The factor of the penalty.
    public var weightDecay: Double

    /// The papers' constants, unless told otherwise.
    public init(
      learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
      weightDecay: Double = 1e-4
    ) {
      self.learningRate = learningRate
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.weightDecay = weightDecay
    }
  }

  /// The constants of the method.
  public let configuration: Configuration
  /// The means of the gradients, one per parameter.
  public internal(set) var firstMoments: [Tensor<Float>]
  /// The means of the squared gradients, one per parameter.
  public internal(set) var secondMoments: [Tensor<Float>]
  /// The number of steps taken.
  public internal(set) var stepCount = 0

  /// An optimiser that has taken no step yet.
  public init(_ configuration: Configuration, for parameters: [Parameter]) {
    self.configuration = configuration
    firstMoments = parameters.map { Tensor(shape: $0.value.shape) }
    secondMoments = firstMoments
  }

  /// Changes the parameters, always the same ones in the same order, by their gradients, and clears those.
  public mutating func step(_ parameters: [Parameter], learningRateFactor: Double = 1) {
    precondition(parameters.count == firstMoments.count, "not the parameters that Adam was made for")
    stepCount += 1
    let update = AdamUpdate(
      step: stepCount, learningRate: configuration.learningRate * learningRateFactor,
      beta1: configuration.beta1, beta2: configuration.beta2, epsilon: configuration.epsilon,
      weightDecay: configuration.weightDecay)
    for (index, parameter) in parameters.enumerated() {
      update.apply(to: parameter, first: &firstMoments[index], second: &secondMoments[index])
      parameter.gradient = nil
    }
  }
}
