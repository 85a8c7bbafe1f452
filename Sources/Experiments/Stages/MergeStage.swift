import Datasets
import Foundation

/// Joins the shards of a dataset into the file that would have been generated at once.
public enum MergeStage {
  /// Merges shards, given in any order.
  ///
  /// - Throws: `OutputError`, `DatasetError`, `HDF5Error`, `FileError`, or `CancellationError` after the
  ///   samples that are done have been written.
  public static func run(_ paths: [String], output: String, overwrite: Bool, _ console: Console) throws {
    func target(_ path: String) -> String {
      URL(fileURLWithPath: path).resolvingSymlinksInPath().standardizedFileURL.path
    }
    if let shard = paths.first(where: { target($0) == target(output) }) {
      throw DatasetError.invalidShard("\(shard): is a shard and the output both; name another output")
    }
    let shards = try ShardSource(merging: paths)
    try DatasetOutput(path: output, console: console, label: "merging").write(
      shards, samples: shards.samples,
      options: GenerationOptions(
        provenance: shards.provenance, precision: shards.precision, deflate: shards.deflate,
        existing: overwrite ? .replaced : .refused))
  }
}
