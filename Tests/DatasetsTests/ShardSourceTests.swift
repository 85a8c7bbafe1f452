import Datasets
import TestSupport
import Testing

@Suite struct ShardSourceTests {
  @Test func mergedShardsAreTheWhole() throws {
    try withTemporaryFolder { folder in
      let source = AnalyticSource()
      for (name, samples) in [("whole", 0..<9), ("a", 0..<4), ("b", 4..<5), ("c", 5..<9), ("far", 6..<9)] {
        try generateDataset(from: source, samples: samples, to: "\(folder)/\(name).h5", options: testOptions)
      }
      let shards = try ShardSource(merging: ["c", "a", "b"].map { "\(folder)/\($0).h5" })
      #expect(shards.samples == 0..<9)
      try generateDataset(
        from: shards, samples: shards.samples, to: "\(folder)/merged.h5",
        options: GenerationOptions(provenance: shards.provenance, precision: shards.precision))
      #expect(try fieldBytes("\(folder)/merged.h5") == fieldBytes("\(folder)/whole.h5"))
      let merged = try DatasetFile(opening: "\(folder)/merged.h5")
      let whole = try DatasetFile(opening: "\(folder)/whole.h5")
      #expect(try merged.contentChecksum() == whole.contentChecksum())
      #expect(try merged.sampleSeeds() == whole.sampleSeeds())
      let seconds = try ["a", "b", "c"].flatMap {
        try DatasetFile(opening: "\(folder)/\($0).h5").solveSeconds() ?? []
      }
      #expect(try merged.solveSeconds() == seconds)

      let gap = #expect(throws: DatasetError.self) {
        try ShardSource(merging: ["\(folder)/a.h5", "\(folder)/far.h5"])
      }
      #expect(gap?.description == "\(folder)/far.h5: begins with sample 6, but \(folder)/a.h5 ends with 3")
      var other = testOptions
      other.provenance.seed = 1
      try generateDataset(from: source, samples: 4..<5, to: "\(folder)/other.h5", options: other)
      #expect(throws: DatasetError.self) {
        try ShardSource(merging: ["\(folder)/a.h5", "\(folder)/other.h5"])
      }
    }
  }
}
