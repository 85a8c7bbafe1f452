import Datasets
import Foundation
import Solvers
import Tensors
import Training

/// What an inversion sees through: the data file's samples on some grid, and the map to the observed time.
struct ForwardMap {
  let file: any ReadableDataset
  /// Every how manieth point of the file is used.
  let stride: Int
  /// The points per axis.
  let grid: [Int]
  /// The frame of the file that is observed.
  let frame: Int
  /// From initial vorticities `[sample, 1, x, y]` to a field whose last channel is the observed frame.
  let map: any SolutionOperator
  /// What it is, in a few words.
  let name: String
  /// For delayed acceptance, the solver that decides where `map` screens.
  let solver: (map: any SolutionOperator, name: String)?
  /// Whether the observed sample is among those that the surrogate was trained on.
  let isTrainedOnTheSample: Bool

  /// The name of the field that is inverted for.
  static let field = "vorticity"

  /// Opens data and surrogate and checks that they belong together.
  ///
  /// - Throws: `ConfigError`, `HDF5Error`, `DatasetError`, `TrainingError`, `SolverError`.
  init(_ config: InvertConfig) throws {
    let path = config.observations.file
    file = try openDataset(path)
    let description = file.description
    guard description.axes.count == 2, let times = description.times, times.first == 0,
      description.fields.contains(where: { $0.name == Self.field && $0.isTimeVarying })
    else {
      throw DatasetError.wrongLayout(
        path: path, reason: "an inversion needs a two-dimensional \(Self.field) with its frame at t = 0")
    }
    guard config.observations.sample < file.sampleCount else {
      throw config.mistake(
        "observations.sample",
        "is \(config.observations.sample); \(path) has samples 0 to \(file.sampleCount - 1)")
    }
    frame = try Self.observedFrame(config, times)
    let time = times[frame]
    switch config.surrogate {
    case .solver:
      stride = 1
      grid = description.grid
      (map, name) = try Self.classicalSolver(config, file, grid: grid, time: time)
      solver = nil
      isTrainedOnTheSample = false
    case .run(let folder):
      let run = try RunFolder(opening: folder)
      let training = try run.trainConfig()
      stride = training.data.stride
      let mapping = try FieldMapping(training, description, path: path)
      grid = try mapping.grid(of: file, stride: stride)
      let surrogate = try training.surrogate(
        Checkpoint(contentsOf: run.lastCheckpoint), mapping: mapping, grid: grid)
      guard mapping.inputs.map(\.frame) == [0], mapping.targets.last?.frame == frame else {
        let target = mapping.targets.last?.name ?? "nothing"
        throw config.mistake(
          "surrogate",
          "is \(folder), which maps \(mapping.inputs.map(\.name).joined(separator: ", ")) to \(target), "
            + "not \(Self.field) at t = 0 to t = \(Text.number(time, digits: 6))")
      }
      if let problem = surrogate.problem(grid: grid) {
        throw config.mistake("surrogate", "is \(folder), which does not fit \(path): \(problem)")
      }
      map = surrogate
      name = "surrogate \(folder)"
      solver =
        config.sampler.kind == .delayedAcceptance
        ? try Self.classicalSolver(config, file, grid: grid, time: time) : nil
      // Training samples are the first ones of their file.
      isTrainedOnTheSample =
        training.data.train == path && config.observations.sample < training.data.trainSamples
    }
  }

  /// The frame at the observed time; the last one if none is given.
  private static func observedFrame(_ config: InvertConfig, _ times: [Double]) throws -> Int {
    guard let time = config.observations.time else { return times.count - 1 }
    guard let frame = times.firstIndex(where: { abs($0 - time) <= 1e-9 * max(1, abs(time)) })
    else {
      let recorded = times.dropFirst().map { Text.number($0, digits: 6) }.joined(separator: ", ")
      throw config.mistake("observations.time", "is \(time); the recorded times are \(recorded)")
    }
    return frame
  }

  /// The classical solver with the settings that the dataset states, on the given grid.
  private static func classicalSolver(
    _ config: InvertConfig, _ file: any ReadableDataset, grid: [Int], time: Double
  ) throws -> (any SolutionOperator, String) {
    guard let text = file.provenance?.config else {
      throw DatasetError.wrongLayout(
        path: file.path, reason: "it does not state its configuration, which the solver needs")
    }
    let generation = try GenerateConfig(
      ConfigSection(parsing: text, path: "\(file.path) (its configuration)"))
    guard let equation = generation.equation as? NavierStokesConfiguration else {
      throw DatasetError.wrongLayout(path: file.path, reason: "it holds another equation's solutions")
    }
    let timeStepping: TimeStepping =
      switch config.solverTimeStep {
      case .asInData: equation.timeStepping
      case .auto: TimeStepping(equation.timeStepping.scheme, tolerance: equation.timeStepping.tolerance)
      case .fixed(let step): TimeStepping(equation.timeStepping.scheme, timeStep: step)
      }
    let solver = try equation.problem(grid: grid[0], times: [time], timeStepping: timeStepping)
    return (solver, "classical solver, \(timeStepping.summary)")
  }

  /// A frame of the observed sample, `[x, y]`.
  func frame(_ frame: Int, of sample: Int) throws -> Tensor<Double> {
    try file.readDouble(field: Self.field, samples: sample..<sample + 1, frames: [frame], stride: stride)
      .reshaped(to: grid)
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
