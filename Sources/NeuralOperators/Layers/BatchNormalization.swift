import Autodiff
import Tensors

/// Batch normalisation over samples and grid points, channel by channel, with a trainable scale and shift.
///
/// `scale` starts at 1, `shift` at 0, both `[channel]`. ε = 1e-5 and momentum 0.1, PyTorch's defaults; the
/// running statistics are parameters that are not trained, so that checkpoints hold them.
public struct BatchNormalization: Module {
  /// The factor behind the normalisation.
  public let scale: Parameter
  /// The summand behind the normalisation.
  public let shift: Parameter
  /// What replaces the statistics of the batch outside training.
  public let running: RunningStatistics

  /// A normalisation that does nothing but normalise.
  public init(channels: Int) {
    scale = Parameter(Tensor(shape: [channels], repeating: 1))
    shift = Parameter(Tensor(shape: [channels]))
    running = RunningStatistics(channels: channels)
  }

  /// Normalised by the batch on a training tape, by the running statistics on any other.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    self(u, activation: .identity, on: tape)
  }

  /// The same with an activation behind it, fused.
  public func callAsFunction(_ u: Variable, activation: Activation, on tape: Tape) -> Variable {
    batchNormalization(
      u, scale: tape(scale), shift: tape(shift), running: running, isTraining: tape.isTraining,
      activation: activation)
  }
}
