import Audits
import Tensors
import Testing

/// The check `equation`: frames that do not follow from each other, and what happened to them.
@Suite struct EquationTests {
  @Test(arguments: [
    AuditedFile.burgers, AuditedFile.navierStokes, AuditedFile.coarseNavierStokes, AuditedFile.darcy,
    AuditedFile.coarseDarcy,
  ])
  func cleanFilesPassEverything(config: String) throws {
    for seed in [1, 2, 3] {
      let report = try AuditedFile.audit(config, ["seed=\(seed)"])
      #expect(report.complaints == [], "seed \(seed)")
      #expect(report[.equation]?.verdict == .pass)
      #expect(report[.parameter]?.verdict == .pass)
    }
  }

  /// Steps that a loose tolerance chose, carried from frame to frame, are others than those chosen from a frame alone.
  @Test func looselySteppedFlowsPassAndWrongOnesAreFound() throws {
    let config = """
      equation: {kind: navier-stokes, viscosity: 1e-3, final_time: 8, frames: 8}
      solver: {kind: etdrk4, tolerance: 1e-4}
      grid: 64
      stored_grid: 32
      samples: 6
      seed: 0
      output: data.h5
      """
    let report = try AuditedFile.audit(config)
    #expect(report.complaints == [])
    let altered = try AuditedFile.audit(config) { sample, fields in
      if sample == 4 { fields[0].multiply(frame: 5, by: 1.01) }
    }
    #expect(altered.samples(.equation) == [4])
    #expect(
      try AuditedFile.audit(config, stated: ["equation.viscosity=1.1e-3"])[.parameter]?.verdict == .fail)
  }

  @Test func aFlippedFrameIsFound() throws {
    for config in [AuditedFile.burgers, AuditedFile.navierStokes] {
      let report = try AuditedFile.audit(config) { sample, fields in
        if sample == 7 { fields[0].multiply(frame: 1, by: -1) }
      }
      #expect(report.finds(.equation, sample: 7, frame: 1, "its sign looks flipped"))
      #expect(report.samples(.equation) == [7])
    }
  }

  @Test func aFlippedSampleIsFound() throws {
    for config in [AuditedFile.burgers, AuditedFile.navierStokes, AuditedFile.coarseNavierStokes] {
      let report = try AuditedFile.audit(config) { sample, fields in
        if sample == 3 { fields[0].multiply(by: -1) }
      }
      #expect(report.finds(.equation, sample: 3, "its sign looks flipped"))
      #expect(report.samples(.equation) == [3])
    }
    for config in [AuditedFile.darcy, AuditedFile.coarseDarcy] {
      let report = try AuditedFile.audit(config) { sample, fields in
        if sample == 3 { fields[1].multiply(by: -1) }
      }
      #expect(report.finds(.equation, sample: 3, "the sign of 'pressure' looks flipped"))
      #expect(report.finds(.maximumPrinciple, sample: 3, "has the wrong sign"))
      #expect(report.samples(.equation) == [3])
    }
  }

  @Test func aScaledSampleIsFound() throws {
    for config in [AuditedFile.burgers, AuditedFile.navierStokes] {
      let report = try AuditedFile.audit(config) { sample, fields in
        if sample == 5 { fields[0].multiply(by: 2) }
      }
      #expect(report.finds(.equation, sample: 5, "it looks multiplied by 2"))
      #expect(report.samples(.equation) == [5])
      let frame = try AuditedFile.audit(config) { sample, fields in
        if sample == 5 { fields[0].multiply(frame: 2, by: 3) }
      }
      #expect(frame.finds(.equation, sample: 5, frame: 2, "it looks multiplied by 3"))
    }
    for config in [AuditedFile.darcy, AuditedFile.coarseDarcy] {
      let report = try AuditedFile.audit(config) { sample, fields in
        if sample == 5 { fields[1].multiply(by: 2) }
      }
      #expect(report.finds(.equation, sample: 5, "'pressure' looks multiplied by 2"))
      #expect(report.samples(.equation) == [5])
    }
  }

  @Test func swappedAxesAreFound() throws {
    for config in [AuditedFile.navierStokes, AuditedFile.coarseNavierStokes] {
      let frame = try AuditedFile.audit(config) { sample, fields in
        if sample == 2 { fields[0].transpose(frame: 1) }
      }
      #expect(frame.finds(.equation, sample: 2, frame: 1, "it looks transposed (axes x and y exchanged)"))
      let sample = try AuditedFile.audit(config) { sample, fields in
        if sample == 2 { fields[0].transpose() }
      }
      #expect(sample.finds(.equation, sample: 2, "it looks transposed (axes x and y exchanged)"))
      #expect(sample.samples(.equation) == [2])
    }
    for config in [AuditedFile.darcy, AuditedFile.coarseDarcy] {
      let report = try AuditedFile.audit(config) { sample, fields in
        if sample == 2 { fields[1].transpose() }
      }
      #expect(
        report.finds(
          .equation, sample: 2, "'pressure' looks transposed against 'permeability' (axes x and y exchanged)")
      )
    }
  }

  @Test func everySampleOfAFileMayBeTransposed() throws {
    let report = try AuditedFile.audit(AuditedFile.navierStokes) { _, fields in fields[0].transpose() }
    #expect(report[.equation]?.failures == 12)
    #expect(report.finds(.equation, sample: 0, "it looks transposed"))
  }

  @Test func oneWrongNumberInsideIsFound() throws {
    let report = try AuditedFile.audit(AuditedFile.darcy) { sample, fields in
      if sample == 4 { fields[1][16, 9] *= 1.001 }
    }
    #expect(report.finds(.equation, sample: 4, "the residual of the equation"))
    let point = report[.equation]?.findings.first?.place?.point ?? []
    #expect(abs(point[0] - 16) + abs(point[1] - 9) <= 1)
  }
}
