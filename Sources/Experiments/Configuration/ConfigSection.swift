import Foundation
import Yams

/// A section of a configuration being read into typed values.
///
/// One call per key, such as `section.double("viscosity", in: .positive)`, declares the key's name, type,
/// default and range, reads it, and records its resolved value: what was read is at the same time the list
/// of valid keys and the resolved configuration. Mistakes are collected, so that a user sees all of them at
/// once; `finish()` throws them. Until then a faulty value is replaced by a stand-in of its type.
public final class ConfigSection {
  /// The state that the sections of one file share.
  private final class Document {
    let path: String
    var mistakes: [ConfigError.Mistake] = []
    var validPaths: [String] = []
    init(path: String) { self.path = path }
  }

  /// A value that has been read.
  private enum Resolved {
    case value(Node)
    case section(ConfigSection)
  }

  private let document: Document
  private let path: String
  private let origin: ConfigOrigin
  private let entries: [(key: String, value: ConfigNode)]
  private var resolved: [(key: String, value: Resolved)] = []
  /// False for a section that was written as something else: its keys are then not missed.
  private var isSound = true

  /// Parses a configuration and applies `key=value` overrides to it.
  ///
  /// - Parameter path: the name of the file in messages.
  /// - Throws: `ConfigError` for YAML that cannot be parsed, or an override without a key.
  public init(parsing text: String, path: String, overrides: [String] = []) throws {
    var root = try ConfigNode(parsing: text, path: path)
    for override in overrides { try root.override(override) }
    document = Document(path: path)
    self.path = ""
    origin = root.origin
    guard case .section(let entries) = root.content else { preconditionFailure("parsed as a section") }
    self.entries = entries
  }

  private init(
    _ document: Document, path: String, origin: ConfigOrigin, entries: [(key: String, value: ConfigNode)]
  ) {
    self.document = document
    self.path = path
    self.origin = origin
    self.entries = entries
  }

  /// Reads a configuration file and applies `key=value` overrides to it.
  ///
  /// - Throws: `InputError` if the file cannot be read, `ConfigError` if it cannot be parsed.
  public convenience init(contentsOf path: String, overrides: [String] = []) throws {
    let text = try TextFile.read(path)
    try self.init(parsing: text, path: path, overrides: overrides)
  }

  /// The file's name in messages.
  public var fileName: String { document.path }

  // MARK: - Reading values

  /// An integer.
  public func int(_ key: String, default fallback: Int? = nil, in range: ConfigRange<Int> = .any) -> Int {
    value(key, fallback, range, "an integer", 1, integerValue) { Node("\($0)") }
  }

  /// An integer that need not be there.
  public func optionalInt(_ key: String, in range: ConfigRange<Int> = .any) -> Int? {
    declare(key)
    return entry(key) == nil ? nil : int(key, in: range)
  }

  /// A number.
  public func double(
    _ key: String, default fallback: Double? = nil, in range: ConfigRange<Double> = .any
  ) -> Double {
    value(key, fallback, range, "a number", 1, numberValue) { Node(ConfigScalar.text($0)) }
  }

  /// A number that need not be there.
  public func optionalDouble(_ key: String, in range: ConfigRange<Double> = .any) -> Double? {
    declare(key)
    return entry(key) == nil ? nil : double(key, in: range)
  }

  /// A number, or a word that stands for leaving the choice to the program; nil for the word.
  public func double(
    _ key: String, or word: String, default fallback: Double? = nil, in range: ConfigRange<Double>
  ) -> Double? {
    let words = ConfigRange<Double?>("\(range.words), or \(word)") { $0.map(range.contains) ?? true }
    return value(key, .some(fallback), words, "a number, or \(word)", nil) { node -> Double?? in
      if case .scalar(word, true) = node.content { return .some(nil) }
      return numberValue(node).map { .some($0) }
    } _: {
      Node($0.map(ConfigScalar.text) ?? word)
    }
  }

  /// A text.
  public func string(_ key: String, default fallback: String? = nil) -> String {
    value(key, fallback, ConfigRange("a text") { !$0.isEmpty }, "a text", "", textValue, textNode)
  }

  /// A text that need not be there.
  public func optionalString(_ key: String) -> String? {
    declare(key)
    return entry(key) == nil ? nil : string(key)
  }

  /// A list of texts, or a word that stands for all there are; nil for the word.
  public func stringList(_ key: String, or word: String, default fallback: [String]?? = nil) -> [String]? {
    let range = ConfigRange<[String]?>("a list of texts, or \(word)") { $0?.isEmpty != true }
    return value(key, fallback, range, "a list of texts, or \(word)", nil) { node -> [String]?? in
      if case .scalar(word, true) = node.content { return .some(nil) }
      return list(of: textValue)(node).map { .some($0) }
    } _: { texts in
      texts.map { Node($0.map(textNode), .implicit, .flow) } ?? Node(word)
    }
  }

  /// `true` or `false`.
  public func bool(_ key: String, default fallback: Bool? = nil) -> Bool {
    value(key, fallback, ConfigRange("true or false") { _ in true }, "true or false", false) { node in
      if case .scalar(let text, true) = node.content { ConfigScalar.truth(text) } else { nil }
    } _: {
      Node("\($0)")
    }
  }

  /// A list of integers, each in the range; a single integer is a list of one.
  public func intList(
    _ key: String, default fallback: [Int]? = nil, in range: ConfigRange<Int> = .any
  ) -> [Int] {
    let all = ConfigRange<[Int]>("integers, each \(range.words)") { $0.allSatisfy(range.contains) }
    return value(key, fallback, all, "a list of integers", [], list(of: integerValue)) { values in
      Node(values.map { Node("\($0)") }, .implicit, .flow)
    }
  }

  /// A list of integers, or a range with both ends as `1..10`, that need not be there.
  public func optionalIntRange(_ key: String) -> [Int]? {
    declare(key)
    guard entry(key) != nil else { return nil }
    let all = ConfigRange<[Int]>("integers, or a range as 1..10") { !$0.isEmpty }
    return value(key, nil, all, "a list of integers or a range as 1..10", [], integerRange) { values in
      Node(values.map { Node("\($0)") }, .implicit, .flow)
    }
  }

  /// A list of numbers, each in the range; a single number is a list of one.
  public func doubleList(
    _ key: String, default fallback: [Double]? = nil, in range: ConfigRange<Double> = .any
  ) -> [Double] {
    let all = ConfigRange<[Double]>("numbers, each \(range.words)") { $0.allSatisfy(range.contains) }
    return value(key, fallback, all, "a list of numbers", [], list(of: numberValue)) { values in
      Node(values.map { Node(ConfigScalar.text($0)) }, .implicit, .flow)
    }
  }

  /// A list of numbers that need not be there.
  public func optionalDoubleList(_ key: String, in range: ConfigRange<Double> = .any) -> [Double]? {
    declare(key)
    return entry(key) == nil ? nil : doubleList(key, in: range)
  }

  /// A list of points, each a list of as many numbers as there are `dimensions`, that need not be there.
  public func optionalPoints(
    _ key: String, dimensions: ClosedRange<Int>, in range: ConfigRange<Double>
  ) -> [[Double]]? {
    declare(key)
    guard entry(key) != nil else { return nil }
    let (least, most) = (dimensions.lowerBound, dimensions.upperBound)
    let kind = "a list of points, each a list of " + (least == most ? "" : "\(least) or ") + "\(most) numbers"
    let all = ConfigRange<[[Double]]>("points with coordinates \(range.words)") {
      !$0.isEmpty && $0.allSatisfy { $0.allSatisfy(range.contains) }
    }
    return value(key, nil, all, kind, []) { node in
      guard case .list(let points) = node.content else { return nil }
      let values = points.compactMap { (point: ConfigNode) -> [Double]? in
        guard case .list(let coordinates) = point.content, dimensions.contains(coordinates.count) else {
          return nil
        }
        let numbers = coordinates.compactMap(numberValue)
        return numbers.count == coordinates.count ? numbers : nil
      }
      return values.count == points.count ? values : nil
    } _: { points in
      Node(
        points.map { Node($0.map { Node(ConfigScalar.text($0)) }, .implicit, .flow) }, .implicit, .flow)
    }
  }

  /// One of a few words, or nil after recording that it is none of them.
  public func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, of type: Choice.Type, default fallback: Choice? = nil
  ) -> Choice? where Choice.RawValue == String {
    declare(key)
    let words = type.allCases.map(\.rawValue)
    guard let node = entry(key) else {
      if let fallback {
        record(key, textNode(fallback.rawValue))
      } else {
        reportMissing(key, "one of \(words.joined(separator: ", "))")
      }
      return fallback
    }
    let text = textValue(node)
    if let text, let choice = Choice(rawValue: text) {
      record(key, textNode(text))
      return choice
    }
    let nearest = text.flatMap { Spelling.nearest(to: $0, among: words) }
    report(
      node.origin,
      "'\(qualified(key))' is \(node.shown); it must be one of \(words.joined(separator: ", "))"
        + (nearest.map { " (did you mean '\($0)'?)" } ?? ""))
    return nil
  }

  /// True or false, nil if the key is absent.
  public func optionalBool(_ key: String) -> Bool? {
    declare(key)
    return entry(key) == nil ? nil : bool(key)
  }

  /// One of the cases of a type that need not be there.
  public func optionalChoice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, of type: Choice.Type
  ) -> Choice? where Choice.RawValue == String {
    declare(key)
    return entry(key) == nil ? nil : choice(key, of: type)
  }

  /// A section of its own; an absent one has no keys, so that its defaults apply.
  ///
  /// Asking for it again gives the same one.
  public func section(_ key: String) -> ConfigSection {
    if case .section(let section)? = resolved.first(where: { $0.key == key })?.value { return section }
    declare(key)
    let node = entry(key)
    var children: [(key: String, value: ConfigNode)] = []
    var isSection = true
    if let node {
      switch node.content {
      case .section(let entries): children = entries
      case .scalar("", true): break  // "key:" with nothing below it
      default:
        isSection = false
        report(
          node.origin, "'\(qualified(key))' is \(node.shown); it must be a section with keys of its own")
      }
    }
    let section = ConfigSection(
      document, path: qualified(key), origin: node?.origin ?? origin, entries: children)
    section.isSound = isSound && isSection
    resolved.append((key, .section(section)))
    return section
  }

  /// Whether a key was given.
  public func contains(_ key: String) -> Bool { entry(key) != nil }

  /// Whether the value of a key was written as a section.
  public func isSection(_ key: String) -> Bool {
    if case .section = entry(key)?.content { true } else { false }
  }

  /// Where the value of a key comes from.
  public func origin(of key: String) -> ConfigOrigin { entry(key)?.origin ?? .defaultValue }

  /// Records a mistake about a key unless the condition holds.
  ///
  /// The condition is evaluated only while the configuration has no other mistake, so it may rely on every
  /// value being in its range. The message completes the sentence "'key' is VALUE; …".
  public func check(_ key: String, _ condition: @autoclosure () -> Bool, _ message: @autoclosure () -> String)
  {
    guard document.mistakes.isEmpty, !condition() else { return }
    let shown = entry(key)?.shown ?? resolvedText(key)
    report(entry(key)?.origin ?? origin, "'\(qualified(key))' is \(shown); \(message())")
  }

  /// Records a mistake about a key, whatever else is wrong.
  public func reject(_ key: String, _ message: String) {
    declare(key)
    report(entry(key)?.origin ?? origin, "'\(qualified(key))' \(message)")
  }

  // MARK: - Finishing

  /// The mistakes so far, for a reader that cannot go on: without a model's kind, its keys are not known.
  public func stop() -> ConfigError {
    for (key, _) in pendingMissing {
      for (suspect, node) in entries where Spelling.areNear(suspect, key) {
        report(node.origin, "unknown key '\(qualified(suspect))' (did you mean '\(qualified(key))'?)")
      }
    }
    return failure
  }

  private var failure: ConfigError {
    ConfigError(document.mistakes.sorted { $0.origin.rank < $1.origin.rank })
  }

  /// Reports keys that nothing has asked for, then throws all mistakes if there are any.
  ///
  /// Call it on the outermost section after every key has been read.
  public func finish() throws {
    reportUnknownKeys()
    guard document.mistakes.isEmpty else { throw failure }
  }

  /// The resolved configuration: every key that was read, in the order of reading, as YAML.
  ///
  /// Reading it again gives the same values.
  public var resolvedYAML: String {
    do {
      return try Yams.serialize(node: resolvedNode, width: -1, allowUnicode: true)
    } catch { preconditionFailure("a tree of scalars serialises: \(error)") }
  }

  /// The resolved values as text by dotted key.
  public var resolvedValues: [String: String] {
    var values: [String: String] = [:]
    for (key, value) in resolved {
      switch value {
      case .value(let node): values[qualified(key)] = Self.text(of: node)
      case .section(let section): values.merge(section.resolvedValues) { $1 }
      }
    }
    return values
  }

  /// Where the value of a dotted key was written; nil if it is a default or absent.
  public func origin(ofPath path: String) -> ConfigOrigin? {
    var origin: ConfigOrigin?
    var node = ConfigNode(content: .section(entries), origin: self.origin)
    for name in path.split(separator: ".") {
      guard case .section(let entries) = node.content,
        let child = entries.first(where: { $0.key == name })?.value
      else { return nil }
      node = child
      origin = child.origin
    }
    return origin
  }

  /// Where each resolved value was written, by dotted key; what was not is left to the file.
  var origins: [String: ConfigOrigin] {
    var origins: [String: ConfigOrigin] = [:]
    for (key, value) in resolved {
      switch value {
      case .value: origins[qualified(key)] = entry(key)?.origin ?? .file(path: document.path, line: nil)
      case .section(let section): origins.merge(section.origins) { $1 }
      }
    }
    return origins
  }

  /// The dotted keys that have been asked for so far, in order.
  public var validKeys: [String] { document.validPaths }

  // MARK: - Inside

  private func entry(_ key: String) -> ConfigNode? { entries.first { $0.key == key }?.value }

  private func qualified(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  private func declare(_ key: String) {
    if !document.validPaths.contains(qualified(key)) { document.validPaths.append(qualified(key)) }
  }

  private func record(_ key: String, _ node: Node) {
    if let index = resolved.firstIndex(where: { $0.key == key }) {
      resolved[index].value = .value(node)
    } else {
      resolved.append((key, .value(node)))
    }
  }

  private func report(_ origin: ConfigOrigin, _ message: String) {
    document.mistakes.append(ConfigError.Mistake(origin: origin, message: message))
  }

  private func reportMissing(_ key: String, _ kind: String) {
    guard isSound else { return }
    // A misspelt key is reported as unknown by `finish()`; that it is missing too would only confuse.
    let isMisspelt = entries.contains {
      !document.validPaths.contains(qualified($0.key)) && Spelling.areNear($0.key, key)
    }
    guard !isMisspelt else { return pendingMissing.append((key, kind)) }
    report(origin, "'\(qualified(key))' is missing; it must be \(kind)")
  }

  /// Required keys that seem to be misspelt: reported as missing only if the suspect turns out to be valid.
  private var pendingMissing: [(key: String, kind: String)] = []

  private func value<Value>(
    _ key: String, _ fallback: Value?, _ range: ConfigRange<Value>, _ kind: String, _ standIn: Value,
    _ parse: (ConfigNode) -> Value?, _ emit: (Value) -> Node
  ) -> Value {
    declare(key)
    guard let node = entry(key) else {
      if let fallback { record(key, emit(fallback)) } else { reportMissing(key, kind) }
      return fallback ?? standIn
    }
    guard let value = parse(node) else {
      report(node.origin, "'\(qualified(key))' is \(node.shown); it must be \(kind)")
      return fallback ?? standIn
    }
    guard range.contains(value) else {
      report(node.origin, "'\(qualified(key))' is \(node.shown); it must be \(range.words)")
      return fallback ?? standIn
    }
    record(key, emit(value))
    return value
  }

  private func reportUnknownKeys() {
    for (key, node) in entries where !document.validPaths.contains(qualified(key)) {
      let nearest = Spelling.nearest(to: qualified(key), among: document.validPaths)
      let siblings = document.validPaths.filter {
        $0.hasPrefix(path.isEmpty ? "" : path + ".")
          && $0.dropFirst(path.isEmpty ? 0 : path.count + 1)
            .firstIndex(of: ".") == nil
      }
      let help =
        replacementHint(beside: node) ?? nearest.map { "did you mean '\($0)'?" }
        ?? "valid keys: \(siblings.joined(separator: ", "))"
      report(node.origin, "unknown key '\(qualified(key))' (\(help))")
    }
    for (key, kind) in pendingMissing
    where !entries.contains(where: {
      !document.validPaths.contains(qualified($0.key)) && Spelling.areNear($0.key, key)
    }) {
      report(origin, "'\(qualified(key))' is missing; it must be \(kind)")
    }
    for case (_, .section(let section)) in resolved { section.reportUnknownKeys() }
  }

  /// What helps with a key of the file that the section's kind, changed on the command line, does not have.
  private func replacementHint(beside node: ConfigNode) -> String? {
    guard !path.isEmpty, node.origin != .commandLine, let kind = entry("kind"), kind.origin == .commandLine,
      case .scalar(let name, _) = kind.content
    else { return nil }
    return "not one of \(name); to replace the whole section write '\(path)={kind: \(name), ...}'"
  }

  private var resolvedNode: Node {
    Node(
      resolved.map { key, value in
        switch value {
        case .value(let node): (Node(key), node)
        case .section(let section): (Node(key), section.resolvedNode)
        }
      }, .implicit, .block)
  }

  private func resolvedText(_ key: String) -> String {
    guard case .value(let node)? = resolved.first(where: { $0.key == key })?.value else { return "absent" }
    return Self.text(of: node)
  }

  private static func text(of node: Node) -> String {
    switch node {
    case .scalar(let scalar): scalar.string
    case .sequence(let elements): "[" + elements.map(text(of:)).joined(separator: ", ") + "]"
    case .mapping, .alias: ""
    }
  }
}

// MARK: - How a written value reads as a type

/// The integers of a list, or of a range of at most 100,000.
private func integerRange(_ node: ConfigNode) -> [Int]? {
  guard case .scalar(let text, _) = node.content, let dots = text.firstRange(of: "..") else {
    return list(of: integerValue)(node)
  }
  guard let first = Int(text[..<dots.lowerBound]), let last = Int(text[dots.upperBound...]), first <= last,
    last - first < 100_000
  else { return nil }
  return Array(first...last)
}

private func integerValue(_ node: ConfigNode) -> Int? {
  if case .scalar(let text, true) = node.content { ConfigScalar.integer(text) } else { nil }
}

private func numberValue(_ node: ConfigNode) -> Double? {
  if case .scalar(let text, true) = node.content { ConfigScalar.number(text) } else { nil }
}

private func textValue(_ node: ConfigNode) -> String? {
  guard case .scalar(let text, let isPlain) = node.content else { return nil }
  return isPlain && ConfigScalar.isAmbiguous(text) ? nil : text
}

private func list<Value>(of element: @escaping (ConfigNode) -> Value?) -> (ConfigNode) -> [Value]? {
  { node in
    guard case .list(let elements) = node.content else { return element(node).map { [$0] } }
    let values = elements.compactMap(element)
    return values.count == elements.count ? values : nil
  }
}

private func textNode(_ text: String) -> Node {
  // The emitter quotes what is not plain; it does not know that a plain word may read as a number.
  ConfigScalar.isAmbiguous(text) ? Node(text, Tag(.str), .doubleQuoted) : Node(text)
}
