import Figures
import Files
import Foundation

/// The folder `figures` of a run: every figure as PNG for looking, SVG for papers, and its numbers as CSV.
struct ReportFigures {
  let folder: String
  private(set) var names: [String] = []
  private let progress: () throws -> Void

  init(folder: String, progress: @escaping () throws -> Void) throws {
    self.folder = folder
    self.progress = progress
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw OutputError(.notCreatable, path: folder, reason: "the folder cannot be created")
    }
  }

  /// Writes one figure in its three forms.
  mutating func write(_ name: String, _ drawing: Drawing, csv: String) throws {
    try progress()
    try drawing.image(scale: 2).write(to: "\(folder)/\(name).png")
    try AtomicFile.write(drawing.svg(theme: .paper), to: "\(folder)/\(name).svg")
    try AtomicFile.write(csv, to: "\(folder)/\(name).csv")
    names.append(name)
  }

  /// Writes a chart and returns it as a figure of the page.
  mutating func chart(_ name: String, _ chart: LineChart, caption: String = "") throws -> HTMLPage.Figure {
    let drawing = chart.drawing()
    try write(name, drawing, csv: chart.csv())
    return HTMLPage.Figure(drawing, caption: caption)
  }

  /// Writes panels side by side as one figure, and returns them one by one for the page.
  ///
  /// The numbers are one table: a line per grid point, a column per panel.
  mutating func panels(_ name: String, _ panels: [FieldPanel], summary: String) throws -> [HTMLPage.Figure] {
    let drawings = panels.map { $0.drawing() }
    try write(
      name, Drawing.grid(drawings, columns: 4, summary: summary), csv: FieldPanel.table(of: panels))
    return drawings.map { HTMLPage.Figure($0) }
  }
}
