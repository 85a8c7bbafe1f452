import Datasets
import Foundation

/// What a user knows of a dataset that its file does not say: `key=value` arguments of `convert`.
struct DatasetSettings {
  private var kind: EquationKind?
  private var name: String?
  private var title: String?
  private var timeAxis: TimeAxis?
  private var times: Times?
  private var lengths: [String: Double] = [:]
  private var periodic: [String: Bool] = [:]
  private var parameters: [(name: String, value: Double)] = []
  private var fieldNames: [(old: String, new: String)] = []

  private enum Times {
    case list([Double])
    case range(first: Double, last: Double)
  }

  private static let keys = [
    "equation.kind", "equation.viscosity", "length", "periodic", "times", "time_axis", "name", "title",
  ]
  /// The key of all axes.
  private static let all = ""

  /// Reads the arguments.
  ///
  /// - Throws: `ConfigError`.
  init(_ arguments: [String]) throws {
    for argument in arguments {
      guard let sign = argument.firstIndex(of: "="), sign != argument.startIndex else {
        throw Self.mistake("'\(argument)' is not key=value")
      }
      try add(String(argument[..<sign]), String(argument[argument.index(after: sign)...]))
    }
  }

  private mutating func add(_ key: String, _ value: String) throws {
    let parts = key.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    switch (parts[0], parts.count > 1 ? parts[1] : nil) {
    case ("equation", "kind"):
      guard let kind = EquationKind(rawValue: value) else {
        let kinds = EquationKind.allCases.map(\.rawValue).joined(separator: ", ")
        throw Self.mistake("'equation.kind' is '\(value)'; it must be one of \(kinds)")
      }
      self.kind = kind
    case ("equation", let parameter?) where !parameter.isEmpty:
      // Generated files call it by its letter.
      parameters.append((parameter == "viscosity" ? "nu" : parameter, try Self.number(key, value)))
    case ("length", let axis):
      let length = try Self.number(key, value)
      guard length > 0 else { throw Self.mistake("'\(key)' is \(value); it must be positive") }
      lengths[axis ?? Self.all] = length
    case ("periodic", let axis):
      guard let isPeriodic = Bool(value) else {
        throw Self.mistake("'\(key)' is '\(value)'; it must be true or false")
      }
      periodic[axis ?? Self.all] = isPeriodic
    case ("times", nil):
      let ends = value.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      if ends.count == 2 {
        times = .range(first: try Self.number(key, ends[0]), last: try Self.number(key, ends[1]))
      } else {
        times = .list(try value.split(separator: ",").map { try Self.number(key, String($0)) })
      }
    case ("time_axis", nil):
      guard let axis = TimeAxis(rawValue: value) else {
        throw Self.mistake("'time_axis' is '\(value)'; it must be first, last or none")
      }
      timeAxis = axis
    case ("fields", let old?) where !old.isEmpty:
      guard !value.isEmpty, !value.contains("/") else {
        throw Self.mistake("'\(key)' needs a name without /")
      }
      fieldNames.append((old, value))
    case ("name", nil): name = value
    case ("title", nil): title = value
    default:
      let nearest = Spelling.nearest(to: key, among: Self.keys).map { "; did you mean '\($0)'?" } ?? ""
      throw Self.mistake("unknown key '\(key)'\(nearest)")
    }
  }

  private static func number(_ key: String, _ text: String) throws -> Double {
    guard let number = Double(text), number.isFinite else {
      throw mistake("'\(key)' is '\(text)'; it must be a number")
    }
    return number
  }

  private static func mistake(_ text: String) -> ConfigError { ConfigError(.commandLine, text) }

  // MARK: - What they make of a dataset

  /// Opens a file and adds what is known of it.
  ///
  /// - Throws: `ConfigError` for a setting that does not fit the file; what opening throws.
  func open(_ path: String) throws -> (dataset: any ReadableDataset, notes: [String]) {
    let file = try openDataset(path, timeAxis: timeAxis)
    var notes: [String] = []
    let whole = file.description
    var fields = whole.fields.map { field in
      AdaptedDataset.Field(
        name: field.name, isTimeVarying: field.isTimeVarying,
        pieces: [.init(field: field.name, frameCount: field.isTimeVarying ? whole.frameCount : 1)],
        unit: field.unit)
    }
    var times = whole.times
    if let kind { (fields, times) = try adopt(kind, file, fields, times, &notes) }
    try rename(&fields, path)
    let frameCount =
      fields.filter(\.isTimeVarying).map { $0.pieces.reduce(0) { $0 + $1.frameCount } }.max() ?? 0
    times = try self.times(frameCount, path) ?? times
    let axes = try self.axes(whole.axes, path)
    var parameters = whole.parameters.filter { old in !self.parameters.contains { $0.name == old.name } }
    parameters += self.parameters.map { .init(name: $0.name, value: $0.value) }
    let isUnchanged = axes.map(\.isPeriodic) == whole.axes.map(\.isPeriodic) && kind == nil
    let description = DatasetDescription(
      name: name ?? kind?.rawValue ?? whole.name, title: title ?? whole.title,
      equation: whole.equation.isEmpty ? kind?.formula ?? "" : whole.equation, axes: axes, times: times,
      frameCount: frameCount,
      fields: fields.map { .init(name: $0.name, isTimeVarying: $0.isTimeVarying, unit: $0.unit) },
      boundaryConditions: isUnchanged ? Self.renamed(whole.boundaryConditions, fieldNames) : nil,
      parameters: parameters)
    if description == whole { return (file, notes) }
    return (AdaptedDataset(file, description: description, fields: fields), notes)
  }

  private static func renamed(
    _ conditions: [DatasetDescription.BoundaryCondition], _ names: [(old: String, new: String)]
  ) -> [DatasetDescription.BoundaryCondition] {
    conditions.map { condition in
      var condition = condition
      condition.fields = condition.fields.map { name in names.last { $0.old == name }?.new ?? name }
      return condition
    }
  }

  /// The fields of a file as those of an equation, by its names.
  private func adopt(
    _ kind: EquationKind, _ file: any ReadableDataset, _ fields: [AdaptedDataset.Field], _ times: [Double]?,
    _ notes: inout [String]
  ) throws -> ([AdaptedDataset.Field], [Double]?) {
    let found = fields.map { "'\($0.name)'" }.joined(separator: ", ")
    let steady = fields.filter { !$0.isTimeVarying }
    let varying = fields.filter(\.isTimeVarying)
    let names = kind.fieldNames
    if names.count == 2 {
      guard steady.count == 2, varying.isEmpty else {
        throw Self.mistake(
          "'equation.kind' is \(kind.rawValue), which has two steady fields; \(file.path) has \(found)")
      }
      let coefficients = ["permeability", "coeff", "nu", "x", "a"]
      let first = steady.firstIndex { coefficients.contains($0.name) } ?? 0
      return (
        zip(names, [steady[first], steady[1 - first]]).map { name, field in
          .init(name: name, isTimeVarying: false, pieces: field.pieces, unit: field.unit)
        }, []
      )
    }
    var pieces: [AdaptedDataset.Piece]
    var known = times
    switch (steady.count, varying.count) {
    case (0, 1): pieces = varying[0].pieces
    case (2, 0):
      pieces = steady.flatMap(\.pieces)
      known = nil
      notes.append("'\(steady[0].name)' and '\(steady[1].name)' are taken for two times of '\(names[0])'")
    case (1, 1):
      // Some files repeat the first frame as the input.
      let start = try file.readDouble(field: steady[0].name, samples: 0..<1)
      if try file.readDouble(field: varying[0].name, samples: 0..<1, frames: [0]).scalars == start.scalars {
        pieces = varying[0].pieces
        notes.append("'\(steady[0].name)' is left out: it is the first frame of '\(varying[0].name)'")
      } else {
        pieces = steady[0].pieces + varying[0].pieces
        let isAfterStart = times?.first.map { $0 > 0 } ?? false
        known = isAfterStart ? times.map { [0] + $0 } : nil
        notes.append(
          "'\(steady[0].name)' is taken for the state \(isAfterStart ? "at t = 0, " : "")before '\(varying[0].name)'"
        )
      }
    default:
      throw Self.mistake(
        "'equation.kind' is \(kind.rawValue), which has one field in time; \(file.path) has \(found)")
    }
    return ([.init(name: names[0], isTimeVarying: true, pieces: pieces, unit: varying.first?.unit)], known)
  }

  private func rename(_ fields: inout [AdaptedDataset.Field], _ path: String) throws {
    for (old, new) in fieldNames {
      guard let index = fields.firstIndex(where: { $0.name == old }) else {
        let found = fields.map { "'\($0.name)'" }.joined(separator: ", ")
        throw Self.mistake("'fields.\(old)': there is no such field (there are \(found))")
      }
      fields[index].name = new
    }
    guard Set(fields.map(\.name)).count == fields.count else {
      throw Self.mistake("two fields of \(path) would have one name")
    }
  }

  private func times(_ frameCount: Int, _ path: String) throws -> [Double]? {
    switch times {
    case nil: return nil
    case .list(let times):
      guard times.count == frameCount else {
        throw Self.mistake("'times' has \(times.count) of them; \(path) has \(frameCount) frames")
      }
      return times
    case .range(let first, let last):
      guard frameCount > 0 else { throw Self.mistake("'times' is given, but \(path) has no frames") }
      let step = (last - first) / Double(max(1, frameCount - 1))
      return (0..<frameCount).map { first + step * Double($0) }
    }
  }

  private func axes(
    _ axes: [DatasetDescription.Axis], _ path: String
  ) throws -> [DatasetDescription.Axis] {
    let names = axes.map(\.name)
    for key in Array(lengths.keys) + Array(periodic.keys) where key != Self.all && !names.contains(key) {
      throw Self.mistake("there is no axis '\(key)' in \(path); there are \(names.joined(separator: ", "))")
    }
    return try axes.map { axis in
      let isPeriodic =
        periodic[axis.name] ?? periodic[Self.all] ?? kind.map { $0.configuration.gridKind == .periodic }
        ?? axis.isPeriodic
      guard let length = lengths[axis.name] ?? lengths[Self.all] else {
        var axis = axis
        axis.isPeriodic = isPeriodic
        return axis
      }
      guard let isPeriodic else {
        throw Self.mistake(
          "'length' is given, but not whether axis \(axis.name) is periodic; give 'periodic' too")
      }
      return isPeriodic
        ? .periodic(axis.name, count: axis.count, length: length)
        : .bounded(axis.name, count: axis.count, length: length)
    }
  }
}

extension EquationKind {
  /// The fields of its datasets.
  var fieldNames: [String] {
    switch self {
    case .darcy: ["permeability", "pressure"]
    case .navierStokes: ["vorticity"]
    default: ["u"]
    }
  }

  /// The equation without its domain, which a file of others may have otherwise.
  var formula: String? {
    let formulas: [EquationKind: String] = [
      .burgers: "u_t + (u^2/2)_x = nu u_xx", .darcy: "-div(a grad u) = f, u = 0 on the boundary",
      .navierStokes: "w_t + u . grad w = nu laplacian(w) + f",
      .kortewegDeVries: "u_t + 6 u u_x + u_xxx = 0", .kuramotoSivashinsky: "u_t + u u_x + u_xx + u_xxxx = 0",
      .allenCahn: "u_t = D laplace u + r (u - u^3)", .advection: "u_t + c . grad u = 0",
      .heat: "u_t = kappa laplace u",
    ]
    return formulas[self]
  }
}
