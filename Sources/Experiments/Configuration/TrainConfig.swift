import Autodiff
import Datasets
import NeuralOperators
import Training

/// What `train` is to do: a model, its data, an optimizer, a number of epochs.
public struct TrainConfig: Sendable {
  /// The models that can be trained.
  public enum ModelKind: String, CaseIterable, Sendable {
    /// The Fourier neural operator.
    case fno
    /// The convolutional network of the XD paper.
    case cnn
    /// A residual network.
    case resnet
    /// A U-net.
    case unet
    /// A convolutional network with its convolutions turned into XD-operations.
    case xd
  }

  /// The convolutional networks, whose convolutions can become XD-operations.
  public enum Backbone: String, CaseIterable, Sendable {
    /// That of the XD paper.
    case cnn
    /// A residual network.
    case resnet
    /// A U-net.
    case unet
  }

  /// The pointwise nonlinearities.
  public enum Activation: String, CaseIterable, Sendable {
    /// x Φ(x).
    case gelu
    /// max(0, x).
    case relu

    /// The function.
    var function: Autodiff.Activation {
      switch self {
      case .gelu: .gelu
      case .relu: .relu
      }
    }
  }

  /// How a model sees several frames.
  public enum Time: String, CaseIterable, Sendable {
    /// Frames are channels: all predicted frames at once.
    case channels
    /// One frame after another, each from the last ones, which may be predicted ones.
    case recurrent
    /// Time is one more axis of the grid, the last.
    case spaceTime = "space-time"
  }

  /// The model and its size.
  public struct Model: Sendable, Equatable {
    /// The kind of model.
    public let kind: ModelKind
    /// How it sees several frames.
    public let time: Time
    /// The channels of every hidden layer.
    public let width: Int
    /// The Fourier modes that are kept along each axis; one number is for all axes.
    ///
    /// A convolution beside such a Fourier layer has one tap more.
    public let modes: [Int]
    /// The number of layers.
    public let layers: Int
    /// The channels of the hidden layer of the projection.
    public let projectionWidth: Int
    /// The nonlinearity.
    public let activation: Activation
    /// What follows each layer.
    public let normalization: FNO.Configuration.Normalization
    /// The coordinate channels beside the input.
    public let coordinates: Coordinates
    /// Of an FNO, zeros added at the end of each axis, removed before the projection; one number is for all.
    public let padding: [Int]
    /// Of an FNO, the hidden channels of the lifting; 0 for a linear one.
    public let liftingWidth: Int
    /// Of an FNO, the hidden channels of the mixing behind every layer; 0 for none.
    public let mixingWidth: Int
    /// Of an FNO, what stands beside the spectral convolutions; nil for a matrix.
    public let skip: SkipConnection.Kind?
    /// Of an FNO, what stands beside the mixing; nil for soft gating.
    public let mixingSkip: SkipConnection.Kind?
    /// Of an FNO without mixing, whether its layers activate twice; nil for no.
    public let activatesTwice: Bool?
    /// Of a CNN and what it becomes, what convolutions see beyond the grid.
    public let paddingMode: ConvolutionGeometry.Padding
    /// Of a CNN and what it becomes, the distance of neighbouring taps; nil for 1.
    public let dilation: Int?
    /// Of a CNN and what it becomes, into how many groups the convolutions divide the channels; nil for 1.
    public let groups: Int?
    /// Of a U-net, how grids become coarser; nil for maximum pooling.
    public let downsampling: UNet.Downsampling?
    /// Of a U-net, how they become finer again; nil for repeated values.
    public let upsampling: UNet.Upsampling?
    /// The convolutional network that this is, or of an XD model that it was.
    public let backbone: Backbone
    /// Of an XD model, how its convolutions become XD-operations.
    public let conversion: XDConfiguration
    /// Of an XD model, which ones do; nil for all.
    public let convolutions: [String]?
  }

  /// Where samples are while a model is trained on them.
  public enum Memory: String, CaseIterable, Sendable {
    /// In memory if they take no more than a quarter of it, else in their files.
    case auto
    /// In memory.
    case inMemory = "in-memory"
    /// In their files, from which they are read batch by batch.
    case streamed

    /// Whether samples that would take so many bytes stay in their files, on a machine with so much memory.
    ///
    /// The model, its gradients and the system need some of the memory, too.
    public func isStreamed(bytes: Int, memory: Int) -> Bool {
      switch self {
      case .auto: bytes > memory / 4
      case .inMemory: false
      case .streamed: true
      }
    }
  }

  /// The data files and what is taken from them.
  public struct Data: Sendable, Equatable {
    /// The dataset file of the training samples: its first ones.
    public let train: String
    /// The dataset file of the test samples: its last ones.
    ///
    /// May be the same file.
    public let test: String
    /// The number of training samples.
    public let trainSamples: Int
    /// The number of validation samples: those of the training file behind the training samples.
    public let validationSamples: Int?
    /// The number of test samples.
    public let testSamples: Int
    /// Every how manieth point of each axis is used.
    public let stride: Int
    /// The frames of the input, of a field that varies in time; by default the first.
    public let inputFrames: [Int]?
    /// The frames of the target; by default the last.
    public let targetFrames: [Int]?
    /// The scaling of the input.
    public let inputScaling: Normalizer.Kind
    /// The scaling of the target.
    public let targetScaling: Normalizer.Kind
    /// Where the samples are during training.
    public let memory: Memory
  }

  /// The kinds of schedule.
  enum ScheduleKind: String, CaseIterable {
    case constant, step, cosine, plateau
    case oneCycle = "one-cycle"
  }

  /// The optimizer and its settings.
  public struct Optimizer: Sendable, Equatable {
    /// The optimizers.
    public enum Kind: String, CaseIterable, Sendable {
      /// Adam (Kingma and Ba 2015), weight decay added to the gradient.
      case adam
      /// AdamW (Loshchilov and Hutter 2019): the weight decay is apart from the gradient.
      case adamw
      /// Stochastic gradient descent with momentum.
      case sgd
    }
    /// Which optimizer.
    public let kind: Kind
    /// The initial learning rate.
    public let learningRate: Double
    /// The factor of the weights that is added to their gradient.
    public let weightDecay: Double
    /// Of gradient descent, how much of the last step is added to the next.
    public let momentum: Double
    /// For how many epochs at the start nothing is changed.
    public let warmUpEpochs: Int
  }

  /// The model.
  public let model: Model
  /// The data.
  public let data: Data
  /// The number of passes over the training samples.
  public let epochs: Int
  /// The samples per optimizer step.
  public let batchSize: Int
  /// The optimizer of the weights.
  public let optimizer: Optimizer
  /// The optimizer of an XD model's K-matrices.
  public let architectureOptimizer: Optimizer?
  /// The learning rate's schedule.
  public let schedule: Schedule
  /// The loss of a sample.
  public let loss: FieldLossKind
  /// How a batch's errors make the loss.
  public let lossReduction: LossReduction
  /// The weight of the error of Jacobian actions beside the loss; nil without.
  public let tangentWeight: Double?
  /// The largest norm of a gradient.
  public let gradientClipping: Double?
  /// The samples that are computed at once, whose gradients are added up.
  public let microBatchSize: Int?
  /// The decay of the moving average of the weights.
  public let averagingDecay: Double?
  /// After how many epochs without a smaller validation error the training ends.
  public let earlyStopping: Int?
  /// The run folder whose weights the training begins with; nil for fresh ones.
  public let initialWeights: String?
  /// The seed of weights and shuffling.
  public let seed: Int
  /// The run folder.
  public let output: String
  /// Every how many epochs a checkpoint is written.
  public let checkpointEvery: Int
  /// The resolved configuration as YAML.
  public let resolvedYAML: String
  /// Where each key was written, for mistakes that only show against the data.
  let origins: [String: ConfigOrigin]

  /// Reads and checks a configuration.
  ///
  /// - Throws: `ConfigError`.
  public init(_ section: ConfigSection) throws {
    let modelSection = section.section("model")
    guard let kind = modelSection.choice("kind", of: ModelKind.self) else {
      throw modelSection.stop()
    }
    model = TrainConfig.model(kind, modelSection)
    data = TrainConfig.data(section.section("data"))
    epochs = section.int("epochs", in: .atLeast(1))
    batchSize = section.int("batch_size", default: 20, in: .atLeast(1))
    optimizer = TrainConfig.optimizer(section.section("optimizer"))
    architectureOptimizer =
      kind == .xd ? TrainConfig.optimizer(section.section("architecture_optimizer")) : nil
    schedule = try TrainConfig.schedule(section.section("schedule"))
    let lossSection = section.section("loss")
    loss = lossSection.choice("kind", of: FieldLossKind.self, default: .relativeL2) ?? .relativeL2
    lossReduction = lossSection.choice("reduction", of: LossReduction.self, default: .mean) ?? .mean
    tangentWeight = lossSection.optionalDouble("tangent_weight", in: .positive)
    if tangentWeight != nil, model.normalization == .batch {
      lossSection.reject(
        "tangent_weight",
        "cannot be given with 'model.normalization: batch': a batch then has no derivative of its own")
    }
    gradientClipping = section.optionalDouble("gradient_clipping", in: .positive)
    microBatchSize = section.optionalInt("micro_batch_size", in: .atLeast(1))
    averagingDecay = section.optionalDouble(
      "averaging_decay", in: ConfigRange("greater than 0 and less than 1") { $0 > 0 && $0 < 1 })
    earlyStopping = section.optionalInt("early_stopping", in: .atLeast(1))
    initialWeights = section.optionalString("initial_weights")
    seed = section.int("seed", default: 0, in: .nonNegative)
    checkpointEvery = section.int("checkpoint_every", default: 1, in: .atLeast(1))
    output = section.string("output")
    section.check(
      "initial_weights", initialWeights != output, "it must be another run than 'output'")
    section.check(
      "batch_size", batchSize <= data.trainSamples,
      "it must be at most 'data.train_samples', which is \(data.trainSamples)")
    section.check(
      "micro_batch_size", (microBatchSize ?? 1) <= batchSize,
      "it must be at most 'batch_size', which is \(batchSize)")
    let needsValidation = "it needs 'data.validation_samples', by whose error it decides"
    section.check("early_stopping", earlyStopping == nil || data.validationSamples != nil, needsValidation)
    if case .plateau = schedule {
      section.section("schedule").check("kind", data.validationSamples != nil, needsValidation)
    }
    try section.finish()
    resolvedYAML = section.resolvedYAML
    origins = section.origins
  }

  /// The error of a key whose value does not fit the data.
  func mistake(_ key: String, _ message: String) -> ConfigError {
    ConfigError(origins[key] ?? .defaultValue, "'\(key)' \(message)")
  }

  private static func model(_ kind: ModelKind, _ section: ConfigSection) -> Model {
    let withoutNormalization = FNO.Configuration.Normalization.none
    let isConvolutional = kind != .fno
    let modes =
      isConvolutional
      ? ConfigRange("an even number, for kernels of one tap more") { $0 >= 0 && $0.isMultiple(of: 2) }
      : ConfigRange.atLeast(1)
    let backbone =
      kind == .xd
      ? section.choice("backbone", of: Backbone.self, default: .cnn) ?? .cnn
      : Backbone(rawValue: kind.rawValue) ?? .cnn
    let isUNet = isConvolutional && backbone == .unet
    let mixingWidth =
      isConvolutional ? 0 : section.int("mixing_width", default: 0, in: .between(0, 65_536))
    let skip = isConvolutional ? nil : section.optionalChoice("skip", of: SkipConnection.Kind.self)
    let mixingSkip =
      isConvolutional ? nil : section.optionalChoice("mixing_skip", of: SkipConnection.Kind.self)
    let activatesTwice = isConvolutional ? nil : section.optionalBool("double_activation")
    section.check(
      "mixing_skip", mixingSkip == nil || mixingWidth > 0, "it stands beside 'mixing_width', which is 0")
    section.check(
      "double_activation", activatesTwice != true || mixingWidth == 0,
      "it is for layers without mixing; 'mixing_width' is \(mixingWidth)")
    return Model(
      kind: kind,
      time: section.choice("time", of: Time.self, default: .channels) ?? .channels,
      width: section.int("width", in: .between(1, 4096)),
      modes: section.intList("modes", in: modes),
      layers: section.int("layers", default: 4, in: .between(1, 64)),
      projectionWidth: section.int("projection_width", default: 128, in: .between(1, 65_536)),
      activation: section.choice("activation", of: Activation.self, default: .gelu) ?? .gelu,
      normalization: section.choice(
        "normalization", of: FNO.Configuration.Normalization.self, default: withoutNormalization)
        ?? withoutNormalization,
      coordinates: section.choice("coordinates", of: Coordinates.self, default: .inclusive)
        ?? .inclusive,
      padding: isConvolutional ? [0] : section.intList("padding", default: [0], in: .nonNegative),
      liftingWidth: isConvolutional ? 0 : section.int("lifting_width", default: 0, in: .between(0, 65_536)),
      mixingWidth: mixingWidth, skip: skip, mixingSkip: mixingSkip, activatesTwice: activatesTwice,
      paddingMode: isConvolutional
        ? section.choice("padding_mode", of: ConvolutionGeometry.Padding.self, default: .circular)
          ?? .circular : .circular,
      dilation: isConvolutional ? section.optionalInt("dilation", in: .atLeast(1)) : nil,
      groups: isConvolutional ? section.optionalInt("groups", in: .atLeast(1)) : nil,
      downsampling: isUNet ? section.optionalChoice("downsampling", of: UNet.Downsampling.self) : nil,
      upsampling: isUNet ? section.optionalChoice("upsampling", of: UNet.Upsampling.self) : nil,
      backbone: backbone,
      conversion: kind == .xd ? conversion(section) : XDConfiguration(),
      convolutions: kind == .xd ? section.stringList("convolutions", or: "all", default: .some(nil)) : nil)
  }

  private static func conversion(_ section: ConfigSection) -> XDConfiguration {
    let depths = section.section("depth")
    func depth(_ key: String) -> Int { depths.int(key, default: 1, in: .between(1, 32)) }
    return XDConfiguration(
      depth: .init(k: depth("k"), l: depth("l"), m: depth("m")),
      circularPadding: section.choice(
        "circular_padding", of: XDConfiguration.CircularPadding.self, default: .zeros) ?? .zeros)
  }

  private static func data(_ section: ConfigSection) -> Data {
    let train = section.string("train")
    let test = section.string("test", default: train)
    let trainSamples = section.int("train_samples", in: .atLeast(1))
    let validationSamples = section.optionalInt("validation_samples", in: .atLeast(1))
    let testSamples = section.int("test_samples", in: .atLeast(1))
    let stride = section.int("stride", default: 1, in: .atLeast(1))
    // Frames may count from the end, as -1 for the last.
    let inputFrames = section.optionalIntRange("input_frames")
    let targetFrames = section.optionalIntRange("target_frames")
    let normalization = section.section("normalization")
    return Data(
      train: train, test: test, trainSamples: trainSamples, validationSamples: validationSamples,
      testSamples: testSamples, stride: stride,
      inputFrames: inputFrames, targetFrames: targetFrames,
      inputScaling: normalization.choice("input", of: Normalizer.Kind.self, default: Normalizer.Kind.none)
        ?? .none,
      targetScaling: normalization.choice("target", of: Normalizer.Kind.self, default: Normalizer.Kind.none)
        ?? .none,
      memory: section.optionalChoice("memory", of: Memory.self) ?? .auto)
  }

  private static func optimizer(_ section: ConfigSection) -> Optimizer {
    let kind = section.choice("kind", of: Optimizer.Kind.self, default: .adam) ?? .adam
    return Optimizer(
      kind: kind,
      learningRate: section.double("learning_rate", in: .positive),
      weightDecay: section.double("weight_decay", default: 1e-4, in: .nonNegative),
      momentum: kind == .sgd ? section.double("momentum", default: 0, in: .between(0, 1)) : 0,
      warmUpEpochs: section.optionalInt("warm_up_epochs", in: .nonNegative) ?? 0)
  }

  private static func schedule(_ section: ConfigSection) throws -> Schedule {
    guard let kind = section.choice("kind", of: ScheduleKind.self, default: .constant) else {
      throw section.stop()
    }
    switch kind {
    case .constant: return .constant
    case .step:
      let epochs = section.int("epochs", in: .atLeast(1))
      return .step(factor: section.double("factor", default: 0.5, in: .above(0, upTo: 1)), epochs: epochs)
    case .cosine:
      let warmUp = section.double("warm_up_epochs", default: 0, in: .nonNegative)
      return .cosine(
        warmUpEpochs: warmUp, finalFactor: section.double("final_factor", default: 0, in: .between(0, 1)))
    case .oneCycle:
      let rise = section.double("rise", default: 0.3, in: .between(0, 1))
      let initial = section.double("initial_factor", default: 0.04, in: .above(0, upTo: 1))
      return .oneCycle(
        rise: rise, initialFactor: initial,
        finalFactor: section.double("final_factor", default: 4e-6, in: .between(0, 1)))
    case .plateau:
      let factor = section.double("factor", default: 0.5, in: .above(0, upTo: 1))
      let patience = section.int("patience", default: 10, in: .nonNegative)
      return .plateau(
        factor: factor, patience: patience,
        minimumFactor: section.double("minimum_factor", default: 0, in: .between(0, 1)))
    }
  }
}
