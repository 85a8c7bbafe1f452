import CCrashGuard
import CHDF5
import Glibc

/// The HDF5 library: the one way in, a lock, and its errors as text.
///
/// Debian builds HDF5 thread-safe, other systems do not, so calls are serialised here. The lock is recursive
/// because an operation may use another. Everything that the library's error handling keeps per thread is
/// set on entry and cleaned on exit: an error left on a worker's stack makes the library loop at exit.
enum Library {
  private static let lock = RecursiveLock()

  /// Files are closed by ownership; HDF5's own clean-up at exit would run after Swift's threads are gone.
  private static let prepared: Void = {
    _ = H5dont_atexit()
    _ = H5open()
    LZFFilter.register()
    // A file must not make its reader open others: links into other files lead nowhere.
    H5Lunregister(H5L_TYPE_EXTERNAL)
  }()

  /// Calls `body` while no other thread uses the library, with its messages on standard error turned off.
  static func perform<Result>(_ body: () throws -> Result) rethrows -> Result {
    lock.lock()
    defer { lock.unlock() }
    _ = prepared
    crash_guard_enter()
    defer { crash_guard_leave() }
    H5Eset_auto2(0, nil, nil)
    defer { H5Eclear2(0) }
    return try body()
  }

  /// The lines to end with if the library crashes in a file; never freed, a crash may come at any time.
  nonisolated(unsafe) private static var blames: [String: UnsafePointer<CChar>] = [:]

  /// Says that a crash from now on is this file's fault; call it under the lock.
  @discardableResult
  static func blame(_ path: String) -> UnsafePointer<CChar> {
    let text = "error: \(path): damaged: the HDF5 library failed in it; copy the file again\n"
    let message = blames[path] ?? UnsafePointer(strdup(text))!
    blames[path] = message
    crash_guard_blame(message)
    return message
  }

  /// What the library says about the failed call, innermost message first; call it before anything else.
  static func failureText() -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 8192) { buffer in
      chdf5_error_text(buffer.baseAddress, buffer.count)
      return String(cString: buffer.baseAddress!)
    }
  }

  /// What the system's words for want of room on the disk mean; nil if they say something else.
  static func wantOfRoom(_ text: String) -> String? {
    if text.contains("No space left on device") { return "the disk is full" }
    guard text.contains("File too large") || text.contains("quota exceeded") else { return nil }
    return "the file may not grow: a size limit or quota is reached"
  }

  /// The error of a failed call, its kind corrected by what the library says.
  static func failure(
    _ kind: HDF5Error.Kind, _ path: String, _ object: String?, _ what: String
  ) -> HDF5Error {
    let text = failureText()
    var error: (kind: HDF5Error.Kind, reason: String)
    if let reason = wantOfRoom(text) {
      error = (.writeFailed, reason)
    } else if text.contains("Input/output error") {
      error = (kind == .writeFailed ? .writeFailed : .unreadable, "the device gave an input/output error")
    } else if text.contains("file write failed") {
      error = (.writeFailed, "the system refused the write")
    } else if text.contains("Fletcher32") {
      error = (.corrupt, "the checksum of a chunk is wrong, so the data is damaged; restore it from a copy")
    } else if text.contains("required filter") {
      let line = text.split(separator: "\n").first { $0.contains("required filter") }
      error = (
        .wrongContent, "\(line ?? "a required filter is missing"); save it again with gzip or no compression"
      )
    } else {
      let reason = text.split(separator: "\n").first.map(String.init)
      error = (kind, reason ?? "HDF5 gives no reason")
    }
    return HDF5Error(error.kind, path: path, object: object, "\(what): \(error.reason)")
  }
}

/// A lock that its owner may take again.
private final class RecursiveLock: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  init() {
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_RECURSIVE))
    pthread_mutex_init(mutex, &attributes)
    pthread_mutexattr_destroy(&attributes)
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }
}

/// An identifier of the library, closed with its last reference.
final class Identifier: @unchecked Sendable {
  let number: hid_t
  private let close: (hid_t) -> herr_t
  /// Closing the file closed everything in it already.
  private let file: OpenFile?

  init(_ number: hid_t, in file: OpenFile? = nil, closedBy close: @escaping (hid_t) -> herr_t) {
    self.number = number
    self.file = file
    self.close = close
  }

  deinit {
    Library.perform {
      if file?.isOpen ?? true { _ = close(number) }
    }
  }
}

/// An open file, closed with its last reference.
///
/// Everything that was opened in it keeps it alive.
final class OpenFile: @unchecked Sendable {
  let number: hid_t
  let path: String
  let isWritable: Bool
  private(set) var isOpen = true
  /// What a crash of the library in this file means: HDF5 does not survive every damaged file.
  private let blame: UnsafePointer<CChar>
  /// The bytes that it had when it was opened.
  private let size: Int

  init(_ number: hid_t, path: String, isWritable: Bool) {
    self.number = number
    self.path = path
    self.isWritable = isWritable
    blame = Library.blame(path)
    size = Self.size(number) ?? 0
  }

  /// Throws if a file that is only read has become shorter: HDF5 reads zeros where it has no bytes any more.
  func checkLength() throws {
    guard !isWritable, let left = Self.size(number), left < size else { return }
    throw HDF5Error(
      .corrupt, path: path,
      "has become shorter since it was opened, \(left) bytes of \(size): something writes to it; copy the file again"
    )
  }

  /// The number by which the system knows an open file, if the library tells it.
  private static func descriptor(_ number: hid_t) -> Int32? {
    var handle: UnsafeMutableRawPointer?
    guard H5Fget_vfd_handle(number, 0, &handle) >= 0 else { return nil }
    return handle?.load(as: Int32.self)
  }

  /// The bytes of an open file now, if the library says where it is.
  private static func size(_ number: hid_t) -> Int? {
    var status = stat()
    guard let descriptor = descriptor(number), fstat(descriptor, &status) == 0 else { return nil }
    return Int(status.st_size)
  }

  /// Gives the file's descriptor and the bytes that it has now to `call`, whose result is 0 or why the system refused.
  ///
  /// - Throws: `HDF5Error` of kind `writeFailed`.
  func ask(_ call: (_ descriptor: Int32, _ size: Int) -> Int32) throws {
    guard let descriptor = Self.descriptor(number), let size = Self.size(number) else {
      throw Library.failure(.writeFailed, path, nil, "the library does not say where it is")
    }
    let code = call(descriptor, size)
    guard code != 0 else { return }
    let words = String(cString: strerror(code))
    throw HDF5Error(.writeFailed, path: path, "writing failed: \(Library.wantOfRoom(words) ?? words)")
  }

  /// Called before every use of the file.
  func enter() { crash_guard_blame(blame) }

  /// Closes the file whatever happens; the result is the library's status.
  func close() -> herr_t {
    guard isOpen else { return 0 }
    isOpen = false
    enter()
    return H5Fclose(number)
  }

  deinit { Library.perform { _ = close() } }
}
