/// CRC-32 (ISO 3309, IEEE 802.3), the checksum of zip and PNG.
///
/// Chosen because every reader has it: `zlib.crc32` in Python gives the same numbers, at full speed.
public struct Checksum: Sendable, Equatable {
  /// The checksum of the bytes so far.
  public private(set) var value: UInt32 = 0

  /// The checksum of no bytes.
  public init() {}

  /// Takes in more bytes.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    value = Self.tables.withUnsafeBufferPointer { Self.update(~value, bytes, $0) }
  }

  /// Eight tables of 256: table k is the effect of a byte that k more bytes follow (Kounavis, Berry 2005).
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
      tables[byte] = value
    }
    for index in 256..<tables.count {
      let previous = tables[index - 256]
      tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
    }
    return tables
  }()

  private static func update(
    _ start: UInt32, _ bytes: UnsafeRawBufferPointer, _ table: UnsafeBufferPointer<UInt32>
  ) -> UInt32 {
    var value = start
    let blocks = bytes.count / 8
    for block in 0..<blocks {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * block, as: UInt64.self))
      let low = UInt32(truncatingIfNeeded: word) ^ value
      let high = UInt32(truncatingIfNeeded: word >> 32)
      let first = table[7 * 256 + Int(low & 0xFF)] ^ table[6 * 256 + Int(low >> 8 & 0xFF)]
      let second = table[5 * 256 + Int(low >> 16 & 0xFF)] ^ table[4 * 256 + Int(low >> 24)]
      let third = table[3 * 256 + Int(high & 0xFF)] ^ table[2 * 256 + Int(high >> 8 & 0xFF)]
      let fourth = table[256 + Int(high >> 16 & 0xFF)] ^ table[Int(high >> 24)]
      value = first ^ second ^ third ^ fourth
    }
    for byte in bytes[(8 * blocks)...] { value = value >> 8 ^ table[Int((value ^ UInt32(byte)) & 0xFF)] }
    return ~value
  }
}
