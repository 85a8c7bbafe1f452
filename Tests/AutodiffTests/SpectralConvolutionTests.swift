import Autodiff
import Tensors
import TestSupport
import Testing

/// One problem: a grid, and how many modes are kept.
struct SpectralCase: CustomTestStringConvertible, Sendable {
  let grid: Shape
  let modes: [Int]
  var inputs = 3
  var outputs = 2

  var testDescription: String { "\(grid) with modes \(modes), \(inputs) to \(outputs) channels" }

  var weightShape: Shape {
    Shape(modes.dropLast().map { 2 * $0 }) + modes.suffix(1) + [2, inputs, outputs]
  }
}

@Suite struct SpectralConvolutionTests {
  /// Even, odd and awkward lengths; few modes, and all up to the Nyquist frequency; channels below, above
  /// and not divisible by the width of a vector.
  static let cases = [
    SpectralCase(grid: [16], modes: [5]), SpectralCase(grid: [16], modes: [9]),
    SpectralCase(grid: [15], modes: [8]), SpectralCase(grid: [1], modes: [1]),
    SpectralCase(grid: [94], modes: [16], inputs: 5, outputs: 20),
    SpectralCase(grid: [4], modes: [3]), SpectralCase(grid: [8], modes: [1]),
    SpectralCase(grid: [404], modes: [10], inputs: 18, outputs: 5),
    SpectralCase(grid: [8, 10], modes: [2, 3]), SpectralCase(grid: [8, 10], modes: [4, 6]),
    SpectralCase(grid: [9, 7], modes: [4, 4]), SpectralCase(grid: [7, 8], modes: [3, 5]),
    SpectralCase(grid: [17, 12], modes: [1, 1], inputs: 2, outputs: 17),
    SpectralCase(grid: [10, 10], modes: [3, 4], inputs: 20, outputs: 33),
    SpectralCase(grid: [6, 7, 5], modes: [2, 3, 2]), SpectralCase(grid: [4, 6, 8], modes: [2, 3, 5]),
    SpectralCase(grid: [5, 4, 6], modes: [1, 1, 3], inputs: 2, outputs: 17),
  ]

  /// The layer as the papers write it: full FFT, truncation, product, zero padding, inverse FFT.
  private func reference(_ u: Tensor<Float>, _ weight: Tensor<Float>, _ problem: SpectralCase) -> Tensor<
    Double
  > {
    let grid = problem.grid
    let samples = u.shape[0]
    let half = grid[grid.count - 1] / 2 + 1
    let rows = grid.dropLast().reduce(1, *)
    let spectrum = FFT.forward(Tensor<Double>(converting: u), dimensions: grid.count)
      .reshaped(to: [samples, problem.inputs, rows, half, 2])
    let keptRows = problem.modes.dropLast().reduce(1) { $0 * 2 * $1 }
    let last = problem.modes[grid.count - 1]
    let w = Tensor<Double>(converting: weight)
      .reshaped(to: [keptRows, last, 2, problem.inputs, problem.outputs])
    var mixed = Tensor<Double>(shape: [samples, problem.outputs, rows, half, 2])
    for b in 0..<samples {
      for kept in 0..<keptRows {
        // The row of the spectrum that holds this row of weights: negative frequencies are at its end.
        var (rest, row, stride) = (kept, 0, 1)
        for axis in (0..<grid.count - 1).reversed() {
          let index = rest % (2 * problem.modes[axis])
          row += stride * (index < problem.modes[axis] ? index : grid[axis] - 2 * problem.modes[axis] + index)
          stride *= grid[axis]
          rest /= 2 * problem.modes[axis]
        }
        for k in 0..<last {
          for o in 0..<problem.outputs {
            for i in 0..<problem.inputs {
              let (xr, xi) = (spectrum[b, i, row, k, 0], spectrum[b, i, row, k, 1])
              let (rr, ri) = (w[kept, k, 0, i, o], w[kept, k, 1, i, o])
              mixed[b, o, row, k, 0] += xr * rr - xi * ri
              mixed[b, o, row, k, 1] += xr * ri + xi * rr
            }
          }
        }
      }
    }
    return FFT.inverse(
      mixed.reshaped(to: [samples, problem.outputs] + grid.dropLast() + [half, 2]), shape: grid)
  }

  @Test(arguments: cases)
  func equalsTheTruncatedFFT(problem: SpectralCase) {
    let u = randomTensor([3, problem.inputs] + problem.grid, sample: 1)
    let weight = randomTensor(problem.weightShape, sample: 2)
    let result = spectralConvolution(Variable(u), weight: Variable(weight)).value
    // Sums of some hundred single-precision products in each of three stages.
    #expect(relativeError(Tensor<Double>(converting: result), reference(u, weight, problem)) < 1e-6)
  }

  /// Linear in the field and in the weight: a central difference has no truncation error, so a large step
  /// leaves rounding alone.
  @Test(arguments: cases)
  func gradient(problem: SpectralCase) {
    let u = Parameter(randomTensor([3, problem.inputs] + problem.grid, sample: 1))
    let weight = Parameter(randomTensor(problem.weightShape, sample: 2))
    let errors = gradientDisagreements([u, weight], step: 0.5) {
      spectralConvolution($0(u), weight: $0(weight))
    }
    #expect(errors.allSatisfy { $0 < 1e-4 }, "\(errors)")
  }

  @Test func tooManyModesAreExplained() {
    #expect(TruncatedFourierTransform.problem(grid: [16], modes: [9]) == nil)
    #expect(
      TruncatedFourierTransform.problem(grid: [16], modes: [10])
        == "10 modes do not fit the 16 points of axis 0, which hold at most 9")
    #expect(TruncatedFourierTransform.problem(grid: [9, 8], modes: [4, 5]) == nil)
    #expect(
      TruncatedFourierTransform.problem(grid: [9, 8], modes: [5, 5])
        == "5 modes do not fit the 9 points of axis 0, which hold at most 4")
    #expect(TruncatedFourierTransform.problem(grid: [8, 8], modes: [3]) != nil)
  }
}
