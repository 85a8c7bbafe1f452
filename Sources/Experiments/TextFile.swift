import Files
import Foundation
import Glibc

/// A file that cannot be read.
public struct InputError: Error, Equatable, CustomStringConvertible {
  /// The file.
  public let path: String
  /// Why, in the words of the system or ours.
  public let reason: String

  /// An error about an input file.
  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  /// One line: the file and the reason.
  public var description: String { "\(path): \(reason)" }
}

/// An output that exists already, cannot be created or cannot be written.
public struct OutputError: Error, Equatable, CustomStringConvertible {
  /// What went wrong, as far as the exit status is concerned.
  public enum Kind: Sendable, Equatable {
    /// It exists already and is not to be overwritten.
    case exists
    /// It cannot be created: no such folder, no permission.
    case notCreatable
    /// Writing failed half-way: the disk is full, the device failed.
    case writeFailed
  }

  /// What kind of failure.
  public let kind: Kind
  /// The file or folder.
  public let path: String
  /// What happened and what to do.
  public let reason: String

  /// An error about an output.
  public init(_ kind: Kind, path: String, reason: String) {
    self.kind = kind
    self.path = path
    self.reason = reason
  }

  /// One line: the path and the reason.
  public var description: String { "\(path): \(reason)" }
}

/// Small text files: read whole, written atomically.
public enum TextFile {
  /// The text of a file.
  ///
  /// - Throws: `InputError` if it is missing, unreadable, a folder, or not UTF-8.
  public static func read(_ path: String) throws -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw InputError(path: path, reason: systemMessage(errno)) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw InputError(path: path, reason: systemMessage(errno)) }
      if count == 0 { break }
      bytes += buffer[..<count]
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw InputError(path: path, reason: "not a text file (its bytes are not UTF-8)")
    }
    return text
  }

  /// Writes a file so that it has either its old or its new content, whatever happens.
  ///
  /// - Throws: `OutputError`.
  public static func write(_ text: String, to path: String) throws {
    do { try AtomicFile.write(text, to: path) } catch { throw OutputError(error) }
  }

  /// Adds text to the end of a file, which is created if it does not exist.
  ///
  /// - Throws: `OutputError`.
  public static func append(_ text: String, to path: String) throws {
    do { try AtomicFile.append(text, to: path) } catch { throw OutputError(error) }
  }
}

extension OutputError {
  /// A file that could not be written.
  init(_ error: FileError) {
    switch error.kind {
    case .notCreatable:
      self.init(.notCreatable, path: error.path, reason: "cannot be created: \(error.reason)")
    case .writeFailed:
      self.init(.writeFailed, path: error.path, reason: "cannot be written: \(error.reason)")
    }
  }

  /// The failure of the last system call, which wrote to `path`.
  init(writing path: String) {
    self.init(.writeFailed, path: path, reason: "cannot be written: \(systemMessage(errno))")
  }
}

/// The system's words for an error number.
func systemMessage(_ number: Int32) -> String { String(cString: strerror(number)) }
