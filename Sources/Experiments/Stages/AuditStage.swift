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
    let file = try AuditedFile(request.path, equation: request.equation, settings: request.settings)
    let other = try request.other.map {
      try AuditedFile($0, equation: request.equation, settings: request.settings)
    }
    for note in file.notes + file.dataset.notes { console.note("\(request.path): \(note)") }
    let dataset = file.dataset
    let statement = try FileStatement(file, prefersConfiguration: request.equation == nil)
    let equation: Audit.Equation
    if let statement, let auditable = statement.configuration.equation as? any AuditableConfiguration {
      equation = .known(try auditable.audited(statement))
    } else if let kind = statement.map({ type(of: $0.configuration.equation).kind }) ?? file.kind {
      equation = .unknown("there are no checks for '\(kind.rawValue)' yet")
    } else {
      equation = .unknown("the file does not say which equation it holds; give --equation")
    }
    let statements = try FileStatement.check(dataset, statement)
    var progress: (step: AuditStep, shown: Progress)?
    defer { progress?.shown.finish() }
    let audit = Audit(
      of: dataset, equation: equation, statements: statements, comparedWith: other?.dataset,
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
