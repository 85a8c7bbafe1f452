import Tensors

/// The field with zeros behind the end of every axis of its grid: `padding[axis]` more points.
///
/// Makes room for a solution that is not periodic in a model whose layers are.
public func pad(_ u: Variable, by padding: [Int]) -> Variable {
  let input = FieldShape(u.shape)
  precondition(
    padding.count == input.grid.count && padding.allSatisfy { $0 >= 0 },
    "padding \(padding) of a grid \(input.grid)")
  if padding.allSatisfy({ $0 == 0 }) { return u }
  let padded = zip(input.grid, padding).map(+)
  return Variable(resized(u.value, to: padded), from: [u]) { gradient in
    [resized(gradient, to: input.grid)]
  }
}

/// The field without the last `padding[axis]` points of every axis: undoes `pad`.
public func crop(_ u: Variable, by padding: [Int]) -> Variable {
  let input = FieldShape(u.shape)
  precondition(
    padding.count == input.grid.count && zip(padding, input.grid).allSatisfy { $0 >= 0 && $0 < $1 },
    "cannot crop \(padding) points of a grid \(input.grid)")
  if padding.allSatisfy({ $0 == 0 }) { return u }
  let cropped = zip(input.grid, padding).map(-)
  return Variable(resized(u.value, to: cropped), from: [u]) { gradient in
    [resized(gradient, to: input.grid)]
  }
}

/// The points that both grids have, zeros elsewhere.
private func resized(_ field: Tensor<Float>, to grid: [Int]) -> Tensor<Float> {
  let input = FieldShape(field.shape)
  let (oldLength, newLength) = (input.grid[input.grid.count - 1], grid[grid.count - 1])
  // One-dimensional grids are taken as planes of one row.
  let (oldRows, newRows) = (input.points / oldLength, grid.reduce(1, *) / newLength)
  let (rows, length) = (min(oldRows, newRows), min(oldLength, newLength))
  precondition(grid.count <= 2, "padding is for one or two axes")
  return field.start { source in
    Tensor<Float>.filled([input.samples, input.channels] + grid) { target in
      parallelFor(input.samples * input.channels, grain: 8) { range in
        for plane in range {
          let target = target + plane * newRows * newLength
          for row in 0..<rows {
            let start = target + row * newLength
            start.update(from: source + (plane * oldRows + row) * oldLength, count: length)
            (start + length).update(repeating: 0, count: newLength - length)
          }
          (target + rows * newLength).update(repeating: 0, count: (newRows - rows) * newLength)
        }
      }
    }
  }
}
