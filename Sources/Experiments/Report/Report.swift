import Figures
import Foundation

/// What a report could not be made from.
public struct ReportError: Error, Equatable, CustomStringConvertible {
  /// The file or folder.
  public let path: String

  /// What is wrong and what to do.
  public let reason: String

  /// One line: where, what, what to do.
  public var description: String { "\(path): \(reason)" }
}

/// What a report holds and where it was written.
public struct ReportSummary: Sendable, Equatable, Codable {
  /// The page.
  public let page: String

  /// The names of the figures, each written as `figures/NAME.png`, `.svg` and `.csv`.
  public let figures: [String]

  /// The files of the run that were read.
  public let sources: [String]
}

/// The report of a run: one self-contained HTML page, and every figure as PNG, SVG and numbers.
///
/// It reads the files of the run folder and nothing else: `metrics.csv`, `evaluation.json`, `evaluation.h5` and
/// `posterior.nc` for the results, `config.yaml` and `manifest.json` for what produced them. What is there is
/// shown; what is absent is left out.
public struct Report {
  let folder: String
  let configuration: RunConfiguration
  let manifest: JSONObject
  var figures: ReportFigures
  var sources: [String] = []

  /// Writes `report.html` and the folder `figures` of a run.
  ///
  /// - Parameter progress: called before every figure; what it throws stops the work.
  /// - Throws: ``ReportError`` if there is no such folder, it holds no results, or a result cannot be
  ///   understood; `HDF5Error` for damaged files; `FileError` if the report cannot be written.
  public static func write(
    runFolder: String, progress: @escaping () throws -> Void = {}
  ) throws -> ReportSummary {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: runFolder, isDirectory: &isFolder), isFolder.boolValue else {
      throw ReportError(path: runFolder, reason: "there is no such run folder")
    }
    let results = ["metrics.csv", "evaluation.json", "evaluation.h5", "posterior.nc"]
    let present = results.filter { FileManager.default.fileExists(atPath: "\(runFolder)/\($0)") }
    guard !present.isEmpty else {
      throw ReportError(
        path: runFolder,
        reason:
          "holds no results yet: none of \(results.joined(separator: ", ")) is there; train or invert first")
    }
    var report = try Report(folder: runFolder, progress: progress)
    report.sources += present
    let isInversion = present.contains("posterior.nc")
    var page = HTMLPage(
      title: URL(fileURLWithPath: runFolder).standardizedFileURL.lastPathComponent,
      kicker: isInversion ? "Inversion" : "Training run")
    if isInversion {
      try report.showInversion(on: &page)
    } else {
      try report.showTraining(on: &page, present: Set(present))
    }
    report.showProvenance(on: &page)
    let path = "\(runFolder)/report.html"
    try page.write(to: path)
    return ReportSummary(page: path, figures: report.figures.names, sources: report.sources)
  }

  private init(folder: String, progress: @escaping () throws -> Void) throws {
    self.folder = folder
    figures = try ReportFigures(folder: "\(folder)/figures", progress: progress)
    configuration = try RunConfiguration(contentsOf: "\(folder)/config.yaml")
    manifest = try JSONObject(contentsOf: "\(folder)/manifest.json")
    if !configuration.text.isEmpty { sources.append("config.yaml") }
    if !manifest.text.isEmpty { sources.append("manifest.json") }
  }

  /// The names and values of the run that matter to a reader, from the configuration and the manifest.
  var settings: [(name: String, value: String)] {
    let keys: [(key: String, name: String)] = [
      ("model.kind", "Model"), ("model.width", "Width"), ("model.modes", "Modes"), ("model.layers", "Layers"),
      ("data.train_samples", "Training samples"), ("data.test_samples", "Test samples"), ("epochs", "Epochs"),
      ("batch_size", "Batch size"), ("optimizer.kind", "Optimizer"),
      ("optimizer.learning_rate", "Learning rate"), ("surrogate", "Forward map"), ("noise", "Noise"),
      ("sampler.kind", "Sampler"), ("sampler.samples", "Draws per chain"), ("sampler.burn_in", "Burn-in"),
      ("sampler.chains", "Chains"), ("seed", "Seed"),
    ]
    var settings = keys.compactMap { entry in
      configuration.value(entry.key).map { (name: entry.name, value: $0) }
    }
    if let count = manifest.number("parameter_count") ?? manifest.number("parameters") {
      settings.append(("Parameters", NumberFormat.grouped(Int(count))))
    }
    for (key, name) in [("machine.processor", "Processor"), ("machine.threads", "Threads")] {
      if let value = manifest.string(key) { settings.append((name, value)) }
    }
    let software = ["software.name", "software.version"].compactMap { manifest.string($0) }
    if !software.isEmpty { settings.append(("Software", software.joined(separator: " "))) }
    if let revision = manifest.string("software.revision") {
      settings.append(("Revision", String(revision.prefix(12))))
    }
    if let start = manifest.string("start") { settings.append(("Started", start)) }
    return settings
  }

  private func showProvenance(on page: inout HTMLPage) {
    let documents = [
      ("Configuration (config.yaml)", configuration.text), ("Manifest (manifest.json)", manifest.text),
    ]
    .filter { !$0.1.isEmpty }
    if !documents.isEmpty {
      page.section("Provenance")
      for (title, text) in documents { page.details(title, text: text) }
    }
    let files = sources.joined(separator: ", ")
    page.footer =
      "Made by phalarope report from \(files). Every figure lies in figures/ as PNG, SVG and CSV."
  }
}
