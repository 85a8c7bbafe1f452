import Autodiff
import Foundation
import Tensors
import TestSupport
import Testing

/// One transposed convolution: channels, a grid, its geometry, and points added at the ends.
struct TransposedCase: CustomTestStringConvertible, Sendable {
  var inputs = 3
  var outputs = 4
  let grid: Shape
  let geometry: ConvolutionGeometry
  var outputPadding: [Int]?

  var weightShape: Shape { [inputs, outputs / geometry.groups] + geometry.kernel }
  var testDescription: String {
    "\(inputs) to \(outputs) channels on \(grid): kernel \(geometry.kernel), stride \(geometry.stride), "
      + "dilation \(geometry.dilation), padding \(geometry.padding) \(geometry.paddingMode) "
      + "+ \(outputPadding ?? []), \(geometry.groups) groups"
  }

  static let all: [TransposedCase] = [
    TransposedCase(grid: [5], geometry: .init(kernel: [2], stride: [2])),
    TransposedCase(grid: [6], geometry: .init(kernel: [3], stride: [2], padding: [1]), outputPadding: [1]),
    TransposedCase(grid: [4], geometry: .init(kernel: [3], stride: [3], dilation: [2], padding: [2])),
    TransposedCase(
      inputs: 4, outputs: 6, grid: [5], geometry: .init(kernel: [4], stride: [2], padding: [1], groups: 2)),
    TransposedCase(
      grid: [6], geometry: .init(kernel: [3], stride: [2], padding: [1], paddingMode: .circular),
      outputPadding: [1]),
    TransposedCase(grid: [3, 4], geometry: .init(kernel: [2, 2], stride: [2, 2])),
    TransposedCase(
      inputs: 4, outputs: 2, grid: [4, 3],
      geometry: .init(kernel: [3, 2], stride: [2, 3], dilation: [1, 2], padding: [1, 0], groups: 2),
      outputPadding: [1, 2]),
    TransposedCase(
      inputs: 2, outputs: 3, grid: [2, 3, 2],
      geometry: .init(kernel: [3, 2, 2], stride: [2, 1, 2], padding: [1, 0, 1]), outputPadding: [0, 0, 1]),
  ]
}

@Suite struct TransposedConvolutionTests {
  /// The matrix of the operation: one column per number of the input, found by the definition, point by point.
  private func matrix(_ problem: TransposedCase, _ weight: Tensor<Float>) -> [[Double]] {
    let (geometry, grid) = (problem.geometry, problem.grid)
    let result = geometry.transposedGrid(grid, outputPadding: problem.outputPadding)
    func indices(_ shape: some Collection<Int>) -> [[Int]] {
      shape.reduce([[]]) { all, length in all.flatMap { index in (0..<length).map { index + [$0] } } }
    }
    func offset(_ index: [Int], _ shape: some Collection<Int>) -> Int {
      zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }
    }
    let (rows, groupOutputs) = (result.reduce(1, *), problem.outputs / geometry.groups)
    let (taps, values) = (geometry.kernel.reduce(1, *), weight.scalars)
    return (0..<problem.inputs).flatMap { input in
      indices(grid).map { point in
        var column = [Double](repeating: 0, count: problem.outputs * rows)
        for tap in indices(geometry.kernel) {
          var place = grid.indices.map {
            point[$0] * geometry.stride[$0] + tap[$0] * geometry.dilation[$0] - geometry.padding[$0]
          }
          if geometry.paddingMode == .circular { place = zip(place, result).map { ($0 % $1 + $1) % $1 } }
          guard zip(place, result).allSatisfy({ $0 >= 0 && $0 < $1 }) else { continue }
          for o in 0..<groupOutputs {
            let output = input / (problem.inputs / geometry.groups) * groupOutputs + o
            column[output * rows + offset(place, result)] += Double(
              values[(input * groupOutputs + o) * taps + offset(tap, geometry.kernel)])
          }
        }
        return column
      }
    }
  }

  @Test(arguments: TransposedCase.all) func equalsTheDenseMatrix(problem: TransposedCase) {
    let u = randomTensor([2, problem.inputs] + problem.grid, sample: 1)
    let weight = randomTensor(problem.weightShape, sample: 2)
    let bias = randomTensor([problem.outputs], sample: 3)
    let result = transposedConvolution(
      Variable(u), weight: Variable(weight), bias: Variable(bias), problem.geometry,
      outputPadding: problem.outputPadding
    ).value
    let columns = matrix(problem, weight)
    let points = result.count / 2 / problem.outputs
    var expected: [Double] = []
    for sample in 0..<2 {
      var sum = (0..<problem.outputs * points).map { Double(bias.scalars[$0 / points]) }
      for (index, column) in columns.enumerated() {
        let value = Double(u.scalars[sample * columns.count + index])
        for row in sum.indices { sum[row] += value * column[row] }
      }
      expected += sum
    }
    // Sums of some 20 products.
    #expect(
      relativeError(Tensor<Double>(converting: result), Tensor(shape: result.shape, scalars: expected)) < 1e-6
    )
  }

  /// ⟨C x, y⟩ = ⟨x, Cᵀ y⟩ with the convolution of the same geometry and weight.
  @Test(arguments: TransposedCase.all) func isTheAdjointOfTheConvolution(problem: TransposedCase) {
    let y = randomTensor([2, problem.inputs] + problem.grid, sample: 1)
    let weight = Variable(randomTensor(problem.weightShape, sample: 2))
    let transposed = transposedConvolution(
      Variable(y), weight: weight, bias: nil, problem.geometry, outputPadding: problem.outputPadding)
    let x = randomTensor(transposed.shape, sample: 3)
    let forward = convolution(Variable(x), weight: weight, bias: nil, problem.geometry)
    #expect(forward.shape == y.shape)
    func product(_ a: Tensor<Float>, _ b: Tensor<Float>) -> Double {
      zip(a.scalars, b.scalars).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    let (left, right) = (product(forward.value, y), product(x, transposed.value))
    let size = (product(x, x) * product(transposed.value, transposed.value)).squareRoot()
    #expect(abs(left - right) < 1e-6 * size)
  }

  /// Linear in every argument: a central difference has no truncation error.
  @Test(arguments: TransposedCase.all) func gradient(problem: TransposedCase) {
    let u = Parameter(randomTensor([2, problem.inputs] + problem.grid, sample: 1))
    let weight = Parameter(randomTensor(problem.weightShape, sample: 2))
    let bias = Parameter(randomTensor([problem.outputs], sample: 3))
    let errors = gradientDisagreements([u, weight, bias], step: 0.5) {
      transposedConvolution(
        $0(u), weight: $0(weight), bias: $0(bias), problem.geometry, outputPadding: problem.outputPadding)
    }
    #expect(errors.allSatisfy { $0 < 1e-4 }, "\(errors)")
  }

  /// PyTorch's `conv_transpose`, from `Tests/Golden/transposed_convolution.py`.
  @Test func equalsPyTorch() throws {
    struct Case: Decodable {
      let input, weight, output: Shape
      let stride, dilation, padding, outputPadding: [Int]
      let groups: Int
      let values: [Float]
    }
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/transposed_convolution.json")
    let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: url))
    #expect(cases.count == 6)
    func ramp(_ shape: Shape, _ step: Int) -> Tensor<Float> {
      // Small whole numbers: both sides are exact.
      Tensor(shape: shape, scalars: (0..<shape.reduce(1, *)).map { Float($0 * step % 11 - 5) })
    }
    for problem in cases {
      let geometry = ConvolutionGeometry(
        kernel: Array(problem.weight.dropFirst(2)), stride: problem.stride, dilation: problem.dilation,
        padding: problem.padding, groups: problem.groups)
      let result = transposedConvolution(
        Variable(ramp(problem.input, 3)), weight: Variable(ramp(problem.weight, 7)),
        bias: Variable(ramp([problem.output[1]], 2)), geometry, outputPadding: problem.outputPadding)
      #expect(result.value == Tensor(shape: problem.output, scalars: problem.values))
    }
  }

  @Test func swappingChannelsTwiceChangesNothing() {
    let weight = Parameter(randomTensor([4, 3, 2, 2], sample: 1))
    let swapped = swapChannels(Variable(weight.value), groups: 2)
    #expect(swapped.shape == [6, 2, 2, 2])
    // Group 1, input 3 = row 1, output 1 of the group.
    #expect(swapped.value[4, 1, 1, 0] == weight.value[3, 1, 1, 0])
    #expect(swapChannels(swapped, groups: 2).value == weight.value)
    #expect(gradientDisagreements([weight], step: 0.5) { swapChannels($0(weight), groups: 2) }[0] < 1e-5)
  }

  @Test func whatDoesNotFitIsExplained() {
    let geometry = ConvolutionGeometry(kernel: [2], stride: [2])
    #expect(geometry.transposedProblem(grid: [4]) == nil)
    #expect(geometry.transposedGrid([4], outputPadding: [1]) == [9])
    #expect(
      geometry.transposedProblem(grid: [4], outputPadding: [2])
        == "an output padding of 2 with a stride of 2: it must be less, and not negative")
    #expect(
      ConvolutionGeometry(kernel: [2], padding: [3]).transposedProblem(grid: [4])
        == "the padding [3] leaves nothing of a grid [4]")
    #expect(
      geometry.transposedProblem(grid: [4, 4]) == "a kernel [2] with output padding [0] on a grid [4, 4]")
  }
}
