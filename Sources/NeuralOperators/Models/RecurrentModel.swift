import Autodiff
import Tensors

/// A model that predicts one frame after another: from the last frames to the next one, which is then the last.
///
/// Input `[sample, field · frame, ...grid]`, the frames of a field one after the other, as many as the step model
/// takes; output `[sample, field · frame, ...grid]` with `frames` predicted ones. Gradients go through the whole
/// roll-out. With a two-dimensional FNO from ten frames to one this is the "FNO-2D" of Li et al., ICLR 2021,
/// section 5.3; its loss is the sum of the relative distances of the frames.
public struct RecurrentModel: Module {
  /// What determines a recurrent model but for its weights.
  public struct Configuration: Codable, Sendable, Equatable {
    /// The model of one step.
    public var step: ModelConfiguration
    /// The number of fields, each of which has a channel for every frame.
    public var fields: Int
    /// How many frames are predicted.
    public var frames: Int

    /// A roll-out of `frames` steps.
    public init(step: ModelConfiguration, fields: Int = 1, frames: Int) {
      self.step = step
      self.fields = fields
      self.frames = frames
    }

    /// Why no model has this configuration, or nil if one has.
    public var problem: String? {
      if let problem = step.problem { return problem }
      guard fields >= 1, frames >= 1 else { return "there must be fields and frames to predict" }
      guard step.outputChannels == fields, step.inputChannels.isMultiple(of: fields) else {
        return
          "a step maps \(step.inputChannels) channels to \(step.outputChannels), not frames of \(fields) fields"
      }
      return nil
    }
  }

  /// What the model is made from.
  public let configuration: Configuration
  /// From the last frames to the next one.
  public let step: any Module

  /// A model with fresh weights, the same for equal seeds.
  public init(_ configuration: Configuration, seed: UInt64) {
    if let problem = configuration.problem { preconditionFailure(problem) }
    self.configuration = configuration
    step = configuration.step.makeModel(seed: seed)
  }

  /// The predicted frames.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    let (fields, frames) = (configuration.fields, configuration.frames)
    let window = configuration.step.inputChannels / fields
    // Where a gradient is wanted every frame is a variable of its own, so that one that is left behind gets none.
    let isSplit = u.needsGradient
    let given = isSplit ? fields * window : 1
    // What is given, and behind it the predictions.
    return idleSources.withArray { sources in
      if isSplit {
        for channel in 0..<given {
          sources.append(selectChannels(ChannelSelection(u, channels: channel..<channel + 1)))
        }
      } else {
        sources.append(u)
      }
      for frame in 0..<frames {
        // Every field has dropped its first frames and got the predicted ones.
        func place(_ position: Int) -> ChannelPlace {
          let (field, time) = (position / window, frame + position % window)
          if time >= window { return ChannelPlace(source: given + time - window, channel: field) }
          let channel = field * window + time
          return isSplit
            ? ChannelPlace(source: channel, channel: 0) : ChannelPlace(source: 0, channel: channel)
        }
        let next = step(ChannelSelection(sources, count: fields * window, place), on: tape)
        sources.append(next)
      }
      let predictions = ChannelSelection(sources, count: fields * frames) {
        ChannelPlace(source: given + $0 % frames, channel: $0 / frames)
      }
      return selectChannels(predictions)
    }
  }
}

/// The memory of the lists of frames.
private let idleSources = IdleObjects<[Variable]>()
