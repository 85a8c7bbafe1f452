import Foundation
import Training

/// Makes a published table anew: data, trainings, evaluations, and the published numbers beside ours.
public enum ReproduceStage {
  /// Does what is left of some rows of a table, in a folder of its own.
  ///
  /// The folder holds `data.h5`, a run folder by row, `table.json` and `table.md`, which are written anew after every
  /// row. Rows that are there are kept and unfinished ones continued, as long as their settings are the same. A row
  /// whose training fails is in the table with the reason, and the others are done all the same.
  /// - Parameters:
  ///   - output: the folder; by default `reproduce/TABLE-SCALE`.
  ///   - rows: their names; none for those of the scale.
  ///   - overrides: `key=value` for all trainings, `generate.key=value` for the data.
  ///   - overwrite: to make the data and these rows anew; others stay in the table if the data are the same.
  ///   - onlyPlans: to say what would be done, and stop.
  /// - Throws: `ConfigError`, `InputError`, `OutputError`, and what generating, training and evaluating throw;
  ///   `FailedRows` at the end if rows have failed; `CancellationError` on request.
  public static func run(
    _ table: ReproductionTable, scale: ReproductionTable.Scale, output: String?, rows: [String],
    overrides: [String], overwrite: Bool, onlyPlans: Bool, _ console: Console
  ) throws {
    let folder = output ?? "reproduce/\(table.rawValue)-\(scale.rawValue)"
    let plan = try ReproductionPlan(table, scale: scale, folder: folder, rows: rows, overrides: overrides)
    try requireSameTable(plan)
    for row in plan.rows where FileSystem.exists(row.config.output) {
      try overwrite
        ? RunFolder.requireUnlocked(row.config.output) : TrainStage.requireContinuable(row.config)
    }
    let lines = console.isQuiet && !onlyPlans ? [] : try plan.announcement()
    if onlyPlans { return try console.result(["plan": lines], text: lines.joined(separator: "\n")) }
    for line in lines { console.note(line) }
    try FileSystem.makeFolders(folder)
    try ReproductionResult(plan).write(to: folder)
    do {
      let quiet = console.withoutResults
      try GenerateStage.run(plan.data, shard: .whole, overwrite: overwrite, keepsExisting: true, quiet)
      for row in plan.rows where overwrite || !row.isFinished {
        console.note("\(row.row.name): \(row.row.model)")
        let policy: RunFolder.Policy =
          overwrite ? .overwrite : FileSystem.exists(row.config.output) ? .resume : .create
        do {
          try TrainStage.run(row.config, policy: policy, quiet)
        } catch let error as TrainingError {
          console.warning("\(row.row.name) failed: \(error)")
        }
        try ReproductionResult(plan).write(to: folder)
      }
    } catch is CancellationError {
      console.note("the same command goes on with the table\(overwrite ? ", without --overwrite" : "")")
      throw CancellationError()
    }
    let result = try ReproductionResult(plan)
    try result.write(to: folder)
    try console.result(result, text: "\(result.text)\n\(folder)/table.md")
    let failed = result.failed.map(\.name).filter { name in plan.rows.contains { $0.row.name == name } }
    if !failed.isEmpty { throw FailedRows(names: failed, table: "\(folder)/table.md") }
  }

  /// Rows of a table that have no number; the others are done.
  public struct FailedRows: Error, CustomStringConvertible {
    let names: [String]
    let table: String

    /// Which, and where the reasons are.
    public var description: String {
      "failed: \(names.joined(separator: ", ")); the reasons are in \(table). Train them with other values, as "
        + "optimizer.learning_rate or gradient_clipping, with --overwrite and --only"
    }
  }

  /// A folder is of one table at one scale.
  private static func requireSameTable(_ plan: ReproductionPlan) throws {
    let path = "\(plan.folder)/table.json"
    guard FileSystem.exists(path) else { return try FileSystem.requireFolderCanBeMade(plan.folder) }
    let found = try JSONObject(contentsOf: path)
    let (table, scale) = (found.string("table") ?? "something else", found.string("scale") ?? "unknown")
    guard table == plan.table.rawValue, scale == plan.scale.rawValue else {
      throw OutputError(
        .exists, path: plan.folder,
        reason: "holds the table \(table) at scale \(scale); name another folder with --output")
    }
  }
}
