import Files
import Foundation
import HDF5
import Tensors

/// Writes a dataset sample by sample, in any order, so that it survives being killed at any moment.
///
/// Everything goes to `PATH.partial`. When that file is created, all of its structure is written and the space
/// of all fields is taken, then it is synchronised; from there on only the numbers of samples are written
/// into places that are known already (chunks are not compressed, so none changes its size). A kill can
/// therefore tear a sample but not the file. Which samples are complete stands in `PATH.partial.journal`,
/// see `Journal`; on continuing, each of them is read and compared with its checksum. When all are there the
/// file is synchronised and renamed. Compression, if any, is a last pass over the complete file.
final class DatasetWriter {
  let path: String
  let partialPath: String
  let description: DatasetDescription
  let samples: Range<Int>
  /// The positions (from 0) that are complete.
  private(set) var completed: Set<Int> = []
  /// What became of an earlier partial file, if that needs saying.
  private(set) var notice: String?

  private let precision: StoredPrecision
  private let provenance: DatasetProvenance
  private let journal: Journal
  private let file: HDF5File
  private let datasets: [HDF5Dataset]
  private let chunks: [[Int]]
  private var seconds: [Double]
  private var checksums: [UInt32]
  private var isResumed = false
  private var lastSynchronization = ContinuousClock.now
  /// What the journal says is complete, to be compared with the data.
  private let entries: [Journal.Entry]

  /// What must agree for a partial file to be continued.
  private struct Settings: Codable {
    var description: DatasetDescription
    var samples: [Int]
    var precision: StoredPrecision
    var config: String
    var solver: String
    var seed: UInt64

    var fingerprint: String {
      get throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var checksum = Checksum()
        let data = try encoder.encode(self)
        data.withUnsafeBytes { checksum.update($0) }
        return "\(String(checksum.value, radix: 16))-\(data.count)"
      }
    }
  }

  /// Creates the partial file, or continues the one that is there.
  ///
  /// - Throws: `DatasetError` or `HDF5Error` if the output exists or cannot be written, or if a partial file
  ///   was made with other settings; `overwriting` sets both aside.
  init(
    path: String, description: DatasetDescription, samples: Range<Int>, precision: StoredPrecision,
    provenance: DatasetProvenance, overwriting: Bool
  ) throws {
    precondition(!samples.isEmpty && samples.lowerBound >= 0, "samples \(samples)")
    self.path = path
    self.description = description
    self.samples = samples
    self.precision = precision
    self.provenance = provenance
    partialPath = path + ".partial"
    let manager = FileManager.default
    guard overwriting || !manager.fileExists(atPath: path) else {
      throw DatasetError.alreadyExists(path: path)
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    do {
      try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw HDF5Error(.cannotCreate, path: path, "cannot create its folder \(folder)")
    }
    seconds = [Double](repeating: .nan, count: samples.count)
    checksums = [UInt32](repeating: 0, count: samples.count)

    let fingerprint = try Settings(
      description: description, samples: [samples.lowerBound, samples.upperBound], precision: precision,
      config: provenance.config, solver: provenance.solver, seed: provenance.seed
    ).fingerprint
    journal = try Journal(path: partialPath + ".journal")
    var entries: [Journal.Entry] = []
    var continued: HDF5File?
    if let found = try journal.read(sampleCount: samples.count), manager.fileExists(atPath: partialPath) {
      if found.fingerprint == fingerprint {
        // A file that cannot be opened was damaged from outside, or by a power failure.
        do {
          continued = try HDF5File(opening: partialPath, writable: true)
          entries = found.entries
        } catch let error as HDF5Error where error.kind == .corrupt || error.kind == .notHDF5 {
          notice = "\(error.description); its samples are solved again"
        }
      } else if !overwriting {
        throw DatasetError.otherConfiguration(partial: partialPath)
      }
    }
    if let continued {
      file = continued
      isResumed = true
    } else {
      try journal.clear()
      do {
        let creating = try HDF5File(creating: partialPath, overwriting: true)
        try DatasetLayout.create(
          in: creating, description, samples: samples, precision: precision, provenance: provenance,
          createdAt: ISO8601DateFormatter().string(from: Date()), deflate: nil)
        try creating.close(synchronizing: true)
      } catch {
        // There is no room for the dataset: leave none of it behind.
        try? AtomicFile.remove(partialPath)
        journal.remove()
        throw error
      }
      try journal.begin(fingerprint: fingerprint)
      file = try HDF5File(opening: partialPath, writable: true)
    }
    let opened = file
    datasets = try description.fields.map { try opened.root.dataset("t0_fields/\($0.name)") }
    chunks = try datasets.map { try $0.chunks() ?? [] }
    self.entries = entries
  }

  /// Accepts the samples of the journal whose data are those that were written.
  ///
  /// - Parameter progress: Called after each with how many are complete; what it throws ends the work.
  func acceptJournal(progress: (Int) throws -> Void) throws {
    let shapes = description.fields.map { description.shape(of: $0) }
    var damaged = 0
    for entry in entries {
      do {
        let found = try StoredSample.checksum(of: datasets, shapes: shapes, position: entry.position)
        if found == entry.checksum {
          completed.insert(entry.position)
          seconds[entry.position] = entry.seconds
          checksums[entry.position] = entry.checksum
          try progress(completed.count)
          continue
        }
      } catch let error as HDF5Error where error.kind == .corrupt {
        completed.remove(entry.position)
      }
      damaged += 1
    }
    if damaged > 0 { notice = "\(partialPath): \(damaged) damaged samples are solved again" }
  }

  /// Stores a sample; it is complete when this returns.
  func write(_ sample: StoredSample, position: Int, seconds: Double) throws {
    if isResumed { try clearPartialChunks(position: position) }
    try sample.write(to: datasets, position: position)
    try file.flush()
    try journal.append(.init(position: position, checksum: sample.checksum, seconds: seconds))
    self.seconds[position] = seconds
    checksums[position] = sample.checksum
    completed.insert(position)
    // The process may be killed at any moment without loss; a power failure loses the last seconds.
    if ContinuousClock.now - lastSynchronization > .seconds(5) { try synchronize() }
  }

  /// Waits until the disk has all complete samples.
  func synchronize() throws {
    try file.flush(synchronizing: true)
    try journal.synchronize()
    lastSynchronization = .now
  }

  /// Makes the chunks readable that a sample does not fill up.
  ///
  /// HDF5 reads a chunk before it writes a part of it, and the last run of frames may be shorter than its
  /// chunk. If a kill tore that chunk, its Fletcher-32 checksum is wrong and it could never be written again.
  /// A chunk of zeros with its checksum, zero, is sound.
  private func clearPartialChunks(position: Int) throws {
    for (index, field) in description.fields.enumerated() where field.isTimeVarying {
      let run = chunks[index][1]
      let remainder = description.frameCount % run
      guard remainder > 0 else { continue }
      let bytes = chunks[index].reduce(precision.byteCount, *) + 4
      let start = [position, description.frameCount - remainder] + description.grid.map { _ in 0 }
      try datasets[index].writeRawChunk([UInt8](repeating: 0, count: bytes), at: start)
    }
  }

  /// Completes the file: the last numbers, compression if asked for, and its name.
  func finish(deflate: Int?) throws {
    precondition(completed.count == samples.count, "only \(completed.count) of \(samples.count) samples")
    try file.root.dataset(DatasetLayout.seconds).write(seconds)
    try file.root.dataset(DatasetLayout.checksums).write(checksums)
    try synchronize()
    if let deflate {
      try compress(deflate)
      try file.close()
      try AtomicFile.remove(partialPath)
    } else {
      try file.close(synchronizing: true)
      try AtomicFile.rename(partialPath, to: path)
    }
    journal.remove()
  }

  /// Copies the complete file into a compressed one.
  private func compress(_ deflate: Int) throws {
    let createdAt = try file.root.attributes.string("created_at")
    try HDF5File.write(to: path, overwriting: true) { target in
      try DatasetLayout.create(
        in: target, description, samples: samples, precision: precision, provenance: provenance,
        createdAt: createdAt, deflate: deflate)
      for (source, field) in zip(datasets, description.fields) {
        let copy = try target.root.dataset("t0_fields/\(field.name)")
        for position in 0..<samples.count {
          let slab = StoredSample.slab(position, description.shape(of: field))
          switch precision {
          case .single: try copy.write(try source.read(as: Float.self, slab), slab)
          case .double: try copy.write(try source.read(as: Double.self, slab), slab)
          }
        }
      }
      try target.root.dataset(DatasetLayout.seconds).write(seconds)
      try target.root.dataset(DatasetLayout.checksums).write(checksums)
    }
  }
}
