import Archives

/// An array of numpy's format (`.npy`): alone in a file, or a member of an archive (`.npz`).
///
/// A header, which is a Python dictionary literal of three entries, then the numbers. Versions 1 to 3.
struct NumPyHeader {
  /// What the numbers are: a type's letter and size, with the byte order before it.
  let descriptor: String
  let isFortran: Bool
  let shape: [Int]
  /// Where the numbers begin.
  let start: Int

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// Reads the header of an array.
  ///
  /// - Throws: `ArchiveError`, `DatasetError` if it is damaged.
  init(_ reader: any ByteReader, name: String, path: String) throws {
    func damaged(_ reason: String) -> DatasetError {
      .damaged(path: path, reason: "the array '\(name)' \(reason)")
    }
    guard reader.count >= 12 else { throw damaged("is truncated") }
    let start = try reader.bytes(at: 0, count: 12)
    guard start.starts(with: Self.magic), (1...3).contains(start[6]) else {
      throw damaged("is none of numpy's versions 1 to 3")
    }
    let lengthSize = start[6] == 1 ? 2 : 4
    let length = start[8..<8 + lengthSize].reversed().reduce(0) { $0 << 8 | Int($1) }
    let begin = 8 + lengthSize
    guard length <= 1 << 16, length <= reader.count - begin else {
      throw damaged("has a header of \(length) bytes")
    }
    self.start = begin + length
    let text = String(decoding: try reader.bytes(at: begin, count: length), as: UTF8.self)
    guard let entries = Self.parse(text), let descriptor = entries.descriptor,
      let isFortran = entries.isFortran,
      let shape = entries.shape
    else { throw damaged("has the header \(text.prefix(100).split(whereSeparator: \.isNewline).joined())") }
    self.descriptor = descriptor
    self.isFortran = isFortran
    self.shape = shape
  }

  /// What the numbers are, or nil if they are no real numbers.
  var type: StoredType? {
    switch descriptor.dropFirst() {
    case "b1": .bool
    case "i1": .int8
    case "u1": .uint8
    case "i2": .int16
    case "i4": .int32
    case "i8": .int64
    case "u2": .uint16
    case "u4": .uint32
    case "u8": .uint64
    case "f2": .float16
    case "f4": .float32
    case "f8": .float64
    default: nil
    }
  }

  private static func parse(_ text: String) -> (descriptor: String?, isFortran: Bool?, shape: [Int]?)? {
    var scanner = Scanner(text)
    var result: (descriptor: String?, isFortran: Bool?, shape: [Int]?)
    guard scanner.take("{") else { return nil }
    while !scanner.take("}") {
      guard let key = scanner.quoted(), scanner.take(":") else { return nil }
      switch key {
      case "descr":
        guard let text = scanner.quoted() else { return nil }
        result.descriptor = text
      case "fortran_order":
        if scanner.take("True") {
          result.isFortran = true
        } else if scanner.take("False") {
          result.isFortran = false
        } else {
          return nil
        }
      case "shape":
        guard scanner.take("(") else { return nil }
        var shape: [Int] = []
        while !scanner.take(")") {
          guard let length = scanner.integer(), shape.count < 32 else { return nil }
          shape.append(length)
          if !scanner.take(",") {
            guard scanner.take(")") else { return nil }
            break
          }
        }
        result.shape = shape
      default: return nil
      }
      _ = scanner.take(",")
    }
    return scanner.isAtEnd ? result : nil
  }

  /// Reads the few kinds of tokens of a header.
  private struct Scanner {
    private var rest: Substring

    init(_ text: String) { rest = text[...] }

    var isAtEnd: Bool { rest.allSatisfy(\.isWhitespace) }

    mutating func take(_ token: String) -> Bool {
      rest = rest.drop(while: \.isWhitespace)
      guard rest.hasPrefix(token) else { return false }
      rest = rest.dropFirst(token.count)
      return true
    }

    mutating func quoted() -> String? {
      rest = rest.drop(while: \.isWhitespace)
      guard let quote = rest.first, quote == "'" || quote == "\"" else { return nil }
      let text = rest.dropFirst().prefix { $0 != quote }
      guard rest.count >= text.count + 2 else { return nil }
      rest = rest.dropFirst(text.count + 2)
      return String(text)
    }

    mutating func integer() -> Int? {
      rest = rest.drop(while: \.isWhitespace)
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      rest = rest.dropFirst(digits.count)
      return Int(digits)
    }
  }
}

/// The arrays of a file of numpy's.
struct NumPyFile {
  var arrays: [NamedArray] = []
  var notes: [String] = []
  /// The text of an array named `description`, as our own archives have.
  var text: String?

  /// The array of a `.npy` file.
  ///
  /// - Throws: `ArchiveError`, `DatasetError` if it is damaged.
  init(_ file: FileReader, name: String) throws {
    try add(name, file, path: file.path) { file }
    try requireNumbers(file.path)
  }

  /// The arrays of an archive.
  ///
  /// - Throws: `ArchiveError`, `DatasetError` if it is damaged.
  init(_ archive: ZipArchive) throws {
    for member in archive.members {
      guard member.name.hasSuffix(".npy") else {
        notes.append("left out, because it is no array: \(member.name)")
        continue
      }
      try add(String(member.name.dropLast(4)), archive.reader(of: member), path: archive.path) {
        try archive.reader(of: member)
      }
    }
    try requireNumbers(archive.path)
  }

  private mutating func add(
    _ name: String, _ reader: any ByteReader, path: String,
    open: @escaping @Sendable () throws -> any ByteReader
  ) throws {
    let header = try NumPyHeader(reader, name: name, path: path)
    guard let count = checkedProduct(header.shape), count <= 1 << 48 else {
      throw DatasetError.damaged(path: path, reason: "the array '\(name)' has the shape \(header.shape)")
    }
    let size = reader.count - header.start
    guard let type = header.type else {
      if name == NumPyDescription.name { text = try Self.text(reader, header, byteCount: size) }
      if text == nil || name != NumPyDescription.name {
        notes.append("left out, because it holds no real numbers but '\(header.descriptor)': \(name)")
      }
      return
    }
    guard size == count * type.byteCount else {
      throw DatasetError.damaged(
        path: path,
        reason:
          "the array '\(name)' of shape \(header.shape) has \(size) bytes, not \(count * type.byteCount)")
    }
    arrays.append(
      NamedArray(
        name,
        StridedArray(
          shape: header.shape, strides: StridedArray.strides(of: header.shape, isFortran: header.isFortran),
          encoding: type, isSwapped: header.descriptor.hasPrefix(">"), start: header.start, open: open)))
  }

  private func requireNumbers(_ path: String) throws {
    guard !arrays.isEmpty else {
      throw DatasetError.notReadable(
        path: path, reason: "it has no array of numbers\(notes.first.map { " (\($0))" } ?? "")")
    }
  }

  /// A text that numpy stores with four bytes a character.
  private static func text(_ reader: any ByteReader, _ header: NumPyHeader, byteCount: Int) throws -> String?
  {
    guard header.descriptor.hasPrefix("<U"), header.shape.isEmpty, byteCount <= 1 << 26, byteCount % 4 == 0
    else {
      return nil
    }
    let bytes = try reader.bytes(at: header.start, count: byteCount)
    var text = ""
    for index in stride(from: 0, to: byteCount, by: 4) {
      let value = (0..<4).reduce(0 as UInt32) { $0 | UInt32(bytes[index + $1]) << (8 * UInt32($1)) }
      guard let scalar = Unicode.Scalar(value) else { return nil }
      if value != 0 { text.unicodeScalars.append(scalar) }
    }
    return text
  }
}
