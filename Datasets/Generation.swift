import Foundation
import HDF5
import Tensors

/// What becomes of an output that exists already.
public enum ExistingOutput: Sendable {
  /// It is an error.
  case refused
  /// It is kept if it is what would be made; otherwise it is an error.
  case kept
  /// It is replaced, and so is a partial file that was begun with other settings.
  case replaced
}

/// How a dataset is stored and what is recorded about it.
public struct GenerationOptions: Sendable {
  /// Where it comes from.
  public var provenance: DatasetProvenance
  /// The precision of the stored fields.
  public var precision: StoredPrecision
  /// The effort of the compression, 1 to 9, or nil for none.
  public var deflate: Int?
  /// What becomes of an output that exists already.
  public var existing: ExistingOutput
  /// Whether an XDMF file is put beside it, for ParaView.
  public var writesXDMF: Bool

  /// Options; single precision, uncompressed, nothing replaced, with an XDMF file unless told otherwise.
  public init(
    provenance: DatasetProvenance, precision: StoredPrecision = .single, deflate: Int? = nil,
    existing: ExistingOutput = .refused, writesXDMF: Bool = true
  ) {
    self.provenance = provenance
    self.precision = precision
    self.deflate = deflate
    self.existing = existing
    self.writesXDMF = writesXDMF
  }
}

/// How far the generation of a dataset is.
public struct GenerationProgress: Sendable, Equatable {
  /// What a generation is at.
  public enum Phase: Sendable {
    /// Reading the samples that an earlier run completed.
    case checking
    /// Solving and writing samples.
    case solving
    /// Copying the complete file into a compressed one.
    case compressing
  }

  /// What the generation is at.
  public var phase = Phase.checking
  /// How many samples this phase is done with; those of earlier runs included.
  public var completed: Int
  /// How many there will be.
  public var total: Int
  /// How many were complete when this run began: all if it found the finished file.
  public var resumed: Int
  /// Seconds since this run began.
  public var seconds: Double
  /// What became of an earlier partial file, if that needs saying.
  public var notice: String?
}

/// Makes a dataset: solves samples on all threads and writes each as soon as it is done.
///
/// Writes `path + ".partial"` and renames it when all is there; a partial file that a killed or cancelled run
/// left is continued, whenever that was. The stored fields do not depend on threads or interruptions. Samples
/// are written on this thread while others are solved; at most 16 solved samples per thread wait for it, large ones as many
/// as fit into 128 MB, so memory is bounded.
/// - Parameters:
///   - source: What is to be solved.
///   - samples: The numbers of the samples; a shard of a larger dataset is a part of its range.
///   - path: The file; its folder is created.
///   - options: How it is stored.
///   - progress: Called on this thread at least several times a second; an error that it throws, such as
///     `CancellationError`, stops the work at once. Only the samples being solved are lost.
/// - Throws: `DatasetError`, `HDF5Error`, `FileError`, or what the source or `progress` throws.
/// - Returns: How far it got: complete.
@discardableResult
public func generateDataset(
  from source: some SampleSource, samples: Range<Int>, to path: String, options: GenerationOptions,
  progress: (GenerationProgress) throws -> Void = { _ in }
) throws -> GenerationProgress {
  let start = ContinuousClock.now
  let identity = DatasetIdentity(
    source.description, samples: samples, precision: options.precision, provenance: options.provenance)
  var state = GenerationProgress(completed: 0, total: samples.count, resumed: 0, seconds: 0)
  if try isFinished(path, identity, options.existing) {
    state.completed = samples.count
    state.resumed = samples.count
    state.notice = "\(path): is complete already, nothing is left to do"
    try progress(state)
    return state
  }
  let queue = SolvedSamples(
    count: samples.count, limit: SolvedSamples.limit(byteCount: identity.byteCount, of: samples.count))
  // Workers that are on a sample when this returns early end after it, which may take minutes: they are not
  // waited for, and what they still produce is dropped.
  defer { queue.stop() }
  let isNew = !DatasetWriter.isBegun(path)
  // A new file's space is filled with zeros first. Samples can be solved meanwhile.
  if isNew { startWorkers(source, samples, queue, precision: options.precision) }
  let writer = try DatasetWriter(path: path, identity: identity, overwriting: options.existing == .replaced)
  state.notice = writer.notice
  try writer.acceptJournal { completed in
    state.completed = completed
    state.resumed = completed
    state.seconds = (ContinuousClock.now - start).inSeconds
    try progress(state)
  }
  state.notice = writer.notice
  state.phase = .solving
  if !isNew {
    queue.leaveOut(writer.isComplete)
    startWorkers(source, samples, queue, precision: options.precision)
  }
  do {
    try progress(state)
    while state.completed < samples.count {
      if let solved = try queue.take(within: 0.1), !writer.isComplete[solved.position] {
        try writer.write(solved.sample, position: solved.position, seconds: solved.seconds)
        state.completed += 1
      }
      state.seconds = (ContinuousClock.now - start).inSeconds
      try progress(state)
    }
  } catch {
    // What is solved already is kept; the error that ended the work is the one to report.
    while let solved = try? queue.take(within: 0) {
      try? writer.write(solved.sample, position: solved.position, seconds: solved.seconds)
    }
    try? writer.synchronize()
    throw error
  }
  try writer.complete(deflate: options.deflate) { compressed in
    state.phase = .compressing
    state.completed = compressed
    try progress(state)
  }
  // Before the file has its name: who sees the file may rely on all of it.
  if options.writesXDMF {
    try XDMF.write(
      besides: path, source.description, sampleCount: samples.count,
      precisions: source.description.fields.map { _ in options.precision }, temporary: path + ".partial.xmf")
  }
  try writer.publish()
  state.completed = samples.count
  state.seconds = (ContinuousClock.now - start).inSeconds
  return state
}

/// Starts threads that solve what the queue hands out.
private func startWorkers(
  _ source: some SampleSource, _ samples: Range<Int>, _ queue: SolvedSamples, precision: StoredPrecision
) {
  let description = source.description
  for _ in 0..<min(Parallelism.threadCount, queue.remaining) {
    let worker = Thread {
      while let position = queue.nextPosition() {
        let number = samples.lowerBound + position
        let began = ContinuousClock.now
        let result = Result {
          let fields = try source.sample(number)
          let seconds = source.solveSeconds(number) ?? (ContinuousClock.now - began).inSeconds
          let stored = try StoredSample(fields, of: description, precision: precision, sample: number)
          try source.check(number, checksum: stored.checksum)
          return SolvedSamples.Solved(position: position, sample: stored, seconds: seconds)
        }
        queue.put(result)
      }
    }
    worker.stackSize = 8 << 20
    worker.start()
  }
}

/// Whether a finished file is at `path` already, and may stay.
///
/// - Throws: `DatasetError` if it may not and is not to be replaced.
private func isFinished(_ path: String, _ identity: DatasetIdentity, _ existing: ExistingOutput) throws
  -> Bool
{
  guard FileManager.default.fileExists(atPath: path) else { return false }
  if try DatasetWriter.finishKilled(path: path, identity: identity) { return true }
  switch existing {
  case .replaced: return false
  case .refused: throw DatasetError.alreadyExists(path: path)
  case .kept:
    guard let file = try? DatasetFile(opening: path), let found = try? DatasetIdentity(of: file) else {
      throw DatasetError.existsOtherwise(path: path, difference: "it is no dataset made by this command")
    }
    guard let difference = found.difference(from: identity) else { return true }
    throw DatasetError.existsOtherwise(path: path, difference: difference)
  }
}

extension Duration {
  /// The duration as a number of seconds.
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}

/// The samples to be solved and those that wait to be written.
private final class SolvedSamples: @unchecked Sendable {
  struct Solved: Sendable {
    let position: Int
    let sample: StoredSample
    let seconds: Double
  }

  private let condition = NSCondition()
  private let limit: Int
  private var isComplete: [Bool]
  private var next = 0
  private var waiting: [Result<Solved, any Error>] = []
  private var isStopped = false

  /// `count` samples, of which at most `limit` wait.
  init(count: Int, limit: Int) {
    isComplete = [Bool](repeating: false, count: count)
    self.limit = limit
  }

  /// How many solved samples may wait: 16 for every thread, large ones as many as fit into 128 MB, but four in any case.
  ///
  /// That is how many are solved while the space of a new file is filled.
  static func limit(byteCount: Int, of samples: Int) -> Int {
    let size = max(1, byteCount / max(1, samples))
    return max(4 * Parallelism.threadCount, min(16 * Parallelism.threadCount, (128 << 20) / size))
  }

  /// Leaves out what is complete already; before any is handed out.
  func leaveOut(_ isComplete: [Bool]) {
    condition.lock()
    defer { condition.unlock() }
    self.isComplete = isComplete
  }

  /// How many samples are to be solved, before any is handed out.
  var remaining: Int {
    condition.lock()
    defer { condition.unlock() }
    return isComplete.count { !$0 }
  }

  /// The next position to solve, or nil if there is none; waits while too many samples wait to be written.
  func nextPosition() -> Int? {
    condition.lock()
    defer { condition.unlock() }
    while waiting.count >= limit && !isStopped { condition.wait() }
    while next < isComplete.count, isComplete[next] { next += 1 }
    guard !isStopped, next < isComplete.count else { return nil }
    next += 1
    return next - 1
  }

  /// Hands in a solved sample, or the reason why there is none.
  func put(_ result: Result<Solved, any Error>) {
    condition.lock()
    defer { condition.unlock() }
    waiting.append(result)
    condition.broadcast()
  }

  /// A solved sample, or nil if there is none within this time.
  func take(within seconds: Double) throws -> Solved? {
    condition.lock()
    defer { condition.unlock() }
    let deadline = Date(timeIntervalSinceNow: seconds)
    while waiting.isEmpty {
      guard condition.wait(until: deadline) else { break }
    }
    guard !waiting.isEmpty else { return nil }
    condition.broadcast()
    return try waiting.removeFirst().get()
  }

  /// Lets the workers end.
  func stop() {
    condition.lock()
    defer { condition.unlock() }
    isStopped = true
    condition.broadcast()
  }
}
