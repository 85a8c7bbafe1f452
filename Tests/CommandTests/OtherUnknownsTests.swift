import Foundation
import HDF5
import Testing

/// Inversions for what is no initial vorticity, by the same interface.
@Suite struct OtherUnknownsTests {
  private func json(_ outcome: Command.Outcome) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  private func write(_ text: String, _ name: String, in folder: String) throws {
    try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
  }

  private let inversion = """
    surrogate: solver
    observations: {file: FILE}
    noise: 0.01
    prior: PRIOR
    sampler: {kind: pcn, samples: 400, burn_in: 300, chains: 2, thin: 10}
    output: inversion
    """

  @Test func initialStateOfBurgers() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "burgers.yaml", "equation.times=[0.2]"], in: folder).status == 0)
      try write(
        inversion.replacing("FILE", with: "burgers.h5, sensor_grid: 7").replacing(
          "PRIOR", with: "{sigma: 25, tau: 5, alpha: 2}"), "burgers-inversion.yaml", in: folder)
      let outcome = try Command.run(["invert", "burgers-inversion.yaml", "--json"], in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      #expect(try json(outcome)["observations"] as? Int == 7)
      // Seven values with noise of a fiftieth of the field's size say more than nothing.
      #expect(try #require(try json(outcome)["relative_l2"] as? Double) < 0.9)
      let draws = try numbers(in: "\(folder)/inversion/posterior.nc", below: "posterior/u")
      #expect(draws["posterior/u"]?.count == 2 * 40 * 32)
      #expect(try names(in: "\(folder)/inversion/figures").contains("standardized-error.svg"))
      // A table without y, by a surrogate.
      #expect(try Command.run(["train", "train.yaml"], in: folder).status == 0)
      try write("x, t, value\n1, 0.2, 0.3\n4.5, 0.2, -0.1\n", "line.csv", in: folder)
      let learned = try Command.run(
        [
          "invert", "burgers-inversion.yaml", "surrogate=run", "observations=line.csv", "sampler.kind=mala",
          "sampler.samples=50", "sampler.thin=5", "output=learned", "--json",
        ], in: folder)
      #expect(learned.status == 0, "\(learned.messages)")
      #expect(try json(learned)["comparison"] is [String: Any])
      let plane = try Command.run(
        ["invert", "burgers-inversion.yaml", "observations.sensor_grid=[3, 3]", "output=x"], in: folder)
      #expect(plane.status == 64)
      #expect(plane.messages.contains("'observations.sensor_grid' is [3, 3]; burgers.h5 has 1 axes"))
      try write("x, y, t, value\n1, 1, 0.2, 0.3\n", "plane.csv", in: folder)
      let table = try Command.run(
        ["invert", "burgers-inversion.yaml", "observations=plane.csv", "data=burgers.h5", "output=x"],
        in: folder)
      #expect(table.status == 65)
      #expect(
        table.messages == "error: plane.csv: it has a column y; the fields of burgers.h5 have 1 axes\n")
    }
  }

  @Test func memoryDoesNotGrowWithTheNumberOfDraws() throws {
    try Samples.withFolder { folder in
      // Large fields that are solved in one cheap step.
      let data = ["equation.times=[0.001]", "grid=1024", "stored_grid=1024", "samples=1"]
      #expect(try Command.run(["generate", "burgers.yaml"] + data, in: folder).status == 0)
      try write(
        inversion.replacing("FILE", with: "burgers.h5, sensor_grid: 7").replacing(
          "PRIOR", with: "{sigma: 25, tau: 5, alpha: 2}"), "long.yaml", in: folder)
      let peaks = try [500, 8000].map { draws in
        try Command.peakMemory(
          [
            "invert", "long.yaml", "solver.time_step=0.001", "sampler.thin=1", "sampler.samples=\(draws)",
            "output=x", "--overwrite",
          ], in: folder)
      }
      // The stored draws take 63 MB more, in a file. What may grow is a few arrays of one quantity, up to 100,000 draws.
      #expect(peaks[1] - peaks[0] < 16 << 20, "\(peaks)")
    }
  }

  @Test func permeabilityOfDarcyFlow() throws {
    try Samples.withFolder { folder in
      try write(
        "equation: {kind: darcy}\ngrid: 17\nsamples: 2\noutput: darcy.h5\n", "darcy.yaml", in: folder)
      #expect(try Command.run(["generate", "darcy.yaml"], in: folder).status == 0)
      let text = inversion.replacing("FILE", with: "darcy.h5, sample: 1, sensor_grid: [4, 4]").replacing(
        "noise: 0.01", with: "noise: 1e-3")
      try write(
        text.replacing("PRIOR", with: "{kind: level-set, below: 3, above: 12}"), "levels.yaml", in: folder)
      let levels = try Command.run(["invert", "levels.yaml", "--json"], in: folder)
      #expect(levels.status == 0, "\(levels.messages)")
      #expect(try #require(try json(levels)["relative_l2"] as? Double) < 0.5)
      let path = "\(folder)/inversion/posterior.nc"
      let draws = try #require(
        try numbers(in: path, below: "posterior/permeability")["posterior/permeability"])
      #expect(draws.count == 2 * 40 * 17 * 17 && Set(draws) == [3, 12])
      let prior = try numbers(in: path, below: "prior/")
      #expect(prior["prior/permeability_mean"]?.first == 7.5)
      #expect(prior["prior/permeability_std"]?.first == 4.5)
      try write(
        text.replacing("PRIOR", with: "{kind: log-normal, median: 6, sigma: 8}"), "normal.yaml", in: folder)
      let normal = try Command.run(["invert", "normal.yaml", "output=normal", "--json"], in: folder)
      #expect(normal.status == 0, "\(normal.messages)")
      let positive = try numbers(in: "\(folder)/normal/posterior.nc", below: "posterior/permeability")
      #expect(positive["posterior/permeability"]?.allSatisfy { $0 > 0 } == true)
      #expect(try json(normal)["map"] is NSNull || json(normal)["map"] == nil)
      let reason = try #require(try json(normal)["no_comparison"] as? String)
      #expect(reason == "the forward map is the classical solver itself")
      let gradient = try Command.run(["invert", "levels.yaml", "sampler.kind=mala", "output=x"], in: folder)
      #expect(gradient.status == 64)
      #expect(
        gradient.messages.contains("'sampler.kind' is mala, which needs a derivative: a level set has none"),
        "\(gradient.messages)")
      // A log-normal permeability has one: mode, Laplace approximation and Langevin proposals.
      let followed = try Command.run(
        ["invert", "normal.yaml", "sampler.kind=mala", "output=followed", "--json"], in: folder)
      #expect(followed.status == 0, "\(followed.messages)")
      let mode = try #require(try json(followed)["map"] as? [String: Any])
      #expect(mode["converged"] as? Bool == true)
      // At the mode the misfit of 16 values is below what it is on average at the truth, 8.
      #expect(try #require(mode["misfit"] as? Double) < 8)
      let time = try Command.run(
        ["invert", "levels.yaml", "observations.time=1", "output=x"], in: folder)
      #expect(time.status == 64)
      #expect(time.messages.contains("'observations.time' is given, but the fields of darcy.h5 do not vary"))
      let spectral = try Command.run(
        ["invert", "levels.yaml", "observations.interpolation=spectral", "output=x"], in: folder)
      #expect(spectral.status == 64 && spectral.messages.contains("are not periodic"))
    }
  }

  @Test func darcyByASurrogateIsComparedWithTheSolver() throws {
    try Samples.withFolder { folder in
      try write(
        "equation: {kind: darcy}\ngrid: 17\nsamples: 4\noutput: darcy.h5\n", "darcy.yaml", in: folder)
      #expect(try Command.run(["generate", "darcy.yaml"], in: folder).status == 0)
      let train = Samples.training.replacing("burgers.h5", with: "darcy.h5").replacing(
        "train_samples: 8", with: "train_samples: 2"
      ).replacing("test_samples: 4", with: "test_samples: 1").replacing(
        "batch_size: 4", with: "batch_size: 1")
      try write(train, "train.yaml", in: folder)
      let trained = try Command.run(["train", "train.yaml"], in: folder)
      #expect(trained.status == 0, "\(trained.messages)")
      let text = inversion.replacing("FILE", with: "darcy.h5, sample: 3, sensor_grid: [4, 4]").replacing(
        "PRIOR", with: "{kind: level-set, below: 3, above: 12}")
      try write(text, "levels.yaml", in: folder)
      let outcome = try Command.run(["invert", "levels.yaml", "surrogate=run", "--json"], in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      let comparison = try #require(try json(outcome)["comparison"] as? [String: Any])
      let costs = try ["surrogate", "solver"].map { try #require(comparison[$0] as? [String: Any]) }
      let errors = try costs.map { try #require($0["error"] as? Double) }
      // A surrogate of three epochs is worse than the solver on a coarser grid.
      #expect(errors[0] > 0 && errors[1] <= errors[0])
      #expect([9, 13, 17].contains(costs[1]["grid"] as? Int))
    }
  }

  @Test func viscosityBesideTheField() throws {
    try Samples.withFolder { folder in
      #expect(try Command.run(["generate", "ns.yaml"], in: folder).status == 0)
      let outcome = try Command.run(
        ["invert", "invert.yaml", "viscosity={median: 2e-2, log_std: 0.7}", "--json"], in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      let moments = try #require(try json(outcome)["viscosity"] as? [String: Double])
      #expect(try #require(moments["mean"]) > 0 && #require(moments["standard_deviation"]) > 0)
      let draws = try numbers(in: "\(folder)/inversion/posterior.nc", below: "posterior/viscosity")
      #expect(draws["posterior/viscosity"]?.count == 2 * 8)
      let diagnostics = try #require(try json(outcome)["diagnostics"] as? [String: Any])
      #expect(diagnostics.keys.contains("log_viscosity"))
      for sampler in [["sampler.kind=mala"], ["sampler.reference=laplace"]] {
        let followed = try Command.run(
          ["invert", "invert.yaml", "viscosity={median: 2e-2, log_std: 0.7}", "output=followed", "--json"]
            + sampler + ["--overwrite"], in: folder)
        #expect(followed.status == 0, "\(followed.messages)")
        guard sampler == ["sampler.reference=laplace"] else { continue }
        let mode = try #require(try json(followed)["map"] as? [String: Any])
        #expect(try #require(mode["viscosity"] as? Double) > 0)
      }
      try write(
        "equation: {kind: darcy}\ngrid: 17\nsamples: 1\noutput: darcy.h5\n", "darcy.yaml", in: folder)
      #expect(try Command.run(["generate", "darcy.yaml"], in: folder).status == 0)
      let none = try Command.run(
        [
          "invert", "invert.yaml", "observations.file=darcy.h5", "prior={kind: level-set}",
          "viscosity={median: 1}", "output=x",
        ], in: folder)
      #expect(none.status == 64 && none.messages.contains("'viscosity' cannot be inferred: darcy has no"))
      let surrogate = try Command.run(
        ["invert", "invert.yaml", "surrogate=run", "viscosity={median: 1}", "output=x"], in: folder)
      #expect(surrogate.status == 64 && surrogate.messages.contains("a surrogate is for one viscosity"))
    }
  }
}
