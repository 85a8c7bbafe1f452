import Files
import Foundation
import HDF5
import Tensors

/// Writes a dataset sample by sample, in any order, so that it survives being killed at any moment.
///
/// Everything goes to `PATH.partial`. When that file is created, all of its structure is written and the space
/// of all fields is reserved, then it is synchronised; from there on only the numbers of samples are written
/// into places that are known already (whole chunks, not compressed, so that none changes its size). A kill can
/// therefore tear a sample but not the file. Which samples are complete stands in `PATH.partial.journal`,
/// see `Journal`; on continuing, each of them is read and compared with its checksum.
///
/// When all samples are there, the file is synchronised. If it is to be compressed, a compressed copy is
/// written and takes its place as `PATH.partial`. Then it is renamed and the journal removed. So what a kill
/// left tells how far the work was:
///
/// | `PATH.partial` | journal | |
/// |---|---|---|
/// | not compressed | the samples that are complete | the others are solved |
/// | compressed | all samples | it is checked and renamed |
/// | none | all samples | `PATH` is complete, the journal is removed |
final class DatasetWriter {
  let path: String
  let partialPath: String
  let identity: DatasetIdentity
  let samples: Range<Int>
  /// Which positions (from 0) are complete.
  private(set) var isComplete: [Bool]
  /// How many positions are complete.
  private(set) var completed = 0
  /// What became of an earlier partial file, if that needs saying.
  private(set) var notice: String?

  private let journal: Journal
  private var file: HDF5File
  private let datasets: [HDF5Dataset]
  private var seconds: [Double]
  private var checksums: [UInt32]
  /// Whether the partial file is the compressed one already.
  private var isCompressed = false
  private var lastSynchronization = ContinuousClock.now
  /// The bytes written since the system was told to begin with writing them to the disk.
  private var waitingBytes = 0
  /// How many may wait: with more the last synchronisation would take longer, with fewer the disk is called too often.
  private static let mostWaitingBytes = 32 << 20
  /// What the journal says is complete, to be compared with the data.
  private var entries: [Journal.Entry] = []

  private var description: DatasetDescription { identity.description }
  private var shapes: [[Int]] { description.fields.map { description.shape(of: $0) } }

  private static func partialPath(_ path: String) -> String { path + ".partial" }
  private static func journalPath(_ path: String) -> String { partialPath(path) + ".journal" }
  /// The compressed file while it is written: of no worth until it is complete.
  private var compressedPath: String { partialPath + ".compressed" }

  /// Whether there is anything of an earlier process at `path` that may be continued.
  static func isBegun(_ path: String) -> Bool {
    [partialPath(path), journalPath(path)].contains { FileManager.default.fileExists(atPath: $0) }
  }

  /// Ends the work of a process that was killed after it had given the complete file its name.
  ///
  /// - Returns: Whether there was such work, so that nothing is left to do.
  static func finishKilled(path: String, identity: DatasetIdentity) throws -> Bool {
    let manager = FileManager.default
    guard manager.fileExists(atPath: path), manager.fileExists(atPath: journalPath(path)),
      !manager.fileExists(atPath: partialPath(path))
    else { return false }
    let journal = try Journal(path: journalPath(path))
    guard let found = try journal.read(sampleCount: identity.sampleCount),
      found.fingerprint == (try identity.fingerprint),
      // A finished file that cannot be read, or is another one, is not what that process wrote.
      let file = try? DatasetFile(opening: path), let other = try? DatasetIdentity(of: file),
      identity.difference(from: other) == nil
    else { return false }
    journal.remove()
    return true
  }

  /// Creates the partial file, or continues the one that is there.
  ///
  /// - Throws: `DatasetError` or `HDF5Error` if it cannot be written or was begun with other settings;
  ///   `overwriting` sets that one aside.
  init(path: String, identity: DatasetIdentity, overwriting: Bool) throws {
    self.path = path
    self.identity = identity
    samples = identity.samples[0]..<identity.samples[1]
    precondition(!samples.isEmpty && samples.lowerBound >= 0, "samples \(samples)")
    partialPath = Self.partialPath(path)
    isComplete = [Bool](repeating: false, count: samples.count)
    seconds = [Double](repeating: .nan, count: samples.count)
    checksums = [UInt32](repeating: 0, count: samples.count)

    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw HDF5Error(.cannotCreate, path: path, "cannot create its folder \(folder)")
    }
    journal = try Journal(path: Self.journalPath(path))
    let fingerprint = try identity.fingerprint
    var continued: HDF5File?
    if let found = try journal.read(sampleCount: samples.count),
      FileManager.default.fileExists(atPath: partialPath)
    {
      if found.fingerprint == fingerprint {
        // A file that cannot be opened was damaged from outside, or by a power failure.
        do {
          continued = try Self.open(partialPath, identity.description)
          entries = found.entries
        } catch let error as HDF5Error where error.kind == .corrupt || error.kind == .notHDF5 {
          notice = "\(error.description); its samples are solved again"
        } catch let error as DatasetError {
          notice = "\(error.description); all samples are solved again"
        }
      } else if !overwriting {
        throw DatasetError.otherConfiguration(
          partial: partialPath, difference: Self.difference(partialPath, from: identity))
      }
    }
    if let continued {
      file = continued
    } else {
      try journal.clear()
      try Self.create(partialPath, identity, journal)
      try journal.begin(fingerprint: fingerprint)
      file = try HDF5File(opening: partialPath, writable: true)
    }
    let opened = file
    datasets = try identity.description.fields.map { try opened.root.dataset("t0_fields/\($0.name)") }
    isCompressed = try datasets[0].deflate() != nil
    // A compressed copy that was not finished.
    try AtomicFile.remove(compressedPath)
  }

  /// Opens a partial file to continue it; a compressed one must be complete and sound, as it cannot be mended.
  private static func open(_ path: String, _ description: DatasetDescription) throws -> HDF5File {
    let file = try HDF5File(opening: path, writable: true)
    guard try file.root.dataset("t0_fields/\(description.fields[0].name)").deflate() != nil else {
      return file
    }
    try file.close()
    try DatasetFile(opening: path).verifyChecksums()
    return try HDF5File(opening: path, writable: true)
  }

  /// Creates a partial file with the space for all samples.
  private static func create(_ path: String, _ identity: DatasetIdentity, _ journal: Journal) throws {
    do {
      let file = try HDF5File(creating: path, overwriting: true, sparse: true)
      try DatasetLayout.create(in: file, identity, createdAt: ISO8601DateFormatter().string(from: Date()))
      try file.reserveSpace()
      try file.close(synchronizing: true)
    } catch {
      // Nothing is lost: leave none of it behind.
      try? AtomicFile.remove(path)
      journal.remove()
      if let error = error as? HDF5Error, error.kind == .writeFailed {
        throw DatasetError.noRoom(path: path, bytes: identity.byteCount, reason: error.message)
      }
      throw error
    }
  }

  /// In what a partial file differs from the one to be made.
  private static func difference(_ path: String, from identity: DatasetIdentity) -> String {
    guard let file = try? DatasetFile(opening: path, allowingIncomplete: true),
      let found = try? DatasetIdentity(of: file), let difference = found.difference(from: identity)
    else { return "it was begun with other settings" }
    return difference
  }

  /// Accepts the samples of the journal whose data are those that were written.
  ///
  /// - Parameter progress: Called after each with how many are complete; what it throws ends the work.
  func acceptJournal(progress: (Int) throws -> Void) throws {
    var damaged = 0
    for entry in entries {
      do {
        // A compressed file was compared with its own checksums when it was opened.
        let found =
          try isCompressed
          ? entry.checksum
          : StoredSample.checksum(of: datasets, shapes: shapes, position: entry.position)
        if found == entry.checksum {
          complete(entry)
          try progress(completed)
          continue
        }
      } catch let error as HDF5Error where error.kind == .corrupt {
        // Torn by the kill, or damaged since: solved again.
      }
      damaged += 1
    }
    entries = []
    if damaged > 0 { notice = "\(partialPath): \(damaged) damaged samples are solved again" }
  }

  private func complete(_ entry: Journal.Entry) {
    seconds[entry.position] = entry.seconds
    checksums[entry.position] = entry.checksum
    if !isComplete[entry.position] { completed += 1 }
    isComplete[entry.position] = true
  }

  /// Stores a sample; it is complete when this returns.
  func write(_ sample: StoredSample, position: Int, seconds: Double) throws {
    try sample.write(to: datasets, position: position)
    try file.flush()
    let entry = Journal.Entry(position: position, checksum: sample.checksum, seconds: seconds)
    try journal.append(entry)
    complete(entry)
    waitingBytes += sample.byteCount
    if waitingBytes >= Self.mostWaitingBytes {
      try file.startWriteback()
      waitingBytes = 0
    }
    // The process may be killed at any moment without loss; a power failure loses the last seconds.
    if ContinuousClock.now - lastSynchronization > .seconds(5) { try synchronize() }
  }

  /// Waits until the disk has all complete samples.
  func synchronize() throws {
    try file.flush(synchronizing: true)
    try journal.synchronize()
    lastSynchronization = .now
  }

  // MARK: - All samples are there

  /// Writes the numbers of all samples together and compresses the file if asked for.
  ///
  /// - Parameter progress: Called with how many samples are compressed; what it throws ends the work, which
  ///   can be continued.
  func complete(deflate: Int?, progress: (Int) throws -> Void) throws {
    precondition(completed == samples.count, "only \(completed) of \(samples.count) samples")
    if !isCompressed {
      try write(to: file)
      try synchronize()
      if let deflate {
        try compress(deflate, progress)
        isCompressed = true
      }
    }
    try file.close(synchronizing: true)
  }

  /// Gives the complete file its name.
  func publish() throws {
    try AtomicFile.rename(partialPath, to: path)
    journal.remove()
  }

  private func write(to file: HDF5File) throws {
    try file.root.dataset(DatasetLayout.seconds).write(seconds)
    try file.root.dataset(DatasetLayout.checksums).write(checksums)
  }

  /// Puts a compressed copy into the place of the complete file.
  private func compress(_ deflate: Int, _ progress: (Int) throws -> Void) throws {
    do {
      let target = try HDF5File(creating: compressedPath, overwriting: true)
      try DatasetLayout.create(
        in: target, identity, createdAt: file.root.attributes.string("created_at"), deflate: deflate)
      let copies = try description.fields.map { try target.root.dataset("t0_fields/\($0.name)") }
      for position in 0..<samples.count {
        for ((source, copy), shape) in zip(zip(datasets, copies), shapes) {
          let slab = StoredSample.slab(position, shape)
          switch identity.precision {
          case .single: try copy.write(try source.read(as: Float.self, slab), slab)
          case .double: try copy.write(try source.read(as: Double.self, slab), slab)
          }
        }
        try progress(position + 1)
      }
      try write(to: target)
      try target.close(synchronizing: true)
      try file.close()
      try AtomicFile.rename(compressedPath, to: partialPath)
    } catch {
      try? AtomicFile.remove(compressedPath)
      throw error
    }
  }
}

extension DatasetIdentity {
  var sampleCount: Int { samples[1] - samples[0] }

  /// The bytes that the fields take without compression.
  var byteCount: Int {
    description.fields.reduce(0) { $0 + description.shape(of: $1).reduce(precision.byteCount, *) }
      * sampleCount
  }
}
