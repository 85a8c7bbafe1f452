import Audits
import Datasets
import Foundation

/// What is known of how a dataset file was made: what it states, or what the user states in its place.
struct FileStatement {
  /// The configuration, with placeholders for what nobody states.
  let configuration: GenerateConfig
  /// What the file holds.
  let description: DatasetDescription

  private let isOwn: Bool
  private let statedKeys: Set<String>

  /// Whether the file or the user states a key, as `equation.viscosity`; defaults of our own files count.
  func states(_ key: String) -> Bool { isOwn || statedKeys.contains(key) }

  /// A number, if it is stated.
  func stated<Value>(_ key: String, _ value: Value) -> Value? { states(key) ? value : nil }

  /// The points per axis that the solver used, if they are stated.
  var solverGrid: Int? { stated("grid", configuration.grid.points) }

  /// The settings of a Gaussian law, if they are stated.
  func law(_ prior: FieldSettings) -> AuditedLaw? {
    isOwn || statedKeys.contains { $0.hasPrefix("prior.") }
      ? AuditedLaw(sigma: prior.sigma, tau: prior.tau, alpha: prior.alpha) : nil
  }

  /// Reads what a file states.
  ///
  /// - Throws: `ConfigError` for settings that there are not.
  /// - Returns: nil if nobody says which equation it is, or none of its data can be audited.
  init?(_ file: AuditedFile, prefersConfiguration: Bool) throws {
    description = file.dataset.description
    if prefersConfiguration, let text = file.dataset.provenance?.config,
      try Self.problem(of: file.dataset) == nil, try Self.isGeneration(text)
    {
      configuration = try GenerateConfig(
        ConfigSection(parsing: text, path: Self.name(of: file.dataset), overrides: file.overrides))
      isOwn = true
      statedKeys = []
      return
    }
    var stated = Set(file.overrides.map { String($0.prefix { $0 != "=" }) })
    guard let kind = file.kind, let type = kind.configuration as? any AuditableConfiguration.Type else {
      return nil
    }
    var lines = ["equation:", "  kind: \(kind.rawValue)"]
    for (key, placeholder) in type.placeholders {
      let path = "equation.\(key)"
      guard !stated.contains(path) else { continue }
      let parameter = description.parameters.first {
        [key, type.symbols[key] ?? key].contains($0.name.lowercased())
      }
      if parameter != nil { stated.insert(path) }
      lines.append(
        "  \(key): \(parameter.map { "\(type.value(of: $0, in: file.dataset.layout))" } ?? placeholder)")
    }
    lines += ["grid: 64", "samples: \(max(1, file.dataset.sampleCount))", "output: none"]
    configuration = try GenerateConfig(
      ConfigSection(
        parsing: lines.joined(separator: "\n"), path: file.dataset.path, overrides: file.overrides))
    isOwn = false
    statedKeys = stated
  }

  private static func name(of dataset: any ReadableDataset) -> String {
    "\(dataset.path) (its configuration)"
  }

  /// Whether a configuration is that of a dataset: a file of predictions states that of its surrogate.
  private static func isGeneration(_ text: String) throws -> Bool {
    try ConfigSection(parsing: text, path: "").contains("equation")
  }

  /// What is wrong with the configuration in a file, so that it cannot be used; nil if nothing is.
  private static func problem(of dataset: any ReadableDataset) throws -> String? {
    guard let text = dataset.provenance?.config else { return nil }
    do {
      if try isGeneration(text) {
        _ = try GenerateConfig(ConfigSection(parsing: text, path: name(of: dataset)))
      }
      return nil
    } catch { return "its configuration cannot be used: \(("\(error)").prefix { $0 != "\n" })" }
  }

  /// The check `statements`: whether what a file says about itself is what its configuration makes.
  static func check(_ dataset: any ReadableDataset, _ statement: FileStatement?) throws -> CheckResult {
    if let problem = try problem(of: dataset) {
      let finding = Finding(problem, advice: "restore the file from a copy, or generate it again")
      return CheckResult(.statements, .fail, failures: 1, message: problem, findings: [finding])
    }
    guard let statement, statement.isOwn, let provenance = dataset.provenance else {
      return CheckResult(.statements, .notApplicable, message: "the file does not state its configuration")
    }
    let configuration = statement.configuration
    var findings: [Finding] = []
    func require(_ isSame: Bool, _ text: @autoclosure () -> String) {
      if !isSame {
        findings.append(Finding(text(), advice: "correct the file's attributes, or generate it again"))
      }
    }
    do {
      let expected = try configuration.makeSource().description
      let found = dataset.description
      require(
        found.grid == expected.grid,
        "the grid is \(Text.shape(found.grid)), the configuration makes \(Text.shape(expected.grid))")
      if found.grid == expected.grid {
        for (axis, right) in zip(found.axes, expected.axes) where axis != right {
          let isNear = zip(axis.coordinates ?? [], right.coordinates ?? []).allSatisfy {
            abs($0 - $1) <= 1e-9 * max(1, abs($1))
          }
          require(
            isNear && axis.isPeriodic == right.isPeriodic && axis.name == right.name,
            "axis \(axis.name) is not that of the configuration")
        }
      }
      require(
        found.times == expected.times,
        "the times are \(found.times ?? []), the configuration makes \(expected.times ?? [])")
      require(
        found.fields.map(\.name) == expected.fields.map(\.name),
        "the fields are \(found.fields.map(\.name)), the configuration makes \(expected.fields.map(\.name))")
      for right in expected.parameters {
        let value = found.parameters.first { $0.name == right.name }?.value
        require(
          value == right.value,
          "\(right.name) is \(value.map { "\($0)" } ?? "missing"), in the configuration \(right.value)")
      }
    } catch {
      findings.append(
        Finding("its configuration cannot be used: \(error)", advice: "generate the file again"))
    }
    require(
      provenance.seed == UInt64(configuration.seed),
      "the seed is \(provenance.seed), in the configuration \(configuration.seed)")
    require(
      dataset.sampleCount <= configuration.samples,
      "it has \(dataset.sampleCount) samples, the configuration makes \(configuration.samples)")
    return CheckResult(
      .statements, findings.isEmpty ? .pass : .fail,
      reason: "grid, axes, times, fields, parameters and seed against the configuration in the file",
      samples: dataset.sampleCount, failures: findings.count,
      message: findings.first?.text ?? "what the file says about itself is what its configuration makes",
      findings: findings)
  }
}
