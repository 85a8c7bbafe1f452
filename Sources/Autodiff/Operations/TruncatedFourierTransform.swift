import CKernels
import Foundation
import Synchronization
import Tensors

/// The lowest Fourier modes of real fields, and fields of given modes: a truncated FFT by matrix products.
///
/// An FNO keeps some 12 of 64 to 8192 frequencies, so products with constant cosine and sine matrices do
/// less work than an FFT, run at the speed of matrix multiplication, and do not mind awkward lengths (85,
/// 94 = 2·47). Along the first of two axes the frequencies f and −f share their cosine and sine sums.
///
/// The result is exactly that of `rfft2`, of keeping the rows 0..m₁−1 and −m₁..−1 and the columns 0..m₂−1, and of
/// `irfft2` with everything else zero, including that the inverse ignores the imaginary part of the mean
/// and the Nyquist column of the last axis. Forward unnormalised, inverse divided by the number of points.
///
/// In the spectrum of a batch the modes are outermost, `[mode][sample][re, im][channel]`, so that the
/// channels are mixed by one matrix product per mode over the whole batch.
public final class TruncatedFourierTransform: Sendable {
  /// The number of points along every axis: one or two.
  public let grid: [Int]
  /// m: along the last axis the frequencies 0..m−1 are kept, along the one before −m..m−1.
  public let modes: [Int]

  /// Which of a pair of maps: the transform itself, or the transpose of the opposite transform.
  enum Direction {
    /// The transform.
    case forward
    /// The adjoint of the inverse, in place of the analysis; the adjoint of the analysis, of the inverse.
    case adjoint
  }

  private let rows: Int
  private let columns: Int
  private let rowModes: Int
  private let columnModes: Int
  /// [2 m₁ + 1, n₁]: cos(2πfi/n₁) for f = 0..m₁, then sin for f = 1..m₁.
  private let leading: Tensor<Float>
  /// [n₂, m₂, 2]: cos, −sin; and the transpose.
  private let analysisMatrix: (Tensor<Float>, transposed: Tensor<Float>)
  /// [m₂, 2, n₂]: multiplicity/(n₁n₂) times cos, −sin; and the transpose.
  private let synthesisMatrix: (Tensor<Float>, transposed: Tensor<Float>)

  /// The number of modes kept in all.
  public var modeCount: Int { (grid.count == 1 ? 1 : 2 * rowModes) * columnModes }

  /// Why `modes` cannot be kept on `grid`, or nil if they can.
  public static func problem(grid: [Int], modes: [Int]) -> String? {
    guard grid.count == modes.count, grid.count == 1 || grid.count == 2 else {
      return "\(modes.count) numbers of modes for a grid of \(grid.count) axes"
    }
    for (axis, (points, kept)) in zip(grid, modes).enumerated() {
      let isLast = axis == grid.count - 1
      let largest = isLast ? points / 2 + 1 : points / 2
      if kept < 1 || kept > largest {
        return "\(kept) modes do not fit the \(points) points of axis \(axis), which hold at most \(largest)"
      }
    }
    return nil
  }

  /// The transform for a grid from the cache, or a new one; matrices are made once per (grid, modes).
  public static func cached(grid: [Int], modes: [Int]) -> TruncatedFourierTransform {
    let key = [grid, modes]
    if let transform = cache.withLock({ $0[key] }) { return transform }
    let transform = TruncatedFourierTransform(grid: grid, modes: modes)
    cache.withLock { $0[key] = transform }
    return transform
  }

  private static let cache = Mutex<[[[Int]]: TruncatedFourierTransform]>([:])

  init(grid: [Int], modes: [Int]) {
    if let problem = Self.problem(grid: grid, modes: modes) { preconditionFailure(problem) }
    self.grid = grid
    self.modes = modes
    let (rows, columns) = (grid.count == 1 ? 1 : grid[0], grid[grid.count - 1])
    let (m1, m2) = (grid.count == 1 ? 0 : modes[0], modes[modes.count - 1])
    (self.rows, self.columns, rowModes, columnModes) = (rows, columns, m1, m2)

    leading = Tensor.filled([2 * m1 + 1, rows]) { matrix in
      for i in 0..<rows {
        for f in 0...m1 {
          let (cosine, sine) = Self.unitRoot(f * i, rows)
          matrix[f * rows + i] = Float(cosine)
          if f > 0 { matrix[(m1 + f) * rows + i] = Float(sine) }
        }
      }
    }
    func lastAxis(scale: (Int) -> Double) -> Tensor<Float> {
      Tensor.filled([columns, m2, 2]) { matrix in
        for j in 0..<columns {
          for k in 0..<m2 {
            let (cosine, sine) = Self.unitRoot(k * j, columns)
            matrix[(j * m2 + k) * 2] = Float(scale(k) * cosine)
            matrix[(j * m2 + k) * 2 + 1] = Float(-scale(k) * sine)
          }
        }
      }
    }
    func transposed(_ matrix: Tensor<Float>) -> Tensor<Float> {
      Tensor.filled([2 * m2, columns]) { result in
        matrix.start { ck_transpose(columns, 2 * m2, $0, result) }
      }
    }
    let analysis = lastAxis { _ in 1 }
    analysisMatrix = (analysis, transposed(analysis))
    // A real field has every frequency but the mean and the Nyquist frequency twice.
    let synthesis = lastAxis { ($0 == 0 || 2 * $0 == columns ? 1 : 2) / Double(rows * columns) }
    synthesisMatrix = (transposed(synthesis), synthesis)
  }

  /// (cos, sin) of 2π numerator/denominator, exact at multiples of a quarter turn.
  private static func unitRoot(_ numerator: Int, _ denominator: Int) -> (Double, Double) {
    let remainder = numerator % denominator
    switch 4 * remainder {
    case 0: return (1, 0)
    case denominator: return (0, 1)
    case 2 * denominator: return (-1, 0)
    case 3 * denominator: return (0, -1)
    default:
      let angle = 2 * Double.pi * Double(remainder) / Double(denominator)
      return (cos(angle), sin(angle))
    }
  }

  /// The floats of scratch memory that one sample of `channels` needs.
  func scratchCount(channels: Int) -> Int {
    2 * channels * columnModes * (rows + 2 * rowModes + 1)
  }

  /// From the field of one sample `[channel, ...grid]` to its modes in the spectrum of a batch.
  ///
  /// - Parameters:
  ///   - stride: the distance between two modes in `spectrum`, which points at this sample.
  func analyse(
    _ direction: Direction, channels: Int, _ field: UnsafePointer<Float>,
    into spectrum: UnsafeMutablePointer<Float>, stride: Int, scratch: UnsafeMutablePointer<Float>
  ) {
    let kept = 2 * columnModes
    if grid.count == 1 {
      let matrix = direction == .forward ? analysisMatrix.transposed : synthesisMatrix.0
      matrix.start { matrix in
        MatrixKernels.innerProducts(
          rows: channels, columns: kept, length: columns, field, matrix, into: scratch)
      }
      ck_scatter_modes(columnModes, channels, scratch, stride, spectrum)
      return
    }
    let matrix = direction == .forward ? analysisMatrix.0 : synthesisMatrix.transposed
    // scratch: [row][channel][mode][re, im]
    matrix.start { matrix in
      for channel in 0..<channels {
        MatrixKernels.product(
          rows: rows, columns: kept,
          [ck_factors(inner: columns, field + channel * rows * columns, matrix, bStride: kept)],
          into: scratch + channel * kept, stride: channels * kept)
      }
    }
    let folded = scratch + rows * channels * kept
    leading.start { leading in
      MatrixKernels.product(
        rows: 2 * rowModes + 1, columns: channels * kept,
        [ck_factors(inner: rows, leading, scratch, bStride: channels * kept)], into: folded)
    }
    ck_unfold_modes(rowModes, columnModes, channels, folded, stride, spectrum)
  }

  /// From the modes of one sample to its field: first to the coefficients of the last axis's cosines and sines
  /// for every row of the grid, `[row, channel, mode, 2]`, which go to `scratch`.
  ///
  /// `forEachRow` makes the field of them.
  func synthesiseRows(
    _ direction: Direction, channels: Int, _ spectrum: UnsafePointer<Float>, stride: Int,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let kept = 2 * columnModes
    guard grid.count == 2 else {
      return ck_gather_modes(columnModes, channels, spectrum, stride, scratch)
    }
    let folded = scratch + rows * channels * kept
    ck_fold_modes(rowModes, columnModes, channels, spectrum, stride, folded)
    leading.start { leading in
      MatrixKernels.product(
        rows: rows, columns: channels * kept,
        [
          ck_factors(
            inner: 2 * rowModes + 1, transposed: leading, stride: rows, folded, bStride: channels * kept)
        ], into: scratch)
    }
  }

  /// Calls `body` with the number of each row of the grid and the factors whose product is that row of the field, `[channel, column]`.
  func forEachRow(
    _ direction: Direction, channels: Int, of coefficients: UnsafePointer<Float>,
    _ body: (_ row: Int, _ factors: ck_factors) -> Void
  ) {
    let kept = 2 * columnModes
    let matrix = direction == .forward ? synthesisMatrix.0 : analysisMatrix.transposed
    matrix.start { matrix in
      for row in 0..<rows {
        body(
          row,
          ck_factors(inner: kept, coefficients + row * channels * kept, matrix, bStride: columns))
      }
    }
  }

  /// The length of a row of the grid.
  var rowLength: Int { columns }
}
