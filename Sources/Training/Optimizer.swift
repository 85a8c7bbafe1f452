import Autodiff
import Tensors

/// A method of gradient descent with its state, for parameters that are always the same in the same order.
public protocol Optimizer: Sendable {
  /// The number of steps taken.
  var stepCount: Int { get set }
  /// What the method remembers of every parameter, by name: part of checkpoints.
  var memory: [(name: String, values: [Tensor<Float>])] { get set }

  /// Changes the parameters by their gradients, and clears those.
  mutating func step(_ parameters: [Parameter], learningRateFactor: Double)
}

/// Which optimizer a group of parameters has.
///
/// Encoded with a key `kind` beside the constants of the method.
public struct OptimizerConfiguration: Codable, Sendable, Equatable {
  /// A method with its constants.
  public enum Method: Sendable, Equatable {
    /// Adam: the memories of the mean gradient and of the mean square, and what is added to its root.
    case adam(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8)
    /// AdamW: the same with a weight decay that is not part of the gradient.
    case adamW(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8)
    /// Stochastic gradient descent, with a momentum.
    case sgd(momentum: Double = 0)
  }

  /// The method.
  public var method: Method
  /// The rate before the schedule's factor.
  public var learningRate: Double
  /// The factor of the weights that is added to their gradient: an L2 penalty; of AdamW, what times the rate
  /// they shrink by in every step.
  public var weightDecay: Double
  /// For how many epochs at the start the parameters rest as they are.
  public var warmUpEpochs: Int

  /// The papers' constants, unless told otherwise.
  public init(
    _ method: Method = .adam(), learningRate: Double = 1e-3, weightDecay: Double = 1e-4,
    warmUpEpochs: Int = 0
  ) {
    self.method = method
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.warmUpEpochs = warmUpEpochs
  }

  /// An optimizer that has taken no step yet.
  public func makeOptimizer(for parameters: [Parameter]) -> any Optimizer {
    switch method {
    case .adam, .adamW: Adam(self, for: parameters)
    case .sgd: StochasticGradientDescent(self, for: parameters)
    }
  }

  private enum Kind: String, Codable { case adam, adamw, sgd }
  private enum Key: String, CodingKey {
    case kind, beta1, beta2, epsilon, momentum, learningRate, weightDecay, warmUpEpochs
  }

  /// Decodes the kind, then its constants.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    func number(_ key: Key) throws -> Double { try values.decode(Double.self, forKey: key) }
    let method: Method =
      switch try values.decode(Kind.self, forKey: .kind) {
      case .adam: .adam(beta1: try number(.beta1), beta2: try number(.beta2), epsilon: try number(.epsilon))
      case .adamw:
        .adamW(beta1: try number(.beta1), beta2: try number(.beta2), epsilon: try number(.epsilon))
      case .sgd: .sgd(momentum: try number(.momentum))
      }
    self.init(
      method, learningRate: try number(.learningRate), weightDecay: try number(.weightDecay),
      warmUpEpochs: try values.decode(Int.self, forKey: .warmUpEpochs))
  }

  /// Encodes the kind and all constants side by side.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    switch method {
    case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
      var kind = Kind.adam
      if case .adamW = method { kind = .adamw }
      try values.encode(kind, forKey: .kind)
      try values.encode(beta1, forKey: .beta1)
      try values.encode(beta2, forKey: .beta2)
      try values.encode(epsilon, forKey: .epsilon)
    case .sgd(let momentum):
      try values.encode(Kind.sgd, forKey: .kind)
      try values.encode(momentum, forKey: .momentum)
    }
    try values.encode(learningRate, forKey: .learningRate)
    try values.encode(weightDecay, forKey: .weightDecay)
    try values.encode(warmUpEpochs, forKey: .warmUpEpochs)
  }
}
