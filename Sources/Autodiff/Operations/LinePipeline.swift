import CKernels
import Tensors

/// Where a stage of a pipeline finds the elements of its lines, as distances in floats.
struct LineLayout: Sendable {
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

/// Which entries of a line an array holds: 0, `step`, twice that and so on.
struct LinePositions: Sendable {
  var count: Int
  var step = 1
}

/// A K-matrix along one axis of an array: the entries of every line that are not given are zero, and the
/// entries of the product that are not asked for are dropped.
struct LineStage: Sendable {
  let product: ButterflyProduct
  let outer: Int
  let inner: Int
  let input: LinePositions
  let output: LinePositions
  var source: LineLayout
  var target: LineLayout

  /// The floats of one side of the product for all lines that are taken at once.
  private func count(width: Int) -> Int { product.size * 2 * LaneBlock.lines(width: width) * width }

  /// The floats of scratch memory that the lines at work take, with `gradient` those of their states too.
  func scratchCount(width: Int, gradient: Bool) -> Int {
    let passes = Int(ck_butterfly_passes(product.kernel))
    // Two sides that are not read or written in their places, and what the kernels ask for.
    return (2 + (gradient ? passes + 1 : 2)) * count(width: width)
  }

  func forward(
    _ block: LaneBlock, _ matrices: UnsafePointer<Float>, from: UnsafePointer<Float>,
    to: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let (count, width) = (count(width: block.width), block.width)
    forEachLines(width: width) { lines, sourceOffset, targetOffset in
      let x = read(block, lines, from + sourceOffset, source, input, into: scratch)
      let y = place(block, lines, to + targetOffset, target, output, scratch + count)
      ck_butterfly_multiply(
        product.kernel, matrices, lines, width, x.layout, x.start, y.layout, y.start, scratch + 2 * count)
      write(block, lines, y.start, to + targetOffset, target, output)
    }
  }

  /// The gradient of the source from that of the target, where one is wanted, and of the passes' matrices.
  func backward(
    _ block: LaneBlock, _ matrices: UnsafePointer<Float>, from: UnsafePointer<Float>,
    gradient: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>?,
    matrixGradient: UnsafeMutablePointer<Float>?, scratch: UnsafeMutablePointer<Float>
  ) {
    let (count, width) = (count(width: block.width), block.width)
    forEachLines(width: width) { lines, sourceOffset, targetOffset in
      let dy = read(block, lines, gradient + targetOffset, target, output, into: scratch)
      let dx = to.map { place(block, lines, $0 + sourceOffset, source, input, scratch + count) }
      if let matrixGradient {
        let x = read(block, lines, from + sourceOffset, source, input, into: scratch + count)
        ck_butterfly_gradient(
          product.kernel, matrices, lines, width, x.layout, x.start, dy.layout, dy.start, dx?.start,
          matrixGradient, scratch + 2 * count)
      } else if let dx {
        ck_butterfly_multiply_adjoint(
          product.kernel, matrices, lines, width, dy.layout, dy.start, dx.layout, dx.start,
          scratch + 2 * count)
      }
      if let to, let dx { write(block, lines, dx.start, to + sourceOffset, source, input) }
    }
  }

  /// Calls `body` with the numbers of neighbouring lines to take at once and where they begin.
  private func forEachLines(
    width: Int, _ body: (_ lines: Int, _ sourceOffset: Int, _ targetOffset: Int) -> Void
  ) {
    let (rows, length, most) = (
      inner > 1 ? outer : 1, inner > 1 ? inner : outer, LaneBlock.lines(width: width)
    )
    for row in 0..<rows {
      for first in stride(from: 0, to: length, by: most) {
        body(
          min(most, length - first), row * source.outer + first * distance(source),
          row * target.outer + first * distance(target))
      }
    }
  }

  /// From one of the lines that are taken at once to the next.
  private func distance(_ layout: LineLayout) -> Int { inner > 1 ? layout.inner : layout.outer }

  /// Whether the kernels can work on lines where they lie: whole vector registers side by side.
  private func isInPlace(_ block: LaneBlock, _ layout: LineLayout) -> Bool {
    layout.lane == 1 && block.lanes == block.width
  }

  /// Lines where they lie, or a place in scratch memory for them.
  private func place<Pointer>(
    _ block: LaneBlock, _ lines: Int, _ start: Pointer, _ layout: LineLayout, _ positions: LinePositions,
    _ scratch: Pointer
  ) -> (start: Pointer, layout: ck_lines) {
    var place = ck_lines(
      count: positions.count, step: positions.step, position: layout.position, line: distance(layout),
      imaginary: layout.imaginary ?? 0, real: layout.imaginary == nil ? 1 : 0)
    if isInPlace(block, layout) { return (start, place) }
    place.position = 2 * lines * block.width
    place.line = block.width
    place.imaginary = lines * block.width
    return (scratch, place)
  }

  /// Lines that the kernels can read.
  private func read(
    _ block: LaneBlock, _ lines: Int, _ start: UnsafePointer<Float>, _ layout: LineLayout,
    _ positions: LinePositions, into scratch: UnsafeMutablePointer<Float>
  ) -> (start: UnsafePointer<Float>, layout: ck_lines) {
    let place = place(block, lines, start, layout, positions, UnsafePointer(scratch))
    if isInPlace(block, layout) { return place }
    forEachPart(lines, place.layout, layout) { from, to in
      ck_gather_lanes(
        positions.count, block.lanes, start + from, layout.position, layout.lane, block.width, scratch + to,
        place.layout.position)
    }
    return place
  }

  /// Lines that the kernels have written, from scratch memory to where they belong.
  private func write(
    _ block: LaneBlock, _ lines: Int, _ scratch: UnsafePointer<Float>, _ start: UnsafeMutablePointer<Float>,
    _ layout: LineLayout, _ positions: LinePositions
  ) {
    if isInPlace(block, layout) { return }
    let place = place(block, lines, scratch, layout, positions, scratch)
    forEachPart(lines, place.layout, layout) { to, from in
      ck_scatter_lanes(
        positions.count, block.lanes, scratch + from, place.layout.position, layout.position, layout.lane,
        start + to)
    }
  }

  /// Where the real and imaginary parts of lines begin, in the array and in scratch memory.
  private func forEachPart(
    _ lines: Int, _ place: ck_lines, _ layout: LineLayout, _ body: (_ array: Int, _ scratch: Int) -> Void
  ) {
    for line in 0..<lines {
      let (array, scratch) = (line * distance(layout), line * place.line)
      body(array, scratch)
      if let imaginary = layout.imaginary { body(array + imaginary, scratch + place.imaginary) }
    }
  }
}

/// A number of vectors that are transformed together, side by side in the vector registers.
struct LaneBlock {
  /// The number of vectors.
  let lanes: Int
  /// The number that the registers are filled up to: a multiple of 16.
  let width: Int

  /// How many vectors to take at once: few where there are several axes and lines are long, so that a line, and what
  /// lies between two axes, stay in the cache.
  static func largest(size: Shape) -> Int {
    size.count == 1 ? 64 : size.allSatisfy { $0 <= 256 } ? 32 : 16
  }

  /// How many lines of such blocks to take at once: what is to be done once for all of them repays.
  static func lines(width: Int) -> Int { max(1, 64 / width) }

  init(lanes: Int) {
    self.lanes = lanes
    width = (lanes + 15) / 16 * 16
  }
}

/// K-matrices along one axis after another of a block of vectors, whose arrays between two axes stay in
/// scratch memory.
struct LinePipeline: Sendable {
  private let stages: [LineStage]
  /// Where in scratch memory the array behind every stage begins; in place of the last, memory for lines.
  private let places: [Int]
  /// Where the matrices of every stage begin among those of all.
  private let matrixPlaces: [Int]
  /// The floats of scratch memory that a block needs, forward and with the gradients of matrices.
  private let scratchCounts: (forward: Int, gradient: Int)

  /// - Parameters:
  ///   - axes: for every axis of the arrays, slowest first, its matrix and the positions before and behind.
  ///   - order: the axes in the order in which they are transformed.
  ///   - width: the width of the largest block.
  ///   - source, target: the distances of positions along every axis, and of lanes and imaginary parts.
  init(
    axes: [(product: ButterflyProduct, input: LinePositions, output: LinePositions)], order: [Int],
    width: Int, source: FieldLayout, target: FieldLayout
  ) {
    var stages: [LineStage] = []
    var (places, matrixPlaces) = ([0], [0])
    // The lengths of the axes as the stages go along, and the distances of their positions.
    var lengths = Shape(axes.lazy.map(\.input.count))
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
      if !isLast { places.append(places[index] + next.count(lengths)) }
      matrixPlaces.append(matrixPlaces[index] + axes[axis].product.twiddleCount)
      layout = next
    }
    self.stages = stages
    (self.places, self.matrixPlaces) = (places, matrixPlaces)
    func most(gradient: Bool) -> Int {
      places[stages.count - 1]
        + (stages.map { $0.scratchCount(width: width, gradient: gradient) }.max() ?? 0)
    }
    scratchCounts = (most(gradient: false), most(gradient: true))
  }

  /// The floats of scratch memory that a block needs.
  func scratchCount(gradient: Bool) -> Int { gradient ? scratchCounts.gradient : scratchCounts.forward }

  /// The result of one block; `matrices` are those of the passes of all stages, one after the other.
  func forward(
    _ block: LaneBlock, matrices: UnsafePointer<Float>, from source: UnsafePointer<Float>,
    to target: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    for stage in stages.indices {
      forward(
        stage, block, matrices, from: source,
        to: stage == stages.count - 1 ? target : scratch + places[stage],
        scratch)
    }
  }

  private func forward(
    _ stage: Int, _ block: LaneBlock, _ matrices: UnsafePointer<Float>, from source: UnsafePointer<Float>,
    to target: UnsafeMutablePointer<Float>, _ scratch: UnsafeMutablePointer<Float>
  ) {
    stages[stage].forward(
      block, matrices + matrixPlaces[stage],
      from: stage == 0 ? source : UnsafePointer(scratch + places[stage - 1]), to: target,
      scratch: scratch + places[stages.count - 1])
  }

  /// From the gradient of one block's result to that of its source, adding those of the matrices.
  func backward(
    _ block: LaneBlock, matrices: UnsafePointer<Float>, source: UnsafePointer<Float>,
    gradient: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>?,
    matrixGradient: UnsafeMutablePointer<Float>?, scratch: UnsafeMutablePointer<Float>
  ) {
    let last = stages.count - 1
    if matrixGradient != nil {
      for stage in 0..<last {
        forward(stage, block, matrices, from: source, to: scratch + places[stage], scratch)
      }
    }
    // A stage puts the gradient of its input in the place of the input, which no other line needs.
    for stage in stride(from: last, through: 0, by: -1) {
      stages[stage].backward(
        block, matrices + matrixPlaces[stage],
        from: stage == 0 ? source : UnsafePointer(scratch + places[stage - 1]),
        gradient: stage == last ? gradient : UnsafePointer(scratch + places[stage]),
        to: stage == 0 ? target : scratch + places[stage - 1],
        matrixGradient: matrixGradient.map { $0 + matrixPlaces[stage] }, scratch: scratch + places[last])
    }
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
  init(fieldsOn grid: Shape) {
    strides = grid.indices.map { grid[($0 + 1)...].reduce(1, *) }
    lane = grid.reduce(1, *)
    imaginary = nil
  }

  /// `[...grid, re/im, lane]` with a gap behind every position of the axis `split`, without which the
  /// positions along it would fall into the same few sets of the cache.
  init(scratchOf grid: Shape, width: Int, split: Int) {
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
  func count(_ lengths: Shape) -> Int { strides[0] * lengths[0] }

  /// The lines along an axis, whose neighbours before and behind are evenly spaced.
  func lines(along axis: Int, lengths: Shape) -> LineLayout {
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
