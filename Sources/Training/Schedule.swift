import Foundation

/// How the learning rate changes: a factor that depends on the time in epochs.
///
/// Encoded with a key `kind` beside the values of the case.
public enum Schedule: Codable, Sendable, Equatable {
  /// The factor 1 throughout.
  case constant
  /// Multiplied by `factor` after every `epochs` epochs: the papers' schedule. Constant within an epoch.
  case step(factor: Double, epochs: Int)
  /// Rises linearly over the first `warmUpEpochs`, then follows half a cosine wave down to `finalFactor`
  /// at the end of training. Changes with every step (Loshchilov and Hutter 2017).
  case cosine(warmUpEpochs: Double, finalFactor: Double)

  private enum Kind: String, Codable { case constant, step, cosine }
  private enum Key: String, CodingKey { case kind, factor, epochs, warmUpEpochs, finalFactor }

  /// Decodes the kind, then its values.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    switch try values.decode(Kind.self, forKey: .kind) {
    case .constant: self = .constant
    case .step:
      self = .step(
        factor: try values.decode(Double.self, forKey: .factor),
        epochs: try values.decode(Int.self, forKey: .epochs))
    case .cosine:
      self = .cosine(
        warmUpEpochs: try values.decode(Double.self, forKey: .warmUpEpochs),
        finalFactor: try values.decode(Double.self, forKey: .finalFactor))
    }
  }

  /// Encodes the kind and its values.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    switch self {
    case .constant: try values.encode(Kind.constant, forKey: .kind)
    case .step(let factor, let epochs):
      try values.encode(Kind.step, forKey: .kind)
      try values.encode(factor, forKey: .factor)
      try values.encode(epochs, forKey: .epochs)
    case .cosine(let warmUpEpochs, let finalFactor):
      try values.encode(Kind.cosine, forKey: .kind)
      try values.encode(warmUpEpochs, forKey: .warmUpEpochs)
      try values.encode(finalFactor, forKey: .finalFactor)
    }
  }

  /// The factor for the step that starts after `epoch` whole epochs and `fraction` of one.
  ///
  /// - Parameter epochs: how many epochs the training has in all.
  public func factor(epoch: Int, fraction: Double, of epochs: Int, stepsPerEpoch: Int) -> Double {
    switch self {
    case .constant: return 1
    case .step(let factor, let length): return pow(factor, Double(epoch / max(1, length)))
    case .cosine(let warmUp, let final):
      let time = Double(epoch) + fraction
      // The first step must not have the rate 0, hence one step more.
      if time < warmUp { return min(1, (time + 1 / Double(max(1, stepsPerEpoch))) / warmUp) }
      let progress = min(1, (time - warmUp) / max(Double(epochs) - warmUp, .leastNormalMagnitude))
      return final + (1 - final) * 0.5 * (1 + cos(Double.pi * progress))
    }
  }
}
