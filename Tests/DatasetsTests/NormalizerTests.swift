import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct NormalizerTests {
  private func samples(_ shape: Shape, offset: Double = 3) -> Tensor<Float> {
    var random = Philox(seed: 5, stream: .inputs)
    return Tensor<Float>(
      shape: shape, scalars: (0..<shape.reduce(1, *)).map { _ in Float(offset + 2 * random.nextNormal()) })
  }

  @Test func pointwiseStatisticsAreThoseOfTheFormula() throws {
    let values = samples([7, 2, 3, 4])
    let normalizer = try Normalizer(.pointwise, fitting: values)
    #expect(normalizer.shape == [2, 3, 4])
    for point in 0..<24 {
      let column = (0..<7).map { Double(values.scalars[$0 * 24 + point]) }
      let mean = column.reduce(0, +) / 7
      let variance = column.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 6
      // Both are rounded once to single precision.
      #expect(abs(Double(normalizer.mean[point]) - mean) <= abs(mean) * 0x1p-24)
      #expect(abs(Double(normalizer.scale[point]) - variance.squareRoot() - 1e-5) <= 10 * 0x1p-24)
    }
    var encoded = values
    try normalizer.encode(&encoded)
    let again = try Normalizer(.pointwise, fitting: encoded)
    // Mean 0 and deviation σ / (σ + 10⁻⁵), up to the rounding of numbers below 4.
    #expect(again.mean.allSatisfy { abs($0) < 4 * 0x1p-23 })
    #expect(again.scale.allSatisfy { abs($0 - 1) < 5e-5 })
  }

  @Test func globalStatisticsAreOnePerChannel() throws {
    let values = samples([7, 2, 30])
    let normalizer = try Normalizer(.global, fitting: values)
    #expect(normalizer.mean.count == 2)
    for channel in 0..<2 {
      let numbers = (0..<7).flatMap { sample in
        (0..<30).map { Double(values.scalars[(sample * 2 + channel) * 30 + $0]) }
      }
      let mean = numbers.reduce(0, +) / 210
      let variance = numbers.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 209
      #expect(abs(Double(normalizer.mean[channel]) - mean) <= 4 * 0x1p-24)
      #expect(abs(Double(normalizer.scale[channel]) - variance.squareRoot() - 1e-5) <= 4 * 0x1p-24)
    }
    // The same normalizer at another resolution.
    var fine = samples([2, 2, 60])
    let first = fine[1, 1, 59]
    try normalizer.encode(&fine)
    #expect(fine[1, 1, 59] == (first - normalizer.mean[1]) / normalizer.scale[1])
  }

  @Test(arguments: Normalizer.Kind.allCases)
  func decodingUndoesEncoding(kind: Normalizer.Kind) throws {
    let values = samples([6, 3, 50, 50], offset: 1)
    let normalizer = try Normalizer(kind, fitting: values)
    var copy = values
    try normalizer.encode(&copy)
    if kind != .none { #expect(copy != values) }
    try normalizer.decode(&copy)
    // Four roundings of numbers of at most the largest one.
    let largest = Double(values.scalars.map(abs).max() ?? 0)
    #expect(largestDifference(copy, values) <= 4 * largest * 0x1p-24)
  }

  @Test func constantFieldsStayFinite() throws {
    let values = Tensor<Float>(shape: [4, 1, 5], repeating: 7)
    for kind in [Normalizer.Kind.pointwise, .global] {
      var copy = values
      let normalizer = try Normalizer(kind, fitting: values)
      try normalizer.encode(&copy)
      #expect(copy.scalars.allSatisfy { $0 == 0 })
      try normalizer.decode(&copy)
      #expect(copy == values)
    }
  }

  @Test func theNumberOfThreadsDoesNotMatter() throws {
    let values = samples([9, 2, 40, 40])
    let threads = Parallelism.threadCount
    defer { Parallelism.threadCount = threads }
    for kind in [Normalizer.Kind.pointwise, .global] {
      Parallelism.threadCount = 1
      let one = try Normalizer(kind, fitting: values)
      Parallelism.threadCount = 3
      #expect(try Normalizer(kind, fitting: values) == one)
    }
  }

  /// Samples that do not fit into memory come in parts: the same bits, whatever the parts.
  @Test(arguments: Normalizer.Kind.allCases) func partsGiveTheSameBits(kind: Normalizer.Kind) throws {
    let values = samples([11, 2, 9, 5])
    let whole = try Normalizer(kind, fitting: values)
    for length in [1, 3, 10] {
      let parted = try Normalizer(kind, shape: [2, 9, 5]) { take in
        for first in stride(from: 0, to: 11, by: length) {
          take(values[first: first..<min(11, first + length)])
        }
      }
      #expect(parted == whole)
    }
    struct Unreadable: Error {}
    if kind != .none {
      #expect(throws: Unreadable.self) { try Normalizer(kind, shape: [2, 9, 5]) { _ in throw Unreadable() } }
      #expect(throws: DatasetError.self) { try Normalizer(kind, shape: [2, 9, 5]) { _ in } }
    }
  }

  @Test func shapesThatDoNotFitAreErrors() throws {
    let pointwise = try Normalizer(.pointwise, fitting: samples([4, 1, 8, 8]))
    var fine = samples([2, 1, 16, 16])
    let error = #expect(throws: DatasetError.self) { try pointwise.encode(&fine) }
    #expect(
      error?.description.contains("fitted to channels and grid [1, 8, 8] cannot take [1, 16, 16]") == true)
    let global = try Normalizer(.global, fitting: samples([4, 1, 8, 8]))
    var channels = samples([2, 3, 8, 8])
    #expect(throws: DatasetError.self) { try global.decode(&channels) }
    #expect(throws: DatasetError.self) { try Normalizer(.pointwise, fitting: samples([1, 1, 8])) }
  }

  @Test func itSurvivesItsCode() throws {
    let normalizer = try Normalizer(.pointwise, fitting: samples([4, 1, 8]))
    let data = try JSONEncoder().encode(normalizer)
    #expect(try JSONDecoder().decode(Normalizer.self, from: data) == normalizer)
  }
}
