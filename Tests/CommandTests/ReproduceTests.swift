import Foundation
import Glibc
import Testing

/// A table of a published kind at a size for tests.
@Suite struct ReproduceTests {
  private static let sizes = [
    "generate.samples=14", "generate.grid=512", "generate.stored_grid=256", "model.width=6", "model.modes=4",
    "model.projection_width=8", "model.layers=2", "data.train_samples=8", "data.test_samples=4",
    "batch_size=4",
  ]

  private func arguments(
    _ rows: String, _ epochs: Int, _ others: [String] = [], table: String = "table"
  ) -> [String] {
    ["reproduce", "burgers", "--output", table, "--only", rows, "epochs=\(epochs)"] + Self.sizes + others
  }

  private func json(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private func table(_ folder: String, _ name: String = "table") throws -> [String: Any] {
    try json(String(contentsOfFile: "\(folder)/\(name)/table.json", encoding: .utf8))
  }

  @Test func everyModelWithThePublishedNumberBesideIt() throws {
    try Samples.withFolder { folder in
      let names = ["fno-256", "fno2020-256", "cnn-256", "xd-256", "xd-modern-256"]
      let outcome = try Command.run(
        arguments(names.joined(separator: ","), 5, ["--json"]), in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      #expect(outcome.messages.contains("reproduce burgers, scale small, into table"))
      #expect(outcome.messages.contains(" in all; interrupted, the same command goes on where it was\n"))
      let document = try json(outcome.output)
      #expect(try (table(folder) as NSDictionary).isEqual(to: document))
      #expect((document["data_deviations"] as? [String])?.contains("samples 14 instead of 2048") == true)
      let rows = try #require(document["rows"] as? [[String: Any]])
      #expect(rows.compactMap { $0["name"] as? String } == names)
      let published = rows.map { ($0["published"] as? [String: Any])?["value"] as? Double }
      #expect(published == [0.0018, 0.0149, nil, nil, nil])
      // A row that no paper has says so, and one of which there is only a figure.
      #expect(rows.map { $0["published"] == nil } == [false, false, false, false, true])
      for row in rows {
        let name = try #require(row["name"] as? String)
        // The numbers are those of the run folder, its evaluation and its manifest.
        let evaluation = try json(
          String(contentsOfFile: "\(folder)/table/\(name)/evaluation.json", encoding: .utf8))
        let errors = try #require(evaluation["sample_relative_l2"] as? [Double])
        let summary = try #require(row["relative_l2"] as? [String: Double])
        #expect(errors.count == 4)
        let mean = errors.reduce(0, +) / 4
        #expect(abs(try #require(summary["mean"]) - mean) < 1e-12 * mean)
        let squares = errors.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let deviation = (squares / 3).squareRoot()
        #expect(abs(try #require(summary["standard_deviation"]) - deviation) < 1e-9 * mean)
        #expect(FileManager.default.fileExists(atPath: "\(folder)/table/\(name)/report.html"))
        let deviations = try #require(row["deviations"] as? [String])
        #expect(deviations.contains("epochs 5 instead of 500"))
        #expect(deviations.contains("data.train_samples 8 instead of 1000"))
        // The steps of the rate shrink with the epochs.
        #expect(deviations.contains("schedule.epochs 1 instead of \(name == "fno-256" ? 50 : 100)"))
        #expect(!deviations.contains { $0.hasPrefix("model.activation") })
        #expect((row["provenance"] as? [String: Any])?["machine"] != nil)
      }
      let config = try String(contentsOfFile: "\(folder)/table/fno2020-256/config.yaml", encoding: .utf8)
      #expect(config.contains("activation: relu") && config.contains("normalization: batch"))
      let text = try String(contentsOfFile: "\(folder)/table/table.md", encoding: .utf8)
      #expect(text.contains("| xd-256 | XD from that CNN | ") && text.contains(" | figure only | 5 | 8 | "))
      #expect(text.contains("| xd-modern-256 | XD, modern: GELU, no normalisation | "))
      #expect(text.contains(" | ours | 5 | 8 | "))
      #expect(text.contains("`fno2020-256`: Li et al., ICLR 2021, table"))
      #expect(text.contains("`xd-modern-256`: no paper has this row"))
    }
  }

  private func errors(_ text: String) throws -> [[String: Double]] {
    try #require(json(text)["rows"] as? [[String: Any]]).compactMap {
      $0["relative_l2"] as? [String: Double]
    }
  }

  @Test func goesOnAfterAKillToTheSameNumbers() throws {
    try Samples.withFolder { folder in
      func command(_ epochs: Int, _ table: String = "table") -> [String] {
        arguments("fno-256", epochs, ["--json"], table: "\(table)\(epochs)")
      }
      let killed = try Command.interrupt(
        SIGKILL, whenThereIs: { "\(folder)/table\($0)/fno-256/checkpoints/last" }, in: folder
      ) { command($0) }
      #expect(killed.outcome.status == 128 + SIGKILL)
      #expect(try (table(folder, "table\(killed.epochs)")["rows"] as? [Any])?.isEmpty == true)
      let plan = try Command.run(command(killed.epochs) + ["--plan"], in: folder)
      #expect(plan.status == 0 && plan.output.contains(" of them done, about "), "\(plan.output)")
      let rest = try Command.run(command(killed.epochs) + ["--quiet"], in: folder)
      #expect(rest.status == 0 && rest.messages.isEmpty, "\(rest.messages)")
      let whole = try Command.run(command(killed.epochs, "whole") + ["--threads", "1"], in: folder)
      #expect(whole.status == 0)
      #expect(try errors(rest.output).count == 1 && errors(rest.output) == errors(whole.output))
    }
  }

  @Test func saysHowToGoOnAndKeepsWhatIsDone() throws {
    try Samples.withFolder { folder in
      let stopped = try Command.interrupt(
        SIGINT, whenThereIs: { "\(folder)/table\($0)/cnn-256/checkpoints/last" }, in: folder
      ) { arguments("fno-256,cnn-256", $0, table: "table\($0)") }
      #expect(stopped.outcome.status == 130)
      #expect(stopped.outcome.messages.contains("the same command goes on with the table"))
      let name = "table\(stopped.epochs)"
      let rows = try #require(try table(folder, name)["rows"] as? [[String: Any]])
      #expect(rows.compactMap { $0["name"] as? String } == ["fno-256"])
      #expect(try table(folder, name)["missing"] as? [String] == ["cnn-256"])
      func command(_ others: [String] = [], rows: String = "fno-256,cnn-256") -> [String] {
        arguments(rows, stopped.epochs, others, table: name)
      }
      let rest = try Command.run(command(["--json", "--quiet"]), in: folder)
      #expect(rest.status == 0)
      #expect(try errors(rest.output).count == 2)

      // What is done stays, whatever else is asked for; other settings for the same row are refused.
      let manifest = "\(folder)/\(name)/fno-256/manifest.json"
      let before = try String(contentsOfFile: manifest, encoding: .utf8)
      #expect(try Command.run(command(), in: folder).status == 0)
      #expect(try String(contentsOfFile: manifest, encoding: .utf8) == before)
      let wider = try Command.run(command(["model.width=8"]), in: folder)
      #expect(wider.status == 73)
      #expect(wider.messages.contains("\(name)/fno-256: was started with model.width = 6, not 8"))
      // Nor is a row of so many epochs continued to more, even with the schedule it has.
      let steps = max(1, Int((Double(50 * stopped.epochs) / 500).rounded()))
      let longer = try Command.run(
        command(["epochs=\(stopped.epochs + 1)", "schedule.epochs=\(steps)"]), in: folder)
      #expect(longer.status == 73)
      let epochs = "was started with epochs = \(stopped.epochs), not \(stopped.epochs + 1)"
      #expect(longer.messages.contains("\(name)/fno-256: \(epochs)"), "\(longer.messages)")
      let scale = try Command.run(command(["--scale", "paper"]), in: folder)
      #expect(scale.status == 73)
      #expect(scale.messages.contains("\(name): holds the table burgers at scale small"))

      // Rows of other data are not of the table.
      let overwritten = try Command.run(
        arguments(
          "fno-256", 1, ["--json", "--quiet", "--overwrite", "generate.samples=13"], table: name), in: folder)
      #expect(overwritten.status == 0, "\(overwritten.messages)")
      #expect(try errors(overwritten.output).count == 1)
    }
  }

  /// Eight layers multiply steps of 10⁵ until no number holds the product, unless they are normalised.
  @Test func aRowThatFailsDoesNotEndTheOthers() throws {
    try Samples.withFolder { folder in
      let command = arguments(
        "fno-256,fno2020-256", 2, ["model.layers=8", "optimizer.learning_rate=1e5", "--json"])
      for isFirst in [true, false] {
        let outcome = try Command.run(command, in: folder)
        #expect(outcome.status == 65)
        #expect(
          outcome.messages.contains("error: failed: fno-256; the reasons are in table/table.md"),
          "\(outcome.messages)")
        let document = try json(outcome.output)
        #expect(
          (document["rows"] as? [[String: Any]])?.compactMap { $0["name"] as? String } == ["fno2020-256"])
        #expect((document["missing"] as? [Any])?.isEmpty == true)
        let failed = try #require(document["failed"] as? [[String: String]])
        #expect(failed.map { $0["name"] } == ["fno-256"])
        #expect(failed[0]["reason"]?.contains("in epoch 1, batch 2; checkpoints are from before it") == true)
        let text = try String(contentsOfFile: "\(folder)/table/table.md", encoding: .utf8)
        #expect(text.contains("## Failed\n\n- `fno-256`: the "))
        // The second time only the failed row is tried again.
        #expect(outcome.messages.contains("\nfno2020-256: ") == isFirst)
      }
      // Its own manifest says why, too; with other values it is done.
      let manifest = try String(contentsOfFile: "\(folder)/table/fno-256/manifest.json", encoding: .utf8)
      #expect(manifest.contains("\"failure\" : \"the "))
      let sound = arguments("fno-256", 2, ["model.layers=8", "--overwrite", "--json"])
      let outcome = try Command.run(sound, in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      #expect((try json(outcome.output)["failed"] as? [Any])?.isEmpty == true)
    }
  }

  @Test(arguments: [
    (["reproduce", "fly"], "Please provide one of 'burgers', 'darcy' or 'navier-stokes'"),
    (["reproduce", "darcy", "--only", "fno-80"], "'darcy' has no row 'fno-80' (did you mean 'fno-85'?)"),
    (["reproduce", "burgers", "model.witdh=3"], "unknown key 'model.witdh' (did you mean 'model.width'?)"),
    (["reproduce", "burgers", "output=x"], "'output' is part of the table and cannot be changed"),
    (["reproduce", "burgers", "generate.samples=none"], "'samples' is none; it must be an integer"),
    (
      ["reproduce", "burgers", "--only", "fno-8192", "generate.stored_grid=4096"],
      "'generate.stored_grid' is 4096"
    ),
  ])
  func mistakes(arguments: [String], message: String) throws {
    try Samples.withFolder { folder in
      let before = try names(in: folder)
      let outcome = try Command.run(arguments, in: folder)
      #expect(outcome.status == 64)
      #expect(outcome.messages.contains(message), "\(outcome.messages)")
      #expect(try names(in: folder) == before)
    }
  }

  /// Every table at every scale fits its data; nothing is done.
  @Test(arguments: [
    ("burgers", "paper", ["fno-256", "xd-8192"], "500 epochs of 1000 samples"),
    ("burgers", "small", ["fno2020-256", "cnn-1024"], "30 epochs of 1000 samples"),
    ("darcy", "paper", ["fno-85", "fno2020-85", "cnn-85", "xd-85"], "500 epochs of 1000 samples"),
    ("darcy", "small", ["fno-85"], "25 epochs of 400 samples"),
    ("navier-stokes", "paper", ["fno-2d", "fno-3d"], "500 epochs of 1000 samples"),
    ("navier-stokes", "small", ["fno-2d", "fno-3d"], "80 epochs of 200 samples"),
  ])
  func plansSayWhatIsToBeDone(table: String, scale: String, rows: [String], work: String) throws {
    try Samples.withFolder { folder in
      let before = try names(in: folder)
      let sizes = ["model.width=2", "model.projection_width=2", "model.layers=1", "batch_size=1"]
      let outcome = try Command.run(
        ["reproduce", table, "--scale", scale, "--plan", "--only", rows.joined(separator: ",")] + sizes,
        in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      #expect(outcome.output.contains("reproduce \(table), scale \(scale), into reproduce/\(table)-\(scale)"))
      for row in rows { #expect(outcome.output.contains("\n  \(row) ")) }
      #expect(outcome.output.contains(": \(work), about "))
      #expect(try names(in: folder) == before)
    }
  }

  /// Rows that are ours are made only when they are asked for.
  @Test func thePublishedRowsAreDoneUnlessOthersAreChosen() throws {
    try Samples.withFolder { folder in
      let outcome = try Command.run(
        [
          "reproduce", "burgers", "--plan", "model.width=2", "model.modes=2", "model.projection_width=2",
          "model.layers=1", "batch_size=1",
        ], in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      #expect(outcome.output.contains("\n  xd-256 ") && !outcome.output.contains("xd-modern"))
    }
  }

  /// A schedule without steps has none to be stretched with the epochs.
  @Test func anotherScheduleTakesTheWholeSection() throws {
    try Samples.withFolder { folder in
      let outcome = try Command.run(
        [
          "reproduce", "burgers", "--plan", "--only", "fno-256", "epochs=7", "schedule={kind: cosine}",
          "model.width=2", "model.projection_width=2", "model.layers=1", "batch_size=1",
        ], in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      #expect(outcome.output.contains(": 7 epochs of 1000 samples, about "))
    }
  }
}
