import Tensors

/// The numbers of one field, wherever they are stored.
protocol FieldSource: Sendable {
  /// What the stored numbers are.
  var storedType: StoredType { get }
  /// Reads a part of the field, dense in the order `[sample, time, ...grid]`.
  func read(_ part: FieldPart, into target: UnsafeMutableBufferPointer<Float>) throws
  /// The same in double precision.
  func read(_ part: FieldPart, into target: UnsafeMutableBufferPointer<Double>) throws
}

/// A part of a field: some samples, some times, every stride-th point.
struct FieldPart: Sendable {
  let samples: Range<Int>
  /// Ascending; `[0]` for a steady field.
  let frames: [Int]
  /// The points along every axis before striding.
  let grid: [Int]
  let stride: Int

  /// The points along every axis that are kept.
  var kept: [Int] { grid.map { ($0 + stride - 1) / stride } }
  /// The numbers in one frame.
  var frameSize: Int { kept.reduce(1, *) }

  /// The steps in the target for each role.
  func targetStep(of role: AxisRole) -> Int {
    switch role {
    case .sample: frames.count * frameSize
    case .time: frameSize
    case .grid(let axis): kept.dropFirst(axis + 1).reduce(1, *)
    case .fixed: 0
    }
  }

  /// The positions that are read along a stored axis of some role.
  func positions(of role: AxisRole) -> [Int] {
    switch role {
    case .sample: Array(samples)
    case .time: frames
    case .grid(let axis): Array(Swift.stride(from: 0, to: grid[axis], by: stride))
    case .fixed(let position): [position]
    }
  }
}

/// What an axis of a stored array stands for.
enum AxisRole: Sendable, Equatable {
  case sample
  case time
  /// A spatial axis, by its number in the description.
  case grid(Int)
  /// Only one position of the axis belongs to the field, as a component of a vector.
  case fixed(Int)
}

/// Positions along one axis, in the source and in the target: how an array is walked.
struct Loop {
  let count: Int
  let targetStep: Int
  /// The distance of neighbouring positions in elements of the source, if it is the same for all.
  let step: Int?
  /// Where the positions lie if not.
  private let offsets: [Int]

  /// Positions `step` apart.
  init(count: Int, step: Int, targetStep: Int) {
    self.count = count
    self.step = step
    self.targetStep = targetStep
    offsets = []
  }

  /// Positions along an axis, relative to the first.
  init(_ positions: [Int], stride: Int, targetStep: Int) {
    count = positions.count
    self.targetStep = targetStep
    let step = count > 1 ? positions[1] - positions[0] : 0
    let isEven = zip(positions, positions.dropFirst()).allSatisfy { $1 - $0 == step }
    self.step = isEven ? step * stride : nil
    offsets = isEven ? [] : positions.map { ($0 - positions[0]) * stride }
  }

  /// Where a position lies, relative to the first.
  func offset(_ position: Int) -> Int { step.map { $0 * position } ?? offsets[position] }

  /// Loops from the slowest to the fastest in the source, neighbours joined where they make one run.
  static func ordered(_ loops: [(loop: Loop, stride: Int)]) -> [Loop] {
    var result: [Loop] = []
    for (loop, _) in loops.sorted(by: { $0.stride > $1.stride }) where loop.count > 1 {
      if let outer = result.last, let outerStep = outer.step, let step = loop.step,
        outerStep == step * loop.count, outer.targetStep == loop.targetStep * loop.count
      {
        result[result.count - 1] = Loop(
          count: outer.count * loop.count, step: step, targetStep: loop.targetStep)
      } else {
        result.append(loop)
      }
    }
    return result.isEmpty ? [Loop(count: 1, step: 1, targetStep: 1)] : result
  }

  /// Calls `body` with the source and target offsets of every start of the innermost loop.
  static func walk(_ loops: [Loop], _ body: (_ source: Int, _ target: Int) throws -> Void) rethrows {
    let last = loops.count - 2
    var index = [Int](repeating: 0, count: last + 1)
    var source = 0
    var target = 0
    while true {
      try body(source, target)
      var axis = last
      while axis >= 0 {
        let loop = loops[axis]
        let position = index[axis]
        if position + 1 < loop.count {
          source += loop.offset(position + 1) - loop.offset(position)
          target += loop.targetStep
          index[axis] += 1
          break
        }
        source -= loop.offset(position)
        target -= position * loop.targetStep
        index[axis] = 0
        axis -= 1
      }
      if axis < 0 { return }
    }
  }
}

/// The product of lengths, or nil if it does not fit.
func checkedProduct(_ lengths: some Sequence<Int>) -> Int? {
  var product = 1
  for length in lengths {
    let (next, overflow) = product.multipliedReportingOverflow(by: length)
    guard !overflow, length >= 0 else { return nil }
    product = next
  }
  return product
}
