import HDF5
import Tensors

/// A finished dataset file in the layout of The Well, opened for reading.
///
/// Opening reads what the file is; fields are read in parts. May be used from several threads.
public struct DatasetFile: ReadableDataset {
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
  private let datasets: [String: HDF5Dataset]

  /// Opens a dataset and checks its layout.
  ///
  /// - Throws: `HDF5Error` if it is no sound HDF5 file, `DatasetError` if it is no dataset or an unfinished one.
  public init(opening path: String) throws { try self.init(opening: path, allowingIncomplete: false) }

  init(opening path: String, allowingIncomplete: Bool) throws {
    self.path = path
    let file = try HDF5File(opening: path)
    self.file = file
    let reader = LayoutReader(path: path, root: file.root)
    let description = try reader.description()
    self.description = description
    let fields = try description.fields.map { ($0.name, try file.root.dataset("t0_fields/\($0.name)")) }
    datasets = Dictionary(uniqueKeysWithValues: fields)
    let count = try fields[0].1.shape()[0]
    sampleCount = count
    storedTypes = fields.map { $0.1.elementKind == .floatingPoint(bits: 64) ? .float64 : .float32 }
    precision = storedTypes[0] == .float64 ? .double : .single
    notes = try reader.notes()
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
  public func deflate() throws -> Int? { try datasets[description.fields[0].name]?.deflate() }

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

  /// The numbers of a field, or of a part of it, in single precision.
  public func read(
    field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
  ) throws -> Tensor<Float> {
    try read(field: field, samples: samples, frames: frames, stride: stride, as: Float.self) {
      !requiresFinite || allFinite($0)
    }
  }

  /// The same in double precision.
  public func readDouble(
    field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
  ) throws -> Tensor<Double> {
    try read(field: field, samples: samples, frames: frames, stride: stride, as: Double.self) {
      !requiresFinite || allFinite($0)
    }
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
    try checkSamples(samples)
    let fields = try description.fields.map { try dataset(of: $0.name) }
    let shapes = description.fields.map { description.shape(of: $0) }
    for (done, sample) in samples.enumerated() {
      let found = try StoredSample.checksum(of: fields, shapes: shapes, position: sample)
      guard found == stored[sample] else { throw DatasetError.wrongChecksum(path: path, sample: sample) }
      try progress(done + 1)
    }
    return true
  }

  // MARK: - Inside

  private func read<Scalar: TensorScalar & HDF5Scalar>(
    field name: String, samples: Range<Int>, frames: [Int]?, stride: Int, as _: Scalar.Type,
    _ isFinite: (UnsafeBufferPointer<Scalar>) -> Bool
  ) throws -> Tensor<Scalar> {
    let dataset = try dataset(of: name)
    let isTimeVarying = description.fields.contains { $0.name == name && $0.isTimeVarying }
    try checkSamples(samples)
    try checkStride(stride)
    let frameCount = isTimeVarying ? description.frameCount : 1
    let frames = isTimeVarying ? frames ?? Array(0..<frameCount) : [0]
    if let wrong = frames.first(where: { !(0..<frameCount).contains($0) }) {
      throw DatasetError.invalidSelection(
        path: path, reason: "there is no time \(wrong): '\(name)' has \(frameCount)")
    }
    let grid = description.grid
    let kept = grid.map { ($0 + stride - 1) / stride }
    let result = try Tensor<Scalar>(shape: [samples.count, frames.count] + kept) { target in
      guard !target.isEmpty else { return }
      if stride == 1 && frames == Array(0..<frameCount) {
        let time = isTimeVarying ? [frameCount] : []
        let slab = HDF5Slab(
          start: [samples.lowerBound] + time.map { _ in 0 } + grid.map { _ in 0 },
          count: [samples.count] + time + grid)
        return try dataset.read(into: target, slab)
      }
      // Whole frames are read and thinned out here: HDF5's strided selections are far slower.
      var frame = [Scalar](repeating: 0, count: grid.reduce(1, *))
      let size = kept.reduce(1, *)
      var position = 0
      for sample in samples {
        for index in frames {
          let time = isTimeVarying ? [index] : []
          let slab = HDF5Slab(
            start: [sample] + time + grid.map { _ in 0 }, count: [1] + time.map { _ in 1 } + grid)
          let part = UnsafeMutableBufferPointer(rebasing: target[position..<position + size])
          if stride == 1 {
            try dataset.read(into: part, slab)
          } else {
            try frame.withUnsafeMutableBufferPointer { try dataset.read(into: $0, slab) }
            frame.withUnsafeBytes { source in
              thin(
                source, grid, stride, into: UnsafeMutableRawBufferPointer(part),
                size: MemoryLayout<Scalar>.size)
            }
          }
          position += size
        }
      }
    }
    try result.withUnsafeBuffer { values in
      guard !isFinite(values) else { return }
      let size = values.count / samples.count
      let first = samples.indices.first { sample in
        let start = (sample - samples.lowerBound) * size
        return !isFinite(UnsafeBufferPointer(rebasing: values[start..<start + size]))
      }
      throw DatasetError.nonFinite(path: path, field: name, sample: first ?? samples.lowerBound)
    }
    return result
  }

  private func dataset(of field: String) throws -> HDF5Dataset {
    guard let dataset = datasets[field] else {
      let names = description.fields.map { "'\($0.name)'" }.joined(separator: ", ")
      throw DatasetError.invalidSelection(path: path, reason: "no field '\(field)' (it holds: \(names))")
    }
    return dataset
  }

  private func checkSamples(_ samples: Range<Int>) throws {
    guard samples.lowerBound >= 0, samples.upperBound <= sampleCount else {
      throw DatasetError.invalidSelection(
        path: path,
        reason: "samples \(samples.lowerBound) to \(samples.upperBound - 1) are asked for, "
          + "but it has \(sampleCount)")
    }
  }

  private func checkStride(_ stride: Int) throws {
    for axis in description.axes {
      // Of an axis that may be either, both are allowed: an end of it is kept as the file has it.
      let intervals = axis.isPeriodic == false ? axis.count - 1 : axis.count
      let isAllowed =
        intervals % stride == 0 || axis.isPeriodic == nil && (axis.count - 1) % stride == 0
      guard stride >= 1, stride == 1 || isAllowed && intervals >= stride else {
        throw DatasetError.invalidSelection(
          path: path,
          reason: "stride \(stride) does not divide the \(intervals) intervals of axis \(axis.name)")
      }
    }
  }

  /// The checksum of every sample, or nil if the file has none.
  func storedChecksums() throws -> [UInt32]? {
    guard try file.root.member(DatasetLayout.checksums) == .dataset else { return nil }
    return try file.root.dataset(DatasetLayout.checksums).read(as: UInt32.self)
  }
}

/// Keeps every stride-th point along every axis of one frame of numbers of 4 or 8 bytes.
private func thin(
  _ source: UnsafeRawBufferPointer, _ grid: [Int], _ stride: Int, into target: UnsafeMutableRawBufferPointer,
  size: Int
) {
  if size == 4 {
    thin(source.bindMemory(to: UInt32.self), grid, stride, into: target.bindMemory(to: UInt32.self))
  } else {
    thin(source.bindMemory(to: UInt64.self), grid, stride, into: target.bindMemory(to: UInt64.self))
  }
}

private func thin<Word>(
  _ source: UnsafeBufferPointer<Word>, _ grid: [Int], _ stride: Int,
  into target: UnsafeMutableBufferPointer<Word>
) {
  let columns = grid[grid.count - 1]
  let rows = source.count / columns
  var position = 0
  for row in 0..<rows {
    var rest = row
    var isKept = true
    for length in grid.dropLast().reversed() {
      isKept = isKept && (rest % length) % stride == 0
      rest /= length
    }
    guard isKept else { continue }
    for column in Swift.stride(from: row * columns, to: (row + 1) * columns, by: stride) {
      target[position] = source[column]
      position += 1
    }
  }
}
