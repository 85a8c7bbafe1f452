import CHDF5

/// What the elements of a dataset or attribute are, as stored.
public enum HDF5ElementKind: Sendable, Equatable, CustomStringConvertible {
  /// A floating-point number of this many bits.
  case floatingPoint(bits: Int)
  /// A signed integer of this many bits.
  case signedInteger(bits: Int)
  /// An unsigned integer of this many bits.
  case unsignedInteger(bits: Int)
  /// FALSE or TRUE: an enumeration of 8 bits, as h5py stores numpy's bool.
  case boolean
  /// Text, of fixed or variable length.
  case string
  /// Anything else: compounds, references, dates.
  case other

  /// The name that numpy gives to it.
  public var description: String {
    switch self {
    case .floatingPoint(let bits): "float\(bits)"
    case .signedInteger(let bits): "int\(bits)"
    case .unsignedInteger(let bits): "uint\(bits)"
    case .boolean: "bool"
    case .string: "string"
    case .other: "a type that is not a number, bool or string"
    }
  }

  /// Whether it is a number or a truth value.
  public var isNumeric: Bool { self != .string && self != .other }

  /// The kind of a stored type.
  init(type: hid_t) {
    let bits = 8 * H5Tget_size(type)
    switch H5Tget_class(type) {
    case H5T_FLOAT: self = .floatingPoint(bits: bits)
    case H5T_INTEGER:
      self = H5Tget_sign(type) == H5T_SGN_NONE ? .unsignedInteger(bits: bits) : .signedInteger(bits: bits)
    case H5T_ENUM: self = Self.isBoolean(type) ? .boolean : .signedInteger(bits: bits)
    case H5T_STRING: self = .string
    default: self = .other
    }
  }

  private static func isBoolean(_ type: hid_t) -> Bool {
    guard H5Tget_size(type) == 1, H5Tget_nmembers(type) == 2 else { return false }
    return (0..<2).allSatisfy { member in
      guard let name = H5Tget_member_name(type, UInt32(member)) else { return false }
      defer { H5free_memory(name) }
      return ["FALSE", "TRUE"].contains(String(cString: name))
    }
  }

  /// The stored type: little-endian whatever the machine.
  func makeFileType() -> hid_t {
    switch self {
    case .floatingPoint(32): H5Tcopy(chdf5_H5T_IEEE_F32LE())
    case .floatingPoint: H5Tcopy(chdf5_H5T_IEEE_F64LE())
    case .signedInteger(8): H5Tcopy(chdf5_H5T_STD_I8LE())
    case .signedInteger(16): H5Tcopy(chdf5_H5T_STD_I16LE())
    case .signedInteger(32): H5Tcopy(chdf5_H5T_STD_I32LE())
    case .signedInteger: H5Tcopy(chdf5_H5T_STD_I64LE())
    case .unsignedInteger(8): H5Tcopy(chdf5_H5T_STD_U8LE())
    case .unsignedInteger(16): H5Tcopy(chdf5_H5T_STD_U16LE())
    case .unsignedInteger(32): H5Tcopy(chdf5_H5T_STD_U32LE())
    case .unsignedInteger: H5Tcopy(chdf5_H5T_STD_U64LE())
    case .boolean: Self.makeBooleanType(chdf5_H5T_STD_I8LE())
    case .string, .other: Self.makeStringType()
    }
  }

  /// The type in memory.
  func makeMemoryType() -> hid_t {
    switch self {
    case .floatingPoint(32): H5Tcopy(chdf5_H5T_NATIVE_FLOAT())
    case .floatingPoint: H5Tcopy(chdf5_H5T_NATIVE_DOUBLE())
    case .signedInteger(8): H5Tcopy(chdf5_H5T_NATIVE_INT8())
    case .signedInteger(16): H5Tcopy(chdf5_H5T_NATIVE_INT16())
    case .signedInteger(32): H5Tcopy(chdf5_H5T_NATIVE_INT32())
    case .signedInteger: H5Tcopy(chdf5_H5T_NATIVE_INT64())
    case .unsignedInteger(8): H5Tcopy(chdf5_H5T_NATIVE_UINT8())
    case .unsignedInteger(16): H5Tcopy(chdf5_H5T_NATIVE_UINT16())
    case .unsignedInteger(32): H5Tcopy(chdf5_H5T_NATIVE_UINT32())
    case .unsignedInteger: H5Tcopy(chdf5_H5T_NATIVE_UINT64())
    case .boolean: Self.makeBooleanType(chdf5_H5T_NATIVE_INT8())
    case .string, .other: Self.makeStringType()
    }
  }

  /// The type in memory for reading: truth values are read as numbers, see `normalizeBooleans`.
  func makeReadingType() -> hid_t {
    self == .boolean ? H5Tcopy(chdf5_H5T_NATIVE_UINT8()) : makeMemoryType()
  }

  /// An enumeration {FALSE = 0, TRUE = 1} of 8 bits.
  private static func makeBooleanType(_ base: hid_t) -> hid_t {
    let type = H5Tenum_create(base)
    var (no, yes): (Int8, Int8) = (0, 1)
    H5Tenum_insert(type, "FALSE", &no)
    H5Tenum_insert(type, "TRUE", &yes)
    return type
  }

  /// UTF-8 of variable length.
  static func makeStringType() -> hid_t {
    let type = H5Tcopy(chdf5_H5T_C_S1())
    H5Tset_size(type, chdf5_H5T_VARIABLE())
    H5Tset_cset(type, H5T_CSET_UTF8)
    return type
  }
}

/// A Swift number that HDF5 stores: the conformances of this module are all there are.
public protocol HDF5Scalar: Sendable {
  /// How it is stored.
  static var elementKind: HDF5ElementKind { get }
}

// Documented by the protocol.
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension Float: HDF5Scalar {
  public static var elementKind: HDF5ElementKind { .floatingPoint(bits: 32) }
}
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension Double: HDF5Scalar {
  public static var elementKind: HDF5ElementKind { .floatingPoint(bits: 64) }
}
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension Int8: HDF5Scalar {
  public static var elementKind: HDF5ElementKind { .signedInteger(bits: 8) }
}
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension Int32: HDF5Scalar {
  public static var elementKind: HDF5ElementKind { .signedInteger(bits: 32) }
}
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension Int64: HDF5Scalar {
  public static var elementKind: HDF5ElementKind { .signedInteger(bits: 64) }
}
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension Int: HDF5Scalar {
  public static var elementKind: HDF5ElementKind { .signedInteger(bits: 64) }
}
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension UInt8: HDF5Scalar {
  public static var elementKind: HDF5ElementKind { .unsignedInteger(bits: 8) }
}
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension UInt32: HDF5Scalar {
  public static var elementKind: HDF5ElementKind { .unsignedInteger(bits: 32) }
}
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension UInt64: HDF5Scalar {
  public static var elementKind: HDF5ElementKind { .unsignedInteger(bits: 64) }
}
// swift-format-ignore: AllPublicDeclarationsHaveDocumentation
extension Bool: HDF5Scalar {
  public static var elementKind: HDF5ElementKind { .boolean }
}

/// Makes every byte 0 or 1: no other byte is a Swift truth value, but a file may hold any.
func normalizeBooleans(_ bytes: UnsafeMutableRawPointer, count: Int) {
  for byte in 0..<count where bytes.load(fromByteOffset: byte, as: UInt8.self) != 0 {
    bytes.storeBytes(of: 1, toByteOffset: byte, as: UInt8.self)
  }
}
