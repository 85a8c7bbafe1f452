import Glibc
import HDF5

/// Renames a file whose data the disk has, and makes the new name durable.
func renameFile(_ source: String, to target: String) throws {
  guard rename(source, target) == 0 else { throw cannot("rename \(source) to it", target) }
  let slash = target.lastIndex(of: "/")
  let folder = slash.map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? "."
  let descriptor = open(folder, O_RDONLY)
  guard descriptor >= 0 else { return }  // a folder that cannot be read has the name all the same
  fsync(descriptor)
  close(descriptor)
}

/// Removes a file.
func removeFile(_ path: String) throws {
  guard unlink(path) == 0 || errno == ENOENT else { throw cannot("remove it", path) }
}

/// Writes a text file that is whole or absent.
func writeText(_ text: String, to path: String) throws {
  let temporary = "\(path).\(getpid()).tmp"
  let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
  guard descriptor >= 0 else { throw cannot("create it", path) }
  let bytes = Array(text.utf8)
  var done = 0
  while done < bytes.count {
    let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + done, bytes.count - done) }
    guard count > 0 else { break }
    done += count
  }
  let isSynchronized = done == bytes.count && fsync(descriptor) == 0
  let code = errno
  close(descriptor)
  guard isSynchronized else {
    unlink(temporary)
    throw DatasetError.writeFailed(path: path, reason: String(cString: strerror(code)))
  }
  try renameFile(temporary, to: path)
}

private func cannot(_ what: String, _ path: String) -> HDF5Error {
  HDF5Error(.cannotCreate, path: path, "cannot \(what): \(String(cString: strerror(errno)))")
}
