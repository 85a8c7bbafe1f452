import CZip
import Glibc

/// A zip archive, opened for reading.
public struct ZipArchive: Sendable {
  /// A file in the archive.
  public struct Member: Sendable, Equatable {
    /// Its name, with folders.
    public let name: String
    /// How many bytes it has.
    public let size: Int
    /// Whether it lies in the archive as it is, not compressed.
    public let isStored: Bool
    let index: UInt64
  }

  /// The path of the archive.
  public let path: String
  /// The files in it, in their order.
  public let members: [Member]

  /// More than any archive of arrays has; a list of them takes some 10 MB.
  static let memberLimit = 100_000

  /// Opens an archive and checks its directory.
  ///
  /// - Throws: `ArchiveError` if it is damaged, encrypted, or compressed by anything but deflate.
  public init(opening path: String) throws {
    self.path = path
    let archive = try OpenArchive(path)
    let count = zip_get_num_entries(archive.handle, 0)
    guard count <= Self.memberLimit else {
      throw ArchiveError(.damaged, path: path, "the archive lists \(count) members; refused")
    }
    var members: [Member] = []
    for index in 0..<UInt64(max(0, count)) {
      var status = zip_stat_t()
      guard zip_stat_index(archive.handle, index, 0, &status) == 0, let text = status.name else {
        throw ArchiveError(.damaged, path: path, "the archive's list of members is damaged")
      }
      let name = String(cString: text)
      guard status.encryption_method == ZIP_EM_NONE else {
        throw ArchiveError(.damaged, path: path, "'\(name)' is encrypted")
      }
      let method = Int32(status.comp_method)
      guard method == ZIP_CM_STORE || method == ZIP_CM_DEFLATE else {
        throw ArchiveError(.damaged, path: path, "'\(name)' is compressed by a method other than deflate")
      }
      // Deflate makes at most 1,032 bytes of one: a larger size is a lie.
      let limit = method == ZIP_CM_STORE ? 1 : 1032
      guard let size = Int(exactly: status.size), size <= 1 << 48,
        let packed = Int(exactly: status.comp_size), packed <= archive.byteCount,
        size <= packed * limit
      else { throw ArchiveError(.damaged, path: path, "'\(name)' has an impossible size") }
      members.append(Member(name: name, size: size, isStored: method == ZIP_CM_STORE, index: index))
    }
    guard Set(members.map(\.name)).count == members.count else {
      throw ArchiveError(.damaged, path: path, "two members of the archive have one name")
    }
    self.members = members
  }

  /// The member of a name, if there is one.
  public func member(_ name: String) -> Member? { members.first { $0.name == name } }

  /// A reader of a member's bytes.
  ///
  /// - Throws: `ArchiveError`.
  public func reader(of member: Member) throws -> any ByteReader { try MemberReader(path, member) }

  /// All bytes of a small member.
  ///
  /// - Throws: `ArchiveError` if it is damaged or longer than `limit`.
  public func bytes(of member: Member, limit: Int) throws -> [UInt8] {
    guard member.size <= limit else {
      throw ArchiveError(.damaged, path: path, "'\(member.name)' has \(member.size) bytes; refused")
    }
    return try reader(of: member).bytes(at: 0, count: member.size)
  }
}

/// The library's handle of an archive.
private final class OpenArchive {
  let handle: OpaquePointer
  let byteCount: Int

  init(_ path: String) throws {
    // What is no file, the library would wait for.
    byteCount = try FileReader(opening: path).count
    var code: Int32 = 0
    guard let handle = zip_open(path, ZIP_RDONLY, &code) else {
      var error = zip_error_t()
      zip_error_init_with_code(&error, code)
      defer { zip_error_fini(&error) }
      throw ArchiveError(
        .damaged, path: path, "not a zip archive, or damaged: \(String(cString: zip_error_strerror(&error)))")
    }
    self.handle = handle
  }

  deinit { zip_discard(handle) }
}

/// Reads a member from front to back; going back means jumping in a stored one, beginning anew in a compressed one.
private final class MemberReader: ByteReader {
  let count: Int
  private let archive: OpenArchive
  private let path: String
  private let member: ZipArchive.Member
  private var file: OpaquePointer?
  private var position = 0

  init(_ path: String, _ member: ZipArchive.Member) throws {
    self.path = path
    self.member = member
    count = member.size
    archive = try OpenArchive(path)
    try open()
  }

  deinit { if let file { zip_fclose(file) } }

  func read(at start: Int, into target: UnsafeMutableRawBufferPointer) throws {
    guard start >= 0, start <= count, target.count <= count - start else { throw damaged() }
    guard !target.isEmpty else { return }
    if start != position {
      if member.isStored {
        guard zip_fseek(file, Int64(start), SEEK_SET) == 0 else { throw damaged() }
        position = start
      } else {
        if start < position { try open() }
        try skip(to: start)
      }
    }
    try fill(target)
  }

  private func open() throws {
    if let file { zip_fclose(file) }
    file = zip_fopen_index(archive.handle, member.index, 0)
    position = 0
    guard file != nil else { throw damaged() }
  }

  private func skip(to start: Int) throws {
    try withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
      while position < start {
        let size = min(buffer.count, start - position)
        try fill(UnsafeMutableRawBufferPointer(rebasing: buffer[0..<size]))
      }
    }
  }

  private func fill(_ target: UnsafeMutableRawBufferPointer) throws {
    var done = 0
    while done < target.count {
      let size = zip_fread(file, target.baseAddress! + done, UInt64(target.count - done))
      guard size > 0 else { throw damaged() }
      done += Int(size)
    }
    position += done
  }

  private func damaged() -> ArchiveError {
    ArchiveError(.damaged, path: path, "its member '\(member.name)' is truncated or damaged; copy it again")
  }
}
