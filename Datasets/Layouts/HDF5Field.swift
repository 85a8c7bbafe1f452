import HDF5
import Tensors

/// A field in an HDF5 dataset, whatever the order of its axes.
struct HDF5Field: FieldSource {
  let dataset: HDF5Dataset
  /// What the dataset's axes stand for, slowest first.
  let roles: [AxisRole]
  let storedType: StoredType
  private let shape: [Int]
  private let chunks: [Int]?

  /// At most so many numbers are held besides the result.
  private static let limit = 1 << 23

  /// - Throws: `HDF5Error` if the dataset is damaged.
  init(_ dataset: HDF5Dataset, roles: [AxisRole], storedType: StoredType? = nil) throws {
    self.dataset = dataset
    self.roles = roles
    self.storedType = storedType ?? StoredType(dataset.elementKind) ?? .float64
    shape = try dataset.shape()
    chunks = try dataset.chunks()
    precondition(shape.count == roles.count, "\(roles.count) roles for shape \(shape)")
  }

  func read(_ part: FieldPart, into target: UnsafeMutableBufferPointer<Float>) throws {
    try readBlocks(part, into: target)
  }

  func read(_ part: FieldPart, into target: UnsafeMutableBufferPointer<Double>) throws {
    try readBlocks(part, into: target)
  }

  /// Some neighbouring positions along one axis.
  private struct Segment {
    /// The first position in the dataset, and how many follow it up to the last.
    let start: Int
    let extent: Int
    /// The positions that are wanted, relative to the first.
    let positions: [Int]
    /// How many wanted positions lie before it.
    let before: Int
  }

  private func readBlocks<Scalar: HDF5Scalar & TensorScalar>(
    _ part: FieldPart, into target: UnsafeMutableBufferPointer<Scalar>
  ) throws {
    guard !target.isEmpty else { return }
    let axes = segments(of: part)
    let steps = roles.map { part.targetStep(of: $0) }
    var index = [Int](repeating: 0, count: axes.count)
    var buffer: [Scalar] = []
    while true {
      let block = index.indices.map { axes[$0][index[$0]] }
      try read(block, steps: steps, into: target, &buffer)
      var axis = axes.count - 1
      while axis >= 0, index[axis] + 1 == axes[axis].count {
        index[axis] = 0
        axis -= 1
      }
      guard axis >= 0 else { return }
      index[axis] += 1
    }
  }

  /// Cuts every axis so that a block of one segment of each has at most `limit` numbers.
  ///
  /// The slowest axes are cut, into whole chunks where that is possible, so that the file is read front to back.
  private func segments(of part: FieldPart) -> [[Segment]] {
    let wanted = roles.map { part.positions(of: $0) }
    var longest = [Int](repeating: 1, count: roles.count)
    var size = 1
    for axis in roles.indices.reversed() {
      let extent = wanted[axis][wanted[axis].count - 1] - wanted[axis][0] + 1
      var length = max(1, min(extent, Self.limit / size))
      if length < extent, let chunk = chunks?[axis], chunk < length { length -= length % chunk }
      longest[axis] = length
      size = size > Self.limit / max(1, extent) ? Self.limit : size * extent
    }
    return roles.indices.map { axis in
      var segments: [Segment] = []
      var positions = wanted[axis][...]
      while let first = positions.first {
        var last = first
        let run = positions.prefix { position in
          let belongs = position - first < longest[axis] && (roles[axis] != .time || position - last <= 1)
          if belongs { last = position }
          return belongs
        }
        segments.append(
          Segment(
            start: first, extent: last - first + 1, positions: run.map { $0 - first },
            before: wanted[axis].count - positions.count))
        positions = positions.dropFirst(run.count)
      }
      return segments
    }
  }

  private func read<Scalar: HDF5Scalar & TensorScalar>(
    _ block: [Segment], steps: [Int], into target: UnsafeMutableBufferPointer<Scalar>,
    _ buffer: inout [Scalar]
  ) throws {
    let slab = HDF5Slab(start: block.map(\.start), count: block.map(\.extent))
    let count = slab.elementCount
    let offset = zip(block, steps).reduce(0) { $0 + $1.0.before * $1.1 }
    let strides = StridedArray.strides(of: slab.count, isFortran: false)
    let loops = Loop.ordered(
      block.indices.map { axis in
        (Loop(block[axis].positions, stride: strides[axis], targetStep: steps[axis]), strides[axis])
      })
    if loops.count == 1, loops[0].count == count, loops[0].step == 1, loops[0].targetStep == 1 {
      return try dataset.read(
        into: UnsafeMutableBufferPointer(rebasing: target[offset..<offset + count]), slab)
    }
    if buffer.count < count { buffer = [Scalar](repeating: 0, count: count) }
    try buffer.withUnsafeMutableBufferPointer { buffer in
      try dataset.read(into: UnsafeMutableBufferPointer(rebasing: buffer[0..<count]), slab)
      let inner = loops[loops.count - 1]
      Loop.walk(loops) { source, place in
        let place = offset + place
        if let step = inner.step {
          for position in 0..<inner.count {
            target[place + position * inner.targetStep] = buffer[source + position * step]
          }
        } else {
          for position in 0..<inner.count {
            target[place + position * inner.targetStep] = buffer[source + inner.offset(position)]
          }
        }
      }
    }
  }
}

/// A field whose samples lie in datasets of their own.
struct SampleWiseField: FieldSource {
  let path: String
  let root: HDF5Group
  /// The dataset of every sample.
  let paths: [String]
  /// What the axes of each stand for.
  let roles: [AxisRole]
  /// The shape of each.
  let shape: [Int]
  let storedType: StoredType

  func read(_ part: FieldPart, into target: UnsafeMutableBufferPointer<Float>) throws {
    try forEach(part) { try $0.read($1, into: UnsafeMutableBufferPointer(rebasing: target[$2])) }
  }

  func read(_ part: FieldPart, into target: UnsafeMutableBufferPointer<Double>) throws {
    try forEach(part) { try $0.read($1, into: UnsafeMutableBufferPointer(rebasing: target[$2])) }
  }

  private func forEach(_ part: FieldPart, _ body: (HDF5Field, FieldPart, Range<Int>) throws -> Void) throws {
    let one = FieldPart(samples: 0..<1, frames: part.frames, grid: part.grid, stride: part.stride)
    let size = part.frames.count * part.frameSize
    for (position, sample) in part.samples.enumerated() {
      let dataset = try root.dataset(paths[sample])
      let found = try dataset.shape()
      guard found == shape, dataset.elementKind.isNumeric else {
        throw DatasetError.damaged(
          path: path, reason: "'\(paths[sample])' has shape \(found), the first sample \(shape)")
      }
      try body(HDF5Field(dataset, roles: roles), one, position * size..<(position + 1) * size)
    }
  }
}

extension StoredType {
  /// What the elements of an HDF5 dataset are, or nil if they are no numbers.
  init?(_ kind: HDF5ElementKind) {
    switch kind {
    case .boolean: self = .bool
    case .floatingPoint(16): self = .float16
    case .floatingPoint(32): self = .float32
    case .floatingPoint: self = .float64
    case .signedInteger(8): self = .int8
    case .signedInteger(16): self = .int16
    case .signedInteger(32): self = .int32
    case .signedInteger: self = .int64
    case .unsignedInteger(8): self = .uint8
    case .unsignedInteger(16): self = .uint16
    case .unsignedInteger(32): self = .uint32
    case .unsignedInteger: self = .uint64
    case .string, .other: return nil
    }
  }
}
