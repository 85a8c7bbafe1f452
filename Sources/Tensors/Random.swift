import CKernels
import Glibc

/// Philox4x32-10: a counter-based generator keyed by (seed, stream, sample).
///
/// Any draw is a function of its key and its position, so sample i is the same whatever thread, shard or
/// run draws it, and generators of different streams or samples never overlap (each has 2³⁴ outputs of 32
/// bits). Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
public struct Philox: RandomNumberGenerator, Sendable, Equatable, Codable {
  /// What the numbers are for; distinct purposes never share numbers.
  public struct Stream: Sendable, Equatable, Codable {
    /// The number that enters the counter.
    public let identifier: UInt32

    /// A stream of another purpose than those named here.
    public init(identifier: UInt32) { self.identifier = identifier }

    /// Inputs of a dataset: initial conditions, coefficients.
    public static let inputs = Stream(identifier: 1)
    /// The initial weights of a model.
    public static let weights = Stream(identifier: 2)
    /// The order of the training samples in an epoch.
    public static let shuffling = Stream(identifier: 3)
    /// Observation noise of an inverse problem.
    public static let noise = Stream(identifier: 4)
    /// Proposals of a Markov chain; the sample is the chain.
    public static let proposals = Stream(identifier: 5)
    /// Starting points of Markov chains.
    public static let starts = Stream(identifier: 6)
    /// Directions of the derivatives in a dataset.
    public static let directions = Stream(identifier: 7)
    /// Proposals of a Markov chain for the posterior of a surrogate that a second chain corrects.
    public static let surrogateProposals = Stream(identifier: 16)
  }

  private let key: SIMD2<UInt32>
  private var counter: SIMD4<UInt32>
  private var block: SIMD4<UInt32> = .zero
  private var used = 4
  private var spareNormal: Double?

  /// The generator of one sample of one stream.
  public init(seed: UInt64, stream: Stream, sample: Int = 0) {
    let sample = UInt64(sample)
    key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    counter = SIMD4(
      0, stream.identifier, UInt32(truncatingIfNeeded: sample), UInt32(truncatingIfNeeded: sample >> 32))
  }

  /// The next 32 random bits.
  public mutating func next32() -> UInt32 {
    if used == 4 {
      block = Self.block(counter: counter, key: key)
      counter[0] &+= 1
      used = 0
    }
    defer { used += 1 }
    return block[used]
  }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    let high = UInt64(next32())
    return high << 32 | UInt64(next32())
  }

  /// A number in [0, 1), uniform on multiples of 2⁻⁵³.
  public mutating func nextUniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A standard normal deviate (Box and Muller 1958; pairs are used in turn).
  public mutating func nextNormal() -> Double {
    if let spare = spareNormal {
      spareNormal = nil
      return spare
    }
    let radius = (-2 * log(1 - nextUniform())).squareRoot()  // 1 - u is in (0, 1]
    let angle = 2 * Double.pi * nextUniform()
    spareNormal = radius * sin(angle)
    return radius * cos(angle)
  }

  /// Fills `values` with standard normal deviates: those of `nextNormal`, up to rounding, at a tenth of the cost.
  public mutating func fillNormal(_ values: UnsafeMutableBufferPointer<Double>) {
    var next = 0
    // The kernel makes whole blocks, and a block makes a pair.
    if used == 4, spareNormal == nil, values.count >= 2 {
      let pairs = values.count / 2
      let (counterWords, keyWords) = ([counter[0], counter[1], counter[2], counter[3]], [key[0], key[1]])
      ck_philox_normals(pairs, counterWords, keyWords, values.baseAddress!)
      counter[0] &+= UInt32(pairs)
      next = 2 * pairs
    }
    for index in next..<values.count { values[index] = nextNormal() }
  }

  /// Drops what is left of numbers that were made ahead, so that the next normal deviates are made by whole blocks.
  public mutating func startBlock() {
    used = 4
    spareNormal = nil
  }

  /// A tensor of standard normal deviates.
  public mutating func normal(shape: Shape) -> Tensor<Double> {
    Tensor(shape: shape) { fillNormal($0) }
  }

  /// `0..<count` in random order (Fisher and Yates).
  public mutating func permutation(_ count: Int) -> [Int] { Array(0..<count).shuffled(using: &self) }

  /// The ten rounds of Philox4x32.
  package static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var c = counter
    var k = key
    for _ in 0..<10 {
      let p0 = UInt64(c[0]) &* 0xD251_1F53
      let p1 = UInt64(c[2]) &* 0xCD9E_8D57
      c = SIMD4(
        UInt32(truncatingIfNeeded: p1 >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ c[3] ^ k[1], UInt32(truncatingIfNeeded: p0))
      k &+= SIMD2(0x9E37_79B9, 0xBB67_AE85)
    }
    return c
  }
}
