import Datasets

/// Writes a dataset file for a stage: shows how far it is, and what was written.
struct DatasetOutput {
  /// What was written, for `--json`.
  struct Summary: Encodable {
    let output: String
    let shard: String?
    let samples: Int
    let resumed: Int
    let fields: [String: [Int]]
    let checksum: String?
    let notices: [String]
    let seconds: Double
  }

  let path: String
  let console: Console
  /// What is being done: "generating".
  let label: String

  /// Generates the dataset, or what is missing of it.
  ///
  /// - Throws: `OutputError`, `DatasetError`, `HDF5Error`, `FileError`, what the source throws, or
  ///   `CancellationError` after the samples that are done have been written.
  func write(_ source: some SampleSource, samples: Range<Int>, options: GenerationOptions) throws {
    // Whether it may be replaced is looked at together with what it is.
    try FileSystem.requireCreatable(path, overwrite: true)
    var progress: Progress?
    defer { progress?.finish() }
    var phase: GenerationProgress.Phase?
    let done: GenerationProgress
    do {
      done = try generateDataset(from: source, samples: samples, to: path, options: options) { state in
        if state.phase != phase {
          progress?.finish()
          begin(state)
          phase = state.phase
          progress = Progress(
            console, label: label(of: state.phase), unit: "samples", total: state.total,
            alreadyDone: state.phase == .solving ? state.resumed : 0)
        }
        try progress?.update(state.completed)
      }
    } catch is CancellationError {
      progress?.finish()
      console.note("what is done is in \(path).partial; give the same command again to continue")
      throw CancellationError()
    }
    progress?.finish()
    for notice in source.notices { console.note(notice) }
    try report(done, shard: options.provenance.shard, notices: source.notices)
  }

  private func begin(_ state: GenerationProgress) {
    if let notice = state.notice, state.phase != .compressing { console.note(notice) }
    if state.phase == .solving && state.resumed > 0 {
      console.note("continuing \(path).partial: \(state.resumed) samples are done")
    }
  }

  private func label(of phase: GenerationProgress.Phase) -> String {
    switch phase {
    case .checking: "checking what is done:"
    case .solving: label
    case .compressing: "compressing"
    }
  }

  private func report(_ done: GenerationProgress, shard: Shard?, notices: [String]) throws {
    let file = try DatasetFile(opening: path)
    let shapes = file.description.fields.map {
      ($0.name, [file.sampleCount] + file.description.shape(of: $0))
    }
    let summary = Summary(
      output: path, shard: shard.map { "\($0.index)/\($0.count)" }, samples: file.sampleCount,
      resumed: done.resumed, fields: Dictionary(uniqueKeysWithValues: shapes),
      checksum: try file.contentChecksum().map(Text.hexadecimal), notices: notices, seconds: done.seconds)
    let texts = shapes.map { "\($0) \(Text.shape($1))" }
    try console.result(
      summary, text: "\(path): \(texts.joined(separator: ", ")), \(Progress.clock(done.seconds))")
  }
}
