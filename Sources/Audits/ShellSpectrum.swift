import Foundation
import Tensors

/// The power of a periodic field by wave number, in shells of the largest index |k|∞ = 0, 1, …, n/2.
struct ShellSpectrum: Sendable {
  /// The mean square of the field's part in every shell; their sum is the field's mean square.
  let powers: [Double]

  private let grid: Shape

  /// Transforms a field of one or two axes.
  init(_ field: Tensor<Double>) {
    let grid = field.shape
    self.grid = grid
    let last = grid[grid.count - 1]
    let half = last / 2 + 1
    let spectrum = FFT.forward(field, dimensions: grid.count)
    let scale = 1 / Double(field.count * field.count)
    var powers = [Double](repeating: 0, count: (grid.max() ?? 0) / 2 + 1)
    let rows = field.count / last
    spectrum.withUnsafeBuffer { spectrum in
      for row in 0..<rows {
        let k = grid.count == 1 ? 0 : min(row, rows - row)
        for column in 0..<half {
          let (real, imaginary) = (
            spectrum[2 * (row * half + column)], spectrum[2 * (row * half + column) + 1]
          )
          // A column other than the first and, for even lengths, the last stands for its mirror image too.
          let weight = column == 0 || 2 * column == last ? 1.0 : 2.0
          powers[max(k, column)] += weight * scale * (real * real + imaginary * imaginary)
        }
      }
    }
    self.powers = powers
  }

  /// The mean square of the part whose wave numbers are at least `first`.
  func power(from first: Int) -> Double { powers[min(first, powers.count)...].reduce(0, +) }

  /// The mean square of the fluctuation about the mean.
  var fluctuation: Double { power(from: 1) }

  /// The mean square of what a finer grid would hold beyond this one: the last two octaves, extrapolated.
  ///
  /// A field that is kept by striding has that part folded into its own wave numbers.
  var beyond: Double {
    let (last, ratio) = lastOctaves
    return last * ratio / (1 - ratio)
  }

  /// The mean square of what the mean over the points has of wave numbers that are multiples of their number.
  ///
  /// Those are 3ᵈ − 1 modes, more than an octave above the last one, which has n^d (1 − 2^−d).
  var foldedIntoMean: Double {
    let dimensions = Double(grid.count)
    let modes = Double(grid.elementCount) * (1 - pow(2, -dimensions))
    let (last, ratio) = lastOctaves
    return last / modes * ratio / pow(2, dimensions) * (pow(3, dimensions) - 1)
  }

  /// The mean square of the last octave of wave numbers, and its ratio to that of the octave before.
  ///
  /// Power that does not fall from one octave to the next is taken to fall by half.
  private var lastOctaves: (power: Double, ratio: Double) {
    let end = powers.count - 1
    let last = power(from: end / 2)
    let before = power(from: end / 4) - last
    return (last, last < 0.5 * before ? last / before : 0.5)
  }
}

/// Trigonometric interpolation of a periodic field to `factor` times as many points per axis.
///
/// Keeps the values at the old points, but for the part at the Nyquist frequency, which no finer grid can
/// place and is left out.
func interpolate(_ field: Tensor<Double>, factor: Int) -> Tensor<Double> {
  guard factor > 1 else { return field }
  let grid = field.shape
  let fine = Shape(grid.map { $0 * factor })
  let (last, fineLast) = (grid[grid.count - 1], fine[fine.count - 1])
  let (half, fineHalf) = (last / 2 + 1, fineLast / 2 + 1)
  let spectrum = FFT.forward(field, dimensions: grid.count)
  var target = Tensor<Double>(shape: fine.dropLast() + [fineHalf, 2])
  let scale = pow(Double(factor), Double(grid.count))
  let rows = grid.count == 1 ? 1 : grid[0]
  target.withUnsafeMutableBuffer { target in
    spectrum.withUnsafeBuffer { source in
      for row in 0..<rows where grid.count == 1 || 2 * row != rows {
        let place = 2 * row < rows || grid.count == 1 ? row : row + fine[0] - rows
        for column in 0..<half where 2 * column != last {
          target[2 * (place * fineHalf + column)] = scale * source[2 * (row * half + column)]
          target[2 * (place * fineHalf + column) + 1] = scale * source[2 * (row * half + column) + 1]
        }
      }
    }
  }
  return FFT.inverse(target, shape: fine)
}

/// Every stride-th point of a field along each of its axes, one or two.
func everyPoint(of field: Tensor<Double>, stride: Int) -> Tensor<Double> {
  guard stride > 1 else { return field }
  let kept = Shape(field.shape.map { ($0 + stride - 1) / stride })
  let columns = field.shape[field.rank - 1]
  let keptColumns = kept[kept.count - 1]
  let rows = field.rank == 1 ? 1 : kept[0]
  return Tensor(shape: kept) { target in
    field.withUnsafeBuffer { source in
      for row in 0..<rows {
        for column in 0..<keptColumns {
          target[row * keptColumns + column] = source[row * stride * columns + column * stride]
        }
      }
    }
  }
}
