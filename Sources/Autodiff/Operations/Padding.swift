import Tensors

/// The field with zeros behind the end of every axis of its grid: `padding[axis]` more points.
///
/// Makes room for a solution that is not periodic in a model whose layers are.
public func pad(_ u: Variable, by padding: Shape) -> Variable {
  let input = FieldShape(u.shape)
  precondition(
    padding.count == input.grid.count && padding.allSatisfy { $0 >= 0 },
    "padding \(padding) of a grid \(input.grid)")
  if padding.allSatisfy({ $0 == 0 }) { return u }
  let padded = Shape(count: padding.count) { input.grid[$0] + padding[$0] }
  return Variable(resized(u.value, to: padded), from: u, saving: input.grid) { grid, gradient, inputs in
    inputs.add(resized(gradient, to: grid), to: 0)
  }
}

/// The field without the last `padding[axis]` points of every axis: undoes `pad`.
public func crop(_ u: Variable, by padding: Shape) -> Variable {
  let input = FieldShape(u.shape)
  precondition(
    padding.count == input.grid.count && zip(padding, input.grid).allSatisfy { $0 >= 0 && $0 < $1 },
    "cannot crop \(padding) points of a grid \(input.grid)")
  if padding.allSatisfy({ $0 == 0 }) { return u }
  let cropped = Shape(count: padding.count) { input.grid[$0] - padding[$0] }
  return Variable(resized(u.value, to: cropped), from: u, saving: input.grid) { grid, gradient, inputs in
    inputs.add(resized(gradient, to: grid), to: 0)
  }
}

/// The points that both grids have, zeros elsewhere.
private func resized(_ field: Tensor<Float>, to grid: Shape) -> Tensor<Float> {
  let input = FieldShape(field.shape)
  let (oldLength, newLength) = (input.grid[input.grid.count - 1], grid[grid.count - 1])
  let (oldRows, newRows) = (input.points / oldLength, grid.elementCount / newLength)
  let length = min(oldLength, newLength)
  // −1 for a row of zeros.
  let sources = PooledList(count: newRows) { sourceRow($0, of: grid, in: input.grid) ?? -1 }
  let shape = Shape(input.samples, input.channels) + grid
  return field.start { source in
    Tensor<Float>.filled(shape) { target in
      parallelFor(input.samples * input.channels, grain: 8) { range in
        for plane in range {
          for row in 0..<newRows {
            let (start, sourceRow) = (target + (plane * newRows + row) * newLength, sources[row])
            var copied = 0
            if sourceRow >= 0 {
              start.update(from: source + (plane * oldRows + sourceRow) * oldLength, count: length)
              copied = length
            }
            (start + copied).update(repeating: 0, count: newLength - copied)
          }
        }
      }
    }
  }
}

/// The number of a row (of the last axis) of one grid in another, or nil if that has no such row.
private func sourceRow(_ row: Int, of grid: Shape, in other: Shape) -> Int? {
  var (rest, position, stride) = (row, 0, 1)
  for axis in (0..<grid.count - 1).reversed() {
    let index = rest % grid[axis]
    guard index < other[axis] else { return nil }
    position += index * stride
    stride *= other[axis]
    rest /= grid[axis]
  }
  return position
}
