import Foundation
import Glibc

/// Questions to the file system, and folders.
enum FileSystem {
  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  static func isEmptyFolder(_ path: String) -> Bool {
    (try? FileManager.default.contentsOfDirectory(atPath: path).isEmpty) ?? false
  }

  /// The folder that a path is in.
  static func folder(of path: String) -> String {
    let folder = (path as NSString).deletingLastPathComponent
    return folder.isEmpty ? "." : folder
  }

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

  /// Makes sure that files can be created in a folder.
  static func requireWritable(_ folder: String) throws {
    guard access(folder, W_OK | X_OK) == 0 else {
      throw OutputError(
        .notCreatable, path: folder, reason: "cannot be written to: \(systemMessage(errno))")
    }
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
