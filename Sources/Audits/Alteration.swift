import Tensors

/// Something that may have happened to a frame or to all frames of a sample, and that can be undone.
enum Alteration: Equatable {
  case negated
  case transposed
  case mirrored(axis: Int)
  case multiplied(by: Double)

  /// The alterations that are tried on fields of so many axes; factors are tried besides.
  static func candidates(dimensions: Int) -> [Alteration] {
    dimensions == 1
      ? [.negated, .mirrored(axis: 0)]
      : [.negated, .transposed, .mirrored(axis: 0), .mirrored(axis: 1)]
  }

  /// The field as it was before, square if it is to be transposed.
  func undone(_ field: Tensor<Double>) -> Tensor<Double> {
    let grid = field.shape
    let (rows, columns) = grid.count == 1 ? (1, grid[0]) : (grid[0], grid[1])
    return Tensor(shape: grid) { target in
      field.withUnsafeBuffer { source in
        for row in 0..<rows {
          for column in 0..<columns {
            let place = row * columns + column
            switch self {
            case .negated: target[place] = -source[place]
            case .multiplied(let factor): target[place] = source[place] / factor
            case .transposed: target[place] = source[column * columns + row]
            // x ↦ −x on a periodic grid keeps the first point.
            case .mirrored(let axis) where axis == grid.count - 1:
              target[place] = source[row * columns + (columns - column) % columns]
            case .mirrored: target[place] = source[(rows - row) % rows * columns + column]
            }
          }
        }
      }
    }
  }

  /// What it looks like, as a clause about `it`.
  func text(axes: [String]) -> String {
    switch self {
    case .negated: "its sign looks flipped"
    case .transposed: "it looks transposed (axes \(axes.joined(separator: " and ")) exchanged)"
    case .mirrored(let axis): "it looks mirrored along \(axes[axis])"
    case .multiplied(let factor): "it looks multiplied by \(Words.number(factor))"
    }
  }

  /// How to repair it.
  var advice: String {
    switch self {
    case .negated: "change the sign back, or leave the sample out"
    case .transposed: "transpose it back, or leave the sample out"
    case .mirrored: "mirror it back, or leave the sample out"
    case .multiplied(let factor): "divide it by \(Words.number(factor)), or leave the sample out"
    }
  }
}
