import Audits
import Datasets
import Experiments
import Foundation
import Tensors
import TestSupport
import Testing

/// The checks `duplicates` and `leakage`.
@Suite struct DuplicatesTests {
  private func noisy(_ field: Tensor<Double>, by size: Double) -> Tensor<Double> {
    var field = field
    field.withUnsafeMutableBuffer { values in
      for index in values.indices { values[index] *= 1 + (index % 2 == 0 ? size : -size) }
    }
    return field
  }

  @Test func equalAndNearlyEqualInputsAreFound() throws {
    for config in [AuditedFile.burgers, AuditedFile.navierStokes, AuditedFile.darcy] {
      let source = try sampleSource(config)
      let copies = (equal: try source.sample(2), near: try source.sample(4))
      let report = try AuditedFile.audit(config) { sample, fields in
        if sample == 9 { fields = copies.equal }
        if sample == 11 { fields = copies.near.map { noisy($0, by: 2e-4) } }
      }
      #expect(report.finds(.duplicates, sample: 9, "its input is that of sample 2"))
      #expect(report.finds(.duplicates, sample: 11, "its input is that of sample 4 nearly (distance 0.0002)"))
      #expect(report.samples(.duplicates) == [9, 11])
    }
  }

  /// Five copies of one input: each is reported once, against the first.
  @Test func manyCopiesAreReportedOnceEach() throws {
    let source = try sampleSource(AuditedFile.burgers)
    let copy = try source.sample(3)
    let report = try AuditedFile.audit(AuditedFile.burgers) { sample, fields in
      if sample > 14 { fields = copy.map { noisy($0, by: 1e-5 * Double(sample)) } }
    }
    #expect(report[.duplicates]?.failures == 5)
    #expect(report[.duplicates]?.message == "5 of 20 inputs occur before")
    #expect(report[.duplicates]?.findings.allSatisfy { $0.text.contains("that of sample 3 nearly") } == true)
  }

  private func leakage(
    _ config: String, other: [String], change: @escaping @Sendable (Int, inout [Tensor<Double>]) -> Void
  ) throws -> AuditReport {
    try withTemporaryFolder { folder in
      let (train, test) = ("\(folder)/train.h5", "\(folder)/test.h5")
      try AuditedFile.make(config, at: train)
      try AuditedFile.make(config, other, at: test, change: change)
      return try AuditStage.report(
        AuditStage.Request(path: train, other: test), Console(isQuiet: true, isLive: false))
    }
  }

  @Test func inputsOfTwoFilesAreCompared() throws {
    let source = try sampleSource(AuditedFile.darcy)
    let copy = try source.sample(6)
    let leak = try leakage(AuditedFile.darcy, other: ["seed=5"]) { sample, fields in
      if sample == 3 { fields = copy }
    }
    let result = leak[.leakage]
    #expect(result?.verdict == .fail && result?.failures == 1)
    #expect(result?.worst == Place(sample: 6))
    #expect(result?.message.contains("test.h5 has its input") == true)
    let clean = try leakage(AuditedFile.darcy, other: ["seed=5"]) { _, _ in }
    #expect(clean[.leakage]?.verdict == .pass)
  }

  /// The same samples on another grid and in another precision: compared on the points that both have.
  @Test func otherGridsAndPrecisionsDoNotHideALeak() throws {
    let leak = try leakage(
      AuditedFile.burgers, other: ["stored_grid=32", "samples=8", "precision=double"]
    ) { _, _ in }
    #expect(leak[.leakage]?.failures == 8)
    let none = try leakage(AuditedFile.burgers, other: ["grid=96", "stored_grid=48"]) { _, _ in }
    #expect(none[.leakage]?.verdict == .notApplicable)
    #expect(none[.leakage]?.message == "the grids [64] and [48] have no common points")
  }
}
