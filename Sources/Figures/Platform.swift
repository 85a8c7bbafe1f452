#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

// The few functions of the C library that this module needs, so that no other file imports a platform.

func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }

func decimalLogarithm(_ value: Double) -> Double { log10(value) }

/// The cosine and sine of a fraction of the full turn.
func direction(_ turn: Double) -> (cosine: Double, sine: Double) {
  (cos(2 * .pi * turn), sin(2 * .pi * turn))
}

func cubeRoot(_ value: Double) -> Double { cbrt(value) }

/// An error of the module: a file that cannot be written or an image that cannot be coded.
public enum FigureError: Error, Equatable, CustomStringConvertible {
  /// The file could not be written; the reason is the operating system's.
  case cannotWrite(path: String, reason: String)

  /// The bytes are not a PNG image that libpng can read, or the image cannot be encoded.
  case invalidImage(reason: String)

  /// What went wrong, where, and what to do.
  public var description: String {
    switch self {
    case .cannotWrite(let path, let reason):
      "\(path): cannot write the file: \(reason); check the folder, its permissions and the free space"
    case .invalidImage(let reason): "invalid PNG image: \(reason)"
    }
  }
}

/// Files that are whole or absent.
public enum AtomicFile {
  /// Writes `bytes` to a temporary name beside `path`, flushes it to the disk, then renames it.
  ///
  /// A reader, or a machine that loses power, never sees half a file. An existing file is replaced.
  /// - Throws: ``FigureError/cannotWrite(path:reason:)``.
  public static func write(_ bytes: some Collection<UInt8>, to path: String) throws(FigureError) {
    let temporary = "\(path).partial-\(getpid())"
    func failure() -> FigureError { .cannotWrite(path: path, reason: String(cString: strerror(errno))) }
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard descriptor >= 0 else { throw failure() }
    let contents = Array(bytes)
    var written = 0
    while written < contents.count {
      let count = contents.withUnsafeBytes { buffer in
        systemWrite(descriptor, buffer.baseAddress! + written, buffer.count - written)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        let error = failure()
        close(descriptor)
        unlink(temporary)
        throw error
      }
      written += count
    }
    guard fsync(descriptor) == 0, close(descriptor) == 0, rename(temporary, path) == 0 else {
      let error = failure()
      unlink(temporary)
      throw error
    }
  }

  /// Writes `text` in UTF-8, whole or not at all.
  ///
  /// - Throws: ``FigureError/cannotWrite(path:reason:)``.
  public static func write(_ text: String, to path: String) throws(FigureError) {
    try write(Array(text.utf8), to: path)
  }
}

private func systemWrite(_ descriptor: Int32, _ start: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, start, count)
}
