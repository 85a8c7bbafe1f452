import Datasets
import Foundation
import Training

/// A table with the published numbers beside ours: `table.json`, `table.md`.
struct ReproductionResult: Encodable {
  /// The error of a row's model.
  struct RelativeL2: Encodable {
    let mean: Double
    /// The standard deviation over the test samples.
    let standardDeviation: Double
    let median: Double
    let maximum: Double
  }

  /// What made a row: the parts of the run's manifest that do not depend on where it lay.
  struct Provenance: Encodable {
    let manifestChecksum: String
    let software: Manifest.Software
    let machine: Manifest.Machine
    let libraries: [String: String]
    let data: [String: String]
    let start: String
    let end: String?
    let wallSeconds: Double
    let continuations: Int
  }

  /// A finished row.
  struct Row: Encodable {
    let name: String
    let model: String
    let points: Int
    /// The shipped configuration that it was made from.
    let config: String
    /// The settings in which it differs from the papers.
    let deviations: [String]
    let parameters: Int
    let seed: Int
    let epochs: Int
    let trainingSamples: Int
    let testSamples: Int
    /// The seconds of all epochs.
    let trainingSeconds: Double
    let relativeL2: RelativeL2
    /// What was published, absent for a row that is ours.
    let published: ReproductionTable.Published?
    /// The run folder.
    let run: String
    let provenance: Provenance
  }

  /// A row that there is no number for, and why.
  struct FailedRow: Codable, Equatable {
    let name: String
    let reason: String
  }

  let table: String
  let scale: String
  /// The settings in which the data differ from the papers.
  let dataDeviations: [String]
  let remarks: [String]
  let rows: [Row]
  /// The rows whose trainings failed.
  let failed: [FailedRow]
  /// The rows that are not done yet, of those that were asked for.
  let missing: [String]

  /// The rows whose runs have ended, of all in the folder that were made with its data.
  ///
  /// - Throws: `InputError`, `HDF5Error`, `TrainingError` for damaged run folders.
  init(_ plan: ReproductionPlan) throws {
    table = plan.table.rawValue
    scale = plan.scale.rawValue
    dataDeviations = plan.dataDeviations
    remarks = plan.table.remarks
    rows = try plan.known.compactMap { try Self.row($0, plan) }
    failed = plan.known.compactMap { row in
      (try? Manifest(contentsOf: RunFolder.manifestFile(in: row.config.output))).flatMap { manifest in
        guard manifest.status == .failed, let reason = manifest.failure else { return nil }
        return FailedRow(name: row.row.name, reason: reason)
      }
    }
    let done = Set(rows.map(\.name) + failed.map(\.name))
    missing = plan.rows.map(\.row.name).filter { !done.contains($0) }
  }

  private static func row(_ planned: ReproductionPlan.Row, _ plan: ReproductionPlan) throws -> Row? {
    let path = planned.config.output
    guard let run = try? RunFolder(opening: path), FileSystem.exists(run.manifestFile) else { return nil }
    let manifest = try Manifest(contentsOf: run.manifestFile)
    guard manifest.status == .finished, ReproductionPlan.isOfPresentData(manifest) else { return nil }
    let evaluation = try JSONObject(contentsOf: "\(path)/evaluation.json")
    guard let errors = evaluation.numbers("sample_relative_l2"), !errors.isEmpty else { return nil }
    // As it was trained, which may be otherwise than the command now says.
    let config = try run.trainConfig()
    let history = try Checkpoint(contentsOf: run.lastCheckpoint).history
    let summary = MetricSummary(errors)
    let variance =
      errors.reduce(0) { $0 + ($1 - summary.mean) * ($1 - summary.mean) } / Double(max(1, errors.count - 1))
    return Row(
      name: planned.row.name, model: planned.row.model, points: planned.row.points,
      config: planned.row.config,
      deviations: try ReproductionPlan.Row(row: planned.row, config: config, reference: planned.reference)
        .deviations(),
      parameters: manifest.parameterCount ?? 0, seed: config.seed, epochs: history.count,
      trainingSamples: config.data.trainSamples, testSamples: errors.count,
      trainingSeconds: history.reduce(0) { $0 + $1.seconds },
      relativeL2: RelativeL2(
        mean: summary.mean, standardDeviation: variance.squareRoot(), median: summary.median,
        maximum: summary.maximum),
      published: planned.row.published(plan.scale), run: path,
      provenance: Provenance(
        manifestChecksum: try Self.checksum(run.manifestFile), software: manifest.software,
        machine: manifest.machine, libraries: manifest.libraries, data: manifest.data,
        start: manifest.start, end: manifest.end, wallSeconds: manifest.wallSeconds,
        continuations: manifest.continuations))
  }

  private static func checksum(_ path: String) throws -> String {
    var checksum = Checksum()
    Array(try TextFile.read(path).utf8).withUnsafeBytes { checksum.update($0) }
    return Text.hexadecimal(checksum.value)
  }

  /// Writes `table.json` and `table.md`.
  ///
  /// - Throws: `OutputError`.
  func write(to folder: String) throws {
    try TextFile.write(Console.json(self) + "\n", to: "\(folder)/table.json")
    try TextFile.write(markdown, to: "\(folder)/table.md")
  }

  // MARK: - As text

  private static let heading = [
    "row", "model", "relative L2", "published", "epochs", "samples", "parameters", "training",
  ]

  private var cells: [[String]] {
    rows.map { row in
      [
        row.name, row.model,
        "\(Text.number(row.relativeL2.mean, digits: 3)) ± \(Text.number(row.relativeL2.standardDeviation, digits: 2))",
        row.published.map { $0.value.map { Text.number($0) } ?? "figure only" } ?? "ours", "\(row.epochs)",
        "\(row.trainingSamples)", "\(row.parameters)", Progress.clock(row.trainingSeconds),
      ]
    }
  }

  /// For a terminal.
  var text: String {
    let table = rows.isEmpty ? "no row is done yet" : Text.table(heading: Self.heading, rows: cells)
    return table + failed.map { "\n\($0.name) failed: \($0.reason)" }.joined()
      + (missing.isEmpty ? "" : "\nnot done yet: \(missing.joined(separator: ", "))")
  }

  private var markdown: String {
    func line(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |" }
    func list(_ items: [String]) -> String { items.map { "- \($0)" }.joined(separator: "\n") }
    var text = """
      # \(table), scale \(scale)

      Made by `phalarope reproduce \(table) --scale \(scale)`; all numbers are in `table.json`. Relative L2 errors are means \
      over the test samples after the last epoch, with their standard deviations over these samples; each row is one \
      training.

      \(line(Self.heading))
      \(line(Self.heading.map { _ in "---" }))
      \(cells.map(line).joined(separator: "\n"))

      ## Published numbers

      \(list(rows.map { "`\($0.name)`: \($0.published?.source ?? "no paper has this row")" }))

      ## Where this differs from the papers

      \(list(remarks + (dataDeviations.isEmpty ? [] : ["Data: \(dataDeviations.joined(separator: ", "))"])))
      \(list(rows.map { "`\($0.name)`: \($0.deviations.isEmpty ? "nothing else" : $0.deviations.joined(separator: ", "))" }))

      ## Made by

      \(list(Set(rows.map(made)).sorted()))

      """
    if !failed.isEmpty {
      text += "\n## Failed\n\n\(list(failed.map { "`\($0.name)`: \($0.reason)" }))\n"
    }
    if !missing.isEmpty { text += "\nNot done yet: \(missing.joined(separator: ", ")).\n" }
    return text
  }

  private func made(_ row: Row) -> String {
    let machine = row.provenance.machine
    let software = row.provenance.software
    let revision = software.revision.map { ", git \($0.prefix(12))" } ?? ""
    return "\(software.name) \(software.version)\(revision), \(machine.processor), \(machine.threads) threads"
  }
}
