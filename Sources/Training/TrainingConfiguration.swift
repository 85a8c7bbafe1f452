import Autodiff

/// What determines a training run but for model and data.
public struct TrainingConfiguration: Codable, Sendable, Equatable {
  /// How often every sample is seen.
  public var epochs: Int
  /// The samples of a step; the last batch of an epoch may be smaller.
  public var batchSize: Int
  /// The optimizer of the weights.
  public var optimizer: OptimizerConfiguration
  /// The optimizer of the K-matrices of XD-operations; nil for that of the weights.
  public var architectureOptimizer: OptimizerConfiguration?
  /// How the learning rate changes.
  public var schedule: Schedule
  /// The loss of a sample.
  public var loss: FieldLossKind
  /// The axes of the grid, for a loss that has derivatives; empty for the others.
  public var lossAxes: [DifferenceAxis]
  /// Whether a batch's loss is the sum or the mean of its samples' losses.
  public var lossReduction: LossReduction
  /// The weight of the relative error of Jacobian actions beside the loss; nil to train on outputs alone.
  public var tangentWeight: Double?
  /// The largest norm of the gradient of all parameters: a longer one is shortened to it; nil for any.
  public var clippingNorm: Double?
  /// The samples that are computed at once, whose gradients are added up for a step; nil for the whole batch.
  ///
  /// Less memory for the same steps, but that batch normalisation sees fewer samples at once.
  public var microBatchSize: Int?
  /// The decay d of the moving average of the weights, average ← d · average + (1 − d) · weights after every
  /// step, with which errors are measured and predictions made; nil for the weights themselves.
  public var averagingDecay: Double?
  /// After how many epochs in a row without a smaller validation error the training ends; nil for never.
  public var earlyStoppingPatience: Int?
  /// Decides the initial weights and the order of the samples.
  public var seed: UInt64

  /// The papers' settings, unless told otherwise.
  public init(
    epochs: Int = 500, batchSize: Int = 20, optimizer: OptimizerConfiguration = OptimizerConfiguration(),
    architectureOptimizer: OptimizerConfiguration? = nil,
    schedule: Schedule = .step(factor: 0.5, epochs: 100), loss: FieldLossKind = .relativeL2,
    lossAxes: [DifferenceAxis] = [], lossReduction: LossReduction = .sum, tangentWeight: Double? = nil,
    clippingNorm: Double? = nil,
    microBatchSize: Int? = nil, averagingDecay: Double? = nil, earlyStoppingPatience: Int? = nil,
    seed: UInt64 = 0
  ) {
    self.epochs = epochs
    self.batchSize = batchSize
    self.optimizer = optimizer
    self.architectureOptimizer = architectureOptimizer
    self.schedule = schedule
    self.loss = loss
    self.lossAxes = lossAxes
    self.lossReduction = lossReduction
    self.tangentWeight = tangentWeight
    self.clippingNorm = clippingNorm
    self.microBatchSize = microBatchSize
    self.averagingDecay = averagingDecay
    self.earlyStoppingPatience = earlyStoppingPatience
    self.seed = seed
  }
}

/// Where a run stands: the random state is a function of the seed and this.
public struct TrainingPosition: Codable, Sendable, Equatable {
  /// How many epochs are complete.
  public var epoch = 0
  /// How many batches of the current epoch are done.
  public var batch = 0
  /// The sum of the training errors of this epoch's samples so far.
  public var errorSum = 0.0
  /// The seconds that this epoch has taken so far.
  public var seconds = 0.0
  /// The number of training samples, once the run has begun: the order of an epoch depends on it.
  public var samples: Int?

  /// The start.
  public init() {}
}

/// What is known after an epoch.
public struct EpochReport: Codable, Sendable, Equatable {
  /// The number of the epoch, from 1.
  public let epoch: Int
  /// The mean relative L2 error of the training samples, each at the time of its batch.
  public let trainingError: Double
  /// The mean relative L2 error of the validation samples after the epoch; nil without any.
  public let validationError: Double?
  /// The mean relative L2 error of the test samples after the epoch; nil without test data.
  public let testError: Double?
  /// The learning rate of the epoch's last step.
  public let learningRate: Double
  /// The seconds that the epoch's steps took, without the test.
  public let seconds: Double

  /// An epoch's numbers.
  public init(
    epoch: Int, trainingError: Double, validationError: Double? = nil, testError: Double?,
    learningRate: Double, seconds: Double
  ) {
    self.epoch = epoch
    self.validationError = validationError
    self.trainingError = trainingError
    self.testError = testError
    self.learningRate = learningRate
    self.seconds = seconds
  }

  /// The head of a metrics file in long form.
  public static let csvHeader = "epoch,split,metric,value"

  /// The lines of this epoch in a metrics file.
  public var csvLines: [String] {
    var lines = ["\(epoch),train,relative_l2,\(trainingError)"]
    if let validationError { lines.append("\(epoch),validation,relative_l2,\(validationError)") }
    if let testError { lines.append("\(epoch),test,relative_l2,\(testError)") }
    return lines + ["\(epoch),train,learning_rate,\(learningRate)", "\(epoch),train,seconds,\(seconds)"]
  }
}

/// What is known after a batch.
public struct BatchReport: Sendable, Equatable {
  /// The number of the epoch, from 1.
  public let epoch: Int
  /// The number of the batch, from 1.
  public let batch: Int
  /// The batches of an epoch.
  public let batchCount: Int
  /// The mean relative L2 error of the batch's samples.
  public let error: Double
}
