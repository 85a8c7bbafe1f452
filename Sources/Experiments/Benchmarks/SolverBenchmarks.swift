import Datasets
import Foundation
import Solvers
import Tensors

extension Benchmark {
  /// Classical solvers: single steps of the papers' scheme, and whole solves by default settings.
  static func solving(_ size: Size) -> [Benchmark] {
    let isSmall = size == .small
    return [
      vorticityStep("navier-stokes-step-64", grid: isSmall ? 16 : 64, batch: isSmall ? 2 : 20),
      vorticityStep("navier-stokes-step-256", grid: isSmall ? 32 : 256, batch: 1),
      vorticitySolve("navier-stokes-solve-256", grid: isSmall ? 32 : 256, time: isSmall ? 0.1 : 10),
      vorticitySolve("navier-stokes-solve-64", grid: isSmall ? 16 : 64, time: isSmall ? 0.1 : 2),
      vorticityGradient("navier-stokes-gradient-64", grid: isSmall ? 16 : 64, time: isSmall ? 0.1 : 2),
      vorticityGradient("navier-stokes-gradient-256", grid: isSmall ? 32 : 256, time: isSmall ? 0.1 : 10),
      darcySolve("darcy-solve-421", grid: isSmall ? 33 : 421),
      burgersSolve("burgers-solve-8192", grid: isSmall ? 256 : 8192, batch: 1),
      burgersSolve("burgers-solve-8192-batch", grid: isSmall ? 256 : 8192, batch: isSmall ? 2 : 16),
    ]
  }

  /// Datasets of many small solves, written to a file: with one thread, and with all.
  static func generating(_ size: Size) -> [Benchmark] {
    let isSmall = size == .small
    return [
      ("navier-stokes", isSmall ? 16 : 64, 400), ("darcy", isSmall ? 17 : 85, 400),
      ("burgers", isSmall ? 128 : 1024, 1000),
    ].flatMap { equation, grid, samples in
      [("one-thread", 1), ("all-threads", Parallelism.threadCount)].map { name, threads in
        generation(
          "generate-\(equation)-\(name)", equation, grid: grid, samples: isSmall ? 4 : samples,
          threads: threads)
      }
    }
  }

  /// A dataset by the equation's default settings, written to a file; times are of the whole dataset.
  static func generation(
    _ name: String, _ equation: String, grid: Int, samples: Int, threads: Int = Parallelism.threadCount
  ) -> Benchmark {
    Benchmark(
      name: name,
      summary: "\(samples) samples, \(grid) points along an axis, into a file, \(threads) threads",
      precision: .double
    ) { stopwatch in
      let all = Parallelism.threadCount
      Parallelism.threadCount = threads
      defer { Parallelism.threadCount = all }
      let folder = FileManager.default.temporaryDirectory.path + "/phalarope-bench-\(getpid())"
      try FileSystem.makeFolders(folder)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let parameters =
        switch equation {
        case "navier-stokes": ", viscosity: 1e-3, times: [1]"
        case "burgers": ", viscosity: 0.1, times: [1]"
        default: ""
        }
      let text = """
        equation: {kind: \(equation)\(parameters)}
        grid: \(grid)
        samples: \(samples)
        output: data.h5
        """
      let source = try GenerateConfig(ConfigSection(parsing: text, path: equation)).makeSource()
      let options = GenerationOptions(
        provenance: DatasetProvenance(config: "", solver: "", seed: 0, software: Version.line),
        existing: .replaced)
      try stopwatch.time {
        try generateDataset(
          from: source, samples: 0..<samples, to: folder + "/data.h5", options: options
        ) { _ in try Interruption.check() }
      }
    }
  }

  static func vorticityStep(_ name: String, grid: Int, batch: Int) -> Benchmark {
    let steps = 50
    return Benchmark(
      name: name, summary: "Euler / Crank-Nicolson step, \(grid) x \(grid), batch \(batch)",
      precision: .double, steps: steps
    ) { stopwatch in
      let flow = try NavierStokes(
        grid: grid, viscosity: 1e-3, times: [1e-4 * Double(steps)],
        timeStepping: .init(.eulerCrankNicolson, timeStep: 1e-4))
      let inputs = fields(PeriodicGaussianField.navierStokes(grid: grid), count: batch)
      try stopwatch.time { _ = try flow(inputs) }
    }
  }

  private static func vorticitySolve(_ name: String, grid: Int, time: Double) -> Benchmark {
    Benchmark(
      name: name, summary: "solve to t = \(Text.number(time)), default settings, \(grid) x \(grid)",
      precision: .double
    ) { stopwatch in
      let flow = try NavierStokes(grid: grid, viscosity: 1e-3, times: [time])
      let inputs = fields(PeriodicGaussianField.navierStokes(grid: grid), count: 1)
      try stopwatch.time { _ = try flow(inputs) }
    }
  }

  /// One solve with its discrete adjoint: to be compared with the solve alone.
  private static func vorticityGradient(_ name: String, grid: Int, time: Double) -> Benchmark {
    Benchmark(
      name: name,
      summary: "solve and adjoint to t = \(Text.number(time)), default settings, \(grid) x \(grid)",
      precision: .double
    ) { stopwatch in
      let flow = try NavierStokes(grid: grid, viscosity: 1e-3, times: [time])
      let inputs = fields(PeriodicGaussianField.navierStokes(grid: grid), count: 1)
      try stopwatch.time { _ = try flow.vectorJacobianProducts(inputs) { solutions, _ in solutions } }
    }
  }

  static func darcySolve(_ name: String, grid: Int) -> Benchmark {
    Benchmark(
      name: name, summary: "solve to a relative residual of 1e-8, \(grid) x \(grid)", precision: .double
    ) { stopwatch in
      let flow = try DarcyFlow(grid: grid, tolerance: 1e-8)
      var random = Philox(seed: 0, stream: .inputs, sample: 0)
      let permeability = ThresholdedField.darcy(grid: grid).sample(using: &random)
      try stopwatch.time { _ = try flow(permeability.reshaped(to: [1, 1, grid, grid])) }
    }
  }

  /// To a relative error of 1e-6 at t = 1: steps to this tolerance reach it, as a deep test of Burgers shows.
  private static func burgersSolve(_ name: String, grid: Int, batch: Int) -> Benchmark {
    Benchmark(
      name: name, summary: "solve to t = 1, relative error 1e-6, \(grid) points, batch \(batch)",
      precision: .double
    ) { stopwatch in
      let problem = try Burgers(grid: grid, timeStepping: .init(tolerance: 1e-6))
      let inputs = fields(PeriodicGaussianField.burgers(grid: grid), count: batch)
      try stopwatch.time { _ = try problem(inputs) }
    }
  }

  private static func fields(_ field: PeriodicGaussianField, count: Int) -> Tensor<Double> {
    let samples = (0..<count).map { sample in
      var random = Philox(seed: 0, stream: .inputs, sample: sample)
      return field.sample(using: &random)
    }
    return Tensor(shape: [count, 1] + field.grid, scalars: samples.flatMap(\.scalars))
  }
}
