import Foundation
import HDF5
import Solvers
import Tensors

/// What is known about an inversion besides its chains: written with them.
public struct InversionRecord: Sendable {
  /// The name of the unknown field, as in the data file: `vorticity`.
  public var field: String
  /// An axis of the field's grid.
  public struct Axis: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// The grid points.
    public var coordinates: [Double]
    /// Whether the end point is the first one again, and left out.
    public var isPeriodic: Bool

    /// An axis; see the properties.
    public init(name: String, coordinates: [Double], isPeriodic: Bool = true) {
      self.name = name
      self.coordinates = coordinates
      self.isPeriodic = isPeriodic
    }

    /// The coordinate at a fraction of the axis.
    func coordinate(at fraction: Double) -> Double {
      guard let first = coordinates.first, let last = coordinates.last, coordinates.count > 1 else {
        return 0
      }
      let count = Double(coordinates.count)
      let length = isPeriodic ? (last - first) * count / (count - 1) : last - first
      return first + fraction * length
    }
  }

  /// The spatial axes.
  public var axes: [Axis]
  /// The time of every observation, if there are times.
  public var sensorTimes: [Double] = []
  /// The true input, where it is known.
  public var truth: Tensor<Double>?
  /// The pointwise standard deviation of the prior, of the field's shape.
  public var priorStandardDeviation: Tensor<Double>
  /// The pointwise mean of the prior; nil for zero.
  public var priorMean: Tensor<Double>?
  /// Name and version of the software, for the file's attributes.
  public var software: (name: String, version: String)
  /// When the inversion was made, ISO 8601 in UTC.
  public var createdAt: String
  /// More attributes of the posterior: configuration, forward map, seeds.
  public var attributes: [(name: String, value: String)]
  /// The mode and the Laplace approximation, where the forward map has a derivative.
  public var laplace: LaplaceApproximation?
  /// For delayed acceptance, the chains of the surrogate's posterior.
  public var surrogate: (chains: MarkovChains, history: ChainHistory)?

  /// A record; see the properties.
  public init(
    field: String, axes: [Axis], truth: Tensor<Double>?,
    priorStandardDeviation: Tensor<Double>, software: (name: String, version: String), createdAt: String,
    attributes: [(name: String, value: String)] = []
  ) {
    self.field = field
    self.axes = axes
    self.truth = truth
    self.priorStandardDeviation = priorStandardDeviation
    self.software = software
    self.createdAt = createdAt
    self.attributes = attributes
  }
}

/// The diagnostics of the quantities that are followed: the misfit, the lowest modes, inferred scalars.
public struct InversionDiagnostics: Sendable, Equatable {
  /// The names of the quantities, `misfit` first.
  public let quantities: [String]
  /// The diagnostics of each.
  public let values: [ChainDiagnostics]
  /// The number of chains.
  public let chains: Int

  /// The diagnostics of the kept draws.
  public init(_ history: ChainHistory) {
    quantities = history.quantities
    values = quantities.map { ChainDiagnostics(history.keptTrace($0), stride: history.keptStride) }
    chains = history.count
  }

  /// The largest R̂ at which chains count as mixed (`ChainDiagnostics` has the reference).
  public static let largestRHat = 1.01
  /// The fewest effective draws per chain at which R̂ and quantiles are reliable, from the same paper.
  public static let fewestDrawsPerChain = 100.0

  /// The quantities whose chains do not agree or hold too few effective draws, with the reason.
  public var complaints: [(quantity: String, reason: String)] {
    let fewest = Self.fewestDrawsPerChain * Double(chains)
    return zip(quantities, values).compactMap { quantity, value in
      if value.rHat.isNaN { return (quantity, "never changed, or too few draws to tell") }
      if value.rHat > Self.largestRHat {
        return (quantity, String(format: "R-hat is %.3f, above \(Self.largestRHat)", value.rHat))
      }
      let smallest = min(value.bulkESS, value.tailESS)
      if smallest < fewest {
        return (quantity, String(format: "%.0f effective draws, fewer than %.0f", smallest, fewest))
      }
      return nil
    }
  }

  /// The diagnostics of the followed modes of the field.
  var modes: [ChainDiagnostics] {
    zip(quantities, values).filter { $0.0.contains("(") }.map(\.1)
  }

  /// The fewest effective draws for the centre of any quantity.
  public var fewestDraws: Double { values.map(\.bulkESS).min() ?? .nan }

  /// Whether all chains agree and hold enough draws.
  public var haveConverged: Bool { complaints.isEmpty }
}

/// The result of an inversion as a netCDF-4 file in the schema of ArviZ's InferenceData.
///
/// `arviz.from_netcdf(path)` reads it. Groups: `posterior` (thinned draws `[chain, draw, ...grid]`),
/// `posterior_summary` (mean and standard deviation over all draws, of the field and of its coordinates;
/// diagnostics), `sample_stats` and `warmup_sample_stats` (every iteration), `observed_data`, `constant_data`
/// `prior`; where there are such, `laplace_approximation` and, for delayed acceptance, `surrogate_summary`. Written in
/// blocks: the memory does not depend on the number of draws.
public enum PosteriorFile {
  /// Writes the file, complete or not at all.
  ///
  /// - Throws: `HDF5Error`.
  public static func write(
    _ chains: MarkovChains, _ history: ChainHistory, of sampler: any Sampler, schedule: SamplingSchedule,
    record: InversionRecord, to path: String, overwriting: Bool = true
  ) throws {
    let problem = sampler.problem
    try HDF5File.write(to: path, overwriting: overwriting) { file in
      try writePosterior(history, sampler, schedule, record, file)
      try writeSummary("posterior_summary", chains, history, problem, record, file)
      try writeLaplace(problem, record, file)
      if let surrogate = record.surrogate {
        try writeSummary("surrogate_summary", surrogate.chains, surrogate.history, problem, record, file)
      }
      try writeStatistics(chains, history, problem, file)
      try writeObservations(problem, record, file)
      try writePrior(record, file)
    }
  }

  private static func addAxes(_ group: inout NetCDFGroup, _ record: InversionRecord) throws {
    for axis in record.axes { try group.addDimension(axis.name, axis.coordinates) }
  }

  private static func setAttributes(_ group: NetCDFGroup, _ record: InversionRecord) throws {
    let attributes = group.group.attributes
    try attributes.set("created_at", record.createdAt)
    try attributes.set("inference_library", record.software.name)
    try attributes.set("inference_library_version", record.software.version)
  }

  private static func writePosterior(
    _ history: ChainHistory, _ sampler: any Sampler, _ schedule: SamplingSchedule,
    _ record: InversionRecord, _ file: HDF5File
  ) throws {
    var group = try NetCDFGroup("posterior", in: file)
    try setAttributes(group, record)
    for attribute in record.attributes { try group.group.attributes.set(attribute.name, attribute.value) }
    try group.group.attributes.set("field", record.field)
    try group.group.attributes.set("sampler", sampler.name)
    try group.group.attributes.set("draws_per_chain", history.keptDraws)
    try group.group.attributes.set("burn_in", schedule.burnIn)
    try group.group.attributes.set("thin", schedule.thin)
    try group.addDimension("chain", Array(0..<history.count))
    try group.addDimension("draw", (0..<history.storedDraws).map { $0 * schedule.thin })
    try addAxes(&group, record)
    let variable = try group.addVariable(
      record.field, over: ["chain", "draw"] + record.axes.map(\.name), of: Float.self,
      description: "every thin-th draw")
    let grid = record.axes.map(\.coordinates.count)
    for chain in 0..<history.count {
      for draw in 0..<history.storedDraws {
        try variable.write(
          history.draw(draw, ofChain: chain),
          HDF5Slab(start: [chain, draw] + grid.map { _ in 0 }, count: [1, 1] + grid))
      }
    }
    for scalar in history.quantities where scalar == "noise_factor" {
      try writeThinned(
        scalar, scalar, history, schedule, group,
        description: "standard deviation of the observation noise over the stated one"
      ) { $0 }
    }
    if let scalar = sampler.problem.scalar {
      try writeThinned(
        scalar.name, scalar.coordinateName, history, schedule, group,
        description: "\(scalar.name) of the equation"
      ) { scalar.median * exp($0) }
    }
  }

  /// Writes what is made of a quantity in the draws whose fields are stored.
  private static func writeThinned(
    _ name: String, _ quantity: String, _ history: ChainHistory, _ schedule: SamplingSchedule,
    _ group: NetCDFGroup, description: String, _ value: (Double) -> Double
  ) throws {
    let variable = try group.addVariable(
      name, over: ["chain", "draw"], of: Double.self, description: description)
    let first = history.iterations - history.keptDraws
    try history.forEachBlock(of: quantity, in: first..<history.iterations) { chain, iterations, values in
      let stored = zip(iterations, values).filter { ($0.0 - first).isMultiple(of: schedule.thin) }
      guard let start = stored.first else { return }
      try variable.write(
        stored.map { value($0.1) },
        HDF5Slab(start: [chain, (start.0 - first) / schedule.thin], count: [1, stored.count]))
    }
  }

  private static func writeLaplace(
    _ problem: InverseProblem, _ record: InversionRecord, _ file: HDF5File
  ) throws {
    // The mode of the Gaussian field is of no use to readers who see the transformed one.
    guard let laplace = record.laplace, problem.transform == .identity else { return }
    var group = try NetCDFGroup("laplace_approximation", in: file)
    try setAttributes(group, record)
    try group.group.attributes.set("iterations", laplace.search.iterations)
    try group.group.attributes.set("has_converged", laplace.search.hasConverged ? 1 : 0)
    try addAxes(&group, record)
    let axes = record.axes.map(\.name)
    try group.addVariable(
      "\(record.field)_map", over: axes, laplace.mode.scalars,
      description: "point of largest posterior density")
    try group.addVariable(
      "\(record.field)_std", over: axes,
      laplace.standardDeviation(prior: record.priorStandardDeviation).scalars,
      description: "standard deviation of the Laplace approximation")
    try group.addDimension("direction", Array(0..<laplace.reference.eigenvalues.count))
    try group.addVariable(
      "eigenvalue", over: ["direction"], laplace.reference.eigenvalues,
      description: "prior over posterior variance, less one, in the directions that the data inform")
  }

  private static func writeSummary(
    _ name: String, _ chains: MarkovChains, _ history: ChainHistory, _ problem: InverseProblem,
    _ record: InversionRecord,
    _ file: HDF5File
  ) throws {
    var group = try NetCDFGroup(name, in: file)
    try setAttributes(group, record)
    try addAxes(&group, record)
    let axes = record.axes.map(\.name)
    try group.addVariable(
      "\(record.field)_mean", over: axes, chains.posteriorMean.scalars,
      description: "mean of all draws of all chains")
    try group.addVariable(
      "\(record.field)_std", over: axes, chains.posteriorStandardDeviation.scalars,
      description: "standard deviation of all draws of all chains")

    let diagnostics = InversionDiagnostics(history)
    try group.addDimension("quantity", diagnostics.quantities)
    for (name, values, description) in [
      (
        "ess_bulk", diagnostics.values.map(\.bulkESS),
        "effective draws for the centre, as arviz.ess(method='bulk')"
      ),
      (
        "ess_tail", diagnostics.values.map(\.tailESS),
        "effective draws for the tails, as arviz.ess(method='tail')"
      ),
      (
        "ess_mean", diagnostics.values.map(\.meanESS),
        "effective draws for the mean, as arviz.ess(method='mean')"
      ),
      ("r_hat", diagnostics.values.map(\.rHat), "rank-normalised split R-hat, as arviz.rhat(method='rank')"),
      (
        "autocorrelation_time", diagnostics.values.map(\.autocorrelationTime),
        "draws that are worth one independent draw for the mean"
      ),
    ] {
      try group.addVariable(name, over: ["quantity"], values, description: description)
    }
    try group.addDimension("chain", Array(0..<chains.count))
    try group.addVariable(
      "acceptance_rate", over: ["chain"], history.acceptanceRates,
      description: "share of accepted proposals after the burn-in")
    try group.addVariable(
      "step_size", over: ["chain"], chains.stepSizes,
      description: "share of fresh noise in a proposal, after the burn-in; above one, over-relaxed")

    // In units of the prior's deviation: what the data say about every mode.
    let coordinates = problem.prior.coordinates
    try group.addDimension("coordinate", coordinates.map(\.name))
    try group.addVariable(
      "coordinate_mean", over: ["coordinate"], chains.coordinateMoments.pooledMean.scalars,
      description: "posterior mean in prior standard deviations")
    try group.addVariable(
      "coordinate_variance", over: ["coordinate"], chains.coordinateMoments.pooledVariance.scalars,
      description: "posterior variance over prior variance")
    try group.addVariable(
      "coordinate_wavenumber", over: ["coordinate"], coordinates.map(\.wavenumber),
      description: "length of the wave number vector, periods per unit length")
    try group.addVariable(
      "coordinate_prior_std", over: ["coordinate"], coordinates.map(\.amplitude),
      description: "prior standard deviation of the coefficient")
  }

  private static func writeStatistics(
    _ chains: MarkovChains, _ history: ChainHistory, _ problem: InverseProblem, _ file: HDF5File
  ) throws {
    let burnIn = history.iterations - history.keptDraws
    try writeStatistics("sample_stats", history, problem, iterations: burnIn..<history.iterations, in: file)
    if burnIn > 0 {
      try writeStatistics("warmup_sample_stats", history, problem, iterations: 0..<burnIn, in: file)
    }
  }

  private static func writeStatistics(
    _ name: String, _ history: ChainHistory, _ problem: InverseProblem, iterations: Range<Int>,
    in file: HDF5File
  ) throws {
    var group = try NetCDFGroup(name, in: file)
    try group.addDimension("chain", Array(0..<history.count))
    try group.addDimension("draw", Array(0..<iterations.count))
    let axes = ["chain", "draw"]
    func write<Scalar: HDF5Scalar>(
      _ quantity: String, as name: String? = nil, description: String, _ value: (Double) -> Scalar
    ) throws {
      let variable = try group.addVariable(
        name ?? quantity, over: axes, of: Scalar.self, description: description)
      try history.forEachBlock(of: quantity, in: iterations) { chain, range, values in
        try variable.write(
          values.map(value),
          HDF5Slab(start: [chain, range.lowerBound - iterations.lowerBound], count: [1, range.count]))
      }
    }
    try write(
      "misfit", description: "half the sum of squared residuals over the stated noise variance"
    ) { $0 }
    if history.quantities.contains("surrogate_misfit") {
      try write("surrogate_misfit", description: "the same of the surrogate that screens") { $0 }
    }
    if history.quantities.contains("noise_factor") {
      try write("noise_factor", description: "standard deviation of the noise over the stated one") { $0 }
    }
    try write("accepted", description: "proposal accepted") { $0 > 0 }
    try write("acceptance", as: "acceptance_rate", description: "probability of accepting the proposal") {
      $0
    }
    if let scalar = problem.scalar {
      try write(
        scalar.coordinateName,
        description: "logarithm of \(scalar.name) over its prior median, \(scalar.median)"
      ) { $0 }
    }
    let modes = problem.prior.coordinates.map(\.name).filter {
      $0.contains("(") && history.quantities.contains($0)
    }
    try group.addDimension("mode", modes)
    let variable = try group.addVariable(
      "fourier_mode", over: axes + ["mode"], of: Double.self,
      description: "the lowest coefficients of the field's series")
    for (number, mode) in modes.enumerated() {
      try history.forEachBlock(of: mode, in: iterations) { chain, range, values in
        try variable.write(
          values,
          HDF5Slab(
            start: [chain, range.lowerBound - iterations.lowerBound, number], count: [1, range.count, 1]))
      }
    }
  }

  private static func writeObservations(
    _ problem: InverseProblem, _ record: InversionRecord, _ file: HDF5File
  ) throws {
    var observed = try NetCDFGroup("observed_data", in: file)
    try setAttributes(observed, record)
    try observed.addDimension("sensor", Array(0..<problem.data.count))
    try observed.addVariable(
      "observations", over: ["sensor"], problem.data, description: "noisy values of the solution")

    var constant = try NetCDFGroup("constant_data", in: file)
    try setAttributes(constant, record)
    try constant.addDimension("sensor", Array(0..<problem.data.count))
    try addAxes(&constant, record)
    for (index, axis) in record.axes.enumerated() {
      try constant.addVariable(
        "sensor_\(axis.name)", over: ["sensor"],
        problem.observation.sensors.map { axis.coordinate(at: $0.position[index]) },
        description: "position of the sensor along \(axis.name)")
    }
    if !record.sensorTimes.isEmpty {
      try constant.addVariable(
        "sensor_time", over: ["sensor"], record.sensorTimes, description: "time of the observation")
    }
    try constant.addVariable(
      "noise_std", over: ["sensor"], problem.noise.deviations,
      description: "standard deviation of the observation noise as stated")
    if let truth = record.truth {
      try constant.addVariable(
        "truth", over: record.axes.map(\.name), truth.scalars, description: "the input behind the data")
    }
  }

  private static func writePrior(_ record: InversionRecord, _ file: HDF5File) throws {
    var group = try NetCDFGroup("prior", in: file)
    try setAttributes(group, record)
    try addAxes(&group, record)
    let axes = record.axes.map(\.name)
    let zeros = [Double](repeating: 0, count: record.priorStandardDeviation.count)
    try group.addVariable(
      "\(record.field)_mean", over: axes, record.priorMean?.scalars ?? zeros,
      description: "mean of the prior")
    try group.addVariable(
      "\(record.field)_std", over: axes, record.priorStandardDeviation.scalars,
      description: "standard deviation of the prior")
  }
}
