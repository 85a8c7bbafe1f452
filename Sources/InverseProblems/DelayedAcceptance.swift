import Tensors

/// Delayed acceptance: a surrogate screens proposals, the true forward map decides.
///
/// Each step runs a chain of `screeningSteps` steps of a sampler for the surrogate's posterior. Its end ξ′ is
/// a proposal that is reversible with respect to that posterior, so the true posterior is left invariant by
/// accepting it with probability min(1, exp((Φ(ξ) − Φ(ξ′)) − (Φ̃(ξ) − Φ̃(ξ′)))), Φ̃ the surrogate's misfit: the
/// surrogate costs efficiency where it is wrong, but never truth. Only one true solve per step, and none
/// for chains that the surrogate did not move.
///
/// Christen and Fox, "Markov chain Monte Carlo using an approximation", J. Comput. Graph. Stat. 14 (2005);
/// with several screening steps: Liu, "Monte Carlo Strategies in Scientific Computing", 2001, section 9.4.3;
/// Lykkegaard, Dodwell, Fox, Mingas, Scheichl, "Multilevel delayed acceptance MCMC", SIAM/ASA J. Uncertain.
/// Quantif. 11 (2023).
public struct DelayedAcceptance: Sampler {
  /// The true problem.
  public let problem: InverseProblem
  /// The sampler of the surrogate's posterior.
  public let screening: any Sampler
  /// How many steps of it make a proposal.
  public let screeningSteps: Int

  /// A sampler; both problems have the same prior and data.
  public init(_ problem: InverseProblem, screening: any Sampler, screeningSteps: Int) {
    precondition(screeningSteps >= 1, "\(screeningSteps) screening steps")
    precondition(
      problem.data == screening.problem.data && problem.noise == screening.problem.noise,
      "the surrogate is to be conditioned on the same data")
    self.problem = problem
    self.screening = screening
    self.screeningSteps = screeningSteps
  }

  /// `delayed-acceptance`.
  public var name: String { "delayed-acceptance" }

  /// That of the screening sampler, whose step size it is.
  public var customaryAcceptance: Double { screening.customaryAcceptance }

  /// That of the screening sampler.
  public var largestStepSize: Double { screening.largestStepSize }

  /// The points with both misfits, and the surrogate's gradients if the screening sampler uses them.
  public func evaluate(_ coordinates: Tensor<Double>) throws -> ChainPoints {
    let screened = try screening.evaluate(coordinates)
    return ChainPoints(
      coordinates, fields: screened.fields,
      misfits: try problem.misfits(of: coordinates, fields: screened.fields),
      screeningMisfits: screened.misfits,
      screeningGradients: screened.gradients)
  }

  /// Moves every chain once; at most one true solve per chain.
  public func step(
    _ points: inout ChainPoints, stepSizes: [Double], randoms: inout [Philox]
  ) throws -> StepOutcome {
    var screened = ChainPoints(
      points.coordinates, fields: points.fields, misfits: points.screeningMisfits,
      gradients: points.screeningGradients,
      noiseVariances: points.noiseVariances)
    var outcome = StepOutcome(
      isAccepted: Array(repeating: false, count: points.count),
      acceptances: Array(repeating: 0, count: points.count), solves: 0, failures: 0)
    var hasMoved = outcome.isAccepted
    for _ in 0..<screeningSteps {
      // An acceptance test leaves half a block, which would keep the next proposal from the fast way.
      for chain in randoms.indices { randoms[chain].startBlock() }
      let inner = try screening.step(&screened, stepSizes: stepSizes, randoms: &randoms)
      outcome.screeningSolves += inner.solves
      outcome.failures += inner.failures
      for chain in 0..<points.count {
        hasMoved[chain] = hasMoved[chain] || inner.isAccepted[chain]
        outcome.acceptances[chain] += inner.acceptances[chain] / Double(screeningSteps)
      }
    }
    let promoted = (0..<points.count).filter { hasMoved[$0] }
    let misfits =
      promoted.isEmpty
      ? []
      : try problem.misfits(
        of: screened.coordinates.rows(promoted), fields: screened.fields?.rows(promoted))
    outcome.solves = promoted.count
    outcome.failures += misfits.count { !$0.isFinite }
    for (position, chain) in promoted.enumerated() {
      let logRatio =
        ((points.misfits[chain] - misfits[position])
          - (points.screeningMisfits[chain] - screened.misfits[chain])) / points.noiseVariances[chain]
      guard AcceptanceTest(logRatio: logRatio, using: &randoms[chain]).isAccepted else { continue }
      outcome.isAccepted[chain] = true
      points.coordinates.copyRow(chain, from: screened.coordinates, at: chain)
      if let fields = screened.fields { points.fields?.copyRow(chain, from: fields, at: chain) }
      points.misfits[chain] = misfits[position]
      points.screeningMisfits[chain] = screened.misfits[chain]
      points.screeningGradients.copyRow(chain, from: screened.gradients, at: chain)
    }
    return outcome
  }
}
