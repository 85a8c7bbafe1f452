import Datasets
import Foundation
import HDF5
import Tensors

/// What an audit is doing, for a line of progress.
public enum AuditStep: String, Sendable {
  /// Every sample is read and measured.
  case reading
  /// Inputs are compared with each other.
  case comparing = "comparing inputs"
  /// The parameter of the equation is fitted.
  case fitting
  /// Some samples are solved again.
  case solving = "solving again"
  /// What may have happened to wrong samples is found out.
  case diagnosing

  /// What is counted.
  public var unit: String { self == .fitting ? "steps" : "samples" }
}

/// What an audit looks at.
public struct AuditOptions: Sendable {
  /// How many samples are solved again; nil for as many as hold 2²⁴ numbers, at least 16.
  public var samples: Int?
  /// The seed of the choice of those samples.
  public var seed: UInt64

  /// Options.
  public init(samples: Int? = nil, seed: UInt64 = 0) {
    self.samples = samples
    self.seed = seed
  }

  func solvedSamples(of subject: Subject) -> Int {
    let size = subject.description.fields.map { subject.description.shape(of: $0).reduce(1, *) }.reduce(0, +)
    return min(subject.sampleCount, samples ?? max(16, (1 << 24) / max(1, size)))
  }
}

/// The results of an audit.
public struct AuditReport: Codable, Sendable, Equatable {
  /// The file.
  public var file: String
  /// The name of the equation; nil if it is not known.
  public var equation: String?
  /// How many samples the file has.
  public var samples: Int
  /// One result for every check.
  public var results: [CheckResult]

  /// A report.
  public init(file: String, equation: String?, samples: Int, results: [CheckResult]) {
    self.file = file
    self.equation = equation
    self.samples = samples
    self.results = results
  }

  /// Whether a check failed.
  public var hasFailed: Bool { results.contains { $0.verdict == .fail } }

  /// The result of a check.
  public subscript(check: CheckName) -> CheckResult? { results.first { $0.check == check } }
}

/// Checks the integrity and the physics of a dataset.
public struct Audit {
  /// Which equation a file holds, or why that is not known.
  public enum Equation {
    /// This one.
    case known(any AuditedEquation)
    /// The file does not say; the text says what to do.
    case unknown(String)
  }

  private let dataset: any ReadableDataset
  private let equation: (any AuditedEquation)?
  private let whyNoEquation: String
  private let statements: CheckResult
  private let other: (any ReadableDataset)?
  private let options: AuditOptions
  private let subject: Subject
  private let progress: (_ step: AuditStep, _ done: Int, _ total: Int) throws -> Void

  /// An audit of a file.
  ///
  /// - Parameters:
  ///   - equation: what it holds.
  ///   - statements: whether what it says about itself agrees; see `CheckResult.statements`.
  ///   - other: a file that must not have inputs of this one, as a test set; nil for none.
  ///   - progress: called with what is being done, how much of it, of how much; what it throws ends the audit.
  public init(
    of dataset: any ReadableDataset, equation: Equation, statements: CheckResult,
    comparedWith other: (any ReadableDataset)? = nil, options: AuditOptions = AuditOptions(),
    progress: @escaping (_ step: AuditStep, _ done: Int, _ total: Int) throws -> Void = { _, _, _ in }
  ) {
    self.dataset = dataset
    self.statements = statements
    self.other = other
    self.options = options
    self.progress = progress
    switch equation {
    case .unknown(let why):
      self.equation = nil
      whyNoEquation = why
      subject = Subject(dataset)
    case .known(let known):
      let subject = Subject(
        dataset, trajectory: known.trajectory(dataset.description), labels: known.labels)
      let obstacle = known.obstacle(subject)
      self.equation = obstacle == nil ? known : nil
      whyNoEquation = obstacle ?? ""
      self.subject = obstacle == nil ? subject : Subject(dataset)
    }
  }

  /// Makes all checks.
  ///
  /// - Throws: `HDF5Error` or `DatasetError` if the file cannot be read at all, and what `progress` throws.
  public func report() throws -> AuditReport {
    let pass = try SamplePass(
      dataset, subject,
      checks: [
        FiniteValues(subject: subject), AxesCheck(subject: subject, lengths: equation?.lengths),
        Outliers(subject: subject),
      ] + (equation?.sampleChecks(subject) ?? []), keeping: samplesToKeep, progress: progress)
    var results = pass.results + [statements] + (try inputResults())
    if let equation {
      let samples = chosenSamples(pass)
      results += try equation.solvingChecks(
        Solving(
          dataset: dataset, subject: subject, samples: samples, seed: options.seed, kept: pass.kept,
          progress: progress))
    }
    let byName = Dictionary(results.map { ($0.check, $0) }) { first, _ in first }
    return AuditReport(
      file: dataset.path, equation: equation?.name, samples: dataset.sampleCount,
      results: CheckName.allCases.map { name in
        byName[name] ?? .notApplicable(name, equation?.reason(without: name, subject) ?? whyNoEquation)
      })
  }

  /// A random choice of samples to solve again.
  private var randomSamples: ArraySlice<Int> {
    var random = Philox(seed: options.seed, stream: Resolver.stream, sample: 1 << 40)
    return random.permutation(dataset.sampleCount).prefix(options.solvedSamples(of: subject))
  }

  /// The samples to solve again: a random choice, and those whose frames fit least together.
  private func chosenSamples(_ pass: SamplePass) -> [Int] {
    Set(randomSamples).intersection(pass.sound).union(pass.suspects).sorted()
  }

  /// Where every sample costs a pass over the file, those that will be solved are kept when they are read, if
  /// the memory for them is small.
  private var samplesToKeep: Set<Int> {
    guard dataset.interleavesSamples, equation != nil else { return [] }
    let chosen = randomSamples
    let size = subject.description.fields.map { subject.description.shape(of: $0).reduce(1, *) }.reduce(0, +)
    return chosen.count * size <= 1 << 26 ? Set(chosen) : []
  }

  /// The checks `duplicates` and `leakage`: of the first field, or the first frame of it, which is the input.
  private func inputResults() throws -> [CheckResult] {
    let field = subject.trajectory.first?.field ?? equation?.inputField ?? subject.description.fields[0].name
    let search = DuplicateSearch(dataset: dataset, field: field, stride: 1)
    let count = dataset.sampleCount
    let signatures = try search.signatures { try progress(.comparing, $0, count) }
    let duplicates = CheckResult.duplicates(search.matches(signatures), of: count)
    guard let other else {
      return [duplicates, .notApplicable(.leakage, "no second file was given to compare with")]
    }
    guard other.description.fields.contains(where: { $0.name == field }) else {
      return [duplicates, .notApplicable(.leakage, "\(other.path) has no field '\(field)'")]
    }
    guard let strides = commonStrides(other) else {
      return [
        duplicates,
        .notApplicable(
          .leakage,
          "the grids \(subject.description.grid) and \(other.description.grid) have no common points"),
      ]
    }
    let here = DuplicateSearch(dataset: dataset, field: field, stride: strides.here)
    let there = DuplicateSearch(dataset: other, field: field, stride: strides.there)
    let known =
      strides.here == 1
      ? signatures : try here.signatures { try progress(.comparing, $0, count) }
    let tested = try there.signatures { try progress(.comparing, $0, other.sampleCount) }
    let matches = there.matches(tested, in: (known, here))
    return [
      duplicates, .leakage(matches, of: other.sampleCount, from: dataset.path, to: other.path),
    ]
  }

  /// The strides that leave the same points of two grids; nil if there are none.
  private func commonStrides(_ other: any ReadableDataset) -> (here: Int, there: Int)? {
    let (a, b) = (subject.description, other.description)
    guard a.axes.count == b.axes.count else { return nil }
    var strides: (here: Int, there: Int)?
    for (left, right) in zip(a.axes, b.axes) {
      // A periodic axis has as many intervals as points, a bounded one has one less.
      let bounded = left.isPeriodic == false ? 1 : 0
      let (m, n) = (left.count - bounded, right.count - bounded)
      guard m > 0, n > 0, m % n == 0 || n % m == 0 else { return nil }
      let found = (here: max(1, m / n), there: max(1, n / m))
      guard strides == nil || strides! == found else { return nil }
      strides = found
    }
    return strides
  }
}
