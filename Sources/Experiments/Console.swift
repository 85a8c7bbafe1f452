import Foundation
import Glibc
import Synchronization

/// Where the command talks to people and to other programs.
///
/// Results go to standard output; everything else (progress, notes, errors) goes to standard error. With
/// `--json` the result is one JSON document and nothing else. A reader that goes away ends the command
/// quietly if it read the results, and does not disturb the work if it read the notes.
public final class Console: Sendable {
  /// Whether notes and progress are suppressed.
  public let isQuiet: Bool
  /// Whether results are printed as JSON.
  public let isJSON: Bool
  /// Whether standard error is a terminal, where one line can be rewritten.
  let isLive: Bool

  /// Whether results are printed: not those of the parts of a larger work.
  private let printsResults: Bool

  private struct State {
    /// The number of columns of the live line now on the terminal.
    var liveWidth = 0
  }
  private let state = Mutex(State())

  /// A console; `isLive` is found out unless given.
  public init(
    isQuiet: Bool = false, isJSON: Bool = false, isLive: Bool? = nil, printsResults: Bool = true
  ) {
    self.printsResults = printsResults
    self.isQuiet = isQuiet
    self.isJSON = isJSON
    self.isLive =
      isLive ?? (isatty(STDERR_FILENO) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb")
    // A broken pipe and a file size limit are then errors of `write`, not the death of the process.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
  }

  /// A console for a part of the work, whose results are not printed.
  var withoutResults: Console {
    Console(isQuiet: isQuiet, isJSON: isJSON, isLive: isLive, printsResults: false)
  }

  /// Tells people something, unless they asked for quiet.
  public func note(_ text: String) {
    if !isQuiet { writeError(text) }
  }

  /// Tells people about a failure.
  public func error(_ text: String) {
    writeError(text.split(separator: "\n").map { "error: \($0)" }.joined(separator: "\n"))
  }

  /// Tells people about something that may be wrong.
  public func warning(_ text: String) { writeError("warning: \(text)") }

  /// Prints the result of a command: the document with `--json`, the text without.
  public func result(_ document: some Encodable, text: @autoclosure () -> String) throws {
    guard printsResults else { return }
    try write(isJSON ? Self.json(document) : text())
  }

  /// A value as indented JSON with sorted keys; names become snake_case, what is not finite becomes a text.
  public static func json(_ document: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return String(decoding: try encoder.encode(document), as: UTF8.self)
  }

  /// Replaces the live line, or prints a line where there is none.
  func showLive(_ text: String) {
    guard !isQuiet else { return }
    guard isLive else { return writeError(text) }
    let columns = Self.terminalColumns
    let shown = String(text.prefix(max(20, columns - 1)))
    state.withLock { state in
      let padding = String(repeating: " ", count: max(0, state.liveWidth - shown.count))
      _ = Self.send("\r\(shown)\(padding)", to: STDERR_FILENO)
      state.liveWidth = shown.count
    }
  }

  /// Leaves the live line as it is and starts a new one.
  func endLive() {
    state.withLock { state in
      if state.liveWidth > 0 { _ = Self.send("\n", to: STDERR_FILENO) }
      state.liveWidth = 0
    }
  }

  private func writeError(_ text: String) {
    endLive()
    _ = Self.send(text + "\n", to: STDERR_FILENO)
  }

  /// Writes to standard output.
  ///
  /// - Throws: `OutputError` if it cannot be written; if its reader has gone the process ends as by SIGPIPE.
  private func write(_ text: String) throws {
    endLive()
    guard !Self.send(text + "\n", to: STDOUT_FILENO) else { return }
    if errno == EPIPE {
      signal(SIGPIPE, SIG_DFL)
      raise(SIGPIPE)
    }
    throw OutputError(writing: "standard output")
  }

  private static func send(_ text: String, to descriptor: Int32) -> Bool {
    var remaining = Array(text.utf8)[...]
    while !remaining.isEmpty {
      let count = remaining.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      remaining = remaining.dropFirst(count)
    }
    return true
  }

  private static var terminalColumns: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
