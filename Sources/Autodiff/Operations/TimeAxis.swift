import CKernels
import Tensors

/// Fields that are the same at all times: `[sample, C, ...grid]` to `[sample, C, ...grid, frames]`.
public func repeatOverTime(_ u: Variable, frames: Int) -> Variable {
  precondition(u.shape.count >= 3 && frames > 0, "\(u.shape) at \(frames) times")
  let count = u.value.count
  let value = u.value.start { u in
    Tensor<Float>.filled([count, frames]) { result in
      parallelFor(count, grain: 4096) { range in
        for point in range { (result + point * frames).update(repeating: u[point], count: frames) }
      }
    }
  }
  return Variable(value.reshaped(to: u.shape + [frames]), from: [u]) { [shape = u.shape] gradient in
    let gradient = gradient
    return [
      gradient.start { gradient in
        Tensor<Float>.filled(shape) { du in
          parallelFor(count, grain: 4096) { range in
            for point in range { du[point] = Float(ck_sum_f32(frames, gradient + point * frames)) }
          }
        }
      }
    ]
  }
}

/// Times that become channels: `[sample, C, ...grid, frames]` to `[sample, C · frames, ...grid]`, the times of a
/// channel one after the other.
public func timesToChannels(_ u: Variable) -> Variable {
  let shape = u.shape
  precondition(shape.count >= 4, "\(shape) is not [sample, channel, ...grid, time]")
  let (planes, frames) = (shape[0] * shape[1], shape[shape.count - 1])
  let points = shape[2..<shape.count - 1].reduce(1, *)
  let transposed = { (field: Tensor<Float>, rows: Int, columns: Int, shape: [Int]) in
    field.start { field in
      Tensor<Float>.filled(shape) { result in
        parallelFor(planes) { range in
          for plane in range.lazy.map({ $0 * points * frames }) {
            ck_transpose(rows, columns, field + plane, result + plane)
          }
        }
      }
    }
  }
  let result = [shape[0], shape[1] * frames] + shape[2..<shape.count - 1]
  return Variable(transposed(u.value, points, frames, result), from: [u]) { gradient in
    [transposed(gradient, frames, points, shape)]
  }
}
