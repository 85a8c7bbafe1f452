import Autodiff
import Experiments
import NeuralOperators
import Solvers
import Testing

/// The messages of the mistakes in a configuration, one per line.
private func mistakes(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch { return "\(error)" }
}

@Suite struct GenerateConfigTests {
  private let text = """
    equation:
      kind: burgers
      viscosity: 0.1
      times: [0.5, 1]
    grid: 64
    stored_grid: 32
    samples: 3
    output: data/x.h5
    """

  private func mistakesOf(_ overrides: String...) -> String {
    mistakes { _ = try GenerateConfig(ConfigSection(parsing: text, path: "x.yaml", overrides: overrides)) }
  }

  private func mistakesOf(text: String) -> String {
    mistakes { _ = try GenerateConfig(ConfigSection(parsing: text, path: "x.yaml")) }
  }

  @Test func defaults() throws {
    let config = try GenerateConfig(ConfigSection(parsing: text, path: "x.yaml"))
    let burgers = try #require(config.equation as? BurgersConfiguration)
    let prior = burgers.evolution.prior
    #expect((burgers.viscosity, burgers.evolution.times) == (0.1, [0.5, 1]))
    #expect(config.seed == 0)
    #expect((prior.sigma, prior.tau, prior.alpha) == (25, 5, 2))
    #expect(burgers.evolution.timeStepping == TimeStepping(.etdrk4))
  }

  @Test func finalTimeAndFrames() throws {
    let text = """
      equation: {kind: navier-stokes, viscosity: 1e-3, final_time: 2, frames: 4}
      grid: 64
      samples: 3
      output: x.h5
      """
    let config = try GenerateConfig(ConfigSection(parsing: text, path: "x.yaml"))
    let flow = try #require(config.equation as? NavierStokesConfiguration)
    #expect((flow.viscosity, flow.times) == (1e-3, [0.5, 1, 1.5, 2]))
    #expect(flow.forcing == .kolmogorovDiagonal)
    #expect(flow.prior.sigma == 686.0.squareRoot())
  }

  @Test func everyMistakeNamesKeyAndRange() {
    #expect(
      mistakesOf(text: text.replacing("viscosity: 0.1", with: "viscosity: -0.1"))
        == "x.yaml:3: 'equation.viscosity' is -0.1; it must be greater than 0")
    #expect(
      mistakesOf("grid=65") == "command line: 'grid' is 65; it must be even and at least 8")
    #expect(mistakesOf("samples=0") == "command line: 'samples' is 0; it must be at least 1")
    #expect(
      mistakesOf("stored_grid=24")
        == "command line: 'stored_grid' is 24; it must divide 'grid', which is 64: "
        + "a periodic grid is stored by striding")
    #expect(
      mistakesOf("precision=half")
        == "command line: 'precision' is half; it must be one of single, double")
    #expect(
      mistakesOf("equation.kind=burger")
        == "command line: 'equation.kind' is burger; it must be one of burgers, darcy, navier-stokes, "
        + "korteweg-de-vries, kuramoto-sivashinsky, allen-cahn, advection, heat "
        + "(did you mean 'burgers'?)")
    #expect(
      mistakesOf("equation.times=[1, 0.5]")
        == "command line: 'equation.times' is [1, 0.5]; the times must increase")
    #expect(
      mistakesOf("equation.final_time=3")
        == "command line: 'equation.final_time' cannot be given together with 'times'")
    #expect(
      mistakesOf("solver.time_step=0")
        == "command line: 'solver.time_step' is 0; it must be greater than 0, or auto")
    #expect(
      mistakesOf("prior.alpha=0.5")
        == "command line: 'prior.alpha' is 0.5; it must be greater than 0.5")
    #expect(mistakesOf("deflate=10") == "command line: 'deflate' is 10; it must be between 0 and 9")
  }

  @Test func misspeltKindStopsWithTheSuggestion() {
    #expect(
      mistakesOf(text: text.replacing("kind: burgers", with: "knd: burgers"))
        == "x.yaml:2: unknown key 'equation.knd' (did you mean 'equation.kind'?)")
  }

  @Test func boundedGridsKeepBothBoundaries() {
    let text = "equation: {kind: darcy}\ngrid: 85\nstored_grid: 40\nsamples: 1\noutput: x.h5\n"
    #expect(
      mistakesOf(text: text)
        == "x.yaml:3: 'stored_grid' is 40; 'stored_grid' - 1 must divide 'grid' - 1, which is 84: "
        + "striding keeps both boundaries")
  }
}

@Suite struct TrainConfigTests {
  private let text = """
    model:
      kind: fno
      width: 8
      modes: 4
    data:
      train: a.h5
      train_samples: 10
      test_samples: 2
    epochs: 3
    batch_size: 5
    optimizer:
      learning_rate: 1e-3
    output: runs/x
    """

  private func mistakesOf(_ overrides: String...) -> String {
    mistakes { _ = try TrainConfig(ConfigSection(parsing: text, path: "x.yaml", overrides: overrides)) }
  }

  @Test func defaults() throws {
    let config = try TrainConfig(ConfigSection(parsing: text, path: "x.yaml"))
    #expect(config.data.test == "a.h5")
    #expect(config.model.modes == [4])
    #expect(config.schedule == .constant)
    #expect(config.checkpointEvery == 1)
  }

  /// A quarter of the memory is the samples', unless told otherwise.
  @Test func manySamplesStayInTheirFile() throws {
    #expect(try TrainConfig(ConfigSection(parsing: text, path: "x.yaml")).data.memory == .auto)
    let memory = 16 << 30
    #expect(!TrainConfig.Memory.auto.isStreamed(bytes: 4 << 30, memory: memory))
    #expect(TrainConfig.Memory.auto.isStreamed(bytes: (4 << 30) + 1, memory: memory))
    #expect(!TrainConfig.Memory.inMemory.isStreamed(bytes: 1 << 40, memory: memory))
    #expect(TrainConfig.Memory.streamed.isStreamed(bytes: 1, memory: memory))
  }

  @Test func everyWayToTrain() throws {
    let config = try TrainConfig(
      ConfigSection(
        parsing: text, path: "x.yaml",
        overrides: [
          "optimizer.kind=adamw", "schedule.kind=plateau", "schedule.patience=4", "gradient_clipping=2",
          "micro_batch_size=2", "averaging_decay=0.99", "early_stopping=20", "data.validation_samples=3",
        ]))
    #expect(config.optimizer.kind == .adamw && config.gradientClipping == 2 && config.microBatchSize == 2)
    #expect(config.schedule == .plateau(factor: 0.5, patience: 4, minimumFactor: 0))
    #expect(config.averagingDecay == 0.99 && config.earlyStopping == 20)
    #expect(config.data.validationSamples == 3)
    let again = try TrainConfig(ConfigSection(parsing: config.resolvedYAML, path: "resolved"))
    #expect(again.resolvedYAML == config.resolvedYAML && again.schedule == config.schedule)
    let cycle = try TrainConfig(
      ConfigSection(parsing: text, path: "x.yaml", overrides: ["schedule.kind=one-cycle"]))
    #expect(cycle.schedule == .oneCycle(rise: 0.3, initialFactor: 0.04, finalFactor: 4e-6))
    #expect(
      mistakesOf("early_stopping=5")
        == "command line: 'early_stopping' is 5; it needs 'data.validation_samples', by whose error it decides"
    )
    #expect(
      mistakesOf("schedule.kind=plateau")
        == "command line: 'schedule.kind' is plateau; it needs 'data.validation_samples', by whose error it "
        + "decides")
    #expect(
      mistakesOf("micro_batch_size=6")
        == "command line: 'micro_batch_size' is 6; it must be at most 'batch_size', which is 5")
    #expect(
      mistakesOf("averaging_decay=1")
        == "command line: 'averaging_decay' is 1; it must be greater than 0 and less than 1")
  }

  @Test func anXDModelHasTwoOptimizers() throws {
    let config = try TrainConfig(
      ConfigSection(
        parsing: text, path: "x.yaml",
        overrides: [
          "model.kind=xd", "model.depth.l=3", "model.circular_padding=exact",
          "model.convolutions=[layers.1.convolution]", "architecture_optimizer.kind=sgd",
          "architecture_optimizer.learning_rate=0.1", "architecture_optimizer.momentum=0.5",
          "architecture_optimizer.warm_up_epochs=2",
        ]))
    #expect(config.model.conversion == XDConfiguration(depth: .init(l: 3), circularPadding: .exact))
    #expect(config.model.convolutions == ["layers.1.convolution"])
    let architecture = try #require(config.architectureOptimizer)
    #expect(architecture.kind == .sgd && architecture.momentum == 0.5 && architecture.warmUpEpochs == 2)
    #expect(config.optimizer.kind == .adam && config.optimizer.warmUpEpochs == 0)
    let again = try TrainConfig(ConfigSection(parsing: config.resolvedYAML, path: "resolved"))
    #expect(again.model == config.model && again.architectureOptimizer == config.architectureOptimizer)
  }

  @Test func keysThatAKindOfTheCommandLineLeavesBehind() throws {
    let stepped = text + "\nschedule:\n  kind: step\n  epochs: 5"
    func config(_ override: String) throws -> TrainConfig {
      try TrainConfig(ConfigSection(parsing: stepped, path: "x.yaml", overrides: [override]))
    }
    let line = stepped.split(separator: "\n", omittingEmptySubsequences: false).count
    #expect(
      mistakes { _ = try config("schedule.kind=one-cycle") }
        == "x.yaml:\(line): unknown key 'schedule.epochs' (not one of one-cycle; to replace the whole section write "
        + "'schedule={kind: one-cycle, ...}')")
    let replaced = try config("schedule={kind: cosine, final_factor: 0.1}")
    #expect(replaced.schedule == .cosine(warmUpEpochs: 0, finalFactor: 0.1))
  }

  @Test func everyMistakeNamesKeyAndRange() {
    #expect(
      mistakesOf("model.wdth=3") == "command line: unknown key 'model.wdth' (did you mean 'model.width'?)")
    #expect(
      mistakesOf("model.kind=xdd")
        == "command line: 'model.kind' is xdd; it must be one of fno, cnn, resnet, unet, xd (did you mean 'xd'?)"
    )
    #expect(
      mistakesOf("model.kind=xd")
        == "x.yaml:1: 'architecture_optimizer.learning_rate' is missing; it must be a number")
    #expect(
      mistakesOf("model.kind=cnn", "model.modes=5")
        == "command line: 'model.modes' is 5; it must be integers, each an even number, for kernels of one "
        + "tap more")
    #expect(
      mistakesOf("model.kind=cnn", "model.padding=1").hasPrefix("command line: unknown key 'model.padding'"))
    #expect(
      mistakesOf("model.padding_mode=zeros").hasPrefix("command line: unknown key 'model.padding_mode'"))
    #expect(mistakesOf("architecture_optimizer.learning_rate=1").contains("unknown key"))
    #expect(mistakesOf("optimizer.momentum=0.5").contains("unknown key"))
    #expect(
      mistakesOf("model.kind=xd", "architecture_optimizer.learning_rate=1", "model.convolutions=[1, 2]")
        == "command line: 'model.convolutions' is [1, 2]; it must be a list of texts, or all")
    #expect(
      mistakesOf("model.modes=[4, 0]")
        == "command line: 'model.modes' is [4, 0]; it must be integers, each at least 1")
    #expect(
      mistakesOf("batch_size=11")
        == "command line: 'batch_size' is 11; it must be at most 'data.train_samples', which is 10")
    #expect(
      mistakesOf("optimizer.learning_rate=0")
        == "command line: 'optimizer.learning_rate' is 0; it must be greater than 0")
    #expect(
      mistakesOf("schedule.kind=step")
        == "command line: 'schedule.epochs' is missing; it must be an integer")
    #expect(mistakesOf("epochs=0") == "command line: 'epochs' is 0; it must be at least 1")
  }
}

@Suite struct InvertConfigTests {
  private let text = """
    surrogate: solver
    observations:
      file: a.h5
    noise: 0.1
    sampler:
      kind: pcn
      samples: 10
    output: runs/x
    """

  private func mistakesOf(_ overrides: String...) -> String {
    mistakes { _ = try InvertConfig(ConfigSection(parsing: text, path: "x.yaml", overrides: overrides)) }
  }

  @Test func defaults() throws {
    let config = try InvertConfig(ConfigSection(parsing: text, path: "x.yaml"))
    #expect(config.surrogate == .solver)
    #expect(config.observations.sensors == .grid([7, 7]))
    #expect(config.sampler.chains == 1)
    let points = try InvertConfig(
      ConfigSection(
        parsing: text, path: "x.yaml",
        overrides: ["surrogate=runs/y", "observations.sensors=[[0.5, 0.25]]"]))
    #expect(points.surrogate == .run("runs/y"))
    #expect(points.observations.sensors == .points([[0.5, 0.25]]))
  }

  @Test func observationsAndNoiseByThemselvesOrWithSettings() throws {
    let short = text.replacingOccurrences(of: "observations:\n  file: a.h5", with: "observations: mine.csv")
      .replacingOccurrences(of: "noise: 0.1\n", with: "")
    let table = try InvertConfig(ConfigSection(parsing: short, path: "x.yaml"))
    #expect(table.observations.isTable && table.noise.deviation == nil)
    let inferred = try InvertConfig(
      ConfigSection(
        parsing: text, path: "x.yaml",
        overrides: [
          "noise={std: 0.2, correlation_length: 0.1, inferred: true, prior_shape: 3}",
          "observations.times=[1, 2]", "observations.interpolation=bilinear",
        ]))
    #expect(inferred.noise.deviation == 0.2 && inferred.noise.correlationLength == 0.1)
    #expect(inferred.noise.prior?.shape == 3 && inferred.noise.prior?.scale == 1)
    #expect(inferred.observations.times == [1, 2] && inferred.observations.interpolation == .bilinear)
  }

  @Test func everyMistakeNamesKeyAndRange() {
    #expect(mistakesOf("noise=0") == "command line: 'noise' is 0; it must be greater than 0")
    #expect(mistakesOf("noise=-1") == "command line: 'noise' is -1; it must be greater than 0")
    #expect(
      mistakesOf("sampler.kind=delayed-acceptance")
        == "command line: 'sampler.kind' is delayed-acceptance; with 'surrogate: solver' it must be pcn or "
        + "mala, unless 'solver.grid' makes it a coarse one that can screen")
    #expect(mistakesOf("sampler.kind=mala") == "")
    #expect(mistakesOf("sampler.reference=laplace") == "")
    #expect(
      mistakesOf("sampler.kind=nuts")
        == "command line: 'sampler.kind' is nuts; it must be one of pcn, mala, delayed-acceptance")
    #expect(
      mistakesOf("sampler.step_size=1.5")
        == "command line: 'sampler.step_size' is 1.5; it must be greater than 0 and at most 1")
    #expect(
      mistakesOf("sampler.chains=0") == "command line: 'sampler.chains' is 0; it must be between 1 and 1024")
    #expect(
      mistakesOf("observations.sensors=[[0.5, 0.5, 0.5]]")
        == "command line: 'observations.sensors' is [[0.5, 0.5, 0.5]]; it must be a list of points, "
        + "each a list of 1 or 2 numbers")
    #expect(
      mistakesOf("observations.sensors=[[0.5, 1]]")
        == "command line: 'observations.sensors' is [[0.5, 1]]; it must be points with coordinates "
        + "at least 0 and below 1")
  }
}
