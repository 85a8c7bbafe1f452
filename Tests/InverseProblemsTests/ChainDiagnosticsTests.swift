import Foundation
import InverseProblems
import Tensors
import Testing

@Suite struct ChainDiagnosticsTests {
  /// What is done to the sequence: a skewed law, or values with many ties.
  enum Values: Sendable { case plain, skewed, ties }

  struct Reference: Sendable {
    let values: Values
    let coefficient: Double
    let chains: Int
    let length: Int
    let bulk: Double
    let tail: Double
    let mean: Double
    let rHat: Double
  }

  /// The same sequence as in Tests/Golden/chain_diagnostics.py, which printed the reference values.
  private func chain(_ coefficient: Double, _ length: Int, seed: UInt64) -> [Double] {
    var state = seed
    var value = 0.0
    return (0..<length).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      value = coefficient * value + (Double(state >> 11) * 0x1p-53 - 0.5)
      return value
    }
  }

  @Test(arguments: [
    Reference(
      values: .plain, coefficient: 0.0, chains: 3, length: 501, bulk: 1455.5434169446244,
      tail: 1464.2804987481773,
      mean: 1423.8233987842234, rHat: 0.99958156803097),
    Reference(
      values: .skewed, coefficient: 0.0, chains: 3, length: 501, bulk: 1455.5434169446244,
      tail: 1464.2804987481773,
      mean: 1510.437800897229, rHat: 0.9990733315969722),
    Reference(
      values: .ties, coefficient: 0.0, chains: 3, length: 501, bulk: 1315.67128675268,
      tail: 1492.2436905467516,
      mean: 1315.672800198025, rHat: 0.9994294614770115),
    Reference(
      values: .plain, coefficient: 0.0, chains: 2, length: 20, bulk: 64.08239965311849,
      tail: 43.93939393939394,
      mean: 64.08239965311849, rHat: 1.015687068724342),
    Reference(
      values: .skewed, coefficient: 0.0, chains: 2, length: 20, bulk: 64.08239965311849,
      tail: 43.93939393939394,
      mean: 64.08239965311849, rHat: 1.0050024747203807),
    Reference(
      values: .ties, coefficient: 0.0, chains: 2, length: 20, bulk: 64.08239965311849, tail: 40,
      mean: 64.08239965311849, rHat: 1.0099504938362078),
    Reference(
      values: .plain, coefficient: 0.9, chains: 3, length: 501, bulk: 106.39443127412333,
      tail: 207.15970409818732,
      mean: 105.19353039565378, rHat: 1.017835540270573),
    Reference(
      values: .skewed, coefficient: 0.9, chains: 3, length: 501, bulk: 106.39443127412333,
      tail: 207.15970409818732,
      mean: 160.493268711143, rHat: 1.0196905375091359),
    Reference(
      values: .ties, coefficient: 0.9, chains: 3, length: 501, bulk: 112.55114045550937,
      tail: 206.7383290198618,
      mean: 111.72301713098955, rHat: 1.0233888599318883),
    Reference(
      values: .plain, coefficient: 0.9, chains: 2, length: 20, bulk: 18.27548738442066,
      tail: 21.37767220902613,
      mean: 17.05102970013277, rHat: 1.0922798885700173),
    Reference(
      values: .skewed, coefficient: 0.9, chains: 2, length: 20, bulk: 18.27548738442066,
      tail: 21.37767220902613,
      mean: 13.365930880833465, rHat: 1.0948403329822494),
    Reference(
      values: .ties, coefficient: 0.9, chains: 2, length: 20, bulk: 19.64744555851774,
      tail: 38.222222222222236,
      mean: 18.95881895881896, rHat: 1.1498189612005092),
    Reference(
      values: .plain, coefficient: -0.5, chains: 3, length: 501, bulk: 4764.136888583522,
      tail: 1466.8305880289554,
      mean: 4328.378991903835, rHat: 1.0004016786316128),
    Reference(
      values: .skewed, coefficient: -0.5, chains: 3, length: 501, bulk: 4764.136888583522,
      tail: 1466.8305880289554,
      mean: 3697.9090333962367, rHat: 1.0000688318722202),
    Reference(
      values: .ties, coefficient: -0.5, chains: 3, length: 501, bulk: 3259.3182787612473,
      tail: 1517.0670037926675,
      mean: 3294.091740699865, rHat: 1.0002850678566786),
    Reference(
      values: .plain, coefficient: -0.5, chains: 2, length: 20, bulk: 64.08239965311849,
      tail: 43.93939393939394,
      mean: 64.08239965311849, rHat: 0.9853328045997655),
    Reference(
      values: .skewed, coefficient: -0.5, chains: 2, length: 20, bulk: 64.08239965311849,
      tail: 43.93939393939394,
      mean: 64.08239965311849, rHat: 0.9834637048999348),
    Reference(
      values: .ties, coefficient: -0.5, chains: 2, length: 20, bulk: 64.08239965311849, tail: 40,
      mean: 64.08239965311849, rHat: 0.981748331923229),
  ])
  func agreesWithArviZ(reference: Reference) {
    let chains = (1...reference.chains).map { seed in
      chain(reference.coefficient, reference.length, seed: UInt64(seed)).map { value in
        switch reference.values {
        case .plain: value
        case .skewed: exp(2 * value)
        case .ties: (2 * value).rounded(.toNearestOrEven) / 2
        }
      }
    }
    let diagnostics = ChainDiagnostics(chains)
    // The same formulas in another order of summation, and another approximation of the normal quantile.
    #expect(abs(diagnostics.bulkESS / reference.bulk - 1) < 1e-9)
    #expect(abs(diagnostics.tailESS / reference.tail - 1) < 1e-9)
    #expect(abs(diagnostics.meanESS / reference.mean - 1) < 1e-9)
    #expect(abs(diagnostics.rHat - reference.rHat) < 1e-10)
    let halves = Double(reference.chains * (reference.length / 2 * 2))
    #expect(abs(diagnostics.autocorrelationTime - halves / diagnostics.meanESS) < 1e-9)
  }

  @Test func chainsThatDisagreeAreFound() {
    let near = chain(0, 200, seed: 1)
    let far = chain(0, 200, seed: 2).map { $0 + 3 }
    #expect(ChainDiagnostics([near, far]).rHat > 1.5)
    // The same centre but another width: only the folded values show it.
    let wide = chain(0, 200, seed: 3).map { 5 * $0 }
    #expect(ChainDiagnostics([near, wide]).rHat > 1.2)
  }

  @Test func aChainThatNeverMovesHasNoDiagnostics() {
    let diagnostics = ChainDiagnostics([[Double](repeating: 1, count: 100)])
    #expect(diagnostics.rHat.isNaN && diagnostics.bulkESS.isNaN && diagnostics.meanESS.isNaN)
    #expect(ChainDiagnostics([[1, 2, 3]]).rHat.isNaN)
  }

  @Test func autocorrelationsOfAnAutoregressiveSequenceDecayGeometrically() {
    let chains = (1...4).map { chain(0.8, 20_000, seed: UInt64($0)) }
    let correlations = ChainDiagnostics.autocorrelations(chains, lags: 6)
    #expect(correlations.count == 7 && correlations[0] == 1)
    for (lag, correlation) in correlations.enumerated() {
      // The standard error is about √(time / draws) = √(9 / 80,000) = 0.01.
      #expect(abs(correlation - pow(0.8, Double(lag))) < 0.05)
    }
  }
}
