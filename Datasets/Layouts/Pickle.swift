/// A safe reader of the part of Python's pickle format that dictionaries of tensors need.
///
/// Pickle is a language for a stack machine that can call any function. Here every operation and every function
/// outside a short list is refused by its name, so nothing of the file is ever executed.
struct Pickle {
  /// Why a pickle is refused.
  struct Refusal: Error {
    let reason: String
  }

  /// A tensor: a view of a storage.
  struct Tensor {
    let storage: Storage
    let offset: Int
    let shape: [Int]
    let strides: [Int]
  }

  /// Numbers in a member of the archive.
  struct Storage {
    let type: StoredType
    let key: String
    let count: Int
  }

  /// What the dictionary holds, by its keys, in their order.
  private(set) var entries: [(key: String, value: Value)] = []

  indirect enum Value {
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    /// A tuple, and how deeply tuples are nested in it.
    case tuple([Value], depth: Int)
    case function(String)
    case storage(Storage)
    case tensor(Tensor)
    /// A dictionary, by its number: it is filled after it is made.
    case dictionary(Int)
    /// Something whose content is of no interest: a list, a dictionary in a dictionary.
    case other
  }

  private static let storages: [String: StoredType] = [
    "torch BoolStorage": .bool, "torch CharStorage": .int8, "torch ByteStorage": .uint8,
    "torch ShortStorage": .int16, "torch IntStorage": .int32, "torch LongStorage": .int64,
    "torch HalfStorage": .float16, "torch BFloat16Storage": .bfloat16, "torch FloatStorage": .float32,
    "torch DoubleStorage": .float64,
  ]
  private static let rebuild = "torch._utils _rebuild_tensor_v2"
  private static let orderedDictionary = "collections OrderedDict"

  private var stack: [Value] = []
  private var marks: [Int] = []
  private var memo: [Int: Value] = [:]
  private var dictionaries: [[(key: String, value: Value)]] = []
  private let bytes: [UInt8]
  private var position = 0

  /// Reads a pickle whose result is a dictionary with texts as keys.
  ///
  /// - Throws: `Refusal`.
  init(_ bytes: [UInt8]) throws {
    self.bytes = bytes
    while true {
      let operation = try byte()
      if operation == UInt8(ascii: ".") { break }
      try execute(operation)
    }
    guard case .dictionary(let number)? = stack.last else {
      throw Refusal(reason: "its content is no dictionary of tensors")
    }
    entries = dictionaries[number]
  }

  // MARK: - The machine

  private mutating func execute(_ operation: UInt8) throws {
    switch operation {
    case 0x80: _ = try byte()  // PROTO: the version
    case 0x95: _ = try take(8)  // FRAME
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "K"): stack.append(.integer(Int(try byte())))
    case UInt8(ascii: "M"): stack.append(.integer(try integer(2)))
    case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try integer(4)))))
    case 0x8A: stack.append(.integer(try long(Int(try byte()))))
    case UInt8(ascii: "G"):
      let bits = try take(8).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
      stack.append(.number(Double(bitPattern: bits)))
    case UInt8(ascii: "X"): stack.append(.text(try text(try integer(4))))
    case 0x8C: stack.append(.text(try text(Int(try byte()))))
    case UInt8(ascii: "q"): memo[Int(try byte())] = try top()
    case UInt8(ascii: "r"): memo[try integer(4)] = try top()
    case 0x94: memo[memo.count] = try top()
    case UInt8(ascii: "h"): stack.append(try remembered(Int(try byte())))
    case UInt8(ascii: "j"): stack.append(try remembered(try integer(4)))
    case UInt8(ascii: ")"): stack.append(.tuple([], depth: 1))
    case UInt8(ascii: "t"): try makeTuple(try popMark())
    case 0x85, 0x86, 0x87:
      var items: [Value] = []
      for _ in 0..<operation - 0x84 { items.insert(try pop(), at: 0) }
      try makeTuple(items)
    case UInt8(ascii: "]"): stack.append(.other)
    case UInt8(ascii: "a"): _ = try pop()
    case UInt8(ascii: "e"): _ = try popMark()
    case UInt8(ascii: "}"): makeDictionary()
    case UInt8(ascii: "s"):
      let value = try pop()
      try set([try pop(), value])
    case UInt8(ascii: "u"): try set(try popMark())
    case UInt8(ascii: "c"): try pushFunction(try line() + " " + line())
    case 0x93:
      guard case .text(let name) = try pop(), case .text(let module) = try pop() else { throw damaged }
      try pushFunction(module + " " + name)
    case UInt8(ascii: "Q"): try makeStorage()
    case UInt8(ascii: "R"): try call()
    default:
      let code = String(operation, radix: 16)
      throw Refusal(
        reason: "its pickle uses the operation 0x\(code) (\(Self.name(of: operation))), which is refused")
    }
  }

  private mutating func pushFunction(_ name: String) throws {
    guard Self.storages[name] != nil || name == Self.rebuild || name == Self.orderedDictionary else {
      let shown = name.prefix(80).replacing(" ", with: ".")
      throw Refusal(reason: "its pickle names \(shown), which is refused")
    }
    stack.append(.function(name))
  }

  private mutating func makeDictionary() {
    stack.append(.dictionary(dictionaries.count))
    dictionaries.append([])
  }

  private mutating func makeTuple(_ items: [Value]) throws {
    let depth = items.reduce(0) { depth, item in
      if case .tuple(_, let inner) = item { max(depth, inner) } else { depth }
    }
    // Nothing that is read is deeper; releasing a deep value would overflow the stack.
    guard depth < 4 else { throw Refusal(reason: "its pickle nests tuples too deeply") }
    stack.append(.tuple(items, depth: depth + 1))
  }

  private mutating func set(_ items: [Value]) throws {
    guard case .dictionary(let number) = try top(), items.count.isMultiple(of: 2) else { throw damaged }
    for index in stride(from: 0, to: items.count, by: 2) {
      // Keys that are no texts name nothing that is read.
      guard case .text(let key) = items[index] else { continue }
      var value = items[index + 1]
      if case .dictionary = value { value = .other }
      dictionaries[number].append((key, value))
    }
  }

  private mutating func makeStorage() throws {
    guard case .tuple(let items, _) = try pop(), items.count == 5, case .text("storage") = items[0],
      case .function(let name) = items[1], let type = Self.storages[name], case .text(let key) = items[2],
      case .integer(let count) = items[4], count >= 0
    else { throw Refusal(reason: "its pickle refers to something that is no storage of numbers") }
    stack.append(.storage(Storage(type: type, key: key, count: count)))
  }

  private mutating func call() throws {
    guard case .tuple(let arguments, _) = try pop(), case .function(let name) = try pop() else {
      throw damaged
    }
    if name == Self.orderedDictionary, arguments.isEmpty { return makeDictionary() }
    guard name == Self.rebuild, arguments.count >= 6, case .storage(let storage) = arguments[0],
      case .integer(let offset) = arguments[1], let shape = Self.integers(arguments[2]),
      let strides = Self.integers(arguments[3])
    else {
      throw Refusal(reason: "its pickle calls \(name.replacing(" ", with: ".")) in a way that is refused")
    }
    stack.append(.tensor(Tensor(storage: storage, offset: offset, shape: shape, strides: strides)))
  }

  private static func integers(_ value: Value) -> [Int]? {
    guard case .tuple(let items, _) = value else { return nil }
    var result: [Int] = []
    for item in items {
      guard case .integer(let integer) = item else { return nil }
      result.append(integer)
    }
    return result
  }

  // MARK: - Bytes and stack

  private var damaged: Refusal { Refusal(reason: "its pickle is damaged") }

  private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
    guard count >= 0, count <= bytes.count - position else {
      throw Refusal(reason: "its pickle is truncated")
    }
    defer { position += count }
    return bytes[position..<position + count]
  }

  private mutating func byte() throws -> UInt8 { try take(1).first ?? 0 }

  /// An unsigned little-endian number.
  private mutating func integer(_ count: Int) throws -> Int {
    try take(count).reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// A signed little-endian number of any length up to 8 bytes.
  private mutating func long(_ count: Int) throws -> Int {
    guard count <= 8 else { throw Refusal(reason: "its pickle has a number of \(count) bytes") }
    let digits = Array(try take(count))
    let start: Int64 = (digits.last ?? 0) & 0x80 == 0 ? 0 : -1
    return Int(digits.reversed().reduce(start) { $0 << 8 | Int64($1) })
  }

  private mutating func text(_ count: Int) throws -> String {
    String(decoding: try take(count), as: UTF8.self)
  }

  /// The text up to the end of the line.
  private mutating func line() throws -> String {
    guard let end = bytes[position...].prefix(1024).firstIndex(of: 0x0A) else { throw damaged }
    defer { position += 1 }
    return try text(end - position)
  }

  private func top() throws -> Value {
    guard let value = stack.last, stack.count > (marks.last ?? 0) else { throw damaged }
    return value
  }

  private mutating func pop() throws -> Value {
    let value = try top()
    stack.removeLast()
    return value
  }

  private mutating func popMark() throws -> [Value] {
    guard let mark = marks.popLast() else { throw damaged }
    defer { stack.removeSubrange(mark...) }
    return Array(stack[mark...])
  }

  private func remembered(_ index: Int) throws -> Value {
    guard let value = memo[index] else { throw damaged }
    return value
  }

  /// Names of operations that pickles of other things have.
  private static func name(of operation: UInt8) -> String {
    switch operation {
    case UInt8(ascii: "b"): "BUILD"
    case UInt8(ascii: "i"): "INST"
    case UInt8(ascii: "o"): "OBJ"
    case 0x81: "NEWOBJ"
    case 0x92: "NEWOBJ_EX"
    case UInt8(ascii: "P"): "PERSID"
    case 0x82, 0x83, 0x84: "EXT"
    case UInt8(ascii: "S"), UInt8(ascii: "T"), UInt8(ascii: "U"): "STRING"
    case UInt8(ascii: "B"), UInt8(ascii: "C"), 0x8E, 0x96: "BYTES"
    default: "none of a dictionary of tensors"
    }
  }
}
