import Foundation
import Tensors

/// How well several chains agree and how much independent information they hold.
///
/// Split R̂ and effective sample size in the definitions of Vehtari, Gelman, Simpson, Carpenter, Bürkner,
/// "Rank-normalization, folding, and localization: an improved R̂ for assessing convergence of MCMC",
/// Bayesian Analysis 16 (2021), equations 1 to 4 and 9 to 13, without the rank normalisation; the sum of
/// autocorrelations is Geyer's initial monotone sequence.
public struct ChainDiagnostics: Sendable, Equatable, Codable {
  /// Split R̂: near 1 when the chains agree; above 1.05 they have not mixed.
  public let splitRHat: Double
  /// The number of independent draws that would estimate the mean as well.
  public let effectiveSampleSize: Double

  /// The diagnostics of one quantity, `[chain][draw]`; NaN where there are fewer than 4 draws per chain or
  /// the quantity never changes.
  public init(_ chains: [[Double]]) {
    let half = (chains.first?.count ?? 0) / 2
    let halves = chains.flatMap { [Array($0.prefix(half)), Array($0.suffix(half))] }
    guard half >= 2 else {
      splitRHat = .nan
      effectiveSampleSize = .nan
      return
    }
    let length = Double(half)
    let means = halves.map { $0.reduce(0, +) / length }
    let centred = zip(halves, means).map { values, mean in values.map { $0 - mean } }
    let variances = centred.map { values in values.reduce(0) { $0 + $1 * $1 } / (length - 1) }
    let within = variances.reduce(0, +) / Double(halves.count)
    let mean = means.reduce(0, +) / Double(halves.count)
    let between = length * means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(halves.count - 1)
    let total = (length - 1) / length * within + between / length
    guard within > 0, total.isFinite else {
      splitRHat = .nan
      effectiveSampleSize = .nan
      return
    }
    splitRHat = (total / within).squareRoot()

    let covariances = centred.map(Self.autocovariances)
    let correlation = (0..<half).map { lag in
      lag == 0 ? 1 : 1 - (within - covariances.reduce(0) { $0 + $1[lag] } / Double(halves.count)) / total
    }
    let draws = length * Double(halves.count)
    // Antithetic chains can have a time below 1; the bound is that of the paper.
    effectiveSampleSize = draws / max(Self.autocorrelationTime(correlation), 1 / log10(draws))
  }

  /// The sum of all autocorrelations, truncated where the sum of a neighbouring pair is no longer positive
  /// and made monotone before; of the pair that ended it, a positive first member still counts once.
  private static func autocorrelationTime(_ correlation: [Double]) -> Double {
    var pairs = [correlation[0] + correlation[1]]
    var lag = 2
    while lag + 2 < correlation.count, pairs[pairs.count - 1] > 0 {
      pairs.append(correlation[lag] + correlation[lag + 1])
      lag += 2
    }
    let last = pairs.count > 1 ? pairs.removeLast() : pairs[0]
    var (sum, smallest) = (0.0, Double.infinity)
    for pair in pairs {
      smallest = min(smallest, pair)
      sum += smallest
    }
    let remainder = correlation[max(0, lag - 2)]
    return 2 * sum - 1 + (last >= 0 || remainder > 0 ? remainder : 0)
  }

  /// The biased autocovariances of a centred sequence at every lag, by FFT of the zero-padded sequence.
  private static func autocovariances(_ centred: [Double]) -> [Double] {
    let length = centred.count
    var padded = Tensor<Double>(shape: [2 * length])
    padded.withUnsafeMutableBuffer { for index in 0..<length { $0[index] = centred[index] } }
    var spectrum = FFT.forward(padded, dimensions: 1)
    spectrum.withUnsafeMutableBuffer { spectrum in
      for index in stride(from: 0, to: spectrum.count, by: 2) {
        let (real, imaginary) = (spectrum[index], spectrum[index + 1])
        spectrum[index] = real * real + imaginary * imaginary
        spectrum[index + 1] = 0
      }
    }
    let products = FFT.inverse(spectrum, shape: [2 * length])
    return products.scalars.prefix(length).map { $0 / Double(length) }
  }
}
