import Audits
import Testing

/// The check `parameter`: the value that the data have, against the stated one.
@Suite struct ParameterTests {
  @Test(arguments: [1.1, 0.9])
  func aViscosityThatIsTenPerCentOffIsFound(factor: Double) throws {
    for (config, viscosity) in [
      (AuditedFile.burgers, 0.1), (AuditedFile.navierStokes, 1e-2), (AuditedFile.coarseNavierStokes, 1e-2),
    ] {
      let report = try AuditedFile.audit(config, stated: ["equation.viscosity=\(factor * viscosity)"])
      #expect(report[.statements]?.verdict == .pass, "attributes and configuration agree on the wrong value")
      let result = report[.parameter]
      #expect(result?.verdict == .fail)
      #expect(
        result?.message.hasPrefix("the viscosity fitted to the data is \(viscosity)") == true,
        "\(result?.message ?? "")")
      #expect(result?.message.contains(factor > 1 ? "below the stated" : "above the stated") == true)
      #expect(report.finds(.equation, sample: nil, "most samples do not follow with the stated viscosity"))
    }
  }

  @Test func aSourceThatIsTenPerCentOffIsFound() throws {
    for config in [AuditedFile.darcy, AuditedFile.coarseDarcy] {
      let report = try AuditedFile.audit(config, stated: ["equation.source=1.1"])
      #expect(report[.parameter]?.verdict == .fail)
      #expect(report[.parameter]?.message.contains("not the stated 1.1") == true)
    }
  }
}
