import Files
import Foundation
import HDF5
import Tensors

/// The chains of an interrupted inversion in files, to be continued with the same bits.
///
/// The file at `path` has what the chains need to go on, of constant size. What was recorded of every iteration
/// is appended to two files beside it, `path.records` and `path.draws`, in the machine's numbers. They
/// are flushed first, so after a kill they are at least as long as the checkpoint knows; what is beyond is
/// cut when the chains continue.
public struct ChainCheckpoint: Sendable {
  /// Why a checkpoint cannot be continued.
  public enum Failure: Error, Equatable, CustomStringConvertible {
    /// It was written for another inversion; the text names what differs.
    case otherInversion(path: String, String)

    /// One line: what does not fit, and what to do.
    public var description: String {
      switch self {
      case .otherInversion(let path, let text): "\(path): a checkpoint of another inversion: \(text)"
      }
    }
  }

  /// The file.
  public let path: String
  /// What the chains may be continued with.
  public let configuration: String

  /// A checkpoint at a path.
  public init(_ path: String, configuration: String) {
    self.path = path
    self.configuration = configuration
  }

  private var recordsFile: String { "\(path).records" }
  private var drawsFile: String { "\(path).draws" }

  /// Writes the chains, and moves their records to the files beside it.
  ///
  /// - Parameter seconds: the time that the chains took so far, for the record.
  /// - Throws: `HDF5Error`, `FileError`; the checkpoint that was there is still good then.
  public func write(_ chains: inout MarkovChains, seconds: Double = 0) throws {
    try append(&chains, flushing: true)
    try HDF5File.write(to: path, overwriting: true) { file in
      let root = file.root
      try root.attributes.set("kind", "phalarope markov chains")
      try root.attributes.set("configuration", configuration)
      try root.attributes.set("seconds", seconds)
      try root.attributes.set("iteration", chains.iteration)
      try root.attributes.set("kept_draws", chains.keptDraws)
      try root.attributes.set("stored_draws", chains.storedDraws)
      try root.createDataset("step_sizes", chains.stepSizes)
      try root.createDataset(
        "solves", [chains.solves.forward, chains.solves.screening, chains.solves.failed])
      let points = chains.points
      try root.createDataset("misfits", points.misfits)
      try root.createDataset("noise_variances", points.noiseVariances)
      try root.createDataset("screening_misfits", points.screeningMisfits)
      for (name, tensor) in [
        ("coordinates", points.coordinates), ("gradients", points.gradients),
        ("screening_gradients", points.screeningGradients), ("field_means", chains.fieldMoments.means),
        ("field_squares", chains.fieldMoments.squaredDeviations),
        ("coordinate_means", chains.coordinateMoments.means),
        ("coordinate_squares", chains.coordinateMoments.squaredDeviations),
      ] {
        try root.createDataset(name, tensor.scalars, shape: Array(tensor.shape))
      }
    }
  }

  /// Moves the records of the chains to the files beside the checkpoint, which stays as it is.
  ///
  /// What these files hold beyond the checkpoint is cut when it is continued, so nothing is flushed to the disk.
  /// - Throws: `FileError`.
  public func moveRecords(of chains: inout MarkovChains) throws {
    try append(&chains, flushing: false)
  }

  private func append(_ chains: inout MarkovChains, flushing: Bool) throws {
    func append<Number>(_ numbers: [Number], to file: String, total: Int) throws {
      let length = (total - numbers.count) * MemoryLayout<Number>.stride
      try numbers.withUnsafeBytes { bytes in
        try GrowingFile.append(bytes, to: file, at: length, flushing: flushing)
      }
    }
    try append(chains.records, to: recordsFile, total: chains.totalRecordCount)
    try append(chains.draws, to: drawsFile, total: chains.totalDrawCount)
    chains.clearRecords()
  }

  /// Reads the chains back, to be continued with `sampler`.
  ///
  /// - Throws: `HDF5Error` if the file is none of ours or damaged, `Failure` if it belongs to another inversion.
  public func read(for sampler: any Sampler) throws -> MarkovChains {
    let file = try HDF5File(opening: path)
    let root = file.root
    guard try root.attributes.contains("kind"),
      try root.attributes.string("kind") == "phalarope markov chains"
    else {
      throw HDF5Error(.wrongContent, path: path, "not a checkpoint of an inversion")
    }
    guard try root.attributes.string("configuration") == configuration else {
      throw Failure.otherInversion(
        path: path, "its configuration differs; continue with the run's own config.yaml, or use --overwrite")
    }
    func numbers(_ name: String) throws -> [Double] { try root.dataset(name).read(as: Double.self) }
    func tensor(_ name: String) throws -> Tensor<Double> {
      let dataset = try root.dataset(name)
      guard let shape = Shape(exactly: try dataset.shape()) else {
        throw HDF5Error(.corrupt, path: path, object: name, "it has too many axes")
      }
      return Tensor(shape: shape, scalars: try dataset.read(as: Double.self))
    }
    var points = ChainPoints(
      try tensor("coordinates"), misfits: try numbers("misfits"), gradients: try tensor("gradients"),
      screeningMisfits: try numbers("screening_misfits"),
      screeningGradients: try tensor("screening_gradients"), noiseVariances: try numbers("noise_variances"))
    let prior = sampler.problem.prior
    let count = points.misfits.count
    let stepSizes = try numbers("step_sizes")
    guard points.coordinates.shape == [count, prior.coordinateCount], stepSizes.count == count,
      points.noiseVariances.count == count, [0, count].contains(points.screeningMisfits.count)
    else {
      throw HDF5Error(.corrupt, path: path, object: "coordinates", "its arrays do not fit together")
    }
    points.fields = prior.makeFields(points.coordinates)
    var chains = MarkovChains(points, of: sampler.problem, stepSizes: stepSizes)
    chains.iteration = try root.attributes.scalar("iteration", as: Int.self)
    chains.keptDraws = try root.attributes.scalar("kept_draws", as: Int.self)
    chains.storedDraws = try root.attributes.scalar("stored_draws", as: Int.self)
    let solves = try root.dataset("solves").read(as: Int.self)
    let moments = try (
      field: (tensor("field_means"), tensor("field_squares")),
      coordinate: (tensor("coordinate_means"), tensor("coordinate_squares"))
    )
    guard solves.count == 3, chains.keptDraws >= 0, chains.keptDraws <= chains.iteration,
      chains.storedDraws >= 0, chains.storedDraws <= chains.keptDraws,
      moments.field.0.shape == [count, prior.points], moments.field.1.shape == moments.field.0.shape,
      moments.coordinate.0.shape == points.coordinates.shape,
      moments.coordinate.1.shape == points.coordinates.shape
    else {
      throw HDF5Error(.corrupt, path: path, "its arrays do not fit together")
    }
    chains.solves = .init(forward: solves[0], screening: solves[1], failed: solves[2])
    chains.fieldMoments = RunningMoments(
      means: moments.field.0, squaredDeviations: moments.field.1, number: chains.keptDraws)
    chains.coordinateMoments = RunningMoments(
      means: moments.coordinate.0, squaredDeviations: moments.coordinate.1, number: chains.keptDraws)
    return chains
  }

  /// The time that the chains took up to this checkpoint.
  ///
  /// - Throws: `HDF5Error`.
  public func seconds() throws -> Double {
    try HDF5File(opening: path).root.attributes.scalar("seconds", as: Double.self)
  }

  /// The records of chains just written to or read from this checkpoint.
  ///
  /// - Throws: `HDF5Error` if the files beside the checkpoint do not belong to it.
  public func history(of chains: MarkovChains) throws -> ChainHistory {
    try ChainHistory(chains, records: recordsFile, draws: drawsFile)
  }
}
