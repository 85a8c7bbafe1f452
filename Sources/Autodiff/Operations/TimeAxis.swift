import CKernels
import Tensors

/// Fields that are the same at all times: `[sample, C, ...grid]` to `[sample, C, ...grid, frames]`.
public func repeatOverTime(_ u: Variable, frames: Int) -> Variable {
  precondition(u.shape.count >= 3 && frames > 0, "\(u.shape) at \(frames) times")
  let (count, shape) = (u.value.count, u.shape + [frames])
  let value = u.value.start { u in
    Tensor<Float>.filled(shape) { result in
      parallelFor(count, grain: 4096) { range in
        for point in range { (result + point * frames).update(repeating: u[point], count: frames) }
      }
    }
  }
  return Variable(value, from: u, saving: u.shape) { shape, gradient, inputs in
    let (count, frames) = (shape.elementCount, gradient.shape[gradient.rank - 1])
    let sums = gradient.start { gradient in
      Tensor<Float>.filled(shape) { du in
        parallelFor(count, grain: 4096) { range in
          for point in range { du[point] = Float(ck_sum_f32(frames, gradient + point * frames)) }
        }
      }
    }
    inputs.add(sums, to: 0)
  }
}

/// Times that become channels: `[sample, C, ...grid, frames]` to `[sample, C · frames, ...grid]`, the times of a
/// channel one after the other.
public func timesToChannels(_ u: Variable) -> Variable {
  let shape = u.shape
  precondition(shape.count >= 4, "\(shape) is not [sample, channel, ...grid, time]")
  let (planes, frames) = (shape[0] * shape[1], shape[shape.count - 1])
  let points = shape[2..<shape.count - 1].reduce(1, *)
  let result = [shape[0], shape[1] * frames] + shape[2..<shape.count - 1]
  let value = transposed(u.value, planes: planes, rows: points, columns: frames, shape: result)
  return Variable(value, from: u, saving: shape) { shape, gradient, inputs in
    let (shape, frames) = (shape, shape[shape.count - 1])
    let planes = shape[0] * shape[1]
    let points = shape.elementCount / max(1, planes * frames)
    inputs.add(
      transposed(gradient, planes: planes, rows: frames, columns: points, shape: shape), to: 0)
  }
}

extension FieldComparison {
  /// The same comparison for what `timesToChannels` makes the predictions of: `[sample, C, ...grid, frames]`.
  ///
  /// Nil for losses to which the order of the numbers in a sample matters.
  public func ofTimes(frames: Int) -> FieldComparison? {
    guard isByDifferences else { return nil }
    let shape = FieldShape(target.shape)
    precondition(shape.channels.isMultiple(of: frames), "\(shape.channels) channels are no \(frames) times")
    let times = [shape.channels / frames] + shape.grid + [frames]
    func withTimes(_ fields: Tensor<Float>, samples: Int) -> Tensor<Float> {
      transposed(
        fields, planes: samples * times[0], rows: frames, columns: shape.points,
        shape: fields.rank == target.rank ? [samples] + times : times)
    }
    return FieldComparison(
      target: withTimes(target, samples: shape.samples), kind: kind, reduction: reduction,
      scaling: scaling.map {
        (
          withTimes(atEveryPoint($0.scale, shape), samples: 1),
          withTimes(atEveryPoint($0.shift, shape), samples: 1)
        )
      })
  }
}

/// The transposes of matrices one after the other.
private func transposed(
  _ matrices: Tensor<Float>, planes: Int, rows: Int, columns: Int, shape: Shape
) -> Tensor<Float> {
  matrices.start { matrices in
    .filled(shape) { result in
      parallelFor(planes) { range in
        for plane in range.lazy.map({ $0 * rows * columns }) {
          ck_transpose(rows, columns, matrices + plane, result + plane)
        }
      }
    }
  }
}
