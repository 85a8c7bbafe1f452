import HDF5
import Tensors

/// A finished dataset file in the layout of The Well, opened for reading.
///
/// Opening reads what the file is; fields are read in parts. May be used from several threads.
public struct DatasetFile: SourceDataset {
  /// The path of the file.
  public let path: String
  /// The Well's layout.
  public var layout: FileLayout { .well }
  /// What the file holds.
  public let description: DatasetDescription
  /// How many samples there are.
  public let sampleCount: Int
  /// The precision of the stored fields.
  public let precision: StoredPrecision
  /// What the stored numbers are, in the order of the description's fields.
  public let storedTypes: [StoredType]
  /// What of the file is left out.
  public let notes: [String]
  /// Where the dataset comes from, if the file says so: files of others may not.
  public let provenance: DatasetProvenance?
  /// When the file was made (ISO 8601), if it says so.
  public let createdAt: String?

  /// Chunks are of one sample.
  public var interleavesSamples: Bool { false }

  private let file: HDF5File
  private let sources: [String: HDF5Field]

  /// Opens a dataset and checks its layout.
  ///
  /// - Throws: `HDF5Error` if it is no sound HDF5 file, `DatasetError` if it is no dataset or an unfinished one.
  public init(opening path: String) throws { try self.init(opening: path, allowingIncomplete: false) }

  init(opening path: String, allowingIncomplete: Bool) throws {
    try self.init(HDF5File(opening: path), allowingIncomplete: allowingIncomplete)
  }

  /// A dataset in an open file.
  init(_ file: HDF5File, allowingIncomplete: Bool = false) throws {
    path = file.path
    self.file = file
    let reader = LayoutReader(path: path, root: file.root)
    let contents = try reader.contents()
    description = contents.description
    sources = Dictionary(uniqueKeysWithValues: contents.fields.map { ($0.description.name, $0.source) })
    let count = contents.sampleCount
    sampleCount = count
    storedTypes = contents.fields.map(\.source.storedType)
    precision = contents.fields[0].source.dataset.elementKind == .floatingPoint(bits: 64) ? .double : .single
    notes = contents.notes
    let attributes = file.root.attributes
    if try attributes.contains("config"), try attributes.contains("seed") {
      provenance = DatasetProvenance(
        config: try attributes.string("config"), solver: try reader.text("solver"),
        seed: try attributes.scalar("seed", as: UInt64.self), software: try reader.text("software"),
        shard: try reader.shard())
    } else {
      provenance = nil
    }
    createdAt = try attributes.contains("created_at") ? attributes.string("created_at") : nil
    guard !allowingIncomplete else { return }
    let seconds = try reader.numbers(DatasetLayout.seconds)
    let completed = seconds?.count { !$0.isNaN } ?? count
    if completed < count { throw DatasetError.incomplete(path: path, completed: completed, of: count) }
  }

  /// The number of every sample in its series, or nil if the file does not say.
  public func sampleSeeds() throws -> [UInt64]? {
    guard try file.root.member(DatasetLayout.seeds) == .dataset else { return nil }
    return try file.root.dataset(DatasetLayout.seeds).read(as: UInt64.self)
  }

  /// The effort with which the fields are compressed, or nil if they are not.
  public func deflate() throws -> Int? { try sources[description.fields[0].name]?.dataset.deflate() }

  /// The seconds that solving every sample took, or nil if the file does not say.
  public func solveSeconds() throws -> [Double]? {
    try LayoutReader(path: path, root: file.root).numbers(DatasetLayout.seconds)
  }

  /// A checksum of all fields of all samples, for manifests; nil if the file has none.
  public func contentChecksum() throws -> UInt32? {
    guard let stored = try storedChecksums() else { return nil }
    var checksum = Checksum()
    stored.withUnsafeBytes { checksum.update($0) }
    return checksum.value
  }

  /// Reads every field of some samples and compares them with their checksums.
  ///
  /// - Parameter progress: Called after each sample with how many are done; what it throws ends the work.
  /// - Throws: `DatasetError.wrongChecksum`, or `HDF5Error` if a chunk is damaged.
  /// - Returns: Whether the file has checksums to compare with.
  @discardableResult
  public func verifyChecksums(
    samples: Range<Int>? = nil, progress: (Int) throws -> Void = { _ in }
  ) throws -> Bool {
    guard let stored = try storedChecksums() else { return false }
    let samples = samples ?? 0..<sampleCount
    guard samples.lowerBound >= 0, samples.upperBound <= min(sampleCount, stored.count) else {
      throw DatasetError.invalidSelection(path: path, reason: "it has no checksums of samples \(samples)")
    }
    let fields = description.fields.compactMap { sources[$0.name]?.dataset }
    let shapes = description.fields.map { description.shape(of: $0) }
    for (done, sample) in samples.enumerated() {
      let found = try StoredSample.checksum(of: fields, shapes: shapes, position: sample)
      guard found == stored[sample] else { throw DatasetError.wrongChecksum(path: path, sample: sample) }
      try progress(done + 1)
    }
    return true
  }

  // MARK: - Inside

  func source(of field: String) -> (any FieldSource)? { sources[field] }

  /// The checksum of every sample, or nil if the file has none.
  func storedChecksums() throws -> [UInt32]? {
    guard try file.root.member(DatasetLayout.checksums) == .dataset else { return nil }
    return try file.root.dataset(DatasetLayout.checksums).read(as: UInt32.self)
  }
}
