import Audits
import Datasets
import Solvers

/// An equation whose data can be audited: one conformance per equation.
protocol AuditableConfiguration: EquationConfiguration {
  /// Values for required keys of the section `equation` that a file of others may not state.
  static var placeholders: [(key: String, value: String)] { get }
  /// The names that files of others give to keys, in small letters.
  static var symbols: [String: String] { get }
  /// The value of a key that a parameter of a file of others states.
  static func value(of parameter: DatasetDescription.Parameter, in layout: FileLayout) -> Double

  /// The equation as a file states it; what it does not state is nil there.
  func audited(_ statement: FileStatement) -> any AuditedEquation
}

extension AuditableConfiguration {
  static var symbols: [String: String] { ["viscosity": "nu"] }

  static func value(of parameter: DatasetDescription.Parameter, in layout: FileLayout) -> Double {
    parameter.value
  }
}

extension BurgersConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] { [("viscosity", "1"), ("times", "[1]")] }

  /// PDEBench's equation is u_t + (u²/2)_x = (Nu/π) u_xx (Takamoto et al., NeurIPS 2022).
  static func value(of parameter: DatasetDescription.Parameter, in layout: FileLayout) -> Double {
    layout == .pdebench && parameter.name == "Nu" ? parameter.value / .pi : parameter.value
  }

  func audited(_ statement: FileStatement) -> any AuditedEquation {
    AuditedBurgers(
      viscosity: statement.stated("equation.viscosity", viscosity),
      solverGrid: statement.solverGrid, law: statement.law(evolution.prior),
      timeStepping: evolution.timeStepping, length: statement.description.axes.first?.periodicLength)
  }
}

extension NavierStokesConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] { [("viscosity", "1"), ("times", "[1]")] }

  func audited(_ statement: FileStatement) -> any AuditedEquation {
    AuditedNavierStokes(
      viscosity: statement.stated("equation.viscosity", viscosity), forcing: solverForcing,
      solverGrid: statement.solverGrid, law: statement.law(prior), timeStepping: timeStepping,
      dealiasing: dealiasing)
  }
}

extension DarcyConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] { [] }

  func audited(_ statement: FileStatement) -> any AuditedEquation {
    AuditedDarcy(
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
