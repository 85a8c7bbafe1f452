import Archives
import Foundation
import TestSupport
import Testing

@Suite struct SafetensorsTests {
  private let some = Safetensors(
    [
      .init(name: "a.weight", type: .single, shape: [2, 3], values: [1, -2.5, 3e-38, 0, 5, 6]),
      .init(name: "b", type: .complex, shape: [2], values: [1, 2, 3, -4]),
      .init(name: "count", type: .integer, shape: [], values: [7]),
      .init(name: "double", type: .double, shape: [1], values: [0.1]),
      .init(name: "empty", type: .single, shape: [0, 3], values: []),
      .init(name: "half", type: .half, shape: [3], values: [0.5, -65504, 6e-8]),
    ], metadata: ["format": "pt", "title": "\"quoted\" é/"])

  @Test func roundTrip() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/weights.safetensors"
      try some.write(to: path)
      let read = try Safetensors(contentsOf: path)
      #expect(read.metadata == some.metadata)
      #expect(read.entries.dropLast() == some.entries.dropLast())
      #expect(read.entries.last?.values[..<2] == [0.5, -65504])
      // The numbers begin at a multiple of eight bytes, as readers that map the file want.
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      #expect(bytes[0] % 8 == 0 && bytes[8] == UInt8(ascii: "{"))
    }
  }

  /// Bytes as the format's description gives them.
  @Test func readsTheDescribedBytes() throws {
    try withTemporaryFolder { folder in
      let header = #"{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}  "#
      let bytes =
        [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8) + [0x80, 0x3F, 0, 0xC0]
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/x"))
      #expect(
        try Safetensors(contentsOf: "\(folder)/x").entries
          == [.init(name: "x", type: .brain, shape: [2], values: [1, -2])])
    }
  }

  @Test(arguments: [
    ("", "has 0 bytes"), ("{}", "has 2 bytes"),
    (#"{"x":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, "x has a damaged entry"),
    (#"{"x":{"dtype":"F32","shape":[-1,-2],"data_offsets":[0,8]}}"#, "x has a damaged entry"),
    (#"{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, "x has a damaged entry"),
    (#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "x has a damaged entry"),
    (#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#, "x has a damaged entry"),
    (#"{"x":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "truncated: x"),
    (#"{"x":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}"#, "x has numbers of type F4"),
    (#"{"x":{"dtype":"F32"}}"#, "its header is not"), (#"[1, 2]"#, "its header is not"),
    (#"{"x""#, "its header is not"),
  ])
  func damageIsNamed(header: String, message: String) throws {
    try withTemporaryFolder { folder in
      let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init)
      var bytes = length + Array(header.utf8) + [UInt8](repeating: 0, count: 8)
      if header.utf8.count <= 2 && !header.hasPrefix("[") { bytes = Array(header.utf8) }
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/x"))
      let error = #expect(throws: ArchiveError.self) { try Safetensors(contentsOf: "\(folder)/x") }
      #expect(error?.description.contains(message) == true, "\(String(describing: error))")
      #expect(error?.exitStatus == 65)
    }
  }

  @Test func aHeaderThatWouldBeHugeIsRefused() throws {
    try withTemporaryFolder { folder in
      let bytes = [UInt8](repeating: 0xFF, count: 8) + [UInt8](repeating: 0, count: 100)
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/x"))
      #expect(throws: ArchiveError.self) { try Safetensors(contentsOf: "\(folder)/x") }
    }
  }
}
