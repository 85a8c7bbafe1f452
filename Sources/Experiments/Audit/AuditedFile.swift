import Datasets
import Foundation

/// A dataset of any layout as an audit takes it: opened, and with what the user states in the file's place.
struct AuditedFile {
  /// The dataset, with the field names and axes of its equation.
  let dataset: any ReadableDataset
  /// The equation that it is taken to hold, if anybody says so.
  let kind: EquationKind?
  /// What was understood by convention: one line each.
  let notes: [String]
  /// The settings that are keys of a configuration, in full.
  let overrides: [String]

  /// Keys that describe the file, not how it was made; each may have a part behind a dot.
  private static let ofFile: Set<String> = [
    "length", "periodic", "times", "time_axis", "fields", "name", "title",
  ]
  /// Keys of a configuration that are not those of its equation.
  private static let ofConfiguration: Set<String> = [
    "grid", "stored_grid", "samples", "seed", "precision", "deflate", "output",
  ]

  /// Opens a dataset.
  ///
  /// - Parameters:
  ///   - equation: the equation that the user names.
  ///   - settings: `key=value`; a key that is none of a file nor of a configuration is one of the equation.
  /// - Throws: `ConfigError` for settings that do not fit the file; what opening throws.
  init(_ path: String, equation: String?, settings: [String]) throws {
    var describing: [String] = []
    var overrides: [String] = []
    for setting in settings {
      let key = String(setting.prefix { $0 != "=" })
      if Self.ofFile.contains(String(key.prefix { $0 != "." })) {
        describing.append(setting)
      } else {
        overrides.append(
          key.contains(".") || Self.ofConfiguration.contains(key) ? setting : "equation.\(setting)")
      }
    }
    self.overrides = overrides
    // Which fields are frames, and so how many times there are, is known only with the equation.
    let withoutTimes = try DatasetSettings(describing.filter { !$0.hasPrefix("times=") })
    let found = try withoutTimes.open(path).dataset.description
    let stated = try equation.map { name -> EquationKind in
      guard let kind = EquationKind(rawValue: name) else {
        let known = EquationKind.allCases.map(\.rawValue).joined(separator: ", ")
        throw ConfigError(.commandLine, "'--equation' is \(name); it must be one of \(known)")
      }
      return kind
    }
    kind = stated ?? EquationKind(guessedFrom: found)
    let asItIs = try DatasetSettings(describing)
    // Files of others have names of their own, and keep a state at t = 0 and later ones apart.
    if let kind, !kind.isHeld(by: found) {
      let adopting = try DatasetSettings(["equation.kind=\(kind.rawValue)"] + describing)
      if stated != nil {
        (dataset, notes) = try adopting.open(path)
      } else if let fitting = try? adopting.open(path) {
        (dataset, notes) = fitting
      } else {
        (dataset, notes) = try asItIs.open(path)
      }
    } else {
      (dataset, notes) = try asItIs.open(path)
    }
  }
}

extension EquationKind {
  /// Whether a dataset has this equation's fields under their names, in time where they are.
  func isHeld(by description: DatasetDescription) -> Bool {
    let isSteady = fieldNames.count > 1
    return fieldNames.allSatisfy { name in
      description.fields.contains { $0.name == name && (isSteady || $0.isTimeVarying) }
    }
  }

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
