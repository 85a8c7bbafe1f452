import Autodiff
import Tensors

/// Any of the models, as configurations and checkpoints name it: the one place that maps a kind to a type.
///
/// Encoded as the model's own configuration with a key `kind` beside its keys.
public indirect enum ModelConfiguration: Codable, Sendable, Equatable {
  /// A Fourier neural operator, `kind: fno`.
  case fno(FNO.Configuration)
  /// A convolutional network, `kind: cnn`.
  case cnn(CNN.Configuration)
  /// A residual network, `kind: resnet`; `layers` counts its blocks.
  case resNet(CNN.Configuration)
  /// A U-net, `kind: unet`; `layers` counts its levels below the finest.
  case uNet(CNN.Configuration)
  /// A model whose convolutions have become XD-operations, `kind: xd`.
  case xd(XDModel.Configuration)
  /// A model that predicts frame by frame, `kind: recurrent`.
  case recurrent(RecurrentModel.Configuration)
  /// A model whose grid has time as its last axis, `kind: space-time`.
  case spaceTime(SpaceTimeModel.Configuration)

  private enum Key: String, CodingKey { case kind }
  private enum Kind: String, Codable {
    case fno, cnn, resnet, unet, xd, recurrent
    case spaceTime = "space-time"
  }

  /// Decodes the kind, then that model's configuration.
  public init(from decoder: any Decoder) throws {
    switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
    case .fno: self = .fno(try FNO.Configuration(from: decoder))
    case .cnn: self = .cnn(try CNN.Configuration(from: decoder))
    case .resnet: self = .resNet(try CNN.Configuration(from: decoder))
    case .unet: self = .uNet(try CNN.Configuration(from: decoder))
    case .xd: self = .xd(try XDModel.Configuration(from: decoder))
    case .recurrent: self = .recurrent(try RecurrentModel.Configuration(from: decoder))
    case .spaceTime: self = .spaceTime(try SpaceTimeModel.Configuration(from: decoder))
    }
  }

  /// Encodes the kind and the model's configuration side by side.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    switch self {
    case .fno(let configuration):
      try container.encode(Kind.fno, forKey: .kind)
      try configuration.encode(to: encoder)
    case .cnn(let configuration):
      try container.encode(Kind.cnn, forKey: .kind)
      try configuration.encode(to: encoder)
    case .resNet(let configuration):
      try container.encode(Kind.resnet, forKey: .kind)
      try configuration.encode(to: encoder)
    case .uNet(let configuration):
      try container.encode(Kind.unet, forKey: .kind)
      try configuration.encode(to: encoder)
    case .xd(let configuration):
      try container.encode(Kind.xd, forKey: .kind)
      try configuration.encode(to: encoder)
    case .recurrent(let configuration):
      try container.encode(Kind.recurrent, forKey: .kind)
      try configuration.encode(to: encoder)
    case .spaceTime(let configuration):
      try container.encode(Kind.spaceTime, forKey: .kind)
      try configuration.encode(to: encoder)
    }
  }

  /// A model with fresh weights.
  public func makeModel(seed: UInt64) -> any Module {
    switch self {
    case .fno(let configuration): FNO(configuration, seed: seed)
    case .cnn(let configuration): CNN(configuration, seed: seed)
    case .resNet(let configuration): ResNet(configuration, seed: seed)
    case .uNet(let configuration): UNet(configuration, seed: seed)
    case .xd(let configuration): configuration.makeModel(seed: seed)
    case .recurrent(let configuration): RecurrentModel(configuration, seed: seed)
    case .spaceTime(let configuration): SpaceTimeModel(configuration, seed: seed)
    }
  }

  /// The channels of the input, without coordinates.
  public var inputChannels: Int {
    switch self {
    case .fno(let configuration): configuration.inputChannels
    case .cnn(let configuration), .resNet(let configuration), .uNet(let configuration):
      configuration.inputChannels
    case .xd(let configuration): configuration.backbone.inputChannels
    case .recurrent(let configuration): configuration.step.inputChannels
    case .spaceTime(let configuration): configuration.model.inputChannels
    }
  }

  /// The channels of the output.
  public var outputChannels: Int {
    switch self {
    case .fno(let configuration): configuration.outputChannels
    case .cnn(let configuration), .resNet(let configuration), .uNet(let configuration):
      configuration.outputChannels
    case .xd(let configuration): configuration.backbone.outputChannels
    case .recurrent(let configuration): configuration.fields * configuration.frames
    case .spaceTime(let configuration): configuration.model.outputChannels * configuration.frames
    }
  }

  /// Why no model has this configuration, or nil if one has.
  public var problem: String? {
    switch self {
    case .fno(let configuration): configuration.problem
    case .cnn(let configuration), .resNet(let configuration): configuration.problem
    case .uNet(let configuration): UNet.problem(configuration)
    case .xd(let configuration): configuration.problem
    case .recurrent(let configuration): configuration.problem
    case .spaceTime(let configuration): configuration.problem
    }
  }

  /// Why the model cannot be applied to fields on `grid`, or nil if it can.
  public func problem(grid: Shape) -> String? {
    switch self {
    case .fno(let configuration): configuration.problem(grid: grid)
    case .cnn(let configuration), .resNet(let configuration): configuration.problem(grid: grid)
    case .uNet(let configuration): UNet.problem(configuration, grid: grid)
    case .xd(let configuration): configuration.problem(grid: grid)
    case .recurrent(let configuration): configuration.problem ?? configuration.step.problem(grid: grid)
    case .spaceTime(let configuration): configuration.problem(grid: grid)
    }
  }

  /// The grid of a model that is for one only, nil for a model that is for many.
  public var fixedGrid: Shape? {
    switch self {
    case .fno, .cnn, .resNet, .uNet: nil
    case .xd(let configuration): configuration.grid
    case .recurrent(let configuration): configuration.step.fixedGrid
    case .spaceTime(let configuration): configuration.model.fixedGrid?.dropLast()
    }
  }

  /// The Fourier neural operator that this is or has inside, if any, and the axes of its grid beyond those of the data.
  public var fourierNeuralOperator: (configuration: FNO.Configuration, addedAxes: [Int])? {
    switch self {
    case .fno(let configuration): (configuration, [])
    case .cnn, .resNet, .uNet, .xd: nil
    case .recurrent(let configuration): configuration.step.fourierNeuralOperator
    case .spaceTime(let configuration):
      configuration.model.fourierNeuralOperator.map {
        ($0.configuration, $0.addedAxes + [configuration.frames])
      }
    }
  }

  /// The same model with other coordinates, where it is or has inside a Fourier neural operator.
  public func with(coordinates: Coordinates) -> ModelConfiguration {
    switch self {
    case .fno(var configuration):
      configuration.coordinates = coordinates
      return .fno(configuration)
    case .cnn, .resNet, .uNet, .xd: return self
    case .recurrent(var configuration):
      configuration.step = configuration.step.with(coordinates: coordinates)
      return .recurrent(configuration)
    case .spaceTime(var configuration):
      configuration.model = configuration.model.with(coordinates: coordinates)
      return .spaceTime(configuration)
    }
  }
}
