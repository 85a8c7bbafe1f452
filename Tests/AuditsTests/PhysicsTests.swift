import Audits
import Datasets
import Tensors
import TestSupport
import Testing

/// The checks of boundary values, the maximum principle, conservation, energy and the spectrum's tail.
@Suite struct PhysicsTests {
  /// As in a published file: one boundary value of −0.43 beside zeros.
  @Test func aBoundaryValueThatIsNotZeroIsFound() throws {
    for config in [AuditedFile.darcy, AuditedFile.coarseDarcy] {
      let report = try AuditedFile.audit(config) { sample, fields in
        if sample == 6 { fields[1][0, 17] = -0.43 }
      }
      #expect(report.finds(.boundaryValues, sample: 6, "a boundary value is -0.43 instead of 0"))
      #expect(report[.boundaryValues]?.findings.first?.place?.point == [0, 17])
      #expect(report.finds(.maximumPrinciple, sample: 6, "its value -0.43 has the wrong sign"))
      #expect(
        report.finds(.equation, sample: 6, "of the equation")
          || report.finds(.equation, sample: 6, "not the solution"))
      #expect(report.samples(.boundaryValues) == [6] && report.samples(.equation) == [6])
    }
  }

  @Test func aPressureAboveItsBoundIsFound() throws {
    let report = try AuditedFile.audit(AuditedFile.darcy) { sample, fields in
      if sample == 1 { fields[1].multiply(by: 10) }
    }
    #expect(report.finds(.maximumPrinciple, sample: 1, "is above the bound"))
  }

  @Test func growingExtremesAreFound() throws {
    let report = try AuditedFile.audit(AuditedFile.burgers) { sample, fields in
      if sample == 8 { fields[0].multiply(frame: 1, by: 1.5) }
    }
    #expect(report.finds(.maximumPrinciple, sample: 8, frame: 1, "beyond the extremes of the frame before"))
    #expect(report.finds(.energy, sample: 8, frame: 1, "its root mean square is"))
    #expect(report.samples(.maximumPrinciple) == [8])
  }

  @Test func energyFromNowhereIsFound() throws {
    let report = try AuditedFile.audit(AuditedFile.navierStokes) { sample, fields in
      if sample == 8 { fields[0].multiply(frame: 2, by: 2) }
    }
    #expect(report.finds(.energy, sample: 8, frame: 2, "can come from the frame before"))
    #expect(report.samples(.energy) == [8])
    #expect(report[.maximumPrinciple]?.message == "solutions of navier-stokes have no maximum principle")
  }

  @Test func aMeanThatDriftsIsFound() throws {
    for config in [AuditedFile.burgers, AuditedFile.navierStokes, AuditedFile.coarseNavierStokes] {
      let report = try AuditedFile.audit(config) { sample, fields in
        guard sample == 9 else { return }
        let size = fields[0].count / 3
        fields[0].withUnsafeMutableBuffer { values in
          for index in 2 * size..<3 * size { values[index] += 0.01 }
        }
      }
      #expect(report.finds(.conservation, sample: 9, frame: 2, "the mean has changed by 0.01"))
      #expect(report.samples(.conservation) == [9])
    }
  }

  @Test func aFieldThatTheGridDoesNotHoldIsAWarning() throws {
    let report = try AuditedFile.audit(AuditedFile.burgers) { sample, fields in
      guard sample == 2 else { return }
      for index in 0..<64 { fields[0][1, index] += index % 2 == 0 ? 0.05 : -0.05 }
    }
    #expect(report[.spectrumTail]?.verdict == .warn)
    #expect(report[.spectrumTail]?.worst == Place(sample: 2, field: "u", frame: 1))
    #expect(report[.spectrumTail]?.message.contains("the highest eighth of the wave numbers carries") == true)
  }
}
