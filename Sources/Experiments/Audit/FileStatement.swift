import Audits
import Datasets
import Foundation

/// What is known of how a dataset file was made: what it states, or what the user states in its place.
struct FileStatement {
  /// The configuration, with placeholders for what nobody states.
  let configuration: GenerateConfig
  /// What the file holds.
  let description: DatasetDescription
  /// The fields that the user names, by their part: `solution`, `initial`, `coefficient`.
  let fields: [String: String]

  private let isOwn: Bool
  /// What is wrong with the configuration in the file, so that it is not used.
  private let damage: String?
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

  /// The field that plays a part: the one that the user names, or the first of these that the file has.
  func field(_ part: String, among names: [String]) -> String? {
    fields[part] ?? names.first { name in description.fields.contains { $0.name == name } }
  }

  /// The fields of an evolution: one with all frames, or two, as in files of pairs of input and solution.
  func evolutionFields(_ name: String) -> EvolutionFields {
    let times = statedKeys.contains("equation.times") ? statedTimes : nil
    let solution = field("solution", among: [name, "tensor", "u", "y"]) ?? name
    let hasAll =
      description.fields.contains { $0.name == solution && $0.isTimeVarying }
      && description.times?.first == 0
    let initial = fields["initial"] ?? (hasAll ? nil : field("initial", among: ["a", "x"]))
    return EvolutionFields(initial: initial, solution: solution, times: times)
  }

  private let statedTimes: [Double]?

  /// The keys of a configuration that are not keys of its equation.
  private static let topLevel: Set<String> = [
    "grid", "stored_grid", "samples", "seed", "precision", "deflate", "output",
  ]

  /// Reads what a file states.
  ///
  /// - Parameters:
  ///   - kind: the equation that the user names, for files that do not say.
  ///   - settings: `key=value`; a key without a dot is one of the equation.
  /// - Throws: `ConfigError` for settings that there are not.
  /// - Returns: nil if nobody says which equation it is.
  init?(_ dataset: any ReadableDataset, kind: EquationKind?, settings: [String]) throws {
    description = dataset.description
    let keys = settings.map { String($0.prefix { $0 != "=" }) }
    fields = Dictionary(
      zip(keys, settings).filter { $0.0.hasPrefix("fields.") }.map { key, setting in
        (String(key.dropFirst("fields.".count)), String(setting.dropFirst(key.count + 1)))
      }
    ) { _, last in last }
    let overrides = zip(keys, settings).filter { !$0.0.hasPrefix("fields.") }.map { key, setting in
      key.contains(".") || Self.topLevel.contains(key) ? setting : "equation.\(setting)"
    }
    var stated = Set(overrides.map { String($0.prefix { $0 != "=" }) })
    if let text = dataset.provenance?.config, kind == nil {
      let name = "\(dataset.path) (its configuration)"
      var isGeneration = false
      var problem: String?
      do {
        let section = try ConfigSection(parsing: text, path: name)
        // A file of predictions states the configuration of its surrogate, which is no equation's.
        isGeneration = section.contains("equation")
        if isGeneration { _ = try GenerateConfig(section) }
      } catch {
        isGeneration = false
        problem = "its configuration cannot be used: \(("\(error)").prefix { $0 != "\n" })"
      }
      damage = problem
      if isGeneration {
        configuration = try GenerateConfig(ConfigSection(parsing: text, path: name, overrides: overrides))
        (isOwn, statedKeys, statedTimes) = (true, stated, nil)
        return
      }
    } else {
      damage = nil
    }
    guard let kind = kind ?? EquationKind(guessedFrom: description),
      let type = kind.configuration as? any AuditableConfiguration.Type
    else { return nil }
    var lines = ["equation:", "  kind: \(kind.rawValue)"]
    for (key, placeholder) in type.placeholders {
      let path = "equation.\(key)"
      guard !stated.contains(path) else { continue }
      let parameter = description.parameters.first {
        [key, type.symbols[key] ?? key].contains($0.name.lowercased())
      }
      if parameter != nil { stated.insert(path) }
      lines.append("  \(key): \(parameter.map { "\($0.value)" } ?? placeholder)")
    }
    lines += ["grid: 64", "samples: \(max(1, dataset.sampleCount))", "output: none"]
    let section = try ConfigSection(
      parsing: lines.joined(separator: "\n"), path: dataset.path, overrides: overrides)
    configuration = try GenerateConfig(section)
    statedTimes =
      stated.contains("equation.times") ? section.section("equation").doubleList("times", in: .any) : nil
    isOwn = false
    statedKeys = stated
  }

  /// Whether what the file says about itself is what its configuration makes.
  func check(_ dataset: any ReadableDataset) -> CheckResult {
    if let damage {
      let finding = Finding(damage, advice: "restore the file from a copy, or generate it again")
      return CheckResult(.statements, .fail, failures: 1, message: damage, findings: [finding])
    }
    guard isOwn, let provenance = dataset.provenance else {
      return CheckResult(.statements, .notApplicable, message: "the file does not state its configuration")
    }
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

extension EquationKind {
  /// The equation of a file that names it, or whose fields are those of one equation only.
  init?(guessedFrom description: DatasetDescription) {
    let name = description.name.lowercased().replacing("_", with: "-")
    let names = Set(description.fields.map(\.name))
    if let kind = Self.allCases.first(where: { name.contains($0.rawValue) }) {
      self = kind
    } else if names.isSuperset(of: ["permeability", "pressure"]) || names.isSuperset(of: ["coeff", "sol"]) {
      self = .darcy
    } else if names.contains("vorticity") {
      self = .navierStokes
    } else {
      return nil
    }
  }
}
