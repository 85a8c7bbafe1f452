import Datasets
import Foundation
import InverseProblems
import Solvers
import Tensors

/// Everything that an inversion needs before its first solve, read and checked.
struct InversionSetup {
  let config: InvertConfig
  let forward: ForwardMap
  /// The Gaussian field behind the unknown one, with a coordinate for the viscosity if that is unknown.
  let prior: any Prior
  /// The problem seen through `forward.map`.
  let problem: InverseProblem
  /// The problem seen through the solver that decides, in delayed acceptance.
  let trueProblem: InverseProblem?
  /// The true input, where it is known.
  let truth: Tensor<Double>?
  /// The time of every observation.
  let sensorTimes: [Double]
  /// The checksums of the files that it depends on.
  let checksums: [String: String]
  /// What the user should know before believing the result.
  let warnings: [String]

  /// Reads and checks.
  ///
  /// - Throws: `ConfigError`, `InputError`, `HDF5Error`, `DatasetError`, `TrainingError`, `SolverError`.
  init(_ config: InvertConfig) throws {
    var config = config
    var source = try Source(config)
    if case .accurate(let error) = config.solverTimeStep {
      config.solverTimeStep = .fixed(try Self.timeStep(config, source, largestError: error))
      source = try Source(config)
    }
    self.config = config
    let forward = source.forward
    self.forward = forward
    let field = try Self.fieldPrior(config, forward, grid: forward.grid)
    prior =
      config.viscosity.map {
        ScalarPrior(field, name: "log_viscosity", logDeviation: $0.logDeviation)
      } ?? field
    sensorTimes = forward.field == forward.observedField ? source.times : []
    var warnings: [String] = []
    var checksums: [String: String] = [:]
    let checksum = try forward.file.contentChecksum().map(Text.hexadecimal) ?? "none"
    checksums[forward.file.path] = checksum

    let noise = try Self.noise(config, source)
    var problem = InverseProblem(
      prior: prior, forward: forward.map,
      observation: source.observation(channels: source.channels.map { forward.channels[$0] }, config),
      data: source.exact.map { exact in
        var random = Philox(seed: UInt64(config.seed), stream: .noise, sample: config.observations.sample)
        return zip(exact, noise.sample(using: &random)).map(+)
      } ?? source.values, noise: noise)
    problem.noisePrior = config.noise.prior
    problem.transform = config.prior.transform
    if let viscosity = config.viscosity {
      problem.scalar = ScalarUnknown(
        name: "viscosity", median: viscosity.median, logDeviation: viscosity.logDeviation,
        family: try forward.viscosityFamily(config, times: Array(Set(source.times)).sorted()))
    }
    self.problem = problem
    let prior = prior
    let data = problem.data
    trueProblem = forward.solver.map { solver in
      var exact = InverseProblem(
        prior: prior, forward: solver.map,
        observation: source.observation(channels: source.channels, config), data: data, noise: noise)
      (exact.noisePrior, exact.transform) = (config.noise.prior, config.prior.transform)
      return exact
    }
    if let path = source.tablePath {
      var checksum = Checksum()
      for numbers in [problem.data, noise.deviations, sensorTimes, source.fractions.flatMap { $0 }] {
        numbers.withUnsafeBytes { checksum.update($0) }
      }
      checksums[path] = Text.hexadecimal(checksum.value)
      truth = try config.truth.map { try Self.frame(of: $0, key: "truth.sample", config, forward) }
    } else {
      truth = try forward.input(of: config.observations.sample)
      if let training = forward.training, training.file == config.observations.file,
        config.observations.sample < training.samples
      {
        // Training samples are the first ones of their file.
        warnings.append(
          "the surrogate was trained on sample \(config.observations.sample); take one it has not seen")
      }
    }
    warnings += forward.warnings
    if let training = forward.training, let prior = prior as? PeriodicGaussianField {
      warnings += try PriorCheck(
        prior: prior, trainingFile: training.file, samples: training.samples, forward
      )
      .warnings
    }
    self.warnings = warnings
    self.checksums = checksums
    try checkDerivative()
  }

  /// Checks that there is a derivative where the sampler needs one.
  private func checkDerivative() throws {
    guard !problem.isDifferentiable else { return }
    let needs: [(key: String, word: String, isNeeded: Bool)] = [
      ("sampler.kind", "mala", config.sampler.kind == .mala),
      ("sampler.screening", "mala", config.sampler.screening?.kind == .mala),
      ("sampler.reference", "laplace", config.sampler.reference == .laplace),
      ("sampler.start", "laplace", config.sampler.start == .laplace),
    ]
    guard let need = needs.first(where: \.isNeeded) else { return }
    let reason =
      if !problem.transform.isDifferentiable {
        "a level set has none"
      } else {
        "the \(forward.name) has none"
      }
    throw config.mistake(need.key, "is \(need.word), which needs a derivative: \(reason)")
  }

  /// The largest equal time step that keeps an error of the observed values.
  ///
  /// Of T/16, T/32 and so on the first one whose values differ from those of half the step by at most that, in deviations
  /// of the noise, as a root mean square over four draws of the prior.
  ///
  /// With equal steps the misfit is a smooth function, which searches along its gradient need; steps that are chosen
  /// anew for every input make it jump by their tolerance, times what the flow makes of that.
  private static func timeStep(
    _ config: InvertConfig, _ source: Source, largestError: Double
  ) throws -> Double {
    let (forward, noise) = (source.forward, try noise(config, source))
    let times = Array(Set(source.times)).sorted()
    guard forward.field == forward.observedField, let last = times.last else {
      throw config.mistake(
        "solver.error", "is given, but the fields of \(forward.file.path) do not vary in time")
    }
    let prior = try fieldPrior(config, forward, grid: forward.grid)
    let draws = (0..<4).map { sample in
      var random = Philox(seed: UInt64(config.seed), stream: .starts, sample: sample)
      return prior.makeField(random.normal(shape: [prior.coordinateCount]))
    }
    let inputs = Tensor.stacking(draws).reshaped(to: [draws.count, 1] + forward.grid)
    let observation = source.observation(channels: source.channels, config)
    /// Nil where a step is too large for the solver.
    func values(_ step: Double) throws -> [Double]? {
      var trial = config
      trial.solverTimeStep = .fixed(step)
      let solver = try ForwardMap.decidingSolver(trial, forward.file, grid: forward.grid, times: times).0
      do {
        let solutions = try solver(inputs)
        return draws.indices.flatMap { noise.whiten(observation(solutions[first: $0..<$0 + 1])) }
      } catch is SolverError {
        return nil
      }
    }
    var step = last / 16
    var coarse = try values(step)
    for _ in 0..<12 {
      let fine = try values(step / 2)
      if let coarse, let fine {
        let squares = zip(coarse, fine).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        if (squares / Double(fine.count)).squareRoot() <= largestError { return step }
      }
      (step, coarse) = (step / 2, fine)
    }
    throw config.mistake(
      "solver.error",
      "is \(Text.number(largestError)), which steps down to \(Text.number(step, digits: 2)) do not reach")
  }

  /// The Gaussian field of the configuration on a grid and with the boundaries of the data.
  static func fieldPrior(
    _ config: InvertConfig, _ forward: ForwardMap, grid: Shape
  ) throws -> any Prior {
    let field = config.prior.field
    if forward.isPeriodic { return field.periodicField(grid: grid) }
    guard grid.count == 2 else {
      throw config.mistake("prior", "has no Gaussian field for the bounded axis of \(forward.file.path)")
    }
    return NeumannGaussianField(grid: grid, sigma: field.sigma, tau: field.tau, alpha: field.alpha)
  }

  /// The true input of a sample of a dataset.
  private static func frame(
    of sample: InvertConfig.Sample, key: String, _ config: InvertConfig, _ forward: ForwardMap
  ) throws -> Tensor<Double> {
    let file = try openDataset(sample.file)
    guard sample.sample < file.sampleCount else {
      throw config.mistake(
        key, "is \(sample.sample); \(sample.file) has samples 0 to \(file.sampleCount - 1)")
    }
    guard file.description.grid == forward.file.description.grid else {
      throw DatasetError.wrongLayout(
        path: sample.file,
        reason:
          "its grid is \(file.description.grid), that of \(forward.file.path) \(forward.file.description.grid)"
      )
    }
    return try forward.input(of: sample.sample, in: file)
  }

  /// The law of the errors: the standard deviations of the table or of the configuration, and correlations of
  /// errors at one time that fall exponentially with the distance, on the torus if the axes are periodic.
  private static func noise(_ config: InvertConfig, _ source: Source) throws -> NoiseModel {
    guard
      let deviations = source.deviations
        ?? config.noise.deviation.map({ deviation in source.times.map { _ in deviation } })
    else {
      throw config.mistake(
        "noise", "is missing, and \(config.observations.file) has no column sigma; give one of them")
    }
    guard let length = config.noise.correlationLength else { return NoiseModel(deviations: deviations) }
    let correlations = source.fractions.indices.map { i in
      source.fractions.indices.map { j -> Double in
        guard source.channels[i] == source.channels[j] else { return 0 }
        let squared = zip(source.fractions[i], source.fractions[j]).reduce(0.0) { sum, pair in
          let distance = abs(pair.0 - pair.1)
          let shortest = source.forward.isPeriodic ? min(distance, 1 - distance) : distance
          return sum + shortest * shortest
        }
        return exp(-squared.squareRoot() / length)
      }
    }
    guard let noise = NoiseModel(deviations: deviations, correlations: correlations) else {
      throw config.mistake(
        "noise.correlation_length",
        "is \(Text.number(length)): two observations at one place and time cannot have correlated errors")
    }
    return noise
  }
}

/// Where observations come from: a sample of a dataset, to which noise is added, or a table.
private struct Source {
  let forward: ForwardMap
  /// The place of every observation as fractions of the axes.
  let fractions: [[Double]]
  /// The time of every observation, and its position among the observed times.
  let times: [Double]
  let channels: [Int]
  /// Exact values of a dataset's sample, to which noise is to be added.
  let exact: [Double]?
  /// Measured values.
  let values: [Double]
  let deviations: [Double]?
  let tablePath: String?

  init(_ config: InvertConfig) throws {
    let path = config.observations.file
    if try ObservationTable.isTable(path) {
      let table = try ObservationTable(contentsOf: path)
      let observed = table.times.map { Array(Set($0)).sorted() }
      // Times that are not recorded are named before surrogates that lack them are.
      let forward = try ForwardMap(
        config, times: try observed.map { try Self.recorded($0, config, table) })
      self.forward = forward
      guard observed != nil || forward.field != forward.observedField else {
        throw table.problem("it has no column t; the fields of \(forward.file.path) vary in time")
      }
      fractions = try table.positions.enumerated().map { index, position in
        guard position.count == forward.grid.count else {
          let has = position.count == 1 ? "it has no column y" : "it has a column y"
          throw table.problem("\(has); the fields of \(forward.file.path) have \(forward.grid.count) axes")
        }
        guard let fractions = forward.fractions(position) else {
          let place = position.map { Text.number($0, digits: 6) }.joined(separator: ", ")
          throw table.problem(index, "the point (\(place)) lies outside the domain of \(forward.file.path)")
        }
        return fractions
      }
      times = table.times ?? table.values.map { _ in 0 }
      channels = times.map { time in observed?.firstIndex(of: time) ?? 0 }
      (exact, values, deviations, tablePath) = (nil, table.values, table.deviations, path)
      return
    }
    let observed = config.observations.times?.sorted()
    let forward = try ForwardMap(config, times: try observed.map { try Self.recorded($0, config, nil) })
    self.forward = forward
    let file = try openDataset(path)
    guard config.observations.sample < file.sampleCount else {
      throw config.mistake(
        "observations.sample",
        "is \(config.observations.sample); \(path) has samples 0 to \(file.sampleCount - 1)")
    }
    let isSteady = forward.field != forward.observedField
    guard let recorded = isSteady ? [0] : file.description.times, let last = recorded.last else {
      throw ObservationError(path: path, reason: "it does not say when its frames are")
    }
    let axes = forward.grid.count
    let places: [[Double]]
    switch config.observations.sensors {
    case .grid(let perAxis):
      guard perAxis.count == axes else {
        throw config.mistake("observations.sensor_grid", "is \(perAxis); \(path) has \(axes) axes")
      }
      places = PointObservation.interior(perAxis)
    case .points(let points):
      if let point = points.first(where: { $0.count != axes }) {
        throw config.mistake("observations.sensors", "has the point \(point); \(path) has \(axes) axes")
      }
      places = points
    }
    if !forward.isPeriodic, config.observations.interpolation == .spectral {
      throw config.mistake(
        "observations.interpolation", "is spectral; the axes of \(path) are not periodic")
    }
    let all = observed ?? [last]
    fractions = all.flatMap { _ in places }
    times = all.flatMap { time in places.map { _ in time } }
    channels = all.indices.flatMap { channel in places.map { _ in channel } }
    exact = try all.flatMap { time in
      guard let frame = recorded.firstIndex(where: { ForwardMap.isSameTime($0, time) }) else {
        throw config.mistake("observations.times", "has \(time), which \(path) does not record")
      }
      let sensors = places.map { PointObservation.Sensor($0) }
      return PointObservation(
        grid: forward.grid, sensors: sensors, isPeriodic: forward.isPeriodic,
        interpolation: Self.interpolation(config, forward))(
          try forward.output(isSteady ? nil : frame, of: config.observations.sample, in: file))
    }
    (values, deviations, tablePath) = ([], nil, nil)
  }

  /// The observation of the given channels.
  func observation(channels: [Int], _ config: InvertConfig) -> PointObservation {
    PointObservation(
      grid: forward.grid,
      sensors: zip(fractions, channels).map { PointObservation.Sensor($0, channel: $1) },
      isPeriodic: forward.isPeriodic, interpolation: Self.interpolation(config, forward))
  }

  private static func interpolation(
    _ config: InvertConfig, _ forward: ForwardMap
  ) -> PointObservation.Interpolation {
    config.observations.interpolation ?? (forward.isPeriodic ? .spectral : .bilinear)
  }

  /// Checks that times are recorded in the dataset that states the problem, as far as it is known yet.
  private static func recorded(
    _ times: [Double], _ config: InvertConfig, _ table: ObservationTable?
  ) throws -> [Double] {
    guard let path = config.data ?? (table == nil ? config.observations.file : nil) else { return times }
    guard let recorded = try openDataset(path).description.times, !recorded.isEmpty else { return times }
    for time in times where !recorded.dropFirst().contains(where: { ForwardMap.isSameTime($0, time) }) {
      let all = recorded.dropFirst().map { Text.number($0, digits: 6) }.joined(separator: ", ")
      if let table, let index = table.times?.firstIndex(of: time) {
        throw table.problem(
          index, "t = \(Text.number(time, digits: 6)) is not recorded; the times of \(path) are \(all)")
      }
      throw config.mistake(
        "observations.time", "is \(Text.number(time, digits: 6)); the recorded times are \(all)")
    }
    return times
  }
}

/// How far a prior is from the inputs that a surrogate was trained on.
private struct PriorCheck {
  let warnings: [String]

  /// Compares the mean squares of the training inputs' coefficients with what the prior expects, in bands of wave
  /// numbers: the ratio is 1 up to the scatter of so many samples and modes if they have one law.
  init(prior: PeriodicGaussianField, trainingFile: String, samples: Int, _ forward: ForwardMap) throws {
    guard FileSystem.exists(trainingFile) else {
      warnings = [
        "\(trainingFile), which the surrogate was trained on, is not there: whether it saw inputs like the prior's is not known"
      ]
      return
    }
    let file = try openDataset(trainingFile)
    let count = min(samples, file.sampleCount, 100)
    guard count > 0, file.description.grid == forward.file.description.grid else {
      warnings = []
      return
    }
    let coordinates = prior.coordinates
    let bands: [ClosedRange<Double>] = [0...1.5, 1.6...3, 3.1...6, 6.1...12]
    var squares = [Double](repeating: 0, count: bands.count)
    let members = bands.map { band in coordinates.indices.filter { band.contains(coordinates[$0].wavenumber) }
    }
    for sample in 0..<count {
      let values = prior.analyze(try forward.input(of: sample, in: file))
      for (band, members) in members.enumerated() {
        squares[band] += members.reduce(0) { $0 + values[$1] * values[$1] }
      }
    }
    var farthest: (distance: Double, ratio: Double, band: ClosedRange<Double>)?
    for (band, members) in members.enumerated() where !members.isEmpty {
      let ratio = squares[band] / Double(count * members.count)
      // The scatter of a mean of so many squares is √(2/number); three times that is no difference.
      let scatter = 3 * (2 / Double(count * members.count)).squareRoot()
      let distance = abs(log(max(ratio, 1e-300)))
      if distance > log(1.5) + scatter, distance > farthest?.distance ?? 0 {
        farthest = (distance, ratio, bands[band])
      }
    }
    warnings =
      farthest.map { farthest in
        let factor = farthest.ratio < 1 ? 1 / farthest.ratio : farthest.ratio
        let words = farthest.ratio < 1 ? "larger" : "smaller"
        return [
          "the surrogate never saw inputs like the prior's: at wave numbers up to \(Text.number(farthest.band.upperBound)) the prior's "
            + "variance is \(Text.number(factor, digits: 3)) times \(words) than that of the training inputs"
        ]
      } ?? []
  }
}
