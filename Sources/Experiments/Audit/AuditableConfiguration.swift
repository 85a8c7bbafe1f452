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
  ///
  /// - Throws: `SolverError.invalidProblem` for statements that make no problem.
  func audited(_ statement: FileStatement) throws -> any AuditedEquation
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

extension SemilinearConfiguration {
  /// What all equations of this form have in common; the length and the number of axes are those of the file.
  fileprivate func audited(
    _ statement: FileStatement, fitting parameter: AuditedParameter? = nil, hasMaximumPrinciple: Bool = false,
    length stated: Double,
    problem:
      @escaping @Sendable (
        _ grid: Int, _ axes: (count: Int, length: Double), _ times: [Double], _ parameter: Double,
        _ timeStepping: TimeStepping
      ) throws -> any SemilinearEquation
  ) throws -> AuditedSemilinear {
    let axes = statement.description.axes
    let count = min(2, max(1, axes.count))
    let length = axes.first?.periodicLength ?? stated
    return try AuditedSemilinear(
      name: Self.kind.rawValue, parameter: parameter, hasMaximumPrinciple: hasMaximumPrinciple,
      solverGrid: statement.solverGrid, law: statement.law(evolution.prior),
      timeStepping: evolution.timeStepping
    ) { grid, times, parameter, timeStepping in
      try problem(grid, (count, length), times, parameter, timeStepping)
    }
  }
}

extension KortewegDeVriesConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] { [("times", "[1]")] }

  func audited(_ statement: FileStatement) throws -> any AuditedEquation {
    try audited(statement, length: length) { grid, axes, times, _, timeStepping in
      try KortewegDeVries(grid: grid, length: axes.length, times: times, timeStepping: timeStepping)
    }
  }
}

extension KuramotoSivashinskyConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] { [("times", "[1]")] }

  func audited(_ statement: FileStatement) throws -> any AuditedEquation {
    try audited(statement, length: length) { grid, axes, times, _, timeStepping in
      try KuramotoSivashinsky(grid: grid, length: axes.length, times: times, timeStepping: timeStepping)
    }
  }
}

extension AllenCahnConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] {
    [("diffusivity", "1"), ("reaction_rate", "1"), ("times", "[1]")]
  }
  static var symbols: [String: String] { ["diffusivity": "d", "reaction_rate": "r"] }

  func audited(_ statement: FileStatement) throws -> any AuditedEquation {
    let reactionRate = reactionRate
    return try audited(
      statement,
      fitting: AuditedParameter(
        name: "diffusivity", stated: statement.stated("equation.diffusivity", diffusivity), range: 1e-6...1),
      length: length
    ) { grid, axes, times, diffusivity, timeStepping in
      try AllenCahn(
        grid: grid, dimensions: axes.count, length: axes.length, diffusivity: diffusivity,
        reactionRate: reactionRate, times: times, timeStepping: timeStepping)
    }
  }
}

extension AdvectionConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] { [("velocity", "[1]"), ("times", "[1]")] }
  static var symbols: [String: String] { ["velocity": "beta"] }

  /// What is fitted is the speed, in the stated direction: nearby only, for a wave that went round once more
  /// looks the same.
  func audited(_ statement: FileStatement) throws -> any AuditedEquation {
    let speed = velocity.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let direction = velocity.map { speed > 0 ? $0 / speed : 0 }
    return try audited(
      statement,
      fitting: AuditedParameter(
        name: "speed", stated: statement.stated("equation.velocity", speed > 0 ? speed : nil) ?? nil,
        range: nil),
      hasMaximumPrinciple: true, length: length
    ) { grid, axes, times, speed, timeStepping in
      try Advection(
        grid: grid, velocity: direction.map { speed * $0 }, length: axes.length, times: times,
        timeStepping: timeStepping)
    }
  }
}

extension HeatConfiguration: AuditableConfiguration {
  static var placeholders: [(key: String, value: String)] { [("diffusivity", "1"), ("times", "[1]")] }
  static var symbols: [String: String] { ["diffusivity": "kappa"] }

  func audited(_ statement: FileStatement) throws -> any AuditedEquation {
    try audited(
      statement,
      fitting: AuditedParameter(
        name: "diffusivity", stated: statement.stated("equation.diffusivity", diffusivity), range: 1e-6...1),
      hasMaximumPrinciple: true, length: length
    ) { grid, axes, times, diffusivity, timeStepping in
      try Heat(
        grid: grid, dimensions: axes.count, length: axes.length, diffusivity: diffusivity, times: times,
        timeStepping: timeStepping)
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
