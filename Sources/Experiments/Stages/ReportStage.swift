/// Writes the report of a run.
public enum ReportStage {
  /// Writes the report of a run folder and says where it is.
  ///
  /// - Throws: `InputError`, `ReportError`, `HDF5Error`, `FigureError`; `CancellationError` on request.
  public static func run(_ path: String, _ console: Console) throws {
    let run = try RunFolder(opening: path)
    let summary = try Report.write(runFolder: run.path, progress: Interruption.check)
    try console.result(summary, text: "\(summary.page)\n\(summary.figures.count) figures in \(run.figures)")
  }
}
