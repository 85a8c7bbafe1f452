import Foundation
import Tensors

/// The preconditioned Crank-Nicolson sampler (pCN).
///
/// A proposal is w′ = √(1 − β²) w + β ξ with ξ drawn from the prior; it is accepted with probability
/// min(1, exp(Φ(w) − Φ(w′))). The proposal leaves the prior invariant, so the acceptance does not
/// deteriorate as the grid is refined. Cotter, Roberts, Stuart, White, "MCMC methods for functions: modifying
/// old algorithms to make them faster", Statistical Science 28 (2013).
///
/// Chains run in step, so that one call of the forward map serves all of them. The random numbers of
/// iteration i of chain c depend on (seed, c, i) alone: a continued run gives the same bits as one that
/// never stopped, for any number of threads.
public struct PreconditionedCrankNicolson: Sendable, Equatable, Codable {
  /// β, in (0, 1]: where adaptation starts, or the value throughout.
  public var stepSize: Double
  /// Whether β is tuned during the burn-in (and only then, so that the kept draws are of one chain).
  public var adaptsStepSize: Bool
  /// The acceptance rate that the tuning aims at; 0.23 to 0.4 is usual.
  public var targetAcceptance: Double
  /// Draws kept per chain.
  public var draws: Int
  /// Iterations per chain before the first kept draw.
  public var burnIn: Int
  /// The number of chains.
  public var chains: Int
  /// Every `thin`-th kept draw is stored as a field; means and variances are over all of them.
  public var thin: Int
  /// The seed of starting points and proposals.
  public var seed: UInt64

  /// A sampler; see the properties for the meaning of each value.
  public init(
    stepSize: Double, adaptsStepSize: Bool = true, targetAcceptance: Double = 0.3, draws: Int, burnIn: Int,
    chains: Int, thin: Int = 1, seed: UInt64
  ) {
    precondition(stepSize > 0 && stepSize <= 1, "β must lie in (0, 1], not \(stepSize)")
    precondition(draws > 0 && burnIn >= 0 && chains > 0 && thin > 0, "empty chains")
    self.stepSize = stepSize
    self.adaptsStepSize = adaptsStepSize
    self.targetAcceptance = targetAcceptance
    self.draws = draws
    self.burnIn = burnIn
    self.chains = chains
    self.thin = thin
    self.seed = seed
  }

  /// The number of iterations of every chain.
  public var iterations: Int { burnIn + draws }

  /// Chains at their starting points: independent draws from the prior.
  public func start(_ problem: InverseProblem, prior: some Prior) throws -> MarkovChains {
    let states = Tensor.stacking(
      (0..<chains).map { chain in
        var random = Philox(seed: seed, stream: .starts, sample: chain)
        return prior.sample(using: &random)
      })
    return MarkovChains(states: states, misfits: try problem.misfits(of: states), stepSize: stepSize)
  }

  /// Continues the chains to the last iteration.
  ///
  /// - Parameter progress: called after every iteration with the chains so far; what it throws ends the run
  ///   with `chains` consistent, ready to be saved and continued.
  /// - Throws: what the forward map or `progress` throws.
  public func run(
    _ chains: inout MarkovChains, on problem: InverseProblem, prior: some Prior,
    progress: (MarkovChains) throws -> Void = { _ in }
  ) throws {
    while chains.iteration < iterations {
      try advance(&chains, problem, prior)
      try progress(chains)
    }
  }

  private func advance(_ chains: inout MarkovChains, _ problem: InverseProblem, _ prior: some Prior) throws {
    let (proposals, thresholds) = propose(chains, prior)
    let misfits = try problem.misfits(of: proposals)
    let points = chains.grid.reduce(1, *)
    let isBurnIn = chains.iteration < burnIn
    chains.states.withUnsafeMutableBuffer { states in
      proposals.withUnsafeBuffer { proposals in
        for chain in 0..<chains.misfits.count {
          let logRatio = chains.misfits[chain] - misfits[chain]
          let isAccepted = thresholds[chain] < logRatio
          chains.acceptances[chain].append(isAccepted)
          if isAccepted {
            chains.misfits[chain] = misfits[chain]
            (states.baseAddress! + chain * points).update(
              from: proposals.baseAddress! + chain * points, count: points)
          }
          chains.misfitTraces[chain].append(chains.misfits[chain])
          if isBurnIn && adaptsStepSize {
            chains.stepSizes[chain] = adapted(
              chains.stepSizes[chain], acceptance: min(1, exp(min(0, logRatio))), iteration: chains.iteration)
          }
        }
      }
    }
    chains.iteration += 1
    if !isBurnIn { chains.keepDraw(thin: thin) }
  }

  /// The proposals of one iteration, and the logarithms of the uniform numbers that decide on them.
  private func propose(
    _ chains: MarkovChains, _ prior: some Prior
  ) -> (proposals: Tensor<Double>, thresholds: [Double]) {
    let points = chains.grid.reduce(1, *)
    var proposals = chains.states
    var thresholds = [Double](repeating: 0, count: chains.count)
    proposals.withUnsafeMutableBuffer { proposals in
      thresholds.withUnsafeMutableBufferPointer { thresholds in
        nonisolated(unsafe) let (proposals, thresholds) = (proposals, thresholds)
        parallelFor(chains.count) { range in
          for chain in range {
            var random = Philox(
              seed: seed, stream: .proposals, sample: chain << 40 | chains.iteration)
            thresholds[chain] = log(1 - random.nextUniform())
            let step = chains.stepSizes[chain]
            let proposal = proposals.baseAddress! + chain * points
            Double.scale(points, (1 - step * step).squareRoot(), proposal)
            let draw = prior.sample(using: &random)
            withPointers(draw) { Double.axpy(points, step, $0, proposal) }
          }
        }
      }
    }
    return (proposals, thresholds)
  }

  /// Robbins-Monro on log β with a gain that falls as i^(−0.6), which is summable in square only.
  private func adapted(_ stepSize: Double, acceptance: Double, iteration: Int) -> Double {
    let gain = pow(Double(iteration + 1), -0.6)
    return min(1, max(1e-6, stepSize * exp(gain * (acceptance - targetAcceptance))))
  }
}
