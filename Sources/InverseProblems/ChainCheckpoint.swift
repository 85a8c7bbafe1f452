import Foundation
import HDF5
import Tensors

/// The chains of an interrupted inversion in a file, to be continued with the same bits.
public enum ChainCheckpoint {
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

  /// Writes the chains; `configuration` is what they may be continued with.
  ///
  /// - Throws: `HDF5Error`.
  public static func write(_ chains: MarkovChains, configuration: String, to path: String) throws {
    try HDF5File.write(to: path, overwriting: true) { file in
      let root = file.root
      try root.attributes.set("kind", "phalarope markov chains")
      try root.attributes.set("configuration", configuration)
      try root.attributes.set("iteration", chains.iteration)
      try root.attributes.set("kept_draws", chains.keptDraws)
      try root.createDataset("states", chains.states.scalars, shape: chains.states.shape)
      try root.createDataset("means", chains.means.scalars, shape: chains.means.shape)
      try root.createDataset(
        "squared_deviations", chains.squaredDeviations.scalars, shape: chains.squaredDeviations.shape)
      try root.createDataset("misfits", chains.misfits)
      try root.createDataset("step_sizes", chains.stepSizes)
      let shape = [chains.count, chains.iteration]
      try root.createDataset("misfit_traces", chains.misfitTraces.flatMap { $0 }, shape: shape)
      try root.createDataset("acceptances", chains.acceptances.flatMap { $0 }, shape: shape)
      let modes = chains.modeTraces[0].count
      try root.createDataset(
        "mode_traces", chains.modeTraces.flatMap { $0.flatMap { $0 } },
        shape: [chains.count, modes, chains.keptDraws])
      try root.createDataset(
        "thinned_draws", chains.thinnedDraws.flatMap { $0.flatMap(\.scalars) },
        shape: [chains.count, chains.thinnedDraws[0].count] + chains.grid)
    }
  }

  /// Reads the chains back.
  ///
  /// - Throws: `HDF5Error` if the file is none of ours or damaged, `Failure` if it belongs to another inversion.
  public static func read(_ path: String, configuration: String) throws -> MarkovChains {
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
    let states = try tensor("states", root)
    let misfits = try root.dataset("misfits").read(as: Double.self)
    guard states.rank >= 2, states.shape[0] == misfits.count else {
      throw HDF5Error(.corrupt, path: path, object: "states", "states and misfits do not fit together")
    }
    var chains = MarkovChains(states: states, misfits: misfits, stepSize: 1)
    chains.iteration = try root.attributes.scalar("iteration", as: Int.self)
    chains.keptDraws = try root.attributes.scalar("kept_draws", as: Int.self)
    chains.stepSizes = try root.dataset("step_sizes").read(as: Double.self)
    chains.means = try tensor("means", root)
    chains.squaredDeviations = try tensor("squared_deviations", root)
    chains.misfitTraces = split(try root.dataset("misfit_traces").read(as: Double.self), into: chains.count)
    chains.acceptances = split(try root.dataset("acceptances").read(as: Bool.self), into: chains.count)
    let modes = chains.modeTraces[0].count
    chains.modeTraces = split(try root.dataset("mode_traces").read(as: Double.self), into: chains.count)
      .map { split($0, into: modes) }
    let draws = try root.dataset("thinned_draws")
    let stored = try draws.shape()[1]
    chains.thinnedDraws = split(try draws.read(as: Float.self), into: chains.count).map { chain in
      stored == 0 ? [] : split(chain, into: stored).map { Tensor(shape: chains.grid, scalars: $0) }
    }
    guard chains.isConsistent else {
      throw HDF5Error(.corrupt, path: path, "the lengths of its traces do not fit together")
    }
    return chains
  }

  private static func tensor(_ name: String, _ group: HDF5Group) throws -> Tensor<Double> {
    let dataset = try group.dataset(name)
    return Tensor(shape: try dataset.shape(), scalars: try dataset.read(as: Double.self))
  }

  private static func split<Element>(_ values: [Element], into parts: Int) -> [[Element]] {
    let length = values.count / max(1, parts)
    return (0..<parts).map { Array(values[$0 * length..<($0 + 1) * length]) }
  }
}

extension MarkovChains {
  /// Whether all parts have the lengths that belong together.
  fileprivate var isConsistent: Bool {
    stepSizes.count == count && means.shape == states.shape && squaredDeviations.shape == states.shape
      && keptDraws >= 0 && keptDraws <= iteration && misfitTraces.allSatisfy { $0.count == iteration }
      && acceptances.allSatisfy { $0.count == iteration }
      && modeTraces.allSatisfy { $0.allSatisfy { $0.count == keptDraws } }
  }
}
