import HDF5
import TestSupport
import Testing

@Suite struct Fletcher32Tests {
  /// Some bytes: those of a sequence, of one value, or zeros with a single other one.
  private static func bytes(_ kind: String, count: Int) -> [UInt8] {
    switch kind {
    case "mixed": (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 7) }
    case "ones": [UInt8](repeating: 0xFF, count: count)
    case "last": [UInt8](repeating: 0, count: count - 1) + [1]
    default: [UInt8](repeating: 0, count: count)
    }
  }

  /// The definition, number by number.
  private static func plain(_ bytes: [UInt8]) -> UInt32 {
    var (sum, sumOfSums) = (0, 0)
    for place in stride(from: 0, to: bytes.count, by: 2) {
      sum += Int(bytes[place]) << 8 | Int(bytes[place + 1])
      sumOfSums += sum
    }
    func reduced(_ sum: Int) -> UInt32 { sum == 0 ? 0 : UInt32((sum - 1) % 65_535 + 1) }
    return reduced(sumOfSums) << 16 | reduced(sum)
  }

  /// Below, at and above a register, a block of steps and several blocks.
  private static let counts = [2, 30, 32, 34, 11_518, 11_520, 11_522, 40_000]

  @Test(arguments: ["mixed", "ones", "last", "zeros"])
  func checksumsAreThoseOfTheDefinition(kind: String) {
    for count in Self.counts {
      let bytes = Self.bytes(kind, count: count)
      let found = bytes.withUnsafeBytes { Fletcher32.checksum(of: $0) }
      #expect(found == Self.plain(bytes), "\(count) bytes")
    }
  }

  @Test(arguments: ["mixed", "ones", "last", "zeros"])
  func theLibraryAcceptsThemAndNoOthers(kind: String) throws {
    try withTemporaryFolder { folder in
      let file = try HDF5File(creating: "\(folder)/chunks.h5")
      for count in Self.counts {
        let dataset = try file.root.createDataset(
          "\(count)", of: UInt8.self, shape: [3, count],
          layout: HDF5Layout(chunks: [1, count], hasChecksums: true, isAllocatedEarly: true))
        let bytes = Self.bytes(kind, count: count)
        let checksum = bytes.withUnsafeBytes { Fletcher32.checksum(of: $0) }
        func chunk(_ checksum: UInt32) -> [UInt8] {
          bytes + (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) }
        }
        try dataset.writeRawChunk(chunk(checksum), at: [1, 0])
        try dataset.writeRawChunk(chunk(checksum ^ 0x10000), at: [2, 0])
        #expect(
          try dataset.read(as: UInt8.self, HDF5Slab(start: [0, 0], count: [2, count]))
            == [UInt8](repeating: 0, count: count) + bytes)
        #expect(throws: HDF5Error.self) {
          try dataset.read(as: UInt8.self, HDF5Slab(start: [2, 0], count: [1, count]))
        }
      }
      try file.close()
    }
  }
}
