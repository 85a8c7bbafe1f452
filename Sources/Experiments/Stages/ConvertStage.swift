import Datasets
import Foundation

/// Writes a dataset in another layout.
public enum ConvertStage {
  /// What a conversion did, for `--json`.
  struct Summary: Encodable {
    let input: String
    let inputLayout: FileLayout
    let output: String
    let outputLayout: FileLayout
    let samples: Int
    /// The shape of every field.
    let fields: [String: [Int]]
    /// What its numbers are.
    let types: [String: StoredType]
    let bytes: Int
    let seconds: Double
    /// What was left out, understood by convention, or is not seen by other programs.
    let notes: [String]
  }

  /// Converts a file.
  ///
  /// - Parameters:
  ///   - layout: that of the output; by default it follows from its ending.
  ///   - settings: `key=value`, what the input does not say.
  /// - Throws: `ConfigError`, `InputError`, `OutputError`, `DatasetError`, `HDF5Error`, `ArchiveError`, `FileError`;
  ///   `CancellationError` on request.
  public static func run(
    _ input: String, to output: String, layout: FileLayout?, settings: [String], overwrite: Bool,
    _ console: Console
  ) throws {
    let layout = try layout ?? self.layout(ofEnding: output)
    let settings = try DatasetSettings(settings)
    guard FileSystem.exists(input) else { throw InputError(path: input, reason: "there is no such file") }
    guard !FileSystem.isFolder(input) else {
      throw InputError(path: input, reason: "is a folder; name a file")
    }
    try FileSystem.requireCreatable(output, overwrite: overwrite)
    let paths = [input, output].map {
      URL(fileURLWithPath: $0).resolvingSymlinksInPath().standardizedFileURL.path
    }
    guard paths[0] != paths[1] else {
      throw ConfigError(.commandLine, "\(output) is input and output both; name another output")
    }
    let start = ContinuousClock.now
    let (dataset, assumptions) = try settings.open(input)
    let total = zip(dataset.description.fields, dataset.storedTypes).reduce(0) { total, field in
      total + dataset.sampleCount * dataset.description.shape(of: field.0).reduce(1, *) * field.1.byteCount
    }
    let progress = Progress(console, label: "converting", unit: "MB", total: total >> 20)
    defer { progress.finish() }
    let report = try writeDataset(dataset, to: output, layout: layout, software: Version.line) { done, _ in
      try progress.update(done >> 20)
    }
    progress.finish()
    let notes = notes(dataset, assumptions, report)
    for note in notes { console.note("note: \(note)") }
    if report.nonFinite > 0 { console.warning("\(input): \(report.nonFinite) numbers are not finite") }
    let fields = dataset.description.fields.map {
      ($0.name, [dataset.sampleCount] + dataset.description.shape(of: $0))
    }
    let seconds = Progress.seconds(ContinuousClock.now - start)
    let summary = Summary(
      input: input, inputLayout: dataset.layout, output: output, outputLayout: layout,
      samples: report.samples,
      fields: Dictionary(uniqueKeysWithValues: fields),
      types: Dictionary(uniqueKeysWithValues: zip(fields.map(\.0), dataset.storedTypes)), bytes: report.bytes,
      seconds: seconds, notes: notes)
    let shapes = fields.map { "\($0) \(Text.shape($1))" }.joined(separator: ", ")
    try console.result(summary, text: "\(output): \(layout.rawValue), \(shapes), \(Progress.clock(seconds))")
  }

  private static func notes(
    _ dataset: any ReadableDataset, _ assumptions: [String], _ report: ConversionReport
  ) -> [String] {
    var notes = dataset.notes + assumptions
    if !report.places.isEmpty {
      notes.append(
        report.places.map { "'\($0.field)' is '\($0.place)'" }.joined(separator: ", ") + " in this layout")
    }
    if let hidden = report.hidden {
      notes.append("this layout has no place for \(hidden); phalarope finds them in its 'description'")
    }
    let description = dataset.description
    var open: [String] = []
    if description.axes.contains(where: { $0.coordinates == nil }) {
      open.append("the coordinates (length=...)")
    }
    if description.axes.contains(where: { $0.isPeriodic == nil }) {
      open.append("whether the axes are periodic (periodic=...)")
    }
    if description.times == nil { open.append("the times (times=...)") }
    if !open.isEmpty { notes.append("not stated and left open: \(open.joined(separator: "; "))") }
    return notes
  }

  private static func layout(ofEnding path: String) throws -> FileLayout {
    switch URL(fileURLWithPath: path).pathExtension.lowercased() {
    case "h5", "hdf5", "hdf": return .well
    case "pt", "pth": return .neuralop
    case "npz": return .npz
    default:
      let layouts = FileLayout.writable.map(\.rawValue).joined(separator: ", ")
      throw ConfigError(
        .commandLine, "\(path): its ending does not tell the layout; give --to with one of \(layouts)")
    }
  }
}
