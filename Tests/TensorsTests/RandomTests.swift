import Foundation
import Tensors
import Testing

@Suite struct RandomTests {
  /// The known answers of the authors' Random123 distribution (file `kat_vectors`).
  @Test func philoxGivesTheKnownAnswers() {
    #expect(
      Philox.block(counter: .zero, key: .zero)
        == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    let ones = UInt32.max
    #expect(
      Philox.block(counter: SIMD4(repeating: ones), key: SIMD2(repeating: ones))
        == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    #expect(
      Philox.block(
        counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
        key: SIMD2(0xa409_3822, 0x299f_31d0))
        == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test func aDrawDependsOnItsKeyAlone() {
    var first = Philox(seed: 7, stream: .inputs, sample: 3)
    var second = Philox(seed: 7, stream: .inputs, sample: 3)
    #expect((0..<100).allSatisfy { _ in first.next() == second.next() })
  }

  @Test func streamsSamplesAndSeedsDiffer() {
    let generators = [
      Philox(seed: 7, stream: .inputs, sample: 3), Philox(seed: 7, stream: .inputs, sample: 4),
      Philox(seed: 7, stream: .noise, sample: 3), Philox(seed: 8, stream: .inputs, sample: 3),
      Philox(seed: 7 + 1 << 40, stream: .inputs, sample: 3),
    ]
    let draws = Set(
      generators.map { generator in
        var generator = generator
        return generator.next()
      })
    #expect(draws.count == generators.count)
  }

  @Test func aSavedGeneratorContinues() throws {
    var original = Philox(seed: 1, stream: .proposals)
    for _ in 0..<5 { _ = original.nextNormal() }
    var restored = try JSONDecoder().decode(Philox.self, from: JSONEncoder().encode(original))
    for _ in 0..<9 { #expect(original.nextNormal() == restored.nextNormal()) }
  }

  @Test(arguments: [0, 1, 2, 3, 7])
  func filledDeviatesAreThoseDrawnOneByOne(before: Int) {
    for count in [0, 1, 2, 5, 128, 1001] {
      var one = Philox(seed: 5, stream: .proposals, sample: 9)
      var many = one
      for _ in 0..<before { #expect(one.nextNormal() == many.nextNormal()) }
      if before == 7 { #expect(one.next32() == many.next32()) }
      let filled = many.normal(shape: [count]).scalars
      for value in filled {
        let expected = one.nextNormal()
        // A few ulps of logarithm, sine and cosine; near a zero of these, of their argument.
        #expect(abs(value - expected) < 4e-15 * (1 + abs(expected)))
      }
      // Both go on alike, at the same place.
      #expect(one.next() == many.next())
    }
  }

  @Test func filledDeviatesHaveTheirMoments() {
    let n = 200_000
    var random = Philox(seed: 12, stream: .noise)
    let values = random.normal(shape: [n]).scalars
    let moments = (1...4).map { power in values.reduce(0) { $0 + pow($1, Double(power)) } / Double(n) }
    // The standard errors are √(1/n), √(2/n), √(15/n), √(96/n).
    for (moment, law) in zip(moments, [(0.0, 1.0), (1, 2), (0, 15), (3, 96)]) {
      #expect(abs(moment - law.0) < 5 * (law.1 / Double(n)).squareRoot())
    }
  }

  /// Sample moments of n draws: the standard errors are √(1/n), √(2/n) and √(96/n) for the mean, the
  /// variance and the fourth moment; five of them are exceeded once in two million.
  @Test func normalDeviatesHaveTheirMoments() {
    let n = 200_000
    var random = Philox(seed: 11, stream: .noise)
    var (mean, square, fourth) = (0.0, 0.0, 0.0)
    for _ in 0..<n {
      let x = random.nextNormal()
      mean += x
      square += x * x
      fourth += x * x * x * x
    }
    let count = Double(n)
    #expect(abs(mean / count) < 5 * (1 / count).squareRoot())
    #expect(abs(square / count - 1) < 5 * (2 / count).squareRoot())
    #expect(abs(fourth / count - 3) < 5 * (96 / count).squareRoot())
  }

  @Test func uniformDeviatesFillTheirBins() {
    var random = Philox(seed: 5, stream: .inputs)
    var bins = [Int](repeating: 0, count: 16)
    for _ in 0..<16_000 { bins[Int(random.nextUniform() * 16)] += 1 }
    // χ² with 15 degrees of freedom exceeds 44.3 with probability 1e-4.
    let statistic = bins.reduce(0.0) { $0 + pow(Double($1) - 1000, 2) / 1000 }
    #expect(statistic < 44.3)
  }

  @Test func permutationsHoldEveryIndexOnce() {
    var random = Philox(seed: 5, stream: .shuffling, sample: 2)
    #expect(random.permutation(50).sorted() == Array(0..<50))
  }

  @Test func aBlockStartsWhereTheLastOneEnds() {
    var whole = Philox(seed: 4, stream: .noise)
    var half = whole
    _ = (whole.next(), whole.next())
    // One number of 64 bits is half a block: the other half is dropped.
    _ = half.next()
    half.startBlock()
    #expect(half.next() == whole.next())
    half.startBlock()
    var normals = half
    let fast = normals.normal(shape: [64]).scalars
    var slow = half
    for value in fast {
      // The kernel's sine and logarithm differ from the library's in the last digits.
      #expect(abs(value - slow.nextNormal()) < 1e-13 * max(1, abs(value)))
    }
  }
}
