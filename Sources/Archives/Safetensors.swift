import Files
import Foundation

/// Named arrays of numbers in the safetensors format: weights as other programs keep them.
///
/// Eight bytes with the length of a JSON header, little endian; the header with type, shape and place of every
/// array, and texts under `__metadata__`; the numbers, row-major, little endian.
/// See https://github.com/huggingface/safetensors.
public struct Safetensors: Sendable, Equatable {
  /// What the numbers of an array are.
  public enum ElementType: String, Codable, Sendable, CaseIterable {
    /// 32 bits.
    case single = "F32"
    /// 64 bits.
    case double = "F64"
    /// 16 bits, IEEE.
    case half = "F16"
    /// The upper 16 bits of 32.
    case brain = "BF16"
    /// Real and imaginary part of 32 bits each.
    case complex = "C64"
    /// Whole numbers of 64 bits.
    case integer = "I64"

    /// The bytes of one element.
    public var size: Int {
      switch self {
      case .half, .brain: 2
      case .single: 4
      case .double, .complex, .integer: 8
      }
    }
  }

  /// One array.
  public struct Entry: Sendable, Equatable {
    /// Its name.
    public let name: String
    /// What its numbers are.
    public let type: ElementType
    /// Its shape; of complex numbers without an axis for their parts.
    public let shape: [Int]
    /// Its numbers in single precision; of complex ones the real and the imaginary part, one after the other.
    public let values: [Float]

    /// An array of its numbers.
    public init(name: String, type: ElementType, shape: [Int], values: [Float]) {
      precondition(
        values.count == shape.reduce(1, *) * (type == .complex ? 2 : 1),
        "\(values.count) numbers for the shape \(shape)")
      self.name = name
      self.type = type
      self.shape = shape
      self.values = values
    }
  }

  /// The arrays, in the order of their names in a file that was read.
  public var entries: [Entry]
  /// Texts by name.
  public var metadata: [String: String]

  /// Some arrays.
  public init(_ entries: [Entry], metadata: [String: String] = [:]) {
    self.entries = entries
    self.metadata = metadata
  }

  // MARK: - Files

  /// The name of the header's entry that is no array.
  private static let metadataName = "__metadata__"
  /// The longest header that is read, as in the format's own library.
  private static let longestHeader = 100_000_000

  private struct Place: Codable {
    let dtype: String
    let shape: [Int]
    let data_offsets: [Int]
  }

  private enum Header: Codable {
    case metadata([String: String])
    case array(Place)

    init(from decoder: any Decoder) throws {
      if decoder.codingPath.last?.stringValue == metadataName {
        self = .metadata(try [String: String](from: decoder))
      } else {
        self = .array(try Place(from: decoder))
      }
    }

    func encode(to encoder: any Encoder) throws {
      switch self {
      case .metadata(let texts): try texts.encode(to: encoder)
      case .array(let place): try place.encode(to: encoder)
      }
    }
  }

  /// Reads a file.
  ///
  /// - Throws: `ArchiveError` if there is none, or it is something else, truncated or damaged.
  public init(contentsOf path: String) throws {
    func damaged(_ reason: String) -> ArchiveError { ArchiveError(.damaged, path: path, reason) }
    let file = try FileReader(opening: path)
    guard file.count >= 8 else { throw damaged("not a safetensors file: it has \(file.count) bytes") }
    let length = try file.bytes(at: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(min(Self.longestHeader, file.count - 8)) else {
      throw damaged("not a safetensors file, or truncated: its header would have \(length) bytes")
    }
    let start = 8 + Int(length)
    let header: [String: Header]
    do {
      header = try JSONDecoder().decode(
        [String: Header].self, from: Data(file.bytes(at: 8, count: Int(length))))
    } catch is DecodingError {
      throw damaged("not a safetensors file: its header is not what the format asks for")
    }
    var entries: [Entry] = []
    var metadata: [String: String] = [:]
    for (name, content) in header.sorted(by: { $0.key < $1.key }) {
      switch content {
      case .metadata(let texts): metadata = texts
      case .array(let place):
        guard let type = ElementType(rawValue: place.dtype) else {
          throw damaged(
            "\(name) has numbers of type \(place.dtype); this program reads "
              + ElementType.allCases.map(\.rawValue).joined(separator: ", "))
        }
        let range = try Self.range(of: place, type) ?? { throw damaged("\(name) has a damaged entry") }()
        guard range.upperBound <= file.count - start else {
          throw damaged("truncated: \(name) ends behind the end of the file")
        }
        let bytes = try file.bytes(at: start + range.lowerBound, count: range.count)
        entries.append(
          Entry(name: name, type: type, shape: place.shape, values: Self.decode(bytes, type)))
      }
    }
    self.init(entries, metadata: metadata)
  }

  /// Where the bytes of an array are, or nil if its shape does not fit them.
  private static func range(of place: Place, _ type: ElementType) throws -> Range<Int>? {
    var size = type.size
    for length in place.shape {
      let (product, isTooLarge) = size.multipliedReportingOverflow(by: length)
      guard length >= 0, !isTooLarge else { return nil }
      size = product
    }
    let offsets = place.data_offsets
    guard offsets.count == 2, offsets[0] >= 0, offsets[1] >= offsets[0], offsets[1] - offsets[0] == size
    else { return nil }
    return offsets[0]..<offsets[1]
  }

  /// Writes a file, whole or not at all.
  ///
  /// - Throws: `FileError`.
  public func write(to path: String) throws {
    var header: [String: Header] = metadata.isEmpty ? [:] : [Self.metadataName: .metadata(metadata)]
    var bytes: [UInt8] = []
    // Wide elements first: then every array begins at a multiple of the size of its elements.
    for entry in entries.sorted(by: { ($1.type.size, $0.name) < ($0.type.size, $1.name) }) {
      let start = bytes.count
      Self.encode(entry, into: &bytes)
      header[entry.name] = .array(
        Place(dtype: entry.type.rawValue, shape: entry.shape, data_offsets: [start, bytes.count]))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var text = Array(try encoder.encode(header))
    text += Array(repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
    let length = withUnsafeBytes(of: UInt64(text.count).littleEndian, Array.init)
    try AtomicFile.write(length + text + bytes, to: path)
  }

  // MARK: - Numbers

  private static func decode(_ bytes: [UInt8], _ type: ElementType) -> [Float] {
    bytes.withUnsafeBytes { bytes in
      func numbers<Bits: FixedWidthInteger>(_ bits: Bits.Type, _ number: (Bits) -> Float) -> [Float] {
        stride(from: 0, to: bytes.count, by: Bits.bitWidth / 8).map {
          number(Bits(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Bits.self)))
        }
      }
      return switch type {
      case .single, .complex: numbers(UInt32.self) { Float(bitPattern: $0) }
      case .double: numbers(UInt64.self) { Float(Double(bitPattern: $0)) }
      case .half: numbers(UInt16.self) { Float(Float16(bitPattern: $0)) }
      case .brain: numbers(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
      case .integer: numbers(Int64.self) { Float($0) }
      }
    }
  }

  private static func encode(_ entry: Entry, into bytes: inout [UInt8]) {
    func append(_ bits: some FixedWidthInteger) {
      withUnsafeBytes(of: bits.littleEndian) { bytes.append(contentsOf: $0) }
    }
    bytes.reserveCapacity(bytes.count + entry.values.count * entry.type.size)
    switch entry.type {
    case .single, .complex: for value in entry.values { append(value.bitPattern) }
    case .double: for value in entry.values { append(Double(value).bitPattern) }
    case .half: for value in entry.values { append(Float16(value).bitPattern) }
    case .brain: for value in entry.values { append(UInt16(value.bitPattern >> 16)) }
    case .integer: for value in entry.values { append(Int64(value)) }
    }
  }
}
