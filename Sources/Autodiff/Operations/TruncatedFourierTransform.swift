import CKernels
import Foundation
import Tensors

/// The lowest Fourier modes of real fields, and fields of given modes: a truncated FFT by matrix products.
///
/// An FNO keeps some 12 of 64 to 8192 frequencies, so products with constant cosine and sine matrices do
/// less work than an FFT, run at the speed of matrix multiplication, and do not mind awkward lengths (85,
/// 94 = 2·47). Cosines are the same and sines opposite as far from the one end of an axis as from the other, so
/// pairs of points are added and subtracted first, which halves the products, and along an axis of even length so
/// are pairs of pairs about its middle, which halves them again. The last of several axes alone is not folded. The axes
/// are transformed from the first, whose products are the largest and shorten the others'; all is real until cosine
/// and sine sums of all axes become modes. The only axis is folded where it has four equal quarters.
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
  public let grid: Shape
  /// m: along the last axis the frequencies 0..m−1 are kept, along the others −m..m−1.
  public let modes: Shape

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
    /// m: the frequencies −m..m−1 are kept, by the sums with cosines of 0..m and sines of 1..m.
    let modes: Int
    /// `[m + 1, points/2 + 1]`: cos(2πfi/points).
    let cosines: Tensor<Float>
    /// `[m, points/2 + 1]`: sin(2πfi/points) for f = 1, ….
    let sines: Tensor<Float>
    /// The cosine and sine sums of the axes before it.
    let outer: Int
    /// The points of the axes behind it.
    let inner: Int

    var sums: Int { 2 * modes + 1 }

    /// This axis with pointers to its cosines and sines.
    func kernel(_ cosines: UnsafePointer<Float>, _ sines: UnsafePointer<Float>) -> ck_axis {
      ck_axis(outer: outer, points: points, m: modes, row: inner, cosines: cosines, sines: sines)
    }
  }

  /// From the first axis to the last but one.
  private let leading: [LeadingAxis]
  /// The quarters of the only axis, where it has four equal ones.
  let quarters: FourierQuarters?
  private let columns: Int
  private let columnModes: Int
  /// [columns, m, 2]: cos, −sin; and the transpose.
  private let analysisMatrix: (Tensor<Float>, transposed: Tensor<Float>)
  /// [m, 2, columns]: multiplicity/points times cos, −sin; and the transpose.
  private let synthesisMatrix: (Tensor<Float>, transposed: Tensor<Float>)

  /// The number of modes kept in all.
  public var modeCount: Int { leadingModes * columnModes }

  private var points: Int { grid.reduce(1, *) }
  private var leadingModes: Int { leading.reduce(1) { $0 * 2 * $1.modes } }
  private var leadingSums: Int { leading.reduce(1) { $0 * $1.sums } }
  /// The modes of the first of three axes.
  private var outerModes: Int { leading.count == 2 ? 2 * leading[0].modes : 1 }

  /// Why `modes` cannot be kept on `grid`, or nil if they can.
  public static func problem(grid: Shape, modes: Shape) -> String? {
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
  public static func cached(grid: Shape, modes: Shape) -> TruncatedFourierTransform {
    cache.plan {
      $0.grid == grid && $0.modes == modes
    } orMake: {
      TruncatedFourierTransform(grid: grid, modes: modes)
    }
  }

  private static let cache = PlanCache<TruncatedFourierTransform>()

  init(grid: Shape, modes: Shape) {
    if let problem = Self.problem(grid: grid, modes: modes) { preconditionFailure(problem) }
    self.grid = grid
    self.modes = modes
    let last = grid.count - 1
    let (columns, kept) = (grid[last], modes[last])
    (self.columns, columnModes) = (columns, kept)
    leading = (0..<last).map { axis in
      Self.leadingAxis(
        points: grid[axis], modes: modes[axis], outer: modes[..<axis].reduce(1) { $0 * (2 * $1 + 1) },
        inner: grid[(axis + 1)...].reduce(1, *))
    }
    // A real field has every frequency but the mean and the Nyquist frequency twice.
    let points = Double(grid.reduce(1, *))
    let multiplicity = { (k: Int) in (k == 0 || 2 * k == columns ? 1 : 2) / points }
    quarters =
      last == 0 && columns % 4 == 0
      ? FourierQuarters(points: columns, modes: kept, multiplicity: multiplicity) : nil
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
    let synthesis = lastAxis(scale: multiplicity)
    synthesisMatrix = (transposed(synthesis), synthesis)
  }

  private static func leadingAxis(points: Int, modes: Int, outer: Int, inner: Int) -> LeadingAxis {
    let half = points / 2 + 1
    return LeadingAxis(
      points: points, modes: modes,
      cosines: .filled([modes + 1, half]) { matrix in
        for f in 0...modes {
          for i in 0..<half { matrix[f * half + i] = Float(unitRoot(f * i, points).0) }
        }
      },
      sines: .filled([modes, half]) { matrix in
        for f in 0..<modes {
          for i in 0..<half { matrix[f * half + i] = Float(unitRoot((f + 1) * i, points).1) }
        }
      },
      outer: outer, inner: inner)
  }

  /// (cos, sin) of 2π numerator/denominator, exact at multiples of a quarter turn.
  static func unitRoot(_ numerator: Int, _ denominator: Int) -> (Double, Double) {
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
    if let quarters { return quarters.scratchCount(channels: channels) }
    let parts = self.parts(channels: channels)
    return sumCount(channels) + max(2 * modeBufferCount(channels) + betweenCount, parts?.scratchCount ?? 0)
  }

  /// The floats of the cosine and sine sums along all axes but the last, if there are others.
  private func sumCount(_ channels: Int) -> Int { leading.isEmpty ? 0 : channels * leadingSums * columns }

  /// The floats of the sums along all axes; the modes are fewer.
  private func modeBufferCount(_ channels: Int) -> Int { channels * leadingSums * 2 * columnModes }

  /// The floats of one channel between the sums along the first and the second of three axes.
  private var betweenCount: Int { leading.count == 2 ? leading[0].sums * leading[0].inner : 0 }

  /// From the field of one sample `[channel, ...grid]` to its modes in the spectrum of a batch.
  ///
  /// - Parameters:
  ///   - stride: the distance between two modes in `spectrum`, which points at this sample.
  func analyse(
    _ direction: Direction, channels: Int, _ field: UnsafePointer<Float>,
    into spectrum: UnsafeMutablePointer<Float>, stride: Int, scratch: UnsafeMutablePointer<Float>
  ) {
    let sums = scratch + sumCount(channels)
    sum(direction, channels: channels, field, into: sums, scratch: scratch)
    scatter(direction, channels: channels, sums, into: spectrum, stride: stride)
  }

  /// The floats of what `sum` makes of a channel.
  var modeSumCount: Int {
    leading.isEmpty ? 2 * columnModes : outerModes * leading[leading.count - 1].sums * 2 * columnModes
  }

  /// The first half of `analyse`, of some channels: the sums of which `scatter` makes modes, `modeSumCount` for each.
  func sum(
    _ direction: Direction, channels: Int, _ field: UnsafePointer<Float>,
    into modeSums: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let rest = scratch + sumCount(channels) + modeBufferCount(channels)
    if let quarters {
      quarters.sum(channels: channels, field, into: modeSums, scratch: rest)
      return
    }
    let kept = 2 * columnModes
    let between = rest + modeBufferCount(channels)
    withLeadingAxes { ck_sum_axes(channels, leading.count, $0, field, between, scratch) }
    let allSums = leading.count == 2 ? rest : modeSums
    (direction == .forward ? analysisMatrix.0 : synthesisMatrix.transposed).start { matrix in
      MatrixKernels.product(
        rows: channels * leadingSums, columns: kept,
        ck_factors(inner: columns, leading.isEmpty ? field : UnsafePointer(scratch), matrix, bStride: kept),
        into: allSums)
    }
    // Cosine and sine sums become modes, axis by axis, the last of them on their way to the spectrum.
    guard let outer = leading.first, leading.count == 2 else { return }
    let row = leading[1].sums * kept
    for channel in 0..<channels {
      ck_unfold_axis(
        outer.modes, row / 2, rest + channel * outer.sums * row, modeSums + channel * 2 * outer.modes * row)
    }
  }

  /// The second half of `analyse`, of all channels.
  func scatter(
    _ direction: Direction, channels: Int, _ modeSums: UnsafePointer<Float>,
    into spectrum: UnsafeMutablePointer<Float>, stride: Int
  ) {
    if let quarters {
      quarters.scatter(direction, channels: channels, modeSums, into: spectrum, stride: stride)
      return
    }
    guard let inner = leading.last else {
      ck_scatter_modes(modeCount, channels, modeSums, stride, spectrum)
      return
    }
    let (blocks, row) = (outerModes, inner.sums * 2 * columnModes)
    for block in 0..<blocks {
      ck_scatter_unfolded(
        inner.modes, columnModes, channels, modeSums + block * row, blocks * row, stride,
        spectrum + block * 2 * inner.modes * columnModes * stride)
    }
  }

  /// Calls `body` with every axis but the last, if there are any, as kernels want them.
  private func withLeadingAxes(_ body: (UnsafePointer<ck_axis>) -> Void) {
    switch leading.count {
    case 0: break
    case 1:
      withPointers(leading[0].cosines, leading[0].sines) { cosines, sines in
        withUnsafePointer(to: leading[0].kernel(cosines, sines), body)
      }
    default:
      withPointers(leading[0].cosines, leading[0].sines, leading[1].cosines, leading[1].sines) {
        // Not an array, which would come from the heap for every sample.
        withUnsafePointer(to: (leading[0].kernel($0, $1), leading[1].kernel($2, $3))) {
          $0.withMemoryRebound(to: ck_axis.self, capacity: 2, body)
        }
      }
    }
  }

  /// From the modes of one sample to its field, `[channel, ...grid]`.
  ///
  /// - Parameters:
  ///   - channels: all of them, or some that lie one after the other.
  ///   - spectrum: points at the first of these channels' first mode of the sample.
  ///   - stride: the distance between two modes there.
  ///   - imaginary: the distance between the real and the imaginary part of a mode: the number of all channels.
  func synthesise(
    _ direction: Direction, channels: Int, _ spectrum: UnsafePointer<Float>, stride: Int, imaginary: Int,
    into field: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    if let quarters {
      quarters.synthesise(
        direction, channels: channels, spectrum, stride: stride, imaginary: imaginary, into: field,
        scratch: scratch
      ) { _ in }
      return
    }
    makeSums(
      direction, channels: channels, spectrum, stride: stride, imaginary: imaginary,
      into: leading.isEmpty ? field : scratch, scratch: scratch + sumCount(channels))
    let between = scratch + sumCount(channels) + 2 * modeBufferCount(channels)
    withLeadingAxes { ck_expand_axes(channels, leading.count, $0, scratch, between, field) }
  }

  /// The same for who goes on at once with some points of all channels.
  ///
  /// - Parameters:
  ///   - field: room for the field, which is used or not.
  ///   - finish: called with ranges of points, together all of them, and where their values are: every channel's one
  ///     after the other, `stride` numbers behind those of the channel before. In `field` they are in their places.
  func synthesise(
    _ direction: Direction, channels: Int, _ spectrum: UnsafePointer<Float>, stride: Int, imaginary: Int,
    inParts field: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>,
    finish: (_ points: Range<Int>, _ values: UnsafePointer<Float>, _ stride: Int) -> Void
  ) {
    if let quarters {
      quarters.synthesise(
        direction, channels: channels, spectrum, stride: stride, imaginary: imaginary, into: field,
        scratch: scratch
      ) { finish($0, field + $0.lowerBound, points) }
    } else if let parts = parts(channels: channels) {
      let rest = scratch + sumCount(channels)
      makeSums(
        direction, channels: channels, spectrum, stride: stride, imaginary: imaginary, into: scratch,
        scratch: rest)
      withLeadingAxes { axis in
        parts.forEach { part in
          ck_expand_some_using(CK_AVX512, channels, axis, part.lowerBound, part.upperBound, scratch, rest)
          parts.forEachBlock(of: part) { rows, place in
            guard !rows.isEmpty else { return }
            finish(
              rows.lowerBound * columns..<rows.upperBound * columns, rest + place * columns,
              parts.blocks * part.count * columns)
          }
        }
      }
    } else {
      synthesise(
        direction, channels: channels, spectrum, stride: stride, imaginary: imaginary, into: field,
        scratch: scratch)
      finish(0..<points, field, points)
    }
  }

  /// Whether a field in parts is in scratch memory, so that what `synthesise` is given for it is left alone.
  func isInScratch(channels: Int) -> Bool { quarters == nil && parts(channels: channels) != nil }

  /// From the modes of one sample to the sums with cosines and sines of all axes but the last, at its points.
  private func makeSums(
    _ direction: Direction, channels: Int, _ spectrum: UnsafePointer<Float>, stride: Int, imaginary: Int,
    into sums: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    var (source, target) = (scratch, scratch + modeBufferCount(channels))
    let kept = 2 * columnModes
    if let inner = leading.last {
      let (blocks, row) = (outerModes, inner.sums * kept)
      for block in 0..<blocks {
        ck_gather_folded(
          inner.modes, columnModes, channels, spectrum + block * 2 * inner.modes * columnModes * stride,
          stride, imaginary, source + block * row, blocks * row)
      }
      if let outer = leading.first, leading.count == 2 {
        for channel in 0..<channels {
          ck_fold_axis(
            outer.modes, row / 2, source + channel * 2 * outer.modes * row,
            target + channel * outer.sums * row)
        }
        swap(&source, &target)
      }
    } else {
      ck_gather_modes(modeCount, channels, spectrum, stride, imaginary, source)
    }
    (direction == .forward ? synthesisMatrix.0 : analysisMatrix.transposed).start { matrix in
      MatrixKernels.product(
        rows: channels * leadingSums, columns: columns,
        ck_factors(inner: kept, source, matrix, bStride: columns), into: sums)
    }
  }

  /// The parts of the first of two axes, if a field is made in parts.
  private func parts(channels: Int) -> AxisParts? {
    guard leading.count == 1, columns >= Int(CK_MOST_LANES) else { return nil }
    return AxisParts(
      points: leading[0].points, pointSize: channels * columns, sumCount: sumCount(channels))
  }
}

/// The first axis of two, in parts of which the second cache holds all channels: some points and their images, as
/// `ck_expand_some` makes them.
private struct AxisParts {
  private let points: Int
  /// The points that are no images of others.
  private let pointCount: Int
  /// How many of them a part has.
  private let atOnce: Int
  private let pointSize: Int
  /// The blocks of rows that a part has: of points, and of their images.
  let blocks: Int

  /// - Parameters:
  ///   - points: those of the axis.
  ///   - pointSize: the numbers of all channels at a point of the axis.
  ///   - sumCount: the numbers that every part is made of.
  init(points: Int, pointSize: Int, sumCount: Int) {
    self.points = points
    self.pointSize = pointSize
    blocks = points % 2 == 0 ? 4 : 2
    pointCount = points % 2 == 0 ? points / 4 + 1 : points / 2 + 1
    // No more parts than the cache asks for, as each reads all sums, of equal sizes, and whole blocks of the kernels, which
    // have 8 rows.
    let most = max(1, max(Self.partSize, sumCount) / (blocks * pointSize))
    let count = (pointCount + most - 1) / most
    let rows = 8 / blocks
    atOnce = ((pointCount + count - 1) / count + rows - 1) / rows * rows
  }

  /// The numbers that a part should have, 160 kB.
  private static let partSize = 40_000

  var scratchCount: Int { blocks * atOnce * pointSize }

  /// Calls `body` with the points of every part.
  func forEach(_ body: (Range<Int>) -> Void) {
    for first in stride(from: 0, to: pointCount, by: atOnce) { body(first..<min(first + atOnce, pointCount)) }
  }

  /// Calls `body` with the rows that each block of a part has, and with the place of the first of them among all rows.
  func forEachBlock(of part: Range<Int>, _ body: (_ rows: Range<Int>, _ place: Int) -> Void) {
    let (first, last, count, half) = (part.lowerBound, part.upperBound, part.count, points / 2)
    // Some points are images of themselves: point 0 from the ends, one at a quarter from the middle.
    let start = max(first, 1)
    let end = points % 4 == 0 && last == pointCount ? last - 1 : last
    body(part, 0)
    body(points - last + 1..<points - start + 1, count)
    guard blocks == 4 else { return }
    body(half - end + 1..<half - first + 1, 2 * count + last - end)
    body(half + start..<max(half + start, half + end), 3 * count + start - first)
  }
}
