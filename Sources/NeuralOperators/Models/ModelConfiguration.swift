/// Any of the models, as configurations and checkpoints name it: the one place that maps a kind to a type.
///
/// Encoded as the model's own configuration with a key `kind` beside its keys.
public enum ModelConfiguration: Codable, Sendable, Equatable {
  /// A Fourier neural operator, `kind: fno`.
  case fno(FNO.Configuration)

  private enum Key: String, CodingKey { case kind }
  private enum Kind: String, Codable { case fno }

  /// Decodes the kind, then that model's configuration.
  public init(from decoder: any Decoder) throws {
    switch try decoder.container(keyedBy: Key.self).decode(Kind.self, forKey: .kind) {
    case .fno: self = .fno(try FNO.Configuration(from: decoder))
    }
  }

  /// Encodes the kind and the model's configuration side by side.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    switch self {
    case .fno(let configuration):
      try container.encode(Kind.fno, forKey: .kind)
      try configuration.encode(to: encoder)
    }
  }

  /// A model with fresh weights.
  public func makeModel(seed: UInt64) -> any Module {
    switch self {
    case .fno(let configuration): FNO(configuration, seed: seed)
    }
  }

  /// The channels of the input, without coordinates.
  public var inputChannels: Int {
    switch self {
    case .fno(let configuration): configuration.inputChannels
    }
  }

  /// The channels of the output.
  public var outputChannels: Int {
    switch self {
    case .fno(let configuration): configuration.outputChannels
    }
  }

  /// Why no model has this configuration, or nil if one has.
  public var problem: String? {
    switch self {
    case .fno(let configuration): configuration.problem
    }
  }

  /// Why the model cannot be applied to fields on `grid`, or nil if it can.
  public func problem(grid: [Int]) -> String? {
    switch self {
    case .fno(let configuration): configuration.problem(grid: grid)
    }
  }
}
