import Foundation
import Tensors
import TestSupport
import Testing

/// Transforms against the definition, summed directly.
@Suite struct FourierTransformTests {
  /// The half spectrum of a real sequence by the sum that defines it.
  private func directSpectrum(_ values: [Double]) -> [Double] {
    let n = values.count
    return (0...n / 2).flatMap { k -> [Double] in
      var (real, imaginary) = (0.0, 0.0)
      for (j, value) in values.enumerated() {
        let angle = -2 * Double.pi * Double(k * j % n) / Double(n)
        real += value * cos(angle)
        imaginary += value * sin(angle)
      }
      return [real, imaginary]
    }
  }

  private func noise(_ shape: Shape, seed: UInt64 = 1) -> Tensor<Double> {
    var random = Philox(seed: seed, stream: .inputs)
    return random.normal(shape: shape)
  }

  // Rounding of an n-term sum grows like n · 1.1e-16; n is at most 97 here.
  @Test(arguments: [1, 2, 3, 8, 17, 60, 85, 97])
  func forwardIsTheDefinition(n: Int) {
    let values = noise([2, n])
    let spectrum = FFT.forward(values, dimensions: 1)
    for row in 0..<2 {
      let expected = directSpectrum(values[first: row..<row + 1].scalars)
      let observed = spectrum[first: row..<row + 1].scalars
      for (a, b) in zip(expected, observed) { #expect(abs(a - b) < 1e-12) }
    }
  }

  @Test(arguments: [[5], [8], [6, 10], [7, 9], [4, 6, 8], [3, 5, 7]])
  func inverseUndoesForward(shape: Shape) {
    let values = noise([3] + shape)
    let back = FFT.inverse(FFT.forward(values, dimensions: shape.count), shape: shape)
    #expect(relativeError(back, values) < 1e-14)  // a few roundings
  }

  @Test func singlePrecisionAgreesWithDouble() {
    let values = noise([4, 12, 10])
    let double = FFT.forward(values, dimensions: 2)
    let single = FFT.forward(Tensor<Float>(converting: values), dimensions: 2)
    #expect(relativeError(Tensor<Double>(converting: single), double) < 1e-6)  // 2⁻²⁴ times a few
  }

  /// PyTorch and numpy ignore the imaginary parts of the mean and Nyquist column; FFTW's own
  /// multi-dimensional transform would not.
  @Test func inverseOfANonHermitianSpectrumIgnoresWhatNoRealFieldHas() {
    let (rows, columns) = (4, 6)
    let spectrum = noise([rows, columns / 2 + 1, 2])
    let observed = FFT.inverse(spectrum, shape: [rows, columns])
    var expected = Tensor<Double>(shape: [rows, columns])
    for x in 0..<rows {
      for y in 0..<columns {
        var sum = 0.0
        for kx in 0..<rows {
          for ky in 0...columns / 2 {
            let weight = ky == 0 || 2 * ky == columns ? 1.0 : 2.0
            let angle =
              2 * Double.pi * (Double(kx * x) / Double(rows) + Double(ky * y) / Double(columns))
            sum += weight * (spectrum[kx, ky, 0] * cos(angle) - spectrum[kx, ky, 1] * sin(angle))
          }
        }
        expected[x, y] = sum / Double(rows * columns)
      }
    }
    #expect(relativeError(observed, expected) < 1e-13)
  }

  @Test func interleavedTransformsActAlongTheLeadingAxis() {
    let (n, batch) = (6, 5)
    var input = noise([n, batch, 2])
    var output = Tensor<Double>(shape: [n, batch, 2])
    let transform = FourierTransform<Double>(.complexForward, shape: [n], batch: batch, interleaved: true)
    input.withUnsafeMutableBuffer { source in
      output.withUnsafeMutableBuffer { transform(source.baseAddress!, $0.baseAddress!) }
    }
    for column in 0..<batch {
      for k in 0..<n {
        var (real, imaginary) = (0.0, 0.0)
        for j in 0..<n {
          let angle = -2 * Double.pi * Double(k * j) / Double(n)
          real += input[j, column, 0] * cos(angle) - input[j, column, 1] * sin(angle)
          imaginary += input[j, column, 0] * sin(angle) + input[j, column, 1] * cos(angle)
        }
        #expect(abs(output[k, column, 0] - real) < 1e-13)
        #expect(abs(output[k, column, 1] - imaginary) < 1e-13)
      }
    }
  }

  @Test func cosineSynthesisUndoesAnalysis() {
    let n = 7
    var values = noise([n])
    var coefficients = Tensor<Double>(shape: [n])
    var back = Tensor<Double>(shape: [n])
    let original = values
    values.withUnsafeMutableBuffer { v in
      coefficients.withUnsafeMutableBuffer { c in
        back.withUnsafeMutableBuffer { b in
          FourierTransform<Double>(.cosineAnalysis, shape: [n])(v.baseAddress!, c.baseAddress!)
          FourierTransform<Double>(.cosineSynthesis, shape: [n])(c.baseAddress!, b.baseAddress!)
          Double.scale(n, 1 / Double(2 * n), b.baseAddress!)
        }
      }
    }
    #expect(relativeError(back, original) < 1e-14)
  }

  @Test func plansCanBeMadeAndRunFromManyThreads() {
    let inputs = (0..<64).map { noise([1, 16 + $0 % 7], seed: UInt64($0)) }
    let expected = inputs.map { FFT.forward($0, dimensions: 1) }
    var agree = [Bool](repeating: false, count: 64)
    agree.withUnsafeMutableBufferPointer { agree in
      nonisolated(unsafe) let agree = agree
      parallelForEach(64) { index, _ in
        agree[index] = FFT.forward(inputs[index], dimensions: 1) == expected[index]
      }
    }
    #expect(agree.allSatisfy { $0 })
  }
}
