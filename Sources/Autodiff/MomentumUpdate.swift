import CKernels
import Tensors

/// One step of gradient descent with momentum for one parameter.
///
/// v ← momentum · v + gradient + weightDecay · w; w ← w − rate · v.
public struct MomentumUpdate: Sendable {
  private let (rate, momentum, weightDecay): (Float, Float, Float)

  /// The constants of a step.
  public init(learningRate: Double, momentum: Double, weightDecay: Double) {
    (rate, self.momentum, self.weightDecay) = (Float(learningRate), Float(momentum), Float(weightDecay))
  }

  /// Changes the parameter and its velocity by its gradient; without a gradient nothing changes.
  public func apply(to parameter: Parameter, velocity: inout Tensor<Float>) {
    guard let gradient = parameter.gradient else { return }
    precondition(velocity.shape == gradient.shape, "the velocity does not fit the parameter")
    let count = gradient.count
    parameter.value.withUnsafeMutableBuffer { value in
      velocity.withUnsafeMutableBuffer { velocity in
        gradient.start {
          ck_momentum_f32(
            count, rate, momentum, weightDecay, $0, velocity.baseAddress!, value.baseAddress!)
        }
      }
    }
  }
}
