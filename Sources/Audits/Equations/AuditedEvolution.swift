import Datasets
import Foundation
import Solvers
import Tensors

/// An evolution equation on a periodic domain whose solution is one field in time.
public protocol AuditedEvolution: AuditedEquation {
  /// The field that is the solution.
  var field: String { get }
  /// How many axes it has.
  var dimensions: Int { get }
  /// The number that is fitted; nil if there is none.
  var parameter: AuditedParameter? { get }
  /// How the file was stepped in time.
  var timeStepping: TimeStepping { get }
  /// The points per axis of the grid on which the file was solved; nil if it does not say.
  var solverGrid: Int? { get }
  /// The law of the first frames, if the file states it.
  var law: AuditedLaw? { get }
  /// Whether the extremes of a solution only come closer.
  var hasMaximumPrinciple: Bool { get }
  /// Whether the mean of the field is conserved.
  var conservesMean: Bool { get }

  /// The problem on a grid.
  ///
  /// - Parameters:
  ///   - parameter: the value of the parameter, if there is one.
  ///   - isAlternative: whether to use another scheme than the stated one: the difference tells how much of a
  ///     mismatch is the scheme's.
  func problem(
    grid: Int, times: [Double], parameter: Double?, isAlternative: Bool
  ) throws -> any EvolutionProblem

  /// The largest root mean square after a time, from that at its start; nil if there is no bound.
  func normBound(_ norm: Double, after duration: Double) -> Double?

  /// What the fields are multiplied by to become those of `problem`, whose domain may have another length.
  func fieldScale(_ subject: Subject) -> Double
}

extension AuditedEvolution {
  /// Nothing to scale.
  public func fieldScale(_ subject: Subject) -> Double { 1 }

  /// The first frame is given.
  public var inputField: String? { nil }

  /// The frames in the order of time.
  public func trajectory(_ description: DatasetDescription) -> [Subject.FrameSource] {
    guard description.fields.contains(where: { $0.name == field && $0.isTimeVarying }) else { return [] }
    return (0..<description.frameCount).map {
      Subject.FrameSource(field: field, frame: $0, time: description.times?[$0])
    }
  }

  /// The distance of stored points on the solver's grid, or nil if it is not known.
  func stride(_ subject: Subject) -> Int? {
    guard let solverGrid, let stored = subject.description.grid.first, solverGrid >= stored,
      solverGrid % stored == 0
    else { return nil }
    return solverGrid / stored
  }

  /// Why the fields cannot be those of this equation, or nil.
  public func obstacle(_ subject: Subject) -> String? {
    let description = subject.description
    guard description.axes.count == dimensions else {
      return "\(name) has \(dimensions == 1 ? "one axis" : "\(dimensions) axes"), "
        + "the file \(description.axes.count)"
    }
    guard !subject.trajectory.isEmpty else {
      return "the file has no field '\(field)' that varies in time"
    }
    guard Set(description.grid).count == 1 else { return "the axes have different numbers of points" }
    guard description.grid[0] >= 8, description.grid[0] % 2 == 0 else {
      return "the solver needs an even number of points, 8 or more, per axis; "
        + "the file has \(description.grid[0])"
    }
    return nil
  }

  /// The checks that look at every sample.
  public func sampleChecks(_ subject: Subject) -> [any SampleCheck] {
    let isStrided = stride(subject) != 1
    var checks: [any SampleCheck] = [SpectrumTail(subject: subject)]
    if conservesMean { checks.append(Conservation(subject: subject, isStrided: isStrided)) }
    if hasMaximumPrinciple { checks.append(MaximumPrinciple(subject: subject)) }
    if normBound(1, after: 1) != nil, subject.trajectory.allSatisfy({ $0.time != nil }) {
      checks.append(
        EnergyBound(subject: subject, isStrided: isStrided) { norm, duration in
          normBound(norm, after: duration) ?? .infinity
        })
    }
    if let law, let solverGrid, stride(subject) != nil, subject.trajectory.first?.time == 0 {
      checks.append(InputLaw(FourierModes(subject: subject, drawnGrid: solverGrid, power: law.power)))
    }
    return checks
  }

  /// Re-solves, and fits the parameter.
  public func solvingChecks(_ solving: Solving) throws -> [CheckResult] {
    try EvolutionAudit(self, solving).results()
  }

  /// Why a check is not made.
  public func reason(without check: CheckName, _ subject: Subject) -> String {
    switch check {
    case .boundaryValues: "the domain is periodic"
    case .maximumPrinciple: "solutions of \(name) have no maximum principle"
    case .conservation: "\(name) does not conserve the mean of its field"
    case .energy: "the file does not say when its frames are, or \(name) has no bound"
    case .inputs: "the file does not state the law of its first frames"
    case .parameter: "\(name) has no parameter to fit"
    default: "not a property of \(name)"
    }
  }
}

extension TimeStepping {
  /// How far two solutions may be apart that chose their steps differently, relative to their norm.
  ///
  /// Whoever solves through several frames carries the step along; from a frame alone it is chosen anew.
  var choiceError: Double { scheme == .etdrk4 && timeStep == nil ? tolerance : 0 }

  /// Another way to step, from which a solution differs by about the error of this one, or by more.
  var alternative: TimeStepping {
    scheme == .etdrk4 && timeStep == nil
      ? TimeStepping(.etdrk4, tolerance: min(1e-3, 100 * tolerance)) : TimeStepping(.etdrk4)
  }
}
