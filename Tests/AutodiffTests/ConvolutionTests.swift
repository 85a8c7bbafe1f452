import Autodiff
import Foundation
import Tensors
import TestSupport
import Testing

/// One convolution: channels, a grid, and its geometry.
struct ConvolutionCase: CustomTestStringConvertible, Sendable {
  var inputs = 3
  var outputs = 4
  let grid: Shape
  let geometry: ConvolutionGeometry

  var weightShape: Shape { [outputs, inputs / geometry.groups] + geometry.kernel }
  var testDescription: String {
    "\(inputs) to \(outputs) channels on \(grid): kernel \(geometry.kernel), stride \(geometry.stride), "
      + "dilation \(geometry.dilation), padding \(geometry.padding) \(geometry.paddingMode), "
      + "\(geometry.groups) groups"
  }

  static let all: [ConvolutionCase] = [
    ConvolutionCase(grid: [9], geometry: .init(kernel: [3])),
    ConvolutionCase(grid: [8], geometry: .init(kernel: [4], stride: [2], padding: [3])),
    ConvolutionCase(
      grid: [10], geometry: .init(kernel: [3], dilation: [2], padding: [2], paddingMode: .circular)),
    ConvolutionCase(
      inputs: 4, outputs: 6, grid: [7],
      geometry: .init(kernel: [2], stride: [3], padding: [1], paddingMode: .circular, groups: 2)),
    ConvolutionCase(grid: [6, 7], geometry: .init(kernel: [3, 2], padding: [1, 0])),
    ConvolutionCase(
      grid: [7, 9],
      geometry: .init(kernel: [2, 3], stride: [2, 3], dilation: [3, 1], padding: [2, 2])),
    ConvolutionCase(
      inputs: 4, outputs: 4, grid: [8, 5],
      geometry: .same(kernel: [5, 3], paddingMode: .circular, groups: 4)),
    ConvolutionCase(
      inputs: 2, outputs: 2, grid: [6, 6],
      geometry: .init(kernel: [1, 1], stride: [1, 2], padding: [0, 1], paddingMode: .circular)),
    ConvolutionCase(
      inputs: 2, outputs: 3, grid: [5, 4, 6],
      geometry: .init(
        kernel: [3, 2, 3], stride: [1, 2, 1], dilation: [1, 1, 2], padding: [1, 1, 2],
        paddingMode: .circular)),
    ConvolutionCase(
      inputs: 2, outputs: 2, grid: [4, 5, 3], geometry: .init(kernel: [3, 3, 3], padding: [1, 2, 1])),
  ]

  /// Kernels of many taps: on a line, in planes with and without margins, in space.
  static let large: [ConvolutionCase] = [
    ConvolutionCase(grid: [64], geometry: .same(kernel: [17], paddingMode: .circular)),
    ConvolutionCase(
      inputs: 20, outputs: 18, grid: [37], geometry: .same(kernel: [17], paddingMode: .circular)),
    ConvolutionCase(grid: [30, 32], geometry: .same(kernel: [13, 9], paddingMode: .circular)),
    ConvolutionCase(grid: [17, 23], geometry: .same(kernel: [13, 13], paddingMode: .circular)),
    ConvolutionCase(grid: [17, 23], geometry: .same(kernel: [13, 13], paddingMode: .zeros)),
    ConvolutionCase(grid: [8, 9, 7], geometry: .same(kernel: [5, 7, 5], paddingMode: .circular)),
  ]
}

@Suite struct ConvolutionTests {
  /// The definition, point by point in double precision.
  static func plain(
    _ u: Tensor<Float>, _ weight: Tensor<Float>, _ bias: [Float], _ geometry: ConvolutionGeometry
  ) -> Tensor<Double> {
    let (samples, channels, grid) = (u.shape[0], u.shape[1], u.shape.dropFirst(2))
    let outputGrid = geometry.outputGrid(grid)
    func indices(_ shape: some Collection<Int>) -> [[Int]] {
      shape.reduce([[]]) { all, length in all.flatMap { index in (0..<length).map { index + [$0] } } }
    }
    func offset(_ index: [Int], _ shape: some Collection<Int>) -> Int {
      zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }
    }
    let (field, kernel) = (u.scalars, weight.scalars)
    let (outputs, groupInputs) = (weight.shape[0], weight.shape[1])
    let (points, taps) = (grid.reduce(1, *), geometry.kernel.reduce(1, *))
    var result: [Double] = []
    for sample in 0..<samples {
      for output in 0..<outputs {
        let firstInput = output / (outputs / geometry.groups) * groupInputs
        for target in indices(outputGrid) {
          var sum = Double(bias[output])
          for tap in indices(geometry.kernel) {
            var position = grid.indices.map {
              target[$0] * geometry.stride[$0] + tap[$0] * geometry.dilation[$0] - geometry.padding[$0]
            }
            if geometry.paddingMode == .circular {
              position = zip(position, grid).map { ($0 % $1 + $1) % $1 }
            }
            guard zip(position, grid).allSatisfy({ $0 >= 0 && $0 < $1 }) else { continue }
            for i in 0..<groupInputs {
              sum +=
                Double(kernel[(output * groupInputs + i) * taps + offset(tap, geometry.kernel)])
                * Double(field[(sample * channels + firstInput + i) * points + offset(position, grid)])
            }
          }
          result.append(sum)
        }
      }
    }
    return Tensor(shape: [samples, outputs] + outputGrid, scalars: result)
  }

  @Test(arguments: ConvolutionCase.all) func equalsThePlainConvolution(problem: ConvolutionCase) {
    let u = randomTensor([3, problem.inputs] + problem.grid, sample: 1)
    let weight = randomTensor(problem.weightShape, sample: 2)
    let bias = randomTensor([problem.outputs], sample: 3)
    let result = convolution(
      Variable(u), weight: Variable(weight), bias: Variable(bias), problem.geometry
    ).value
    let expected = Self.plain(u, weight, bias.scalars, problem.geometry)
    #expect(relativeError(Tensor<Double>(converting: result), expected) < 1e-6)  // sums of some 50 products
    let unbiased = convolution(Variable(u), weight: Variable(weight), bias: nil, problem.geometry).value
    let zeros = [Float](repeating: 0, count: problem.outputs)
    #expect(
      relativeError(Tensor<Double>(converting: unbiased), Self.plain(u, weight, zeros, problem.geometry))
        < 1e-6)
  }

  /// Linear in every argument: a central difference has no truncation error.
  @Test(arguments: ConvolutionCase.all) func gradient(problem: ConvolutionCase) {
    let u = Parameter(randomTensor([2, problem.inputs] + problem.grid, sample: 1))
    let weight = Parameter(randomTensor(problem.weightShape, sample: 2))
    let bias = Parameter(randomTensor([problem.outputs], sample: 3))
    let errors = gradientDisagreements([u, weight, bias], step: 0.5) {
      convolution($0(u), weight: $0(weight), bias: $0(bias), problem.geometry)
    }
    #expect(errors.allSatisfy { $0 < 1e-4 }, "\(errors)")
  }

  /// Both ways on grids that are and are not sizes of fast transforms; the same sums in another order.
  @Test(arguments: ConvolutionCase.all + ConvolutionCase.large)
  func fourierTransformsGiveTheSame(problem: ConvolutionCase) {
    func run(_ method: ConvolutionMethod) -> [Tensor<Float>] {
      let parameters = [
        Parameter(randomTensor([3, problem.inputs] + problem.grid, sample: 1)),
        Parameter(randomTensor(problem.weightShape, sample: 2)),
        Parameter(randomTensor([problem.outputs], sample: 3)),
      ]
      let tape = Tape()
      let result = convolution(
        tape(parameters[0]), weight: tape(parameters[1]), bias: tape(parameters[2]), problem.geometry,
        method: method)
      tape.backward(from: result, gradient: randomTensor(result.shape, sample: 4))
      return [result.value] + parameters.map { $0.gradient ?? Tensor(shape: []) }
    }
    for (fourier, direct) in zip(run(.fourier), run(.direct)) {
      // Rounding of single precision, which transforms of some thousand points enlarge little.
      #expect(relativeError(fourier, direct) < 2e-6)
    }
  }

  @Test func fourierTransformsOfOneSampleOnAnyNumberOfThreads() throws {
    let problem = ConvolutionCase.large[1]
    let u = randomTensor([4, problem.inputs] + problem.grid, sample: 1)
    let weight = Parameter(randomTensor(problem.weightShape, sample: 2))
    let runs = withThreadCounts([1, 2, 3]) { () -> [Tensor<Float>] in
      weight.gradient = nil
      let tape = Tape()
      let result = convolution(
        Variable(u), weight: tape(weight), bias: nil, problem.geometry, method: .fourier)
      tape.backward(from: result, gradient: result.value)
      return [result.value, weight.gradient ?? result.value]
    }
    #expect(runs[0] == runs[1] && runs[0] == runs[2])
  }

  @Test func circularPaddingHasTheAdjointOfItsCopies() {
    let u = Parameter(randomTensor([2, 3, 4, 5], sample: 1))
    let padded = padCircularly(Variable(u.value), by: [2, 1]).value
    #expect(padded.shape == [2, 3, 8, 7])
    for (i, j) in [(0, 0), (7, 6), (3, 2)] {
      #expect(padded[1, 2, i, j] == u.value[1, 2, (i + 2) % 4, (j + 4) % 5])
    }
    #expect(
      gradientDisagreements([u], step: 0.5) { padCircularly($0(u), by: [2, 1]) }.allSatisfy { $0 < 1e-5 })
    #expect(padCircularly(Variable(u.value), by: [0, 0]).value == u.value)
  }

  @Test func whatDoesNotFitIsExplained() {
    let geometry = ConvolutionGeometry(kernel: [7], dilation: [2], padding: [3], paddingMode: .circular)
    #expect(geometry.problem(grid: [16]) == nil)
    #expect(
      geometry.problem(grid: [6])
        == "a kernel that spans 13 points does not fit the 6 points of axis 0 with a padding of 3")
    #expect(
      ConvolutionGeometry(kernel: [3], padding: [5], paddingMode: .circular).problem(grid: [4])
        == "a circular padding of 5 is more than the 4 points of axis 0")
    #expect(geometry.problem(grid: [16, 16]) == "a kernel [7] on a grid [16, 16]")
    #expect(ConvolutionGeometry(kernel: [0]).problem == "the kernel must be at least 1, not [0]")
  }
}
