/// What is wrong with a configuration: one message per mistake, each of one line.
public struct ConfigError: Error, Equatable, CustomStringConvertible {
  /// One mistake: where it is and what to do about it.
  public struct Mistake: Sendable, Equatable, CustomStringConvertible {
    /// Where the offending value was written.
    public let origin: ConfigOrigin
    /// What is wrong, with the key's path.
    public let message: String

    /// `FILE:LINE: message`, or `command line: message`.
    public var description: String { "\(origin): \(message)" }
  }

  /// The mistakes in the order of the file, those of the command line first.
  public let mistakes: [Mistake]

  init(_ mistakes: [Mistake]) { self.mistakes = mistakes }

  init(_ origin: ConfigOrigin, _ message: String) {
    self.init([Mistake(origin: origin, message: message)])
  }

  /// One line per mistake.
  public var description: String { mistakes.map(\.description).joined(separator: "\n") }
}

/// Where a value of a configuration comes from.
public enum ConfigOrigin: Sendable, Equatable, CustomStringConvertible {
  /// A line of the configuration file.
  case file(path: String, line: Int?)
  /// A `key=value` argument.
  case commandLine
  /// Not written anywhere: the documented default.
  case defaultValue

  /// `FILE:LINE`, `command line` or `default`, as messages begin.
  public var description: String {
    switch self {
    case .file(let path, let line?): "\(path):\(line)"
    case .file(let path, nil): path
    case .commandLine: "command line"
    case .defaultValue: "default"
    }
  }

  /// The order in which mistakes are reported: the command line, then the lines of the file.
  var rank: Int {
    switch self {
    case .commandLine: -1
    case .file(_, let line): line ?? Int.max
    case .defaultValue: Int.max
    }
  }
}
