import Tensors

/// What becomes of the points of a cell when a grid is made coarser.
public enum PoolingKind: String, Codable, Sendable, CaseIterable {
  /// Their largest value.
  case maximum
  /// Their mean.
  case average
}

/// A grid divided into cells of `factor` points per axis; the last cells of an axis may have fewer.
struct GridCells: Sendable {
  let fine: Shape
  let coarse: Shape
  /// The cell of every point.
  let cells: [Int]

  init(fine: Shape, factor: Int) {
    precondition(factor >= 1, "cells of \(factor) points")
    self.fine = fine
    let coarse = Shape(count: fine.count) { (fine[$0] + factor - 1) / factor }
    self.coarse = coarse
    cells = (0..<fine.elementCount).map { point in
      var (rest, cell, stride) = (point, 0, 1)
      for axis in fine.indices.reversed() {
        cell += rest % fine[axis] / factor * stride
        rest /= fine[axis]
        stride *= coarse[axis]
      }
      return cell
    }
  }

  var finePoints: Int { cells.count }
  var coarsePoints: Int { coarse.reduce(1, *) }

  /// The sums of a field's values over the cells.
  func sum(_ field: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>) {
    result.update(repeating: 0, count: coarsePoints)
    for (point, cell) in cells.enumerated() { result[cell] += field[point] }
  }

  /// Every point gets the value of its cell.
  func spread(_ field: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>) {
    for (point, cell) in cells.enumerated() { result[point] = field[cell] }
  }
}

/// A field on a grid that is coarser by `factor` along every axis, rounded up: the largest value or the mean of
/// every cell of `factor` points per axis.
///
/// `[sample, channel, ...grid]`, channel by channel. Cells at the end of an axis may have fewer points: their
/// mean is that of the points they have. Of equal values the first gets the gradient.
public func pooling(_ u: Variable, _ kind: PoolingKind, factor: Int = 2) -> Variable {
  let input = FieldShape(u.shape)
  let cells = GridCells(fine: input.grid, factor: factor)
  let planes = input.samples * input.channels
  let shape = [input.samples, input.channels] + cells.coarse
  let (fine, coarse) = (cells.finePoints, cells.coarsePoints)
  guard kind == .maximum else {
    var counts = [Float](repeating: 0, count: coarse)
    for cell in cells.cells { counts[cell] += 1 }
    let value = mapPlanes(u.value, from: fine, to: coarse, shape) { field, result in
      cells.sum(field, into: result)
      for cell in 0..<coarse { result[cell] /= counts[cell] }
    }
    return Variable(value, from: u, saving: (cells, counts, u.shape)) { saved, gradient, inputs in
      let (cells, counts, shape) = saved
      let ofInput = mapPlanes(gradient, from: cells.coarsePoints, to: cells.finePoints, shape) {
        gradient, result in
        for (point, cell) in cells.cells.enumerated() { result[point] = gradient[cell] / counts[cell] }
      }
      inputs.add(ofInput, to: 0)
    }
  }
  var sources = [Int32](repeating: -1, count: planes * coarse)
  let value = sources.withUnsafeMutableBufferPointer { buffer in
    nonisolated(unsafe) let sources = buffer.baseAddress!
    return u.value.start { fields in
      Tensor<Float>.filled(shape) { results in
        parallelFor(planes) { range in
          for plane in range {
            let (field, result) = (fields + plane * fine, results + plane * coarse)
            let source = sources + plane * coarse
            for (point, cell) in cells.cells.enumerated() {
              if source[cell] < 0 || field[point] > result[cell] {
                source[cell] = Int32(point)
                result[cell] = field[point]
              }
            }
          }
        }
      }
    }
  }
  return Variable(value, from: u, saving: (cells, sources, u.shape)) { saved, gradient, inputs in
    let (cells, sources, shape) = saved
    let (fine, coarse) = (cells.finePoints, cells.coarsePoints)
    let ofInput = gradient.start { gradients in
      Tensor<Float>.filled(shape) { results in
        parallelFor(shape[0] * shape[1]) { range in
          for plane in range {
            let result = results + plane * fine
            result.update(repeating: 0, count: fine)
            for cell in plane * coarse..<(plane + 1) * coarse {
              result[Int(sources[cell])] += gradients[cell]
            }
          }
        }
      }
    }
    inputs.add(ofInput, to: 0)
  }
}

/// The field on a finer grid, whose points have the values of their cells: the way back from `pooling`.
///
/// - Parameter grid: that of the result; its cells of `factor` points per axis are the points of `u`.
public func upsampling(_ u: Variable, to grid: Shape, factor: Int = 2) -> Variable {
  let input = FieldShape(u.shape)
  let cells = GridCells(fine: grid, factor: factor)
  precondition(cells.coarse == input.grid, "a grid \(input.grid) is not \(grid) in cells of \(factor) points")
  let shape = [input.samples, input.channels] + grid
  let value = mapPlanes(u.value, from: cells.coarsePoints, to: cells.finePoints, shape) {
    cells.spread($0, into: $1)
  }
  return Variable(value, from: u, saving: (cells, u.shape)) { saved, gradient, inputs in
    let (cells, shape) = saved
    let ofInput = mapPlanes(gradient, from: cells.finePoints, to: cells.coarsePoints, shape) {
      cells.sum($0, into: $1)
    }
    inputs.add(ofInput, to: 0)
  }
}

/// The channels of two fields of the same samples and grid, one after the other.
public func joinChannels(_ u: Variable, _ v: Variable) -> Variable {
  let (first, second) = (FieldShape(u.shape), FieldShape(v.shape))
  precondition(
    first.samples == second.samples && first.grid == second.grid, "cannot join \(u.shape) and \(v.shape)")
  let (a, b) = (first.sampleCount, second.sampleCount)
  let value = withPointers(u.value, v.value) { u, v in
    Tensor<Float>.filled(first.shape(channels: first.channels + second.channels)) { result in
      for sample in 0..<first.samples {
        (result + sample * (a + b)).update(from: u + sample * a, count: a)
        (result + sample * (a + b) + a).update(from: v + sample * b, count: b)
      }
    }
  }
  return Variable(value, from: [u, v], saving: (first, second)) { fields, gradient, inputs in
    let (first, second) = fields
    let (a, b) = (first.sampleCount, second.sampleCount)
    gradient.start { gradient in
      let ofFirst = Tensor<Float>.filled(first.shape(channels: first.channels)) { result in
        for sample in 0..<first.samples {
          (result + sample * a).update(from: gradient + sample * (a + b), count: a)
        }
      }
      let ofSecond = Tensor<Float>.filled(second.shape(channels: second.channels)) { result in
        for sample in 0..<first.samples {
          (result + sample * b).update(from: gradient + sample * (a + b) + a, count: b)
        }
      }
      inputs.add(ofFirst, to: 0)
      inputs.add(ofSecond, to: 1)
    }
  }
}

/// Every plane of an array by `body`, in parallel, to an array `[sample, channel, ...grid]`.
private func mapPlanes(
  _ array: Tensor<Float>, from: Int, to: Int, _ shape: Shape,
  _ body: (UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
) -> Tensor<Float> {
  array.start { array in
    .filled(shape) { result in
      parallelFor(shape[0] * shape[1]) { range in
        for plane in range { body(array + plane * from, result + plane * to) }
      }
    }
  }
}
