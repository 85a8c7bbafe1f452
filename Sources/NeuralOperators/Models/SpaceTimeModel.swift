import Autodiff
import Tensors

/// A model that predicts all frames at once, with time as the last axis of its grid.
///
/// Input `[sample, channel, ...grid]`, repeated at every predicted time; the model inside acts on `[...grid,
/// frames]`; output `[sample, field · frame, ...grid]`, the frames of a field one after the other. With a
/// three-dimensional FNO this is the "FNO-3D" of Li et al., ICLR 2021, section 5.3; the coordinate of time is made
/// as those of space, where the authors took j/T for the j-th of T frames.
public struct SpaceTimeModel: Module {
  /// What determines a space-time model but for its weights.
  public struct Configuration: Codable, Sendable, Equatable {
    /// The model on space and time.
    public var model: ModelConfiguration
    /// How many frames are predicted.
    public var frames: Int

    /// A model of `frames` times.
    public init(model: ModelConfiguration, frames: Int) {
      self.model = model
      self.frames = frames
    }

    /// Why no model has this configuration, or nil if one has.
    public var problem: String? {
      model.problem ?? (frames >= 1 ? nil : "there must be frames to predict")
    }

    /// Why the model cannot be applied to fields on `grid`, or nil if it can.
    public func problem(grid: Shape) -> String? { problem ?? model.problem(grid: grid + [frames]) }
  }

  /// What the model is made from.
  public let configuration: Configuration
  /// The model on space and time.
  public let model: any Module

  /// A model with fresh weights, the same for equal seeds.
  public init(_ configuration: Configuration, seed: UInt64) {
    if let problem = configuration.problem { preconditionFailure(problem) }
    self.configuration = configuration
    model = configuration.model.makeModel(seed: seed)
  }

  /// The predicted frames.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    timesToChannels(model(repeatOverTime(u, frames: configuration.frames), on: tape))
  }
  /// The loss of the predicted frames, found together with the last layer of the model on space and time.
  public func loss(_ u: Variable, comparedWith comparison: FieldComparison, on tape: Tape) -> FieldLoss {
    guard let inside = comparison.ofTimes(frames: configuration.frames) else {
      return comparison.loss(of: self(u, on: tape))
    }
    return model.loss(repeatOverTime(u, frames: configuration.frames), comparedWith: inside, on: tape)
  }
}
