import CKernels
import Foundation
import Tensors

/// One step of Adam for one parameter: the fused kernel behind the optimizer.
///
/// g ← gradient + weightDecay · w; m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²;
/// w ← w − rate · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε). Kingma and Ba, ICLR 2015; the decay is the L2 penalty of
/// PyTorch's `Adam`. With a decoupled decay, AdamW of Loshchilov and Hutter, ICLR 2019, the gradient is left
/// alone and w ← w − rate · weightDecay · w comes first.
public struct AdamUpdate: Sendable {
  private let settings: ck_adam

  /// The constants of step number `step`, which counts from 1.
  public init(
    step: Int, learningRate: Double, beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double,
    isDecoupled: Bool = false
  ) {
    settings = ck_adam(
      rate: Float(learningRate), beta1: Float(beta1), beta1_complement: Float(1 - beta1),
      beta2: Float(beta2), beta2_complement: Float(1 - beta2), epsilon: Float(epsilon),
      weight_decay: isDecoupled ? 0 : Float(weightDecay),
      shrinkage: isDecoupled ? Float(learningRate * weightDecay) : 0,
      first_correction: Float(1 / (1 - pow(beta1, Double(step)))),
      second_correction: Float(1 / (1 - pow(beta2, Double(step))).squareRoot()))
  }

  /// Changes the parameter and its two moments by its gradient; without a gradient nothing changes.
  public func apply(
    to parameter: Parameter, first: inout Tensor<Float>, second: inout Tensor<Float>
  ) {
    guard let gradient = parameter.gradient else { return }
    precondition(
      first.shape == gradient.shape && second.shape == gradient.shape, "moments do not fit the parameter")
    let (settings, count) = (settings, gradient.count)
    parameter.value.withUnsafeMutableBuffer { value in
      first.withUnsafeMutableBuffer { first in
        second.withUnsafeMutableBuffer { second in
          let (value, first, second) = (value.baseAddress!, first.baseAddress!, second.baseAddress!)
          gradient.start { gradient in
            parallelFor(count, grain: 16_384) { range in
              let start = range.lowerBound
              ck_adam_f32(
                range.count, settings, gradient + start, first + start, second + start, value + start)
            }
          }
        }
      }
    }
  }
}
