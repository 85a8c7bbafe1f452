import CHDF5

/// How a dataset lies in the file.
public struct HDF5Layout: Sendable, Equatable {
  /// The shape of a chunk, or nil for one contiguous block; filters and growth need chunks.
  public var chunks: [Int]?
  /// Whether bytes are regrouped by significance, which makes `deflate` work better.
  public var isShuffled: Bool
  /// The effort of the compression, 1 to 9, or nil for none.
  public var deflate: Int?
  /// Whether every chunk carries a Fletcher-32 checksum, verified on reading.
  public var hasChecksums: Bool
  /// Whether the space is taken, and filled with zeros, at once instead of when written to.
  ///
  /// Without `deflate`, later writes change nothing but the data then: a process that dies while writing
  /// cannot damage the file's structure.
  public var isAllocatedEarly: Bool
  /// Which axes may grow later (see `HDF5Dataset.extend(to:)`).
  public var growingAxes: Set<Int>
  /// What elements are before they are written; zero if nil.
  public var fillValue: Double?

  /// A contiguous dataset, unless told otherwise.
  public init(
    chunks: [Int]? = nil, isShuffled: Bool = false, deflate: Int? = nil, hasChecksums: Bool = false,
    isAllocatedEarly: Bool = false, growingAxes: Set<Int> = [], fillValue: Double? = nil
  ) {
    precondition(
      chunks != nil || !isShuffled && deflate == nil && !hasChecksums && growingAxes.isEmpty,
      "filters and growth need chunks")
    self.chunks = chunks
    self.isShuffled = isShuffled
    self.deflate = deflate
    self.hasChecksums = hasChecksums
    self.isAllocatedEarly = isAllocatedEarly
    self.growingAxes = growingAxes
    self.fillValue = fillValue
  }

  func makeSpace(_ shape: [Int]) -> hid_t {
    precondition(shape.allSatisfy { $0 >= 0 }, "negative length in shape \(shape)")
    guard !shape.isEmpty else { return H5Screate(H5S_SCALAR) }
    let lengths = shape.map(UInt64.init)
    let largest = shape.indices.map { growingAxes.contains($0) ? chdf5_H5S_UNLIMITED() : lengths[$0] }
    return H5Screate_simple(Int32(shape.count), lengths, largest)
  }

  func makeProperties(kind: HDF5ElementKind, shape: [Int]) -> hid_t {
    let properties = H5Pcreate(chdf5_H5P_DATASET_CREATE())
    H5Pset_attr_creation_order(properties, chdf5_creation_order())
    if let chunks, !shape.isEmpty {
      precondition(
        chunks.count == shape.count && chunks.allSatisfy { $0 > 0 }, "chunks \(chunks) do not fit \(shape)")
      let bounded = zip(chunks, shape).enumerated().map { axis, lengths in
        UInt64(growingAxes.contains(axis) ? lengths.0 : min(lengths.0, max(1, lengths.1)))
      }
      H5Pset_chunk(properties, Int32(chunks.count), bounded)
      if isShuffled { H5Pset_shuffle(properties) }
      if let deflate { H5Pset_deflate(properties, UInt32(min(9, max(0, deflate)))) }
      if hasChecksums { H5Pset_fletcher32(properties) }
    }
    if isAllocatedEarly { H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY) }
    if var fillValue { H5Pset_fill_value(properties, chdf5_H5T_NATIVE_DOUBLE(), &fillValue) }
    return properties
  }
}

/// A regular part of a dataset: `count` positions along every axis, from `start` on, `stride` apart.
public struct HDF5Slab: Sendable, Equatable {
  /// The first position along every axis.
  public var start: [Int]
  /// How many positions along every axis.
  public var count: [Int]
  /// The distance between positions along every axis.
  public var stride: [Int]

  /// A slab; neighbouring positions unless `stride` is given.
  public init(start: [Int], count: [Int], stride: [Int]? = nil) {
    self.start = start
    self.count = count
    self.stride = stride ?? [Int](repeating: 1, count: start.count)
  }

  /// How many elements it holds.
  public var elementCount: Int { count.reduce(1, *) }
}

/// An array of numbers, truth values or text in a file.
public struct HDF5Dataset: Sendable {
  let identifier: Identifier
  let file: OpenFile
  /// The path in the file, without a leading `/`.
  public let path: String
  /// What the elements are.
  public let elementKind: HDF5ElementKind

  init(_ identifier: Identifier, path: String, in file: OpenFile) throws {
    self.identifier = identifier
    self.path = path
    self.file = file
    let type = H5Dget_type(identifier.number)
    guard type >= 0 else {
      throw Library.failure(.corrupt, file.path, path, "the type of '\(path)' cannot be read")
    }
    elementKind = HDF5ElementKind(type: type)
    H5Tclose(type)
  }

  /// The attributes of the dataset.
  public var attributes: HDF5Attributes {
    HDF5Attributes(identifier: identifier, file: file, owner: "'\(path)'")
  }

  /// The length of every axis, slowest first; empty for a single element.
  public func shape() throws -> [Int] {
    try withSpace { space in try lengths(of: space).current }
  }

  /// The shape of the chunks, or nil if the data lie in one block.
  public func chunks() throws -> [Int]? {
    try Library.perform {
      try file.check()
      let properties = H5Dget_create_plist(identifier.number)
      guard properties >= 0 else { throw failure(.corrupt, "its layout cannot be read") }
      defer { H5Pclose(properties) }
      guard H5Pget_layout(properties) == H5D_CHUNKED else { return nil }
      let rank = try shape().count
      var lengths = [UInt64](repeating: 0, count: rank)
      guard H5Pget_chunk(properties, Int32(rank), &lengths) >= 0 else {
        throw failure(.corrupt, "its chunks cannot be read")
      }
      return lengths.map { Int(clamping: $0) }
    }
  }

  /// The effort of the compression, 1 to 9, or nil if there is none.
  public func deflate() throws -> Int? {
    try Library.perform {
      try file.check()
      let properties = H5Dget_create_plist(identifier.number)
      guard properties >= 0 else { throw failure(.corrupt, "its layout cannot be read") }
      defer { H5Pclose(properties) }
      var (flags, count, level) = (UInt32(0), 1, UInt32(0))
      let deflate = H5Z_filter_t(H5Z_FILTER_DEFLATE)
      let found = H5Pget_filter_by_id2(properties, deflate, &flags, &count, &level, 0, nil, nil)
      return found >= 0 && count == 1 ? Int(level) : nil
    }
  }

  /// The bytes that the data take in the file.
  public func storedBytes() throws -> Int {
    try Library.perform {
      try file.check()
      return Int(clamping: H5Dget_storage_size(identifier.number))
    }
  }

  /// Makes the growing axes longer (or shorter); other axes keep their length.
  public func extend(to shape: [Int]) throws {
    try Library.perform {
      try file.check()
      guard H5Dset_extent(identifier.number, shape.map(UInt64.init)) >= 0 else {
        throw failure(.writeFailed, "cannot be extended to \(shape)")
      }
    }
  }

  // MARK: - Numbers

  /// Reads the dataset, or a part of it, into memory in row-major order, converted to `Scalar`.
  ///
  /// - Throws: `HDF5Error` if the elements are no numbers or the data are damaged.
  public func read<Scalar: HDF5Scalar>(
    into values: UnsafeMutableBufferPointer<Scalar>, _ slab: HDF5Slab? = nil
  ) throws {
    try withSpace { space in
      let count = try select(slab, in: space)
      precondition(values.count == count, "\(count) elements of '\(path)' do not fit \(values.count)")
      try checkReadable(as: Scalar.elementKind)
      guard count > 0 else { return }
      let type = Scalar.elementKind.makeReadingType()
      let memory = slab.map { Self.makeBox($0.count) } ?? 0  // 0 is H5S_ALL
      defer {
        H5Tclose(type)
        if memory > 0 { H5Sclose(memory) }
      }
      let raw = UnsafeMutableRawPointer(values.baseAddress!)
      guard H5Dread(identifier.number, type, memory, slab == nil ? 0 : space, 0, raw) >= 0 else {
        throw failure(.corrupt, "cannot be read")
      }
      try file.checkLength()
      if Scalar.elementKind == .boolean { normalizeBooleans(raw, count: count) }
    }
  }

  /// The elements of the dataset, or of a part of it, in row-major order, converted to `Scalar`.
  public func read<Scalar: HDF5Scalar>(as type: Scalar.Type, _ slab: HDF5Slab? = nil) throws -> [Scalar] {
    try Library.perform {
      let count = try slab?.elementCount ?? shape().reduce(1, *)
      let isNull = try withSpace { H5Sget_simple_extent_type($0) == H5S_NULL }
      return try [Scalar](unsafeUninitializedCapacity: count) { buffer, initialized in
        guard !isNull else { return }
        try read(into: UnsafeMutableBufferPointer(start: buffer.baseAddress, count: count), slab)
        initialized = count
      }
    }
  }

  /// Writes the dataset, or a part of it, from memory in row-major order, converted to the stored type.
  ///
  /// - Throws: `HDF5Error` of kind `writeFailed`; data that HDF5 keeps back may fail only in `flush`.
  public func write<Scalar: HDF5Scalar>(
    _ values: UnsafeBufferPointer<Scalar>, _ slab: HDF5Slab? = nil
  ) throws {
    try withSpace { space in
      let count = try select(slab, in: space)
      precondition(values.count == count, "\(values.count) elements do not fill \(count) of '\(path)'")
      try checkWritable()
      guard count > 0 else { return }
      let type = Scalar.elementKind.makeMemoryType()
      let memory = slab.map { Self.makeBox($0.count) } ?? 0
      defer {
        H5Tclose(type)
        if memory > 0 { H5Sclose(memory) }
      }
      guard H5Dwrite(identifier.number, type, memory, slab == nil ? 0 : space, 0, values.baseAddress) >= 0
      else { throw failure(.writeFailed, "cannot be written") }
    }
  }

  /// Writes the dataset, or a part of it, from an array in row-major order.
  public func write<Scalar: HDF5Scalar>(_ values: [Scalar], _ slab: HDF5Slab? = nil) throws {
    try values.withUnsafeBufferPointer { try write($0, slab) }
  }

  /// Puts bytes into the place of a whole chunk as they are: filters are not applied, so that the bytes must be what
  /// they would make (see `Fletcher32`).
  ///
  /// The chunk is named by the position of its first element.
  public func writeRawChunk(_ bytes: [UInt8], at start: [Int]) throws {
    try Library.perform {
      try file.check()
      try checkWritable()
      guard H5Dwrite_chunk(identifier.number, 0, 0, start.map(UInt64.init), bytes.count, bytes) >= 0 else {
        throw failure(.writeFailed, "chunk \(start) cannot be written")
      }
    }
  }

  // MARK: - Text

  /// The texts of a dataset of strings, of fixed or variable length, in row-major order.
  public func readStrings() throws -> [String] {
    try withSpace { space in
      guard elementKind == .string else { throw wrongKind("text") }
      let count = Int(H5Sget_simple_extent_npoints(space))
      let type = H5Dget_type(identifier.number)
      defer { H5Tclose(type) }
      return try StringBuffer.read(count: count, type: type, space: space) { memoryType, memory in
        guard H5Dread(identifier.number, memoryType, 0, 0, 0, memory) >= 0 else {
          throw failure(.corrupt, "cannot be read")
        }
      }
    }
  }

  /// Writes a dataset of strings of variable length.
  public func write(_ values: [String]) throws {
    try withSpace { space in
      precondition(Int(H5Sget_simple_extent_npoints(space)) == values.count, "wrong number of texts")
      try checkWritable()
      let type = HDF5ElementKind.makeStringType()
      defer { H5Tclose(type) }
      try StringBuffer.withPointers(values) { pointers in
        guard values.isEmpty || H5Dwrite(identifier.number, type, 0, 0, 0, pointers) >= 0 else {
          throw failure(.writeFailed, "cannot be written")
        }
      }
    }
  }

  // MARK: - Dimension scales

  /// Makes this dataset, of one axis, the coordinates of a dimension that other datasets share.
  public func makeDimensionScale(named name: String) throws {
    try Library.perform {
      try file.check()
      guard H5DSset_scale(identifier.number, name) >= 0 else {
        throw failure(.writeFailed, "cannot be made a dimension scale")
      }
    }
  }

  /// Names an axis and gives it coordinates: netCDF-4 and xarray then know the dimension.
  public func attach(_ scale: HDF5Dataset, toAxis axis: Int, label: String? = nil) throws {
    try Library.perform {
      try file.check()
      guard H5DSattach_scale(identifier.number, scale.identifier.number, UInt32(axis)) >= 0,
        label.map({ H5DSset_label(identifier.number, UInt32(axis), $0) >= 0 }) ?? true
      else { throw failure(.writeFailed, "cannot attach '\(scale.path)' to axis \(axis)") }
    }
  }

  /// Whether the dataset is a dimension scale.
  public func isDimensionScale() throws -> Bool {
    try Library.perform {
      try file.check()
      return H5DSis_scale(identifier.number) > 0
    }
  }

  /// How many dimension scales an axis has.
  public func scaleCount(axis: Int) throws -> Int {
    try Library.perform {
      try file.check()
      return Int(H5DSget_num_scales(identifier.number, UInt32(axis)))
    }
  }

  /// The label of an axis, if it has one.
  public func label(axis: Int) throws -> String? {
    try Library.perform {
      try file.check()
      let length = H5DSget_label(identifier.number, UInt32(axis), nil, 0)
      guard length > 0 else { return nil }
      return withUnsafeTemporaryAllocation(of: CChar.self, capacity: length + 1) { buffer in
        H5DSget_label(identifier.number, UInt32(axis), buffer.baseAddress, length + 1)
        return String(cString: buffer.baseAddress!)
      }
    }
  }

  // MARK: - Inside

  private func withSpace<Result>(_ body: (hid_t) throws -> Result) throws -> Result {
    try Library.perform {
      try file.check()
      let space = H5Dget_space(identifier.number)
      guard space >= 0 else { throw failure(.corrupt, "its shape cannot be read") }
      defer { H5Sclose(space) }
      return try body(space)
    }
  }

  private func lengths(of space: hid_t) throws -> (current: [Int], largest: [UInt64]) {
    let rank = H5Sget_simple_extent_ndims(space)
    guard rank >= 0 else { throw failure(.corrupt, "its shape cannot be read") }
    var current = [UInt64](repeating: 0, count: Int(rank))
    var largest = current
    H5Sget_simple_extent_dims(space, &current, &largest)
    // A file may declare any length; 2^60 bytes are more than any file has.
    var product: UInt64 = 1
    for length in current {
      let (next, overflow) = product.multipliedReportingOverflow(by: max(1, length))
      guard !overflow, next < 1 << 57 else { throw damaged("its shape is \(current)") }
      product = next
    }
    return (current.map { Int($0) }, largest)
  }

  /// Selects a slab and returns the number of its elements.
  private func select(_ slab: HDF5Slab?, in space: hid_t) throws -> Int {
    guard let slab else { return Int(H5Sget_simple_extent_npoints(space)) }
    let shape = try lengths(of: space).current
    precondition(
      slab.start.count == shape.count && slab.count.count == shape.count && slab.stride.count == shape.count,
      "a slab of \(slab.start.count) axes in '\(path)' of shape \(shape)")
    for axis in shape.indices where slab.count[axis] > 0 {
      let last = slab.start[axis] + (slab.count[axis] - 1) * slab.stride[axis]
      precondition(
        slab.start[axis] >= 0 && slab.stride[axis] > 0 && last < shape[axis],
        "slab \(slab) outside '\(path)' of shape \(shape)")
    }
    guard slab.elementCount > 0 else {
      H5Sselect_none(space)
      return 0
    }
    guard !shape.isEmpty else { return 1 }
    let status = H5Sselect_hyperslab(
      space, H5S_SELECT_SET, slab.start.map(UInt64.init), slab.stride.map(UInt64.init),
      slab.count.map(UInt64.init), nil)
    guard status >= 0 else { throw failure(.wrongContent, "part \(slab) cannot be selected") }
    return slab.elementCount
  }

  /// The space of a part in memory.
  ///
  /// Of another rank than the dataset it would be the same numbers in the same order, but the library would then walk
  /// through the chunks element by element.
  private static func makeBox(_ lengths: [Int]) -> hid_t {
    lengths.isEmpty
      ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(lengths.count), lengths.map(UInt64.init), nil)
  }

  private func checkReadable(as kind: HDF5ElementKind) throws {
    guard elementKind.isNumeric else { throw wrongKind("numbers") }
    if case .floatingPoint = elementKind {
      guard case .floatingPoint = kind else { throw wrongKind("whole numbers") }
    }
  }

  private func checkWritable() throws {
    guard file.isWritable else {
      throw HDF5Error(.writeFailed, path: file.path, object: path, "the file was opened for reading only")
    }
  }

  /// Makes sure that the file has the numbers that the dataset declares.
  ///
  /// Nothing that HDF5 itself checks: without it a few bytes may ask for any amount of memory, and a file may
  /// make its reader open others.
  func checkStorage() throws {
    try Library.perform {
      let properties = H5Dget_create_plist(identifier.number)
      guard properties >= 0 else { throw failure(.corrupt, "its layout cannot be read") }
      defer { H5Pclose(properties) }
      let kind = H5Pget_layout(properties)
      guard H5Pget_external_count(properties) == 0, kind != H5D_VIRTUAL else {
        throw HDF5Error(
          .wrongContent, path: file.path, object: path,
          "the numbers of '\(path)' lie in other files; copy them into one, with h5repack")
      }
      let type = H5Dget_type(identifier.number)
      let elementSize = type >= 0 ? H5Tget_size(type) : 0
      if type >= 0 { H5Tclose(type) }
      let (declared, overflow) = try shape().reduce(1, *).multipliedReportingOverflow(by: max(1, elementSize))
      let fileSize = FileStatus(file.path).size
      let stored = min(try storedBytes(), fileSize)
      // Deflate makes at most 1,032 bytes of one. A small dataset may be all fill value.
      let slack = 1 << 20
      let (bound, _) = (kind == H5D_CHUNKED ? 1032 : 1).multipliedReportingOverflow(by: stored)
      guard !overflow, declared <= bound + slack else {
        throw damaged("it declares \(declared) bytes of numbers, but the file has \(stored)")
      }
      if let chunk = try chunks() {
        var bytes = elementSize
        for length in chunk { bytes = min(1 << 40, bytes) * min(1 << 20, length) }
        guard bytes <= 1032 * fileSize + slack else { throw damaged("its chunks have \(bytes) bytes") }
      }
    }
  }

  private func damaged(_ what: String) -> HDF5Error {
    HDF5Error(.corrupt, path: file.path, object: path, "'\(path)' is damaged: \(what); copy the file again")
  }

  private func wrongKind(_ expected: String) -> HDF5Error {
    HDF5Error(
      .wrongContent, path: file.path, object: path, "'\(path)' does not hold \(expected) but \(elementKind)")
  }

  private func failure(_ kind: HDF5Error.Kind, _ what: String) -> HDF5Error {
    Library.failure(kind, file.path, path, "'\(path)' \(what)")
  }
}
