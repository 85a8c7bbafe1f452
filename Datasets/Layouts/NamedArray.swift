import HDF5

/// An array of numbers with a name, as files of arrays hold them.
struct NamedArray: Sendable {
  let name: String
  /// The length of every axis, in the order in which the file's own library indexes it.
  let shape: [Int]
  let storedType: StoredType
  private let storage: Storage

  private enum Storage {
    case strided(StridedArray)
    /// The stored axes are in the opposite order if it is reversed.
    case hdf5(HDF5Dataset, isReversed: Bool)
  }

  init(_ name: String, _ array: StridedArray) {
    self.name = name
    shape = array.shape
    storedType = array.storedType
    storage = .strided(array)
  }

  /// - Throws: `HDF5Error`.
  init(_ name: String, _ dataset: HDF5Dataset, storedType: StoredType, isReversed: Bool) throws {
    self.name = name
    let stored = try dataset.shape()
    shape = isReversed ? stored.reversed() : stored
    self.storedType = storedType
    storage = .hdf5(dataset, isReversed: isReversed)
  }

  /// The number of elements.
  var count: Int { shape.reduce(1, *) }

  /// Whether samples, along the first axis, are the fastest.
  var interleavesSamples: Bool {
    switch storage {
    case .strided(let array):
      shape.count > 1 && shape[0] > 1 && array.strides[0] < (array.strides.dropFirst().max() ?? 0)
    case .hdf5(_, let isReversed): isReversed
    }
  }

  /// The array as a field; `roles` in the order of `shape`.
  func field(_ roles: [AxisRole]) throws -> any FieldSource {
    switch storage {
    case .strided(let array): StridedField(array: array, roles: roles)
    case .hdf5(let dataset, let isReversed):
      try HDF5Field(dataset, roles: isReversed ? roles.reversed() : roles, storedType: storedType)
    }
  }

  /// All numbers of a small array, in the order of its last axis first.
  func numbers() throws -> [Double] {
    switch storage {
    case .strided(let array): try array.numbers()
    case .hdf5(let dataset, _): try dataset.read(as: Double.self)
    }
  }
}
