import Foundation
import Glibc

/// Questions to the file system, and folders.
package enum FileSystem {
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Whether a folder has nothing in it but, at most, some names.
  static func isEmptyFolder(_ path: String, but names: Set<String> = []) -> Bool {
    (try? FileManager.default.contentsOfDirectory(atPath: path).allSatisfy(names.contains)) ?? false
  }

  /// The folder that a path is in: `.` for a name alone.
  ///
  /// Foundation's `deletingLastPathComponent` crashes on names of one letter (6.3.1, Linux).
  package static func folder(of path: String) -> String {
    var path = path[...]
    while path.count > 1, path.last == "/" { path = path.dropLast() }
    guard let slash = path.lastIndex(of: "/") else { return "." }
    path = path[..<slash]
    while path.last == "/" { path = path.dropLast() }
    return path.isEmpty ? "/" : String(path)
  }

  /// The path of the running program, without links; nil if the system does not say.
  static let executable: String? = {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()

  /// Creates a folder and those above it.
  ///
  /// - Throws: `OutputError`.
  static func makeFolders(_ path: String) throws {
    var current = path.hasPrefix("/") ? "/" : ""
    for part in path.split(separator: "/") {
      current += (current.isEmpty || current.hasSuffix("/") ? "" : "/") + part
      if mkdir(current, 0o777) != 0 && errno != EEXIST {
        throw OutputError(
          .notCreatable, path: path, reason: "cannot be created: \(systemMessage(errno)) (\(current))")
      }
    }
    guard isFolder(path) else {
      throw OutputError(.notCreatable, path: path, reason: "cannot be created: a file is in the way")
    }
    try requireWritable(path)
  }

  /// Makes sure that files can be created in a folder, by creating one.
  ///
  /// Permissions alone do not tell: the file system may be read-only or full of inodes.
  static func requireWritable(_ folder: String) throws {
    let probe = "\(folder)/.phalarope-\(getpid())"
    let descriptor = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw OutputError(
        .notCreatable, path: folder, reason: "files cannot be created here: \(systemMessage(errno))")
    }
    close(descriptor)
    unlink(probe)
  }

  /// Makes sure that a folder that does not exist can be made, without making it.
  static func requireFolderCanBeMade(_ path: String) throws {
    var parent = folder(of: path)
    while !exists(parent) && parent != "." && parent != "/" { parent = folder(of: parent) }
    guard isFolder(parent) else {
      throw OutputError(
        .notCreatable, path: path, reason: "cannot be created: \(parent) is a file, not a folder")
    }
    try requireWritable(parent)
  }

  /// Makes sure that a file can be created at a path, and that none is lost by it.
  ///
  /// Creates the folder. Done before the work, so that hours of it are not lost.
  /// - Throws: `OutputError` if the file exists or cannot be created.
  static func requireCreatable(_ path: String, overwrite: Bool) throws {
    if isFolder(path) { throw OutputError(.exists, path: path, reason: "is a folder; name a file") }
    if exists(path) && !overwrite {
      throw OutputError(
        .exists, path: path, reason: "exists already; replace it with --overwrite, or name another output")
    }
    try makeFolders(folder(of: path))
  }
}
