import Audits
import Datasets
import Solvers

/// An equation whose data can be audited: one conformance per equation.
protocol AuditableConfiguration: EquationConfiguration {
  /// Values for required keys of the section `equation` that a file of others may not state.
  static var placeholders: [(key: String, value: String)] { get }
  /// The names that files of others give to keys, in small letters.
  static var symbols: [String: String] { get }

  /// The equation as a file states it; what it does not state is nil there.
  func audited(_ statement: FileStatement) -> any AuditedEquation
}

extension AuditableConfiguration {
  static var symbols: [String: String] { ["viscosity": "nu"] }
}

extension BurgersConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] { [("viscosity", "1"), ("times", "[1]")] }

  func audited(_ statement: FileStatement) -> any AuditedEquation {
    AuditedBurgers(
      fields: statement.evolutionFields("u"), viscosity: statement.stated("equation.viscosity", viscosity),
      solverGrid: statement.solverGrid, law: statement.law(evolution.prior),
      timeStepping: evolution.timeStepping, length: statement.description.axes.first?.periodicLength)
  }
}

extension NavierStokesConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] { [("viscosity", "1"), ("times", "[1]")] }

  func audited(_ statement: FileStatement) -> any AuditedEquation {
    AuditedNavierStokes(
      fields: statement.evolutionFields("vorticity"),
      viscosity: statement.stated("equation.viscosity", viscosity), forcing: solverForcing,
      solverGrid: statement.solverGrid, law: statement.law(prior), timeStepping: timeStepping,
      dealiasing: dealiasing)
  }
}

extension DarcyConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] { [] }

  func audited(_ statement: FileStatement) -> any AuditedEquation {
    AuditedDarcy(
      permeability: statement.field("coefficient", among: ["permeability", "coeff", "nu", "a", "x"])
        ?? "permeability",
      pressure: statement.field("solution", among: ["pressure", "sol", "tensor", "u", "y"]) ?? "pressure",
      source: statement.stated("equation.source", source),
      faceCoefficient: statement.stated("solver.face_coefficient", faceCoefficient), tolerance: tolerance,
      solverGrid: statement.solverGrid, coefficient: coefficient(statement))
  }

  /// What is stated of the permeability.
  private func coefficient(_ statement: FileStatement) -> AuditedDarcy.Coefficient? {
    switch coefficient {
    case .piecewise(let above, let below):
      statement.states("equation.permeability_above") && statement.states("equation.permeability_below")
        ? .values([below, above]) : nil
    case .logNormal(let median): statement.law(prior).map { .logNormal(median: median, $0) }
    }
  }
}

extension DatasetDescription.Axis {
  /// The period of a periodic axis: the spacing times the number of points; nil if the file does not say.
  var periodicLength: Double? {
    guard isPeriodic == true, let coordinates, count > 1 else { return nil }
    return (coordinates[count - 1] - coordinates[0]) * Double(count) / Double(count - 1)
  }
}
