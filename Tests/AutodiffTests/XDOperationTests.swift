import Autodiff
import Tensors
import TestSupport
import Testing

/// One XD-operation with random K-matrices.
struct XDCase: CustomTestStringConvertible, Sendable {
  let geometry: XDGeometry
  var samples = 2

  init(
    inputs: Int, outputs: Int, groups: Int = 1, grid: Shape, sizes: [Int], taps: [[Int]],
    hasComplexFilter: Bool = false, outputGrid: Shape? = nil, steps: [Int]? = nil,
    depth: (Int, Int, Int) = (1, 1, 1)
  ) {
    func products(_ depth: Int, _ beginsIncreasing: Bool) -> [ButterflyProduct] {
      sizes.map { ButterflyProduct(size: $0, depth: depth, beginsIncreasing: beginsIncreasing) }
    }
    geometry = XDGeometry(
      inputs: inputs, outputs: outputs, groups: groups, grid: grid, taps: taps,
      hasComplexFilter: hasComplexFilter, outputGrid: outputGrid ?? grid,
      outputSteps: steps ?? grid.map { _ in 1 }, k: products(depth.0, true), l: products(depth.1, false),
      m: products(depth.2, false))
  }

  var testDescription: String {
    "\(geometry.inputs) to \(geometry.outputs) channels, \(geometry.groups) groups, \(geometry.grid) in "
      + "\(geometry.size), \(geometry.hasComplexFilter ? "complex" : "real") filters"
  }

  static let all: [XDCase] = [
    XDCase(inputs: 3, outputs: 2, grid: [6], sizes: [8], taps: [[0, 7, 2]]),
    XDCase(
      inputs: 2, outputs: 3, grid: [13], sizes: [16], taps: [[1, 2]], outputGrid: [5], steps: [3],
      depth: (3, 2, 2)),
    // Several tiles of one slab, several blocks of channels.
    XDCase(inputs: 66, outputs: 63, grid: [30], sizes: [32], taps: [[1, 0, 31]]),
    XDCase(inputs: 3, outputs: 3, groups: 3, grid: [7], sizes: [8], taps: [[0, 7, 2, 3]]),
    XDCase(
      inputs: 2, outputs: 2, grid: [4], sizes: [4], taps: [[0, 1, 2, 3]], hasComplexFilter: true),
    XDCase(
      inputs: 3, outputs: 4, grid: [5, 7], sizes: [8, 16], taps: [[1, 0, 7], [0, 15]], depth: (2, 1, 3)),
    // Blocks that are whole vector registers, which are worked on where they lie, beside one that is not.
    XDCase(
      inputs: 16, outputs: 33, grid: [5, 7], sizes: [8, 16], taps: [[1, 0], [0, 15]], outputGrid: [3, 7],
      steps: [2, 1]),
    XDCase(
      inputs: 4, outputs: 6, groups: 2, grid: [4, 3], sizes: [8, 4], taps: [[1, 0], [0]],
      outputGrid: [3, 2], steps: [2, 2]),
    XDCase(inputs: 5, outputs: 5, groups: 5, grid: [4, 4], sizes: [4, 4], taps: [[1, 0], [3, 0, 1]]),
    XDCase(
      inputs: 2, outputs: 3, grid: [4, 8], sizes: [4, 8], taps: [[0, 3], [0, 4, 2]], hasComplexFilter: true),
    XDCase(
      inputs: 2, outputs: 3, grid: [3, 5, 2], sizes: [4, 8, 2], taps: [[1, 0], [7, 0, 1], [0, 1]],
      outputGrid: [2, 5, 2], steps: [2, 1, 1]),
  ]

  /// u, w, then the twiddles of K, L and M, then the bias.
  var parameters: [Parameter] {
    let products = geometry.k + geometry.l + geometry.m
    let twiddles = products.enumerated().map { index, product in
      // About the size of the entries of a unitary matrix: values stay of order 1.
      Parameter(
        Tensor(
          shape: product.twiddleShape,
          scalars: randomTensor(product.twiddleShape, sample: 10 + index).scalars.map { 0.5 * $0 }))
    }
    return [
      Parameter(randomTensor([samples, geometry.inputs] + geometry.grid, sample: 1)),
      Parameter(randomTensor(geometry.weightShape, sample: 2)),
    ] + twiddles + [Parameter(randomTensor([geometry.outputs], sample: 3))]
  }

  func operation(_ inputs: [Variable]) -> Variable {
    let axes = geometry.grid.count
    return xdOperation(
      inputs[0], weight: inputs[1], k: Array(inputs[2..<2 + axes]),
      l: Array(inputs[2 + axes..<2 + 2 * axes]), m: Array(inputs[2 + 2 * axes..<2 + 3 * axes]),
      bias: inputs[2 + 3 * axes], geometry)
  }
}

@Suite struct XDOperationTests {
  /// A complex array on a grid.
  private struct Field {
    var grid: Shape
    var values: [Double]

    /// One K-matrix along one axis, line by line with the plain algorithm.
    func multiplied(_ product: ButterflyProduct, _ twiddles: [Double], axis: Int) -> Field {
      var result = self
      let inner = grid[(axis + 1)...].reduce(1, *)
      for line in 0..<values.count / (2 * grid[axis]) {
        let start = line / inner * inner * grid[axis] + line % inner
        let places = (0..<grid[axis]).map { 2 * (start + $0 * inner) }
        let y = product.multiply(places.flatMap { [values[$0], values[$0 + 1]] }, twiddles: twiddles)
        for (index, place) in places.enumerated() {
          result.values[place] = y[2 * index]
          result.values[place + 1] = y[2 * index + 1]
        }
      }
      return result
    }
  }

  private func indices(_ shape: some Collection<Int>) -> [[Int]] {
    shape.reduce([[]]) { all, length in all.flatMap { index in (0..<length).map { index + [$0] } } }
  }

  private func offset(_ index: [Int], _ shape: some Collection<Int>) -> Int {
    zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }
  }

  /// The definition in double precision, one pair of channels at a time.
  private func plain(_ problem: XDCase) -> Tensor<Double> {
    let (geometry, parameters) = (problem.geometry, problem.parameters.map(\.value))
    let (axes, size) = (geometry.grid.count, geometry.size)
    let twiddles = parameters[2...].map { Tensor<Double>(converting: $0).scalars }
    func applied(_ field: Field, _ products: [ButterflyProduct], _ first: Int) -> Field {
      (0..<axes).reduce(field) { $0.multiplied(products[$1], twiddles[first + $1], axis: $1) }
    }
    let (u, w) = (parameters[0].scalars.map(Double.init), parameters[1].scalars.map(Double.init))
    let bias = parameters[2 + 3 * axes].scalars
    let empty = Field(grid: size, values: Array(repeating: 0, count: 2 * size.reduce(1, *)))
    let points = geometry.grid.reduce(1, *)
    let tapCounts = geometry.taps.map(\.count)
    let (taps, parts) = (tapCounts.reduce(1, *), geometry.hasComplexFilter ? 2 : 1)
    let (groupInputs, groupOutputs) = (geometry.inputs / geometry.groups, geometry.outputs / geometry.groups)
    var result: [Double] = []
    let filters = (0..<geometry.outputs * groupInputs).map { filter in
      var field = empty
      for tap in indices(tapCounts) {
        let place = offset(zip(tap, geometry.taps).map { $1[$0] }, size)
        for part in 0..<parts {
          field.values[2 * place + part] += w[(filter * taps + offset(tap, tapCounts)) * parts + part]
        }
      }
      return applied(field, geometry.l, axes)
    }
    for sample in 0..<problem.samples {
      let spectra = (0..<geometry.inputs).map { channel in
        var field = empty
        for point in indices(geometry.grid) {
          field.values[2 * offset(point, size)] =
            u[(sample * geometry.inputs + channel) * points + offset(point, geometry.grid)]
        }
        return applied(field, geometry.m, 2 * axes)
      }
      for output in 0..<geometry.outputs {
        var sum = empty
        for i in 0..<groupInputs {
          let x = spectra[output / groupOutputs * groupInputs + i].values
          let lw = filters[output * groupInputs + i].values
          for f in stride(from: 0, to: x.count, by: 2) {
            sum.values[f] += lw[f] * x[f] - lw[f + 1] * x[f + 1]
            sum.values[f + 1] += lw[f] * x[f + 1] + lw[f + 1] * x[f]
          }
        }
        let y = applied(sum, geometry.k, 0)
        for point in indices(geometry.outputGrid) {
          let place = zip(point, geometry.outputSteps).map(*)
          result.append(y.values[2 * offset(place, size)] + Double(bias[output]))
        }
      }
    }
    return Tensor(shape: [problem.samples, geometry.outputs] + geometry.outputGrid, scalars: result)
  }

  @Test(arguments: XDCase.all) func equalsThePlainOperation(problem: XDCase) {
    let result = problem.operation(problem.parameters.map { Variable($0.value) }).value
    // Products of some ten factors, each rounded to 6e-8, some of which cancel in the sums.
    #expect(relativeError(Tensor<Double>(converting: result), plain(problem)) < 3e-6)
  }

  /// Of the input, the filters, every twiddle and the bias.
  @Test(arguments: XDCase.all) func gradient(problem: XDCase) {
    let parameters = problem.parameters
    func errors(_ checked: [Parameter], step: Float) -> [Double] {
      gradientDisagreements(checked, step: step) { tape in
        problem.operation(parameters.map { tape($0) })
      }
    }
    // Linear in these: a large step leaves only rounding.
    let linear = errors([parameters[0], parameters[1], parameters[parameters.count - 1]], step: 0.5)
    #expect(linear.allSatisfy { $0 < 1e-4 }, "\(linear)")
    // Rounding over the step, and the squared step times the curvature of a product of up to 20 factors.
    let twiddles = errors(Array(parameters[2..<parameters.count - 1]), step: 5e-3)
    #expect(twiddles.allSatisfy { $0 < 2e-3 }, "\(twiddles)")
  }

  /// The check above sees a flipped sign: the imaginary part of any one gradient.
  @Test func aFlippedSignInAnAdjointIsSeen() {
    let problem = XDCase.all[5]
    let parameters = problem.parameters
    for index in 2..<parameters.count - 1 {
      let errors = gradientDisagreements(parameters, step: 3e-3) { tape in
        var inputs = parameters.map { tape($0) }
        inputs[index] = Variable(inputs[index].value, from: [inputs[index]], saving: ()) {
          _, gradient, inputs in
          var gradient = gradient
          gradient.withUnsafeMutableBuffer {
            for i in stride(from: 1, to: $0.count, by: 2) { $0[i].negate() }
          }
          inputs.add(gradient, to: 0)
        }
        return problem.operation(inputs)
      }
      #expect(errors[index] > 0.1 && errors.filter { $0 > 0.1 }.count == 1, "\(errors)")
    }
  }

  @Test(arguments: [XDCase.all[2], XDCase.all[5], XDCase.all[6], XDCase.all[8], XDCase.all[10]])
  func resultsDoNotDependOnTheNumberOfThreads(problem: XDCase) {
    let results = withThreadCounts([1, 2, 3]) {
      let parameters = problem.parameters
      let tape = Tape()
      let result = problem.operation(parameters.map { tape($0) })
      tape.backward(from: innerProduct(result, randomTensor(result.shape, sample: 9)))
      return [result.value] + parameters.compactMap(\.gradient)
    }
    #expect(results[0].count == 1 + problem.parameters.count)
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }

  /// Frozen matrices: the same gradients of input and filters, by the shorter way.
  @Test func constantMatricesNeedNoGradients() {
    let problem = XDCase.all[5]
    func gradients(frozen: Bool) -> [Tensor<Float>] {
      let parameters = problem.parameters
      for parameter in parameters[2..<parameters.count - 1] { parameter.isTrainable = !frozen }
      let tape = Tape()
      let result = problem.operation(parameters.map { tape($0) })
      tape.backward(from: innerProduct(result, randomTensor(result.shape, sample: 9)))
      #expect((parameters[2].gradient == nil) == frozen)
      return [0, 1, parameters.count - 1].compactMap { parameters[$0].gradient }
    }
    for (short, full) in zip(gradients(frozen: true), gradients(frozen: false)) {
      #expect(relativeError(short, full) < 1e-6)  // another order of the merged factors
    }
  }
}
