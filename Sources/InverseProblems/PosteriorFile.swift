import Foundation
import HDF5
import Tensors

/// What is known about an inversion besides its chains: written with them.
public struct InversionRecord: Sendable {
  /// The name of the unknown field, as in the data file: `vorticity`.
  public var field: String
  /// The name and the coordinates of every spatial axis.
  public var axes: [(name: String, coordinates: [Double])]
  /// The true input, where it is known.
  public var truth: Tensor<Double>?
  /// The pointwise standard deviation of the prior, of the field's shape.
  public var priorStandardDeviation: Tensor<Double>
  /// Name and version of the software, for the file's attributes.
  public var software: (name: String, version: String)
  /// When the inversion was made, ISO 8601 in UTC.
  public var createdAt: String
  /// More attributes of the posterior: configuration, forward map, seeds.
  public var attributes: [(name: String, value: String)]

  /// A record; see the properties.
  public init(
    field: String, axes: [(name: String, coordinates: [Double])], truth: Tensor<Double>?,
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

/// Effective sample size and split R̂ of the quantities that are followed: the misfit and the lowest modes.
public struct InversionDiagnostics: Sendable, Equatable {
  /// The names of the quantities, `misfit` first.
  public let quantities: [String]
  /// The diagnostics of each.
  public let values: [ChainDiagnostics]

  /// The diagnostics of the kept draws.
  public init(_ chains: MarkovChains) {
    let names = FourierModes.names(grid: chains.grid)
    quantities = ["misfit"] + names
    values =
      [ChainDiagnostics(chains.keptMisfits)]
      + names.indices.map { mode in ChainDiagnostics(chains.modeTraces.map { $0[mode] }) }
  }
}

/// The result of an inversion as a netCDF-4 file in the schema of ArviZ's InferenceData.
///
/// `arviz.from_netcdf(path)` reads it. Groups: `posterior` (thinned draws `[chain, draw, ...grid]`),
/// `posterior_summary` (mean and standard deviation over all draws), `sample_stats` and `warmup_sample_stats`
/// (every iteration), `observed_data`, `constant_data` and `prior`.
public enum PosteriorFile {
  /// Writes the file, complete or not at all.
  ///
  /// - Throws: `HDF5Error`.
  public static func write(
    _ chains: MarkovChains, of problem: InverseProblem, sampler: PreconditionedCrankNicolson,
    record: InversionRecord, to path: String, overwriting: Bool = true
  ) throws {
    try HDF5File.write(to: path, overwriting: overwriting) { file in
      try writePosterior(chains, sampler, record, file)
      try writeSummary(chains, record, file)
      try writeStatistics(chains, sampler, file)
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
    _ chains: MarkovChains, _ sampler: PreconditionedCrankNicolson, _ record: InversionRecord,
    _ file: HDF5File
  ) throws {
    var group = try NetCDFGroup("posterior", in: file)
    try setAttributes(group, record)
    for attribute in record.attributes { try group.group.attributes.set(attribute.name, attribute.value) }
    try group.group.attributes.set("sampler", "pcn")
    try group.group.attributes.set("draws_per_chain", chains.keptDraws)
    try group.group.attributes.set("burn_in", sampler.burnIn)
    try group.group.attributes.set("thin", sampler.thin)
    let stored = chains.thinnedDraws[0].count
    try group.addDimension("chain", Array(0..<chains.count))
    try group.addDimension("draw", (0..<stored).map { $0 * sampler.thin })
    try addAxes(&group, record)
    try group.addVariable(
      record.field, over: ["chain", "draw"] + record.axes.map(\.name),
      chains.thinnedDraws.flatMap { $0.flatMap(\.scalars) }, description: "every thin-th draw")
  }

  private static func writeSummary(
    _ chains: MarkovChains, _ record: InversionRecord, _ file: HDF5File
  ) throws {
    var group = try NetCDFGroup("posterior_summary", in: file)
    try setAttributes(group, record)
    try addAxes(&group, record)
    let axes = record.axes.map(\.name)
    try group.addVariable(
      "\(record.field)_mean", over: axes, chains.posteriorMean.scalars,
      description: "mean of all draws of all chains")
    try group.addVariable(
      "\(record.field)_std", over: axes, chains.posteriorStandardDeviation.scalars,
      description: "standard deviation of all draws of all chains")
    let diagnostics = InversionDiagnostics(chains)
    try group.addDimension("quantity", diagnostics.quantities)
    try group.addVariable(
      "effective_sample_size", over: ["quantity"], diagnostics.values.map(\.effectiveSampleSize),
      description: "effective sample size of all draws, as arviz.ess(method='mean')")
    try group.addVariable(
      "split_r_hat", over: ["quantity"], diagnostics.values.map(\.splitRHat),
      description: "split R-hat of all draws, as arviz.rhat(method='split')")
    try group.addDimension("chain", Array(0..<chains.count))
    try group.addVariable(
      "acceptance_rate", over: ["chain"], chains.acceptanceRates,
      description: "share of accepted proposals after the burn-in")
  }

  private static func writeStatistics(
    _ chains: MarkovChains, _ sampler: PreconditionedCrankNicolson, _ file: HDF5File
  ) throws {
    let burnIn = chains.iteration - chains.keptDraws
    try writeStatistics(
      "sample_stats", chains, iterations: burnIn..<chains.iteration, hasModes: true, in: file)
    if burnIn > 0 {
      try writeStatistics(
        "warmup_sample_stats", chains, iterations: 0..<burnIn, hasModes: false, in: file)
    }
  }

  private static func writeStatistics(
    _ name: String, _ chains: MarkovChains, iterations: Range<Int>, hasModes: Bool, in file: HDF5File
  ) throws {
    var group = try NetCDFGroup(name, in: file)
    try group.addDimension("chain", Array(0..<chains.count))
    try group.addDimension("draw", Array(0..<iterations.count))
    let axes = ["chain", "draw"]
    try group.addVariable(
      "misfit", over: axes, chains.misfitTraces.flatMap { $0[iterations] },
      description: "half the sum of squared residuals over the noise variance")
    let accepted = chains.acceptances.map { $0[iterations] }
    try group.addVariable("accepted", over: axes, accepted.flatMap { $0 }, description: "proposal accepted")
    let rates = accepted.flatMap { chain -> [Double] in
      var total = 0
      return chain.enumerated().map { index, isAccepted in
        total += isAccepted ? 1 : 0
        return Double(total) / Double(index + 1)
      }
    }
    try group.addVariable("acceptance_rate", over: axes, rates, description: "running acceptance rate")
    try group.addVariable(
      "step_size", over: ["chain"], chains.stepSizes, description: "step size at the end (beta of pCN)")
    guard hasModes else { return }
    let names = FourierModes.names(grid: chains.grid)
    try group.addDimension("mode", names)
    try group.addVariable(
      "fourier_mode", over: ["chain", "draw", "mode"],
      chains.modeTraces.flatMap { modes in
        (0..<iterations.count).flatMap { draw in modes.map { $0[draw] } }
      }, description: "the lowest Fourier coefficients of the field")
  }

  private static func writeObservations(
    _ problem: InverseProblem, _ record: InversionRecord, _ file: HDF5File
  ) throws {
    var observed = try NetCDFGroup("observed_data", in: file)
    try setAttributes(observed, record)
    try observed.addDimension("sensor", Array(0..<problem.data.count))
    try observed.addVariable(
      "observations", over: ["sensor"], problem.data, description: "noisy values of the final field")

    var constant = try NetCDFGroup("constant_data", in: file)
    try setAttributes(constant, record)
    try constant.addDimension("sensor", Array(0..<problem.data.count))
    try addAxes(&constant, record)
    for (index, axis) in record.axes.enumerated() {
      try constant.addVariable(
        "sensor_\(axis.name)", over: ["sensor"],
        problem.observation.sensors.map { axis.coordinates[$0[index]] },
        description: "position of the sensor along \(axis.name)")
    }
    try constant.addVariable(
      "noise_std", over: [], [problem.noise], description: "standard deviation of the observation noise")
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
    let points = record.priorStandardDeviation.count
    try group.addVariable(
      "\(record.field)_mean", over: axes, [Double](repeating: 0, count: points),
      description: "mean of the prior")
    try group.addVariable(
      "\(record.field)_std", over: axes, record.priorStandardDeviation.scalars,
      description: "standard deviation of the prior")
  }
}
