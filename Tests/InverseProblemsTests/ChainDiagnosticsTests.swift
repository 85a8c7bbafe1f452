import InverseProblems
import Tensors
import Testing

@Suite struct ChainDiagnosticsTests {
  struct Reference: Sendable {
    let coefficient: Double
    let chains: Int
    let length: Int
    let effectiveSampleSize: Double
    let splitRHat: Double
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
      coefficient: 0, chains: 3, length: 500, effectiveSampleSize: 1424.212279993419,
      splitRHat: 0.9982802290961624),
    Reference(
      coefficient: 0, chains: 2, length: 20, effectiveSampleSize: 64.08239965311849,
      splitRHat: 0.9510749818687159),
    Reference(
      coefficient: 0.9, chains: 3, length: 500, effectiveSampleSize: 105.34184466329134,
      splitRHat: 1.0029311494056443),
    Reference(
      coefficient: 0.9, chains: 2, length: 20, effectiveSampleSize: 17.05102970013277,
      splitRHat: 0.9867409953360706),
    Reference(
      coefficient: -0.5, chains: 3, length: 500, effectiveSampleSize: 4359.4437473783155,
      splitRHat: 0.9980999916709543),
    Reference(
      coefficient: -0.5, chains: 2, length: 20, effectiveSampleSize: 64.08239965311849,
      splitRHat: 0.9527937120526553),
  ])
  func agreesWithArviZ(reference: Reference) {
    let chains = (1...reference.chains).map {
      chain(reference.coefficient, reference.length, seed: UInt64($0))
    }
    let diagnostics = ChainDiagnostics(chains)
    // The same formulas in another order of summation.
    #expect(abs(diagnostics.splitRHat - reference.splitRHat) < 1e-10)
    #expect(abs(diagnostics.effectiveSampleSize / reference.effectiveSampleSize - 1) < 1e-9)
  }

  @Test func chainsThatDisagreeAreFound() {
    let near = chain(0, 200, seed: 1)
    let far = chain(0, 200, seed: 2).map { $0 + 3 }
    #expect(ChainDiagnostics([near, far]).splitRHat > 2)
  }

  @Test func aChainThatNeverMovesHasNoDiagnostics() {
    let diagnostics = ChainDiagnostics([[Double](repeating: 1, count: 100)])
    #expect(diagnostics.splitRHat.isNaN && diagnostics.effectiveSampleSize.isNaN)
    #expect(ChainDiagnostics([[1, 2, 3]]).splitRHat.isNaN)
  }
}
