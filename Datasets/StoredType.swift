/// What the numbers of a stored field are, by numpy's names.
public enum StoredType: String, Codable, Sendable, CaseIterable {
  /// False or true.
  case bool
  /// A signed whole number of 8 bits.
  case int8
  /// A signed whole number of 16 bits.
  case int16
  /// A signed whole number of 32 bits.
  case int32
  /// A signed whole number of 64 bits.
  case int64
  /// An unsigned whole number of 8 bits.
  case uint8
  /// An unsigned whole number of 16 bits.
  case uint16
  /// An unsigned whole number of 32 bits.
  case uint32
  /// An unsigned whole number of 64 bits.
  case uint64
  /// IEEE 754 of 16 bits.
  case float16
  /// The upper half of `float32`.
  case bfloat16
  /// IEEE 754 of 32 bits.
  case float32
  /// IEEE 754 of 64 bits.
  case float64

  /// The bytes of one number.
  public var byteCount: Int {
    switch self {
    case .bool, .int8, .uint8: 1
    case .int16, .uint16, .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .int64, .uint64, .float64: 8
    }
  }

  /// Whether every one of its numbers is a `Float`.
  public var fitsSingle: Bool {
    switch self {
    case .bool, .int8, .int16, .uint8, .uint16, .float16, .bfloat16, .float32: true
    case .int32, .int64, .uint32, .uint64, .float64: false
    }
  }
}

// MARK: - From stored bytes to numbers and back

extension StoredType {
  /// Converts `count` stored numbers to single precision, `step` of them apart and `targetStep` apart in memory.
  func decode(
    _ source: UnsafeRawPointer, step: Int, isSwapped: Bool, count: Int,
    into target: UnsafeMutablePointer<Float>,
    targetStep: Int
  ) {
    let run = Run(source: source, step: step * byteCount, count: count, targetStep: targetStep)
    switch self {
    case .bool: run.decode(UInt8.self, target) { $0 == 0 ? 0 : 1 }
    case .int8: run.decode(Int8.self, target) { Float($0) }
    case .uint8: run.decode(UInt8.self, target) { Float($0) }
    case .int16: run.decode(Int16.self, isSwapped, target) { Float($0) }
    case .int32: run.decode(Int32.self, isSwapped, target) { Float($0) }
    case .int64: run.decode(Int64.self, isSwapped, target) { Float($0) }
    case .uint16: run.decode(UInt16.self, isSwapped, target) { Float($0) }
    case .uint32: run.decode(UInt32.self, isSwapped, target) { Float($0) }
    case .uint64: run.decode(UInt64.self, isSwapped, target) { Float($0) }
    case .float16: run.decode(UInt16.self, isSwapped, target) { single(ofHalf: $0) }
    case .bfloat16: run.decode(UInt16.self, isSwapped, target) { Float(bitPattern: UInt32($0) << 16) }
    case .float32: run.decode(UInt32.self, isSwapped, target) { Float(bitPattern: $0) }
    case .float64: run.decode(UInt64.self, isSwapped, target) { Float(Double(bitPattern: $0)) }
    }
  }

  /// The same in double precision.
  func decode(
    _ source: UnsafeRawPointer, step: Int, isSwapped: Bool, count: Int,
    into target: UnsafeMutablePointer<Double>,
    targetStep: Int
  ) {
    let run = Run(source: source, step: step * byteCount, count: count, targetStep: targetStep)
    switch self {
    case .bool: run.decode(UInt8.self, target) { $0 == 0 ? 0 : 1 }
    case .int8: run.decode(Int8.self, target) { Double($0) }
    case .uint8: run.decode(UInt8.self, target) { Double($0) }
    case .int16: run.decode(Int16.self, isSwapped, target) { Double($0) }
    case .int32: run.decode(Int32.self, isSwapped, target) { Double($0) }
    case .int64: run.decode(Int64.self, isSwapped, target) { Double($0) }
    case .uint16: run.decode(UInt16.self, isSwapped, target) { Double($0) }
    case .uint32: run.decode(UInt32.self, isSwapped, target) { Double($0) }
    case .uint64: run.decode(UInt64.self, isSwapped, target) { Double($0) }
    case .float16: run.decode(UInt16.self, isSwapped, target) { Double(single(ofHalf: $0)) }
    case .bfloat16: run.decode(UInt16.self, isSwapped, target) { Double(Float(bitPattern: UInt32($0) << 16)) }
    case .float32: run.decode(UInt32.self, isSwapped, target) { Double(Float(bitPattern: $0)) }
    case .float64: run.decode(UInt64.self, isSwapped, target) { Double(bitPattern: $0) }
    }
  }

  /// The little-endian bytes of numbers of this type that were read as single precision.
  ///
  /// - Returns: nil if one of them is no number of this type: nothing is rounded.
  func encode(_ values: UnsafeBufferPointer<Float>) -> [UInt8]? {
    switch self {
    case .bool: bytes(values) { $0 == 0 ? 0 : $0 == 1 ? 1 : nil as UInt8? }
    case .int8: bytes(values) { Int8(exactly: $0) }
    case .uint8: bytes(values) { UInt8(exactly: $0) }
    case .int16: bytes(values) { Int16(exactly: $0)?.littleEndian }
    case .uint16: bytes(values) { UInt16(exactly: $0)?.littleEndian }
    case .float16: bytes(values) { half(of: $0)?.littleEndian }
    case .bfloat16:
      bytes(values) { $0.bitPattern & 0xFFFF == 0 ? UInt16($0.bitPattern >> 16).littleEndian : nil }
    case .float32: bytes(values) { $0.bitPattern.littleEndian }
    case .int32, .int64, .uint32, .uint64, .float64:
      preconditionFailure("numbers of type \(rawValue) must be read in double precision")
    }
  }

  /// The same for numbers that were read as double precision.
  func encode(_ values: UnsafeBufferPointer<Double>) -> [UInt8]? {
    switch self {
    case .int32: bytes(values) { Int32(exactly: $0)?.littleEndian }
    case .int64: bytes(values) { Int64(exactly: $0)?.littleEndian }
    case .uint32: bytes(values) { UInt32(exactly: $0)?.littleEndian }
    case .uint64: bytes(values) { UInt64(exactly: $0)?.littleEndian }
    case .float64: bytes(values) { $0.bitPattern.littleEndian }
    case .bool, .int8, .int16, .uint8, .uint16, .float16, .bfloat16, .float32:
      preconditionFailure("numbers of type \(rawValue) are read in single precision")
    }
  }
}

/// Numbers in memory, and where they go.
private struct Run {
  let source: UnsafeRawPointer
  /// In bytes.
  let step: Int
  let count: Int
  let targetStep: Int

  @inline(__always)
  func decode<Stored: BitwiseCopyable, Scalar>(
    _: Stored.Type, _ target: UnsafeMutablePointer<Scalar>, _ convert: (Stored) -> Scalar
  ) {
    for index in 0..<count {
      target[index * targetStep] = convert(
        source.loadUnaligned(fromByteOffset: index * step, as: Stored.self))
    }
  }

  @inline(__always)
  func decode<Stored: FixedWidthInteger & BitwiseCopyable, Scalar>(
    _: Stored.Type, _ isSwapped: Bool, _ target: UnsafeMutablePointer<Scalar>, _ convert: (Stored) -> Scalar
  ) {
    if isSwapped {
      decode(Stored.self, target) { convert($0.byteSwapped) }
    } else {
      decode(Stored.self, target, convert)
    }
  }
}

@inline(__always)
private func bytes<Scalar, Stored: BitwiseCopyable>(
  _ values: UnsafeBufferPointer<Scalar>, _ convert: (Scalar) -> Stored?
) -> [UInt8]? {
  let size = MemoryLayout<Stored>.size
  var isExact = true
  let result = [UInt8](unsafeUninitializedCapacity: values.count * size) { buffer, initialized in
    let raw = UnsafeMutableRawBufferPointer(buffer)
    for index in 0..<values.count {
      guard let stored = convert(values[index]) else {
        isExact = false
        return
      }
      raw.storeBytes(of: stored, toByteOffset: index * size, as: Stored.self)
    }
    initialized = values.count * size
  }
  return isExact ? result : nil
}

/// IEEE 754 of 16 bits as 32, bit by bit: `Float16` is not on every processor.
private func single(ofHalf bits: UInt16) -> Float {
  let sign = UInt32(bits & 0x8000) << 16
  let exponent = UInt32(bits >> 10 & 0x1F)
  let fraction = UInt32(bits & 0x3FF)
  switch exponent {
  case 0:
    let value = Float(fraction) * 0x1p-24
    return Float(bitPattern: value.bitPattern | sign)
  case 31: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
  default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
  }
}

/// The 16 bits of a number that needs no more.
private func half(of value: Float) -> UInt16? {
  let bits = value.bitPattern
  let sign = UInt16(bits >> 16 & 0x8000)
  let exponent = Int(bits >> 23 & 0xFF)
  let fraction = UInt16(bits >> 13 & 0x3FF)
  let result: UInt16
  switch exponent {
  case 255: result = sign | 0x7C00 | fraction
  case 113...142: result = sign | UInt16(exponent - 112) << 10 | fraction
  case 143...: return nil
  default: result = sign | UInt16(value.magnitude * 0x1p24)
  }
  return single(ofHalf: result).bitPattern == bits ? result : nil
}
