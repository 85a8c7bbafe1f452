/// Why a file could not be read or written.
///
/// Every message is one line that says what is wrong, where, and what to do where that is known.
public struct HDF5Error: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of failure it is; decides the exit status of a command.
  public enum Kind: Sendable, Equatable {
    /// There is no such file.
    case missing
    /// The file is there but cannot be read: no permission, a folder, locked by a writer.
    case unreadable
    /// The file is not an HDF5 file.
    case notHDF5
    /// An HDF5 file that is truncated or damaged.
    case corrupt
    /// A sound HDF5 file that does not hold what was asked for.
    case wrongContent
    /// The file to be created exists already.
    case alreadyExists
    /// The file cannot be created.
    case cannotCreate
    /// Writing failed: the disk is full, or the device gave an error.
    case writeFailed
    /// The file was closed before.
    case closed
  }

  /// What kind of failure it is.
  public let kind: Kind
  /// The file.
  public let path: String
  /// The group, dataset or attribute inside the file, if it is about one.
  public let object: String?
  /// What is wrong, without the path.
  public let message: String

  /// An error about a file, or an object in it.
  public init(_ kind: Kind, path: String, object: String? = nil, _ message: String) {
    self.kind = kind
    self.path = path
    self.object = object
    self.message = message
  }

  /// One line: the file, what is wrong, what to do.
  public var description: String { "\(path): \(message)" }

  /// The exit status (sysexits.h) of a command that ends with this error.
  public var exitStatus: Int32 {
    switch kind {
    case .missing, .unreadable: 66
    case .notHDF5, .corrupt, .wrongContent: 65
    case .alreadyExists, .cannotCreate: 73
    case .writeFailed: 74
    case .closed: 70
    }
  }
}
