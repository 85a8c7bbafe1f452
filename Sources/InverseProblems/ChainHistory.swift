import Foundation
import HDF5
import Tensors

/// What was recorded of every iteration of finished chains, in memory or in the files of a checkpoint.
///
/// Files are mapped, not read: one quantity at a time is in memory.
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

  /// A quantity in all iterations, `[chain][iteration]`, by its name; also `accepted` (0 or 1) and `acceptance`.
  public func trace(_ quantity: String) -> [[Double]] {
    let names = MarkovChains.flags + quantities
    guard let column = names.firstIndex(of: quantity) else {
      preconditionFailure("no quantity \(quantity) among \(names)")
    }
    return withRecords { records in
      (0..<count).map { chain in
        (0..<iterations).map { records[$0 * recordLength + chain * names.count + column] }
      }
    }
  }

  /// A quantity in the kept draws, `[chain][draw]`.
  public func keptTrace(_ quantity: String) -> [[Double]] {
    trace(quantity).map { Array($0.suffix(keptDraws)) }
  }

  /// The share of accepted proposals among the kept draws of every chain.
  public var acceptanceRates: [Double] {
    keptTrace("accepted").map { $0.reduce(0, +) / Double(max(1, $0.count)) }
  }

  /// One stored field of one chain, flat.
  public func draw(_ number: Int, ofChain chain: Int) -> [Float] {
    withDraws { Array($0[(number * count + chain) * points..<(number * count + chain + 1) * points]) }
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
