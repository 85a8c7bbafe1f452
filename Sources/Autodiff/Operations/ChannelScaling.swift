import CKernels
import Tensors

/// Every channel times a trainable number: y = u · scale, the soft gating of a skip connection.
///
/// Shapes: u `[sample, channel, ...grid]`, scale `[channel]`.
public func channelScaling(_ u: Variable, scale: Variable) -> Variable {
  let input = FieldShape(u.shape)
  precondition(scale.shape == [input.channels], "\(scale.shape) numbers for \(input.channels) channels")
  let value = scaled(u.value, scale.value)
  return Variable(value, from: [u, scale], saving: (u.value, scale.value)) { saved, gradient, inputs in
    let ((u, scale), gradient) = (saved, gradient)
    let input = FieldShape(u.shape)
    if inputs.isNeeded(0) { inputs.add(scaled(gradient, scale), to: 0) }
    guard inputs.isNeeded(1) else { return }
    let sums = withPointers(u, gradient) { u, dy in
      Tensor<Float>.filled([input.channels]) { sums in
        for channel in 0..<input.channels {
          let starts = stride(
            from: channel * input.points, to: input.samples * input.sampleCount, by: input.sampleCount)
          sums[channel] = Float(starts.reduce(0.0) { $0 + Float.dot(input.points, u + $1, dy + $1) })
        }
      }
    }
    inputs.add(sums, to: 1)
  }
}

private func scaled(_ field: Tensor<Float>, _ scale: Tensor<Float>) -> Tensor<Float> {
  let shape = FieldShape(field.shape)
  return withPointers(field, scale) { field, scale in
    .filled(shape.shape(channels: shape.channels)) { result in
      parallelFor(shape.samples) { samples in
        for row in samples.lowerBound * shape.channels..<samples.upperBound * shape.channels {
          let start = row * shape.points
          ck_affine_f32(shape.points, scale[row % shape.channels], 0, field + start, result + start)
        }
      }
    }
  }
}
