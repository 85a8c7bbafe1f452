import CKernels
import Tensors

/// The function between two layers.
public enum Activation: String, Codable, Sendable, CaseIterable {
  /// None.
  case identity
  /// max(x, 0); its derivative at 0 is taken as 0.
  case relu
  /// x Φ(x) with the exact distribution function Φ of the normal law (Hendrycks and Gimpel 2016).
  case gelu

  var kernel: ck_activation {
    switch self {
    case .identity: CK_IDENTITY
    case .relu: CK_RELU
    case .gelu: CK_GELU
    }
  }

  /// z ← z + bias, out ← activation(z), or z ← activation(z + bias) where there is no `out`.
  func apply(
    _ count: Int, bias: Float, _ z: UnsafeMutablePointer<Float>, out: UnsafeMutablePointer<Float>? = nil
  ) {
    if let out {
      ck_activate(kernel, count, bias, z, out)
    } else {
      ck_activate_in_place(kernel, count, bias, z)
    }
  }

  /// gradient ← gradient · activation'(z).
  ///
  /// For `relu` the activated value serves as well as z: both are positive at the same points.
  func adjoint(_ count: Int, _ z: UnsafePointer<Float>, _ gradient: UnsafeMutablePointer<Float>) {
    ck_activation_adjoint(kernel, count, z, gradient)
  }

  /// gradient ← gradient · slope, where a product's finish left the derivative; for `relu` the value serves.
  func adjoint(_ count: Int, slope: UnsafePointer<Float>, _ gradient: UnsafeMutablePointer<Float>) {
    switch self {
    case .identity: break
    case .relu: adjoint(count, slope, gradient)
    case .gelu: ck_multiply_f32(count, slope, gradient)
    }
  }
}

/// The activation of every element.
public func activation(_ u: Variable, _ kind: Activation) -> Variable {
  if kind == .identity { return u }
  var result = u.value
  result.withUnsafeMutableBuffer { values in
    let start = values.baseAddress!
    parallelFor(values.count, grain: 16_384) { kind.apply($0.count, bias: 0, start + $0.lowerBound) }
  }
  return Variable(result, from: u, saving: (kind, u.value)) { saved, gradient, inputs in
    let (kind, z) = saved
    var result = consume gradient
    result.withUnsafeMutableBuffer { gradient in
      let gradient = gradient
      z.start { z in
        parallelFor(gradient.count, grain: 16_384) {
          kind.adjoint($0.count, z + $0.lowerBound, gradient.baseAddress! + $0.lowerBound)
        }
      }
    }
    inputs.add(result, to: 0)
  }
}
