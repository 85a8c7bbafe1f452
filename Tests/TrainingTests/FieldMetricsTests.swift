import Foundation
import Tensors
import Testing
import Training

/// Measures of fields against the values that Tests/Golden/field_metrics.py printed, from the same formula.
@Suite struct FieldMetricsTests {
  private func field(_ shape: Shape, _ shift: Double) -> Tensor<Float> {
    Tensor(
      shape: shape,
      scalars: (0..<shape.reduce(1, *)).map { index in
        let x = Double(index)
        return Float(sin(0.37 * x + shift) + 0.3 * cos(1.9 * x * (1 + shift)) + 0.2)
      })
  }

  /// The inputs are rounded to 6e-8 on both sides, perhaps differently where sine and cosine differ in the last
  /// bit; differences of fields that are four times smaller multiply that by four.
  private func expect(_ value: Double, _ reference: Double, sourceLocation: SourceLocation = #_sourceLocation)
  {
    #expect(abs(value - reference) <= 1e-6 * abs(reference) + 1e-9, sourceLocation: sourceLocation)
  }

  private static let cases: [(shape: Shape, pdebench: [Double], vrmse: [Double], bands: [[Double]])] = [
    (
      [3, 2, 40],
      [
        0.302706552, 0.397965748, 0.00865489961, 0.642013893, 0.258026422, 0.013160582, 0.012265759,
        0.045186534,
      ],
      [0.378544338, 0.405396977, 0.441377203],
      [
        [0, 0, 0.0396384849, 1.01173772], [1, 1, 0.0888437226, 1.07505217], [2, 3, 0.0555824232, 1.00666818],
        [4, 7, 0.128107976, 0.912905902], [8, 15, 1.30300556, 0.883073788],
        [16, 20, 0.783914152, 1.73247719],
      ]
    ),
    (
      [2, 2, 28, 33],
      [
        0.302360557, 0.395242862, 0.000108872084, 0.646728741, 0.306568809, 0.00233431555, 0.0113393136,
        0.0143087048,
      ],
      [0.409290949, 0.409638815],
      [
        [0, 0, 0.000543488665, 0.999907291], [1, 1, 0.0638535015, 0.936285696],
        [2, 3, 0.0500933351, 1.00030148], [4, 7, 0.0603674726, 0.996528049], [8, 14, 1.87510108, 3.90916663],
      ]
    ),
  ]

  @Test(arguments: cases.indices)
  func agreeWithTheReference(index: Int) {
    let (shape, pdebench, vrmse, bands) = Self.cases[index]
    let (prediction, target) = (field(shape, 0.1), field(shape, 0.05))
    var measures = PDEBenchMetrics()
    var spectrum = SpectralError()
    // Sample by sample: the result must be that of one batch.
    for sample in 0..<shape[0] {
      measures.add(prediction[first: sample..<sample + 1], target[first: sample..<sample + 1])
      spectrum.add(prediction[first: sample..<sample + 1], target[first: sample..<sample + 1])
    }
    let result = measures.result
    let values = [
      result.rootMeanSquare, result.normalizedRootMeanSquare, result.conservation, result.maximum,
      result.boundary, result.frequency.low, result.frequency.middle, result.frequency.high,
    ]
    for (value, reference) in zip(values, pdebench) { expect(value, reference) }
    let (left, right) = (Tensor<Double>(converting: prediction), Tensor<Double>(converting: target))
    for (value, reference) in zip(Metrics.varianceScaledError(left, right), vrmse) {
      expect(value, reference)
    }
    #expect(spectrum.bands.count == bands.count)
    for (band, reference) in zip(spectrum.bands, bands) {
      #expect(band.from == Int(reference[0]) && band.through == Int(reference[1]))
      expect(band.relativeL2, reference[2])
      expect(band.energyRatio, reference[3])
    }
  }

  @Test func aSmallGridHasNoHighFrequencies() {
    var measures = PDEBenchMetrics()
    measures.add(field([1, 1, 12], 0.1), field([1, 1, 12], 0))
    #expect(measures.result.frequency.high.isNaN && measures.result.frequency.middle.isFinite)
  }

  @Test func correlationIsOneForAnyPositiveScale() {
    let target = Tensor<Double>(shape: [1, 2, 4], scalars: [1, 2, 4, 3, 0, 1, 0, -1])
    let prediction = Tensor<Double>(shape: [1, 2, 4], scalars: [3, 5, 9, 7, 0, -2, 0, 2])
    // 2x + 1 in the first channel, −2x in the second; sums of small whole numbers.
    let correlations = Metrics.correlation(prediction, target)
    #expect(correlations.count == 1)
    #expect(abs(correlations[0][0] - 1) < 1e-15 && abs(correlations[0][1] + 1) < 1e-15)
  }
}
