import Datasets
import Foundation
import Tensors

/// Makes a dataset file from a configuration.
public enum GenerateStage {
  /// What a generation did.
  struct Summary: Encodable {
    let output: String
    let samples: Int
    let resumed: Int
    let fields: [String: [Int]]
    let checksum: String?
    let seconds: Double
  }

  /// Generates the dataset, or what is missing of it.
  ///
  /// - Throws: `OutputError`, `DatasetError`, `HDF5Error`, `SolverError`, or `CancellationError` after the
  ///   samples that are done have been written.
  public static func run(_ config: GenerateConfig, overwrite: Bool, _ console: Console) throws {
    let source = try config.makeSource()
    try FileSystem.requireCreatable(config.output, overwrite: overwrite)
    let provenance = DatasetProvenance(
      config: config.resolvedYAML, solver: config.equation.method, seed: UInt64(config.seed),
      software: Version.line)
    let options = GenerationOptions(
      provenance: provenance, precision: config.precision, deflate: config.deflate > 0 ? config.deflate : nil,
      overwrites: overwrite)
    var progress: Progress?
    let done: GenerationProgress
    do {
      done = try generateDataset(
        from: source, samples: 0..<config.samples, to: config.output, options: options
      ) { state in
        if progress == nil {
          if let notice = state.notice { console.note(notice) }
          if state.resumed > 0 {
            console.note("continuing \(config.output).partial: \(state.resumed) samples are done")
          }
          progress = Progress(
            console, label: "generating", unit: "samples", total: state.total, alreadyDone: state.resumed)
        }
        try progress?.update(state.completed)
      }
    } catch is CancellationError {
      progress?.finish()
      console.note("what is done is in \(config.output).partial; give the same command again to continue")
      throw CancellationError()
    }
    progress?.finish()
    let file = try DatasetFile(opening: config.output)
    let summary = Summary(
      output: config.output, samples: file.sampleCount, resumed: done.resumed,
      fields: Dictionary(
        uniqueKeysWithValues: file.description.fields.map {
          ($0.name, [file.sampleCount] + file.description.shape(of: $0))
        }),
      checksum: try file.contentChecksum().map(Text.hexadecimal), seconds: done.seconds)
    let shapes = file.description.fields.map {
      "\($0.name) \(Text.shape([file.sampleCount] + file.description.shape(of: $0)))"
    }
    try console.result(
      summary,
      text: "\(config.output): \(shapes.joined(separator: ", ")), \(Progress.clock(done.seconds))")
  }
}
