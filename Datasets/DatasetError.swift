/// Why a dataset cannot be written or used.
public enum DatasetError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The output exists and is not to be overwritten.
  case alreadyExists(path: String)
  /// A partial file was made with other settings.
  case otherConfiguration(partial: String, difference: String)
  /// Another process writes the same dataset.
  case inUse(path: String)
  /// A file of the system's that belongs to a dataset cannot be written.
  case writeFailed(path: String, reason: String)
  /// An HDF5 file that is no dataset of this layout.
  case wrongLayout(path: String, reason: String)
  /// A file of another layout that is truncated or damaged.
  case damaged(path: String, reason: String)
  /// A file that holds nothing that can be read as a dataset.
  case notReadable(path: String, reason: String)
  /// A dataset that was not finished.
  case incomplete(path: String, completed: Int, of: Int)
  /// A number of a stored field is not finite.
  case nonFinite(path: String, field: String, sample: Int)
  /// A number of a solution is not finite, so it was not stored.
  case nonFiniteSolution(field: String, sample: Int)
  /// The stored fields of a sample are not those that were written.
  case wrongChecksum(path: String, sample: Int)
  /// More samples are asked for than there are, or some for training and testing both.
  case invalidSplit(String)
  /// A normalizer meets fields that it was not fitted to, or cannot be fitted.
  case invalidNormalizer(String)
  /// A shard that cannot be.
  case invalidShard(String)
  /// A file that is no part of what it is to be merged with.
  case notTogether(path: String, reason: String)
  /// Two files hold the same part of a dataset.
  case sameShard(path: String, other: String)
  /// Parts that a dataset cannot be merged without.
  case missingShards(names: [String], count: Int)
  /// The output exists and holds something else.
  case existsOtherwise(path: String, difference: String)
  /// The room for the fields cannot be taken.
  case noRoom(path: String, bytes: Int, reason: String)
  /// A part of a field that is not there, or a stride that misses a boundary.
  case invalidSelection(path: String, reason: String)

  /// One line: what, where, what to do.
  public var description: String {
    switch self {
    case .alreadyExists(let path):
      "\(path): exists already; replace it with --overwrite, or name another output"
    case .otherConfiguration(let partial, let difference):
      "\(partial): is unfinished and \(difference); finish it first, or replace it with --overwrite"
    case .inUse(let path): "\(path): another process is writing it"
    case .writeFailed(let path, let reason): "\(path): writing failed: \(reason)"
    case .wrongLayout(let path, let reason): "\(path): not a dataset in the layout of The Well: \(reason)"
    case .damaged(let path, let reason): "\(path): damaged: \(reason)"
    case .notReadable(let path, let reason): "\(path): not a dataset that can be read: \(reason)"
    case .incomplete(let path, let completed, let count):
      "\(path): incomplete, \(completed) of \(count) samples; run the same generate again to continue it"
    case .nonFinite(let path, let field, let sample):
      "\(path): sample \(sample) of '\(field)' holds a number that is not finite; generate the file again"
    case .nonFiniteSolution(let field, let sample):
      "sample \(sample): '\(field)' is not finite in the stored precision; use a smaller time step or double"
    case .wrongChecksum(let path, let sample):
      "\(path): sample \(sample) is not as it was written (wrong checksum); restore the file from a copy"
    case .invalidSplit(let text), .invalidNormalizer(let text): text
    case .invalidShard(let text): text
    case .notTogether(let path, let reason): "\(path): \(reason)"
    case .sameShard(let path, let other): "\(path): holds the same shard as \(other); name each once"
    case .missingShards(let names, let count):
      "\(names.count) of \(count) shards are missing: \(names.prefix(5).joined(separator: ", "))"
        + (names.count > 5 ? " and others" : "")
    case .existsOtherwise(let path, let difference):
      "\(path): exists already and \(difference); replace it with --overwrite, or name another output"
    case .noRoom(let path, let bytes, let reason):
      "\(path): there is no room for its fields, \(Self.size(bytes)): \(reason)"
    case .invalidSelection(let path, let reason): "\(path): \(reason)"
    }
  }

  /// The exit status (sysexits.h) of a command that ends with this error.
  public var exitStatus: Int32 {
    switch self {
    case .alreadyExists, .existsOtherwise, .otherConfiguration, .inUse: 73
    case .writeFailed, .noRoom: 74
    case .missingShards: 66
    case .wrongLayout, .damaged, .notReadable, .incomplete, .nonFinite, .wrongChecksum, .nonFiniteSolution,
      .notTogether:
      65
    case .invalidSplit, .invalidNormalizer, .invalidSelection, .invalidShard, .sameShard: 64
    }
  }

  /// A number of bytes as people write it.
  private static func size(_ bytes: Int) -> String {
    var (value, unit) = (Double(bytes), "bytes")
    for larger in ["kB", "MB", "GB", "TB"] where value >= 1000 { (value, unit) = (value / 1000, larger) }
    return value < 10 && unit != "bytes"
      ? "\((value * 10).rounded() / 10) \(unit)" : "\(Int(value.rounded())) \(unit)"
  }
}
