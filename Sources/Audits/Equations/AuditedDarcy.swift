import Datasets
import Foundation
import Solvers
import Tensors

/// What an audit knows of Darcy flow, −∇·(a ∇u) = f on a square, u = 0 on its boundary.
public struct AuditedDarcy: AuditedEquation {
  /// Darcy flow.
  public var name: String { "darcy" }
  /// The domain is the unit square.
  public var lengths: [Double]? { [1, 1] }

  /// The field a.
  public let permeability: String
  /// The field u.
  public let pressure: String
  /// f; nil if the file does not say.
  public let source: Double?
  /// The coefficient between two vertices; nil if the file does not say.
  public let faceCoefficient: DarcyFlow.FaceCoefficient?
  /// The relative residual to which the linear system was solved.
  public let tolerance: Double
  /// The points per axis of the solver's grid; nil if the file does not say.
  public let solverGrid: Int?
  /// What the file states of the permeability, if anything.
  public let coefficient: Coefficient?

  /// What a permeability may be.
  public enum Coefficient: Sendable, Equatable {
    /// One of these values at every point.
    case values([Double])
    /// The median times the exponential of a Gaussian field with Neumann conditions.
    case logNormal(median: Double, AuditedLaw)
  }

  /// Darcy flow as a file states it; what it does not state is nil.
  public init(
    permeability: String = "permeability", pressure: String = "pressure", source: Double?,
    faceCoefficient: DarcyFlow.FaceCoefficient? = nil, tolerance: Double = 1e-6, solverGrid: Int? = nil,
    coefficient: Coefficient? = nil
  ) {
    self.permeability = permeability
    self.pressure = pressure
    self.source = source
    self.faceCoefficient = faceCoefficient
    self.tolerance = tolerance
    self.solverGrid = solverGrid
    self.coefficient = coefficient
  }

  /// The coefficient.
  public var inputField: String? { permeability }

  /// The stated values of the coefficient, the smaller one first.
  public var labels: [String: [Double]] {
    if case .values(let values) = coefficient { [permeability: values.sorted()] } else { [:] }
  }

  /// None: it is steady.
  public func trajectory(_ description: DatasetDescription) -> [Subject.FrameSource] { [] }

  /// Why the fields cannot be those of this equation, or nil.
  public func obstacle(_ subject: Subject) -> String? {
    let description = subject.description
    for field in [permeability, pressure] {
      guard let found = description.fields.first(where: { $0.name == field }) else {
        return "the file has no field '\(field)', which Darcy flow needs"
      }
      guard !found.isTimeVarying else { return "'\(field)' varies in time, Darcy flow is steady" }
    }
    guard description.axes.count == 2, description.grid[0] == description.grid[1], description.grid[0] >= 3
    else { return "the solver needs a square grid of two axes; the file has \(description.grid)" }
    for axis in description.axes {
      guard let coordinates = axis.coordinates, let first = coordinates.first, let last = coordinates.last,
        last > first
      else { continue }
      // Points in the middle of cells say nothing about the boundary, and not what the solver had.
      let half = 0.25 * (last - first) / Double(coordinates.count - 1)
      guard abs(first) < half || first < 0 else {
        return "its points are those of cells, from \(Words.number(first)) on: the boundary is not among them"
      }
    }
    return nil
  }

  /// Whether the file holds every point that the solver used.
  private func isComplete(_ subject: Subject) -> Bool { solverGrid == subject.description.grid[0] }

  /// The checks that look at every sample.
  public func sampleChecks(_ subject: Subject) -> [any SampleCheck] {
    var checks: [any SampleCheck] = [
      BoundaryValues(subject: subject, field: pressure),
      PressureBounds(subject: subject, permeability: permeability, pressure: pressure, source: source ?? 1),
      inputCheck(subject),
    ]
    if let source, isComplete(subject) {
      let residual = DarcyResidual(self, source: source, subject)
      checks += [residual, DarcySourceFit(residual)]
    }
    return checks
  }

  private func inputCheck(_ subject: Subject) -> any SampleCheck {
    switch coefficient {
    case .values(let values): return CoefficientValues(subject: subject, field: permeability, values: values)
    case .logNormal(let median, let law):
      if let solverGrid, (solverGrid - 1) % (subject.description.grid[0] - 1) == 0 {
        return InputLaw(
          LogNormalModes(
            subject: subject, field: permeability, drawnGrid: solverGrid, median: median,
            power: law.neumannPower))
      }
    case nil: break
    }
    return CoefficientValues(subject: subject, field: permeability, values: nil)
  }

  /// Solves again where points were left out.
  public func solvingChecks(_ solving: Solving) throws -> [CheckResult] {
    guard let source else { return [] }
    return isComplete(solving.subject) ? [] : try DarcyComparison(self, source: source, solving).results()
  }

  /// Why a check is not made.
  public func reason(without check: CheckName, _ subject: Subject) -> String {
    switch check {
    case .spectrumTail: "the coefficient may jump; the equation itself is checked"
    case .conservation, .energy: "the equation is steady"
    case .equation, .parameter: "the file does not state the source; give --set source=1"
    default: "not a property of Darcy flow"
    }
  }
}
