/// Why a file, a compressed stream or a zip archive could not be read or written.
public struct ArchiveError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of failure it is.
  public enum Kind: Sendable, Equatable {
    /// There is no such file.
    case missing
    /// The file is there but cannot be read.
    case unreadable
    /// The content is truncated, damaged, or of a kind that is refused.
    case damaged
    /// The file cannot be created.
    case notCreatable
    /// Writing failed: the disk is full, the device failed.
    case writeFailed
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// The file.
  public let path: String
  /// What is wrong, without the path.
  public let reason: String

  /// A failure.
  public init(_ kind: Kind, path: String, _ reason: String) {
    self.kind = kind
    self.path = path
    self.reason = reason
  }

  /// One line: the file and what is wrong.
  public var description: String { "\(path): \(reason)" }

  /// The exit status (sysexits.h) of a command that ends with this error.
  public var exitStatus: Int32 {
    switch kind {
    case .missing, .unreadable: 66
    case .damaged: 65
    case .notCreatable: 73
    case .writeFailed: 74
    }
  }
}
