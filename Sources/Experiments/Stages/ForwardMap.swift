import Datasets
import Foundation
import InverseProblems
import Solvers
import Tensors
import Training

/// What an inversion sees through: a dataset that states the problem, and the map to the observed times.
struct ForwardMap {
  /// The dataset that states equation, grid and recorded times.
  let file: any ReadableDataset
  /// Every how manieth point of the file is used.
  let stride: Int
  /// The points per axis.
  let grid: Shape
  /// The unknown field and the observed one: the same at different times, or two steady ones.
  let field: String
  let observedField: String
  /// Whether the axes are periodic.
  let isPeriodic: Bool
  /// From unknown fields `[sample, 1, ...grid]` to solutions `[sample, channel, ...grid]`.
  let map: any SolutionOperator
  /// What it is, in a few words.
  let name: String
  /// The channel of the map's output for every observed time.
  let channels: [Int]
  /// For delayed acceptance, the solver that decides where `map` screens; its channels are the observed times.
  let solver: (map: any SolutionOperator, name: String)?
  /// For a surrogate, what it was trained on.
  let training: TrainingCost?
  /// What the user should know of the surrogate before believing the result.
  let warnings: [String]

  /// Opens the dataset and the surrogate and checks that they belong together.
  ///
  /// - Parameter times: the observed times, increasing; nil for the last one recorded, or for steady fields.
  /// - Throws: `ConfigError`, `HDF5Error`, `DatasetError`, `TrainingError`, `SolverError`.
  init(_ config: InvertConfig, times: [Double]?) throws {
    let training = try Self.training(config)
    let isTable = try ObservationTable.isTable(config.observations.file)
    let path =
      config.data ?? (isTable ? training?.config.data.train : config.observations.file)
    guard let path else {
      throw config.mistake(
        "data",
        "is missing; with a table of observations and 'surrogate: solver' it names the dataset that "
          + "states equation, grid and recorded times")
    }
    file = try openDataset(path)
    let description = file.description
    let fields = try Self.fields(of: description, path: path)
    (field, observedField) = fields
    isPeriodic = description.axes.allSatisfy { $0.isPeriodic ?? true }
    let recorded = description.times ?? []
    let isSteady = fields.input != fields.output
    if isSteady, times != nil, !isTable {
      throw config.mistake(
        "observations.time", "is given, but the fields of \(path) do not vary in time")
    }
    let times = isSteady ? [0] : times ?? [recorded[recorded.count - 1]]
    try Self.checkStatedEquation(config, file)
    guard let training else {
      stride = 1
      grid = Shape(description.grid)
      let deciding = try Self.decidingSolver(config, file, grid: grid, times: times)
      if let coarse = config.solverGrid, config.sampler.kind == .delayedAcceptance {
        (map, name) = try Self.coarseSolver(config, file, points: coarse, seenFrom: grid, times: times)
        solver = deciding
      } else {
        (map, name) = deciding
        solver = nil
      }
      channels = Array(times.indices)
      (self.training, warnings) = (nil, [])
      try checkStatedGrid(config)
      return
    }
    try Self.checkTrainingEquation(config, training.config, file)
    let folder = training.folder
    stride = training.config.data.stride
    let mapping = try FieldMapping(training.config, description, path: path)
    grid = try mapping.grid(of: file, stride: stride)
    let surrogate = try training.config.surrogate(
      Checkpoint(contentsOf: training.checkpoint), mapping: mapping, grid: grid)
    let targets = mapping.targets.map { target -> Double? in
      target.field != fields.output ? nil : isSteady ? 0 : target.frame.map { recorded[$0] }
    }
    channels = try times.map { time in
      guard mapping.inputs.count == 1, mapping.inputs[0].field == fields.input,
        mapping.inputs[0].frame == (isSteady ? nil : 0),
        let channel = targets.firstIndex(where: { $0.map { Self.isSameTime($0, time) } ?? false })
      else {
        let wanted =
          isSteady
          ? "\(fields.input) to \(fields.output)"
          : "\(fields.input) at t = 0 to t = \(Text.number(time, digits: 6))"
        throw config.mistake(
          "surrogate",
          "is \(folder), which maps \(mapping.inputs.map(\.name).joined(separator: ", ")) to "
            + "\(mapping.targets.map(\.name).joined(separator: ", ")), not \(wanted)")
      }
      return channel
    }
    if let problem = surrogate.problem(grid: grid) {
      throw config.mistake("surrogate", "is \(folder), which does not fit \(path): \(problem)")
    }
    map = surrogate
    name = "surrogate \(folder)"
    solver =
      config.sampler.kind == .delayedAcceptance
      ? try Self.classicalSolver(config, file, grid: grid, times: times) : nil
    self.training = try Self.cost(of: training)
    warnings = try Self.doubts(training, grid: grid)
    try checkStatedGrid(config)
  }

  /// The field that is unknown and the one that is observed.
  private static func fields(
    of description: DatasetDescription, path: String
  ) throws -> (input: String, output: String) {
    let varying = description.states.filter(\.isTimeVarying)
    if varying.count == 1, let times = description.times, times.first == 0, times.count > 1,
      (1...2).contains(description.axes.count)
    {
      return (varying[0].name, varying[0].name)
    }
    if varying.isEmpty, description.fields.count == 2, description.axes.count == 2 {
      return (description.fields[0].name, description.fields[1].name)
    }
    throw ObservationError(
      path: path,
      reason: "an inversion needs one field in time with its frame at t = 0, or a steady coefficient and its "
        + "solution")
  }

  /// The classical solver with a viscosity of its own for every sample.
  ///
  /// - Throws: `ConfigError` if the equation has none.
  func viscosityFamily(_ config: InvertConfig, times: [Double]) throws -> any ParametricOperator {
    func family(of problem: some ViscousProblem) -> any ParametricOperator { ViscosityFamily(of: problem) }
    let solver = try Self.classicalSolver(config, file, grid: grid, times: times).0
    guard let problem = solver as? any ViscousProblem else {
      let equation = try Self.equation(of: file).map { type(of: $0).kind.rawValue } ?? file.path
      throw config.mistake("viscosity", "cannot be inferred: \(equation) has no viscosity")
    }
    return family(of: problem)
  }

  private func checkStatedGrid(_ config: InvertConfig) throws {
    guard let stated = config.equation.grid, grid.contains(where: { $0 != stated }) else { return }
    let points = grid.map(String.init).joined(separator: " x ")
    throw config.mistake(
      "equation.grid", "is \(stated); \(file.path) is used on \(points) points")
  }

  /// What a surrogate was made from, and what that took.
  struct TrainingCost {
    /// The dataset, of which the first samples were used.
    let file: String
    let samples: Int
    /// The time of training, and of the solves that made its samples, if the run and the dataset say so.
    let seconds: Double?
    let dataSeconds: Double?
  }

  private static func cost(of training: Training) throws -> TrainingCost {
    let (path, samples) = (training.config.data.train, training.config.data.trainSamples)
    let solves = FileSystem.exists(path) ? try openDataset(path).solveSeconds() : nil
    return TrainingCost(
      file: path, samples: samples, seconds: training.manifest?.wallSeconds,
      dataSeconds: solves.map { $0.prefix(samples).filter(\.isFinite).reduce(0, +) })
  }

  /// The classical solver on a grid, with steps (or a linear solver) as exact, nil for the default; nil if the dataset does not state its settings.
  func solver(grid: Int, times: [Double], tolerance: Double?) throws -> (any SolutionOperator)? {
    let timeStepping = TimeStepping(.etdrk4, tolerance: tolerance ?? TimeStepping.defaultTolerance)
    switch try Self.equation(of: file) {
    case let equation as DarcyConfiguration:
      return try equation.problem(grid: grid, tolerance: tolerance ?? equation.tolerance)
    case let equation as NavierStokesConfiguration:
      return try equation.problem(grid: grid, times: times, timeStepping: timeStepping)
    case let equation as any SemilinearConfiguration:
      return try equation.problem(grid: grid, times: times, timeStepping: timeStepping)
    default: return nil
    }
  }

  /// The classical solver whose posterior is sampled: on the dataset's grid, or on fewer points where such a one takes
  /// its place.
  static func decidingSolver(
    _ config: InvertConfig, _ file: any ReadableDataset, grid: Shape, times: [Double]
  ) throws -> (any SolutionOperator, String) {
    guard let coarse = config.solverGrid, config.sampler.kind != .delayedAcceptance else {
      return try classicalSolver(config, file, grid: grid, times: times)
    }
    return try coarseSolver(config, file, points: coarse, seenFrom: grid, times: times)
  }

  /// The classical solver on fewer points, as a map between fields on the dataset's grid.
  private static func coarseSolver(
    _ config: InvertConfig, _ file: any ReadableDataset, points: Int, seenFrom grid: Shape, times: [Double]
  ) throws -> (any SolutionOperator, String) {
    guard file.description.axes.allSatisfy({ $0.isPeriodic ?? true }) else {
      throw config.mistake("solver.grid", "is for periodic axes; those of \(file.path) have boundaries")
    }
    guard grid.allSatisfy({ points < $0 }) else {
      throw config.mistake(
        "solver.grid",
        "is \(points); it must be fewer than the \(grid.map(String.init).joined(separator: " x ")) points of \(file.path)"
      )
    }
    let coarse = Shape(repeating: points, count: grid.count)
    let (solver, name) = try classicalSolver(config, file, grid: coarse, times: times)
    func seen(_ solver: some SolutionOperator) -> any SolutionOperator {
      CoarsenedOperator(solver, on: coarse, seenFrom: grid)
    }
    func differentiable(_ solver: some DifferentiableOperator) -> any SolutionOperator {
      CoarsenedOperator(solver, on: coarse, seenFrom: grid)
    }
    let map = (solver as? any DifferentiableOperator).map { differentiable($0) } ?? seen(solver)
    return (map, "\(name), on \(coarse.map(String.init).joined(separator: " x ")) points")
  }

  /// What speaks against a surrogate: its training file has changed since, or had another grid.
  private static func doubts(_ training: Training, grid: Shape) throws -> [String] {
    let path = training.config.data.train
    guard FileSystem.exists(path) else { return [] }
    var warnings: [String] = []
    let other = try openDataset(path)
    let checksum = try other.contentChecksum().map(Text.hexadecimal)
    if let trained = training.manifest?.data[path], let checksum, trained != checksum {
      warnings.append(
        "\(path) is not what the surrogate \(training.folder) was trained on: it was changed since then")
    }
    let trainedGrid = Shape(other.description.grid.map { ($0 - 1) / training.config.data.stride + 1 })
    if trainedGrid != grid {
      let words = [trainedGrid, grid].map { $0.map(String.init).joined(separator: " x ") }
      warnings.append(
        "the surrogate \(training.folder) was trained on \(words[0]) points and is used on \(words[1]): "
          + "how good it is there, its evaluation does not say")
    }
    return warnings
  }

  /// Whether two times are the same up to rounding.
  static func isSameTime(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-9 * max(1, abs(b)) }

  /// Where a point of the domain is as fractions of the axes; nil outside of it.
  func fractions(_ position: [Double]) -> [Double]? {
    var result: [Double] = []
    for (axis, coordinate) in zip(file.description.axes, position) {
      // A file that does not say where its points are is taken to hold the unit square.
      let (start, length) = axis.extent
      let fraction = (coordinate - start) / length
      guard fraction >= 0, axis.isPeriodic == false ? fraction <= 1 : fraction < 1 else { return nil }
      result.append(fraction)
    }
    return result
  }

  /// The unknown field of a sample of the dataset, of the grid's shape.
  func input(of sample: Int, in other: (any ReadableDataset)? = nil) throws -> Tensor<Double> {
    try (other ?? file).readDouble(
      field: field, samples: sample..<sample + 1, frames: field == observedField ? [0] : nil, stride: stride
    ).reshaped(to: grid)
  }

  /// The observed field of a sample of the dataset.
  ///
  /// - Parameter frame: of a field that varies.
  func output(_ frame: Int?, of sample: Int, in other: any ReadableDataset) throws -> Tensor<Double> {
    try other.readDouble(
      field: observedField, samples: sample..<sample + 1, frames: frame.map { [$0] }, stride: stride
    ).reshaped(to: grid)
  }

  private struct Training {
    let folder: String
    let config: TrainConfig
    let checkpoint: String
    /// What its run recorded, if that can be read.
    let manifest: Manifest?
  }

  private static func training(_ config: InvertConfig) throws -> Training? {
    guard case .run(let folder) = config.surrogate else { return nil }
    let run = try RunFolder(opening: folder)
    let training = try run.trainConfig()
    return Training(
      folder: folder, config: training, checkpoint: training.finalCheckpoint(of: run),
      manifest: try? Manifest(contentsOf: run.manifestFile))
  }

  /// The settings of the equation that a dataset states.
  private static func equation(of file: any ReadableDataset) throws -> (any EquationConfiguration)? {
    guard let text = file.provenance?.config else { return nil }
    return try GenerateConfig(ConfigSection(parsing: text, path: "\(file.path) (its configuration)")).equation
  }

  /// Compares what the configuration states about the equation with what the dataset does.
  private static func checkStatedEquation(_ config: InvertConfig, _ file: any ReadableDataset) throws {
    let parameters = file.description.parameters
    if let viscosity = config.equation.viscosity,
      let actual = parameters.first(where: { $0.name == "nu" })?.value, !isSameTime(actual, viscosity)
    {
      throw config.mistake(
        "equation.viscosity",
        "is \(Text.number(viscosity, digits: 6)); \(file.path) is for \(Text.number(actual, digits: 6))")
    }
    if let kind = config.equation.kind, let actual = try equation(of: file).map({ type(of: $0).kind }),
      actual != kind
    {
      throw config.mistake(
        "equation.kind", "is \(kind.rawValue); \(file.path) is for \(actual.rawValue)")
    }
  }

  /// Compares the equation that a surrogate was trained on with that of the dataset, as far as both are stated.
  private static func checkTrainingEquation(
    _ config: InvertConfig, _ training: TrainConfig, _ file: any ReadableDataset
  ) throws {
    guard training.data.train != file.path, FileSystem.exists(training.data.train) else { return }
    let other = try openDataset(training.data.train).description
    let description = file.description
    guard case .run(let folder) = config.surrogate else { return }
    func mistake(_ what: String, _ theirs: String, _ ours: String) -> ConfigError {
      config.mistake(
        "surrogate", "is \(folder), which was trained for \(what) \(theirs); \(file.path) is for \(ours)")
    }
    if !other.equation.isEmpty, !description.equation.isEmpty, other.equation != description.equation {
      throw mistake("the equation", other.equation, description.equation)
    }
    for parameter in description.parameters {
      guard let theirs = other.parameters.first(where: { $0.name == parameter.name }) else { continue }
      if !isSameTime(theirs.value, parameter.value) {
        throw mistake(
          parameter.name, Text.number(theirs.value, digits: 6), Text.number(parameter.value, digits: 6))
      }
    }
    let times = (
      training.data.targetFrames ?? [-1],
      other.times.map { $0.map { Text.number($0, digits: 6) } },
      description.times.map { $0.map { Text.number($0, digits: 6) } }
    )
    if let theirs = times.1, let ours = times.2 {
      for frame in times.0 {
        let (a, b) = (frame < 0 ? frame + theirs.count : frame, frame < 0 ? frame + ours.count : frame)
        if theirs.indices.contains(a), ours.indices.contains(b), theirs[a] != ours[b] {
          throw mistake("t =", theirs[a], "t = \(ours[b])")
        }
      }
    }
  }

  /// The classical solver with the settings that the dataset states, on the given grid.
  static func classicalSolver(
    _ config: InvertConfig, _ file: any ReadableDataset, grid: Shape, times: [Double]
  ) throws -> (any SolutionOperator, String) {
    guard let stated = try equation(of: file) else {
      throw DatasetError.wrongLayout(
        path: file.path, reason: "it does not state its configuration, which the solver needs")
    }
    func timeStepping(_ inData: TimeStepping) -> TimeStepping {
      switch config.solverTimeStep {
      case .asInData: inData
      case .auto, .accurate: TimeStepping(inData.scheme, tolerance: inData.tolerance)
      case .fixed(let step): TimeStepping(inData.scheme, timeStep: step)
      }
    }
    switch stated {
    case let equation as NavierStokesConfiguration:
      let stepping = timeStepping(equation.timeStepping)
      let solver = try equation.problem(grid: grid[0], times: times, timeStepping: stepping)
      return (solver, "classical solver, \(stepping.summary)")
    case let equation as any SemilinearConfiguration:
      let stepping = timeStepping(equation.evolution.timeStepping)
      let solver = try equation.problem(grid: grid[0], times: times, timeStepping: stepping)
      return (solver, "classical solver, \(stepping.summary)")
    case let equation as DarcyConfiguration:
      return (try equation.problem(grid: grid[0]), "classical solver, \(equation.method)")
    default:
      throw config.mistake("surrogate", "is solver, which \(type(of: stated).kind.rawValue) does not have")
    }
  }
}

extension DatasetDescription.Axis {
  /// Where it begins, and its length: the period of a periodic axis.
  fileprivate var extent: (start: Double, length: Double) {
    guard let coordinates, let first = coordinates.first, let last = coordinates.last, count > 1 else {
      return (0, 1)
    }
    let points = Double(count)
    return (first, isPeriodic == false ? last - first : (last - first) * points / (points - 1))
  }
}

extension RunFolder {
  /// The configuration of a training run.
  ///
  /// - Throws: `InputError` if the folder holds an inversion, `ConfigError` if its configuration was damaged.
  func trainConfig() throws -> TrainConfig {
    let section = try ConfigSection(contentsOf: configurationFile)
    guard !section.contains("surrogate") else {
      throw InputError(path: path, reason: "is the folder of an inversion, not of a trained surrogate")
    }
    return try TrainConfig(section)
  }
}
