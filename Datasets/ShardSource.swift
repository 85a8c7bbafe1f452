import Tensors

/// The samples of several dataset files as one series: the source from which shards are merged.
///
/// Generating from it gives the fields that a single run would have written, with the seconds of the shards.
public struct ShardSource: SampleSource {
  /// What the samples are; the same in all shards.
  public let description: DatasetDescription
  /// Where the shards come from.
  public let provenance: DatasetProvenance
  /// The precision of the shards.
  public let precision: StoredPrecision
  /// The numbers of all samples.
  public let samples: Range<Int>

  private struct Shard: Sendable {
    let file: DatasetFile
    let first: Int
    let seconds: [Double]
  }

  private let shards: [Shard]

  /// Opens shards, in any order.
  ///
  /// - Throws: `HDF5Error` or `DatasetError` if one cannot be opened, if they are not of one dataset, or if
  ///   their samples overlap or leave a gap.
  public init(merging paths: [String]) throws {
    precondition(!paths.isEmpty, "no shards")
    var shards: [Shard] = []
    for path in paths {
      let file = try DatasetFile(opening: path)
      guard let numbers = try file.sampleSeeds(), let seconds = try file.solveSeconds(),
        let first = numbers.first,
        let start = Int(exactly: first), start < 1 << 48,
        numbers == (start..<start + file.sampleCount).map({ UInt64($0) })
      else {
        throw DatasetError.wrongLayout(path: path, reason: "it does not say which samples it holds")
      }
      shards.append(Shard(file: file, first: start, seconds: seconds))
    }
    shards.sort { $0.first < $1.first }
    guard let provenance = shards[0].file.provenance else {
      throw DatasetError.wrongLayout(path: shards[0].file.path, reason: "it does not say how it was made")
    }
    for (left, right) in zip(shards, shards.dropFirst()) {
      guard right.file.description == left.file.description, right.file.precision == left.file.precision,
        right.file.provenance?.seed == provenance.seed, right.file.provenance?.solver == provenance.solver
      else {
        throw DatasetError.invalidSelection(
          path: right.file.path, reason: "is not a shard of the same dataset as \(left.file.path)")
      }
      let expected = left.first + left.file.sampleCount
      guard right.first == expected else {
        throw DatasetError.invalidSelection(
          path: right.file.path,
          reason: "begins with sample \(right.first), but \(left.file.path) ends with \(expected - 1)")
      }
    }
    self.shards = shards
    self.provenance = provenance
    description = shards[0].file.description
    precision = shards[0].file.precision
    samples = shards[0].first..<shards[shards.count - 1].first + shards[shards.count - 1].seconds.count
  }

  /// The fields of a sample, read from its shard.
  public func sample(_ index: Int) throws -> [Tensor<Double>] {
    let shard = shard(of: index)
    let position = index - shard.first
    return try description.fields.map { field in
      try shard.file.readDouble(field: field.name, samples: position..<position + 1)
        .reshaped(to: description.shape(of: field))
    }
  }

  /// The seconds that the sample took when its shard was made.
  public func solveSeconds(_ index: Int) -> Double? {
    let shard = shard(of: index)
    return shard.seconds[index - shard.first]
  }

  private func shard(of index: Int) -> Shard {
    precondition(samples.contains(index), "sample \(index) is not among \(samples)")
    return shards[(shards.firstIndex { $0.first > index } ?? shards.count) - 1]
  }
}
