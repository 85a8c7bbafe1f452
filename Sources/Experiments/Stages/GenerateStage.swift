import Datasets

/// Makes a dataset file, or one shard of it, from a configuration.
public enum GenerateStage {
  /// Generates the dataset, or what is missing of it.
  ///
  /// A shard that is there already is kept, so that the tasks of an array may all be started again; the whole only
  /// with `keepsExisting`, and if it is the same.
  /// - Throws: `OutputError`, `DatasetError`, `HDF5Error`, `FileError`, `SolverError`, or `CancellationError`
  ///   after the samples that are done have been written.
  public static func run(
    _ config: GenerateConfig, shard selection: ShardSelection, overwrite: Bool, keepsExisting: Bool = false,
    _ console: Console
  ) throws {
    let source = try config.makeSource()
    let shard = try selection.shard(total: config.samples)
    if let notice = selection.notice { console.note(notice) }
    let provenance = DatasetProvenance(
      config: config.resolvedYAML, solver: config.equation.method, seed: UInt64(config.seed),
      software: Version.line, shard: shard)
    let output = DatasetOutput(
      path: shard?.path(of: config.output) ?? config.output, console: console, label: "generating")
    try output.write(
      source, samples: shard?.samples ?? 0..<config.samples,
      options: GenerationOptions(
        provenance: provenance, precision: config.precision,
        deflate: config.deflate > 0 ? config.deflate : nil,
        existing: overwrite ? .replaced : shard == nil && !keepsExisting ? .refused : .kept))
  }
}
