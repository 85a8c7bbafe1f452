import Foundation
import Tensors

/// A Markov kernel that leaves the posterior of an inverse problem invariant.
///
/// It moves several chains at once, so that one call of the forward map serves all of them. What it does with
/// one chain does not depend on the others. Step sizes and random numbers come from outside: the numbers of
/// iteration i of chain c depend on (seed, c, i) alone.
public protocol Sampler: Sendable {
  /// Its name in configurations and files: `pcn`.
  var name: String { get }

  /// The problem whose posterior it samples.
  var problem: InverseProblem { get }

  /// The acceptance rate that its step size is best tuned to.
  var customaryAcceptance: Double { get }

  /// The largest step size that it takes; 1 by default.
  var largestStepSize: Double { get }

  /// The points `[chain, coordinate]` with everything that `step` needs to know of them.
  func evaluate(_ coordinates: Tensor<Double>) throws -> ChainPoints

  /// Moves every chain once.
  ///
  /// - Parameters:
  ///   - points: as `evaluate` or an earlier step left them; unchanged if something is thrown.
  ///   - stepSizes: β of every chain, positive and no larger than `largestStepSize`: up to 1 the share of fresh noise
  ///     in a proposal.
  ///   - randoms: a generator for every chain.
  func step(_ points: inout ChainPoints, stepSizes: [Double], randoms: inout [Philox]) throws -> StepOutcome
}

extension Sampler {
  /// 1.
  public var largestStepSize: Double { 1 }
}

/// The present points of several chains, with what was computed there.
public struct ChainPoints: Sendable, Equatable {
  /// The coordinates ξ, `[chain, coordinate]`.
  public var coordinates: Tensor<Double>
  /// Their fields, `[chain, 1, ...grid]`, if the sampler keeps them.
  public var fields: Tensor<Double>?
  /// The misfit Φ of every point.
  public var misfits: [Double]
  /// The variance of the noise in units of the problem's, of every chain: 1 unless it is inferred.
  ///
  /// A chain samples exp(−Φ / variance).
  public var noiseVariances: [Double]
  /// The gradients of Φ, `[chain, coordinate]`; `[chain, 0]` for samplers without.
  public var gradients: Tensor<Double>
  /// The misfits of the screening surrogate, for delayed acceptance; else empty.
  public var screeningMisfits: [Double]
  /// The gradients of the surrogate's misfit, for delayed acceptance; `[chain, 0]` where there are none.
  public var screeningGradients: Tensor<Double>

  /// Points with what is known of them.
  public init(
    _ coordinates: Tensor<Double>, fields: Tensor<Double>? = nil, misfits: [Double],
    gradients: Tensor<Double>? = nil,
    screeningMisfits: [Double] = [], screeningGradients: Tensor<Double>? = nil,
    noiseVariances: [Double]? = nil
  ) {
    self.coordinates = coordinates
    self.fields = fields
    self.misfits = misfits
    self.noiseVariances = noiseVariances ?? Array(repeating: 1, count: misfits.count)
    self.gradients = gradients ?? Tensor(shape: [misfits.count, 0])
    self.screeningMisfits = screeningMisfits
    self.screeningGradients = screeningGradients ?? Tensor(shape: [misfits.count, 0])
  }

  /// The number of chains.
  public var count: Int { misfits.count }

  /// Takes over the point of one chain from other points of the same sampler; the noise stays.
  mutating func replace(_ chain: Int, from other: ChainPoints, at position: Int) {
    coordinates.copyRow(chain, from: other.coordinates, at: position)
    if let fields = other.fields { self.fields?.copyRow(chain, from: fields, at: position) }
    misfits[chain] = other.misfits[position]
    gradients.copyRow(chain, from: other.gradients, at: position)
    if !screeningMisfits.isEmpty { screeningMisfits[chain] = other.screeningMisfits[position] }
    screeningGradients.copyRow(chain, from: other.screeningGradients, at: position)
  }
}

/// What one step of all chains did.
public struct StepOutcome: Sendable, Equatable {
  /// Whether the chain moved to its proposal.
  public var isAccepted: [Bool]
  /// The probability with which it would: what the step size is adapted by.
  public var acceptances: [Double]
  /// How often the forward map was asked for the solution of one input.
  public var solves: Int
  /// How often the screening surrogate was.
  public var screeningSolves = 0
  /// How many of all these were not finite, and rejected.
  public var failures: Int

  /// What a step of samplers without a surrogate did.
  public init(isAccepted: [Bool], acceptances: [Double], solves: Int, failures: Int) {
    self.isAccepted = isAccepted
    self.acceptances = acceptances
    self.solves = solves
    self.failures = failures
  }
}

/// Whether to accept a proposal: with probability min(1, exp(logRatio)).
///
/// A ratio that is not a number rejects; so does a proposal of infinite misfit.
struct AcceptanceTest {
  let isAccepted: Bool
  let probability: Double

  init(logRatio: Double, using random: inout Philox) {
    let threshold = log(1 - random.nextUniform())  // the argument lies in (0, 1]
    isAccepted = threshold < logRatio
    probability = logRatio.isNaN ? 0 : exp(min(0, logRatio))
  }
}

extension Tensor<Double> {
  /// Some positions of the first axis, one after another.
  func rows(_ positions: [Int]) -> Tensor<Double> {
    var result = Tensor(shape: [positions.count] + shape.dropFirst())
    for (row, position) in positions.enumerated() { result.copyRow(row, from: self, at: position) }
    return result
  }

  /// Copies one position of the first axis of another tensor over one of this.
  mutating func copyRow(_ row: Int, from other: Tensor<Double>, at position: Int) {
    let length = count / Swift.max(1, shape[0])
    guard length > 0 else { return }
    withUnsafeMutableBuffer { target in
      other.withUnsafeBuffer { source in
        (target.baseAddress! + row * length).update(
          from: source.baseAddress! + position * length, count: length)
      }
    }
  }
}

/// Lets threads change the generators of different chains.
func parallelForChains(_ randoms: inout [Philox], _ body: (_ chain: Int, _ random: inout Philox) -> Void) {
  randoms.withUnsafeMutableBufferPointer { randoms in
    let start = randoms.baseAddress!
    parallelFor(randoms.count) { range in
      for chain in range { body(chain, &start[chain]) }
    }
  }
}
