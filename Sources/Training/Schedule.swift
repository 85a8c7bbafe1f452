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
  /// Rises along half a cosine wave from `initialFactor` to 1 over the share `rise` of the training, then
  /// falls along another to `finalFactor` (Smith and Topin 2018). Changes with every step.
  case oneCycle(rise: Double, initialFactor: Double, finalFactor: Double)
  /// Multiplied by `factor`, but never below `minimumFactor`, whenever more than `patience` epochs in a row
  /// have not had a smaller validation error than any before. Constant within an epoch.
  case plateau(factor: Double, patience: Int, minimumFactor: Double)

  private enum Kind: String, Codable {
    case constant, step, cosine, plateau
    case oneCycle = "one-cycle"
  }
  private enum Key: String, CodingKey {
    case kind, factor, epochs, warmUpEpochs, initialFactor, finalFactor, rise, patience, minimumFactor
  }

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
    case .oneCycle:
      self = .oneCycle(
        rise: try values.decode(Double.self, forKey: .rise),
        initialFactor: try values.decode(Double.self, forKey: .initialFactor),
        finalFactor: try values.decode(Double.self, forKey: .finalFactor))
    case .plateau:
      self = .plateau(
        factor: try values.decode(Double.self, forKey: .factor),
        patience: try values.decode(Int.self, forKey: .patience),
        minimumFactor: try values.decode(Double.self, forKey: .minimumFactor))
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
    case .oneCycle(let rise, let initialFactor, let finalFactor):
      try values.encode(Kind.oneCycle, forKey: .kind)
      try values.encode(rise, forKey: .rise)
      try values.encode(initialFactor, forKey: .initialFactor)
      try values.encode(finalFactor, forKey: .finalFactor)
    case .plateau(let factor, let patience, let minimumFactor):
      try values.encode(Kind.plateau, forKey: .kind)
      try values.encode(factor, forKey: .factor)
      try values.encode(patience, forKey: .patience)
      try values.encode(minimumFactor, forKey: .minimumFactor)
    }
  }

  /// The factor for the step that starts after `epoch` whole epochs and `fraction` of one.
  ///
  /// - Parameters:
  ///   - epochs: how many epochs the training has in all.
  ///   - errors: the validation errors of the complete epochs.
  public func factor(
    epoch: Int, fraction: Double, of epochs: Int, stepsPerEpoch: Int, errors: [Double] = []
  ) -> Double {
    switch self {
    case .constant: return 1
    case .step(let factor, let length): return pow(factor, Double(epoch / max(1, length)))
    case .cosine(let warmUp, let final):
      let time = Double(epoch) + fraction
      // The first step must not have the rate 0, hence one step more.
      if time < warmUp { return min(1, (time + 1 / Double(max(1, stepsPerEpoch))) / warmUp) }
      let progress = min(1, (time - warmUp) / max(Double(epochs) - warmUp, .leastNormalMagnitude))
      return final + (1 - final) * Self.fallingCosine(progress)
    case .oneCycle(let rise, let initial, let final):
      let progress = (Double(epoch) + fraction) / Double(max(1, epochs))
      if progress < rise { return initial + (1 - initial) * (1 - Self.fallingCosine(progress / rise)) }
      return final + (1 - final) * Self.fallingCosine(min(1, (progress - rise) / max(1 - rise, .ulpOfOne)))
    case .plateau(let factor, let patience, let minimum):
      var (best, waited, result) = (Double.infinity, 0, 1.0)
      for error in errors.prefix(epoch) {
        (best, waited) = error < best ? (error, 0) : (best, waited + 1)
        if waited > patience { (result, waited) = (max(minimum, result * factor), 0) }
      }
      return result
    }
  }

  /// Half a cosine wave from 1 to 0.
  private static func fallingCosine(_ progress: Double) -> Double { 0.5 * (1 + cos(Double.pi * progress)) }
}
