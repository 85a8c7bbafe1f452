import Foundation
import Yams

/// A value of a configuration as it was written, with the place where it was written.
struct ConfigNode: Sendable {
  enum Content: Sendable {
    /// The text of a scalar; `isPlain` if it was written without quotes, so that it may be a number.
    case scalar(String, isPlain: Bool)
    case list([ConfigNode])
    /// The keys of a section in the order of the file.
    case section([(key: String, value: ConfigNode)])
  }

  var content: Content
  var origin: ConfigOrigin

  /// How a message shows the value, in the notation of YAML.
  var shown: String {
    switch content {
    case .scalar(let text, let isPlain): isPlain ? (text.isEmpty ? "empty" : text) : "\"\(text)\""
    case .list(let elements): "[" + elements.map(\.shown).joined(separator: ", ") + "]"
    case .section: "a section"
    }
  }
}

extension ConfigNode {
  /// Parses the text of a configuration file.
  ///
  /// - Throws: `ConfigError` for a syntax error, a duplicate key, or a file that is no mapping of keys.
  init(parsing text: String, path: String) throws(ConfigError) {
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch let error as YamlError {
      throw ConfigNode.syntaxError(error, text: text, path: path)
    } catch {
      throw ConfigError(.file(path: path, line: nil), "cannot be parsed: \(error)")
    }
    guard let root else {
      self.init(content: .section([]), origin: .file(path: path, line: nil))
      return
    }
    try self.init(root, path: path)
    guard case .section = content else {
      throw ConfigError(
        .file(path: path, line: root.mark?.line), "a configuration is a list of 'key: value' lines")
    }
  }

  private init(_ node: Node, path: String) throws(ConfigError) {
    origin = .file(path: path, line: node.mark?.line)
    switch node {
    case .scalar(let scalar):
      content = .scalar(scalar.string, isPlain: scalar.style == .plain || scalar.style == .any)
    case .sequence(let sequence):
      var elements: [ConfigNode] = []
      for element in sequence { elements.append(try ConfigNode(element, path: path)) }
      content = .list(elements)
    case .mapping(let mapping):
      var entries: [(key: String, value: ConfigNode)] = []
      for (key, value) in mapping {
        guard case .scalar(let name) = key else {
          throw ConfigError(.file(path: path, line: key.mark?.line), "a key must be a single word")
        }
        var entry = try ConfigNode(value, path: path)
        // A message points at the line of the key: that of the value may be further down.
        entry.origin = .file(path: path, line: key.mark?.line)
        entries.append((name.string, entry))
      }
      content = .section(entries)
    case .alias:
      throw ConfigError(.file(path: path, line: node.mark?.line), "aliases are not supported")
    }
  }

  /// One line for an error of the YAML parser.
  private static func syntaxError(_ error: YamlError, text: String, path: String) -> ConfigError {
    switch error {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let place = context.map { " (\($0.text.trimmingCharacters(in: .whitespaces)) in line \($0.mark.line))" }
      return ConfigError(
        .file(path: path, line: mark.line), "not valid YAML: \(problem)\(place ?? "")")
    case .reader(let problem, let offset, _, _):
      let line = offset.map { text.prefix($0).count { $0.isNewline } + 1 }
      return ConfigError(.file(path: path, line: line), "not valid YAML: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      return ConfigError(
        .file(path: path, line: context.mark.line),
        "duplicate key \(duplicates.map { "'\($0)'" }.joined(separator: ", ")): keep one of them")
    default:
      return ConfigError(
        .file(path: path, line: nil), "not valid YAML: \(String(describing: error).firstLine)")
    }
  }
}

extension ConfigNode {
  /// The values as they are shown, by dotted key.
  var values: [String: String] {
    func add(_ node: ConfigNode, _ key: String, to values: inout [String: String]) {
      guard case .section(let entries) = node.content else {
        values[key] = node.shown
        return
      }
      for (name, value) in entries { add(value, key.isEmpty ? name : "\(key).\(name)", to: &values) }
    }
    var values: [String: String] = [:]
    add(self, "", to: &values)
    return values
  }

  /// The dotted keys whose values differ from another configuration's, sorted, with both values as they are shown.
  func differences(from other: ConfigNode) -> [(key: String, now: String?, before: String?)] {
    let (now, before) = (values, other.values)
    return Set(now.keys).union(before.keys).sorted().filter { now[$0] != before[$0] }
      .map { ($0, now[$0], before[$0]) }
  }

  /// Sets the value of a dotted key from a `key=value` argument; the value is parsed as YAML.
  mutating func override(_ argument: String) throws(ConfigError) {
    guard let separator = argument.firstIndex(of: "="), separator != argument.startIndex else {
      throw ConfigError(.commandLine, "'\(argument)' is not an override: write key=value")
    }
    let path = argument[..<separator].split(separator: ".", omittingEmptySubsequences: false)
      .map(String.init)
    guard !path.contains("") else {
      throw ConfigError(.commandLine, "'\(argument)' has an empty key: write section.key=value")
    }
    let text = String(argument[argument.index(after: separator)...])
    let parsed: Node?
    do {
      parsed = try Yams.compose(yaml: text)
    } catch {
      throw ConfigError(.commandLine, "the value of '\(argument)' is not valid YAML")
    }
    var value =
      if let parsed {
        try ConfigNode(parsed, path: "")
      } else {
        ConfigNode(content: .scalar("", isPlain: true), origin: .commandLine)
      }
    value.markAsCommandLine()
    set(value, at: path[...])
  }

  private mutating func set(_ value: ConfigNode, at path: ArraySlice<String>) {
    guard let key = path.first else {
      self = value
      return
    }
    var entries: [(key: String, value: ConfigNode)] = []
    if case .section(let existing) = content { entries = existing }
    if let index = entries.firstIndex(where: { $0.key == key }) {
      entries[index].value.set(value, at: path.dropFirst())
    } else {
      var child = ConfigNode(content: .section([]), origin: .commandLine)
      child.set(value, at: path.dropFirst())
      entries.append((key, child))
    }
    content = .section(entries)
  }

  private mutating func markAsCommandLine() {
    origin = .commandLine
    switch content {
    case .scalar: break
    case .list(var elements):
      for index in elements.indices { elements[index].markAsCommandLine() }
      content = .list(elements)
    case .section(var entries):
      for index in entries.indices { entries[index].value.markAsCommandLine() }
      content = .section(entries)
    }
  }
}

extension String {
  /// The text up to the first line break.
  var firstLine: String { String(prefix { !$0.isNewline }) }
}
