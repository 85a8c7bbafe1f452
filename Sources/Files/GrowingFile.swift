import Glibc

/// Files that only grow at their end: logs of binary records.
///
/// After an interruption such a file may end in a part of a record; whoever continues it knows how long it was
/// when it was last whole, and cuts it there.
public enum GrowingFile {
  /// Cuts the file to `length` bytes, adds `bytes` behind them and, unless told otherwise, flushes it to the disk.
  ///
  /// The file is created if it does not exist.
  /// - Throws: `FileError`; also if the file is shorter than `length`.
  public static func append(
    _ bytes: UnsafeRawBufferPointer, to path: String, at length: Int, flushing: Bool = true
  ) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileError(.notCreatable, path: path) }
    defer { close(descriptor) }
    guard lseek(descriptor, 0, SEEK_END) >= length else {
      throw FileError(.writeFailed, path: path, reason: "it is shorter than it was")
    }
    guard ftruncate(descriptor, length) == 0, lseek(descriptor, 0, SEEK_END) == length else {
      throw FileError(.writeFailed, path: path)
    }
    var written = 0
    while written < bytes.count {
      let count = write(descriptor, bytes.baseAddress! + written, bytes.count - written)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw FileError(.writeFailed, path: path) }
      written += count
    }
    guard !flushing || fsync(descriptor) == 0 else { throw FileError(.writeFailed, path: path) }
  }
}
