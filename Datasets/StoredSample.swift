import HDF5
import Tensors

/// The fields of one sample as they are stored: rounded, checked, with their checksum.
struct StoredSample: Sendable {
  /// One field in the precision of the file.
  enum Field: Sendable {
    case single(Tensor<Float>)
    case double(Tensor<Double>)
  }

  let fields: [Field]
  let checksum: UInt32

  /// Rounds a sample's fields.
  ///
  /// - Throws: `DatasetError.nonFiniteSolution`.
  init(
    _ tensors: [Tensor<Double>], of description: DatasetDescription, precision: StoredPrecision, sample: Int
  ) throws {
    precondition(
      tensors.map(\.shape) == description.fields.map { description.shape(of: $0) },
      "fields of shapes \(tensors.map(\.shape)) are not those of the description")
    var checksum = Checksum()
    fields = try zip(tensors, description.fields).map { tensor, field in
      let isFinite: Bool
      let stored: Field
      switch precision {
      case .single:
        let rounded = Tensor<Float>(converting: tensor)
        isFinite = rounded.withUnsafeBuffer { values in
          checksum.update(UnsafeRawBufferPointer(values))
          return allFinite(values)
        }
        stored = .single(rounded)
      case .double:
        isFinite = tensor.withUnsafeBuffer { values in
          checksum.update(UnsafeRawBufferPointer(values))
          return allFinite(values)
        }
        stored = .double(tensor)
      }
      guard isFinite else { throw DatasetError.nonFiniteSolution(field: field.name, sample: sample) }
      return stored
    }
    self.checksum = checksum.value
  }

  /// Writes the fields at their place in the datasets.
  func write(to datasets: [HDF5Dataset], position: Int) throws {
    for (field, dataset) in zip(fields, datasets) {
      switch field {
      case .single(let tensor):
        try tensor.withUnsafeBuffer { try dataset.write($0, Self.slab(position, tensor.shape)) }
      case .double(let tensor):
        try tensor.withUnsafeBuffer { try dataset.write($0, Self.slab(position, tensor.shape)) }
      }
    }
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
