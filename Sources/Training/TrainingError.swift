/// Why training, or the use of a trained model, cannot go on.
public enum TrainingError: Error, Equatable, CustomStringConvertible {
  /// A file that is no checkpoint, or a damaged one; the reason says which.
  case invalidCheckpoint(path: String, reason: String)
  /// A checkpoint whose arrays are not those of the model; the lists name all of them.
  case mismatchedWeights(path: String, missing: [String], extra: [String], misshapen: [String])
  /// A file of weights that cannot be what it should be; the reason says why.
  case invalidWeights(path: String, reason: String)
  /// The loss stopped being finite; the weights are those from before the batch.
  case diverged(epoch: Int, batch: Int, loss: Double)
  /// The gradient is not finite although the loss is; the weights are those from before the batch.
  case divergedGradient(epoch: Int, batch: Int)
  /// Data that the model cannot be trained on or applied to; the text says why.
  case invalidData(String)

  /// One or two lines: what, where, and what to do.
  public var description: String {
    switch self {
    case .invalidCheckpoint(let path, let reason), .invalidWeights(let path, let reason): "\(path): \(reason)"
    case .mismatchedWeights(let path, let missing, let extra, let misshapen):
      "\(path): not the weights of this model: "
        + [("missing", missing), ("unknown", extra), ("of another shape", misshapen)]
        .filter { !$0.1.isEmpty }
        .map { "\($0.0): \($0.1.joined(separator: ", "))" }.joined(separator: "; ")
    case .diverged(let epoch, let batch, let loss):
      "the loss became \(loss) in epoch \(epoch), batch \(batch); checkpoints are from before it: "
        + "train anew with a smaller learning rate or with gradient clipping"
    case .divergedGradient(let epoch, let batch):
      "the gradient is not finite in epoch \(epoch), batch \(batch); checkpoints are from before it: "
        + "train anew with a smaller learning rate or with gradient clipping"
    case .invalidData(let text): text
    }
  }

  /// The exit status (sysexits.h) of a command that ends with this error.
  public var exitStatus: Int32 { 65 }
}
