import CZip
import Files
import Glibc

/// Writes zip archives whose members are stored as they are, not compressed.
public enum ZipWriter {
  /// A member to be written.
  public struct Member {
    /// Its name, with folders.
    public let name: String
    /// How many bytes it has.
    public let size: Int
    /// Gives the next bytes, of any number; empty when there are no more.
    public let next: () throws -> [UInt8]

    /// A member whose bytes come in parts, so that it need not fit in memory.
    public init(name: String, size: Int, next: @escaping () throws -> [UInt8]) {
      self.name = name
      self.size = size
      self.next = next
    }

    /// A member whose bytes are here.
    public init(name: String, bytes: [UInt8]) {
      var rest = bytes
      self.init(name: name, size: bytes.count) {
        defer { rest = [] }
        return rest
      }
    }
  }

  /// Writes an archive to a temporary name beside `path`, flushes it to the disk, then renames it.
  ///
  /// - Throws: `ArchiveError`, `FileError`, or what a member throws; nothing is left then.
  public static func write(_ members: [Member], to path: String) throws {
    let temporary = "\(path).\(getpid()).tmp"
    var code: Int32 = 0
    guard let archive = zip_open(temporary, ZIP_CREATE | ZIP_TRUNCATE, &code) else {
      throw ArchiveError(.notCreatable, path: path, "cannot be created: \(text(of: code))")
    }
    var isClosed = false
    defer {
      if !isClosed { zip_discard(archive) }
      unlink(temporary)
    }
    // The library asks for the bytes while it closes the archive.
    let suppliers = members.map { Supplier($0) }
    for supplier in suppliers {
      let context = Unmanaged.passUnretained(supplier).toOpaque()
      guard let source = zip_source_function(archive, supply, context) else {
        throw ArchiveError(.writeFailed, path: path, "cannot be written: not enough memory")
      }
      let index = zip_file_add(archive, supplier.member.name, source, zip_flags_t(ZIP_FL_ENC_UTF_8))
      guard index >= 0 else {
        zip_source_free(source)
        throw ArchiveError(.writeFailed, path: path, "cannot be written: \(message(of: archive))")
      }
      zip_set_file_compression(archive, UInt64(index), ZIP_CM_STORE, 0)
      // The same content gives the same bytes: the time is that of the format's beginning, 1 January 1980.
      zip_file_set_dostime(archive, UInt64(index), 0, 1 << 5 | 1, 0)
    }
    let status = withExtendedLifetime(suppliers) { zip_close(archive) }
    if let error = suppliers.lazy.compactMap(\.error).first { throw error }
    guard status == 0 else {
      throw ArchiveError(.writeFailed, path: path, "cannot be written: \(message(of: archive))")
    }
    isClosed = true
    let descriptor = open(temporary, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0, fsync(descriptor) == 0 else {
      throw ArchiveError(.writeFailed, path: path, "cannot be written: \(String(cString: strerror(errno)))")
    }
    close(descriptor)
    try AtomicFile.rename(temporary, to: path)
  }

  private static func message(of archive: OpaquePointer) -> String {
    String(cString: zip_strerror(archive))
  }

  private static func text(of code: Int32) -> String {
    var error = zip_error_t()
    zip_error_init_with_code(&error, code)
    defer { zip_error_fini(&error) }
    return String(cString: zip_error_strerror(&error))
  }
}

/// A member while the library reads it.
private final class Supplier {
  let member: ZipWriter.Member
  var error: (any Error)?
  private var part: [UInt8] = []
  private var used = 0
  private var total = 0

  init(_ member: ZipWriter.Member) { self.member = member }

  func read(into target: UnsafeMutableRawBufferPointer) -> Int64 {
    do {
      if used == part.count {
        part = try member.next()
        used = 0
        total += part.count
        precondition(
          part.isEmpty ? total == member.size : total <= member.size, "'\(member.name)' has another size")
      }
      let size = min(target.count, part.count - used)
      part.withUnsafeBytes {
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[used..<used + size]))
      }
      used += size
      return Int64(size)
    } catch {
      self.error = error
      return -1
    }
  }
}

/// The library's way to ask a source for something.
private func supply(
  _ context: UnsafeMutableRawPointer?, _ data: UnsafeMutableRawPointer?, _ length: UInt64,
  _ command: zip_source_cmd_t
) -> Int64 {
  guard let context else { return -1 }
  let supplier = Unmanaged<Supplier>.fromOpaque(context).takeUnretainedValue()
  switch command {
  case ZIP_SOURCE_OPEN, ZIP_SOURCE_CLOSE, ZIP_SOURCE_FREE: return 0
  case ZIP_SOURCE_READ:
    return supplier.read(into: UnsafeMutableRawBufferPointer(start: data, count: Int(length)))
  case ZIP_SOURCE_STAT:
    guard let status = data?.bindMemory(to: zip_stat_t.self, capacity: 1) else { return -1 }
    zip_stat_init(status)
    status.pointee.size = UInt64(supplier.member.size)
    status.pointee.comp_size = status.pointee.size
    status.pointee.comp_method = UInt16(ZIP_CM_STORE)
    status.pointee.valid = UInt64(ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD)
    return Int64(MemoryLayout<zip_stat_t>.size)
  case ZIP_SOURCE_ERROR:
    guard let codes = data?.bindMemory(to: Int32.self, capacity: 2) else { return -1 }
    codes[0] = ZIP_ER_READ
    codes[1] = EIO
    return 8
  case ZIP_SOURCE_SUPPORTS:
    let commands = [
      ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
    ]
    return commands.reduce(0) { $0 | 1 << Int64($1.rawValue) }
  default: return -1
  }
}
