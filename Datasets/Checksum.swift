import CZlib

/// CRC-32 (ISO 3309, IEEE 802.3), the checksum of zip and PNG, as zlib computes it.
///
/// Chosen because every reader has it: `zlib.crc32` in Python gives the same numbers, at full speed.
public struct Checksum: Sendable, Equatable {
  /// The checksum of the bytes so far.
  public private(set) var value: UInt32 = 0

  /// The checksum of no bytes.
  public init() {}

  /// Takes in more bytes.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    value = UInt32(
      truncatingIfNeeded: crc32_z(uLong(value), start.assumingMemoryBound(to: Bytef.self), bytes.count))
  }
}
