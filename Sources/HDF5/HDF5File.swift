import CCrashGuard
import CHDF5
import Glibc

/// An open HDF5 file.
///
/// It is closed with the last reference to it or to anything opened in it; `close()` does it at once and
/// reports what deinitialisation cannot: a disk that is full may show only then. All of this module may be
/// used from several threads; calls wait for each other.
///
/// Files are written so that HDF5 1.8 to 2.0, h5py and netCDF-4 read them: nothing newer than version 1.8 of
/// the format unless it is needed, little-endian, with the order of creation kept.
public final class HDF5File: Sendable {
  /// The version of the HDF5 library that the program runs with, such as `1.10.8`.
  public static var libraryVersion: String {
    Library.perform {
      var (major, minor, release) = (UInt32(0), UInt32(0), UInt32(0))
      H5get_libversion(&major, &minor, &release)
      return "\(major).\(minor).\(release)"
    }
  }

  /// Makes a crash or an endless loop of the library in a damaged file end the process with a message and exit
  /// status 65.
  ///
  /// HDF5 1.10.8 does not survive every file: of 80,000 damaged copies of eight small files 54 crashed it, and 6
  /// made it loop for ever. For programs, at their start; handlers of signals are theirs to choose.
  /// - Parameter secondsPerCall: The processor time that one call may take; the longest honest ones take a few.
  public static func exitOnCrashes(secondsPerCall: Double = 20) { crash_guard_install(secondsPerCall) }

  private let file: OpenFile
  /// The top group.
  public let root: HDF5Group

  /// The path that it was opened with.
  public var path: String { file.path }
  /// Whether it can be written to.
  public var isWritable: Bool { file.isWritable }

  /// Opens an existing file.
  ///
  /// - Throws: `HDF5Error` if there is no such file, or it is no HDF5 file, truncated, damaged or locked.
  public convenience init(opening path: String, writable: Bool = false) throws {
    try self.init(Self.open(path, writable: writable))
  }

  /// Creates a file, open for writing.
  ///
  /// For a file that must be whole or absent use `write(to:overwriting:_:)`.
  /// - Parameter sparse: Whether zeros that the library fills new space with are left out. They are read all the same,
  ///   but the disk need not have room for what is written there later; see `reserveSpace()`.
  /// - Throws: `HDF5Error` if the file exists (and is not to be overwritten) or cannot be created.
  public convenience init(creating path: String, overwriting: Bool = false, sparse: Bool = false) throws {
    try self.init(
      Library.perform {
        let status = FileStatus(path)
        guard !status.isFolder else {
          throw HDF5Error(.cannotCreate, path: path, "cannot create the file: a folder has this name")
        }
        guard overwriting || !status.exists else {
          throw HDF5Error(.alreadyExists, path: path, "exists already")
        }
        let folder = FileStatus.folder(of: path)
        guard FileStatus(folder).isFolder else {
          throw HDF5Error(.cannotCreate, path: path, "cannot create the file: there is no folder \(folder)")
        }
        let creation = H5Pcreate(chdf5_H5P_FILE_CREATE())
        let access = H5Pcreate(chdf5_H5P_FILE_ACCESS())
        defer {
          H5Pclose(creation)
          H5Pclose(access)
        }
        // netCDF-4 demands the order of creation of links and attributes.
        H5Pset_link_creation_order(creation, chdf5_creation_order())
        H5Pset_attr_creation_order(creation, chdf5_creation_order())
        chdf5_ignore_missing_locks(access)
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG)
        H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V110)
        if sparse, let driver = SparseDriver.number { H5Pset_driver(access, driver, nil) }
        let flag = overwriting ? chdf5_H5F_ACC_TRUNC() : chdf5_H5F_ACC_EXCL()
        let number = H5Fcreate(path, flag, creation, access)
        guard number >= 0 else {
          throw Library.failure(.cannotCreate, path, nil, "cannot create the file")
        }
        return OpenFile(number, path: path, isWritable: true)
      })
  }

  /// Opens a file, waiting up to a second for a lock on it to go away.
  ///
  /// A process that is just being started still holds a copy of everything that its parent had open, locks
  /// included, so a lock may outlive the file's closing for a moment.
  private static func open(_ path: String, writable: Bool) throws -> OpenFile {
    for _ in 0..<100 {
      if let file = try openUnlessLocked(path, writable: writable) { return file }
      usleep(10_000)
    }
    throw HDF5Error(
      .unreadable, path: path, "in use by another program that writes to it; wait, or close it there")
  }

  private static func openUnlessLocked(_ path: String, writable: Bool) throws -> OpenFile? {
    try Library.perform {
      try checkReadable(path)
      Library.blame(path)
      let access = H5Pcreate(chdf5_H5P_FILE_ACCESS())
      defer { H5Pclose(access) }
      chdf5_ignore_missing_locks(access)
      H5Pset_fclose_degree(access, H5F_CLOSE_STRONG)
      H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V110)
      let number = H5Fopen(path, writable ? chdf5_H5F_ACC_RDWR() : chdf5_H5F_ACC_RDONLY(), access)
      if number >= 0 { return OpenFile(number, path: path, isWritable: writable) }
      if Library.failureText().contains("unable to lock file") { return nil }
      throw openFailure(path, writable: writable)
    }
  }

  private init(_ file: OpenFile) throws {
    self.file = file
    root = try Library.perform {
      let number = H5Gopen2(file.number, "/", 0)
      guard number >= 0 else { throw Library.failure(.corrupt, file.path, nil, "has no top group") }
      return HDF5Group(Identifier(number, in: file, closedBy: H5Gclose), path: "", in: file)
    }
  }

  /// Writes a file that is complete or absent: under a temporary name beside it, synchronised, renamed.
  ///
  /// If `body` or the writing fails, the temporary file is removed and an existing file stays as it was.
  /// - Throws: `HDF5Error` or what `body` throws.
  @discardableResult
  public static func write<Result>(
    to path: String, overwriting: Bool = false, _ body: (HDF5File) throws -> Result
  ) throws -> Result {
    guard overwriting || !FileStatus(path).exists else {
      throw HDF5Error(.alreadyExists, path: path, "exists already")
    }
    guard !FileStatus(path).isFolder else {
      throw HDF5Error(.cannotCreate, path: path, "cannot create the file: a folder has this name")
    }
    let temporary = "\(path).\(getpid()).tmp"
    do {
      let file = try HDF5File(creating: temporary, overwriting: true)
      let result = try body(file)
      try file.close(synchronizing: true)
      try FileStatus.rename(temporary, to: path)
      return result
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Hands everything written so far to the system; with `synchronizing`, waits until the disk has it.
  ///
  /// - Throws: `HDF5Error` of kind `writeFailed`, a full disk among others.
  public func flush(synchronizing: Bool = false) throws {
    try Library.perform {
      try file.check()
      guard file.isWritable else { return }
      guard H5Fflush(file.number, H5F_SCOPE_LOCAL) >= 0 else {
        throw Library.failure(.writeFailed, path, nil, "writing failed")
      }
      if synchronizing { try file.ask { descriptor, _ in fsync(descriptor) == 0 ? 0 : errno } }
    }
  }

  /// Flushes and closes the file and everything opened in it; does nothing the second time.
  ///
  /// - Throws: `HDF5Error` of kind `writeFailed` if not everything could be written. The file is closed then, too.
  public func close(synchronizing: Bool = false) throws {
    try Library.perform {
      guard file.isOpen else { return }
      do { try flush(synchronizing: synchronizing) } catch {
        _ = file.close()
        throw error
      }
      guard file.close() >= 0 else {
        throw Library.failure(.writeFailed, path, nil, "closing the file failed")
      }
    }
    if synchronizing && isWritable { try FileStatus.synchronizeFile(path) }  // closing wrote once more
  }

  /// Takes the disk's space for all of the file, holes too: writing into it later cannot fail for want of room.
  ///
  /// - Throws: `HDF5Error` of kind `writeFailed`: the disk is full.
  public func reserveSpace() throws {
    try Library.perform {
      try flush()
      try file.ask { posix_fallocate($0, 0, $1) }
    }
  }

  /// Lets the system write to the disk what it has of the file, without waiting for it: a later synchronisation
  /// has less to wait for.
  public func startWriteback() throws {
    try Library.perform {
      try file.check()
      // Only advice: what goes wrong shows when the file is synchronised.
      try file.ask { descriptor, _ in
        chdf5_start_writeback(descriptor)
        return 0
      }
    }
  }

  private static func checkReadable(_ path: String) throws {
    let status = FileStatus(path)
    guard status.exists else {
      throw status.code == EACCES
        ? HDF5Error(.unreadable, path: path, "no permission to read it")
        : HDF5Error(.missing, path: path, "no such file")
    }
    guard !status.isFolder else {
      throw HDF5Error(.unreadable, path: path, "is a folder, not an HDF5 file")
    }
    guard status.isRegular else {
      throw HDF5Error(.unreadable, path: path, "is a device or pipe, not an HDF5 file")
    }
    guard access(path, R_OK) == 0 else {
      throw HDF5Error(.unreadable, path: path, "no permission to read it")
    }
    guard status.size > 0 else { throw HDF5Error(.notHDF5, path: path, "not an HDF5 file: it is empty") }
  }

  private static func openFailure(_ path: String, writable: Bool) -> HDF5Error {
    let text = Library.failureText()
    if text.contains("truncated file") {
      return HDF5Error(
        .corrupt, path: path,
        "truncated: the file ends before its data (\(FileStatus(path).size) bytes are left); copy it again")
    }
    if text.contains("signature not found") || text.contains("unable to locate file signature") {
      return HDF5Error(.notHDF5, path: path, "not an HDF5 file")
    }
    if text.contains("already open") {
      return HDF5Error(.unreadable, path: path, "already open in this process")
    }
    if writable && access(path, W_OK) != 0 {
      return HDF5Error(.cannotCreate, path: path, "no permission to write to it")
    }
    return Library.failure(.corrupt, path, nil, "damaged, or not an HDF5 file that this version reads")
  }
}

extension OpenFile {
  /// Throws if the file was closed.
  func check() throws {
    guard isOpen else { throw HDF5Error(.closed, path: path, "the file is closed already") }
    enter()
  }
}

/// What the system knows about a path.
struct FileStatus {
  let exists: Bool
  let isFolder: Bool
  let isRegular: Bool
  let size: Int
  /// Why the path could not be looked up, or 0.
  let code: Int32

  init(_ path: String) {
    var status = stat()
    exists = stat(path, &status) == 0
    code = exists ? 0 : errno
    isFolder = exists && status.st_mode & S_IFMT == S_IFDIR
    isRegular = exists && status.st_mode & S_IFMT == S_IFREG
    size = Int(status.st_size)
  }

  /// The folder that a path lies in.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Waits until the disk has a file (or the names in a folder).
  static func synchronizeFile(_ path: String) throws {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else {
      throw HDF5Error(.writeFailed, path: path, "cannot synchronise it: \(systemMessage())")
    }
    defer { Glibc.close(descriptor) }
    // Some file systems cannot synchronise folders and say EINVAL: nothing is lost that could be kept.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw HDF5Error(.writeFailed, path: path, "writing failed: \(systemMessage())")
    }
  }

  /// Renames a synchronised file and makes the new name durable.
  static func rename(_ temporary: String, to path: String) throws {
    guard Glibc.rename(temporary, path) == 0 else {
      throw HDF5Error(.cannotCreate, path: path, "cannot rename \(temporary) to it: \(systemMessage())")
    }
    try synchronizeFile(folder(of: path))
  }
}

/// The text of the last error of the system.
func systemMessage() -> String { String(cString: strerror(errno)) }
