import CHDF5
import Glibc

/// The value of an attribute, whatever it is: for listings.
public enum HDF5Value: Sendable, Equatable {
  /// One text.
  case string(String)
  /// Several texts.
  case strings([String])
  /// Whole numbers with their shape; a single one has an empty shape.
  case integers([Int64], shape: [Int])
  /// Numbers with their shape.
  case numbers([Double], shape: [Int])
  /// Truth values with their shape.
  case booleans([Bool], shape: [Int])
  /// Something that this module does not read: references, compounds.
  case other
}

/// The attributes of a group or dataset.
public struct HDF5Attributes: Sendable {
  let identifier: Identifier
  let file: OpenFile
  let owner: String

  /// The names, in order of creation where the file keeps it.
  public func names() throws -> [String] {
    try Library.perform {
      try file.check()
      let count = H5Aget_num_attrs(identifier.number)
      guard count >= 0 else { throw failure(.corrupt, nil, "attributes cannot be listed") }
      var index = H5_INDEX_CRT_ORDER
      if count > 0 && H5Aget_name_by_idx(identifier.number, ".", index, H5_ITER_INC, 0, nil, 0, 0) < 0 {
        index = H5_INDEX_NAME
      }
      return try (0..<UInt64(count)).map { position in
        let length = H5Aget_name_by_idx(identifier.number, ".", index, H5_ITER_INC, position, nil, 0, 0)
        guard length >= 0 else { throw failure(.corrupt, nil, "attributes cannot be listed") }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: length + 1) { buffer in
          H5Aget_name_by_idx(
            identifier.number, ".", index, H5_ITER_INC, position, buffer.baseAddress, length + 1, 0)
          return String(cString: buffer.baseAddress!)
        }
      }
    }
  }

  /// Whether there is an attribute of this name.
  public func contains(_ name: String) throws -> Bool {
    try Library.perform {
      try file.check()
      return H5Aexists(identifier.number, name) > 0
    }
  }

  /// Removes an attribute if it is there.
  public func remove(_ name: String) throws {
    try Library.perform {
      guard try contains(name) else { return }
      guard H5Adelete(identifier.number, name) >= 0 else {
        throw failure(.writeFailed, name, "cannot be removed")
      }
    }
  }

  // MARK: - Writing; a value of the same name is replaced

  /// Writes one text.
  public func set(_ name: String, _ value: String) throws { try writeStrings(name, [value], isScalar: true) }

  /// Writes several texts.
  public func set(_ name: String, _ values: [String]) throws {
    try writeStrings(name, values, isScalar: false)
  }

  /// Writes one number or truth value.
  public func set<Scalar: HDF5Scalar>(_ name: String, _ value: Scalar) throws {
    try writeScalars(name, [value], isScalar: true)
  }

  /// Writes an array of numbers or truth values.
  public func set<Scalar: HDF5Scalar>(_ name: String, _ values: [Scalar]) throws {
    try writeScalars(name, values, isScalar: false)
  }

  // MARK: - Reading

  /// One text.
  ///
  /// - Throws: `HDF5Error` of kind `wrongContent` if there is no such attribute or it is no text.
  public func string(_ name: String) throws -> String {
    let values = try strings(name)
    guard values.count == 1 else {
      throw wrongContent(name, "holds \(values.count) texts where one is expected")
    }
    return values[0]
  }

  /// The texts of an attribute, one or several.
  public func strings(_ name: String) throws -> [String] {
    try withAttribute(name) { attribute, type, space in
      guard HDF5ElementKind(type: type) == .string else { throw wrongContent(name, "is not text") }
      let count = Int(H5Sget_simple_extent_npoints(space))
      return try StringBuffer.read(count: count, type: type, space: space) { memoryType, memory in
        guard H5Aread(attribute, memoryType, memory) >= 0 else {
          throw failure(.corrupt, name, "cannot be read")
        }
      }
    }
  }

  /// One number or truth value.
  public func scalar<Scalar: HDF5Scalar>(_ name: String, as type: Scalar.Type) throws -> Scalar {
    let values = try array(name, as: type)
    guard values.count == 1 else {
      throw wrongContent(name, "holds \(values.count) numbers where one is expected")
    }
    return values[0]
  }

  /// The numbers or truth values of an attribute, in row-major order.
  public func array<Scalar: HDF5Scalar>(_ name: String, as type: Scalar.Type) throws -> [Scalar] {
    try withAttribute(name) { attribute, storedType, space in
      let kind = HDF5ElementKind(type: storedType)
      guard kind.isNumeric else { throw wrongContent(name, "is not a number") }
      if case .floatingPoint = kind {
        guard case .floatingPoint = Scalar.elementKind else {
          throw wrongContent(name, "is not a whole number")
        }
      }
      let count = Int(H5Sget_simple_extent_npoints(space))
      let memoryType = Scalar.elementKind.makeReadingType()
      defer { H5Tclose(memoryType) }
      return try [Scalar](unsafeUninitializedCapacity: count) { buffer, initialized in
        guard count > 0 else { return }
        guard H5Aread(attribute, memoryType, buffer.baseAddress) >= 0 else {
          throw failure(.corrupt, name, "cannot be read")
        }
        if Scalar.elementKind == .boolean { normalizeBooleans(buffer.baseAddress!, count: count) }
        initialized = count
      }
    }
  }

  /// The value of an attribute, whatever it is.
  public func value(_ name: String) throws -> HDF5Value {
    let (kind, shape) = try withAttribute(name) { _, type, space in
      let rank = max(0, H5Sget_simple_extent_ndims(space))
      var lengths = [UInt64](repeating: 0, count: Int(rank))
      H5Sget_simple_extent_dims(space, &lengths, nil)
      return (HDF5ElementKind(type: type), lengths.map { Int($0) })
    }
    switch kind {
    case .string:
      let texts = try strings(name)
      return shape.isEmpty && texts.count == 1 ? .string(texts[0]) : .strings(texts)
    case .signedInteger, .unsignedInteger:
      return .integers(try array(name, as: Int64.self), shape: shape)
    case .floatingPoint: return .numbers(try array(name, as: Double.self), shape: shape)
    case .boolean: return .booleans(try array(name, as: Bool.self), shape: shape)
    case .other: return .other
    }
  }

  // MARK: - Inside

  private func writeScalars<Scalar: HDF5Scalar>(_ name: String, _ values: [Scalar], isScalar: Bool) throws {
    let memoryType = Library.perform { Scalar.elementKind.makeMemoryType() }
    defer { Library.perform { _ = H5Tclose(memoryType) } }
    try create(name, kind: Scalar.elementKind, shape: isScalar ? [] : [values.count]) { attribute in
      values.isEmpty ? 0 : values.withUnsafeBytes { H5Awrite(attribute, memoryType, $0.baseAddress) }
    }
  }

  private func writeStrings(_ name: String, _ values: [String], isScalar: Bool) throws {
    try create(name, kind: .string, shape: isScalar ? [] : [values.count]) { attribute in
      let type = HDF5ElementKind.makeStringType()
      defer { H5Tclose(type) }
      return StringBuffer.withPointers(values) { values.isEmpty ? 0 : H5Awrite(attribute, type, $0) }
    }
  }

  private func create(
    _ name: String, kind: HDF5ElementKind, shape: [Int], write: (hid_t) -> herr_t
  ) throws {
    try Library.perform {
      try remove(name)
      let type = kind.makeFileType()
      let space = HDF5Layout().makeSpace(shape)
      defer {
        H5Tclose(type)
        H5Sclose(space)
      }
      let attribute = H5Acreate2(identifier.number, name, type, space, 0, 0)
      guard attribute >= 0 else { throw failure(.writeFailed, name, "cannot be created") }
      defer { H5Aclose(attribute) }
      guard write(attribute) >= 0 else { throw failure(.writeFailed, name, "cannot be written") }
    }
  }

  private func withAttribute<Result>(
    _ name: String, _ body: (_ attribute: hid_t, _ type: hid_t, _ space: hid_t) throws -> Result
  ) throws -> Result {
    try Library.perform {
      guard try contains(name) else {
        let found = try names().map { "'\($0)'" }.joined(separator: ", ")
        throw HDF5Error(
          .wrongContent, path: file.path, object: name,
          "\(owner) has no attribute '\(name)' (it has: \(found.isEmpty ? "none" : found))")
      }
      let attribute = H5Aopen(identifier.number, name, 0)
      guard attribute >= 0 else { throw failure(.corrupt, name, "cannot be opened") }
      defer { H5Aclose(attribute) }
      let type = H5Aget_type(attribute)
      let space = H5Aget_space(attribute)
      defer {
        H5Tclose(type)
        H5Sclose(space)
      }
      guard type >= 0 && space >= 0 else { throw failure(.corrupt, name, "cannot be read") }
      // More than any attribute is for; a damaged one may declare anything.
      let count = Int(H5Sget_simple_extent_npoints(space))
      let size = H5Tget_size(type)
      guard count >= 0, count <= 1 << 20, size >= 0, size <= 1 << 20, count * size <= 1 << 26 else {
        throw HDF5Error(
          .corrupt, path: file.path, object: name,
          "attribute '\(name)' of \(owner) is damaged: \(count) elements of \(size) bytes")
      }
      return try body(attribute, type, space)
    }
  }

  private func wrongContent(_ name: String, _ what: String) -> HDF5Error {
    HDF5Error(.wrongContent, path: file.path, object: name, "attribute '\(name)' of \(owner) \(what)")
  }

  private func failure(_ kind: HDF5Error.Kind, _ name: String?, _ what: String) -> HDF5Error {
    let subject = name.map { "attribute '\($0)' of \(owner)" } ?? owner
    return Library.failure(kind, file.path, name, "\(subject) \(what)")
  }
}

/// Text between Swift and HDF5's two ways of storing it.
enum StringBuffer {
  /// Reads `count` texts; `transfer` reads into the memory it gets, of the type it gets.
  static func read(
    count: Int, type: hid_t, space: hid_t, _ transfer: (hid_t, UnsafeMutableRawPointer) throws -> Void
  ) throws -> [String] {
    guard count > 0 else { return [] }
    guard H5Tis_variable_str(type) > 0 else {
      let size = H5Tget_size(type)
      let isPaddedBySpaces = H5Tget_strpad(type) == H5T_STR_SPACEPAD
      let memory = UnsafeMutableRawPointer.allocate(byteCount: count * size, alignment: 16)
      defer { memory.deallocate() }
      try transfer(type, memory)
      return (0..<count).map { index in
        let bytes = UnsafeRawBufferPointer(start: memory + index * size, count: size)
        var text = bytes.prefix { $0 != 0 }
        if isPaddedBySpaces { while text.last == 0x20 { text.removeLast() } }
        return String(decoding: text, as: UTF8.self)
      }
    }
    // The character set in memory must be that of the file.
    let memoryType = H5Tcopy(type)
    defer { H5Tclose(memoryType) }
    let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: count)
    pointers.initialize(repeating: nil, count: count)
    defer {
      H5Dvlen_reclaim(memoryType, space, 0, pointers)
      pointers.deallocate()
    }
    try transfer(memoryType, UnsafeMutableRawPointer(pointers))
    return (0..<count).map { pointers[$0].map { String(cString: $0) } ?? "" }
  }

  /// Calls `body` with an array of pointers to the texts.
  static func withPointers<Result>(
    _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) throws -> Result
  ) rethrows -> Result {
    let pointers = texts.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return try pointers.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress, !buffer.isEmpty else {
        return try withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<CChar>?.self, capacity: 1) {
          $0.initialize(repeating: nil)
          return try body(UnsafePointer($0.baseAddress!))
        }
      }
      return try body(start)
    }
  }
}
