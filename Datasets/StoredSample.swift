import HDF5
import Tensors

/// The fields of one sample as they are stored: rounded, checked, with their checksums, cut into the chunks that lie in
/// the file.
struct StoredSample: Sendable {
  /// One chunk, with its own checksum behind it.
  private struct Chunk: Sendable {
    let field: Int
    /// Where it begins along the axes behind that of the samples.
    let start: [Int]
    let bytes: [UInt8]
  }

  private let chunks: [Chunk]
  /// The checksum of all fields, one after the other.
  let checksum: UInt32

  /// The bytes of all chunks.
  var byteCount: Int { chunks.reduce(0) { $0 + $1.bytes.count } }

  /// Rounds a sample's fields.
  ///
  /// - Throws: `DatasetError.nonFiniteSolution`.
  init(
    _ tensors: [Tensor<Double>], of description: DatasetDescription, precision: StoredPrecision, sample: Int
  ) throws {
    precondition(
      tensors.map(\.shape) == description.fields.map { Shape(description.shape(of: $0)) },
      "fields of shapes \(tensors.map(\.shape)) are not those of the description")
    var checksum = Checksum()
    var chunks: [Chunk] = []
    for (index, (tensor, field)) in zip(tensors, description.fields).enumerated() {
      let shape = Array(tensor.shape)
      let length = DatasetLayout.chunk(
        of: shape, isTimeVarying: field.isTimeVarying, elementSize: precision.byteCount
      ).dropFirst()
      // All of the sample, or some of its frames.
      let size = length.reduce(1, *)
      for first in stride(from: 0, to: tensor.count, by: max(1, size)) {
        let values = first..<min(tensor.count, first + size)
        let (bytes, isFinite) =
          switch precision {
          case .single: Self.chunk(tensor, values, as: Float.self, size: size, &checksum, allFinite)
          case .double: Self.chunk(tensor, values, as: Double.self, size: size, &checksum, allFinite)
          }
        guard isFinite else { throw DatasetError.nonFiniteSolution(field: field.name, sample: sample) }
        let frame = field.isTimeVarying ? first / max(1, shape.dropFirst().reduce(1, *)) : 0
        chunks.append(
          Chunk(field: index, start: [frame] + shape.dropFirst().map { _ in 0 }, bytes: bytes))
      }
    }
    self.chunks = chunks
    self.checksum = checksum.value
  }

  /// The chunk of some values of a tensor, zeros where it has more numbers, and whether all of them are finite.
  private static func chunk<Scalar: TensorScalar>(
    _ tensor: Tensor<Double>, _ values: Range<Int>, as: Scalar.Type, size: Int, _ checksum: inout Checksum,
    _ allFinite: (UnsafeBufferPointer<Scalar>) -> Bool
  ) -> (bytes: [UInt8], isFinite: Bool) {
    var isFinite = true
    let count = size * MemoryLayout<Scalar>.stride
    let bytes = [UInt8](unsafeUninitializedCapacity: count + 4) { bytes, filled in
      let numbers = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[..<count])
        .bindMemory(to: Scalar.self)
      let stored = UnsafeMutableBufferPointer(rebasing: numbers[..<values.count])
      tensor.withUnsafeBuffer { Scalar.convert(UnsafeBufferPointer(rebasing: $0[values]), into: stored) }
      numbers[values.count...].update(repeating: 0)
      isFinite = allFinite(UnsafeBufferPointer(stored))
      checksum.update(UnsafeRawBufferPointer(stored))
      withUnsafeBytes(of: Fletcher32.checksum(of: UnsafeRawBufferPointer(numbers)).littleEndian) {
        UnsafeMutableRawBufferPointer(bytes).baseAddress!.advanced(by: count).copyMemory(
          from: $0.baseAddress!, byteCount: 4)
      }
      filled = count + 4
    }
    return (bytes, isFinite)
  }

  /// Writes the fields at their place in the datasets.
  ///
  /// Whole chunks, as they are to lie in the file: what a kill left in their places does not matter, and no filter
  /// is left to run on the thread that writes.
  func write(to datasets: [HDF5Dataset], position: Int) throws {
    for chunk in chunks { try datasets[chunk.field].writeRawChunk(chunk.bytes, at: [position] + chunk.start) }
  }

  /// The checksum of what a file holds at the place of a sample.
  static func checksum(of datasets: [HDF5Dataset], shapes: [[Int]], position: Int) throws -> UInt32 {
    var checksum = Checksum()
    for (dataset, shape) in zip(datasets, shapes) {
      let slab = slab(position, shape)
      if dataset.elementKind == .floatingPoint(bits: 64) {
        try dataset.read(as: Double.self, slab).withUnsafeBytes { checksum.update($0) }
      } else {
        try dataset.read(as: Float.self, slab).withUnsafeBytes { checksum.update($0) }
      }
    }
    return checksum.value
  }

  /// The place of a sample of this shape.
  static func slab(_ position: Int, _ shape: [Int]) -> HDF5Slab {
    HDF5Slab(start: [position] + shape.map { _ in 0 }, count: [1] + shape)
  }
}

/// Whether no number is infinite or NaN.
func allFinite(_ values: UnsafeBufferPointer<Float>) -> Bool {
  // The largest pattern without the sign is above that of any finite number: a loop of integer maxima.
  var largest: UInt32 = 0
  for value in values { largest = max(largest, value.bitPattern & 0x7FFF_FFFF) }
  return largest < Float.infinity.bitPattern
}

/// Whether no number is infinite or NaN.
func allFinite(_ values: UnsafeBufferPointer<Double>) -> Bool {
  var largest: UInt64 = 0
  for value in values { largest = max(largest, value.bitPattern & 0x7FFF_FFFF_FFFF_FFFF) }
  return largest < Double.infinity.bitPattern
}
