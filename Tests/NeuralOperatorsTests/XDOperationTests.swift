import Autodiff
import NeuralOperators
import Tensors
import TestSupport
import Testing

/// Every warm start against the operation that it begins as.
@Suite struct XDOperationTests {
  /// Single precision through a Fourier transform, a product and the inverse.
  private let tolerance = 1e-5

  private func inference(_ operation: XDOperation, _ u: Tensor<Float>) -> Tensor<Float> {
    operation(Variable(u), on: .inference).value
  }

  /// The convolution with what XD makes of its padding.
  private func expected(
    _ u: Tensor<Float>, _ weight: Tensor<Float>, _ geometry: ConvolutionGeometry
  ) -> Tensor<Float> {
    convolution(Variable(u), weight: Variable(weight), bias: nil, geometry).value
  }

  /// The grid of cases of the reference implementation's own tests: one and two axes, kernels and grids that
  /// differ by axis, odd grids and powers of two, dilation, padding of both kinds, stride, groups.
  private struct Case {
    var inputs: Int
    var outputs: Int
    var grid: Shape
    var geometry: ConvolutionGeometry
  }

  private var cases: [Case] {
    var cases: [Case] = []
    for axes in 1...2 {
      for (inputs, outputs) in [(1, 1), (2, 3), (2, 2)] {
        for n in [15, 16] {
          for k in 2...3 {
            for groups in inputs == outputs ? Array(Set([1, inputs])).sorted() : [1] {
              for dilation in 1...3 {
                for padding in 0...dilation * (k - 1) {
                  for stride in 1...k {
                    func each(_ value: Int) -> [Int] { Array(repeating: value, count: axes) }
                    cases.append(
                      Case(
                        inputs: inputs, outputs: outputs, grid: Shape(count: axes) { n + $0 },
                        geometry: ConvolutionGeometry(
                          kernel: (0..<axes).map { k + $0 }, stride: each(stride), dilation: each(dilation),
                          padding: each(padding), paddingMode: padding > (k - 1) / 2 ? .zeros : .circular,
                          groups: groups)))
                  }
                }
              }
            }
          }
        }
      }
    }
    return cases
  }

  @Test func convolutions() throws {
    let configurations = [
      XDConfiguration(circularPadding: .exact), XDConfiguration(depth: .init(k: 3, l: 3, m: 3)),
    ]
    for problem in cases {
      let u = randomTensor([2, problem.inputs] + problem.grid, sample: 1)
      let shape: Shape =
        [problem.outputs, problem.inputs / problem.geometry.groups] + problem.geometry.kernel
      let weight = randomTensor(shape, sample: 2)
      let circular = expected(u, weight, problem.geometry)
      for configuration in configurations {
        let operation = try XDOperation.convolution(
          weight: weight, problem.geometry, grid: problem.grid, configuration)
        // Exact, or else with zeros along the axes that are no powers of two.
        var reference = circular
        if problem.geometry.paddingMode == .circular && configuration.circularPadding == .zeros {
          var zeros = problem.geometry
          zeros.paddingMode = .zeros
          var input = u
          for axis in problem.grid.indices where problem.grid[axis] == 16 {
            // The axis of a power of two stays circular: continue it and pad no more.
            var padding = problem.grid.map { _ in 0 }
            padding[axis] = problem.geometry.padding[axis]
            input = padCircularly(Variable(input), by: padding).value
            zeros.padding[axis] = 0
          }
          reference = expected(input, weight, zeros)
        }
        let error = relativeError(inference(operation, u), reference)
        #expect(error < tolerance, "\(problem) \(configuration): \(error)")
      }
    }
    #expect(cases.count > 500)
  }

  @Test func convolutionsInThreeDimensions() throws {
    for (grid, padding) in [([4, 8, 4], .circular), ([3, 5, 6], .zeros)]
      as [(Shape, ConvolutionGeometry.Padding)]
    {
      let geometry = ConvolutionGeometry.same(kernel: [3, 3, 3], paddingMode: padding)
      let (u, weight) = (randomTensor([2, 2] + grid, sample: 1), randomTensor([3, 2, 3, 3, 3], sample: 2))
      let operation = try XDOperation.convolution(weight: weight, geometry, grid: grid)
      #expect(operation.architecture.geometry.size == (padding == .circular ? [4, 8, 4] : [4, 8, 8]))
      #expect(relativeError(inference(operation, u), expected(u, weight, geometry)) < tolerance)
    }
  }

  @Test func longKernelsAndTheirBias() throws {
    let geometry = ConvolutionGeometry.same(kernel: [9], paddingMode: .circular)
    let (u, weight) = (randomTensor([2, 3, 16], sample: 1), randomTensor([4, 3, 9], sample: 2))
    let bias = randomTensor([4], sample: 3)
    let operation = try XDOperation.convolution(weight: weight, bias: bias, geometry, grid: [16])
    #expect(operation.architecture.geometry.size == [16])
    let reference = convolution(
      Variable(u), weight: Variable(weight), bias: Variable(bias), geometry
    ).value
    #expect(relativeError(inference(operation, u), reference) < tolerance)
  }

  /// As in the reference implementation's tests, and with other strides and paddings.
  @Test func transposedConvolutions() throws {
    for axes in 1...2 {
      for (inputs, outputs, groups) in [(1, 1, 1), (2, 3, 1), (2, 2, 2), (4, 6, 2)] {
        for n in [15, 16] {
          for k in 2...3 {
            for dilation in 1...3 {
              for (stride, padding, extra) in [
                (dilation * (k - 1) + 1, 0, 0), (2, 1, 1), (1, 0, 0), (3, 0, 2),
              ] {
                func each(_ value: Int) -> [Int] { Array(repeating: value, count: axes) }
                let geometry = ConvolutionGeometry(
                  kernel: each(k), stride: each(stride), dilation: each(dilation), padding: each(padding),
                  groups: groups)
                let grid = Shape(count: axes) { n + $0 }
                let weight = randomTensor([inputs, outputs / groups] + geometry.kernel, sample: 2)
                let u = randomTensor([2, inputs] + grid, sample: 1)
                let operation = try XDOperation.transposedConvolution(
                  weight: weight, geometry, outputPadding: each(extra), grid: grid)
                let result = inference(operation, u)
                // The adjoint of the convolution from the output's grid to the input's.
                let field = Parameter(Tensor(shape: result.shape))
                let tape = Tape()
                let forward = convolution(tape(field), weight: Variable(weight), bias: nil, geometry)
                #expect(forward.shape == u.shape)
                tape.backward(from: innerProduct(forward, u))
                let error = relativeError(result, field.gradient ?? result)
                #expect(error < tolerance, "\(geometry) on \(grid): \(error)")
              }
            }
          }
        }
      }
    }
  }

  @Test func averagePooling() throws {
    for (grid, kernel, stride, padding) in [
      ([16], [2], [2], [0]), ([15], [3], [1], [1]), ([9, 12], [3, 2], [3, 2], [0, 0]),
      ([8, 8], [3, 3], [2, 2], [1, 1]),
    ] as [(Shape, [Int], [Int], [Int])] {
      let u = randomTensor([2, 3] + grid, sample: 1)
      let operation = try XDOperation.averagePooling(
        channels: 3, kernel: kernel, stride: stride, padding: padding, grid: grid)
      let mean = Tensor<Float>(
        shape: [3, 1] + kernel, repeating: 1 / Float(kernel.reduce(1, *)))
      let geometry = ConvolutionGeometry(kernel: kernel, stride: stride, padding: padding, groups: 3)
      #expect(relativeError(inference(operation, u), expected(u, mean, geometry)) < tolerance)
      #expect(!operation.weight.isTrainable)
    }
    // By hand, too.
    let operation = try XDOperation.averagePooling(channels: 1, kernel: [2], grid: [4])
    let result = inference(operation, Tensor(shape: [1, 1, 4], scalars: [1, 3, -2, 6]))
    #expect(largestDifference(result, Tensor(shape: [1, 1, 2], scalars: [2, 2])) < 1e-6)
  }

  @Test func identityAndZero() throws {
    for grid in [[16], [7], [5, 8], [3, 4, 5]] as [Shape] {
      let u = randomTensor([2, 3] + grid, sample: 1)
      #expect(relativeError(inference(try .identity(channels: 3, grid: grid), u), u) < tolerance)
      let zero = inference(try .zero(inputs: 3, outputs: 2, grid: grid), u)
      #expect(zero.shape == [2, 2] + grid && zero.scalars.allSatisfy { $0 == 0 })
    }
  }

  /// Kept modes below and up to the Nyquist frequency.
  @Test func fourierNeuralOperators() throws {
    for (grid, modes) in [
      ([16], [3]), ([16], [9]), ([8, 16], [2, 3]), ([16, 8], [8, 5]), ([4, 4], [1, 1]),
    ] as [(Shape, [Int])] {
      var initializer = Initializer(seed: 4)
      let spectral = SpectralConvolution(inputs: 3, outputs: 2, modes: modes, using: &initializer)
      let u = randomTensor([2, 3] + grid, sample: 1)
      for depth in [1, 2] {
        let operation = try XDOperation.fourier(
          spectral, grid: grid, XDConfiguration(depth: .init(k: depth, l: depth, m: depth)))
        let reference = spectral(Variable(u), on: .inference).value
        let error = relativeError(inference(operation, u), reference)
        #expect(error < tolerance, "\(grid) \(modes): \(error)")
      }
    }
    // The grid of cases of the reference implementation's tests, where there is a K-matrix.
    for axes in 1...2 {
      for channels in 1...2 {
        for k in 2...3 {
          var initializer = Initializer(seed: 5)
          let (grid, modes) = (Shape(repeating: 16, count: axes), Array(repeating: k, count: axes))
          let spectral = SpectralConvolution(
            inputs: channels, outputs: channels, modes: modes, using: &initializer)
          let u = randomTensor([2, channels] + grid, sample: 1)
          let operation = try XDOperation.fourier(spectral, grid: grid)
          let error = relativeError(inference(operation, u), spectral(Variable(u), on: .inference).value)
          #expect(error < tolerance, "\(axes) axes, \(channels) channels, \(k) modes: \(error)")
        }
      }
    }
    var initializer = Initializer(seed: 4)
    let spectral = SpectralConvolution(inputs: 1, outputs: 1, modes: [3], using: &initializer)
    #expect(throws: XDError.self) { try XDOperation.fourier(spectral, grid: [15]) }
  }

  /// A path, a ring with self-loops as a graph network normalises it, and a star with a weighted edge.
  @Test func graphConvolutions() {
    func matrix(_ nodes: Int, _ entry: (_ row: Int, _ column: Int) -> Double) -> [[Double]] {
      (0..<nodes).map { row in (0..<nodes).map { entry(row, $0) } }
    }
    let path = matrix(6) { $1 == $0 + 1 ? 1 : 0 }
    let ring = matrix(9) { [0, 1, 8].contains(($1 - $0 + 9) % 9) ? 1.0 / 3 : 0 }
    let star = matrix(5) { row, column in
      let isEdge = row != column && row * column == 0
      return isEdge ? 0.5 + Double(row) / 8 : 0
    }
    for (adjacency, depth) in [(path, 2), (ring, 6), (star, 8)] {
      let nodes = adjacency.count
      let (u, weight) = (randomTensor([2, 3, nodes], sample: 1), randomTensor([4, 3], sample: 2))
      let operation = XDOperation.graphConvolution(adjacency: adjacency, weight: weight)
      #expect(operation.architecture.m[0].product.depth == depth)
      var neighbours = Tensor<Float>(shape: u.shape)
      for sample in 0..<2 {
        for channel in 0..<3 {
          for node in 0..<nodes {
            neighbours[sample, channel, node] = (0..<nodes).reduce(0) {
              $0 + Float(adjacency[node][$1]) * u[sample, channel, $1]
            }
          }
        }
      }
      let reference = pointwiseLinear(
        Variable(neighbours), weight: Variable(weight), bias: Variable(Tensor(shape: [4])))
      #expect(relativeError(inference(operation, u), reference.value) < tolerance)
    }
  }

  /// Seven operations of DARTS, the layer of a Fourier neural operator, and a graph convolution.
  ///
  /// DARTS (Liu, Simonyan, Yang, ICLR 2019) has one more, the largest value of a window, which is not linear. Each is a choice of the same numbers: K, L and
  /// M of one depth, and filters.
  @Test func operationsOfOneSearchSpace() throws {
    let (channels, points) = (3, 16)
    let depth = XDConfiguration.Depth(k: 1, l: 1, m: 2)
    let configuration = XDConfiguration(depth: depth)
    let u = randomTensor([2, channels, points], sample: 1)
    func convolved(_ u: Tensor<Float>, _ weight: Tensor<Float>, _ geometry: ConvolutionGeometry) -> Tensor<
      Float
    > { expected(u, weight, geometry) }

    var space: [(name: String, operation: XDOperation, result: Tensor<Float>)] = [
      (
        "none", try .zero(inputs: channels, outputs: channels, grid: [points], configuration),
        Tensor(shape: u.shape)
      ),
      ("skip_connect", try .identity(channels: channels, grid: [points], configuration), u),
      (
        "avg_pool_3",
        try .averagePooling(
          channels: channels, kernel: [3], stride: [1], grid: [points], configuration),
        convolved(
          u, Tensor(shape: [channels, 1, 3], repeating: 1 / 3),
          ConvolutionGeometry(kernel: [3], groups: channels))
      ),
    ]
    // A separable convolution is one of every channel by itself, then a map of the channels: together one convolution.
    for (name, taps, dilation) in [
      ("sep_conv_3", 3, 1), ("sep_conv_5", 5, 1), ("dil_conv_3", 3, 2), ("dil_conv_5", 5, 2),
    ] {
      let byChannel = randomTensor([channels, 1, taps], sample: 2)
      let mixing = randomTensor([channels, channels, 1], sample: 3)
      var weight = Tensor<Float>(shape: [channels, channels, taps])
      for o in 0..<channels {
        for i in 0..<channels {
          for tap in 0..<taps { weight[o, i, tap] = mixing[o, i, 0] * byChannel[i, 0, tap] }
        }
      }
      let padding = [dilation * (taps / 2)]
      let geometry = ConvolutionGeometry(
        kernel: [taps], dilation: [dilation], padding: padding, paddingMode: .circular)
      var grouped = geometry
      grouped.groups = channels
      let result = convolved(convolved(u, byChannel, grouped), mixing, ConvolutionGeometry(kernel: [1]))
      space.append((name, try .convolution(weight: weight, geometry, grid: [points], configuration), result))
    }
    var initializer = Initializer(seed: 6)
    let spectral = SpectralConvolution(inputs: channels, outputs: channels, modes: [5], using: &initializer)
    space.append(
      (
        "FNO", try .fourier(spectral, grid: [points], configuration),
        spectral(Variable(u), on: .inference).value
      ))
    for (name, operation, result) in space {
      let found = inference(operation, u)
      if name == "none" {
        #expect(found == result)
      } else {
        #expect(relativeError(found, result) < tolerance, "\(name)")
      }
    }

    // A ring of one direction: every node sees the one behind it. An adjacency's matrix has room for as many sums.
    let nodes = points / 2
    let ring = (0..<nodes).map { row in (0..<nodes).map { $0 == (row + 1) % nodes ? 1.0 : 0 } }
    let weight = randomTensor([channels, channels], sample: 4)
    let values = randomTensor([2, channels, nodes], sample: 5)
    var neighbours = values
    for sample in 0..<2 {
      for channel in 0..<channels {
        for node in 0..<nodes {
          neighbours[sample, channel, node] = values[sample, channel, (node + 1) % nodes]
        }
      }
    }
    let graph = XDOperation.graphConvolution(adjacency: ring, weight: weight, depth: depth)
    let result = pointwiseLinear(
      Variable(neighbours), weight: Variable(weight), bias: Variable(Tensor(shape: [channels]))
    ).value
    #expect(relativeError(inference(graph, values), result) < tolerance)
    space.append(("graph convolution", graph, result))

    func shapes(_ operation: XDOperation) -> [[Shape]] {
      [operation.architecture.k, operation.architecture.l, operation.architecture.m].map {
        $0.map(\.twiddle.value.shape)
      }
    }
    #expect(space.count == 9)
    for (name, operation, _) in space {
      #expect(shapes(operation) == shapes(space[0].operation), "\(name)")
    }
  }

  @Test func whatDoesNotFitIsExplained() {
    let geometry = ConvolutionGeometry(kernel: [5])
    #expect {
      try XDOperation.convolution(weight: randomTensor([1, 1, 5], sample: 1), geometry, grid: [4])
    } throws: {
      "\($0)" == "a kernel that spans 5 points does not fit the 4 points of axis 0 with a padding of 0"
    }
    #expect {
      try XDOperation.identity(channels: 1, grid: [4], XDConfiguration(depth: .init(l: 0)))
    } throws: {
      "\($0)" == "the depth of L must be from 1 to 32, not 0"
    }
  }
}
