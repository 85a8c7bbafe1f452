import Foundation
import Glibc
import HDF5
import TestSupport
import Testing

/// The built command, run as a user runs it.
enum Command {
  /// The executable beside the test bundle.
  static let path: String = {
    let arguments = ProcessInfo.processInfo.arguments
    var candidates: [String] = []
    if let flag = arguments.firstIndex(of: "--test-bundle-path"), flag + 1 < arguments.count {
      candidates.append((arguments[flag + 1] as NSString).deletingLastPathComponent)
    }
    candidates += arguments.prefix(1).map { ($0 as NSString).deletingLastPathComponent }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path
    candidates += ["release", "debug"].map { "\(root)/.build/\($0)" }
    let executables = candidates.map { "\($0)/phalarope" }
    return executables.first { access($0, X_OK) == 0 } ?? "phalarope"
  }()

  /// What a command left behind.
  struct Outcome {
    let status: Int32
    let output: String
    let messages: String
  }

  /// Runs the command to its end.
  ///
  /// - Parameters:
  ///   - limit: the largest size of a file in blocks of 1024 bytes: what a full disk looks like.
  ///   - environment: variables that are added to those of the tests.
  @discardableResult
  static func run(
    _ arguments: [String], in folder: String, fileSizeLimit limit: Int? = nil,
    environment: [String: String] = [:]
  ) throws -> Outcome {
    try Running(arguments, in: folder, fileSizeLimit: limit, environment: environment).wait()
  }

  /// Starts a command, sends it a signal once a file is there, and waits for its end.
  ///
  /// A command may be through before the signal arrives, however long it takes, if this process is stalled: then the
  /// next, longer one has its turn.
  /// - Parameter command: the arguments of a command of so many epochs.
  /// - Returns: what the one left behind that was met at work, and its epochs.
  static func interrupt(
    _ signal: Int32, whenThereIs file: (Int) -> String, epochs: [Int] = [150, 1500, 15_000, 150_000],
    in folder: String, _ command: (Int) -> [String]
  ) throws -> (outcome: Outcome, epochs: Int) {
    for epochs in epochs {
      let running = try Running(command(epochs), in: folder)
      _ = running.wait { FileManager.default.fileExists(atPath: file(epochs)) }
      running.signal(signal)
      let outcome = running.wait()
      if outcome.status != 0 { return (outcome, epochs) }
    }
    throw NeverMet()
  }

  /// No command was long enough.
  struct NeverMet: Error {}

  /// The largest memory, in bytes, that a command takes until its end, which must be a good one.
  static func peakMemory(_ arguments: [String], in folder: String) throws -> Int {
    let running = try Running(arguments, in: folder)
    var peak = 0
    // The condition never holds: this ends with the command.
    _ = running.wait {
      peak = max(peak, running.peakMemory)
      return false
    }
    let outcome = running.wait()
    #expect(outcome.status == 0, "\(outcome.messages)")
    return peak
  }

  /// A command at work.
  final class Running {
    private let process = Process()
    private let folder: String
    private let number = UUID().uuidString

    init(
      _ arguments: [String], in folder: String, fileSizeLimit limit: Int? = nil,
      environment: [String: String] = [:]
    ) throws {
      self.folder = folder
      process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      if let limit {
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "ulimit -f \(2 * limit); exec \"$0\" \"$@\"", Command.path] + arguments
      } else {
        process.executableURL = URL(fileURLWithPath: Command.path)
        process.arguments = arguments
      }
      process.currentDirectoryURL = URL(fileURLWithPath: folder)
      // Files, not pipes: nothing blocks, whatever the command prints.
      for name in ["output", "messages"] {
        _ = FileManager.default.createFile(atPath: file(name), contents: nil)
      }
      process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: file("output")))
      process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: file("messages")))
      process.standardInput = FileHandle.nullDevice
      try process.run()
    }

    private func file(_ name: String) -> String { "\(NSTemporaryDirectory())/phalarope-\(number)-\(name)" }

    /// Waits until the condition holds; false if the command ends before.
    func wait(until condition: () -> Bool) -> Bool {
      while process.isRunning {
        if condition() { return true }
        usleep(2000)
      }
      return false
    }

    /// The largest memory that the process has taken so far, in bytes; 0 once it has ended.
    var peakMemory: Int {
      let status = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
      let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
      return (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1024
    }

    /// The number of the process.
    var identifier: Int32 { process.processIdentifier }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    func wait() -> Outcome {
      process.waitUntilExit()
      func text(_ name: String) -> String {
        defer { unlink(file(name)) }
        return (try? String(contentsOfFile: file(name), encoding: .utf8)) ?? ""
      }
      let status = process.terminationStatus
      return Outcome(
        status: process.terminationReason == .uncaughtSignal ? 128 + status : status, output: text("output"),
        messages: text("messages"))
    }
  }
}

/// Configurations small enough for tests.
enum Samples {
  static let burgers = """
    equation:
      kind: burgers
      viscosity: 0.1
      times: [1]
    grid: 128
    stored_grid: 32
    samples: 12
    output: burgers.h5
    """

  static let training = """
    model:
      kind: fno
      width: 8
      modes: 6
      layers: 2
      projection_width: 16
    data:
      train: burgers.h5
      train_samples: 8
      test_samples: 4
      normalization: {input: global, target: global}
    epochs: 3
    batch_size: 4
    optimizer: {learning_rate: 1e-3}
    output: run
    """

  static let navierStokes = """
    equation:
      kind: navier-stokes
      viscosity: 1e-2
      times: [0.5]
    grid: 16
    samples: 2
    output: ns.h5
    """

  static let inversion = """
    surrogate: solver
    observations: {file: ns.h5, sensor_grid: [3, 3]}
    noise: 0.05
    sampler: {kind: pcn, samples: 40, burn_in: 10, chains: 2, thin: 5}
    output: inversion
    """

  /// Calls `body` with a folder that holds all of these as files.
  static func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
    try withTemporaryFolder { folder in
      for (name, text) in [
        ("burgers", burgers), ("train", training), ("ns", navierStokes), ("invert", inversion),
      ] {
        try text.write(toFile: "\(folder)/\(name).yaml", atomically: false, encoding: .utf8)
      }
      return try body(folder)
    }
  }
}

/// The names in a folder, sorted.
func names(in folder: String) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
}

/// All numbers of the datasets of numbers below a group of an HDF5 file, by path.
func numbers(in path: String, below prefix: String) throws -> [String: [Double]] {
  let root = try HDF5File(opening: path).root
  let paths = try root.datasetPaths().filter {
    try $0.hasPrefix(prefix) && root.dataset($0).elementKind.isNumeric
  }
  return Dictionary(
    uniqueKeysWithValues: try paths.map { ($0, try root.dataset($0).read(as: Double.self)) })
}
