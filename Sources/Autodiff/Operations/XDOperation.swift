import CKernels
import Tensors

/// The shapes of an XD-operation, axis by axis of the grid.
public struct XDGeometry: Sendable, Equatable {
  /// I, the channels of the input.
  public var inputs: Int
  /// O, the channels of the output.
  public var outputs: Int
  /// Into how many groups of channels, that do not see each other, inputs and outputs are divided.
  public var groups: Int
  /// The points of the input, which zeros behind them fill up to the sizes of the K-matrices.
  public var grid: Shape
  /// For every tap of the filter its position in the vector that L is applied to.
  public var taps: [[Int]]
  /// Whether filters are complex, with a last axis of length 2, as those of an FNO are.
  public var hasComplexFilter: Bool
  /// The points of the output.
  public var outputGrid: Shape
  /// The step between the entries of K's result that are the output, from entry 0: the stride.
  public var outputSteps: [Int]
  /// The structure of K.
  public var k: [ButterflyProduct]
  /// The structure of L.
  public var l: [ButterflyProduct]
  /// The structure of M.
  public var m: [ButterflyProduct]

  /// The operation on these shapes.
  public init(
    inputs: Int, outputs: Int, groups: Int, grid: Shape, taps: [[Int]], hasComplexFilter: Bool,
    outputGrid: Shape, outputSteps: [Int], k: [ButterflyProduct], l: [ButterflyProduct],
    m: [ButterflyProduct]
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.groups = groups
    self.grid = grid
    self.taps = taps
    self.hasComplexFilter = hasComplexFilter
    self.outputGrid = outputGrid
    self.outputSteps = outputSteps
    self.k = k
    self.l = l
    self.m = m
    if let problem { preconditionFailure(problem) }
  }

  /// The sizes of the K-matrices: powers of two that hold the grid.
  public var size: Shape { Shape(m.lazy.map(\.size)) }

  /// The filters' shape: `[O, I/groups, ...taps]`, and 2 for complex ones.
  public var weightShape: Shape {
    let real: Shape = [outputs, groupInputs] + taps.lazy.map(\.count)
    return hasComplexFilter ? real + [2] : real
  }

  /// Why there is no such operation, or nil if there is.
  private var problem: String? {
    let axes = grid.count
    guard
      axes > 0,
      [taps.count, outputGrid.count, outputSteps.count, k.count, l.count, m.count].allSatisfy({ $0 == axes })
    else { return "an XD-operation on a grid \(grid) needs the rest of its shape for every axis" }
    if !k.lazy.map(\.size).elementsEqual(size) || !l.lazy.map(\.size).elementsEqual(size) {
      return "the sizes of K, L and M differ"
    }
    if inputs % groups != 0 || outputs % groups != 0 {
      return "\(inputs) inputs and \(outputs) outputs cannot be divided into \(groups) groups"
    }
    for axis in 0..<axes {
      let n = size[axis]
      if grid[axis] > n || (outputGrid[axis] - 1) * outputSteps[axis] >= n {
        return "\(grid[axis]) points of input and \(outputGrid[axis]) of output do not fit size \(n)"
      }
      if taps[axis].isEmpty || taps[axis].contains(where: { $0 < 0 || $0 >= n }) {
        return "the taps \(taps[axis]) do not fit size \(n)"
      }
    }
    return nil
  }

  var groupInputs: Int { inputs / groups }
  var groupOutputs: Int { outputs / groups }
  /// The number of filters.
  var filters: Int { groupInputs * outputs }
  /// One filter per channel: products of vectors instead of matrices.
  var isDepthwise: Bool { groups > 1 && groups == inputs && groups == outputs }

  /// The filters and the sizes of their spectra L w.
  var filterShape: FilterShape {
    FilterShape(
      outputs: outputs, groupInputs: groupInputs, taps: Shape(taps.lazy.map(\.count)), size: size,
      hasComplexFilter: hasComplexFilter)
  }
}

/// An XD-operation, y_o = Re K Σ_i diag(L w_oi) M x_i, plus a bias.
///
/// K, L and M are tensor products of one K-matrix per axis of the grid, shared by all channels. M acts on the
/// input with zeros behind it, L on the filter's taps placed among zeros; of K's result the entries
/// 0, step, 2·step, … of each axis are the output. With Fourier matrices this is a convolution; other
/// K-matrices make it any of the operations of a neural architecture search but maximum pooling.
/// Roberts et al., "Rethinking neural operations for diverse tasks", NeurIPS 2021.
///
/// Shapes: u `[sample, I, ...grid]`, weight `geometry.weightShape`, the twiddles of k, l and m one tensor of
/// `twiddleShape` per axis, bias `[O]`, result `[sample, O, ...outputGrid]`.
///
/// The cost per sample is that of the K-matrices, (I + O)·N log N, and of mixing the channels, I·O·N, for N the
/// product of the sizes. L w is computed in tiles that are used for the whole batch and dropped, so it is
/// never stored; kept for the adjoint are M x and, for the gradients of twiddles, its product with L w.
public func xdOperation(
  _ u: Variable, weight: Variable, k: [Variable], l: [Variable], m: [Variable], bias: Variable?,
  _ geometry: XDGeometry
) -> Variable {
  let kernel = XDKernel(
    geometry, input: FieldShape(u.shape), weight: weight.value, k: AxisTensors(k), l: AxisTensors(l),
    m: AxisTensors(m))
  // What stands in for a bias that is missing needs no gradient.
  let inputs = XDInputs(u: u, weight: weight, bias: bias ?? weight.withoutGradient, k: k, l: l, m: m)
  let spectrum = kernel.analyse(u.value)
  let product = kernel.mix(spectrum)
  let value = kernel.synthesise(product, bias: bias?.value)
  // K needs its input again for the gradients of twiddles.
  let twiddlesNeedGradients = inputs.dropFirst(3).contains(where: \.needsGradient)
  let saved = (
    kernel: kernel, u: u.value, spectrum: spectrum, product: twiddlesNeedGradients ? product : nil
  )
  return Variable(value, from: inputs, saving: saved) { saved, gradient, inputs in
    let (kernel, u, spectrum, product) = saved
    let gradient = consume gradient
    kernel.addAdjoint(gradient, u: u, spectrum: consume spectrum, mixed: consume product, to: inputs)
    if inputs.isNeeded(2) { inputs.add(channelSums(gradient, FieldShape(gradient.shape)), to: 2) }
  }
}

/// What an XD-operation depends on: field, filters, bias, then the twiddles of K, L and M.
private struct XDInputs: Sequence, IteratorProtocol {
  let u: Variable
  let weight: Variable
  let bias: Variable
  let k: [Variable]
  let l: [Variable]
  let m: [Variable]
  private var position = 0

  init(u: Variable, weight: Variable, bias: Variable, k: [Variable], l: [Variable], m: [Variable]) {
    (self.u, self.weight, self.bias) = (u, weight, bias)
    (self.k, self.l, self.m) = (k, l, m)
  }

  mutating func next() -> Variable? {
    defer { position += 1 }
    switch position {
    case 0: return u
    case 1: return weight
    case 2: return bias
    default:
      let (matrix, axis) = (position - 3).quotientAndRemainder(dividingBy: k.count)
      return matrix == 0 ? k[axis] : matrix == 1 ? l[axis] : matrix == 2 ? m[axis] : nil
    }
  }
}

/// A tensor for every axis of a grid, without memory from the heap.
struct AxisTensors: Sendable {
  private var tensors = InlineArray<6, Tensor<Float>>(repeating: .empty)
  let count: Int

  /// Empty ones.
  init(count: Int) { self.count = count }

  init(_ variables: [Variable]) {
    count = variables.count
    for axis in 0..<count { tensors[axis] = variables[axis].value }
  }

  subscript(axis: Int) -> Tensor<Float> {
    get { tensors[axis] }
    set { tensors[axis] = newValue }
  }
}

/// The pipelines of XD-operations of one geometry, made once.
private struct XDPlan: Sendable {
  let geometry: XDGeometry
  /// M, from fields to spectra: the last axis first, while most lines of the others are still zero.
  let analysis: LinePipeline
  /// K, from spectra to fields: the last axis last, when only the lines of the output are left.
  let synthesis: LinePipeline
  /// The orders in which the matrices of the axes act.
  let orderOfM: [Int]
  let orderOfK: [Int]

  private init(_ geometry: XDGeometry) {
    self.geometry = geometry
    let size = geometry.size
    orderOfM = geometry.grid.indices.reversed()
    orderOfK = Array(geometry.grid.indices)
    analysis = LinePipeline(
      axes: size.indices.map {
        (geometry.m[$0], LinePositions(count: geometry.grid[$0]), LinePositions(count: size[$0]))
      },
      order: orderOfM, width: Self.blockWidth(geometry, channels: geometry.inputs),
      source: FieldLayout(fieldsOn: geometry.grid), target: Self.layout(size, channels: geometry.inputs))
    synthesis = LinePipeline(
      axes: size.indices.map {
        (
          geometry.k[$0], LinePositions(count: size[$0]),
          LinePositions(count: geometry.outputGrid[$0], step: geometry.outputSteps[$0])
        )
      },
      order: orderOfK, width: Self.blockWidth(geometry, channels: geometry.outputs),
      source: Self.layout(size, channels: geometry.outputs),
      target: FieldLayout(fieldsOn: geometry.outputGrid))
  }

  private static func layout(_ size: Shape, channels: Int) -> FieldLayout {
    let unit = 2 * channels
    return FieldLayout(
      strides: size.indices.map { $0 == 0 ? unit : size[($0 + 1)...].reduce(size[0], *) * unit }, lane: 1,
      imaginary: channels)
  }

  static func blockWidth(_ geometry: XDGeometry, channels: Int) -> Int {
    min(LaneBlock.largest(size: geometry.size), LaneBlock(lanes: channels).width)
  }

  /// The plan from the cache, or a new one.
  static func cached(_ geometry: XDGeometry) -> XDPlan {
    cache.plan {
      $0.geometry == geometry
    } orMake: {
      XDPlan(geometry)
    }
  }

  private static let cache = PlanCache<XDPlan>()
}

/// A tensor product of K-matrices, one per axis of the grid.
private struct KMatrices {
  let products: [ButterflyProduct]
  let twiddles: AxisTensors
  /// The axes in the order in which their matrices act.
  let order: [Int]
  /// The matrices of the passes of all axes, in that order.
  let matrices: Tensor<Float>

  init(_ products: [ButterflyProduct], _ twiddles: AxisTensors, order: [Int]) {
    precondition(Self.fit(products, twiddles), "the twiddles have other shapes")
    self.products = products
    self.twiddles = twiddles
    self.order = order
    matrices = .filled(Shape(products.reduce(0) { $0 + $1.twiddleCount })) { matrices in
      var place = matrices
      for axis in order {
        twiddles[axis].start { ck_butterfly_merge(products[axis].kernel, $0, place) }
        place += products[axis].twiddleCount
      }
    }
  }

  /// Whether these are twiddles of such products.
  static func fit(_ products: [ButterflyProduct], _ twiddles: AxisTensors) -> Bool {
    products.count == twiddles.count
      && products.indices.allSatisfy { twiddles[$0].shape == products[$0].twiddleShape }
  }

  /// Adds the gradients of the twiddles, in the order of the axes, to those of the inputs from one on, from terms of that
  /// of the matrices.
  func addTwiddleGradients(_ terms: Tensor<Float>, to inputs: Tape.InputGradients, from first: Int) {
    var before = 0
    for axis in order {
      let product = products[axis]
      let ofMatrices = sumOverFirstAxis(terms, shape: product.twiddleShape, from: before)
      inputs.add(product.twiddleGradient(matrices: ofMatrices, twiddles[axis]), to: first + axis)
      before += product.twiddleCount
    }
  }
}

/// Both directions of an XD-operation for one batch.
///
/// A spectrum, here, is what stands between M and K: `[sample, positions of axes 1..., positions of axis 0,
/// re/im, channel]`, so that the filters of a tile meet neighbouring numbers.
private struct XDKernel {
  let geometry: XDGeometry
  let weight: Tensor<Float>
  let k: KMatrices
  let l: AxisTensors
  let m: KMatrices
  let samples: Int
  private let plan: XDPlan

  /// The most partial sums of a gradient; fixed, so that the sums do not depend on the number of threads.
  private static let chunkCount = 16

  // Stored, because the loops over positions ask for them.
  private let size: Shape
  /// The positions of a spectrum, and of all axes but the first.
  private let positions: Int
  private let slabs: Int

  init(
    _ geometry: XDGeometry, input: FieldShape, weight: Tensor<Float>, k: AxisTensors, l: AxisTensors,
    m: AxisTensors
  ) {
    precondition(
      input.channels == geometry.inputs && input.grid == geometry.grid,
      "an XD-operation for \(geometry.inputs) channels on \(geometry.grid) got \(input.channels) on \(input.grid)"
    )
    precondition(
      weight.shape == geometry.weightShape,
      "filters \(weight.shape) of an XD-operation with filters \(geometry.weightShape)")
    precondition(KMatrices.fit(geometry.l, l), "the twiddles have other shapes")
    let plan = XDPlan.cached(geometry)
    self.plan = plan
    self.geometry = geometry
    self.weight = weight
    self.k = KMatrices(geometry.k, k, order: plan.orderOfK)
    self.l = l
    self.m = KMatrices(geometry.m, m, order: plan.orderOfM)
    samples = input.samples
    size = geometry.size
    positions = geometry.size.elementCount
    slabs = geometry.filterShape.slabs(behind: 0)
  }

  // MARK: - The K-matrices

  /// The distance of two samples in a spectrum: a little more than a sample, lest all samples fall into the
  /// same sets of the cache.
  private func spectrumStride(channels: Int) -> Int { positions * 2 * channels + 16 }

  private func spectrumShape(channels: Int) -> Shape { Shape(samples, spectrumStride(channels: channels)) }

  private func blockWidth(channels: Int) -> Int { XDPlan.blockWidth(geometry, channels: channels) }
  private var analysis: LinePipeline { plan.analysis }
  private var synthesis: LinePipeline { plan.synthesis }

  /// Calls `body` for every block of channels of every sample, in parallel, with the chunk that it is in.
  private func forEachBlock(
    channels: Int, _ pipeline: LinePipeline, gradient: Bool,
    _ body: (
      _ block: LaneBlock, _ sample: Int, _ channel: Int, _ chunk: Int, _ scratch: UnsafeMutablePointer<Float>
    ) -> Void
  ) {
    let width = blockWidth(channels: channels)
    let perSample = (channels + width - 1) / width
    let blocks = samples * perSample
    let chunks = gradient ? min(blocks, Self.chunkCount) : blocks
    parallelFor(chunks) { range in
      withScratch(pipeline.scratchCount(gradient: gradient)) { scratch in
        for chunk in range {
          for index in blocks * chunk / chunks..<blocks * (chunk + 1) / chunks {
            let channel = index % perSample * width
            body(
              LaneBlock(lanes: min(width, channels - channel)), index / perSample, channel, chunk, scratch)
          }
        }
      }
    }
  }

  /// M x.
  func analyse(_ u: Tensor<Float>) -> Tensor<Float> {
    let (channels, pipeline, points) = (geometry.inputs, analysis, geometry.grid.elementCount)
    return withPointers(u, m.matrices) { u, matrices in
      .filled(spectrumShape(channels: channels)) { spectrum in
        forEachBlock(channels: channels, pipeline, gradient: false) { block, sample, channel, _, scratch in
          pipeline.forward(
            block, matrices: matrices, from: u + (sample * channels + channel) * points,
            to: spectrum + sample * spectrumStride(channels: channels) + channel, scratch: scratch)
        }
      }
    }
  }

  /// Re K z, plus the bias.
  func synthesise(_ mixed: Tensor<Float>, bias: Tensor<Float>?) -> Tensor<Float> {
    let (channels, pipeline, points) = (geometry.outputs, synthesis, geometry.outputGrid.elementCount)
    precondition(bias.map { $0.shape.matches([channels]) } ?? true, "a bias for \(channels) channels")
    let zeros = Tensor<Float>(shape: Shape(channels))
    let shape = Shape(samples, channels) + geometry.outputGrid
    return withPointers(mixed, bias ?? zeros, k.matrices) { mixed, bias, matrices in
      .filled(shape) { result in
        forEachBlock(channels: channels, pipeline, gradient: false) { block, sample, channel, _, scratch in
          let target = result + (sample * channels + channel) * points
          pipeline.forward(
            block, matrices: matrices,
            from: mixed + sample * spectrumStride(channels: channels) + channel, to: target,
            scratch: scratch)
          for lane in 0..<block.lanes where bias[channel + lane] != 0 {
            ck_add_constant_f32(points, bias[channel + lane], target + lane * points)
          }
        }
      }
    }
  }

  /// The gradient of K's or M's source from that of its result, where it is wanted, and terms of those of the twiddles.
  ///
  /// Arrays are given with the distances of samples and channels; `target` may be the source itself.
  private func adjoint(
    of factors: KMatrices, _ pipeline: LinePipeline, channels: Int,
    source: (start: UnsafePointer<Float>, stride: Int, channel: Int),
    gradient: (start: UnsafePointer<Float>, stride: Int, channel: Int),
    to target: UnsafeMutablePointer<Float>?, ofTwiddles: Bool
  ) -> Tensor<Float> {
    let blocks = samples * ((channels + blockWidth(channels: channels) - 1) / blockWidth(channels: channels))
    let count = factors.matrices.count
    var terms = Tensor<Float>(shape: Shape(ofTwiddles ? min(blocks, Self.chunkCount) : 0, count))
    factors.matrices.start { matrices in
      terms.withUnsafeMutableBuffer { terms in
        let terms = terms.baseAddress!
        forEachBlock(channels: channels, pipeline, gradient: true) {
          block, sample, channel, chunk, scratch in
          let start = sample * source.stride + channel * source.channel
          pipeline.backward(
            block, matrices: matrices, source: source.start + start,
            gradient: gradient.start + sample * gradient.stride + channel * gradient.channel,
            to: target.map { $0 + start }, matrixGradient: ofTwiddles ? terms + chunk * count : nil,
            scratch: scratch)
        }
      }
    }
    return terms
  }

  // MARK: - The channels

  private func planar(row: Int, column: Int = 1, imaginary: Int, conjugate: Bool = false) -> ck_planar {
    ck_planar(row: row, column: column, imaginary: imaginary, conjugate: conjugate ? 1 : 0)
  }

  /// Σ_i diag(L w_oi) x_i at every position.
  func mix(_ spectrum: Tensor<Float>) -> Tensor<Float> {
    let filter = FilterSpectrum(geometry, weight: weight, l: l)
    return spectrum.start { x in
      .filled(spectrumShape(channels: geometry.outputs)) { z in
        parallelFor(filter.tiles) { range in
          withScratch(filter.tileCount) { lw in
            for index in range {
              let (slab, positions) = filter.place(ofTile: index)
              filter.tile(slab: slab, positions: positions, into: lw)
              for position in positions {
                fetch(x, slab, position + 1, geometry.inputs)
                fetch(z, slab, position + 1, geometry.outputs)
                multiply(
                  lw + (position - positions.lowerBound) * 2 * geometry.filters,
                  start(x, slab, position, geometry.inputs), start(z, slab, position, geometry.outputs))
              }
            }
          }
        }
      }
    }
  }

  /// The numbers of the first sample at a position.
  private func start<Pointer: Strideable>(
    _ spectrum: Pointer, _ slab: Int, _ position: Int, _ channels: Int
  ) -> Pointer where Pointer.Stride == Int {
    spectrum.advanced(by: (slab * size[0] + position) * 2 * channels)
  }

  /// Fetches the numbers of all samples at a position.
  private func fetch(
    _ spectrum: UnsafePointer<Float>, _ slab: Int, _ position: Int, _ channels: Int
  ) {
    ck_fetch_rows(
      samples, spectrumStride(channels: channels), 2 * channels, start(spectrum, slab, position, channels))
  }

  /// z = Σ_i lw_oi x_i for the batch at one position.
  private func multiply(
    _ lw: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ z: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs) = (geometry.inputs, geometry.outputs)
    let (left, right) = (
      planar(row: spectrumStride(channels: inputs), imaginary: inputs),
      planar(row: outputs, imaginary: geometry.filters)
    )
    let result = planar(row: spectrumStride(channels: outputs), imaginary: outputs)
    if geometry.isDepthwise {
      ck_planar_scale(samples, outputs, left, x, right, lw, result, z)
      return
    }
    for group in 0..<geometry.groups {
      ck_planar_product(
        samples, geometry.groupOutputs, geometry.groupInputs, left, x + group * geometry.groupInputs, right,
        lw + group * geometry.groupOutputs, result, z + group * geometry.groupOutputs)
    }
  }

  /// dx = Σ_o conj(lw_oi) dz_o, for the batch at one position.
  ///
  /// - Parameter transposed: memory for as many numbers as there are filters, twice.
  private func multiplyAdjoint(
    _ lw: UnsafePointer<Float>, _ dz: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>,
    transposed: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs, filters) = (geometry.inputs, geometry.outputs, geometry.filters)
    let left = planar(row: spectrumStride(channels: outputs), imaginary: outputs)
    let result = planar(row: spectrumStride(channels: inputs), imaginary: inputs)
    if geometry.isDepthwise {
      ck_planar_scale(
        samples, outputs, left, dz, planar(row: outputs, imaginary: filters, conjugate: true), lw, result, dx)
      return
    }
    for part in 0..<2 {
      ck_transpose(geometry.groupInputs, outputs, lw + part * filters, transposed + part * filters)
    }
    let right = planar(row: geometry.groupInputs, imaginary: filters, conjugate: true)
    for group in 0..<geometry.groups {
      ck_planar_product(
        samples, geometry.groupInputs, geometry.groupOutputs, left, dz + group * geometry.groupOutputs, right,
        transposed + group * geometry.groupOutputs * geometry.groupInputs, result,
        dx + group * geometry.groupInputs)
    }
  }

  /// dlw_oi = Σ conj(x_i) dz_o over the batch at one position.
  private func filterGradient(
    _ x: UnsafePointer<Float>, _ dz: UnsafePointer<Float>, _ dlw: UnsafeMutablePointer<Float>
  ) {
    let (inputs, outputs) = (geometry.inputs, geometry.outputs)
    let right = planar(row: spectrumStride(channels: outputs), imaginary: outputs)
    let result = planar(row: outputs, imaginary: geometry.filters)
    if geometry.isDepthwise {
      let left = planar(row: spectrumStride(channels: inputs), imaginary: inputs, conjugate: true)
      ck_planar_correlate(samples, outputs, left, x, right, dz, result, dlw)
      return
    }
    let left = planar(
      row: 1, column: spectrumStride(channels: inputs), imaginary: inputs, conjugate: true)
    for group in 0..<geometry.groups {
      ck_planar_product(
        geometry.groupInputs, geometry.groupOutputs, samples, left, x + group * geometry.groupInputs, right,
        dz + group * geometry.groupOutputs, result, dlw + group * geometry.groupOutputs)
    }
  }

  // MARK: - The adjoint

  /// Adds the gradients of the field, the filters and, if K's input is kept, the twiddles to those of `XDInputs`.
  ///
  /// What is kept is used up: gradients take its place.
  func addAdjoint(
    _ gradient: Tensor<Float>, u: Tensor<Float>, spectrum: consuming Tensor<Float>,
    mixed: consuming Tensor<Float>?, to inputs: Tape.InputGradients
  ) {
    let (ofInput, axes) = (inputs.isNeeded(0), geometry.grid.count)
    var spectrum = spectrum
    let (points, outputPoints) = (geometry.grid.elementCount, geometry.outputGrid.elementCount)
    var given: Tensor<Float>
    let ofTwiddles: Bool
    switch consume mixed {
    case .some(let kept): (given, ofTwiddles) = (kept, true)
    case .none: (given, ofTwiddles) = (Tensor(shape: spectrumShape(channels: geometry.outputs)), false)
    }
    let ofK = given.withUnsafeMutableBuffer { given in
      gradient.start { gradient in
        adjoint(
          of: k, synthesis, channels: geometry.outputs,
          source: (UnsafePointer(given.baseAddress!), spectrumStride(channels: geometry.outputs), 1),
          gradient: (gradient, geometry.outputs * outputPoints, outputPoints), to: given.baseAddress!,
          ofTwiddles: ofTwiddles)
      }
    }
    if ofTwiddles { k.addTwiddleGradients(ofK, to: inputs, from: 3) }
    addFilterAdjoint(&spectrum, given, to: inputs, ofTwiddles: ofTwiddles)
    guard ofInput || ofTwiddles else { return }
    var ofM = Tensor<Float>.empty
    let ofU = Tensor<Float>.filled(wanted: ofInput ? u.shape : nil) { target in
      ofM = withPointers(u, spectrum) { u, spectrum in
        adjoint(
          of: m, analysis, channels: geometry.inputs,
          source: (u, geometry.inputs * points, points),
          gradient: (spectrum, spectrumStride(channels: geometry.inputs), 1), to: target,
          ofTwiddles: ofTwiddles)
      }
    }
    inputs.add(ofU, to: 0)
    if ofTwiddles { m.addTwiddleGradients(ofM, to: inputs, from: 3 + 2 * axes) }
  }

  /// Adds the gradients of the filters and of the twiddles of L, from that of K's input; that of M x takes its place.
  private func addFilterAdjoint(
    _ spectrum: inout Tensor<Float>, _ gradient: Tensor<Float>, to inputs: Tape.InputGradients,
    ofTwiddles: Bool
  ) {
    let filter = FilterSpectrum(geometry, weight: weight, l: l)
    let (matrixShape, arrayShape) = (filter.matrixShape, filter.arrayShape)
    // Chunks are runs of whole slabs, whose gradients nobody else adds to, or else of the tiles of the only one.
    let chunks = min(slabs == 1 ? filter.tiles : slabs, Self.chunkCount)
    let tilesPerUnit = slabs == 1 ? 1 : filter.tilesPerSlab
    let units = filter.tiles / tilesPerUnit
    var matrixTerms = Tensor<Float>(shape: Shape(chunks) + matrixShape)
    var arrayTerms = Tensor<Float>(shape: Shape(slabs == 1 ? chunks : 1) + arrayShape)
    let (matrixCount, arrayCount) = (
      matrixShape.reduce(1, *), slabs == 1 ? arrayShape.reduce(1, *) : 0
    )
    spectrum.withUnsafeMutableBuffer { x in
      let x = x.baseAddress!
      gradient.start { dz in
        matrixTerms.withUnsafeMutableBuffer { matrixTerms in
          arrayTerms.withUnsafeMutableBuffer { arrayTerms in
            let (matrixTerms, arrayTerms) = (matrixTerms.baseAddress!, arrayTerms.baseAddress!)
            parallelFor(chunks) { range in
              withScratch(2 * filter.tileCount + 2 * geometry.filters) { lw in
                let (dlw, transposed) = (lw + filter.tileCount, lw + 2 * filter.tileCount)
                for chunk in range {
                  let work = units * chunk / chunks..<units * (chunk + 1) / chunks
                  for index in work.lowerBound * tilesPerUnit..<work.upperBound * tilesPerUnit {
                    let (slab, positions) = filter.place(ofTile: index)
                    filter.tile(slab: slab, positions: positions, into: lw)
                    for position in positions {
                      let offset = (position - positions.lowerBound) * 2 * geometry.filters
                      let given = start(dz, slab, position, geometry.outputs)
                      fetch(dz, slab, position + 1, geometry.outputs)
                      fetch(x, slab, position + 1, geometry.inputs)
                      let place = start(x, slab, position, geometry.inputs)
                      filterGradient(place, given, dlw + offset)
                      multiplyAdjoint(lw + offset, given, place, transposed: transposed)
                    }
                    filter.adjointTile(
                      slab: slab, positions: positions, gradient: dlw,
                      matrixGradient: matrixTerms + chunk * matrixCount,
                      arrayGradient: arrayTerms + chunk * arrayCount)
                  }
                }
              }
            }
          }
        }
      }
    }
    let gradients = filter.gradients(
      matrix: sumOverFirstAxis(matrixTerms, shape: matrixShape),
      array: sumOverFirstAxis(arrayTerms, shape: arrayShape))
    inputs.add(gradients.weight, to: 1)
    guard ofTwiddles, let columns = gradients.columns else { return }
    for axis in 0..<l.count {
      inputs.add(
        FilterSpectrum.twiddleGradient(geometry, axis, columns[axis], l[axis]), to: 3 + l.count + axis)
    }
  }
}
