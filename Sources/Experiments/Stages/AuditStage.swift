import Audits
import Datasets
import Foundation
import HDF5

/// Checks the integrity and the physics of a dataset file.
public enum AuditStage {
  /// What is audited and how.
  public struct Request: Sendable {
    /// The file.
    public var path: String
    /// A file that must share no input with it, as a test set.
    public var other: String?
    /// The equation, for files that do not say.
    public var equation: String?
    /// `key=value`: what a file does not state, or states wrongly.
    public var settings: [String]
    /// How many samples are solved again; nil for the default, `Int.max` for all.
    public var samples: Int?
    /// The seed of the choice of those samples.
    public var seed: UInt64

    /// A request.
    public init(
      path: String, other: String? = nil, equation: String? = nil, settings: [String] = [],
      samples: Int? = nil, seed: UInt64 = 0
    ) {
      self.path = path
      self.other = other
      self.equation = equation
      self.settings = settings
      self.samples = samples
      self.seed = seed
    }
  }

  /// Makes all checks and prints the results.
  ///
  /// - Throws: `AuditFailure` if a check failed; `HDF5Error`, `DatasetError` if a file cannot be read at all;
  ///   `ConfigError` for settings that there are not; `CancellationError` on request.
  public static func run(_ request: Request, _ console: Console) throws {
    let report = try report(request, console)
    try console.result(report, text: text(report))
    if report.hasFailed { throw AuditFailure() }
  }

  /// Makes all checks.
  public static func report(_ request: Request, _ console: Console) throws -> AuditReport {
    let dataset = try openDataset(request.path)
    let other = try request.other.map { try openDataset($0) }
    let kind = try request.equation.map { try Self.kind($0) }
    let statement = try FileStatement(dataset, kind: kind, settings: request.settings)
    let equation: Audit.Equation
    if let statement, let auditable = statement.configuration.equation as? any AuditableConfiguration {
      equation = .known(auditable.audited(statement))
    } else if let statement {
      equation = .unknown("'\(type(of: statement.configuration.equation).kind.rawValue)' has no checks yet")
    } else {
      equation = .unknown("the file does not say which equation it holds; give --equation")
    }
    let statements =
      statement?.check(dataset)
      ?? CheckResult(.statements, .notApplicable, message: "the file does not state its configuration")
    var progress: (step: AuditStep, shown: Progress)?
    defer { progress?.shown.finish() }
    let audit = Audit(
      of: dataset, equation: equation, statements: statements, comparedWith: other,
      options: AuditOptions(samples: request.samples, seed: request.seed)
    ) { step, done, total in
      if progress?.step != step {
        progress?.shown.finish()
        progress = (step, Progress(console, label: step.rawValue, unit: step.unit, total: total))
      }
      try progress?.shown.update(done)
    }
    return try audit.report()
  }

  private static func kind(_ name: String) throws -> EquationKind {
    guard let kind = EquationKind(rawValue: name) else {
      let known = EquationKind.allCases.map(\.rawValue).joined(separator: ", ")
      throw ConfigError(.commandLine, "'--equation' is \(name); it must be one of \(known)")
    }
    return kind
  }

  /// A table of the checks, then one line per finding with what to do.
  static func text(_ report: AuditReport) -> String {
    let table = Text.table(
      heading: ["check", "verdict", "value", "bound", "result"],
      rows: report.results.map { result in
        [
          result.check.rawValue, result.verdict == .notApplicable ? "-" : result.verdict.rawValue,
          result.value.map { Text.number($0, digits: 3) } ?? "",
          result.bound.map { Text.number($0, digits: 3) } ?? "", result.message,
        ]
      })
    var lines = [
      "\(report.file): \(report.equation ?? "unknown equation"), \(report.samples) samples", "", table,
    ]
    let findings = report.results.flatMap { result in
      result.findings.map { finding in
        "\(result.check.rawValue): \(finding.place.map { $0.text + ": " } ?? "")\(finding.text); \(finding.advice)"
      }
        + (result.failures > result.findings.count && !result.findings.isEmpty
          && result.findings.count == CheckResult.findingLimit
          ? ["\(result.check.rawValue): and \(result.failures - result.findings.count) more"] : [])
    }
    if !findings.isEmpty { lines += [""] + findings }
    return lines.joined(separator: "\n")
  }
}

/// A file whose audit found something wrong; the results have been printed.
public struct AuditFailure: Error, Equatable {}
