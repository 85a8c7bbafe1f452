import CKernels
import Tensors

/// What a convolution is but for its weights, axis by axis of the grid.
public struct ConvolutionGeometry: Codable, Sendable, Equatable {
  /// What lies beyond the grid.
  public enum Padding: String, Codable, Sendable, CaseIterable {
    /// Zeros.
    case zeros
    /// The other end of the grid: the domain is periodic.
    case circular
  }

  /// The number of taps.
  public var kernel: [Int]
  /// The distance of neighbouring outputs.
  public var stride: [Int]
  /// The distance of neighbouring taps.
  public var dilation: [Int]
  /// How many points are added at both ends of the grid.
  public var padding: [Int]
  /// What these points are.
  public var paddingMode: Padding
  /// Into how many groups of channels, that do not see each other, inputs and outputs are divided.
  public var groups: Int

  /// By default stride, dilation and groups are 1, and there is no padding.
  public init(
    kernel: [Int], stride: [Int]? = nil, dilation: [Int]? = nil, padding: [Int]? = nil,
    paddingMode: Padding = .zeros, groups: Int = 1
  ) {
    self.kernel = kernel
    self.stride = stride ?? kernel.map { _ in 1 }
    self.dilation = dilation ?? kernel.map { _ in 1 }
    self.padding = padding ?? kernel.map { _ in 0 }
    self.paddingMode = paddingMode
    self.groups = groups
  }

  /// A convolution whose output has the points of its input: odd kernels, stride 1.
  public static func same(
    kernel: [Int], paddingMode: Padding, dilation: [Int]? = nil, groups: Int = 1
  ) -> ConvolutionGeometry {
    let dilation = dilation ?? kernel.map { _ in 1 }
    return ConvolutionGeometry(
      kernel: kernel, dilation: dilation, padding: zip(kernel, dilation).map { ($0 - 1) * $1 / 2 },
      paddingMode: paddingMode, groups: groups)
  }

  /// The distance of the first and the last tap, plus 1.
  public var span: [Int] { zip(kernel, dilation).map { ($0 - 1) * $1 + 1 } }

  /// The points of the output for those of the input.
  public func outputGrid(_ grid: Shape) -> Shape {
    Shape(count: grid.count) { (grid[$0] + 2 * padding[$0] - span[$0]) / stride[$0] + 1 }
  }

  /// Why there is no such convolution, or nil if there is.
  public var problem: String? {
    guard !kernel.isEmpty, [stride, dilation, padding].allSatisfy({ $0.count == kernel.count }) else {
      return "a kernel \(kernel) with stride \(stride), dilation \(dilation) and padding \(padding)"
    }
    for (name, values, least) in [
      ("kernel", kernel, 1), ("stride", stride, 1), ("dilation", dilation, 1), ("padding", padding, 0),
      ("groups", [groups], 1),
    ] where values.contains(where: { $0 < least }) {
      return "the \(name) must be at least \(least), not \(values)"
    }
    return nil
  }

  /// Why there is no such convolution on a grid, or nil if there is.
  public func problem(grid: Shape) -> String? {
    if let problem { return problem }
    guard grid.count == kernel.count else { return "a kernel \(kernel) on a grid \(grid)" }
    for axis in grid.indices {
      if grid[axis] + 2 * padding[axis] < span[axis] {
        return "a kernel that spans \(span[axis]) points does not fit the \(grid[axis]) points of axis "
          + "\(axis) with a padding of \(padding[axis])"
      }
      if paddingMode == .circular && padding[axis] > grid[axis] {
        return "a circular padding of \(padding[axis]) is more than the \(grid[axis]) points of axis \(axis)"
      }
    }
    return nil
  }
}

/// How a convolution is computed; the results differ by rounding.
public enum ConvolutionMethod: Sendable {
  /// By whichever way is faster, which depends on the shapes only.
  case fastest
  /// By matrix products, one for every tap of the leading axes, after the windows along the last axis have
  /// been copied side by side.
  case direct
  /// By Fourier transforms: for large kernels.
  case fourier
}

/// A convolution of fields: y_o[t] = Σ_i Σ_j w_oi[j] x_i[stride·t + dilation·j − padding] + b_o.
///
/// Shapes: u `[sample, I, ...grid]`, weight `[O, I/groups, ...kernel]`, bias `[O]`, result
/// `[sample, O, ...outputGrid]`: PyTorch's. A correlation, strictly, as everywhere in machine learning.
public func convolution(
  _ u: Variable, weight: Variable, bias: Variable?, _ geometry: ConvolutionGeometry,
  method: ConvolutionMethod = .fastest
) -> Variable {
  let plan = ConvolutionPlan.cached(geometry, input: FieldShape(u.shape), weight: weight.shape)
  let (kernel, fourier) = (plan.kernel, plan.fourier)
  // What stands in for a bias that is missing needs no gradient.
  let inputs = VariableList(u, weight, bias ?? weight.withoutGradient)
  guard method == .fourier || method == .fastest && fourier.isFaster else {
    let value = kernel.forward(u.value, weight.value, bias: bias?.value)
    return Variable(value, from: inputs, saving: (kernel, u.value, weight.value)) { saved, gradient, inputs in
      let ((kernel, u, weight), gradient) = (saved, gradient)
      if inputs.isNeeded(0) { inputs.add(kernel.adjoint(gradient, weight), to: 0) }
      if inputs.isNeeded(1) { inputs.add(kernel.weightGradient(gradient, u), to: 1) }
      if inputs.isNeeded(2) { inputs.add(channelSums(gradient, FieldShape(gradient.shape)), to: 2) }
    }
  }
  let (value, spectrum) = fourier.forward(u.value, weight.value, bias: bias?.value)
  let saved = (fourier: fourier, weight: weight.value, spectrum: spectrum)
  return Variable(value, from: inputs, saving: saved) { saved, gradient, inputs in
    let (fourier, weight, spectrum) = saved
    let gradient = consume gradient
    let gradients = fourier.adjoint(
      gradient, weight, spectrum: consume spectrum, ofInput: inputs.isNeeded(0))
    inputs.add(gradients.u, to: 0)
    inputs.add(gradients.weight, to: 1)
    if inputs.isNeeded(2) { inputs.add(channelSums(gradient, FieldShape(gradient.shape)), to: 2) }
  }
}

/// What convolutions of one geometry and one shape have in common: lists of places and factors, made once.
private struct ConvolutionPlan: Sendable {
  let kernel: ConvolutionKernel
  let fourier: FourierConvolution
  private let weight: Shape

  private init(_ geometry: ConvolutionGeometry, input: FieldShape, weight: Shape) {
    kernel = ConvolutionKernel(geometry, input: input, weight: weight)
    fourier = FourierConvolution(geometry, input: input, outputs: kernel.outputs)
    self.weight = weight
  }

  /// The plan from the cache, or a new one.
  static func cached(
    _ geometry: ConvolutionGeometry, input: FieldShape, weight: Shape
  ) -> ConvolutionPlan {
    cache.plan {
      $0.kernel.input == input && $0.weight == weight && $0.kernel.geometry == geometry
    } orMake: {
      ConvolutionPlan(geometry, input: input, weight: weight)
    }
  }

  private static let cache = PlanCache<ConvolutionPlan>()
}

/// The sums over samples and points, sample by sample in order.
func channelSums(_ field: Tensor<Float>, _ shape: FieldShape) -> Tensor<Float> {
  let terms = field.start { field in
    Tensor<Float>.filled([shape.samples, shape.channels]) { terms in
      parallelFor(shape.samples * shape.channels, grain: 16) { range in
        for plane in range { terms[plane] = Float(ck_sum_f32(shape.points, field + plane * shape.points)) }
      }
    }
  }
  return sumOverFirstAxis(terms, shape: [shape.channels])
}

/// Both directions of a convolution by matrix products, for one batch.
struct ConvolutionKernel: Sendable {
  let geometry: ConvolutionGeometry
  let input: FieldShape
  let outputs: Int
  let outputGrid: Shape
  let margins: Margins
  /// All products, tap by tap.
  private var runs: [Run]

  private var axes: Int { geometry.kernel.count }
  private var lastKernel: Int { geometry.kernel[axes - 1] }
  private var groupInputs: Int { input.channels / geometry.groups }
  private var groupOutputs: Int { outputs / geometry.groups }
  /// The length of the sums of one matrix product.
  private var inner: Int { groupInputs * lastKernel }
  /// The rows of the padded grid: the product of its leading axes.
  private var rows: Int { margins.outer.dropLast().elementCount }
  private var columns: Int { outputGrid[axes - 1] }
  private var outputPoints: Int { outputGrid.elementCount }
  private var leadingTaps: Int { geometry.kernel.dropLast().reduce(1, *) }
  private var weightShape: Shape { Shape(outputs, groupInputs) + geometry.kernel }

  init(_ geometry: ConvolutionGeometry, input: FieldShape, weight: Shape) {
    if let problem = geometry.problem(grid: input.grid) { preconditionFailure(problem) }
    precondition(
      weight.count == input.grid.count + 2 && weight.dropFirst(2).elementsEqual(geometry.kernel)
        && weight[1] * geometry.groups == input.channels && weight[0] % geometry.groups == 0,
      "a kernel \(weight) in \(geometry.groups) groups does not fit \(input.channels) channels")
    self.geometry = geometry
    self.input = input
    outputs = weight[0]
    outputGrid = geometry.outputGrid(input.grid)
    margins = Margins(grid: input.grid, padding: geometry.padding, mode: geometry.paddingMode)
    runs = []
    runs = makeRuns()
  }

  /// One matrix product: a tap of the leading axes with a run of outputs that lie next to each other.
  private struct Run: Sendable {
    let tap: Int
    /// The first row of windows, and the first output.
    let row: Int
    let output: Int
    /// The number of outputs.
    let count: Int
  }

  private func makeRuns() -> [Run] {
    guard axes > 1 else { return [Run(tap: 0, row: 0, output: 0, count: columns)] }
    let (lead, padded) = (axes - 1, margins.outer)
    // With stride 1 the outputs along the innermost leading axis are one run, otherwise every row is.
    let isRun = geometry.stride[lead - 1] == 1
    let looped = isRun ? Array(outputGrid[..<(lead - 1)]) : Array(outputGrid[..<lead])
    return (0..<leadingTaps).flatMap { tap in
      let taps = indices(tap, in: Array(geometry.kernel[..<lead]))
      return (0..<looped.reduce(1, *)).map { item in
        let outer = indices(item, in: looped) + (isRun ? [0] : [])
        var (row, output) = (0, 0)
        for axis in 0..<lead {
          row =
            row * padded[axis] + outer[axis] * geometry.stride[axis] + taps[axis] * geometry.dilation[axis]
          output = output * outputGrid[axis] + outer[axis]
        }
        return Run(
          tap: tap, row: row, output: output * columns,
          count: columns * (isRun ? outputGrid[lead - 1] : 1))
      }
    }
  }

  private func indices(_ index: Int, in shape: [Int]) -> [Int] {
    var (rest, result) = (index, [Int]())
    for length in shape.reversed() {
      result.append(rest % length)
      rest /= length
    }
    return result.reversed()
  }

  /// `[group, leading tap, O/groups, I/groups, last tap]`: contiguous factors for the products.
  private func packed(_ weight: Tensor<Float>) -> Tensor<Float> {
    weight.start { from in
      .filled([weight.count]) { to in
        forEachTap { to[$1] = from[$0] }
      }
    }
  }

  private func unpacked(_ packed: Tensor<Float>) -> Tensor<Float> {
    packed.start { from in
      .filled(weightShape) { to in
        forEachTap { to[$0] = from[$1] }
      }
    }
  }

  /// The positions of every number of the weight as it is given and as it is packed.
  private func forEachTap(_ body: (_ weight: Int, _ packed: Int) -> Void) {
    for output in 0..<outputs {
      let (group, row) = output.quotientAndRemainder(dividingBy: groupOutputs)
      for i in 0..<groupInputs {
        for tap in 0..<leadingTaps {
          for last in 0..<lastKernel {
            body(
              ((output * groupInputs + i) * leadingTaps + tap) * lastKernel + last,
              (((group * leadingTaps + tap) * groupOutputs + row) * groupInputs + i) * lastKernel + last)
          }
        }
      }
    }
  }

  /// The floats of the windows of one group, `[I/groups, last tap, row, column]`.
  private var windowCount: Int { inner * rows * columns }
  private var scratchCount: Int { windowCount + margins.count }

  /// The windows along the last axis of one group of channels.
  private func copyWindows(
    _ u: UnsafePointer<Float>, to windows: UnsafeMutablePointer<Float>, padded: UnsafeMutablePointer<Float>
  ) {
    let (length, step) = (margins.outer[axes - 1], geometry.stride[axes - 1])
    for channel in 0..<groupInputs {
      margins.add(u + channel * input.points, to: padded)
      for tap in 0..<lastKernel {
        let target = windows + (channel * lastKernel + tap) * rows * columns
        let source = padded + tap * geometry.dilation[axes - 1]
        for row in 0..<rows {
          if step == 1 {
            (target + row * columns).update(from: source + row * length, count: columns)
          } else {
            for column in 0..<columns {
              target[row * columns + column] = source[row * length + column * step]
            }
          }
        }
      }
    }
  }

  /// The adjoint of `copyWindows`.
  private func addWindows(
    _ windows: UnsafePointer<Float>, to u: UnsafeMutablePointer<Float>, padded: UnsafeMutablePointer<Float>
  ) {
    let (length, step) = (margins.outer[axes - 1], geometry.stride[axes - 1])
    for channel in 0..<groupInputs {
      padded.update(repeating: 0, count: margins.count)
      for tap in 0..<lastKernel {
        let source = windows + (channel * lastKernel + tap) * rows * columns
        let target = padded + tap * geometry.dilation[axes - 1]
        for row in 0..<rows {
          if step == 1 {
            Float.axpy(columns, 1, source + row * columns, target + row * length)
          } else {
            for column in 0..<columns {
              target[row * length + column * step] += source[row * columns + column]
            }
          }
        }
      }
      margins.collect(padded, into: u + channel * input.points)
    }
  }

  func forward(_ u: Tensor<Float>, _ weight: Tensor<Float>, bias: Tensor<Float>?) -> Tensor<Float> {
    precondition(bias.map { $0.shape.matches([outputs]) } ?? true, "a bias for \(outputs) channels")
    let (packed, zeros) = (packed(weight), Tensor<Float>(shape: Shape(outputs)))
    let shape = Shape(input.samples, outputs) + outputGrid
    return withPointers(u, packed, bias ?? zeros) { u, weight, bias in
      .filled(shape) { result in
        forEachGroup { _, group, input, output, windows in
          copyWindows(u + input, to: windows, padded: windows + windowCount)
          for channel in 0..<groupOutputs {
            (result + output + channel * outputPoints).update(
              repeating: bias[group * groupOutputs + channel], count: outputPoints)
          }
          for run in runs {
            Float.gemm(
              MatrixProduct(
                rows: groupOutputs, columns: run.count, inner: inner, rightStride: rows * columns,
                resultStride: outputPoints), 1,
              weight + (group * leadingTaps + run.tap) * groupOutputs * inner, windows + run.row * columns, 1,
              result + output + run.output)
          }
        }
      }
    }
  }

  /// Calls `body` for every sample and group, in parallel over the samples, with the places of its channels in the
  /// input and in the output, and room for its windows and a field with margins.
  private func forEachGroup(
    _ body: (
      _ sample: Int, _ group: Int, _ input: Int, _ output: Int, _ windows: UnsafeMutablePointer<Float>
    ) -> Void
  ) {
    parallelFor(input.samples) { range in
      withScratch(scratchCount) { windows in
        for sample in range {
          for group in 0..<geometry.groups {
            body(
              sample, group, (sample * input.channels + group * groupInputs) * input.points,
              (sample * outputs + group * groupOutputs) * outputPoints, windows)
          }
        }
      }
    }
  }

  /// The gradient with respect to the input: the adjoint operator at `gradient`.
  func adjoint(_ gradient: Tensor<Float>, _ weight: Tensor<Float>) -> Tensor<Float> {
    let packed = packed(weight)
    return withPointers(gradient, packed) { gradient, weight in
      .filled(input.shape(channels: input.channels)) { result in
        forEachGroup { _, group, input, output, windows in
          windows.update(repeating: 0, count: windowCount)
          for run in runs {
            Float.gemm(
              MatrixProduct(
                rows: inner, columns: run.count, inner: groupOutputs, left: .transpose,
                rightStride: outputPoints, resultStride: rows * columns), 1,
              weight + (group * leadingTaps + run.tap) * groupOutputs * inner, gradient + output + run.output,
              1, windows + run.row * columns)
          }
          addWindows(windows, to: result + input, padded: windows + windowCount)
        }
      }
    }
  }

  /// The gradient with respect to the weight.
  func weightGradient(_ gradient: Tensor<Float>, _ u: Tensor<Float>) -> Tensor<Float> {
    let count = weightShape.elementCount
    var terms = Tensor<Float>(shape: Shape(input.samples, count))
    withPointers(gradient, u) { gradient, u in
      terms.withUnsafeMutableBuffer { terms in
        let terms = terms.baseAddress!
        forEachGroup { sample, group, input, output, windows in
          copyWindows(u + input, to: windows, padded: windows + windowCount)
          for run in runs {
            Float.gemm(
              MatrixProduct(
                rows: groupOutputs, columns: inner, inner: run.count, right: .transpose,
                leftStride: outputPoints, rightStride: rows * columns), 1, gradient + output + run.output,
              windows + run.row * columns, 1,
              terms + ((sample * geometry.groups + group) * leadingTaps + run.tap) * groupOutputs * inner)
          }
        }
      }
    }
    return unpacked(sumOverFirstAxis(terms, shape: [count]))
  }
}

/// Points around a grid, which are zero or the continuation of a periodic field.
struct Margins: Sendable {
  /// The points of the grid and of the grid with its margins.
  let inner: Shape
  let outer: Shape
  /// For every position of every outer axis that of the inner one, or -1.
  private let sources: [[Int]]

  init(grid: Shape, padding: [Int], mode: ConvolutionGeometry.Padding) {
    inner = grid
    outer = Shape(count: grid.count) { grid[$0] + 2 * padding[$0] }
    sources = zip(grid, padding).map { points, padding in
      (-padding..<points + padding).map { position in
        if mode == .circular { return (position % points + points) % points }
        return (0..<points).contains(position) ? position : -1
      }
    }
  }

  /// The number of points with margins.
  var count: Int { outer.elementCount }

  /// One field with its margins.
  func add(_ field: UnsafePointer<Float>, to result: UnsafeMutablePointer<Float>) {
    forEachRow { row, source in
      let target = result + row * sources[inner.count - 1].count
      for (column, position) in sources[inner.count - 1].enumerated() {
        target[column] = source >= 0 && position >= 0 ? field[source + position] : 0
      }
    }
  }

  /// The adjoint: every number is added to where it came from.
  func collect(_ field: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>) {
    result.update(repeating: 0, count: inner.elementCount)
    forEachRow { row, source in
      guard source >= 0 else { return }
      let given = field + row * sources[inner.count - 1].count
      for (column, position) in sources[inner.count - 1].enumerated() where position >= 0 {
        result[source + position] += given[column]
      }
    }
  }

  /// Calls `body` with every row of the outer grid and the start of its inner row, or -1.
  private func forEachRow(_ body: (_ row: Int, _ source: Int) -> Void) {
    for row in 0..<outer.dropLast().elementCount {
      var (rest, stride, start) = (row, inner[inner.count - 1], 0)
      for axis in (0..<inner.count - 1).reversed() {
        let position = sources[axis][rest % outer[axis]]
        rest /= outer[axis]
        start = start < 0 || position < 0 ? -1 : start + position * stride
        stride *= inner[axis]
      }
      body(row, start)
    }
  }
}

/// The field with `padding[axis]` more points of its periodic continuation at both ends of every axis.
public func padCircularly(_ u: Variable, by padding: [Int]) -> Variable {
  let input = FieldShape(u.shape)
  precondition(
    padding.count == input.grid.count && padding.allSatisfy { $0 >= 0 },
    "padding \(padding) of a grid \(input.grid)")
  if padding.allSatisfy({ $0 == 0 }) { return u }
  let margins = Margins(grid: input.grid, padding: padding, mode: .circular)
  let planes = input.samples * input.channels
  let value = u.value.start { field in
    Tensor<Float>.filled([input.samples, input.channels] + margins.outer) { result in
      parallelFor(planes) { range in
        for plane in range { margins.add(field + plane * input.points, to: result + plane * margins.count) }
      }
    }
  }
  return Variable(value, from: u, saving: (margins, input)) { saved, gradient, inputs in
    let (margins, input) = saved
    let ofInput = gradient.start { gradient in
      Tensor<Float>.filled(input.shape(channels: input.channels)) { result in
        parallelFor(input.samples * input.channels) { range in
          for plane in range {
            margins.collect(gradient + plane * margins.count, into: result + plane * input.points)
          }
        }
      }
    }
    inputs.add(ofInput, to: 0)
  }
}
