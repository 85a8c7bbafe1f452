import Autodiff
import Tensors

/// How convolutions become XD-operations.
public struct XDConfiguration: Codable, Sendable, Equatable {
  /// The numbers of blocks of the K-matrices, along every axis.
  public struct Depth: Codable, Sendable, Equatable {
    /// Of K, behind the product.
    public var k: Int
    /// Of L, for the filter; from 3 on the order of the taps is part of it and can be learned.
    public var l: Int
    /// Of M, for the input.
    public var m: Int

    /// The papers' depth for partial differential equations is 1 throughout.
    public init(k: Int = 1, l: Int = 1, m: Int = 1) {
      self.k = k
      self.l = l
      self.m = m
    }
  }

  /// What becomes of a circular padding where the grid is not a power of two; where it is, there is no choice
  /// to make, the operation begins as the circular convolution.
  public enum CircularPadding: String, Codable, Sendable, CaseIterable {
    /// The operation begins as the convolution that pads with zeros: what the paper does.
    case zeros
    /// The field is continued periodically first, so the operation begins as the circular convolution.
    case exact
  }

  /// The numbers of blocks.
  public var depth: Depth
  /// What becomes of circular paddings.
  public var circularPadding: CircularPadding

  /// The paper's choices, unless told otherwise.
  public init(depth: Depth = Depth(), circularPadding: CircularPadding = .zeros) {
    self.depth = depth
    self.circularPadding = circularPadding
  }

  /// Why there are no such operations, or nil if there are.
  public var problem: String? {
    let depths = [("k", depth.k), ("l", depth.l), ("m", depth.m)]
    return depths.first { !(1...32).contains($0.1) }.map {
      "the depth of \($0.0.uppercased()) must be from 1 to 32, not \($0.1)"
    }
  }
}

/// The part of an XD-operation that makes it this operation and not another: K, L and M.
///
/// One K-matrix per axis for each. For one grid only, since their sizes depend on it.
public struct XDArchitecture {
  /// K, behind the product with the filter.
  public let k: [KMatrix]
  /// L, for the filter.
  public let l: [KMatrix]
  /// M, for the input.
  public let m: [KMatrix]
  /// All shapes; the grid is that with `margins`.
  public let geometry: XDGeometry
  /// How far the field is continued periodically before anything else.
  public let margins: [Int]

  /// K, L and M per axis for filters whose taps are at given positions.
  init(
    k: [KMatrix], l: [KMatrix], m: [KMatrix], inputs: Int, outputs: Int, groups: Int, grid: Shape,
    margins: [Int]? = nil, taps: [[Int]], hasComplexFilter: Bool = false, outputGrid: Shape,
    outputSteps: [Int]? = nil
  ) {
    (self.k, self.l, self.m) = (k, l, m)
    let margins = margins ?? grid.map { _ in 0 }
    self.margins = margins
    geometry = XDGeometry(
      inputs: inputs, outputs: outputs, groups: groups,
      grid: Shape(count: grid.count) { grid[$0] + 2 * margins[$0] },
      taps: taps, hasComplexFilter: hasComplexFilter, outputGrid: outputGrid,
      outputSteps: outputSteps ?? grid.map { _ in 1 }, k: k.map(\.product), l: l.map(\.product),
      m: m.map(\.product))
  }

  /// The points of the field that it is for.
  public var grid: Shape { Shape(count: margins.count) { geometry.grid[$0] - 2 * margins[$0] } }

  /// Re K diag(L w) M u + b, for filters w `[outputs, inputs/groups, ...taps]`.
  public func callAsFunction(
    _ u: Variable, filters: Variable, bias: Parameter?, on tape: Tape
  ) -> Variable {
    idleVariables.withArray { ofK in
      idleVariables.withArray { ofL in
        idleVariables.withArray { ofM in
          for axis in k.indices {
            ofK.append(tape(k[axis].twiddle))
            ofL.append(tape(l[axis].twiddle))
            ofM.append(tape(m[axis].twiddle))
          }
          return xdOperation(
            padCircularly(u, by: margins), weight: filters, k: ofK, l: ofL, m: ofM,
            bias: bias.map { tape($0) }, geometry)
        }
      }
    }
  }

  // MARK: - Warm starts

  /// The architecture that with a convolution's weights is that convolution.
  ///
  /// K and M are unitary Fourier transforms, L a plain one. Their size is along every axis the smallest power
  /// of two that holds the grid and, if the padding is with zeros, enough of them that nothing wraps around.
  /// - Throws: `XDError` if the convolution does not fit the grid.
  init(
    convolution: ConvolutionGeometry, weightShape: Shape, grid: Shape, _ configuration: XDConfiguration
  ) throws {
    if let problem = configuration.problem ?? convolution.problem(grid: grid) { throw XDError(problem) }
    let depth = configuration.depth
    let outputGrid = convolution.outputGrid(grid)
    var (k, l, m) = ([KMatrix](), [KMatrix](), [KMatrix]())
    var (margins, taps) = ([Int](), [[Int]]())
    for axis in grid.indices {
      let (points, padding, span) = (grid[axis], convolution.padding[axis], convolution.span[axis])
      let isCircular = convolution.paddingMode == .circular && padding > 0
      let isPowerOfTwo = points > 1 && points & (points - 1) == 0
      // Wraps around by itself; is continued periodically first; or has zeros beyond its ends.
      let wraps = isCircular && isPowerOfTwo && 2 * padding < span
      let continues =
        isCircular && !wraps && (isPowerOfTwo || configuration.circularPadding == .exact)
      let margin = continues ? padding : 0
      let shift = padding - margin
      let needed = wraps ? points : max(points + 2 * margin + shift, points + 2 * padding - span + 1)
      // A permutation moves every tap to a place of its own.
      let size = ButterflyProduct.size(holding: depth.l >= 3 ? max(needed, span) : needed)
      let positions = (0..<convolution.kernel[axis]).map {
        ((shift - $0 * convolution.dilation[axis]) % size + size) % size
      }
      margins.append(margin)
      k.append(.inverseFourier(size: size, scale: .unitary, depth: depth.k))
      m.append(.fourier(size: size, scale: .unitary, depth: depth.m))
      if depth.l >= 3 {
        taps.append(Array(0..<positions.count))
        l.append(.fourier(moving: positions, size: size, scale: .plain, depth: depth.l))
      } else {
        taps.append(positions)
        l.append(.fourier(size: size, scale: .plain, depth: depth.l))
      }
    }
    self.init(
      k: k, l: l, m: m, inputs: weightShape[1] * convolution.groups, outputs: weightShape[0],
      groups: convolution.groups, grid: grid, margins: margins, taps: taps, outputGrid: outputGrid,
      outputSteps: convolution.stride)
  }

  /// The architecture that with the weights of a transposed convolution, inputs and outputs swapped, is that operation.
  ///
  /// M spreads the input by a permutation before it transforms it, and so has three blocks at least.
  /// - Throws: `XDError` if there is none.
  init(
    transposedConvolution geometry: ConvolutionGeometry, weightShape: Shape, outputPadding: [Int]? = nil,
    grid: Shape,
    _ configuration: XDConfiguration
  ) throws {
    if let problem = configuration.problem ?? geometry.problem { throw XDError(problem) }
    guard geometry.paddingMode == .zeros else { throw XDError("transposed convolutions pad with zeros") }
    let (depth, axes) = (configuration.depth, grid.indices)
    guard grid.count == geometry.kernel.count, weightShape.count == grid.count + 2 else {
      throw XDError("a kernel \(weightShape) on a grid \(grid)")
    }
    let extra = outputPadding ?? grid.map { _ in 0 }
    let outputGrid = geometry.transposedGrid(grid, outputPadding: extra)
    guard outputGrid.allSatisfy({ $0 > 0 }) else {
      throw XDError("the padding \(geometry.padding) leaves nothing of a grid \(grid)")
    }
    let sizes = axes.map { axis in
      let (last, span) = (geometry.stride[axis] * (grid[axis] - 1), geometry.span[axis])
      let padding = geometry.padding[axis]
      return ButterflyProduct.size(
        holding: max(last + 1, last + span - padding + extra[axis], outputGrid[axis]))
    }
    let taps = axes.map { axis in
      (0..<geometry.kernel[axis]).map {
        ($0 * geometry.dilation[axis] - geometry.padding[axis] + sizes[axis]) % sizes[axis]
      }
    }
    self.init(
      k: sizes.map { .inverseFourier(size: $0, scale: .unitary, depth: depth.k) },
      l: sizes.map { .fourier(size: $0, scale: .plain, depth: depth.l) },
      m: axes.map { axis in
        .fourier(
          moving: (0..<grid[axis]).map { $0 * geometry.stride[axis] }, size: sizes[axis],
          scale: .unitary, depth: depth.m)
      }, inputs: weightShape[0], outputs: weightShape[1] * geometry.groups, groups: geometry.groups,
      grid: grid,
      taps: taps, outputGrid: outputGrid)
  }
}

extension KMatrix {
  /// The Fourier transform of a vector whose first entries have been moved to other positions; the depth is
  /// at least 3, since a permutation takes two blocks.
  static func fourier(moving positions: [Int], size: Int, scale: FourierScale, depth: Int) -> KMatrix {
    var sources = [Int?](repeating: nil, count: size)
    for (source, position) in positions.enumerated() { sources[position] = source }
    var rest = (positions.count..<size).makeIterator()
    let permutation = KMatrix.permutation(sources.map { $0 ?? rest.next() ?? 0 })
    let transform = KMatrix.product([permutation, .fourier(size: size, scale: scale)])
    let extra = max(3, depth) - 3
    // The last of the identities must have increasing strides, like the block before a decreasing one.
    return extra == 0
      ? transform
      : .product([
        .identity(size: size, depth: extra, beginsIncreasing: !extra.isMultiple(of: 2)), transform,
      ])
  }
}

/// An XD-operation: y = Re K diag(L w) M x + b, a space of operations that holds convolutions, pooling, skips,
/// Fourier neural operators and graph convolutions, and moves between them by gradient descent.
///
/// Input `[sample, inputs, ...grid]` on one grid, output `[sample, outputs, ...]`; `weight` holds the filters,
/// `[outputs, inputs/groups, ...taps]`. K, L and M are shared by all channels. Every warm start below
/// begins as the operation that it is named after. Roberts et al., "Rethinking neural operations for diverse
/// tasks", NeurIPS 2021.
public struct XDOperation: Module {
  /// The filters w.
  public let weight: Parameter
  /// b, if there is one.
  public let bias: Parameter?
  /// K, L and M.
  public let architecture: XDArchitecture

  init(
    weight: Tensor<Float>, bias: Tensor<Float>? = nil, isTrainable: Bool = true,
    _ architecture: XDArchitecture
  ) {
    precondition(
      weight.shape == architecture.geometry.weightShape,
      "filters \(weight.shape) instead of \(architecture.geometry.weightShape)")
    self.weight = Parameter(weight, isTrainable: isTrainable)
    self.bias = bias.map { Parameter($0) }
    self.architecture = architecture
  }

  /// The operation at `u`.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    architecture(u, filters: tape(weight), bias: bias, on: tape)
  }

  // MARK: - Warm starts

  /// A convolution; for circular padding see `XDConfiguration.circularPadding`.
  ///
  /// - Throws: `XDError` if the convolution does not fit the grid.
  public static func convolution(
    weight: Tensor<Float>, bias: Tensor<Float>? = nil, _ geometry: ConvolutionGeometry, grid: Shape,
    _ configuration: XDConfiguration = XDConfiguration()
  ) throws -> XDOperation {
    XDOperation(
      weight: weight, bias: bias,
      try XDArchitecture(
        convolution: geometry, weightShape: weight.shape, grid: grid, configuration))
  }

  /// A transposed convolution: the adjoint of the convolution of the same geometry, whose weight it takes.
  ///
  /// The weight is `[inputs, outputs/groups, ...kernel]`, the output has `stride·(points − 1) + span − 2·padding
  /// + outputPadding` points. M spreads the input by a permutation before it transforms it, and so has three
  /// blocks at least. Padding must be with zeros.
  /// - Throws: `XDError` if there is no such operation.
  public static func transposedConvolution(
    weight: Tensor<Float>, bias: Tensor<Float>? = nil, _ geometry: ConvolutionGeometry,
    outputPadding: [Int]? = nil, grid: Shape, _ configuration: XDConfiguration = XDConfiguration()
  ) throws -> XDOperation {
    XDOperation(
      weight: swapChannels(Variable(weight), groups: geometry.groups).value, bias: bias,
      try XDArchitecture(
        transposedConvolution: geometry, weightShape: weight.shape, outputPadding: outputPadding, grid: grid,
        configuration))
  }

  /// The mean over a window, channel by channel; padded zeros count.
  ///
  /// The filters are constant and not trained, as pooling has none; what is learned are K, L and M.
  /// - Throws: `XDError` if the window does not fit the grid.
  public static func averagePooling(
    channels: Int, kernel: [Int], stride: [Int]? = nil, padding: [Int]? = nil, grid: Shape,
    _ configuration: XDConfiguration = XDConfiguration()
  ) throws -> XDOperation {
    let geometry = ConvolutionGeometry(
      kernel: kernel, stride: stride ?? kernel, padding: padding, groups: channels)
    let mean = Tensor<Float>(
      shape: [channels, 1] + kernel, repeating: 1 / Float(kernel.reduce(1, *)))
    return XDOperation(
      weight: mean, isTrainable: false,
      try XDArchitecture(convolution: geometry, weightShape: mean.shape, grid: grid, configuration))
  }

  /// The identity, a skip connection: a convolution of one tap with weight 1 in every channel.
  ///
  /// - Throws: `XDError` for a configuration that does not exist.
  public static func identity(
    channels: Int, grid: Shape, _ configuration: XDConfiguration = XDConfiguration()
  ) throws -> XDOperation {
    try convolution(
      weight: Tensor(shape: [channels, 1] + grid.map { _ in 1 }, repeating: 1),
      ConvolutionGeometry(kernel: grid.map { _ in 1 }, groups: channels), grid: grid, configuration)
  }

  /// The operation whose result is 0: a convolution of one tap with weight 0.
  ///
  /// - Throws: `XDError` for a configuration that does not exist.
  public static func zero(
    inputs: Int, outputs: Int, grid: Shape, _ configuration: XDConfiguration = XDConfiguration()
  ) throws -> XDOperation {
    try convolution(
      weight: Tensor(shape: [outputs, inputs] + grid.map { _ in 1 }),
      ConvolutionGeometry(kernel: grid.map { _ in 1 }), grid: grid, configuration)
  }

  /// The spectral convolution of a Fourier neural operator: L is the identity, and the filters are complex
  /// and act on the kept frequencies.
  ///
  /// - Throws: `XDError` if the grid is not of powers of two, for the Fourier transform of which there is a
  ///   K-matrix, or does not hold the modes.
  public static func fourier(
    _ spectral: SpectralConvolution, grid: Shape, _ configuration: XDConfiguration = XDConfiguration()
  ) throws -> XDOperation {
    let shape = spectral.weight.value.shape
    let axes = shape.count - 3
    guard grid.count == axes else { throw XDError("an FNO layer of \(axes) axes on a grid \(grid)") }
    guard grid.allSatisfy({ $0 > 1 && $0 & ($0 - 1) == 0 }) else {
      throw XDError("an FNO layer is an XD-operation on grids of powers of two, not on \(grid)")
    }
    let kept = shape.prefix(axes)
    let modes = Shape(count: axes) { $0 == axes - 1 ? kept[$0] : kept[$0] / 2 }
    if let problem = configuration.problem ?? TruncatedFourierTransform.problem(grid: grid, modes: modes) {
      throw XDError(problem)
    }
    let (inputs, outputs) = (shape[axes + 1], shape[axes + 2])
    let (filters, last, points) = (inputs * outputs, kept[axes - 1], grid[axes - 1])
    let values = spectral.weight.value.scalars
    var weight = Tensor<Float>(shape: [outputs, inputs] + kept + [2])
    weight.withUnsafeMutableBuffer { weight in
      for index in weight.indices {
        let (part, mode) = (index % 2, index / 2 % kept.reduce(1, *))
        let (o, i) = (index / (2 * kept.reduce(1, *))).quotientAndRemainder(dividingBy: inputs)
        // A real field has every frequency of the last axis but two in two copies, of which FNOs keep one.
        let frequency = mode % last
        let copies: Float = frequency == 0 || 2 * frequency == points ? 1 : 2
        weight[index] = copies * values[(mode * 2 + part) * filters + i * outputs + o]
      }
    }
    let taps = kept.enumerated().map { axis, count in
      (0..<count).map { row in
        let frequency = axis == axes - 1 || row < count / 2 ? row : grid[axis] - count + row
        return KMatrix.bitReversed(frequency, count: grid[axis].trailingZeroBitCount)
      }
    }
    let depth = configuration.depth
    return XDOperation(
      weight: weight,
      XDArchitecture(
        k: grid.map { .inverseFourier(size: $0, scale: .unitary, depth: depth.k) },
        l: grid.map { .identity(size: $0, depth: depth.l) },
        m: grid.map { .fourier(size: $0, scale: .unitary, depth: depth.m) }, inputs: inputs,
        outputs: outputs, groups: 1, grid: grid, taps: taps, hasComplexFilter: true, outputGrid: grid))
  }

  /// A graph convolution with a fixed adjacency Â: y = Σ_i w_oi Â x_i, for fields on the nodes of a graph.
  ///
  /// K is the identity, M is Â, and L w for a filter of one tap is w everywhere. The depth of M is twice the
  /// largest number of entries of a row or column of Â.
  /// - Parameter weight: `[outputs, inputs]`.
  public static func graphConvolution(
    adjacency: [[Double]], weight: Tensor<Float>, depth: XDConfiguration.Depth = XDConfiguration.Depth()
  ) -> XDOperation {
    let m = KMatrix.matrix(adjacency)
    let (size, nodes) = (m.product.size, adjacency.count)
    return XDOperation(
      weight: weight.reshaped(to: weight.shape + [1]),
      XDArchitecture(
        k: [.identity(size: size, depth: depth.k)],
        l: [.fourier(size: size, scale: .plain, depth: depth.l)], m: [m], inputs: weight.shape[1],
        outputs: weight.shape[0], groups: 1, grid: [nodes], taps: [[0]], outputGrid: [nodes]))
  }
}

/// The memory of the lists that computations hand to XD-operations.
private let idleVariables = IdleObjects<[Variable]>()
