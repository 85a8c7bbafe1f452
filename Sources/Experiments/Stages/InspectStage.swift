import Datasets
import Foundation
import HDF5
import Tensors

/// Shows what is in a dataset file or a run folder.
public enum InspectStage {
  /// Prints the contents.
  ///
  /// - Throws: `InputError`, `HDF5Error`, `DatasetError`; `CancellationError` on request.
  public static func run(_ path: String, _ console: Console) throws {
    guard FileSystem.exists(path) else {
      throw InputError(path: path, reason: "there is no such file or folder")
    }
    if FileSystem.isFolder(path) {
      let contents = try RunContents(RunFolder(opening: path))
      try console.result(contents, text: contents.text)
    } else {
      let contents = try DatasetContents(path, console)
      try console.result(contents, text: contents.text)
    }
  }
}

/// What is in a dataset file.
private struct DatasetContents: Encodable {
  struct Field: Encodable {
    let name: String
    let shape: [Int]
    let timeVarying: Bool
    let unit: String?
    var minimum = Double.infinity
    var maximum = -Double.infinity
    var mean = 0.0
    var standardDeviation = 0.0
  }
  struct Axis: Encodable {
    let name: String
    let points: Int
    let first: Double?
    let last: Double?
    let periodic: Bool?
    let unit: String?
  }

  let path: String
  let layout: FileLayout
  let title: String
  let equation: String
  let samples: Int
  /// `single` or `double`, or what the numbers of the fields are by numpy's names.
  let precision: String
  let axes: [Axis]
  let frames: Int
  let times: [Double]?
  let boundaryConditions: [String]
  let parameters: [String: Double]
  var fields: [Field]
  let checksum: String?
  let solveSeconds: Double?
  let seed: UInt64?
  let solver: String?
  let software: String?
  let createdAt: String?
  let config: String?
  let notes: [String]

  init(_ path: String, _ console: Console) throws {
    let file = try openDataset(path)
    let description = file.description
    self.path = path
    layout = file.layout
    title = description.title
    equation = description.equation
    samples = file.sampleCount
    let types = Set(file.storedTypes)
    precision =
      types == [.float32]
      ? "single" : types == [.float64] ? "double" : types.map(\.rawValue).sorted().joined(separator: ", ")
    axes = description.axes.map {
      Axis(
        name: $0.name, points: $0.count, first: $0.coordinates?.first, last: $0.coordinates?.last,
        periodic: $0.isPeriodic, unit: $0.unit)
    }
    frames = description.frameCount
    times = description.times
    boundaryConditions = description.boundaryConditions.map {
      "\($0.kind.rawValue.lowercased()) along \($0.axes.joined(separator: ", "))"
    }
    parameters = Dictionary(description.parameters.map { ($0.name, $0.value) }) { first, _ in first }
    fields = try description.fields.map { try Self.statistics(of: $0, in: file, console) }
    checksum = try file.contentChecksum().map(Text.hexadecimal)
    solveSeconds = try file.solveSeconds().map { $0.reduce(0, +) }
    seed = file.provenance?.seed
    solver = file.provenance?.solver
    software = file.provenance?.software
    createdAt = file.createdAt
    config = file.provenance?.config
    notes = file.notes
  }

  /// Minimum, maximum, mean and standard deviation over all samples, read one after another.
  private static func statistics(
    of field: DatasetDescription.FieldDescription, in file: any ReadableDataset, _ console: Console
  ) throws -> Field {
    var result = Field(
      name: field.name, shape: [file.sampleCount] + file.description.shape(of: field),
      timeVarying: field.isTimeVarying, unit: field.unit)
    let progress = Progress(
      console, label: "reading \(field.name)", unit: "samples", total: file.sampleCount)
    defer { progress.finish() }
    var count = 0.0
    var squares = 0.0
    for run in file.runs(of: field) {
      let values = try file.readDouble(field: field.name, samples: run.samples, frames: Array(run.frames))
      values.withUnsafeBuffer { values in
        // Chan's pairwise update of mean and squared deviations: no cancellation for a large mean.
        let size = Double(values.count)
        var sum = 0.0
        for value in values {
          sum += value
          result.minimum = min(result.minimum, value)
          result.maximum = max(result.maximum, value)
        }
        let mean = sum / size
        var deviations = 0.0
        for value in values { deviations += (value - mean) * (value - mean) }
        let difference = mean - result.mean
        squares += deviations + difference * difference * count * size / (count + size)
        result.mean += difference * size / (count + size)
        count += size
      }
      try progress.update(run.samples.upperBound)
    }
    result.standardDeviation = (squares / max(1, count - 1)).squareRoot()
    return result
  }

  private var stored: String {
    ["single", "double"].contains(precision) ? "in \(precision) precision" : "as \(precision)"
  }

  private func stated(_ text: String) -> String { text.isEmpty ? "not stated" : text }

  var text: String {
    var rows: [(String, String)] = [
      ("file", path), ("layout", layout.rawValue), ("title", stated(title)), ("equation", stated(equation)),
      ("samples", "\(samples), stored \(stored)"),
    ]
    rows += axes.map { axis in
      var range = "coordinates not stated"
      if let first = axis.first, let last = axis.last {
        range = "\(Text.number(first)) to \(Text.number(last))\(axis.unit.map { " " + $0 } ?? "")"
      }
      let kind = axis.periodic.map { $0 ? "periodic" : "bounded" } ?? "periodic or bounded: not stated"
      return ("axis \(axis.name)", "\(axis.points) points, \(range), \(kind)")
    }
    if let first = times?.first, let last = times?.last {
      rows.append(("times", "\(frames), \(Text.number(first)) to \(Text.number(last))"))
    } else if frames > 0 {
      rows.append(("times", "\(frames) frames, times not stated"))
    }
    rows += boundaryConditions.map { ("boundary", $0) }
    rows += parameters.sorted { $0.key < $1.key }.map { ("parameter \($0.key)", "\($0.value)") }
    rows += [
      ("solver", solver ?? "not stated"), ("seed", seed.map { "\($0)" } ?? "not stated"),
      ("software", software ?? "not stated"), ("created", createdAt ?? "not stated"),
      ("solving took", solveSeconds.map { "\(Text.number($0)) s of processor time" } ?? "not stated"),
      ("checksum", checksum ?? "none"),
    ]
    rows += notes.map { ("note", $0) }
    let table = Text.table(
      heading: ["field", "shape", "minimum", "maximum", "mean", "deviation"],
      rows: fields.map {
        [
          $0.name, Text.shape($0.shape), Text.number($0.minimum), Text.number($0.maximum),
          Text.number($0.mean), Text.number($0.standardDeviation),
        ]
      })
    return Text.table(rows) + "\n\n" + table
  }
}

/// What is in a run folder.
private struct RunContents: Encodable {
  let path: String
  let manifest: Manifest?
  let configuration: String
  /// The latest value of every metric, by split and name.
  let latest: [String: Double]
  let epoch: Int?
  let files: [String]

  init(_ run: RunFolder) throws {
    path = run.path
    manifest = FileSystem.exists(run.manifestFile) ? try Manifest(contentsOf: run.manifestFile) : nil
    configuration = try TextFile.read(run.configurationFile)
    let table = FileSystem.exists(run.metricsFile) ? try TextFile.read(run.metricsFile) : ""
    var latest: [String: Double] = [:]
    var epoch: Int?
    for line in table.split(separator: "\n").dropFirst() {
      let entries = line.split(separator: ",")
      guard entries.count == 4, let number = Int(entries[0]), let value = Double(entries[3]) else {
        throw InputError(
          path: run.metricsFile, reason: "has a row that is not epoch,split,metric,value: \(line)")
      }
      latest["\(entries[1]) \(entries[2])"] = value
      epoch = max(epoch ?? 0, number)
    }
    self.latest = latest
    self.epoch = epoch
    files = (try? FileManager.default.subpathsOfDirectory(atPath: run.path).sorted()) ?? []
  }

  var text: String {
    var rows: [(String, String)] = [("run", path)]
    if let manifest {
      rows += [
        ("status", manifest.status.rawValue), ("started", manifest.start),
        ("ended", manifest.end ?? "not yet"),
        ("ran", Progress.clock(manifest.wallSeconds)),
        ("software", "\(manifest.software.name) \(manifest.software.version)"),
        ("processor", "\(manifest.machine.processor), \(manifest.machine.threads) threads"),
      ]
      if let failure = manifest.failure { rows.append(("failed", failure)) }
      rows += manifest.data.sorted { $0.key < $1.key }.map { ("data", "\($0.key), checksum \($0.value)") }
    }
    if let epoch { rows.append(("epochs done", "\(epoch)")) }
    rows += latest.sorted { $0.key < $1.key }.map { ($0.key, Text.number($0.value)) }
    return Text.table(rows) + "\n\n" + configuration.trimmingCharacters(in: .newlines)
  }
}
