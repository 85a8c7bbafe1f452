import Archives

/// A MATLAB file of version 5 (MATLAB 5 to 7, `scipy.io.savemat`), whose variables may be compressed.
///
/// The format is MathWorks' "MAT-File Format", Level 5: a header of 128 bytes, then elements with a tag of type and
/// length. An array is an element of elements: flags, dimensions, name and numbers, column by column; MATLAB stores
/// whole numbers in the smallest type that holds them. Nothing but headers is read before it is asked for.
struct MATFile {
  let arrays: [NamedArray]
  /// What variables are left out.
  let notes: [String]

  private static let headerLength = 128
  /// More variables than any file of data has.
  private static let variableLimit = 10_000

  private enum Element {
    static let array: UInt32 = 14
    static let compressed: UInt32 = 15
  }

  /// Whether a file that starts with these bytes is one.
  static func recognizes(_ start: [UInt8]) -> Bool {
    guard start.count >= headerLength else { return false }
    let mark = start[124..<128]
    return mark.elementsEqual([0x00, 0x01, 0x49, 0x4D]) || mark.elementsEqual([0x01, 0x00, 0x4D, 0x49])
  }

  /// Reads which variables there are.
  ///
  /// - Throws: `ArchiveError`, `DatasetError` if the file is damaged.
  init(_ file: FileReader) throws {
    let header = try file.bytes(at: 0, count: Self.headerLength)
    let isSwapped = header[126] == 0x4D
    var arrays: [NamedArray] = []
    var others: [String] = []
    var position = Self.headerLength
    var count = 0
    while position < file.count {
      count += 1
      guard count <= Self.variableLimit else {
        throw DatasetError.damaged(
          path: file.path, reason: "it has more than \(Self.variableLimit) variables")
      }
      let tag = try Bytes(file, at: position, count: 8, isSwapped: isSwapped)
      let (type, length) = (tag.uint32(0), Int(tag.uint32(4)))
      let content = position + 8
      guard length <= file.count - content else {
        throw DatasetError.damaged(path: file.path, reason: "truncated: it ends in the middle of a variable")
      }
      switch type {
      case Element.array:
        let variable = try Variable(
          file, path: file.path, at: content, length: length, isSwapped: isSwapped, open: { file })
        if let array = variable.array { arrays.append(array) } else { others.append(variable.name) }
        position = content + (length + 7) / 8 * 8
      case Element.compressed:
        let range = content..<content + length
        let inflater = Inflater(range, of: file)
        let inner = try Bytes(inflater, at: 0, count: 8, isSwapped: isSwapped)
        guard inner.uint32(0) == Element.array else {
          throw DatasetError.damaged(path: file.path, reason: "a compressed element is no variable")
        }
        let variable = try Variable(
          inflater, path: file.path, at: 8, length: Int(inner.uint32(4)), isSwapped: isSwapped,
          open: { Inflater(range, of: file) })
        if let array = variable.array { arrays.append(array) } else { others.append(variable.name) }
        position = content + length
      default:
        throw DatasetError.damaged(path: file.path, reason: "it holds an element of the unknown type \(type)")
      }
    }
    guard Set(arrays.map(\.name)).count == arrays.count else {
      throw DatasetError.damaged(path: file.path, reason: "two variables have one name")
    }
    self.arrays = arrays
    notes =
      others.isEmpty
      ? [] : ["left out, because they are no arrays of real numbers: \(others.joined(separator: ", "))"]
  }
}

/// One variable of the file.
private struct Variable {
  let name: String
  /// Its numbers, if it is an array of real ones.
  let array: NamedArray?

  init(
    _ reader: any ByteReader, path: String, at start: Int, length: Int, isSwapped: Bool,
    open: @escaping @Sendable () throws -> any ByteReader
  ) throws {
    func damaged(_ reason: String) -> DatasetError { .damaged(path: path, reason: "a variable \(reason)") }
    let end = start + length
    var position = start

    /// The next element: its type, where its content is, and how long it is.
    func next(_ what: String) throws -> (type: UInt32, content: Int, length: Int) {
      guard end - position >= 8 else { throw damaged("has no \(what)") }
      let tag = try Bytes(reader, at: position, count: 8, isSwapped: isSwapped)
      let word = tag.uint32(0)
      // A short element has its length in the upper half of the first word and its content in the second.
      if word >> 16 != 0 {
        let content = position + 4
        guard word >> 16 <= 4 else { throw damaged("has a damaged \(what)") }
        position += 8
        return (word & 0xFFFF, content, Int(word >> 16))
      }
      let length = Int(tag.uint32(4))
      let content = position + 8
      guard length <= end - content else { throw damaged("is shorter than its \(what)") }
      position = content + (length + 7) / 8 * 8
      return (word, content, length)
    }

    let flags = try next("flags")
    guard flags.type == 6, flags.length == 8 else { throw damaged("has damaged flags") }
    let flagWord = try Bytes(reader, at: flags.content, count: 4, isSwapped: isSwapped).uint32(0)
    let (classNumber, isComplex, isLogical) = (flagWord & 0xFF, flagWord & 0x800 != 0, flagWord & 0x200 != 0)
    // An opaque object has no dimensions.
    guard classNumber != 17 else {
      name = "an object"
      array = nil
      return
    }
    let dimensions = try next("dimensions")
    guard dimensions.type == 5, dimensions.length % 4 == 0, (2...32).contains(dimensions.length / 4) else {
      throw damaged("has damaged dimensions")
    }
    let sizes = try Bytes(reader, at: dimensions.content, count: dimensions.length, isSwapped: isSwapped)
    let shape = (0..<dimensions.length / 4).map { Int(Int32(bitPattern: sizes.uint32(4 * $0))) }
    let nameElement = try next("name")
    guard nameElement.type == 1 || nameElement.type == 2, nameElement.length <= 256 else {
      throw damaged("has a damaged name")
    }
    name = String(
      decoding: try reader.bytes(at: nameElement.content, count: nameElement.length), as: UTF8.self)
    guard let storedType = Self.type(ofClass: classNumber, isLogical: isLogical), !isComplex else {
      array = nil
      return
    }
    guard let count = checkedProduct(shape), count <= 1 << 48 else { throw damaged("has the shape \(shape)") }
    let numbers = try next("numbers")
    guard let encoding = Self.type(ofElement: numbers.type), numbers.length == count * encoding.byteCount
    else {
      throw damaged("'\(name)' of shape \(shape) has \(numbers.length) bytes of numbers")
    }
    array = NamedArray(
      name,
      StridedArray(
        shape: shape, strides: StridedArray.strides(of: shape, isFortran: true), encoding: encoding,
        storedType: storedType, isSwapped: isSwapped, start: numbers.content, open: open))
  }

  private static func type(ofClass number: UInt32, isLogical: Bool) -> StoredType? {
    if isLogical { return (8...9).contains(number) ? .bool : nil }
    switch number {
    case 6: return .float64
    case 7: return .float32
    case 8: return .int8
    case 9: return .uint8
    case 10: return .int16
    case 11: return .uint16
    case 12: return .int32
    case 13: return .uint32
    case 14: return .int64
    case 15: return .uint64
    default: return nil
    }
  }

  private static func type(ofElement number: UInt32) -> StoredType? {
    switch number {
    case 1: .int8
    case 2: .uint8
    case 3: .int16
    case 4: .uint16
    case 5: .int32
    case 6: .uint32
    case 7: .float32
    case 9: .float64
    case 12: .int64
    case 13: .uint64
    default: nil
    }
  }
}

/// A few bytes, read as whole numbers.
private struct Bytes {
  private let bytes: [UInt8]
  private let isSwapped: Bool

  init(_ reader: any ByteReader, at position: Int, count: Int, isSwapped: Bool) throws {
    bytes = try reader.bytes(at: position, count: count)
    self.isSwapped = isSwapped
  }

  func uint32(_ offset: Int) -> UInt32 {
    let value = (0..<4).reduce(0 as UInt32) { $0 | UInt32(bytes[offset + $1]) << (8 * UInt32($1)) }
    return isSwapped ? value.byteSwapped : value
  }
}
