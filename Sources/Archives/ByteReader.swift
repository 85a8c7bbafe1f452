import Glibc

/// Bytes with positions, of a file or of something compressed in it.
///
/// Reading forwards is fast everywhere; a compressed reader begins anew when it must go back. For one thread.
public protocol ByteReader: AnyObject {
  /// How many bytes there are, or may be.
  var count: Int { get }
  /// Fills `target` with the bytes from a position on.
  ///
  /// - Throws: `ArchiveError` if there are not so many, or they are damaged.
  func read(at position: Int, into target: UnsafeMutableRawBufferPointer) throws
}

extension ByteReader {
  /// Some bytes from a position on.
  public func bytes(at position: Int, count: Int) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      try read(at: position, into: UnsafeMutableRawBufferPointer(buffer))
      initialized = count
    }
  }
}

/// An open file, read at positions; may be used from several threads.
public final class FileReader: ByteReader, Sendable {
  /// The path of the file.
  public let path: String
  /// How many bytes it has.
  public let count: Int
  private let descriptor: Int32

  /// Opens a file.
  ///
  /// - Throws: `ArchiveError` if there is none, or it is a folder, a device or a pipe.
  public init(opening path: String) throws {
    var status = stat()
    guard stat(path, &status) == 0 else {
      let isMissing = errno == ENOENT || errno == ENOTDIR
      throw ArchiveError(
        isMissing ? .missing : .unreadable, path: path,
        isMissing ? "no such file" : String(cString: strerror(errno)))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ArchiveError(.unreadable, path: path, "is not a file but a folder, a device or a pipe")
    }
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw ArchiveError(.unreadable, path: path, "cannot be read: \(String(cString: strerror(errno)))")
    }
    self.path = path
    count = Int(status.st_size)
  }

  deinit { close(descriptor) }

  /// Fills `target` with the bytes from a position on.
  public func read(at position: Int, into target: UnsafeMutableRawBufferPointer) throws {
    guard position >= 0, position <= count, target.count <= count - position else {
      throw ArchiveError(.damaged, path: path, "truncated: it ends before its data")
    }
    var done = 0
    while done < target.count {
      let size = pread(descriptor, target.baseAddress! + done, target.count - done, position + done)
      if size < 0 && errno == EINTR { continue }
      guard size >= 0 else {
        throw ArchiveError(.unreadable, path: path, "reading failed: \(String(cString: strerror(errno)))")
      }
      guard size > 0 else { throw ArchiveError(.damaged, path: path, "was truncated while it was read") }
      done += size
    }
  }
}
