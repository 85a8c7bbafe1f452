import Glibc

/// Which samples of a partial dataset are complete: a text file beside it that only ever grows.
///
/// The first line names the settings; then a line per complete sample: its position, the checksum of its
/// fields and the seconds it took. A line is appended after the sample's data have reached the system, so a
/// process killed at any moment leaves a journal that says no more than is true; the last line may be torn
/// and is dropped. After a power failure lines may have outlived their data: the checksums tell.
final class Journal {
  struct Entry: Equatable {
    let position: Int
    let checksum: UInt32
    let seconds: Double
  }

  let path: String
  private let descriptor: Int32

  /// Opens or creates the journal, for this process alone.
  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw DatasetError.writeFailed(path: path, reason: String(cString: strerror(errno)))
    }
    let isLocked = flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK
    // Its owner may have finished and removed it just before it was locked.
    var status = stat()
    guard isLocked, fstat(descriptor, &status) == 0, status.st_nlink > 0 else {
      close(descriptor)
      throw DatasetError.inUse(path: path)
    }
  }

  deinit { close(descriptor) }

  private static let heading = "phalarope journal 1 "

  /// The fingerprint of the settings and the complete samples, or nil if the journal was never begun.
  ///
  /// What follows the last whole line is cut off.
  func read(sampleCount: Int) throws -> (fingerprint: String, entries: [Entry])? {
    var bytes: [UInt8] = []
    var block = [UInt8](repeating: 0, count: 1 << 16)
    lseek(descriptor, 0, SEEK_SET)
    while true {
      let count = Glibc.read(descriptor, &block, block.count)
      guard count > 0 else { break }
      bytes += block[..<count]
    }
    guard let end = bytes.lastIndex(of: 10) else { return nil }
    let lines = bytes[..<end].split(separator: 10, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    guard let first = lines.first, first.hasPrefix(Self.heading) else { return nil }
    var entries: [Entry] = []
    var length = lines[0].utf8.count + 1
    for line in lines.dropFirst() {
      let words = line.split(separator: " ")
      guard words.count == 3, let position = Int(words[0]), (0..<sampleCount).contains(position),
        let checksum = UInt32(words[1], radix: 16), let seconds = Double(words[2])
      else { break }
      entries.append(Entry(position: position, checksum: checksum, seconds: seconds))
      length += line.utf8.count + 1
    }
    guard ftruncate(descriptor, off_t(length)) == 0 else { throw failure() }
    lseek(descriptor, 0, SEEK_END)
    return (String(first.dropFirst(Self.heading.count)), entries)
  }

  /// Forgets everything and writes the first line, durably.
  func begin(fingerprint: String) throws {
    guard ftruncate(descriptor, 0) == 0 else { throw failure() }
    lseek(descriptor, 0, SEEK_SET)
    try append("\(Self.heading)\(fingerprint)\n")
    try synchronize()
  }

  /// Empties the journal: whatever is beside it is worthless from now on.
  func clear() throws {
    guard ftruncate(descriptor, 0) == 0 else { throw failure() }
    try synchronize()
  }

  /// Adds a complete sample.
  func append(_ entry: Entry) throws {
    try append("\(entry.position) \(String(entry.checksum, radix: 16)) \(entry.seconds)\n")
  }

  /// Waits until the disk has the journal.
  func synchronize() throws {
    guard fsync(descriptor) == 0 else { throw failure() }
  }

  /// Removes the file.
  func remove() { unlink(path) }

  private func append(_ line: String) throws {
    let bytes = Array(line.utf8)
    guard write(descriptor, bytes, bytes.count) == bytes.count else { throw failure() }
  }

  private func failure() -> DatasetError {
    .writeFailed(path: path, reason: String(cString: strerror(errno)))
  }
}
