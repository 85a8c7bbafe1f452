/// The checks of an audit, in the order in which they are shown.
public enum CheckName: String, Codable, Sendable, CaseIterable {
  /// The stored bytes are those that were written.
  case checksums
  /// Every number is finite.
  case finiteValues = "finite values"
  /// Axes and times are what solvers and loaders take them for.
  case axes
  /// What the file says about itself agrees with its own configuration.
  case statements
  /// No input occurs twice.
  case duplicates
  /// No input occurs in another file too.
  case leakage
  /// No sample is far larger or smaller than the others.
  case outliers
  /// The grid holds the fields.
  case spectrumTail = "spectrum tail"
  /// The inputs follow the stated law.
  case inputs
  /// The boundary values are those of the boundary condition.
  case boundaryValues = "boundary values"
  /// No value is outside what the maximum principle allows.
  case maximumPrinciple = "maximum principle"
  /// What the equation conserves is conserved.
  case conservation
  /// The energy grows no faster than the forcing allows.
  case energy
  /// The fields solve the equation.
  case equation
  /// The parameter of the equation, as the data have it, is the stated one.
  case parameter
}

/// What a check came to.
public enum Verdict: String, Codable, Sendable, CaseIterable {
  /// As it must be.
  case pass
  /// Worth knowing, not wrong.
  case warn
  /// Wrong.
  case fail
  /// Not checked; the message says why.
  case notApplicable = "not applicable"
}

/// Where in a dataset something is.
public struct Place: Codable, Sendable, Equatable {
  /// The position of the sample in the file.
  public var sample: Int
  /// The field, if it is about one.
  public var field: String?
  /// The position of the time, if it is about one.
  public var frame: Int?
  /// The grid point, if it is about one.
  public var point: [Int]?

  /// A place.
  public init(sample: Int, field: String? = nil, frame: Int? = nil, point: [Int]? = nil) {
    self.sample = sample
    self.field = field
    self.frame = frame
    self.point = point
  }

  /// As `sample 3 of 'u', frame 1, point [0, 17]`.
  public var text: String {
    var text = "sample \(sample)"
    if let field { text += " of '\(field)'" }
    if let frame { text += ", frame \(frame)" }
    if let point { text += ", point [\(point.map(String.init).joined(separator: ", "))]" }
    return text
  }
}

/// One thing that a check found.
public struct Finding: Codable, Sendable, Equatable {
  /// Where, if it is in one place.
  public var place: Place?
  /// What is wrong, in one plain sentence without the place.
  public var text: String
  /// What to do about it.
  public var advice: String

  /// A finding.
  public init(_ text: String, at place: Place? = nil, advice: String) {
    self.place = place
    self.text = text
    self.advice = advice
  }
}

/// The outcome of one check.
public struct CheckResult: Codable, Sendable, Equatable {
  /// Which check.
  public var check: CheckName
  /// What it came to.
  public var verdict: Verdict
  /// The number that was judged, at the worst place; nil if there is none.
  public var value: Double?
  /// What it must not exceed.
  public var bound: Double?
  /// What the number is, and why the bound is what it is.
  public var reason: String
  /// The worst place, whatever the verdict.
  public var worst: Place?
  /// How many samples were looked at.
  public var samples: Int
  /// How many of them are not as they must be.
  public var failures: Int
  /// The result in one plain sentence.
  public var message: String
  /// What is to be done, the worst first; at most `findingLimit`.
  public var findings: [Finding]

  /// How many findings a result lists.
  public static let findingLimit = 10

  /// A result.
  public init(
    _ check: CheckName, _ verdict: Verdict, value: Double? = nil, bound: Double? = nil, reason: String = "",
    worst: Place? = nil, samples: Int = 0, failures: Int = 0, message: String, findings: [Finding] = []
  ) {
    self.check = check
    self.verdict = verdict
    self.value = value
    self.bound = bound
    self.reason = reason
    self.worst = worst
    self.samples = samples
    self.failures = failures
    self.message = message
    self.findings = Array(findings.prefix(Self.findingLimit))
  }

  /// A check that cannot be made.
  static func notApplicable(_ check: CheckName, _ why: String) -> CheckResult {
    CheckResult(check, .notApplicable, message: why)
  }
}

/// A number of a sample with what it must not exceed.
struct Judged: Sendable {
  var value: Double
  var bound: Double
  var place: Place
  /// More about it, for the sentence: a sign, a factor.
  var detail = 0.0

  /// The number in units of its bound; above 1 it is not as it must be, and not a number is infinitely wrong.
  var excess: Double { value.isNaN ? .infinity : value == 0 ? 0 : value / bound }
  var isWrong: Bool { excess > 1 }

  /// The worse of two; the first one if they are equally bad.
  static func worse(_ a: Judged?, _ b: Judged?) -> Judged? {
    guard let a else { return b }
    guard let b else { return a }
    return b.excess > a.excess ? b : a
  }
}

extension CheckResult {
  /// The result of comparing one number per sample with its bound.
  ///
  /// - Parameters:
  ///   - verdict: what a number beyond its bound means.
  ///   - sentence: the result when all are within their bounds.
  ///   - finding: describes a sample that is not.
  init(
    _ check: CheckName, of judged: [Judged], otherwise verdict: Verdict = .fail, reason: String,
    passing sentence: String, finding: (Judged) -> Finding
  ) {
    // Sorting is stable only by the sample's number.
    let wrong = judged.filter(\.isWrong).sorted {
      $0.excess != $1.excess ? $0.excess > $1.excess : $0.place.sample < $1.place.sample
    }
    let worst = judged.reduce(nil as Judged?) { Judged.worse($0, $1) }
    self.init(
      check, wrong.isEmpty ? .pass : verdict, value: worst?.value, bound: worst?.bound, reason: reason,
      worst: worst?.place, samples: judged.count, failures: wrong.count,
      message: wrong.isEmpty
        ? sentence : "\(Words.count(wrong.count, of: judged.count, "sample")) not as it must be",
      findings: wrong.prefix(Self.findingLimit).map(finding))
    if let first = findings.first, wrong.count == 1 {
      message = "\(first.place.map { $0.text + ": " } ?? "")\(first.text)"
    }
  }
}
