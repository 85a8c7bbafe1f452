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
    geometry, input: FieldShape(u.shape), weight: weight.value, k: k.map(\.value), l: l.map(\.value),
    m: m.map(\.value))
  let inputs = [u, weight] + k + l + m + (bias.map { [$0] } ?? [])
  let spectrum = kernel.analyse(u.value)
  let product = kernel.mix(spectrum)
  let value = kernel.synthesise(product, bias: bias?.value)
  let axes = geometry.grid.count
  let twiddlesNeedGradients = (k + l + m).contains(where: \.needsGradient)
  // K needs its input again.
  let (keptSpectrum, keptProduct) = (HandOver(spectrum), twiddlesNeedGradients ? HandOver(product) : nil)
  let hasBias = bias != nil
  return Variable(value, from: inputs) { [u = u.value, needsInput = u.needsGradient] gradient in
    let gradients = kernel.adjoint(
      gradient, u: u, spectrum: keptSpectrum, mixed: keptProduct, ofInput: needsInput)
    let twiddles = gradients.twiddles ?? Array(repeating: nil, count: 3 * axes)
    return [gradients.u, gradients.weight] + twiddles
      + (hasBias ? [channelSums(gradient, FieldShape(gradient.shape))] : [])
  }
}

/// A tensor product of K-matrices, one per axis of the grid.
private struct KMatrices {
  let products: [ButterflyProduct]
  let twiddles: [Tensor<Float>]
  /// The axes in the order in which their matrices act.
  let order: [Int]
  /// The matrices of the passes of all axes, in that order.
  let matrices: Tensor<Float>

  init(_ products: [ButterflyProduct], _ twiddles: [Tensor<Float>], order: [Int]) {
    precondition(twiddles.map(\.shape) == products.map(\.twiddleShape), "the twiddles have other shapes")
    self.products = products
    self.twiddles = twiddles
    self.order = order
    matrices = .filled([products.reduce(0) { $0 + $1.twiddleCount }]) { matrices in
      var place = matrices
      for axis in order {
        twiddles[axis].start { ck_butterfly_merge(products[axis].kernel, $0, place) }
        place += products[axis].twiddleCount
      }
    }
  }

  /// The gradients of the twiddles in the order of the axes, from terms of that of the matrices.
  func twiddleGradients(_ terms: Tensor<Float>) -> [Tensor<Float>] {
    products.indices.map { axis in
      let before = order.prefix { $0 != axis }.reduce(0) { $0 + products[$1].twiddleCount }
      let ofMatrices = sumOverFirstAxis(terms, shape: products[axis].twiddleShape, from: before)
      return products[axis].twiddleGradient(matrices: ofMatrices, twiddles[axis])
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
  let l: [Tensor<Float>]
  let m: KMatrices
  let samples: Int

  /// The most partial sums of a gradient; fixed, so that the sums do not depend on the number of threads.
  private static let chunkCount = 16

  // Stored, because the loops over positions ask for them.
  private let size: Shape
  /// The positions of a spectrum, and of all axes but the first.
  private let positions: Int
  private let slabs: Int

  init(
    _ geometry: XDGeometry, input: FieldShape, weight: Tensor<Float>, k: [Tensor<Float>],
    l: [Tensor<Float>], m: [Tensor<Float>]
  ) {
    precondition(
      input.channels == geometry.inputs && input.grid == geometry.grid,
      "an XD-operation for \(geometry.inputs) channels on \(geometry.grid) got \(input.channels) on \(input.grid)"
    )
    precondition(
      weight.shape == geometry.weightShape,
      "filters \(weight.shape) of an XD-operation with filters \(geometry.weightShape)")
    precondition(l.map(\.shape) == geometry.l.map(\.twiddleShape), "the twiddles have other shapes")
    self.geometry = geometry
    self.weight = weight
    self.k = KMatrices(geometry.k, k, order: Array(geometry.grid.indices))
    self.l = l
    self.m = KMatrices(geometry.m, m, order: geometry.grid.indices.reversed())
    samples = input.samples
    size = geometry.size
    positions = geometry.size.elementCount
    slabs = geometry.filterShape.slabs(behind: 0)
  }

  // MARK: - The K-matrices

  /// The distance of two samples in a spectrum: a little more than a sample, lest all samples fall into the
  /// same sets of the cache.
  private func spectrumStride(channels: Int) -> Int { positions * 2 * channels + 16 }

  private func spectrumShape(channels: Int) -> Shape { [samples, spectrumStride(channels: channels)] }

  private func spectrumLayout(channels: Int) -> FieldLayout {
    let unit = 2 * channels
    return FieldLayout(
      strides: size.indices.map { $0 == 0 ? unit : size[($0 + 1)...].reduce(size[0], *) * unit }, lane: 1,
      imaginary: channels)
  }

  private func blockWidth(channels: Int) -> Int {
    min(LaneBlock.largest(size: size), LaneBlock(lanes: channels).width)
  }

  /// M, from fields to spectra: the last axis first, while most lines of the others are still zero.
  private var analysis: LinePipeline {
    LinePipeline(
      axes: size.indices.map {
        (geometry.m[$0], LinePositions(count: geometry.grid[$0]), LinePositions(count: size[$0]))
      },
      order: m.order, width: blockWidth(channels: geometry.inputs),
      source: FieldLayout(fieldsOn: geometry.grid), target: spectrumLayout(channels: geometry.inputs))
  }

  /// K, from spectra to fields: the last axis last, when only the lines of the output are left.
  private var synthesis: LinePipeline {
    LinePipeline(
      axes: size.indices.map {
        (
          geometry.k[$0], LinePositions(count: size[$0]),
          LinePositions(count: geometry.outputGrid[$0], step: geometry.outputSteps[$0])
        )
      },
      order: k.order, width: blockWidth(channels: geometry.outputs),
      source: spectrumLayout(channels: geometry.outputs),
      target: FieldLayout(fieldsOn: geometry.outputGrid))
  }

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
    precondition(bias.map { $0.shape == [channels] } ?? true, "a bias for \(channels) channels")
    let zeros = Tensor<Float>(shape: [channels])
    return withPointers(mixed, bias ?? zeros, k.matrices) { mixed, bias, matrices in
      .filled([samples, channels] + geometry.outputGrid) { result in
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

  /// The gradient of K's or M's source from that of its result, where it is wanted, and those of the twiddles in the
  /// order of the axes.
  ///
  /// Arrays are given with the distances of samples and channels; `target` may be the source itself.
  private func adjoint(
    of factors: KMatrices, _ pipeline: LinePipeline, channels: Int,
    source: (start: UnsafePointer<Float>, stride: Int, channel: Int),
    gradient: (start: UnsafePointer<Float>, stride: Int, channel: Int),
    to target: UnsafeMutablePointer<Float>?, ofTwiddles: Bool
  ) -> [Tensor<Float>]? {
    let blocks = samples * ((channels + blockWidth(channels: channels) - 1) / blockWidth(channels: channels))
    let count = factors.matrices.count
    var terms = Tensor<Float>(shape: [ofTwiddles ? min(blocks, Self.chunkCount) : 0, count])
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
    return ofTwiddles ? factors.twiddleGradients(terms) : nil
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

  /// The gradients of the input, the filters and, if K's input is kept, the twiddles of K, L and M in this order.
  ///
  /// What is kept is used up: gradients take its place.
  func adjoint(
    _ gradient: Tensor<Float>, u: Tensor<Float>, spectrum: HandOver<Tensor<Float>>,
    mixed: HandOver<Tensor<Float>>?, ofInput: Bool
  ) -> (u: Tensor<Float>?, weight: Tensor<Float>, twiddles: [Tensor<Float>?]?) {
    var spectrum = spectrum.take()
    let (points, outputPoints) = (geometry.grid.elementCount, geometry.outputGrid.elementCount)
    let ofTwiddles = mixed != nil
    var given = mixed?.take() ?? Tensor(shape: spectrumShape(channels: geometry.outputs))
    let ofK = given.withUnsafeMutableBuffer { given in
      gradient.start { gradient in
        adjoint(
          of: k, synthesis, channels: geometry.outputs,
          source: (UnsafePointer(given.baseAddress!), spectrumStride(channels: geometry.outputs), 1),
          gradient: (gradient, geometry.outputs * outputPoints, outputPoints), to: given.baseAddress!,
          ofTwiddles: ofTwiddles)
      }
    }
    let ofFilter = filterAdjoint(&spectrum, given)
    guard ofInput || ofTwiddles else { return (nil, ofFilter.weight, nil) }
    var ofM: [Tensor<Float>]?
    func run(_ target: UnsafeMutablePointer<Float>?) {
      ofM = withPointers(u, spectrum) { u, spectrum in
        adjoint(
          of: m, analysis, channels: geometry.inputs,
          source: (u, geometry.inputs * points, points),
          gradient: (spectrum, spectrumStride(channels: geometry.inputs), 1), to: target,
          ofTwiddles: ofTwiddles)
      }
    }
    var ofU: Tensor<Float>?
    if ofInput { ofU = .filled(u.shape) { run($0) } } else { run(nil) }
    guard let ofK, let ofM else { return (ofU, ofFilter.weight, nil) }
    return (ofU, ofFilter.weight, ofK + ofFilter.l + ofM)
  }

  /// The gradients of the filters and of the twiddles of L, from that of K's input; that of M x takes its place.
  private func filterAdjoint(
    _ spectrum: inout Tensor<Float>, _ gradient: Tensor<Float>
  ) -> (weight: Tensor<Float>, l: [Tensor<Float>]) {
    let filter = FilterSpectrum(geometry, weight: weight, l: l)
    let (matrixShape, arrayShape) = (filter.matrixShape, filter.arrayShape)
    // Chunks are runs of whole slabs, whose gradients nobody else adds to, or else of the tiles of the only one.
    let chunks = min(slabs == 1 ? filter.tiles : slabs, Self.chunkCount)
    let tilesPerUnit = slabs == 1 ? 1 : filter.tilesPerSlab
    let units = filter.tiles / tilesPerUnit
    var matrixTerms = Tensor<Float>(shape: [chunks] + matrixShape)
    var arrayTerms = Tensor<Float>(shape: [slabs == 1 ? chunks : 1] + arrayShape)
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
      array: sumOverFirstAxis(arrayTerms, shape: arrayShape), geometry, l: l)
    return gradients
  }
}
