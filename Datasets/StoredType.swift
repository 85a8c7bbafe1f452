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
