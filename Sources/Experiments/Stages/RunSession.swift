import Foundation

/// One session of work on a run: keeps its manifest up to date, however the session ends.
struct RunSession {
  let run: RunFolder
  private(set) var manifest: Manifest
  private let start = ContinuousClock.now
  private let earlierSeconds: Double

  /// Starts or continues a run and says so in its manifest and events.
  ///
  /// - Throws: `OutputError` if they cannot be written.
  init(
    _ run: RunFolder, isContinuation: Bool, seeds: [String: Int], data: [String: String],
    parameterCount: Int? = nil, initialWeights: Manifest.InitialWeights? = nil
  ) throws {
    self.run = run
    manifest = Manifest(
      seeds: seeds, data: data, parameterCount: parameterCount, initialWeights: initialWeights)
    if isContinuation, FileSystem.exists(run.manifestFile) {
      let earlier = try Manifest(contentsOf: run.manifestFile)
      manifest.start = earlier.start
      manifest.initialWeights = earlier.initialWeights
      manifest.continuations = earlier.continuations + 1
      manifest.wallSeconds = earlier.wallSeconds
    }
    earlierSeconds = manifest.wallSeconds
    try manifest.write(to: run.manifestFile)
    try run.record(isContinuation ? "continued" : "started")
  }

  /// Does the work, and records how it ended.
  ///
  /// - Throws: what `work` throws.
  mutating func perform<Result>(_ work: () throws -> Result) throws -> Result {
    do {
      let result = try work()
      try end(.finished)
      return result
    } catch {
      // The disk may be full: the error that ended the work is the one to report.
      let isCancelled = error is CancellationError
      try? end(isCancelled ? .interrupted : .failed, failure: isCancelled ? nil : Failure(error).message)
      throw error
    }
  }

  private mutating func end(_ status: Manifest.Status, failure: String? = nil) throws {
    manifest.status = status
    manifest.failure = failure
    manifest.end = Manifest.timestamp()
    manifest.wallSeconds = earlierSeconds + Progress.seconds(ContinuousClock.now - start)
    try manifest.write(to: run.manifestFile)
    try run.record(status.rawValue, failure.map { ["reason": .text($0)] } ?? [:])
  }
}
