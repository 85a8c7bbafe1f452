import Foundation
import Tensors

/// How well several chains agree and how much independent information they hold.
///
/// Vehtari, Gelman, Simpson, Carpenter, Bürkner, "Rank-normalization, folding, and localization: an improved
/// R̂ for assessing convergence of MCMC", Bayesian Analysis 16 (2021); the sum of autocorrelations is Geyer's
/// initial monotone sequence. The numbers are those of ArviZ: `ess(method="bulk")`, `"tail"`, `"mean"` and
/// `rhat(method="rank")`.
public struct ChainDiagnostics: Sendable, Equatable, Codable {
  /// Effective draws for the centre of the law: of the rank-normalised values.
  public let bulkESS: Double
  /// Effective draws for the 5 % and the 95 % quantile, the smaller of the two.
  public let tailESS: Double
  /// The number of independent draws that would estimate the mean as well.
  public let meanESS: Double
  /// Rank-normalised split R̂, of the values or of their distances from the median, whichever is larger.
  public let rHat: Double
  /// The number of draws that are worth one independent draw for the mean.
  public let autocorrelationTime: Double

  /// The diagnostics of one quantity, `[chain][draw]`; NaN where there are fewer than 4 draws per chain or
  /// the quantity never changes.
  ///
  /// - Parameter stride: the distance between the draws that are given, where these are not all.
  public init(_ chains: [[Double]], stride: Int = 1) {
    let halves = Self.split(chains)
    let values = halves.flatMap { $0 }
    guard let first = values.first, values.contains(where: { $0 != first }), values.allSatisfy(\.isFinite),
      halves[0].count >= 2
    else {
      (bulkESS, tailESS, meanESS, rHat, autocorrelationTime) = (.nan, .nan, .nan, .nan, .nan)
      return
    }
    let ranked = Self.rankNormalized(halves)
    let whole = chains.flatMap { $0 }.sorted()
    let tails = [0.05, 0.95].map { probability in
      let quantile = Self.quantile(whole, probability)
      return Self.effectiveSampleSize(halves.map { $0.map { $0 <= quantile ? 1 : 0 } })
    }
    bulkESS = Self.effectiveSampleSize(ranked)
    tailESS = min(tails[0], tails[1])
    meanESS = Self.effectiveSampleSize(halves)
    autocorrelationTime = Double(values.count * stride) / meanESS
    let median = Self.quantile(values.sorted(), 0.5)
    let folded = halves.map { $0.map { abs($0 - median) } }
    rHat = max(Self.rHat(ranked), Self.rHat(Self.rankNormalized(folded)))
  }

  /// The autocorrelations of the chains at the lags 0 up to `lags`, averaged over the chains.
  ///
  /// Each chain is centred by the mean of all, so that chains that disagree show it.
  public static func autocorrelations(_ chains: [[Double]], lags: Int) -> [Double] {
    let length = chains.first?.count ?? 0
    guard length >= 2 else { return [] }
    let mean = chains.reduce(0) { $0 + $1.reduce(0, +) } / Double(chains.count * length)
    let covariances = chains.map { autocovariances($0.map { $0 - mean }) }
    let sums = (0...min(lags, length - 1)).map { lag in covariances.reduce(0) { $0 + $1[lag] } }
    return sums.map { $0 / sums[0] }
  }

  /// The first and the second half of every chain; the middle draw of an odd number is left out.
  private static func split(_ chains: [[Double]]) -> [[Double]] {
    let half = (chains.first?.count ?? 0) / 2
    return chains.flatMap { [Array($0.prefix(half)), Array($0.suffix(half))] }
  }

  /// The normal scores of the ranks of all values; equal values share their mean rank.
  private static func rankNormalized(_ chains: [[Double]]) -> [[Double]] {
    let length = chains[0].count
    let values = chains.flatMap { $0 }
    let order = values.indices.sorted { values[$0] < values[$1] }
    var scores = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
      let rank = Double(start + 1 + end) / 2
      let score = NormalDistribution.quantile((rank - 0.375) / (Double(values.count) + 0.25))
      for position in start..<end { scores[order[position]] = score }
      start = end
    }
    return chains.indices.map { Array(scores[$0 * length..<($0 + 1) * length]) }
  }

  /// The quantile of sorted values, interpolated linearly between order statistics.
  private static func quantile(_ sorted: [Double], _ probability: Double) -> Double {
    let position = probability * Double(sorted.count - 1)
    let lower = Int(position)
    let fraction = position - Double(lower)
    return lower + 1 < sorted.count
      ? sorted[lower] * (1 - fraction) + sorted[lower + 1] * fraction : sorted[lower]
  }

  private struct Moments {
    let within: Double
    let total: Double
    let centred: [[Double]]

    init(_ chains: [[Double]]) {
      let length = Double(chains[0].count)
      let means = chains.map { $0.reduce(0, +) / length }
      centred = zip(chains, means).map { values, mean in values.map { $0 - mean } }
      let variances = centred.map { values in values.reduce(0) { $0 + $1 * $1 } / (length - 1) }
      within = variances.reduce(0, +) / Double(chains.count)
      let mean = means.reduce(0, +) / Double(chains.count)
      let between = length * means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(chains.count - 1)
      total = (length - 1) / length * within + between / length
    }
  }

  private static func rHat(_ chains: [[Double]]) -> Double {
    let moments = Moments(chains)
    return (moments.total / moments.within).squareRoot()
  }

  private static func effectiveSampleSize(_ chains: [[Double]]) -> Double {
    let draws = Double(chains.count * chains[0].count)
    // An indicator that is the same everywhere says nothing against the draws.
    guard let first = chains.first?.first, chains.contains(where: { $0.contains { $0 != first } }) else {
      return draws
    }
    let moments = Moments(chains)
    let covariances = moments.centred.map(autocovariances)
    let correlation = (0..<chains[0].count).map { lag in
      lag == 0
        ? 1
        : 1 - (moments.within - covariances.reduce(0) { $0 + $1[lag] } / Double(chains.count)) / moments.total
    }
    // Antithetic chains can have a time below 1; the bound is that of the paper.
    return draws / max(autocorrelationTime(correlation), 1 / log10(draws))
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
