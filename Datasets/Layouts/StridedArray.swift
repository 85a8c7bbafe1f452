import Archives
import Tensors

/// An array of numbers in a file, or in a compressed part of one, with any order of its axes.
struct StridedArray: Sendable {
  /// Opens the bytes of the array; every reading has a reader of its own, so that threads do not meet.
  let open: @Sendable () throws -> any ByteReader
  /// How the numbers are stored.
  let encoding: StoredType
  /// What the numbers are: more than what they are stored as where the file packs them.
  let storedType: StoredType
  /// Whether the bytes of numbers are in the order of other machines.
  let isSwapped: Bool
  /// The length of every axis, in the order in which its library indexes it.
  let shape: [Int]
  /// The distance of neighbours along every axis, in elements.
  let strides: [Int]
  /// Where the first element lies, in bytes.
  let start: Int

  /// An array; `strides` and `start` must lie within what `open` gives.
  init(
    shape: [Int], strides: [Int], encoding: StoredType, storedType: StoredType? = nil,
    isSwapped: Bool = false,
    start: Int, open: @escaping @Sendable () throws -> any ByteReader
  ) {
    self.open = open
    self.encoding = encoding
    self.storedType = storedType ?? encoding
    self.isSwapped = isSwapped
    self.shape = shape
    self.strides = strides
    self.start = start
  }

  /// The strides of an array whose last (or, in Fortran's order, first) axis is the fastest.
  static func strides(of shape: [Int], isFortran: Bool) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    var product = 1
    for axis in isFortran ? Array(shape.indices) : shape.indices.reversed() {
      strides[axis] = product
      product *= max(1, shape[axis])
    }
    return strides
  }

  /// Where the last element ends, in bytes.
  var end: Int {
    start + (zip(shape, strides).reduce(1) { $0 + max(0, $1.0 - 1) * $1.1 }) * encoding.byteCount
  }

  /// All numbers, for small arrays: times, coordinates.
  func numbers() throws -> [Double] {
    let roles = shape.indices.map { AxisRole.grid($0) }
    let part = FieldPart(samples: 0..<1, frames: [0], grid: shape, stride: 1)
    var result = [Double](repeating: 0, count: shape.reduce(1, *))
    try result.withUnsafeMutableBufferPointer { target in
      try StridedField(array: self, roles: roles).read(part, into: target)
    }
    return result
  }
}

/// A field in such an array.
struct StridedField: FieldSource {
  let array: StridedArray
  let roles: [AxisRole]

  var storedType: StoredType { array.storedType }

  func read(_ part: FieldPart, into target: UnsafeMutableBufferPointer<Float>) throws {
    try walk(part) { source, step, count, offset, targetStep in
      array.encoding.decode(
        source, step: step, isSwapped: array.isSwapped, count: count, into: target.baseAddress! + offset,
        targetStep: targetStep)
    }
  }

  func read(_ part: FieldPart, into target: UnsafeMutableBufferPointer<Double>) throws {
    try walk(part) { source, step, count, offset, targetStep in
      array.encoding.decode(
        source, step: step, isSwapped: array.isSwapped, count: count, into: target.baseAddress! + offset,
        targetStep: targetStep)
    }
  }

  /// Calls `body` with runs of stored numbers in the order of the file.
  private func walk(
    _ part: FieldPart,
    _ body: (_ source: UnsafeRawPointer, _ step: Int, _ count: Int, _ offset: Int, _ targetStep: Int) -> Void
  ) throws {
    guard !part.samples.isEmpty, !part.frames.isEmpty else { return }
    var first = 0
    var axes: [(loop: Loop, stride: Int)] = []
    for (axis, role) in roles.enumerated() {
      let positions = part.positions(of: role)
      first += positions[0] * array.strides[axis]
      let loop = Loop(positions, stride: array.strides[axis], targetStep: part.targetStep(of: role))
      axes.append((loop, array.strides[axis]))
    }
    let loops = Loop.ordered(axes)
    let inner = loops[loops.count - 1]
    let size = array.encoding.byteCount
    let window = Window(try array.open(), end: array.end)
    // The span of a run is bounded, whatever strides a file declares.
    let longest = inner.step.map { max(1, Window.length / max(1, $0 * size)) } ?? 1
    try Loop.walk(loops) { source, target in
      var position = 0
      while position < inner.count {
        let count = min(longest, inner.count - position)
        let step = inner.step ?? 1
        let begin = array.start + (first + source + inner.offset(position)) * size
        let bytes = try window.bytes(at: begin, count: ((count - 1) * step + 1) * size)
        body(bytes, step, count, target + position * inner.targetStep, inner.targetStep)
        position += count
      }
    }
  }
}

/// A part of a reader's bytes in memory, moved along.
private final class Window {
  static let length = 1 << 18
  private let reader: any ByteReader
  private let end: Int
  private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Window.length, alignment: 16)
  private var held = 0..<0

  /// A window on the bytes before `end`.
  init(_ reader: any ByteReader, end: Int) {
    self.reader = reader
    self.end = end
  }

  deinit { buffer.deallocate() }

  /// The bytes from a position on, at most `length` or one number; valid until the next call.
  func bytes(at position: Int, count: Int) throws -> UnsafeRawPointer {
    if position < held.lowerBound || position + count > held.upperBound {
      let size = max(count, min(Window.length, end - position))
      precondition(size <= buffer.count, "a window of \(size) bytes")
      held = 0..<0
      try reader.read(at: position, into: UnsafeMutableRawBufferPointer(rebasing: buffer[0..<size]))
      held = position..<position + size
    }
    return UnsafeRawPointer(buffer.baseAddress! + (position - held.lowerBound))
  }
}
