import CKernels

/// Where a stage of a pipeline finds the elements of its lines, as distances in floats.
struct LineLayout {
  /// From one line to the next along the axes before and behind that of the line.
  var outer: Int
  var inner: Int
  /// From one position of a line to the next.
  var position: Int
  /// From one vector of the block to the next.
  var lane: Int
  /// From the real to the imaginary part; nil for real numbers.
  var imaginary: Int?
}

/// Which entries of a line an array holds: `start`, `start + step`, … modulo the line's length.
struct LinePositions {
  var count: Int
  var start = 0
  var step = 1
}

/// A K-matrix along one axis of an array: the entries of every line that are not given are zero, and the
/// entries of the product that are not asked for are dropped.
struct LineStage {
  let product: ButterflyProduct
  let outer: Int
  let inner: Int
  let input: LinePositions
  let output: LinePositions
  var source: LineLayout
  var target: LineLayout

  private var size: Int { product.size }

  /// The floats of scratch memory of one line and, with `gradient`, of its states.
  func scratchCount(width: Int, gradient: Bool) -> Int {
    size * 2 * width * (gradient ? Int(ck_butterfly_passes(product.kernel)) + 2 : 1)
  }

  func forward(
    _ block: LaneBlock, _ twiddle: UnsafePointer<Float>, from: UnsafePointer<Float>,
    to: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    for outer in 0..<outer {
      for inner in 0..<inner {
        load(block, from + outer * source.outer + inner * source.inner, source, input, scratch)
        ck_butterfly_multiply(product.kernel, block.width, twiddle, scratch)
        store(block, scratch, to + outer * target.outer + inner * target.inner, target, output)
      }
    }
  }

  /// The gradient of the source from that of the target, where one is wanted, and of the twiddles.
  func backward(
    _ block: LaneBlock, _ twiddle: UnsafePointer<Float>, from: UnsafePointer<Float>,
    gradient: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>?,
    twiddleGradient: UnsafeMutablePointer<Float>?, scratch: UnsafeMutablePointer<Float>
  ) {
    let states = scratch + size * 2 * block.width
    for outer in 0..<outer {
      for inner in 0..<inner {
        let offset = outer * source.outer + inner * source.inner
        load(block, gradient + outer * target.outer + inner * target.inner, target, output, scratch)
        if let twiddleGradient {
          load(block, from + offset, source, input, states)
          ck_butterfly_trace(product.kernel, block.width, twiddle, states)
          ck_butterfly_gradient(product.kernel, block.width, twiddle, states, scratch, twiddleGradient)
        } else {
          ck_butterfly_multiply_adjoint(product.kernel, block.width, twiddle, scratch)
        }
        if let to { store(block, scratch, to + offset, source, input) }
      }
    }
  }

  private func load(
    _ block: LaneBlock, _ from: UnsafePointer<Float>, _ layout: LineLayout, _ positions: LinePositions,
    _ line: UnsafeMutablePointer<Float>
  ) {
    let unit = 2 * block.width
    if positions.count < size || layout.imaginary == nil { line.update(repeating: 0, count: size * unit) }
    let (first, step) = (positions.start * unit, positions.step * unit)
    ck_gather_lanes(
      positions.count, block.lanes, from, layout.position, layout.lane, block.width, line + first, step)
    if let imaginary = layout.imaginary {
      ck_gather_lanes(
        positions.count, block.lanes, from + imaginary, layout.position, layout.lane, block.width,
        line + first + block.width, step)
    }
  }

  private func store(
    _ block: LaneBlock, _ line: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>,
    _ layout: LineLayout, _ positions: LinePositions
  ) {
    let unit = 2 * block.width
    let (first, step) = (positions.start * unit, positions.step * unit)
    ck_scatter_lanes(
      positions.count, block.lanes, line + first, step, layout.position, layout.lane, to)
    if let imaginary = layout.imaginary {
      ck_scatter_lanes(
        positions.count, block.lanes, line + first + block.width, step, layout.position, layout.lane,
        to + imaginary)
    }
  }
}

/// A number of vectors that are transformed together, side by side in the vector registers.
struct LaneBlock {
  /// The number of vectors.
  let lanes: Int
  /// The number that the registers are filled up to: a multiple of 16.
  let width: Int

  /// How many vectors to take at once: few where lines are long, so that a line stays in the cache.
  static func largest(size: Int) -> Int { size <= 256 ? 32 : 16 }

  init(lanes: Int) {
    self.lanes = lanes
    width = (lanes + 15) / 16 * 16
  }
}

/// K-matrices along one axis after another of a block of vectors, whose arrays between two axes stay in
/// scratch memory.
struct LinePipeline {
  private(set) var stages: [LineStage]
  private let width: Int
  /// The floats of the array behind every stage but the last.
  private let between: [Int]

  /// - Parameters:
  ///   - axes: for every axis of the arrays, slowest first, its matrix and the positions before and behind.
  ///   - order: the axes in the order in which they are transformed.
  ///   - width: the width of the largest block.
  ///   - source, target: the distances of positions along every axis, and of lanes and imaginary parts.
  init(
    axes: [(product: ButterflyProduct, input: LinePositions, output: LinePositions)], order: [Int],
    width: Int, source: FieldLayout, target: FieldLayout
  ) {
    self.width = width
    var stages: [LineStage] = []
    var between: [Int] = []
    // The lengths of the axes as the stages go along, and the distances of their positions.
    var lengths = axes.map(\.input.count)
    var layout = source
    for (index, axis) in order.enumerated() {
      let before = lengths
      lengths[axis] = axes[axis].output.count
      let isLast = index == order.count - 1
      let next =
        isLast ? target : FieldLayout(scratchOf: lengths, width: width, split: min(axis, order[index + 1]))
      stages.append(
        LineStage(
          product: axes[axis].product, outer: before[..<axis].reduce(1, *),
          inner: before[(axis + 1)...].reduce(1, *), input: axes[axis].input, output: axes[axis].output,
          source: layout.lines(along: axis, lengths: before),
          target: next.lines(along: axis, lengths: lengths)))
      if !isLast { between.append(next.count(lengths)) }
      layout = next
    }
    self.stages = stages
    self.between = between
  }

  /// The floats of scratch memory that a block needs.
  func scratchCount(gradient: Bool) -> Int {
    between.reduce(0, +) + (stages.map { $0.scratchCount(width: width, gradient: gradient) }.max() ?? 0)
  }

  /// The result of one block; `twiddles` in the order of the stages.
  func forward(
    _ block: LaneBlock, twiddles: [UnsafePointer<Float>], from source: UnsafePointer<Float>,
    to target: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let arrays = arrays(in: scratch)
    for (index, stage) in stages.enumerated() {
      stage.forward(
        block, twiddles[index], from: index == 0 ? source : UnsafePointer(arrays[index - 1]),
        to: index == stages.count - 1 ? target : arrays[index], scratch: arrays[stages.count - 1])
    }
  }

  /// From the gradient of one block's result to that of its source, adding those of the twiddles.
  func backward(
    _ block: LaneBlock, twiddles: [UnsafePointer<Float>], source: UnsafePointer<Float>,
    gradient: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>?,
    twiddleGradients: [UnsafeMutablePointer<Float>]?, scratch: UnsafeMutablePointer<Float>
  ) {
    let arrays = arrays(in: scratch)
    if twiddleGradients != nil {
      for (index, stage) in stages.dropLast().enumerated() {
        stage.forward(
          block, twiddles[index], from: index == 0 ? source : UnsafePointer(arrays[index - 1]),
          to: arrays[index], scratch: arrays[stages.count - 1])
      }
    }
    // A stage puts the gradient of its input in the place of the input, which no other line needs.
    for (index, stage) in stages.enumerated().reversed() {
      stage.backward(
        block, twiddles[index], from: index == 0 ? source : UnsafePointer(arrays[index - 1]),
        gradient: index == stages.count - 1 ? gradient : UnsafePointer(arrays[index]),
        to: index == 0 ? target : arrays[index - 1], twiddleGradient: twiddleGradients?[index],
        scratch: arrays[stages.count - 1])
    }
  }

  /// The arrays between the stages and, last, the memory for lines.
  private func arrays(in scratch: UnsafeMutablePointer<Float>) -> [UnsafeMutablePointer<Float>] {
    between.reduce(into: [scratch]) { $0.append($0[$0.count - 1] + $1) }
  }
}

/// How an array of complex or real vectors on a grid lies in memory.
struct FieldLayout {
  /// The distance of neighbours along every axis.
  private var strides: [Int]
  private var lane: Int
  private var imaginary: Int?

  init(strides: [Int], lane: Int, imaginary: Int?) {
    self.strides = strides
    self.lane = lane
    self.imaginary = imaginary
  }

  /// Real fields with the grid innermost: `[lane, ...grid]`.
  init(fieldsOn grid: [Int]) {
    strides = grid.indices.map { grid[($0 + 1)...].reduce(1, *) }
    lane = grid.reduce(1, *)
    imaginary = nil
  }

  /// `[...grid, re/im, lane]` with a gap behind every position of the axis `split`, without which the
  /// positions along it would fall into the same few sets of the cache.
  init(scratchOf grid: [Int], width: Int, split: Int) {
    strides = Array(repeating: 0, count: grid.count)
    var stride = 2 * width
    for axis in grid.indices.reversed() {
      if axis == split { stride += 16 }
      strides[axis] = stride
      stride *= grid[axis]
    }
    lane = 1
    imaginary = width
  }

  /// The number of floats of an array with axes of the given lengths.
  func count(_ lengths: [Int]) -> Int { strides[0] * lengths[0] }

  /// The lines along an axis, whose neighbours before and behind are evenly spaced.
  func lines(along axis: Int, lengths: [Int]) -> LineLayout {
    func even(_ range: Range<Int>) -> Int {
      for axis in range.dropLast() {
        precondition(
          strides[axis] == strides[axis + 1] * lengths[axis + 1], "axes \(range) are not contiguous")
      }
      return range.isEmpty ? 0 : strides[range.upperBound - 1]
    }
    return LineLayout(
      outer: even(0..<axis), inner: even(axis + 1..<lengths.count), position: strides[axis], lane: lane,
      imaginary: imaginary)
  }
}
