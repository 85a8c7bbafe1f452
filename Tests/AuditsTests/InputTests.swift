import Audits
import Testing

/// The checks of the inputs: their law, the values of coefficients, outliers.
@Suite struct InputTests {
  @Test func aScaledInputHasTheWrongPower() throws {
    for config in [AuditedFile.burgers, AuditedFile.navierStokes, AuditedFile.coarseNavierStokes] {
      let report = try AuditedFile.audit(config) { sample, fields in
        if sample == 4 { fields[0].multiply(by: 2) }
      }
      #expect(report.finds(.inputs, sample: 4, frame: 0, "times the power of the stated law"))
      #expect(report.samples(.inputs) == [4])
    }
  }

  @Test func aWrongLawIsFound() throws {
    // One of the three normalisations that the Navier-Stokes prior has had: half the variance.
    let normalization = try AuditedFile.audit(
      AuditedFile.navierStokes, stated: ["prior.normalization=port2022"])
    #expect(normalization[.inputs]?.verdict == .fail)
    #expect(normalization[.equation]?.verdict == .pass)
    // A spectrum that falls more steeply: no sample has a wrong power by itself, wave numbers have.
    let slope = try AuditedFile.audit(AuditedFile.burgers, stated: ["prior.alpha=1.7", "prior.sigma=9"])
    #expect(slope[.inputs]?.verdict == .fail)
  }

  @Test func aMeanThatIsNotZeroIsFound() throws {
    let report = try AuditedFile.audit(AuditedFile.navierStokes) { sample, fields in
      guard sample == 4 else { return }
      fields[0].withUnsafeMutableBuffer { values in for index in values.indices { values[index] += 0.1 } }
    }
    #expect(report.finds(.inputs, sample: 4, "it has not the stated mean"))
  }

  @Test func aCoefficientThatIsNotAsStatedIsFound() throws {
    let scaled = try AuditedFile.audit(AuditedFile.darcy) { sample, fields in
      if sample == 11 { for index in fields.indices { fields[index].multiply(by: 2) } }
    }
    #expect(scaled.finds(.inputs, sample: 11, ", not 3 or 12"))
    #expect(scaled.finds(.equation, sample: 11, "'pressure' looks multiplied by 4, or 'permeability' is"))
    // The data of a paper, whose script says 4 where its data have 3.
    let stated = try AuditedFile.audit(AuditedFile.darcy, stated: ["equation.permeability_below=4"])
    #expect(stated[.inputs]?.failures == 20)
    #expect(stated[.inputs]?.findings.first?.text == "a value is 3, not 4 or 12")
    let negative = try AuditedFile.audit(AuditedFile.coarseDarcy) { sample, fields in
      if sample == 11 { fields[0][3, 3] = -3 }
    }
    #expect(negative.finds(.inputs, sample: 11, "a value is -3, not 3 or 12"))
    #expect(negative[.equation]?.samples == 19, "a coefficient that is not positive cannot be solved with")
  }

  @Test func aLogNormalCoefficientThatIsNotAsStatedIsFound() throws {
    for config in [AuditedFile.logNormalDarcy, AuditedFile.coarseLogNormalDarcy] {
      let right = try AuditedFile.audit(config)
      #expect(right.complaints.isEmpty)
      #expect(right[.inputs]?.verdict == .pass && right[.equation]?.verdict == .pass)
      #expect(right[.maximumPrinciple]?.verdict == .pass && right[.parameter]?.verdict == .pass)
      #expect(right[.inputs]?.message == "the logarithms of 'permeability' have the stated mean and spectrum")
    }
    // So smooth that the two means on faces agree better than the stored points do with the solver's.
    let smooth = try AuditedFile.audit(AuditedFile.coarseLogNormalDarcy, ["prior.sigma=3"])
    #expect(smooth.complaints.isEmpty)
    let scaled = try AuditedFile.audit(AuditedFile.logNormalDarcy) { sample, fields in
      if sample == 11 { for index in fields.indices { fields[index].multiply(by: 2) } }
    }
    #expect(scaled.finds(.inputs, sample: 11, "its logarithm has not the stated mean"))
    #expect(scaled.samples(.inputs) == [11])
    // Twice the logarithm: the stated median, but four times the power.
    let steep = try AuditedFile.audit(AuditedFile.logNormalDarcy, stated: ["prior.sigma=5"])
    #expect(steep[.inputs]?.failures == 20 && steep[.equation]?.verdict == .pass)
    let slope = try AuditedFile.audit(AuditedFile.logNormalDarcy, stated: ["prior.alpha=2.2"])
    #expect(slope[.inputs]?.verdict == .fail)
    let negative = try AuditedFile.audit(AuditedFile.logNormalDarcy) { sample, fields in
      if sample == 11 { fields[0][3, 3] = -3 }
    }
    #expect(negative.finds(.inputs, sample: 11, "the coefficient is -3, not positive"))
    // A file of two values that claims to be log-normal.
    let other = try AuditedFile.audit(
      AuditedFile.darcy, stated: ["equation.coefficient=log-normal", "prior.sigma=10"])
    #expect(other[.inputs]?.verdict == .fail)
  }

  @Test func outliersAreAWarning() throws {
    let report = try AuditedFile.audit(AuditedFile.burgers) { sample, fields in
      if sample == 0 { fields[0].multiply(by: 0) }
      if sample == 13 { fields[0].multiply(by: 1000) }
    }
    #expect(report[.outliers]?.verdict == .warn)
    #expect(report.samples(.outliers) == [0, 13])
    #expect(report[.outliers]?.findings.first?.text == "it is zero everywhere")
  }
}
