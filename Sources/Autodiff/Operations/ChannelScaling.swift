import CKernels
import Tensors

/// Every channel times a trainable number: y = u · scale, the soft gating of a skip connection.
///
/// Shapes: u `[sample, channel, ...grid]`, scale `[channel]`.
public func channelScaling(_ u: Variable, scale: Variable) -> Variable {
  let input = FieldShape(u.shape)
  precondition(scale.shape == [input.channels], "\(scale.shape) numbers for \(input.channels) channels")
  let scaled = { (field: Tensor<Float>, scale: Tensor<Float>) in
    withPointers(field, scale) { field, scale in
      Tensor<Float>.filled(input.shape(channels: input.channels)) { result in
        parallelFor(input.samples) { samples in
          for row in samples.lowerBound * input.channels..<samples.upperBound * input.channels {
            let start = row * input.points
            ck_affine_f32(input.points, scale[row % input.channels], 0, field + start, result + start)
          }
        }
      }
    }
  }
  return Variable(scaled(u.value, scale.value), from: [u, scale]) {
    [
      u = u.value, scale = scale.value, uNeedsGradient = u.needsGradient,
      scaleNeedsGradient = scale.needsGradient
    ] gradient in
    let gradient = gradient
    var sums: Tensor<Float>?
    if scaleNeedsGradient {
      sums = withPointers(u, gradient) { u, dy in
        Tensor(
          shape: [input.channels],
          scalars: (0..<input.channels).map { channel in
            let starts = stride(
              from: channel * input.points, to: input.samples * input.sampleCount, by: input.sampleCount)
            return Float(starts.reduce(0.0) { $0 + Float.dot(input.points, u + $1, dy + $1) })
          })
      }
    }
    return [uNeedsGradient ? scaled(gradient, scale) : nil, sums]
  }
}
