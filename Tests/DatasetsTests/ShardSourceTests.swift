import Datasets
import Foundation
import HDF5
import Tensors
import TestSupport
import Testing

@Suite(.serialized) struct ShardSourceTests {
  /// Options of one shard of a dataset of `total` samples.
  private func options(_ shard: Shard, _ options: GenerationOptions = testOptions) -> GenerationOptions {
    var options = options
    options.provenance.shard = shard
    return options
  }

  /// Generates the shards of nine samples as `folder/NAME-0000i-of-0000N.h5`, in one order, named in another.
  private func generateShards(
    _ count: Int, of name: String = "data", in folder: String, _ base: GenerationOptions = testOptions
  ) throws -> [String] {
    try (0..<count).map { index in
      let shard = try Shard(index, of: count, total: 9)
      let path = shard.path(of: "\(folder)/\(name).h5")
      try generateDataset(
        from: AnalyticSource(), samples: shard.samples, to: path, options: options(shard, base))
      return path
    }.reversed()
  }

  private func merge(_ paths: [String], to path: String, _ base: GenerationOptions = testOptions) throws {
    let shards = try ShardSource(merging: paths)
    #expect(shards.samples == 0..<9)
    #expect(shards.precision == base.precision && shards.deflate == base.deflate)
    #expect(shards.provenance == testOptions.provenance)
    try generateDataset(
      from: shards, samples: shards.samples, to: path,
      options: GenerationOptions(
        provenance: shards.provenance, precision: shards.precision, deflate: shards.deflate))
  }

  private func message(_ body: () throws -> Void) -> (text: String, status: Int32) {
    let error = #expect(throws: DatasetError.self) { try body() }
    return (error?.description ?? "", error?.exitStatus ?? 0)
  }

  @Test func shardsCutTheSamplesEvenly() throws {
    for (total, count) in [(9, 1), (9, 2), (9, 9), (64, 7), (1000, 64), (Int.max, 64)] {
      var next = 0
      for index in 0..<count {
        let samples = try Shard(index, of: count, total: total).samples
        #expect(samples.lowerBound == next && [0, 1].contains(samples.count - total / count))
        next = samples.upperBound
      }
      #expect(next == total)
    }
    for (index, count) in [(-1, 3), (3, 3), (0, 0), (0, -1), (0, 10)] {
      #expect(message { _ = try Shard(index, of: count, total: 9) }.status == 64)
    }
    let shard = try Shard(3, of: 64, total: 100)
    for (path, expected) in [
      ("burgers.h5", "burgers-00003-of-00064.h5"), ("a.b/c", "a.b/c-00003-of-00064"),
      ("/x.y/v1.2.hdf5", "/x.y/v1.2-00003-of-00064.hdf5"), ("d/.hidden", "d/.hidden-00003-of-00064"),
    ] { #expect(shard.path(of: path) == expected) }
  }

  /// The promise of sharding: threads, shards, precision and compression do not change a bit of the whole.
  @Test(arguments: [StoredPrecision.single, .double], [nil, 4])
  func mergedShardsAreTheWhole(precision: StoredPrecision, deflate: Int?) throws {
    try withTemporaryFolder { folder in
      var options = testOptions
      options.precision = precision
      options.deflate = deflate
      let whole = "\(folder)/whole.h5"
      _ = try withThreadCounts([1]) {
        try generateDataset(from: AnalyticSource(), samples: 0..<9, to: whole, options: options)
      }
      let paths = try withThreadCounts([2]) { try generateShards(7, in: folder, options) }[0]
      try merge(paths, to: "\(folder)/merged.h5", options)
      #expect(try content("\(folder)/merged.h5") == content(whole))
      #expect(try DatasetFile(opening: "\(folder)/merged.h5").deflate() == deflate)
      let seconds = try paths.reversed().flatMap { try DatasetFile(opening: $0).solveSeconds() ?? [] }
      #expect(try DatasetFile(opening: "\(folder)/merged.h5").solveSeconds() == seconds)
      #expect(FileManager.default.fileExists(atPath: "\(folder)/merged.xmf"))
    }
  }

  @Test func moreShardsThanAreKeptOpen() throws {
    try withTemporaryFolder { folder in
      let paths = try generateShards(9, in: folder)
      try merge(paths, to: "\(folder)/merged.h5")
      try generateDataset(
        from: AnalyticSource(), samples: 0..<9, to: "\(folder)/whole.h5", options: testOptions)
      #expect(try content("\(folder)/merged.h5") == content("\(folder)/whole.h5"))
    }
  }

  @Test func filesThatDoNotBelongTogetherAreRefusedByName() throws {
    try withTemporaryFolder { folder in
      let paths = Array(try generateShards(3, in: folder).reversed())
      func refusal(_ files: [String]) -> (text: String, status: Int32) {
        message { _ = try ShardSource(merging: files) }
      }
      #expect(refusal([paths[0], paths[2]]) == ("1 of 3 shards are missing: \(paths[1])", 66))
      #expect(refusal([paths[1]]).text == "2 of 3 shards are missing: \(paths[0]), \(paths[2])")
      #expect(
        refusal(paths + [paths[1]])
          == ("\(paths[1]): holds the same shard as \(paths[1]); name each once", 64))

      /// Shard 1 with something else in it.
      func other(
        _ name: String, shard: Shard? = nil, source: AnalyticSource = AnalyticSource(),
        _ change: (inout GenerationOptions) -> Void = { _ in }
      ) throws -> (text: String, status: Int32) {
        let shard = try shard ?? Shard(1, of: 3, total: 9)
        var changed = options(shard)
        change(&changed)
        let path = "\(folder)/\(name).h5"
        try generateDataset(from: source, samples: shard.samples, to: path, options: changed)
        let (text, status) = refusal([paths[0], path, paths[2]])
        #expect(text.hasPrefix("\(path): "))
        return (text.replacingOccurrences(of: "\(folder)/", with: ""), status)
      }
      let first = "does not belong with data-00000-of-00003.h5: "
      #expect(try other("seed") { $0.provenance.seed = 1 } == ("seed.h5: \(first)its seed is 1, not 42", 65))
      #expect(
        try other("config") { $0.provenance.config = "samples: 8\ngrid: 7\n" }.text
          == "config.h5: \(first)its configuration has 'grid: 7' where nothing is expected")
      #expect(try other("solver") { $0.provenance.solver = "s" }.text.contains("its solver is 's', not"))
      #expect(try other("precision") { $0.precision = .double }.text.contains("its precision is double"))
      #expect(try other("software") { $0.provenance.software = "2" }.text.contains("was made by '2'"))
      #expect(
        try other("axes", source: AnalyticSource(grid: [6, 8])).text.contains(
          "equation, axes, times or fields"))
      #expect(try other("whole") { $0.provenance.shard = nil }.text.contains("is not a shard"))
      #expect(
        try other("count", shard: Shard(1, of: 4, total: 9))
          == (
            "count.h5: is one of 4 shards of 9 samples, but data-00000-of-00003.h5 is one of 3 of 9", 65
          ))
      #expect(
        try other("range") { $0.provenance.shard = try? Shard(1, of: 4, total: 12) }.text
          == "range.h5: is one of 4 shards of 12 samples, but data-00000-of-00003.h5 is one of 3 of 9")
      #expect(
        try other("claim") { $0.provenance.shard = try? Shard(0, of: 3, total: 9) }.text
          == "claim.h5: holds the samples 3 to 5, but shard 0 of 3 is 0 to 2")

      // Where the output lies is no part of what the samples are, nor is the revision of the checkout.
      var moved = testOptions
      moved.provenance.config += "output: elsewhere.h5\n"
      moved.provenance.software += " (git 0123456789ab)"
      let elsewhere = try generateShards(3, of: "elsewhere", in: folder, moved)
      #expect(try ShardSource(merging: [paths[0], elsewhere[1], paths[2]]).samples == 0..<9)
    }
  }

  @Test func aDamagedShardIsNamed() throws {
    try withTemporaryFolder { folder in
      let paths = try generateShards(3, in: folder)
      let file = try HDF5File(opening: paths[1], writable: true)
      let slab = HDF5Slab(start: [2, 0, 0, 0], count: [1, 1, 1, 1])
      try file.root.dataset("t0_fields/u").write([Float(99)], slab)
      try file.close()
      #expect(throws: DatasetError.wrongChecksum(path: paths[1], sample: 2)) {
        try merge(paths, to: "\(folder)/merged.h5")
      }
      #expect(!FileManager.default.fileExists(atPath: "\(folder)/merged.h5"))
    }
  }

  /// A shard that is there may stay if it is what would be made; a whole dataset is refused.
  @Test func finishedShardsAreKept() throws {
    try withTemporaryFolder { folder in
      let path = try #require(try generateShards(3, in: folder).last)
      let shard = try Shard(0, of: 3, total: 9)
      var keeping = options(shard)
      keeping.existing = .kept
      let before = try DatasetFile(opening: path).solveSeconds()
      let source = ObservedSource(base: AnalyticSource())
      let done = try generateDataset(from: source, samples: 0..<3, to: path, options: keeping)
      #expect(done.completed == 3 && done.resumed == 3 && done.notice?.contains("complete already") == true)
      #expect(source.calls.samples.withLock { $0.isEmpty })
      #expect(try DatasetFile(opening: path).solveSeconds() == before)
      #expect(!FileManager.default.fileExists(atPath: path + ".partial.journal"))

      keeping.provenance.seed = 7
      let refused = message {
        try generateDataset(from: source, samples: 0..<3, to: path, options: keeping)
      }
      #expect(
        refused == (
          "\(path): exists already and its seed is 42, not 7; replace it with --overwrite, or name another output",
          73
        ))
      try Data("text".utf8).write(to: URL(fileURLWithPath: "\(folder)/text.h5"))
      let foreign = message {
        try generateDataset(from: source, samples: 0..<3, to: "\(folder)/text.h5", options: keeping)
      }
      #expect(foreign.status == 73 && foreign.text.contains("it is no dataset made by this command"))
    }
  }
}
