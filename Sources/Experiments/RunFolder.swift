import Files
import Foundation
import Glibc

/// The folder of a run: its configuration, manifest, metrics, events, checkpoints, figures and report.
///
/// A folder that exists is never overwritten unless asked for, and continued only with the configuration it
/// was started with. While a run is under way its folder is locked: another process is refused.
public struct RunFolder: Sendable {
  /// What to do with a folder that exists already.
  public enum Policy: Sendable {
    /// Refuse.
    case create
    /// Remove the earlier run.
    case overwrite
    /// Go on where the earlier run stopped.
    case resume
  }

  /// The folder.
  public let path: String
  /// Of a run that is under way: for as long as this lives no other process can begin one here.
  let lock: FileLock?

  /// An existing run folder.
  ///
  /// - Throws: `InputError` if there is none at the path.
  public init(opening path: String) throws {
    guard FileSystem.isFolder(path) else {
      throw InputError(
        path: path, reason: FileSystem.exists(path) ? "is not a run folder" : "there is no such run folder")
    }
    guard FileSystem.exists("\(path)/config.yaml") else {
      throw InputError(path: path, reason: "is not a run folder: it has no config.yaml")
    }
    self.path = path
    lock = nil
  }

  /// Prepares the folder of a run and writes its configuration.
  ///
  /// That the folder can be written to is found out here, before hours of work.
  /// - Parameters:
  ///   - verb: the command, for messages and for the heading of `config.yaml`.
  ///   - configuration: the resolved configuration, as YAML.
  ///   - changeable: the dotted keys that may differ when a run is continued.
  /// - Throws: `OutputError` if the folder exists, cannot be created or written to, or is another process's.
  public init(
    preparing path: String, policy: Policy, verb: String, configuration: String,
    changeable: Set<String> = []
  ) throws {
    self.path = path
    try Self.requireAvailable(path, policy: policy, configuration: configuration, changeable: changeable)
    try FileSystem.makeFolders(path)
    do { lock = try FileLock(Self.lockFile(in: path)) } catch { throw OutputError(error) }
    guard lock != nil else { throw Self.isTaken(path) }
    // Another process may have been here until it was locked.
    try Self.requireState(path, policy: policy, configuration: configuration, changeable: changeable)
    if policy == .overwrite { try removeRun() }
    let heading = """
      # Resolved configuration of this run: `phalarope \(verb) \(path)/config.yaml` repeats it
      # (add output=FOLDER to keep this one).

      """
    // First, so that a folder left by a kill is known for what it is.
    try TextFile.write(heading + configuration, to: configurationFile)
    try FileSystem.makeFolders(checkpoints)
    try FileSystem.makeFolders(figures)
  }

  /// Makes sure that a run folder can be prepared, without touching anything.
  ///
  /// For use before work that takes its time, such as reading the data.
  /// - Throws: `OutputError`, `InputError`, as preparing does.
  static func requireAvailable(
    _ path: String, policy: Policy, configuration: String, changeable: Set<String>
  ) throws {
    try requireUnlocked(path)
    try requireState(path, policy: policy, configuration: configuration, changeable: changeable)
  }

  /// Makes sure that no other process is at work in a folder.
  ///
  /// - Throws: `OutputError`.
  static func requireUnlocked(_ path: String) throws {
    if FileLock.isTaken(lockFile(in: path)) { throw isTaken(path) }
  }

  private static func isTaken(_ path: String) -> OutputError {
    let holder = FileLock.holder(of: lockFile(in: path)).map { ", number \($0)," } ?? ""
    return OutputError(
      .exists, path: path,
      reason: "another process\(holder) is at work on this run; wait for its end, or name another output")
  }

  private static func requireState(
    _ path: String, policy: Policy, configuration: String, changeable: Set<String>
  ) throws {
    guard FileSystem.exists(path) else {
      if policy == .resume {
        throw InputError(path: path, reason: "there is no run to continue; start it without --resume")
      }
      return try FileSystem.requireFolderCanBeMade(path)
    }
    guard FileSystem.isFolder(path) else {
      throw OutputError(.exists, path: path, reason: "is a file, not a folder; name another output")
    }
    guard FileSystem.exists("\(path)/config.yaml") else {
      if FileSystem.isEmptyFolder(path, but: [lockName]) { return try FileSystem.requireWritable(path) }
      throw OutputError(
        .exists, path: path, reason: "exists and is not a run folder; name another output")
    }
    switch policy {
    case .create:
      throw OutputError(
        .exists, path: path,
        reason: "exists already; continue it with --resume, replace it with --overwrite, "
          + "or name another output")
    case .overwrite: break
    case .resume:
      try requireSameConfiguration(configuration, in: path, changeable: changeable)
    }
    try FileSystem.requireWritable(path)
  }

  private static let lockName = ".lock"
  private static func lockFile(in path: String) -> String { "\(path)/\(lockName)" }

  /// Ends the work on the run for other processes: call it last.
  ///
  /// An object would otherwise be given up after its last use, which may be long before.
  public func unlock() { withExtendedLifetime(lock) {} }

  /// The resolved configuration.
  public var configurationFile: String { "\(path)/config.yaml" }
  /// What produced the run.
  public var manifestFile: String { Self.manifestFile(in: path) }
  /// What produced the run in a folder.
  static func manifestFile(in path: String) -> String { "\(path)/manifest.json" }
  /// One row per epoch, split and metric.
  public var metricsFile: String { "\(path)/metrics.csv" }
  /// One JSON object per event.
  public var eventsFile: String { "\(path)/events.jsonl" }
  /// The folder of the checkpoints.
  public var checkpoints: String { "\(path)/checkpoints" }
  /// The checkpoint that a run continues from.
  public var lastCheckpoint: String { Self.lastCheckpoint(in: path) }
  /// The checkpoint that a run in a folder would continue from.
  static func lastCheckpoint(in path: String) -> String { "\(path)/checkpoints/last" }
  /// The checkpoint with the smallest test error.
  public var bestCheckpoint: String { "\(checkpoints)/best" }
  /// The folder of the figures.
  public var figures: String { "\(path)/figures" }
  /// The report.
  public var reportFile: String { "\(path)/report.html" }

  /// Adds an event, with the time, to `events.jsonl`.
  ///
  /// - Throws: `OutputError`.
  public func record(_ event: String, _ details: [String: EventValue] = [:]) throws {
    var object = details
    object["event"] = .text(event)
    object["time"] = .text(Manifest.timestamp())
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let line = String(decoding: try encoder.encode(object), as: UTF8.self)
    try TextFile.append(line + "\n", to: eventsFile)
  }

  /// Removes what a run leaves in its folder, and nothing else.
  private func removeRun() throws {
    let names = [
      "config.yaml", "manifest.json", "metrics.csv", "events.jsonl", "checkpoints", "figures",
      "report.html", "evaluation.json", "evaluation.h5", "posterior.nc",
    ]
    for name in names where FileSystem.exists("\(path)/\(name)") {
      do {
        try FileManager.default.removeItem(atPath: "\(path)/\(name)")
      } catch {
        throw OutputError(.notCreatable, path: "\(path)/\(name)", reason: "cannot be removed")
      }
    }
  }

  /// Continuing with another configuration would give a run that no configuration describes.
  private static func requireSameConfiguration(
    _ configuration: String, in path: String, changeable: Set<String>
  ) throws {
    let configurationFile = "\(path)/config.yaml"
    let before = try ConfigNode(parsing: TextFile.read(configurationFile), path: configurationFile)
    let now = try ConfigNode(parsing: configuration, path: "configuration")
    for (key, now, before) in now.differences(from: before) where key != "output" && !changeable.contains(key)
    {
      throw OutputError(
        .exists, path: path,
        reason: "was started with \(key) = \(before ?? "nothing"), not \(now ?? "nothing"); "
          + "continue it with \(configurationFile), or replace it with --overwrite")
    }
  }
}

/// A value of an event: a text or a number.
public enum EventValue: Encodable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
  /// A text.
  case text(String)
  /// A number; null if it is not finite.
  case number(Double)
  /// A whole number.
  case integer(Int)

  /// A text.
  public init(stringLiteral value: String) { self = .text(value) }
  /// A whole number.
  public init(integerLiteral value: Int) { self = .integer(value) }

  /// As a bare JSON value.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .text(let text): try container.encode(text)
    case .number(let number):
      if number.isFinite { try container.encode(number) } else { try container.encodeNil() }
    case .integer(let number): try container.encode(number)
    }
  }
}
