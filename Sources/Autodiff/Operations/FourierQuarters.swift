import CKernels
import Tensors

/// The quarters of a row of the only axis of a `TruncatedFourierTransform`, where it has four equal ones.
///
/// About the middles of its quarters a cosine or sine meets four points of a row with the same factor or its opposite,
/// so that a quarter of the products is left.
final class FourierQuarters: Sendable {
  /// Some points of every quarter: a field can be made and used up in such pieces.
  ///
  /// In rows of its own a piece has its points of the four quarters one after the other.
  struct Piece {
    /// The first point in the first quarter.
    let start: Int
    /// The points in each quarter.
    let count: Int
    /// The points of a quarter.
    fileprivate let length: Int

    /// The first of its points in a quarter from 0 to 3; in the second and the last one the order is the opposite one.
    func first(_ quarter: Int) -> Int {
      quarter % 2 == 0 ? quarter * length + start : (quarter + 1) * length - start - count
    }
  }

  /// m: the frequencies 0..m−1 are kept.
  let modes: Int
  /// The points of a quarter.
  let length: Int
  /// `[m, length]`: cos(2πk(j + ½)/points), first of the even frequencies, then of the odd ones.
  private let cosines: Tensor<Float>
  /// The same with sines.
  private let sines: Tensor<Float>
  /// `[m, 2]`: exp(πik/points), which moves the origin by half a point, for the transform and for the adjoint of
  /// the inverse.
  private let analysisTurns: Tensor<Float>
  private let synthesisTurns: Tensor<Float>

  /// The points of a row.
  private var points: Int { 4 * length }
  private var kept: Int { 2 * modes }

  /// The points of a quarter that are unfolded at once: what is done to them next finds them in the cache.
  private static let pointsAtOnce = 192

  /// The rows of so many points that are folded at once, 96 KiB or 16 of them: so they stay in the cache, and what they
  /// are multiplied by is packed for many.
  private static func channelsAtOnce(row: Int) -> Int { max(16, 24_576 / row) }

  /// - Parameter multiplicity: the factor of a frequency in the inverse transform.
  init(points: Int, modes: Int, multiplicity: (Int) -> Double) {
    self.modes = modes
    length = points / 4
    let frequencies = Array(stride(from: 0, to: modes, by: 2)) + Array(stride(from: 1, to: modes, by: 2))
    func matrix(_ part: ((Double, Double)) -> Double) -> Tensor<Float> {
      let length = points / 4
      return Tensor.filled([modes, length]) { matrix in
        for (row, k) in frequencies.enumerated() {
          for j in 0..<length {
            matrix[row * length + j] = Float(
              part(TruncatedFourierTransform.unitRoot(k * (2 * j + 1), 2 * points)))
          }
        }
      }
    }
    func turns(scale: (Int) -> Double) -> Tensor<Float> {
      Tensor.filled([modes, 2]) { turns in
        for k in 0..<modes {
          let (cosine, sine) = TruncatedFourierTransform.unitRoot(k, 2 * points)
          turns[2 * k] = Float(scale(k) * cosine)
          turns[2 * k + 1] = Float(scale(k) * sine)
        }
      }
    }
    cosines = matrix { $0.0 }
    sines = matrix { $0.1 }
    analysisTurns = turns { _ in 1 }
    synthesisTurns = turns(scale: multiplicity)
  }

  /// The floats of scratch memory that one sample of `channels` needs.
  func scratchCount(channels: Int) -> Int {
    channels * kept + max(foldingScratchCount(of: length), expansionScratchCount)
  }

  // MARK: - Whole fields

  /// From the field of one sample `[channel, point]` to its sums with cosines and sines, `[channel, 2m]`.
  func sum(
    channels: Int, _ field: UnsafePointer<Float>, into sums: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    let whole = Piece(start: 0, count: length, length: length)
    fold(whole, channels: channels, field, adding: false, into: sums, scratch: scratch)
  }

  /// From modes of one sample, which lie as for `TruncatedFourierTransform.synthesise`, to its field `[channel, point]`.
  ///
  /// - Parameter finish: called with ranges of points, together all of them, when they are complete.
  func synthesise(
    _ direction: TruncatedFourierTransform.Direction, channels: Int, _ spectrum: UnsafePointer<Float>,
    stride: Int, imaginary: Int, into field: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>,
    finish: (_ points: Range<Int>) -> Void
  ) {
    gather(direction, channels: channels, spectrum, stride: stride, imaginary: imaginary, into: scratch)
    for index in 0..<pieceCount(of: Self.pointsAtOnce) {
      let piece = piece(index, of: Self.pointsAtOnce)
      expand(
        piece, channels: channels, scratch, length: length, place: piece.start, into: field,
        scratch: scratch + channels * kept)
      for quarter in 0..<4 {
        let first = piece.first(quarter)
        finish(first..<first + piece.count)
      }
    }
  }

  // MARK: - Pieces

  /// How many pieces of at most `count` points of a quarter there are.
  func pieceCount(of count: Int) -> Int { (length + count - 1) / count }

  /// One of the pieces of at most `count` points of a quarter.
  func piece(_ index: Int, of count: Int) -> Piece {
    Piece(start: index * count, count: min(count, length - index * count), length: length)
  }

  /// The floats of scratch memory that `expand` needs.
  var expansionScratchCount: Int { kept * Int(CK_WIDEST_TILE) }

  /// The floats of scratch memory that `fold` needs for pieces of `count` points of a quarter.
  func foldingScratchCount(of count: Int) -> Int { Self.channelsAtOnce(row: 4 * count) * 4 * count }

  /// From the modes of one sample to the factors of the cosines and sines, `[channel, 2m]`.
  func gather(
    _ direction: TruncatedFourierTransform.Direction, channels: Int, _ spectrum: UnsafePointer<Float>,
    stride: Int, imaginary: Int, into factors: UnsafeMutablePointer<Float>
  ) {
    (direction == .forward ? synthesisTurns : analysisTurns).start { turns in
      ck_gather_turned(modes, channels, spectrum, stride, imaginary, turns, factors)
    }
  }

  /// From sums with cosines and sines, `[channel, 2m]`, to the modes of one sample, `stride` apart in the spectrum of a batch.
  func scatter(
    _ direction: TruncatedFourierTransform.Direction, channels: Int, _ sums: UnsafePointer<Float>,
    into spectrum: UnsafeMutablePointer<Float>, stride: Int
  ) {
    (direction == .forward ? analysisTurns : synthesisTurns).start { turns in
      ck_scatter_turned(modes, channels, sums, turns, stride, spectrum)
    }
  }

  /// The points of a piece from the factors of cosines and sines, in rows of their own.
  func expand(
    _ piece: Piece, channels: Int, _ factors: UnsafePointer<Float>, into rows: UnsafeMutablePointer<Float>,
    scratch: UnsafeMutablePointer<Float>
  ) {
    expand(piece, channels: channels, factors, length: piece.count, place: 0, into: rows, scratch: scratch)
  }

  /// The points of a piece, from `place` on of every quarter of rows whose quarters have `length` points.
  private func expand(
    _ piece: Piece, channels: Int, _ factors: UnsafePointer<Float>, length rowLength: Int, place: Int,
    into rows: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    withPointers(cosines, sines) { cosines, sines in
      var kernel = ck_quarters(m: modes, length: length, cosines: cosines, sines: sines)
      ck_expand_quarters_using(
        CK_AVX512, channels, &kernel, factors, piece.start, piece.count, scratch, rowLength, place, rows)
    }
  }

  /// The sums of a piece, which has rows of its own, with cosines and sines, `[channel, 2m]`; added to what is there if
  /// `adding`.
  func fold(
    _ piece: Piece, channels: Int, _ rows: UnsafePointer<Float>, adding: Bool = true,
    into sums: UnsafeMutablePointer<Float>, scratch parts: UnsafeMutablePointer<Float>
  ) {
    let row = 4 * piece.count
    let atOnce = Self.channelsAtOnce(row: row)
    withPointers(cosines, sines) { cosines, sines in
      for first in Swift.stride(from: 0, to: channels, by: atOnce) {
        let count = min(atOnce, channels - first)
        for channel in 0..<count {
          ck_fold_quarters(piece.count, rows + (first + channel) * row, parts + channel * row)
        }
        forEachPart(cosines + piece.start, sines + piece.start) { part, frequencies, matrix in
          MatrixKernels.innerProducts(
            rows: count, columns: frequencies.count, length: piece.count, parts + part * piece.count,
            xStride: row, matrix, yStride: length, adding: adding,
            into: sums + first * kept + frequencies.lowerBound, stride: kept)
        }
      }
    }
  }

  /// Calls `body` with every part of folded rows, where its frequencies are among the sums with cosines and sines,
  /// and the matrix of its cosines or sines.
  private func forEachPart(
    _ cosines: UnsafePointer<Float>, _ sines: UnsafePointer<Float>,
    _ body: (_ part: Int, _ frequencies: Range<Int>, _ matrix: UnsafePointer<Float>) -> Void
  ) {
    let (m, even) = (modes, (modes + 1) / 2)
    body(0, 0..<even, cosines)
    body(2, m..<m + even, sines)
    body(1, even..<m, cosines + even * length)
    body(3, m + even..<2 * m, sines + even * length)
  }
}
