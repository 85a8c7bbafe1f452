import Glibc

/// Why a file could not be written.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// How far it came.
  public enum Kind: Sendable, Equatable {
    /// It could not be created: no such folder, no permission, a folder of that name.
    case notCreatable
    /// Writing failed half-way: the disk is full, the device failed.
    case writeFailed
  }

  /// How far it came.
  public let kind: Kind
  /// The file.
  public let path: String
  /// The reason, in the system's words.
  public let reason: String

  /// A failure; the reason is that of the last system call unless given.
  public init(_ kind: Kind, path: String, reason: String = String(cString: strerror(errno))) {
    self.kind = kind
    self.path = path
    self.reason = reason
  }

  /// One line: the file, what happened, why.
  public var description: String {
    switch kind {
    case .notCreatable: "\(path): cannot be created: \(reason)"
    case .writeFailed: "\(path): cannot be written: \(reason)"
    }
  }
}

/// Files that are whole or absent.
public enum AtomicFile {
  /// Writes `bytes` to a temporary name beside `path`, flushes it to the disk, then renames it.
  ///
  /// A reader, or a machine that loses power, never sees half a file. An existing file is replaced.
  /// - Parameter temporary: The temporary name, unless it is to be one of this process alone: who knows that
  ///   no other process writes the file gives a fixed one, so that a kill leaves nothing that stays.
  /// - Throws: `FileError`; what was at `path` is as it was, and nothing is left beside it.
  public static func write(
    _ bytes: some Collection<UInt8>, to path: String, temporary: String? = nil
  ) throws(FileError) {
    let temporary = temporary ?? "\(path).\(getpid()).partial"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileError(.notCreatable, path: path) }
    do throws(FileError) {
      try writeAll(bytes, to: descriptor, path: path)
      guard fsync(descriptor) == 0 else { throw FileError(.writeFailed, path: path) }
    } catch {
      close(descriptor)
      unlink(temporary)
      throw error
    }
    close(descriptor)
    do throws(FileError) { try rename(temporary, to: path) } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Writes `text` in UTF-8, whole or not at all.
  ///
  /// - Throws: `FileError`.
  public static func write(_ text: String, to path: String) throws(FileError) {
    try write(Array(text.utf8), to: path)
  }

  /// Adds text to the end of a file, which is created if it does not exist.
  ///
  /// - Throws: `FileError`.
  public static func append(_ text: String, to path: String) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileError(.notCreatable, path: path) }
    defer { close(descriptor) }
    try writeAll(Array(text.utf8), to: descriptor, path: path)
  }

  /// Gives a file whose data the disk has another name, and makes that name durable.
  ///
  /// - Throws: `FileError`.
  public static func rename(_ source: String, to target: String) throws(FileError) {
    guard Glibc.rename(source, target) == 0 else { throw FileError(.notCreatable, path: target) }
    let slash = target.lastIndex(of: "/")
    let folder = slash.map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? "."
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }  // a folder that cannot be read has the name all the same
    fsync(descriptor)
    close(descriptor)
  }

  /// Removes a file; one that is not there is no error.
  ///
  /// - Throws: `FileError`.
  public static func remove(_ path: String) throws(FileError) {
    guard unlink(path) == 0 || errno == ENOENT else { throw FileError(.notCreatable, path: path) }
  }

  private static func writeAll(
    _ bytes: some Collection<UInt8>, to descriptor: Int32, path: String
  ) throws(FileError) {
    let contents = Array(bytes)
    var written = 0
    while written < contents.count {
      let count = contents.withUnsafeBytes { buffer in
        Glibc.write(descriptor, buffer.baseAddress! + written, buffer.count - written)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw FileError(.writeFailed, path: path) }
      written += count
    }
  }
}
