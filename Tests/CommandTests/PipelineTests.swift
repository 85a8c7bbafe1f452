import Foundation
import HDF5
import Testing

/// Every verb on a small problem, and what it says and does when a file is not what it must be.
@Suite struct PipelineTests {
  private func json(_ outcome: Command.Outcome) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  @Test func everyVerb() throws {
    try Samples.withFolder { folder in
      let generated = try Command.run(["generate", "burgers.yaml", "--json", "--quiet"], in: folder)
      #expect(generated.status == 0)
      #expect(generated.messages.isEmpty)
      #expect(try json(generated)["samples"] as? Int == 12)
      #expect(FileManager.default.fileExists(atPath: "\(folder)/burgers.xmf"))

      let inspected = try json(Command.run(["inspect", "burgers.h5", "--json"], in: folder))
      let field = try #require((inspected["fields"] as? [[String: Any]])?.first)
      #expect(field["shape"] as? [Int] == [12, 2, 32])

      let trained = try Command.run(["train", "train.yaml", "--json"], in: folder)
      #expect(trained.status == 0)
      #expect(try json(trained)["epochs"] as? Int == 3)
      let run = try names(in: "\(folder)/run")
      for name in [
        "checkpoints", "config.yaml", "evaluation.h5", "evaluation.json", "events.jsonl", "figures",
        "manifest.json", "metrics.csv", "report.html",
      ] {
        #expect(run.contains(name))
      }
      #expect(try names(in: "\(folder)/run/checkpoints") == ["best", "last"])

      let evaluated = try json(Command.run(["evaluate", "run", "--json"], in: folder))
      let error = try #require((evaluated["relative_l2"] as? [String: Double])?["mean"])
      let reported = try #require(
        (try json(trained)["evaluation"] as? [String: Any])?["relative_l2"] as? [String: Double])
      #expect(reported["mean"] == error)
      let coarse = try json(Command.run(["evaluate", "run", "--grid", "16", "--json"], in: folder))
      #expect(coarse["grid"] as? [Int] == [16])
      let other = try json(Command.run(["evaluate", "run", "--data", "burgers.h5", "--json"], in: folder))
      #expect(other["samples"] as? Int == 12)

      let predict = ["predict", "run", "--input", "burgers.h5", "--output", "predicted.h5"]
      #expect(try Command.run(predict, in: folder).status == 0)
      let truth = try numbers(in: "\(folder)/burgers.h5", below: "t0_fields/u")["t0_fields/u"]
      let predicted = try numbers(in: "\(folder)/predicted.h5", below: "t0_fields/u")["t0_fields/u"]
      #expect(truth?.count == predicted?.count)
      // The first frame of the first sample is its input, unchanged.
      #expect(truth?.prefix(32) == predicted?.prefix(32))
      #expect(truth != predicted)

      #expect(try Command.run(["report", "run"], in: folder).status == 0)
      #expect(try Command.run(["inspect", "run"], in: folder).status == 0)

      // The resolved configuration repeats the run.
      let again = try Command.run(
        ["train", "run/config.yaml", "output=again", "--threads", "1"], in: folder)
      #expect(again.status == 0)
      #expect(
        try numbers(in: "\(folder)/run/checkpoints/last", below: "weights")
          == numbers(in: "\(folder)/again/checkpoints/last", below: "weights"))
    }
  }

  @Test func derivativesAreGeneratedAndLearned() throws {
    try Samples.withFolder { folder in
      let generated = try Command.run(["generate", "burgers.yaml", "tangents=2", "--json"], in: folder)
      #expect(generated.status == 0, "\(generated.messages)")
      let fields = try #require(try json(generated)["fields"] as? [String: [Int]])
      #expect(fields.keys.sorted() == ["u", "u_tangent_1", "u_tangent_2"])
      let trained = try Command.run(["train", "train.yaml", "loss.tangent_weight=0.5", "--json"], in: folder)
      #expect(trained.status == 0, "\(trained.messages)")
      let evaluation = try #require(try json(trained)["evaluation"] as? [String: Any])
      let errors = try #require(evaluation["tangent_relative_l2"] as? [String: Double])
      #expect(try #require(errors["mean"]) > 0)
      // The same bits where the samples stay in the file.
      let streamed = try Command.run(
        ["train", "train.yaml", "loss.tangent_weight=0.5", "data.memory=streamed", "output=streamed"],
        in: folder)
      #expect(streamed.status == 0, "\(streamed.messages)")
      #expect(
        try numbers(in: "\(folder)/run/checkpoints/last", below: "weights")
          == numbers(in: "\(folder)/streamed/checkpoints/last", below: "weights"))
      let audited = try Command.run(["audit", "burgers.h5"], in: folder)
      #expect(audited.status == 0, "\(audited.output)\(audited.messages)")
      #expect(try Command.run(["generate", "burgers.yaml", "output=without.h5"], in: folder).status == 0)
      let none = try Command.run(
        [
          "train", "train.yaml", "loss.tangent_weight=1", "data.train=without.h5", "data.test=without.h5",
          "output=x",
        ], in: folder)
      #expect(none.status == 64)
      #expect(none.messages.contains("'loss.tangent_weight' is given, but without.h5 has no derivatives"))
      // Derivatives change nothing about the solutions.
      let paths = ["burgers.h5", "without.h5"].map { "\(folder)/\($0)" }
      let values = try paths.map { try numbers(in: $0, below: "t0_fields/u")["t0_fields/u"] }
      #expect(values[0] == values[1] && values[0] != nil)
    }
  }

  @Test func unresolvedSamplesAreNamedAndBlowUpsWriteNothing() throws {
    try Samples.withFolder { folder in
      let rough = try Command.run(
        [
          "generate", "ns.yaml", "equation.viscosity=1e-6", "equation.times=[1]", "output=rough.h5", "--json",
        ],
        in: folder)
      #expect(rough.status == 0)
      #expect(rough.messages.contains("samples are not resolved on 16 x 16 points"), "\(rough.messages)")
      #expect((try json(rough)["notices"] as? [String])?.count == 1)

      // Steps of 5 on a flow that needs 0.1: the default scheme is given no chance either.
      for kind in ["etdrk4", "fno2020", "adams-bashforth-crank-nicolson"] {
        let blown = try Command.run(
          [
            "generate", "ns.yaml", "solver.kind=\(kind)", "solver.time_step=5", "prior.sigma=3000",
            "equation.viscosity=1e-6", "equation.times=[2000]", "output=\(kind).h5",
          ], in: folder)
        #expect(blown.status == 65)
        #expect(
          blown.messages.contains(/error: the solution of sample \d+ blew up at t = \d+/), "\(blown.messages)"
        )
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/\(kind).h5"))
      }
    }
  }

  @Test func surrogateAndSolverInvert() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "ns.yaml"], in: folder).status == 0)
      let outcome = try Command.run(["invert", "invert.yaml", "--json"], in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      #expect(try json(outcome)["observations"] as? Int == 9)
      // Nothing needs the mode, and eight draws have not converged: their statistics are marked.
      #expect(try json(outcome)["map"] == nil)
      #expect(try json(outcome)["overhead"] is Double)
      #expect(try json(outcome)["provisional"] as? [String] == ["misfit", "relativeL2", "coverage"])
      let page = try String(contentsOfFile: "\(folder)/inversion/report.html", encoding: .utf8)
      #expect(page.contains("95 % if Gaussian; the chains have not converged"))
      let draws = try numbers(in: "\(folder)/inversion/posterior.nc", below: "posterior/vorticity")
      #expect(draws["posterior/vorticity"]?.count == 2 * 8 * 16 * 16)
      let started = try Command.run(
        ["invert", "invert.yaml", "sampler.start=laplace", "output=started", "--json"], in: folder)
      #expect(started.status == 0, "\(started.messages)")
      #expect(try json(started)["map"] is [String: Any])
      #expect(try json(started)["reference"] as? String == "prior")

      let train = Samples.training.replacing("burgers.h5", with: "ns.h5").replacing(
        "train_samples: 8", with: "train_samples: 1"
      ).replacing("test_samples: 4", with: "test_samples: 1").replacing(
        "batch_size: 4", with: "batch_size: 1")
      try train.write(toFile: "\(folder)/train.yaml", atomically: false, encoding: .utf8)
      #expect(try Command.run(["train", "train.yaml"], in: folder).status == 0)
      let learned = try Command.run(["invert", "invert.yaml", "surrogate=run", "output=learned"], in: folder)
      #expect(learned.status == 0, "\(learned.messages)")
      let gradient = try Command.run(
        ["invert", "invert.yaml", "surrogate=run", "sampler.kind=mala", "output=gradient"], in: folder)
      #expect(gradient.status == 0, "\(gradient.messages)")
      let delayedAcceptance = [
        "sampler.kind=delayed-acceptance", "sampler.screening_steps=3", "sampler.surrogate_samples=30",
        "sampler.surrogate_burn_in=10",
      ]
      let corrected = try Command.run(
        ["invert", "invert.yaml", "surrogate=run", "output=corrected", "--json"] + delayedAcceptance,
        in: folder)
      #expect(corrected.status == 0, "\(corrected.messages)")
      #expect(try json(corrected)["screening_solves"] as? Int == 50 * 2 * 3)
      #expect(try json(corrected)["converged"] as? Bool == false)
      #expect((try json(corrected)["forward_solves"] as? Int ?? 1000) <= 50 * 2)
      let surrogate = try #require(try json(corrected)["surrogate_posterior"] as? [String: Any])
      #expect(surrogate["solves"] as? Int == 40 * 2 && surrogate["difference"] is [String: Any])
      #expect((try json(corrected)["map"] as? [String: Any])?["iterations"] is Int)
      // A surrogate trained for three epochs is worse than the solver with its loosest tolerance on any grid; which
      // grid is the cheapest is measured, and a busy machine may measure wrongly.
      let comparison = try #require(try json(corrected)["comparison"] as? [String: Any])
      let costs = try ["surrogate", "solver"].map { try #require(comparison[$0] as? [String: Any]) }
      let errors = try costs.map { try #require($0["error"] as? Double) }
      #expect(errors[0] > 0 && errors[1] <= errors[0])
      #expect([8, 12, 16].contains(try #require(costs[1]["grid"] as? Int)))
      #expect(costs[1]["tolerance"] as? Double == 0.01)
      #expect(comparison["solves"] as? Int == 50 * 2 * 3 && comparison["training_seconds"] is Double)
      #expect(learned.output.contains("The chains have not converged: means and deviations may be wrong."))
      #expect(learned.output.contains("break-even"))
      // The solver has a gradient too: mode, Laplace approximation and Langevin proposals by its adjoint.
      for sampler in [["sampler.kind=mala"], ["sampler.kind=pcn", "sampler.reference=laplace"]] {
        let followed = try Command.run(
          ["invert", "invert.yaml", "output=followed", "--overwrite", "--json"] + sampler, in: folder)
        #expect(followed.status == 0, "\(followed.messages)")
        let (summary, isMala) = (try json(followed), sampler.count == 1)
        #expect(summary["adjoint_solves"] as? Int == (isMala ? summary["forward_solves"] as? Int : 0))
        let mode = try #require(summary["map"] as? [String: Any])
        #expect(mode["converged"] as? Bool == true)
        // One per observation at the mode, which share one solve.
        let solves = try #require(mode["solves"] as? Int)
        #expect(mode["adjoint_solves"] as? Int == solves - 1 + 9)
      }
      // Equal steps by the noise.
      let accurate = try Command.run(
        ["invert", "invert.yaml", "solver.error=0.02", "output=accurate", "--json"], in: folder)
      #expect(accurate.status == 0, "\(accurate.messages)")
      let name = try #require(try json(accurate)["forward_map"] as? String)
      let step = try #require(name.split(separator: " ").last.flatMap { Double($0) }, "\(name)")
      // T = 0.5 over a power of two of at least sixteen steps.
      #expect([16.0, 32, 64, 128].contains(0.5 / step), "\(step)")
      // A coarse solver in the place of a surrogate, alone and as what screens.
      let coarse = try Command.run(
        ["invert", "invert.yaml", "solver={grid: 8, error: 0.1}", "output=coarse", "--json"], in: folder)
      #expect(coarse.status == 0, "\(coarse.messages)")
      #expect((try json(coarse)["forward_map"] as? String)?.hasSuffix("on 8 x 8 points") == true)
      let screened = try Command.run(
        ["invert", "invert.yaml", "solver={grid: 8, error: 0.1}", "output=screened", "--json"]
          + delayedAcceptance, in: folder)
      #expect(screened.status == 0, "\(screened.messages)")
      #expect((try json(screened)["screening"] as? String)?.hasSuffix("on 8 x 8 points") == true)
      #expect((try json(screened)["forward_map"] as? String)?.contains("points") == false)
      #expect(try json(screened)["screening_solves"] as? Int == 50 * 2 * 3)
      for (settings, message) in [
        ("surrogate=run solver.grid=8 sampler.kind=delayed-acceptance", "'solver.grid'"),
        ("solver.grid=16", "must be fewer than the 16 x 16 points"), ("solver.grid=7", "even"),
      ] {
        let refused = try Command.run(
          ["invert", "invert.yaml", "output=x"] + settings.split(separator: " ").map(String.init), in: folder)
        #expect(
          [64, 65].contains(refused.status) && refused.messages.contains(message), "\(refused.messages)")
      }
      let both = try Command.run(
        ["invert", "invert.yaml", "solver={error: 0.02, time_step: 0.1}", "output=x"], in: folder)
      #expect(both.status == 64 && both.messages.contains("'solver.error', which chooses it"))
      let impossible = try Command.run(
        ["invert", "invert.yaml", "sampler.kind=delayed-acceptance", "output=x"], in: folder)
      #expect(impossible.status == 64)
      #expect(impossible.messages.contains("'sampler.kind' is delayed-acceptance; with 'surrogate: solver'"))
      let evaluated = try Command.run(["evaluate", "learned"], in: folder)
      #expect(evaluated.status == 66)
      #expect(
        evaluated.messages == "error: learned: is the folder of an inversion, not of a trained surrogate\n")
    }
  }

  /// Observations in a table of the user's own: what is wrong with it is named before the first solve.
  @Test func observationsFromATable() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "ns.yaml"], in: folder).status == 0)
      func invert(_ table: String, _ more: String...) throws -> Command.Outcome {
        try table.write(toFile: "\(folder)/mine.csv", atomically: false, encoding: .utf8)
        return try Command.run(
          ["invert", "invert.yaml", "observations=mine.csv", "data=ns.h5", "output=mine", "--overwrite"]
            + more, in: folder)
      }
      let header = "# measured\nx, y, t, value, sigma\n"
      let sound = header + "0.1, 0.2, 0.5, 0.3, 0.1\n0.51, 0.9, 0.5, -0.2, 0.05\n"
      let outcome = try invert(sound, "truth={file: ns.h5, sample: 1}", "noise={inferred: true}", "--json")
      #expect(outcome.status == 0, "\(outcome.messages)")
      #expect(try json(outcome)["observations"] as? Int == 2 && json(outcome)["noise_factor"] is Double)
      #expect(try json(outcome)["relative_l2"] is Double)
      let file = try numbers(in: "\(folder)/mine/posterior.nc", below: "constant_data/")
      #expect(
        file["constant_data/noise_std"] == [0.1, 0.05] && file["constant_data/sensor_time"] == [0.5, 0.5])
      #expect(abs((file["constant_data/sensor_x"]?[1] ?? 0) - 0.51) < 1e-12)
      let alone = try invert(sound, "--json")
      #expect(try json(alone)["relative_l2"] == nil || json(alone)["relative_l2"] is NSNull)

      for (row, reason) in [
        ("1.2, 0.2, 0.5, 0.3, 0.1", "line 3: the point (1.2, 0.2) lies outside the domain of ns.h5"),
        ("0.1, 0.2, 0.7, 0.3, 0.1", "line 3: t = 0.7 is not recorded; the times of ns.h5 are 0.5"),
        ("0.1, 0.2, 0.5, nan, 0.1", "line 3: value is nan, which is not a finite number"),
        ("0.1, 0.2, 0.5, 0.3, 0", "line 3: sigma is 0; a standard deviation is positive"),
        ("0.1, 0.2, 0.5, 0.3, -1", "line 3: sigma is -1; a standard deviation is positive"),
        ("0.1, 0.2, 0.5, x, 0.1", "line 3: value is 'x', which is not a number"),
        ("0.1, 0.2, 0.5, 0.3", "line 3: it has 4 columns, the line of names has 5"),
      ] {
        let outcome = try invert(header + row + "\n")
        #expect(outcome.status == 65)
        #expect(outcome.messages == "error: mine.csv: \(reason)\n")
      }
      let column = try invert("x,y,t,sigma\n0,0,0.5,1\n")
      #expect(column.status == 65 && column.messages.contains("it has no column value"))
      let other = try invert(sound, "equation={viscosity: 1e-3}")
      #expect(other.status == 64)
      #expect(other.messages == "error: command line: 'equation.viscosity' is 0.001; ns.h5 is for 0.01\n")
      let unknown = try Command.run(["invert", "invert.yaml", "observations=mine.csv"], in: folder)
      #expect(unknown.status == 64 && unknown.messages.contains("'data' is missing"))
      let time = try Command.run(["invert", "invert.yaml", "observations.time=3"], in: folder)
      #expect(time.status == 64)
      #expect(time.messages == "error: command line: 'observations.time' is 3; the recorded times are 0.5\n")
    }
  }

  /// A surrogate for another problem, and a prior that it never saw.
  @Test func surrogatesForSomethingElse() throws {
    try Samples.withFolder { folder in
      for (file, more) in [
        ("ns.h5", []), ("other.h5", ["equation.viscosity=2e-2"]), ("later.h5", ["equation.times=[0.7]"]),
      ] {
        #expect(try Command.run(["generate", "ns.yaml", "output=\(file)"] + more, in: folder).status == 0)
      }
      let train = Samples.training.replacing("burgers.h5", with: "ns.h5").replacing(
        "train_samples: 8", with: "train_samples: 1"
      ).replacing("test_samples: 4", with: "test_samples: 1").replacing(
        "batch_size: 4", with: "batch_size: 1")
      try train.write(toFile: "\(folder)/train.yaml", atomically: false, encoding: .utf8)
      #expect(try Command.run(["train", "train.yaml"], in: folder).status == 0)
      func invert(_ arguments: String...) throws -> Command.Outcome {
        try Command.run(
          ["invert", "invert.yaml", "surrogate=run", "output=x", "--overwrite"] + arguments, in: folder)
      }
      let viscosity = try invert("observations.file=other.h5")
      #expect(viscosity.status == 64)
      #expect(
        viscosity.messages
          == "error: command line: 'surrogate' is run, which was trained for nu 0.01; other.h5 is for 0.02\n")
      let time = try invert("observations.file=later.h5")
      #expect(time.status == 64 && time.messages.contains("trained for t = 0.5; later.h5 is for t = 0.7"))
      let prior = try invert("prior={sigma: 500}", "observations.sample=1")
      #expect(prior.status == 0)
      #expect(prior.messages.contains("warning: the surrogate never saw inputs like the prior's"))
      let usual = try invert("observations.sample=1")
      #expect(usual.status == 0 && !usual.messages.contains("warning"))
      let seen = try invert("observations.sample=0")
      #expect(seen.messages.contains("warning: the surrogate was trained on sample 0"))
    }
  }

  @Test func moreModesThanTheGridHolds() throws {
    try Samples.withFolder { folder in
      try Command.run(["generate", "burgers.yaml"], in: folder)
      let before = try names(in: folder)
      let outcome = try Command.run(["train", "train.yaml", "model.modes=18"], in: folder)
      #expect(outcome.status == 64)
      #expect(
        outcome.messages
          == "error: command line: 'model.modes' is 18 along axis 0; the 32 points there hold between "
          + "1 and 17\n")
      #expect(try names(in: folder) == before)
      let frames = try Command.run(["train", "train.yaml", "data.target_frames=[2]"], in: folder)
      #expect(frames.status == 64)
      #expect(
        frames.messages
          == "error: command line: 'data.target_frames' asks for frame 2; burgers.h5 has 2: 0 to 1, or "
          + "-2 to -1 from the end\n")
      let split = try Command.run(["train", "train.yaml", "data.train_samples=9"], in: folder)
      #expect(split.status == 64)
      #expect(try names(in: folder) == before)
    }
  }

  @Test func filesThatAreNotWhatTheyMustBe() throws {
    try Samples.withFolder { folder in
      try Command.run(["generate", "burgers.yaml"], in: folder)
      let sound = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/burgers.h5"))
      func expect(_ file: String, _ status: Int32, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for arguments in [["inspect", file], ["train", "train.yaml", "data.train=\(file)"]] {
          let outcome = try Command.run(arguments, in: folder)
          #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
          #expect(outcome.messages.hasPrefix("error: \(file): "), sourceLocation: sourceLocation)
          #expect(outcome.messages.split(separator: "\n").count <= 2, sourceLocation: sourceLocation)
          #expect(!FileManager.default.fileExists(atPath: "\(folder)/run"), sourceLocation: sourceLocation)
        }
      }
      try expect("missing.h5", 66)
      try sound.prefix(sound.count / 2).write(to: URL(fileURLWithPath: "\(folder)/truncated.h5"))
      try expect("truncated.h5", 65)
      try Data("not HDF5 at all".utf8).write(to: URL(fileURLWithPath: "\(folder)/text.h5"))
      try expect("text.h5", 65)
      try HDF5File.write(to: "\(folder)/foreign.h5") { try $0.root.createDataset("data", [1.0, 2.0]) }
      try expect("foreign.h5", 65)
      let file = try HDF5File(opening: "\(folder)/burgers.h5", writable: true)
      let values = try file.root.dataset("t0_fields/u")
      try values.write([Float.nan], HDF5Slab(start: [0, 1, 3], count: [1, 1, 1]))
      try file.close()
      try expect("burgers.h5", 65)
    }
  }

  @Test func checkpointOfAnotherModel() throws {
    try Samples.withFolder { folder in
      try Command.run(["generate", "burgers.yaml"], in: folder)
      try Command.run(["train", "train.yaml", "output=a", "epochs=1"], in: folder)
      try Command.run(["train", "train.yaml", "output=b", "epochs=1", "model.width=4"], in: folder)
      try FileManager.default.removeItem(atPath: "\(folder)/a/checkpoints/last")
      try FileManager.default.copyItem(
        atPath: "\(folder)/b/checkpoints/last", toPath: "\(folder)/a/checkpoints/last")
      for arguments in [["evaluate", "a"], ["train", "a/config.yaml", "epochs=2", "--resume"]] {
        let outcome = try Command.run(arguments, in: folder)
        #expect(outcome.status == 65)
        #expect(outcome.messages.hasPrefix("error: a/checkpoints/last: is a checkpoint of another model"))
      }
      try Data("junk".utf8).write(to: URL(fileURLWithPath: "\(folder)/a/checkpoints/last"))
      let junk = try Command.run(["evaluate", "a"], in: folder)
      #expect(junk.status == 65)
      #expect(junk.messages.hasPrefix("error: a/checkpoints/last: "))
    }
  }

  @Test func existingOutputsAreKept() throws {
    try Samples.withFolder { folder in
      try Command.run(["generate", "burgers.yaml"], in: folder)
      let before = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/burgers.h5"))
      let again = try Command.run(["generate", "burgers.yaml", "seed=1"], in: folder)
      #expect(again.status == 73)
      #expect(
        again.messages
          == "error: burgers.h5: exists already; replace it with --overwrite, or name another output\n")
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/burgers.h5")) == before)
      try Command.run(["train", "train.yaml", "epochs=1"], in: folder)
      let run = try Command.run(["train", "train.yaml"], in: folder)
      #expect(run.status == 73)
      #expect(try Command.run(["train", "train.yaml", "epochs=1", "--overwrite"], in: folder).status == 0)
      #expect(try Command.run(["generate", "burgers.yaml", "seed=1", "--overwrite"], in: folder).status == 0)
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/burgers.h5")) != before)
    }
  }

  @Test func unwritableOutput() throws {
    try Samples.withFolder { folder in
      try Command.run(["generate", "burgers.yaml"], in: folder)
      let before = try names(in: folder)
      for arguments in [
        ["generate", "burgers.yaml", "output=train.yaml/x.h5"],
        ["train", "train.yaml", "output=train.yaml/run"],
        ["generate", "burgers.yaml", "output=/proc/x.h5"],
      ] {
        let outcome = try Command.run(arguments, in: folder)
        #expect(outcome.status == 73, "\(outcome.messages)")
        #expect(outcome.messages.hasPrefix("error: "))
        #expect(outcome.messages.contains("cannot be created") || outcome.messages.contains("cannot"))
      }
      #expect(try names(in: folder) == before)
    }
  }

  /// What a shell script says when it runs with the command as its `$0`.
  private func shell(_ script: String) throws -> (status: Int32, messages: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", script, Command.path]
    let messages = Pipe()
    process.standardError = messages
    try process.run()
    let text = String(decoding: messages.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }

  @Test func fullStandardOutputIsAnError() throws {
    let outcome = try shell("\"$0\" doctor > /dev/full")
    #expect(outcome.status == 74)
    #expect(outcome.messages == "error: standard output: cannot be written: No space left on device\n")
  }

  @Test func readerThatGoesAwayEndsTheCommandQuietly() throws {
    // The reader has gone before the command writes; it ends as by SIGPIPE, without a word.
    #expect(try shell("{ sleep 0.3; \"$0\" doctor; echo $? >&2; } | true").messages == "141\n")
  }
}
