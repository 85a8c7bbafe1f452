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

  private enum Key: String, CodingKey { case kind }
  private enum Kind: String, Codable { case fno, cnn, resnet, unet, xd }

  /// Decodes the kind, then that model's configuration.
  public init(from decoder: any Decoder) throws {
    switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
    case .fno: self = .fno(try FNO.Configuration(from: decoder))
    case .cnn: self = .cnn(try CNN.Configuration(from: decoder))
    case .resnet: self = .resNet(try CNN.Configuration(from: decoder))
    case .unet: self = .uNet(try CNN.Configuration(from: decoder))
    case .xd: self = .xd(try XDModel.Configuration(from: decoder))
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
    }
  }

  /// The channels of the input, without coordinates.
  public var inputChannels: Int {
    switch self {
    case .fno(let configuration): configuration.inputChannels
    case .cnn(let configuration), .resNet(let configuration), .uNet(let configuration):
      configuration.inputChannels
    case .xd(let configuration): configuration.backbone.inputChannels
    }
  }

  /// The channels of the output.
  public var outputChannels: Int {
    switch self {
    case .fno(let configuration): configuration.outputChannels
    case .cnn(let configuration), .resNet(let configuration), .uNet(let configuration):
      configuration.outputChannels
    case .xd(let configuration): configuration.backbone.outputChannels
    }
  }

  /// Why no model has this configuration, or nil if one has.
  public var problem: String? {
    switch self {
    case .fno(let configuration): configuration.problem
    case .cnn(let configuration), .resNet(let configuration): configuration.problem
    case .uNet(let configuration): UNet.problem(configuration)
    case .xd(let configuration): configuration.problem
    }
  }

  /// Why the model cannot be applied to fields on `grid`, or nil if it can.
  public func problem(grid: [Int]) -> String? {
    switch self {
    case .fno(let configuration): configuration.problem(grid: grid)
    case .cnn(let configuration), .resNet(let configuration): configuration.problem(grid: grid)
    case .uNet(let configuration): UNet.problem(configuration, grid: grid)
    case .xd(let configuration): configuration.problem(grid: grid)
    }
  }
}
