import Foundation
import HDF5
import Tensors

/// What was recorded of every iteration of finished chains, in memory or in the files of a checkpoint.
///
/// Files are mapped, not read, and let go block by block: the memory does not grow with the number of draws.
public struct ChainHistory: Sendable {
  private enum Source: Sendable {
    case memory(records: [Double], draws: [Float])
    case files(records: Data, draws: Data)
  }

  /// The names of the quantities of every record.
  public let quantities: [String]
  /// The number of chains.
  public let count: Int
  /// The number of iterations, burn-in included.
  public let iterations: Int
  /// The number of draws kept in each chain: the last iterations.
  public let keptDraws: Int
  /// The number of fields stored of each chain.
  public let storedDraws: Int

  private let points: Int
  private let source: Source

  /// The history of chains whose records were never cleared.
  public init(_ chains: MarkovChains) {
    self.init(chains, source: .memory(records: chains.records, draws: chains.draws))
    precondition(chains.records.count == iterations * recordLength, "some records were cleared")
  }

  /// The history in files of the records and of the draws.
  ///
  /// - Throws: `HDF5Error` (of kind `corrupt`) for files that do not belong to the chains.
  init(_ chains: MarkovChains, records: String, draws: String) throws {
    func map(_ path: String) throws -> Data {
      guard FileManager.default.fileExists(atPath: path) else { return Data() }
      do { return try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped) } catch {
        throw HDF5Error(.unreadable, path: path, "cannot be read")
      }
    }
    self.init(chains, source: .files(records: try map(records), draws: try map(draws)))
    try withRecords { contents in
      guard contents.count == iterations * recordLength else {
        throw HDF5Error(.corrupt, path: records, "does not belong to the checkpoint beside it")
      }
    }
    try withDraws { contents in
      guard contents.count == storedDraws * count * points else {
        throw HDF5Error(.corrupt, path: draws, "does not belong to the checkpoint beside it")
      }
    }
  }

  private init(_ chains: MarkovChains, source: Source) {
    quantities = chains.quantities
    count = chains.count
    iterations = chains.iteration
    keptDraws = chains.keptDraws
    points = chains.grid.reduce(1, *)
    storedDraws = chains.storedDraws
    self.source = source
  }

  /// The numbers of one iteration of all chains.
  private var recordLength: Int { count * (MarkovChains.flags.count + quantities.count) }

  /// The most values of a quantity that diagnostics see: beyond, every `keptStride`-th kept draw.
  ///
  /// A part of the draws never holds more effective ones than all, so what is said of long chains is on the safe side.
  static let largestTrace = 100_000
  /// How many iterations are looked at before their part of the file is let go.
  private static let block = 4096

  /// The distance between the draws of `keptTrace`.
  public var keptStride: Int { max(1, (keptDraws * count + Self.largestTrace - 1) / Self.largestTrace) }

  /// Calls `body` with the values of a quantity in the given iterations, block by block and chain by chain.
  ///
  /// - Parameter quantity: its name; also `accepted` (0 or 1) and `acceptance`.
  func forEachBlock(
    of quantity: String, in range: Range<Int>,
    _ body: (_ chain: Int, _ iterations: Range<Int>, _ values: [Double]) throws -> Void
  ) rethrows {
    let names = MarkovChains.flags + quantities
    guard let column = names.firstIndex(of: quantity) else {
      preconditionFailure("no quantity \(quantity) among \(names)")
    }
    try withRecords { records in
      for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.block) {
        let iterations = start..<min(start + Self.block, range.upperBound)
        for chain in 0..<count {
          let offset = chain * names.count + column
          try body(chain, iterations, iterations.map { records[$0 * recordLength + offset] })
        }
        letGo(UnsafeRawBufferPointer(records), before: iterations.upperBound * recordLength * 8)
      }
    }
  }

  /// A quantity in all iterations, `[chain][iteration]`, by its name; also `accepted` (0 or 1) and `acceptance`.
  public func trace(_ quantity: String) -> [[Double]] {
    var traces = [[Double]](repeating: [], count: count)
    forEachBlock(of: quantity, in: 0..<iterations) { chain, _, values in traces[chain] += values }
    return traces
  }

  /// A quantity in the kept draws, `[chain][draw]`: in every one up to 100,000 draws, else in every `keptStride`-th.
  public func keptTrace(_ quantity: String) -> [[Double]] {
    let (first, stride) = (iterations - keptDraws, keptStride)
    var traces = [[Double]](repeating: [], count: count)
    forEachBlock(of: quantity, in: first..<iterations) { chain, range, values in
      for (iteration, value) in zip(range, values) where (iteration - first).isMultiple(of: stride) {
        traces[chain].append(value)
      }
    }
    return traces
  }

  /// The mean of a quantity over all kept draws of every chain.
  public func keptMeans(_ quantity: String) -> [Double] {
    var sums = [Double](repeating: 0, count: count)
    forEachBlock(of: quantity, in: iterations - keptDraws..<iterations) { chain, _, values in
      sums[chain] += values.reduce(0, +)
    }
    return sums.map { $0 / Double(max(1, keptDraws)) }
  }

  /// The share of accepted proposals among the kept draws of every chain.
  public var acceptanceRates: [Double] { keptMeans("accepted") }

  /// One stored field of one chain, flat.
  public func draw(_ number: Int, ofChain chain: Int) -> [Float] {
    withDraws { draws in
      let start = (number * count + chain) * points
      let field = Array(draws[start..<start + points])
      letGo(UnsafeRawBufferPointer(draws), before: (start + points) * 4, last: points * 4 + (1 << 20))
      return field
    }
  }

  /// Tells the system that a part of a mapped file need not stay in memory: what comes before, or the last bytes of it.
  ///
  /// More than was looked at: the system maps pages around it unasked.
  private func letGo(_ contents: UnsafeRawBufferPointer, before end: Int, last: Int? = nil) {
    guard case .files = source, let base = UnsafeMutableRawPointer(mutating: contents.baseAddress) else {
      return
    }
    let page = sysconf(Int32(_SC_PAGESIZE))
    let start = max(0, end - (last ?? end)) / page * page
    // Clean pages of a file: they are read again where somebody looks again. Failure costs memory only.
    _ = madvise(base + start, end - start, MADV_DONTNEED)
  }

  private func withRecords<Result>(
    _ body: (UnsafeBufferPointer<Double>) throws -> Result
  ) rethrows -> Result {
    switch source {
    case .memory(let records, _): try records.withUnsafeBufferPointer(body)
    case .files(let records, _): try records.withUnsafeBytes { try body($0.bindMemory(to: Double.self)) }
    }
  }

  private func withDraws<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
    switch source {
    case .memory(_, let draws): try draws.withUnsafeBufferPointer(body)
    case .files(_, let draws): try draws.withUnsafeBytes { try body($0.bindMemory(to: Float.self)) }
    }
  }
}
