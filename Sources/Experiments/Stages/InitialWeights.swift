import NeuralOperators
import Training

/// The weights of another run, with which a training begins: `initial_weights`.
struct InitialWeights {
  /// The weights.
  let transfer: WeightTransfer
  /// Where they come from.
  let origin: Manifest.InitialWeights
  /// What is taken and what is not, a line each.
  let notes: [String]

  /// The weights that a configuration asks for, if it does, for its model.
  ///
  /// They are those that the other run's numbers are of: `finalCheckpoint`.
  /// - Throws: `InputError` if there is no such run, `TrainingError.mismatchedWeights` with all names if its weights
  ///   do not fit, `HDF5Error`.
  init?(_ config: TrainConfig, model: ModelConfiguration) throws {
    guard let path = config.initialWeights else { return nil }
    let run = try RunFolder(opening: path)
    let source = try run.trainConfig()
    let checkpoint = source.finalCheckpoint(of: run)
    transfer = try WeightTransfer(Checkpoint(contentsOf: checkpoint), to: model)
    origin = Manifest.InitialWeights(
      run: path, checkpoint: checkpoint, checksum: Text.hexadecimal(transfer.checksum),
      renewedLayers: transfer.renewedLayers, config: source.resolvedYAML)
    let count = transfer.kept.count
    let renewed = transfer.renewedLayers
    let kept =
      renewed.isEmpty
      ? "all \(count) tensors of \(path) are taken"
      : "\(count) tensors of \(path) are taken; the K-matrices of \(renewed.joined(separator: ", ")) do not fit the "
        + "grid and begin anew, as those of convolutions"
    // Equal shapes do not make an equal model.
    let before = try ConfigNode(parsing: source.resolvedYAML, path: path)
    let differences = try ConfigNode(parsing: config.resolvedYAML, path: config.output)
      .differences(from: before).filter { $0.key.hasPrefix("model.") }
      .map { "\($0.key) was \($0.before ?? "absent") and is \($0.now ?? "absent")" }
    notes =
      ["initial weights: \(kept)"]
      + (differences.isEmpty ? [] : ["initial weights: \(differences.joined(separator: ", "))"])
  }
}
