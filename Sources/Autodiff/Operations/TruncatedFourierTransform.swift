import CKernels
import Foundation
import Synchronization
import Tensors

/// The lowest Fourier modes of real fields, and fields of given modes: a truncated FFT by matrix products.
///
/// An FNO keeps some 12 of 64 to 8192 frequencies, so products with constant cosine and sine matrices do
/// less work than an FFT, run at the speed of matrix multiplication, and do not mind awkward lengths (85,
/// 94 = 2·47). Along every axis but the last the frequencies f and −f share their cosine and sine sums.
///
/// The result is exactly that of `rfftn`, of keeping the frequencies −m..m−1 along every axis but the last and
/// 0..m−1 there, and of `irfftn` with everything else zero, including that the inverse ignores the imaginary
/// part of the mean and the Nyquist plane of the last axis. Forward unnormalised, inverse divided by the number
/// of points.
///
/// In the spectrum of a batch the modes are outermost, `[mode][sample][re, im][channel]`, so that the
/// channels are mixed by one matrix product per mode over the whole batch. Along every axis but the last the
/// frequencies 0..m−1 come first, then −m..−1.
public final class TruncatedFourierTransform: Sendable {
  /// The number of points along every axis: one, two or three.
  public let grid: [Int]
  /// m: along the last axis the frequencies 0..m−1 are kept, along the others −m..m−1.
  public let modes: [Int]

  /// Which of a pair of maps: the transform itself, or the transpose of the opposite transform.
  enum Direction {
    /// The transform.
    case forward
    /// The adjoint of the inverse, in place of the analysis; the adjoint of the analysis, of the inverse.
    case adjoint
  }

  /// An axis that is not the last.
  private struct LeadingAxis {
    let points: Int
    /// m: the frequencies −m..m−1 are kept.
    let modes: Int
    /// `[2m + 1, points]`: cos(2πfi/points) for f = 0..m, then sin for f = 1..m.
    let matrix: Tensor<Float>
    /// The points of the axes before it.
    let outer: Int
    /// The modes of the axes between it and the last.
    let inner: Int
  }

  /// From the first axis to the last but one.
  private let leading: [LeadingAxis]
  private let columns: Int
  private let columnModes: Int
  /// [columns, m, 2]: cos, −sin; and the transpose.
  private let analysisMatrix: (Tensor<Float>, transposed: Tensor<Float>)
  /// [m, 2, columns]: multiplicity/points times cos, −sin; and the transpose.
  private let synthesisMatrix: (Tensor<Float>, transposed: Tensor<Float>)

  /// The number of modes kept in all.
  public var modeCount: Int { leadingModes * columnModes }

  /// The length of a row of the grid: of its last axis.
  var rowLength: Int { columns }

  private var rows: Int { grid.dropLast().reduce(1, *) }
  private var leadingModes: Int { leading.reduce(1) { $0 * 2 * $1.modes } }

  /// Why `modes` cannot be kept on `grid`, or nil if they can.
  public static func problem(grid: [Int], modes: [Int]) -> String? {
    guard grid.count == modes.count, (1...3).contains(grid.count) else {
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
    let last = grid.count - 1
    let (columns, kept) = (grid[last], modes[last])
    (self.columns, columnModes) = (columns, kept)
    leading = (0..<last).map { axis in
      LeadingAxis(
        points: grid[axis], modes: modes[axis],
        matrix: Self.leadingMatrix(points: grid[axis], modes: modes[axis]),
        outer: grid[..<axis].reduce(1, *), inner: modes[(axis + 1)..<last].reduce(1) { $0 * 2 * $1 })
    }
    func lastAxis(scale: (Int) -> Double) -> Tensor<Float> {
      Tensor.filled([columns, kept, 2]) { matrix in
        for j in 0..<columns {
          for k in 0..<kept {
            let (cosine, sine) = Self.unitRoot(k * j, columns)
            matrix[(j * kept + k) * 2] = Float(scale(k) * cosine)
            matrix[(j * kept + k) * 2 + 1] = Float(-scale(k) * sine)
          }
        }
      }
    }
    func transposed(_ matrix: Tensor<Float>) -> Tensor<Float> {
      Tensor.filled([2 * kept, columns]) { result in
        matrix.start { ck_transpose(columns, 2 * kept, $0, result) }
      }
    }
    let analysis = lastAxis { _ in 1 }
    analysisMatrix = (analysis, transposed(analysis))
    // A real field has every frequency but the mean and the Nyquist frequency twice.
    let points = Double(grid.reduce(1, *))
    let synthesis = lastAxis { ($0 == 0 || 2 * $0 == columns ? 1 : 2) / points }
    synthesisMatrix = (transposed(synthesis), synthesis)
  }

  private static func leadingMatrix(points: Int, modes: Int) -> Tensor<Float> {
    Tensor.filled([2 * modes + 1, points]) { matrix in
      for i in 0..<points {
        for f in 0...modes {
          let (cosine, sine) = unitRoot(f * i, points)
          matrix[f * points + i] = Float(cosine)
          if f > 0 { matrix[(modes + f) * points + i] = Float(sine) }
        }
      }
    }
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
  func scratchCount(channels: Int) -> Int { 2 * bufferCount(channels) + foldedCount(channels) }

  /// The floats of the largest stage between field and modes: the last axis transformed, the others not.
  private func bufferCount(_ channels: Int) -> Int { rows * 2 * channels * columnModes }

  private func foldedCount(_ channels: Int) -> Int {
    leading.map { (2 * $0.modes + 1) * $0.inner * 2 * channels * columnModes }.max() ?? 0
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
    if leading.isEmpty {
      let matrix = direction == .forward ? analysisMatrix.transposed : synthesisMatrix.0
      matrix.start { matrix in
        MatrixKernels.innerProducts(
          rows: channels, columns: kept, length: columns, field, matrix, into: scratch)
      }
      ck_scatter_modes(columnModes, channels, scratch, stride, spectrum)
      return
    }
    var source = scratch
    var target = scratch + bufferCount(channels)
    let folded = target + bufferCount(channels)
    // The last axis: [row][channel][mode][re, im].
    let matrix = direction == .forward ? analysisMatrix.0 : synthesisMatrix.transposed
    matrix.start { matrix in
      for channel in 0..<channels {
        MatrixKernels.product(
          rows: rows, columns: kept,
          [ck_factors(inner: columns, field + channel * rows * columns, matrix, bStride: kept)],
          into: source + channel * kept, stride: channels * kept)
      }
    }
    // The other axes, last to first: points become modes, what is behind them is carried along.
    for axis in leading.reversed() {
      let row = axis.inner * channels * kept
      axis.matrix.start { matrix in
        for outer in 0..<axis.outer {
          MatrixKernels.product(
            rows: 2 * axis.modes + 1, columns: row,
            [ck_factors(inner: axis.points, matrix, source + outer * axis.points * row, bStride: row)],
            into: folded)
          ck_unfold_axis(axis.modes, row / 2, folded, target + outer * 2 * axis.modes * row)
        }
      }
      swap(&source, &target)
    }
    for mode in 0..<leadingModes {
      ck_scatter_modes(
        columnModes, channels, source + mode * channels * kept, stride, spectrum + mode * columnModes * stride
      )
    }
  }

  /// From the modes of one sample to the coefficients of the last axis's cosines and sines for every row of the
  /// grid, `[row, channel, mode, 2]`, which `forEachRow` makes the field of.
  ///
  /// - Returns: where in `scratch` they are.
  func synthesiseRows(
    _ direction: Direction, channels: Int, _ spectrum: UnsafePointer<Float>, stride: Int,
    scratch: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float> {
    let kept = 2 * columnModes
    var source = scratch
    var target = scratch + bufferCount(channels)
    let folded = target + bufferCount(channels)
    for mode in 0..<leadingModes {
      ck_gather_modes(
        columnModes, channels, spectrum + mode * columnModes * stride, stride, source + mode * channels * kept
      )
    }
    for axis in leading {
      let row = axis.inner * channels * kept
      axis.matrix.start { matrix in
        for outer in 0..<axis.outer {
          ck_fold_axis(axis.modes, row / 2, source + outer * 2 * axis.modes * row, folded)
          MatrixKernels.product(
            rows: axis.points, columns: row,
            [
              ck_factors(
                inner: 2 * axis.modes + 1, transposed: matrix, stride: axis.points, folded, bStride: row)
            ], into: target + outer * axis.points * row)
        }
      }
      swap(&source, &target)
    }
    return UnsafePointer(source)
  }

  /// Calls `body` with the number of each row of the grid and the factors whose product is that row of the
  /// field, `[channel, column]`.
  func forEachRow(
    _ direction: Direction, channels: Int, of coefficients: UnsafePointer<Float>,
    _ body: (_ row: Int, _ factors: ck_factors) -> Void
  ) {
    let kept = 2 * columnModes
    let matrix = direction == .forward ? synthesisMatrix.0 : analysisMatrix.transposed
    matrix.start { matrix in
      for row in 0..<rows {
        body(row, ck_factors(inner: kept, coefficients + row * channels * kept, matrix, bStride: columns))
      }
    }
  }
}
