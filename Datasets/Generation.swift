import Foundation
import HDF5
import Tensors

/// How a dataset is stored and what is recorded about it.
public struct GenerationOptions: Sendable {
  /// Where it comes from.
  public var provenance: DatasetProvenance
  /// The precision of the stored fields.
  public var precision: StoredPrecision
  /// The effort of the compression, 1 to 9, or nil for none.
  public var deflate: Int?
  /// Whether an existing output, or a partial one made with other settings, is replaced.
  public var overwrites: Bool
  /// Whether an XDMF file is put beside it, for ParaView.
  public var writesXDMF: Bool

  /// Options; single precision, uncompressed, nothing overwritten, with an XDMF file unless told otherwise.
  public init(
    provenance: DatasetProvenance, precision: StoredPrecision = .single, deflate: Int? = nil,
    overwrites: Bool = false, writesXDMF: Bool = true
  ) {
    self.provenance = provenance
    self.precision = precision
    self.deflate = deflate
    self.overwrites = overwrites
    self.writesXDMF = writesXDMF
  }
}

/// How far the generation of a dataset is.
public struct GenerationProgress: Sendable, Equatable {
  /// How many samples are complete, those of earlier runs included.
  public var completed: Int
  /// How many there will be.
  public var total: Int
  /// How many were complete when this run began.
  public var resumed: Int
  /// Seconds since this run began.
  public var seconds: Double
  /// What became of an earlier partial file, if that needs saying.
  public var notice: String?
}

/// Makes a dataset: solves samples on all threads and writes each as soon as it is done.
///
/// Writes `path + ".partial"` and renames it when all is there; a partial file that a killed or cancelled run
/// left is continued. The stored fields do not depend on threads or interruptions. At most a few solved
/// samples per thread wait to be written, so memory is bounded.
/// - Parameters:
///   - source: What is to be solved.
///   - samples: The numbers of the samples; a shard of a larger dataset is a part of its range.
///   - path: The file; its folder is created.
///   - options: How it is stored.
///   - progress: Called on this thread at least several times a second; an error that it throws, such as
///     `CancellationError`, stops the work at once. Only the samples being solved are lost.
/// - Throws: `DatasetError`, `HDF5Error`, or what the source or `progress` throws.
/// - Returns: How far it got: complete.
@discardableResult
public func generateDataset(
  from source: some SampleSource, samples: Range<Int>, to path: String, options: GenerationOptions,
  progress: (GenerationProgress) throws -> Void = { _ in }
) throws -> GenerationProgress {
  let writer = try DatasetWriter(
    path: path, description: source.description, samples: samples, precision: options.precision,
    provenance: options.provenance, overwriting: options.overwrites)
  let start = ContinuousClock.now
  var state = GenerationProgress(
    completed: 0, total: samples.count, resumed: 0, seconds: 0, notice: writer.notice)
  try writer.acceptJournal { completed in
    state.completed = completed
    state.resumed = completed
    state.seconds = (ContinuousClock.now - start).inSeconds
    try progress(state)
  }
  state.notice = writer.notice
  let missing = (0..<samples.count).filter { !writer.completed.contains($0) }
  let queue = SolvedSamples(positions: missing, limit: 4 * Parallelism.threadCount)
  // Workers that are on a sample when this returns early end after it, which may take minutes: they are not
  // waited for, and what they still produce is dropped.
  defer { queue.stop() }
  let description = source.description
  let precision = options.precision
  for _ in 0..<min(Parallelism.threadCount, missing.count) {
    let worker = Thread {
      while let position = queue.nextPosition() {
        let number = samples.lowerBound + position
        let began = ContinuousClock.now
        let result = Result {
          let fields = try source.sample(number)
          let seconds = source.solveSeconds(number) ?? (ContinuousClock.now - began).inSeconds
          let stored = try StoredSample(fields, of: description, precision: precision, sample: number)
          return SolvedSamples.Solved(position: position, sample: stored, seconds: seconds)
        }
        queue.put(result)
      }
    }
    worker.stackSize = 8 << 20
    worker.start()
  }
  do {
    try progress(state)
    while state.completed < samples.count {
      if let solved = try queue.take(within: 0.1) {
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
  try writer.finish(deflate: options.deflate)
  if options.writesXDMF {
    try XDMF.write(
      besides: path, description, sampleCount: samples.count, precision: precision)
  }
  state.seconds = (ContinuousClock.now - start).inSeconds
  return state
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
  private let positions: [Int]
  private let limit: Int
  private var next = 0
  private var waiting: [Result<Solved, any Error>] = []
  private var isStopped = false

  init(positions: [Int], limit: Int) {
    self.positions = positions
    self.limit = limit
  }

  /// The next position to solve, or nil if there is none; waits while too many samples wait to be written.
  func nextPosition() -> Int? {
    condition.lock()
    defer { condition.unlock() }
    while waiting.count >= limit && !isStopped { condition.wait() }
    guard !isStopped, next < positions.count else { return nil }
    next += 1
    return positions[next - 1]
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
