/// The lengths of a tensor's axes, slowest first: `[sample, channel, ...grid]` for fields.
///
/// A collection of integers like an array, but without memory of its own on the heap: operations make shapes all the
/// time. At most `Shape.longest` axes.
public struct Shape: Sendable, Hashable {
  /// The most axes that a shape may have.
  public static let longest = 8

  /// Zero behind the last axis.
  @usableFromInline var lengths: InlineArray<8, Int>

  /// The number of axes.
  @inlinable public var count: Int { axisCount }

  @usableFromInline var axisCount: Int

  @usableFromInline
  init(lengths: InlineArray<8, Int>, count: Int) {
    self.lengths = lengths
    axisCount = count
  }

  /// The shape of one axis.
  @inlinable
  public init(_ length: Int) { self.init(lengths: [length, 0, 0, 0, 0, 0, 0, 0], count: 1) }

  /// The shape of two axes: as a literal, but without memory from the heap in every place.
  @inlinable
  public init(_ first: Int, _ second: Int) {
    self.init(lengths: [first, second, 0, 0, 0, 0, 0, 0], count: 2)
  }

  /// The shape of four axes.
  @inlinable
  public init(_ first: Int, _ second: Int, _ third: Int, _ fourth: Int) {
    self.init(lengths: [first, second, third, fourth, 0, 0, 0, 0], count: 4)
  }

  /// The shape with these lengths, of which there may be `longest`.
  @inlinable @inline(__always)
  public init(_ lengths: some Collection<Int>) {
    self.init()
    for length in lengths { append(length) }
  }

  /// The same, or nil where there are too many axes, as a file may have them.
  public init?(exactly lengths: some Collection<Int>) {
    guard lengths.count <= Self.longest else { return nil }
    self.init(lengths)
  }

  /// No axes: the shape of a single number.
  @inlinable
  public init() { self.init(lengths: InlineArray(repeating: 0), count: 0) }

  /// The same length along each of a number of axes.
  @inlinable
  public init(repeating length: Int, count: Int) { self.init(repeatElement(length, count: count)) }

  /// The shape with a number of axes whose lengths `length` gives.
  @inlinable
  public init(count: Int, _ length: (_ axis: Int) throws -> Int) rethrows {
    self.init()
    for axis in 0..<count { append(try length(axis)) }
  }

  /// The product of the lengths: the number of elements.
  @inlinable public var elementCount: Int {
    var product = 1
    for axis in 0..<count { product *= lengths[axis] }
    return product
  }

  /// The axes of the left shape, then more.
  @inlinable @inline(__always)
  public static func + (left: Shape, right: some Collection<Int>) -> Shape {
    var shape = left
    for length in right { shape.append(length) }
    return shape
  }

  /// Without its first axes.
  @inlinable
  public func dropFirst(_ axes: Int = 1) -> Shape {
    var rest = Shape()
    for axis in Swift.min(axes, count)..<count { rest.append(lengths[axis]) }
    return rest
  }

  /// Without its last axes.
  @inlinable
  public func dropLast(_ axes: Int = 1) -> Shape { prefix(Swift.max(0, count - axes)) }

  /// Its first axes.
  @inlinable
  public func prefix(_ axes: Int) -> Shape {
    var rest = Shape()
    for axis in 0..<Swift.min(axes, count) { rest.append(lengths[axis]) }
    return rest
  }

  /// Its last axes.
  @inlinable
  public func suffix(_ axes: Int) -> Shape { dropFirst(Swift.max(0, count - axes)) }

  /// One more axis, behind the others.
  @inlinable @inline(__always)
  public mutating func append(_ length: Int) {
    precondition(axisCount < Self.longest, "a shape with too many axes")
    lengths[count] = length
    axisCount += 1
  }

  /// Whether these are the lengths: for conditions, in which the array of a literal shape would come from the heap.
  @inlinable
  public func matches<let axes: Int>(_ lengths: InlineArray<axes, Int>) -> Bool {
    guard count == axes else { return false }
    for axis in 0..<axes where self.lengths[axis] != lengths[axis] { return false }
    return true
  }

  /// Equal lengths, as many of them.
  public static func == (left: Shape, right: Shape) -> Bool {
    guard left.count == right.count else { return false }
    for axis in 0..<left.count where left.lengths[axis] != right.lengths[axis] { return false }
    return true
  }

  /// Hashes the lengths.
  public func hash(into hasher: inout Hasher) {
    for length in self { hasher.combine(length) }
  }
}

extension Shape: RandomAccessCollection, MutableCollection {
  /// 0.
  @inlinable public var startIndex: Int { 0 }
  /// The number of axes.
  @inlinable public var endIndex: Int { count }

  /// The length of an axis.
  @inlinable
  public subscript(axis: Int) -> Int {
    get {
      precondition(axis < count, "no such axis")
      return lengths[axis]
    }
    set {
      precondition(axis < count, "no such axis")
      lengths[axis] = newValue
    }
  }
}

extension Shape: ExpressibleByArrayLiteral, CustomStringConvertible {
  /// The shape with these lengths.
  ///
  /// Inlined, so that the array of the literal does not take memory from the heap.
  @inlinable @inline(__always)
  public init(arrayLiteral lengths: Int...) {
    self.init()
    for axis in 0..<lengths.count { append(lengths[axis]) }
  }

  /// As an array's: `[20, 1, 85, 85]`.
  public var description: String { Array(self).description }
}

extension Shape: Codable {
  /// From an array of numbers.
  public init(from decoder: any Decoder) throws {
    let lengths = try [Int](from: decoder)
    guard let shape = Shape(exactly: lengths) else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "a shape with \(lengths.count) axes"))
    }
    self = shape
  }

  /// As an array of numbers.
  public func encode(to encoder: any Encoder) throws { try Array(self).encode(to: encoder) }
}
