/// Writes the report of a run.
public enum ReportStage {
  /// Writes the report of a run folder and says where it is.
  ///
  /// - Throws: `InputError`, `HDF5Error`, `OutputError`.
  public static func run(_ path: String, _ console: Console) throws {
    let run = try RunFolder(opening: path)
    try write(run, console)
    try console.result(["report": run.reportFile], text: run.reportFile)
  }

  static func write(_ run: RunFolder, _ console: Console) throws {
  }
}
