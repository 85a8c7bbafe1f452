import Foundation
import Tensors

/// How long chains are run, and from which random numbers.
public struct SamplingSchedule: Sendable, Equatable, Codable {
  /// Draws kept per chain.
  public var draws: Int
  /// Iterations per chain before the first kept draw.
  public var burnIn: Int
  /// The number of chains.
  public var chains: Int
  /// Every `thin`-th kept draw is stored as a field; means and variances are over all of them.
  public var thin: Int
  /// β in (0, 1]: where adaptation starts, or the value throughout.
  public var stepSize: Double
  /// Whether β is tuned during the burn-in (and only then, so that the kept draws are of one chain).
  public var adaptsStepSize: Bool
  /// The acceptance rate that the tuning aims at; nil for what is customary with the sampler.
  public var targetAcceptance: Double?
  /// The seed of starting points and proposals.
  public var seed: UInt64
  /// The stream of the proposals: another one for a second set of chains with the same seed.
  public var stream = Philox.Stream.proposals

  /// A schedule; see the properties.
  public init(
    draws: Int, burnIn: Int, chains: Int, thin: Int = 1, stepSize: Double, adaptsStepSize: Bool = true,
    targetAcceptance: Double? = nil, seed: UInt64
  ) {
    precondition(stepSize > 0 && stepSize <= 1, "β must lie in (0, 1], not \(stepSize)")
    precondition(draws > 0 && burnIn >= 0 && chains > 0 && thin > 0, "empty chains")
    self.draws = draws
    self.burnIn = burnIn
    self.chains = chains
    self.thin = thin
    self.stepSize = stepSize
    self.adaptsStepSize = adaptsStepSize
    self.targetAcceptance = targetAcceptance
    self.seed = seed
  }

  /// The number of iterations of every chain.
  public var iterations: Int { burnIn + draws }
}

/// Why chains cannot be started.
public enum SamplingError: Error, Equatable, CustomStringConvertible {
  /// The forward map gave no finite solution for any of so many draws of the prior.
  case noFiniteStart(attempts: Int)

  /// One line: what happened, and what to look at.
  public var description: String {
    switch self {
    case .noFiniteStart(1): "the forward map has no finite solution where the surrogate's chains ended"
    case .noFiniteStart(let attempts):
      "none of \(attempts) draws of the prior has a finite solution: the forward map cannot be used with this prior"
    }
  }
}

/// Several Markov chains in step, with everything that is needed to continue them and to judge them.
///
/// Fields are not collected but summed up: the memory for them does not depend on the number of draws. What
/// is recorded of every iteration waits in `records` and `draws` until `clearRecords`, after these were
/// written to a file.
public struct MarkovChains: Sendable, Equatable {
  /// What is recorded of every iteration besides the quantities: the first numbers of a record.
  static let flags = ["accepted", "acceptance"]

  /// The shape of one field.
  public let grid: Shape
  /// The names of the quantities that are followed: the misfit, then the first coordinates of the prior.
  public let quantities: [String]
  /// The number of iterations done, burn-in included.
  public internal(set) var iteration = 0
  /// The number of draws kept in each chain: iterations after the burn-in.
  public internal(set) var keptDraws = 0
  /// The number of fields stored of each chain: every `thin`-th kept draw.
  public internal(set) var storedDraws = 0
  /// The present points.
  public internal(set) var points: ChainPoints
  /// The step size of every chain.
  public internal(set) var stepSizes: [Double]
  /// The solves so far: of the forward map, of the screening surrogate, and how many were not finite.
  public internal(set) var solves = SolveCounts()

  /// The mean of the kept fields of every chain, `[chain, point]`, and the sum of squared deviations from it.
  public internal(set) var fieldMoments: RunningMoments
  /// The same of the coordinates, `[chain, coordinate]`.
  public internal(set) var coordinateMoments: RunningMoments

  /// What was recorded since the last `clearRecords`: `[iteration][chain][accepted, acceptance, quantities…]`.
  public internal(set) var records: [Double] = []
  /// The stored draws since then, `[draw][chain][point]`, in single precision.
  public internal(set) var draws: [Float] = []

  private let amplitudes: [Double]

  /// The number of chains.
  public var count: Int { points.count }
  /// The numbers recorded of one chain in one iteration.
  var recordLength: Int { Self.flags.count + quantities.count }

  /// The numbers recorded so far, cleared ones included.
  var totalRecordCount: Int { iteration * count * recordLength }
  /// The values stored of all draws so far, cleared ones included.
  var totalDrawCount: Int { storedDraws * count * grid.reduce(1, *) }

  /// How often forward maps were evaluated.
  public struct SolveCounts: Sendable, Equatable, Codable {
    /// Solutions by the forward map that decides.
    public internal(set) var forward = 0
    /// Solutions by the surrogate that screens.
    public internal(set) var screening = 0
    /// How many of all were not finite, and rejected.
    public internal(set) var failed = 0
  }

  /// Chains at the given points.
  init(_ points: ChainPoints, of problem: InverseProblem, stepSizes: [Double]) {
    grid = problem.prior.grid
    let followed = problem.prior.coordinates.prefix(8)
    amplitudes = followed.map(\.amplitude)
    var quantities = ["misfit"]
    if !points.screeningMisfits.isEmpty { quantities.append("surrogate_misfit") }
    if problem.noisePrior != nil { quantities.append("noise_factor") }
    self.quantities = quantities + followed.map(\.name)
    self.points = points
    self.stepSizes = stepSizes
    fieldMoments = RunningMoments(chains: points.count, length: problem.prior.points)
    coordinateMoments = RunningMoments(chains: points.count, length: problem.prior.coordinateCount)
  }

  /// Forgets the records, which the caller has written to a file.
  public mutating func clearRecords() {
    records.removeAll(keepingCapacity: true)
    draws.removeAll(keepingCapacity: true)
  }

  /// The memory that records and draws take.
  public var recordedBytes: Int { 8 * records.count + 4 * draws.count }

  /// The mean of all kept draws of all chains: the estimate of the posterior mean.
  public var posteriorMean: Tensor<Double> { fieldMoments.pooledMean.reshaped(to: grid) }

  /// The standard deviation of all kept draws of all chains about their common mean, pointwise.
  public var posteriorStandardDeviation: Tensor<Double> {
    var deviation = fieldMoments.pooledVariance
    deviation.withUnsafeMutableBuffer { values in
      for index in values.indices { values[index] = values[index].squareRoot() }
    }
    return deviation.reshaped(to: grid)
  }

  /// Counts an iteration; `isKept` after the burn-in.
  mutating func record(
    _ outcome: StepOutcome, of problem: InverseProblem, isKept: Bool, thin: Int
  ) {
    iteration += 1
    solves.forward += outcome.solves
    solves.screening += outcome.screeningSolves
    solves.failed += outcome.failures
    let coordinateCount = problem.prior.coordinateCount
    for chain in 0..<count {
      records += [outcome.isAccepted[chain] ? 1 : 0, outcome.acceptances[chain], points.misfits[chain]]
      if !points.screeningMisfits.isEmpty { records.append(points.screeningMisfits[chain]) }
      if problem.noisePrior != nil {
        records.append(points.noiseVariances[chain].squareRoot())
      }
      withPointers(points.coordinates) { coordinates in
        for (index, amplitude) in amplitudes.enumerated() {
          records.append(amplitude * coordinates[chain * coordinateCount + index])
        }
      }
    }
    guard isKept else { return }
    keptDraws += 1
    let fields = problem.transform(points.fields ?? problem.prior.makeFields(points.coordinates))
    fieldMoments.add(fields, number: keptDraws)
    coordinateMoments.add(points.coordinates, number: keptDraws)
    if (keptDraws - 1).isMultiple(of: thin) {
      storedDraws += 1
      fields.withUnsafeBuffer { fields in draws.append(contentsOf: fields.lazy.map(Float.init)) }
    }
  }
}

/// Mean and variance of several sequences of vectors, updated vector by vector (Welford 1962).
public struct RunningMoments: Sendable, Equatable {
  /// The means so far, `[chain, element]`.
  public internal(set) var means: Tensor<Double>
  /// The sums of squared deviations from them, `[chain, element]`.
  public internal(set) var squaredDeviations: Tensor<Double>
  /// The number of vectors of each chain so far.
  public internal(set) var number = 0

  init(chains: Int, length: Int) {
    means = Tensor(shape: [chains, length])
    squaredDeviations = Tensor(shape: [chains, length])
  }

  init(means: Tensor<Double>, squaredDeviations: Tensor<Double>, number: Int) {
    self.means = means
    self.squaredDeviations = squaredDeviations
    self.number = number
  }

  mutating func add(_ vectors: Tensor<Double>, number: Int) {
    self.number = number
    let weight = 1 / Double(number)
    let (chains, length) = (means.shape[0], means.shape[1])
    means.withUnsafeMutableBuffer { means in
      squaredDeviations.withUnsafeMutableBuffer { squares in
        let (means, squares) = (means.baseAddress!, squares.baseAddress!)
        withPointers(vectors) { vectors in
          parallelFor(chains, grain: max(1, 4096 / max(1, length))) { range in
            for index in range.lowerBound * length..<range.upperBound * length {
              let before = vectors[index] - means[index]
              means[index] += before * weight
              squares[index] += before * (vectors[index] - means[index])
            }
          }
        }
      }
    }
  }

  /// The mean over all chains, `[element]`.
  public var pooledMean: Tensor<Double> {
    let (chains, length) = (means.shape[0], means.shape[1])
    return Tensor(shape: [length]) { mean in
      mean.update(repeating: 0)
      withPointers(means) { means in
        for chain in 0..<chains {
          Double.axpy(length, 1 / Double(chains), means + chain * length, mean.baseAddress!)
        }
      }
    }
  }

  /// The variance of all vectors of all chains about their common mean, `[element]`; NaN for fewer than two.
  public var pooledVariance: Tensor<Double> {
    let (chains, length) = (means.shape[0], means.shape[1])
    let mean = pooledMean
    let total = Double(chains * number)
    return Tensor(shape: [length]) { variance in
      withPointers(mean, means, squaredDeviations) { mean, means, squares in
        for element in 0..<length {
          var sum = 0.0
          for chain in 0..<chains {
            let offset = means[chain * length + element] - mean[element]
            sum += squares[chain * length + element] + Double(number) * offset * offset
          }
          variance[element] = total > 1 ? sum / (total - 1) : .nan
        }
      }
    }
  }
}

extension SamplingSchedule {
  /// How often a starting point is drawn anew before giving up.
  private static var attempts: Int { 20 }

  /// Chains at their starting points: independent draws from the prior, dispersed with respect to any
  /// posterior.
  ///
  /// - Parameter law: what they are drawn from instead, such as a Laplace approximation made wider: where the data
  ///   say much, draws of the prior are so far off that the burn-in is spent on the way.
  /// - Throws: `SamplingError` if the forward map has no finite solution there, and what it throws.
  public func start(_ sampler: any Sampler, from law: GaussianReference? = nil) throws -> MarkovChains {
    let count = sampler.problem.prior.coordinateCount
    let law = law ?? .prior(coordinates: count)
    func draw(_ chain: Int, attempt: Int) -> [Double] {
      var random = Philox(seed: seed, stream: .starts, sample: attempt << 32 | chain)
      return law.sample(using: &random)
    }
    var coordinates = Tensor<Double>(
      shape: [chains, count], scalars: (0..<chains).flatMap { draw($0, attempt: 0) })
    var points = try sampler.evaluate(coordinates)
    for attempt in 1..<Self.attempts where !points.areFinite.allSatisfy({ $0 }) {
      for (chain, isFinite) in points.areFinite.enumerated() where !isFinite {
        coordinates.copyRow(
          chain, from: Tensor(shape: [1, count], scalars: draw(chain, attempt: attempt)), at: 0)
      }
      points = try sampler.evaluate(coordinates)
    }
    guard points.areFinite.allSatisfy({ $0 }) else {
      throw SamplingError.noFiniteStart(attempts: Self.attempts)
    }
    return MarkovChains(
      points, of: sampler.problem, stepSizes: Array(repeating: stepSize, count: chains))
  }

  /// Chains that start where other chains of the same unknown are, with their step sizes.
  ///
  /// - Throws: `SamplingError` if the forward map has no finite solution there, and what it throws.
  public func start(_ sampler: any Sampler, from other: MarkovChains) throws -> MarkovChains {
    precondition(other.count == chains, "\(other.count) chains for a schedule of \(chains)")
    var points = try sampler.evaluate(other.points.coordinates)
    points.noiseVariances = other.points.noiseVariances
    guard points.areFinite.allSatisfy({ $0 }) else { throw SamplingError.noFiniteStart(attempts: 1) }
    return MarkovChains(points, of: sampler.problem, stepSizes: other.stepSizes)
  }

  /// Continues the chains to the last iteration.
  ///
  /// - Parameter progress: called after every iteration with the chains so far and what it did; what it
  ///   throws ends the run with `chains` consistent, ready to be saved and continued.
  /// - Throws: what the forward map or `progress` throws.
  public func run(
    _ chains: inout MarkovChains, with sampler: any Sampler,
    progress: (inout MarkovChains, StepOutcome) throws -> Void = { _, _ in }
  ) throws {
    while chains.iteration < iterations {
      let outcome = try advance(&chains, sampler)
      try progress(&chains, outcome)
    }
  }

  private func advance(_ chains: inout MarkovChains, _ sampler: any Sampler) throws -> StepOutcome {
    let iteration = chains.iteration
    var randoms = (0..<chains.count).map { chain in
      Philox(seed: seed, stream: stream, sample: chain << 40 | iteration)
    }
    let outcome = try sampler.step(&chains.points, stepSizes: chains.stepSizes, randoms: &randoms)
    // At a start far from the data an inferred level would explain the misfit as noise, and the field would
    // have no reason to move: for half of the burn-in the stated level holds.
    if let noisePrior = sampler.problem.noisePrior, iteration >= burnIn / 2 {
      for chain in 0..<chains.count {
        chains.points.noiseVariances[chain] =
          noisePrior.posterior(
            misfit: chains.points.misfits[chain], observations: sampler.problem.data.count
          ).sample(using: &randoms[chain])
      }
    }
    let isBurnIn = iteration < burnIn
    if isBurnIn && adaptsStepSize {
      let target = targetAcceptance ?? sampler.customaryAcceptance
      for chain in 0..<chains.count {
        // Robbins-Monro on log β with a gain that falls as i^(−0.6), which is summable in square only.
        let gain = pow(Double(iteration + 1), -0.6)
        chains.stepSizes[chain] = min(
          sampler.largestStepSize,
          max(1e-6, chains.stepSizes[chain] * exp(gain * (outcome.acceptances[chain] - target))))
      }
    }
    chains.record(outcome, of: sampler.problem, isKept: !isBurnIn, thin: thin)
    return outcome
  }
}

extension ChainPoints {
  /// Whether everything that decides is finite, chain by chain.
  fileprivate var areFinite: [Bool] {
    (0..<count).map { chain in
      misfits[chain].isFinite && (screeningMisfits.isEmpty || screeningMisfits[chain].isFinite)
    }
  }
}
