import Foundation
import Tensors

/// The six error measures of PDEBench (Takamoto et al., NeurIPS 2022), as its program `metric_func` defines them.
///
/// Each is computed per channel (a field at a time) over all samples and then averaged over the channels.
/// Samples are added part by part: the result is that of one batch of all of them. Where a mean over the
/// samples is inside a root or a maximum, PDEBench's own numbers depend on its batches.
public struct PDEBenchMetrics: Sendable {
  /// The errors by frequency: the means over the wave numbers below 4, below 12, and the others.
  public struct Bands: Codable, Sendable, Equatable {
    /// Wave numbers 0 to 3.
    public let low: Double
    /// Wave numbers 4 to 11.
    public let middle: Double
    /// Wave numbers from 12 on.
    public let high: Double
  }

  /// The measures.
  public struct Result: Codable, Sendable, Equatable {
    /// RMSE: the root mean square error, averaged over the samples.
    public let rootMeanSquare: Double
    /// nRMSE: the same divided by the root mean square of the target.
    public let normalizedRootMeanSquare: Double
    /// cRMSE: the root mean square error of the spatial mean, which a conservation law fixes.
    public let conservation: Double
    /// The largest error at any point of any sample.
    public let maximum: Double
    /// bRMSE: the root mean square error on the boundary; in two dimensions corners count twice.
    public let boundary: Double
    /// fRMSE: the errors of Fourier coefficients, in bands; NaN for a band that the grid has none of.
    public let frequency: Bands
  }

  /// The samples added so far.
  public private(set) var samples = 0

  private var channels: [Channel] = []

  /// Sums over samples of one channel.
  private struct Channel: Sendable {
    var root = 0.0
    var normalized = 0.0
    var squaredMeanError = 0.0
    var largest = 0.0
    var boundary = 0.0
    var power: [Double]
  }

  /// No samples yet.
  public init() {}

  /// Adds samples: predictions and targets `[sample, channel, ...grid]` in one or two dimensions.
  public mutating func add(_ prediction: Tensor<Float>, _ target: Tensor<Float>) {
    precondition(
      prediction.shape == target.shape && (3...4).contains(target.rank),
      "prediction \(prediction.shape) and target \(target.shape)")
    let grid = target.shape.dropFirst(2)
    let points = grid.elementCount
    let bands = grid.count == 1 ? grid[0] / 2 + 1 : min(grid[0], grid[1]) / 2
    if channels.isEmpty {
      channels = Array(repeating: Channel(power: Array(repeating: 0, count: bands)), count: target.shape[1])
    }
    precondition(channels.count == target.shape[1] && channels[0].power.count == bands, "another shape")
    let wanted = Tensor<Double>(converting: target)
    let error = difference(Tensor<Double>(converting: prediction), wanted)
    let spectra = FFT.forward(error, dimensions: grid.count)
    let columns = spectra.shape[spectra.rank - 2]
    let spectrumStride = 2 * columns * (grid.count == 1 ? 1 : grid[0])
    withPointers(error, wanted, spectra) { error, wanted, spectra in
      for field in 0..<target.shape[0] * channels.count {
        let channel = field % channels.count
        let (error, wanted) = (error + field * points, wanted + field * points)
        let square = Double.dot(points, error, error)
        channels[channel].root += (square / Double(points)).squareRoot()
        channels[channel].normalized += (square / Double.dot(points, wanted, wanted)).squareRoot()
        var sum = 0.0
        for point in 0..<points {
          sum += error[point]
          channels[channel].largest = max(channels[channel].largest, abs(error[point]))
        }
        channels[channel].squaredMeanError += sum * sum / Double(points * points)
        channels[channel].boundary += boundary(error, grid).squareRoot()
        addPower(spectra + field * spectrumStride, grid, columns, &channels[channel].power)
      }
    }
    samples += target.shape[0]
  }

  /// The measures of all samples added; there must be one.
  public var result: Result {
    precondition(samples > 0, "no samples")
    let count = Double(samples)
    func mean(_ value: (Channel) -> Double) -> Double {
      channels.reduce(0) { $0 + value($1) } / Double(channels.count)
    }
    func band(_ range: PartialRangeUpTo<Int>, from first: Int) -> Double {
      mean { channel in
        let band = channel.power.indices.clamped(to: first..<max(first, range.upperBound))
        guard !band.isEmpty else { return .nan }
        return channel.power[band].reduce(0) { $0 + ($1 / count).squareRoot() } / Double(band.count)
      }
    }
    return Result(
      rootMeanSquare: mean { $0.root / count },
      normalizedRootMeanSquare: mean { $0.normalized / count },
      conservation: mean { ($0.squaredMeanError / count).squareRoot() },
      maximum: mean(\.largest),
      boundary: mean { $0.boundary / count },
      frequency: Bands(
        low: band(..<4, from: 0), middle: band(..<12, from: 4), high: band(..<Int.max, from: 12)))
  }

  private func difference(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Tensor<Double> {
    var result = a
    result.withUnsafeMutableBuffer { result in
      withPointers(b) { Double.axpy(result.count, -1, $0, result.baseAddress!) }
    }
    return result
  }

  /// The mean square over the boundary.
  private func boundary(_ error: UnsafePointer<Double>, _ grid: Shape) -> Double {
    guard grid.count == 2 else {
      let last = error[grid[0] - 1]
      return (error[0] * error[0] + last * last) / 2
    }
    let (rows, columns) = (grid[0], grid[1])
    var sum = 0.0
    for column in 0..<columns {
      for row in [0, rows - 1] { sum += error[row * columns + column] * error[row * columns + column] }
    }
    for row in 0..<rows {
      for column in [0, columns - 1] { sum += error[row * columns + column] * error[row * columns + column] }
    }
    return sum / Double(2 * rows + 2 * columns)
  }

  /// Adds |û|², divided by the squared number of points, to the shells ⌊|k|⌋ of the positive quadrant.
  private func addPower(
    _ spectrum: UnsafePointer<Double>, _ grid: Shape, _ columns: Int, _ power: inout [Double]
  ) {
    let scale = 1 / Double(grid.reduce(1, *))
    func square(_ index: Int) -> Double {
      let (real, imaginary) = (scale * spectrum[2 * index], scale * spectrum[2 * index + 1])
      return real * real + imaginary * imaginary
    }
    guard grid.count == 2 else {
      for k in power.indices { power[k] += square(k) }
      return
    }
    for i in 0..<grid[0] / 2 {
      for j in 0..<grid[1] / 2 {
        let shell = Int(Double(i * i + j * j).squareRoot())
        if shell < power.count { power[shell] += square(i * columns + j) }
      }
    }
  }
}
