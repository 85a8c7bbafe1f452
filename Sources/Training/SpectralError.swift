import Foundation
import Tensors

/// The error of a prediction by wave number: which scales a surrogate gets right, and which it lacks.
///
/// The wave number of a mode is that of its shell, ⌊|k|⌋ in waves per length of the domain, over the whole
/// half-plane of modes up to the shortest axis' Nyquist frequency. Added sample by sample.
public struct SpectralError: Sendable {
  /// A band of wave numbers.
  public struct Band: Codable, Sendable, Equatable {
    /// The first wave number.
    public let from: Int
    /// The last wave number.
    public let through: Int
    /// ‖û_prediction − û_target‖ / ‖û_target‖ over the band's modes, of all samples together; NaN where the
    /// target has no more than the rounding of single precision, 10⁻¹² of its energy.
    public let relativeL2: Double
    /// ‖û_prediction‖² / ‖û_target‖²: below one where the prediction is too smooth.
    public let energyRatio: Double
  }

  private var error: [Double] = []
  private var target: [Double] = []
  private var prediction: [Double] = []

  /// No samples yet.
  public init() {}

  /// Adds samples: predictions and targets `[sample, channel, ...grid]` in one or two dimensions.
  public mutating func add(_ predicted: Tensor<Float>, _ wanted: Tensor<Float>) {
    precondition(
      predicted.shape == wanted.shape && (3...4).contains(wanted.rank),
      "prediction \(predicted.shape) and target \(wanted.shape)")
    let grid = Array(wanted.shape.dropFirst(2))
    let shells = (grid.min() ?? 0) / 2 + 1
    if error.isEmpty {
      error = Array(repeating: 0, count: shells)
      (target, prediction) = (error, error)
    }
    precondition(error.count == shells, "another grid")
    let left = FFT.forward(Tensor<Double>(converting: predicted), dimensions: grid.count)
    let right = FFT.forward(Tensor<Double>(converting: wanted), dimensions: grid.count)
    let columns = left.shape[left.rank - 2]
    let rows = grid.count == 1 ? 1 : grid[0]
    withPointers(left, right) { left, right in
      for mode in 0..<wanted.shape[0] * wanted.shape[1] * rows * columns {
        let column = mode % columns
        let row = mode / columns % rows
        let k = row <= rows / 2 ? row : rows - row
        let shell = Int(Double(k * k + column * column).squareRoot())
        guard shell < shells else { continue }
        // The other half-plane has the same power but for the mean and Nyquist columns.
        let weight = column == 0 || 2 * column == grid[grid.count - 1] ? 1.0 : 2
        let p = (left[2 * mode], left[2 * mode + 1])
        let t = (right[2 * mode], right[2 * mode + 1])
        error[shell] += weight * ((p.0 - t.0) * (p.0 - t.0) + (p.1 - t.1) * (p.1 - t.1))
        target[shell] += weight * (t.0 * t.0 + t.1 * t.1)
        prediction[shell] += weight * (p.0 * p.0 + p.1 * p.1)
      }
    }
  }

  /// The errors in bands whose limits double: 0, 1, 2–3, 4–7 and so on.
  public var bands: [Band] {
    let least = 1e-12 * target.reduce(0, +)
    var bands: [Band] = []
    var first = 0
    while first < error.count {
      let last = min(error.count - 1, first == 0 ? 0 : 2 * first - 1)
      let (e, t, p) = (sum(error, first...last), sum(target, first...last), sum(prediction, first...last))
      let isEmpty = t <= least
      bands.append(
        Band(
          from: first, through: last, relativeL2: isEmpty ? .nan : (e / t).squareRoot(),
          energyRatio: isEmpty ? .nan : p / t))
      first = last + 1
    }
    return bands
  }

  private func sum(_ values: [Double], _ range: ClosedRange<Int>) -> Double {
    values[range].reduce(0, +)
  }
}
