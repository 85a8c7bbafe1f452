import CKernels
import Tensors

/// u · scale + shift with constants per channel `[channel]` or per point `[channel, ...grid]`.
///
/// The last step of a model whose targets were normalised: back to physical units.
public func affine(_ u: Variable, scale: Tensor<Float>, shift: Tensor<Float>) -> Variable {
  let input = FieldShape(u.shape)
  precondition(
    scale.shape == shift.shape
      && (scale.shape.matches([input.channels])
        || scale.shape.first == input.channels && scale.shape.dropFirst() == input.grid),
    "constants of shape \(scale.shape) for fields of shape \(u.shape)")
  let isPointwise = scale.rank > 1
  let (points, sampleCount) = (input.points, input.sampleCount)
  let value = withPointers(u.value, scale, shift) { u, a, b in
    Tensor<Float>.filled(input.shape(channels: input.channels)) { y in
      parallelFor(input.samples) { range in
        for offset in range.lazy.map({ $0 * sampleCount }) {
          if isPointwise {
            ck_affine_pointwise_f32(sampleCount, a, b, u + offset, y + offset)
            continue
          }
          for channel in 0..<input.channels {
            let row = offset + channel * points
            ck_affine_f32(points, a[channel], b[channel], u + row, y + row)
          }
        }
      }
    }
  }
  return Variable(value, from: u, saving: (input, scale)) { saved, gradient, inputs in
    let (input, scale) = saved
    let (isPointwise, points, sampleCount) = (scale.rank > 1, input.points, input.sampleCount)
    var result = consume gradient
    result.withUnsafeMutableBuffer { gradient in
      let gradient = gradient.baseAddress!
      scale.start { a in
        parallelFor(input.samples) { range in
          for offset in range.lazy.map({ $0 * sampleCount }) {
            if isPointwise {
              ck_multiply_f32(sampleCount, a, gradient + offset)
              continue
            }
            for channel in 0..<input.channels {
              Float.scale(points, a[channel], gradient + offset + channel * points)
            }
          }
        }
      }
    }
    inputs.add(result, to: 0)
  }
}
