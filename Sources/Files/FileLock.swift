import Glibc

/// A file that one process at a time has for itself: advice to other processes that ask in the same way.
///
/// The system gives the lock back when the process ends, however it ends; the file stays. It holds the number of the
/// process that had it last. Where a file system knows no locks, everybody gets them.
public final class FileLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock of a file, which is created if it does not exist; nil if another holder has it.
  ///
  /// - Throws: `FileError` if the file cannot be created.
  public init?(_ path: String) throws(FileError) {
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileError(.notCreatable, path: path) }
    guard Self.take(descriptor) else { return nil }
    // For whoever is refused; of no other use, so it may fail.
    let number = "\(getpid())\n"
    _ = ftruncate(descriptor, 0)
    _ = write(descriptor, number, number.utf8.count)
  }

  deinit { close(descriptor) }

  /// Whether somebody has the lock of a file now.
  public static func isTaken(_ path: String) -> Bool {
    let descriptor = open(path, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return !take(descriptor)
  }

  /// The number of the process that took the lock last.
  public static func holder(of path: String) -> Int? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = read(descriptor, &bytes, bytes.count)
    return Int(
      String(decoding: bytes.prefix(max(0, count)).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
  }

  private static func take(_ descriptor: Int32) -> Bool {
    flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK
  }
}
