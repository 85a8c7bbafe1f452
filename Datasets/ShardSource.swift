import Foundation
import Synchronization
import Tensors

/// The samples of all shards of a dataset as one series: the source from which they are merged.
///
/// Generating from it gives the fields that a single run would have written, with the seconds of the shards.
/// Few of the files are open at a time, however many there are.
public struct ShardSource: SampleSource {
  /// What the samples are; the same in all shards.
  public let description: DatasetDescription
  /// Where the whole dataset comes from.
  public let provenance: DatasetProvenance
  /// The precision of the shards.
  public let precision: StoredPrecision
  /// The effort of their compression, or nil for none.
  public let deflate: Int?
  /// The numbers of all samples.
  public let samples: Range<Int>

  private struct Part: Sendable {
    let path: String
    let samples: Range<Int>
    let seconds: [Double]
    let checksums: [UInt32]
  }

  private let parts: [Part]
  private let files = OpenShards(limit: 8)

  /// Opens shards, in any order.
  ///
  /// - Throws: `HDF5Error` or `DatasetError` if one cannot be opened, if they are not of one dataset, or if
  ///   one is missing or given twice.
  public init(merging paths: [String]) throws {
    precondition(!paths.isEmpty, "no shards")
    var found: (path: String, identity: DatasetIdentity, shard: Shard, deflate: Int?)?
    var parts: [Int: Part] = [:]
    for path in paths {
      let file = try DatasetFile(opening: path)
      let (identity, shard) = try Self.identify(file)
      if let first = found {
        if let difference = identity.difference(from: first.identity, includingSamples: false) {
          throw DatasetError.notTogether(
            path: path, reason: "does not belong with \(first.path): \(difference)")
        }
        guard shard.count == first.shard.count, shard.total == first.shard.total else {
          throw DatasetError.notTogether(
            path: path,
            reason: "is one of \(shard.count) shards of \(shard.total) samples, but \(first.path) is one of "
              + "\(first.shard.count) of \(first.shard.total)")
        }
      } else {
        found = (path, identity, shard, try file.deflate())
      }
      if let other = parts[shard.index] { throw DatasetError.sameShard(path: path, other: other.path) }
      guard let seconds = try file.solveSeconds(), let checksums = try file.storedChecksums() else {
        throw DatasetError.wrongLayout(path: path, reason: "it has no checksums")
      }
      parts[shard.index] = Part(
        path: path, samples: shard.samples, seconds: seconds, checksums: checksums)
    }
    guard let first = found else { preconditionFailure("no shards") }
    let count = first.shard.count
    let missing = (0..<count).filter { parts[$0] == nil }
    guard missing.isEmpty else {
      throw DatasetError.missingShards(
        names: missing.map { Self.name(of: $0, beside: first.path, first.shard) }, count: count)
    }
    self.parts = (0..<count).compactMap { parts[$0] }
    description = first.identity.description
    precision = first.identity.precision
    deflate = first.deflate
    samples = 0..<first.shard.total
    var provenance = first.identity.provenance
    provenance.shard = nil
    self.provenance = provenance
  }

  /// What a file is, if it is a whole shard.
  private static func identify(_ file: DatasetFile) throws -> (DatasetIdentity, Shard) {
    guard let identity = try DatasetIdentity(of: file) else {
      throw DatasetError.wrongLayout(path: file.path, reason: "it does not say how it was made")
    }
    guard let shard = identity.provenance.shard else {
      throw DatasetError.notTogether(
        path: file.path, reason: "is not a shard: it was not made by 'generate' with --shard")
    }
    guard identity.samples == [shard.samples.lowerBound, shard.samples.upperBound] else {
      throw DatasetError.notTogether(
        path: file.path,
        reason: "holds the samples \(identity.samples[0]) to \(identity.samples[1] - 1), but shard "
          + "\(shard.index) of \(shard.count) is \(shard.samples.lowerBound) to \(shard.samples.upperBound - 1)"
      )
    }
    return (identity, shard)
  }

  /// The name that another shard has if it is called as the one that is there.
  private static func name(of index: Int, beside path: String, _ shard: Shard) -> String {
    let suffix = Shard.path(of: "", shard.index, shard.count)
    guard let range = path.range(of: suffix, options: .backwards) else {
      return "shard \(index) of \(shard.count)"
    }
    return path.replacingCharacters(in: range, with: Shard.path(of: "", index, shard.count))
  }

  /// The fields of a sample, read from its shard.
  public func sample(_ index: Int) throws -> [Tensor<Double>] {
    let number = part(of: index)
    let file = try files.file(number, path: parts[number].path)
    let position = index - parts[number].samples.lowerBound
    return try description.fields.map { field in
      try file.readDouble(field: field.name, samples: position..<position + 1)
        .reshaped(to: Shape(description.shape(of: field)))
    }
  }

  /// The seconds that the sample took when its shard was made.
  public func solveSeconds(_ index: Int) -> Double? {
    let part = parts[part(of: index)]
    return part.seconds[index - part.samples.lowerBound]
  }

  /// Compares with the checksum in the shard.
  ///
  /// - Throws: `DatasetError.wrongChecksum`.
  public func check(_ index: Int, checksum: UInt32) throws {
    let part = parts[part(of: index)]
    let position = index - part.samples.lowerBound
    guard part.checksums[position] == checksum else {
      throw DatasetError.wrongChecksum(path: part.path, sample: position)
    }
  }

  /// The number of the shard that holds a sample.
  private func part(of index: Int) -> Int {
    precondition(samples.contains(index), "sample \(index) is not among \(samples)")
    var candidates = parts.indices
    while candidates.count > 1 {
      let middle = (candidates.lowerBound + candidates.upperBound) / 2
      candidates =
        parts[middle].samples.lowerBound <= index
        ? middle..<candidates.upperBound : candidates.lowerBound..<middle
    }
    return candidates.lowerBound
  }
}

/// The shards that were read last, kept open.
private final class OpenShards: Sendable {
  private let limit: Int
  private let files = Mutex<[(number: Int, file: DatasetFile)]>([])

  init(limit: Int) { self.limit = limit }

  func file(_ number: Int, path: String) throws -> DatasetFile {
    try files.withLock { files in
      if let position = files.firstIndex(where: { $0.number == number }) {
        let found = files.remove(at: position)
        files.append(found)
        return found.file
      }
      let file = try DatasetFile(opening: path)
      if files.count >= limit { files.removeFirst() }
      files.append((number, file))
      return file
    }
  }
}
