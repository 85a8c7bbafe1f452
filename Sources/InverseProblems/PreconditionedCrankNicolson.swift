import Tensors

/// The preconditioned Crank-Nicolson sampler (pCN), for a Gaussian reference N(m, K).
///
/// A proposal is ξ′ = m + ρ (ξ − m) + √(1 − ρ²) K^½ ζ with standard normal ζ; it is reversible with respect to the
/// reference for every ρ in (−1, 1). It is accepted with probability min(1, exp(Ψ(ξ) − Ψ(ξ′))), Ψ = Φ + log
/// dN(m, K)/dN(0, I), so the acceptance does not deteriorate as the grid is refined. A step size β up to 1 stands for
/// ρ = √(1 − β²). With the prior as reference this is the sampler
/// of Cotter, Roberts, Stuart, White, "MCMC methods for functions: modifying old algorithms to make them
/// faster", Statistical Science 28 (2013); with the Laplace approximation, a generalised pCN whose steps are
/// small only where the data are informative (references at `GaussianReference`).
///
/// Where the reference is so good that even proposals that know nothing of the present point, β = 1, are accepted more often
/// than need be, larger steps are over-relaxed: ρ = 1 − β < 0. Neighbours of a chain with acceptance a have a correlation of about
/// 1 − a + a ρ, so a proposal on the other side of the mean makes up for points that stay, and squares lose next to
/// nothing, 1 − a + a ρ². Adler, "Over-relaxation method for the Monte Carlo evaluation of the partition function for multiquadratic
/// actions", Phys. Rev. D 23 (1981).
public struct PreconditionedCrankNicolson: Sampler {
  /// The problem whose posterior is sampled.
  public let problem: InverseProblem
  /// The law that proposals leave invariant.
  public let reference: GaussianReference

  /// A sampler; without a reference, that of the prior.
  public init(_ problem: InverseProblem, reference: GaussianReference? = nil) {
    self.problem = problem
    self.reference = reference ?? .prior(coordinates: problem.prior.coordinateCount)
  }

  /// `pcn`.
  public var name: String { "pcn" }

  /// 0.3: between 0.2 and 0.4 is usual.
  public var customaryAcceptance: Double { 0.3 }

  /// 1.25: ρ = −¼ undoes the correlation of an acceptance of 0.8.
  public var largestStepSize: Double { 1.25 }

  /// The points and their misfits.
  public func evaluate(_ coordinates: Tensor<Double>) throws -> ChainPoints {
    try evaluate(coordinates, problem.prior.makeFields(coordinates))
  }

  private func evaluate(_ coordinates: Tensor<Double>, _ fields: Tensor<Double>) throws -> ChainPoints {
    ChainPoints(coordinates, fields: fields, misfits: try problem.misfits(of: coordinates, fields: fields))
  }

  /// Moves every chain once; one solve per chain.
  public func step(
    _ points: inout ChainPoints, stepSizes: [Double], randoms: inout [Philox]
  ) throws -> StepOutcome {
    let (coordinates, fields, logReferenceRatios) = propose(points, stepSizes, &randoms)
    let proposals = try evaluate(coordinates, fields)
    var outcome = StepOutcome(
      isAccepted: [], acceptances: [], solves: points.count,
      failures: proposals.misfits.count { !$0.isFinite })
    for chain in 0..<points.count {
      let logRatio =
        (points.misfits[chain] - proposals.misfits[chain]) / points.noiseVariances[chain]
        - logReferenceRatios[chain]
      let test = AcceptanceTest(logRatio: logRatio, using: &randoms[chain])
      if test.isAccepted { points.replace(chain, from: proposals, at: chain) }
      outcome.isAccepted.append(test.isAccepted)
      outcome.acceptances.append(test.probability)
    }
    return outcome
  }

  /// Proposals, their fields, and the change of log dN(m, K)/dN(0, I).
  ///
  /// A chain's field is made by the thread that has just drawn it.
  private func propose(
    _ points: ChainPoints, _ stepSizes: [Double], _ randoms: inout [Philox]
  ) -> (coordinates: Tensor<Double>, fields: Tensor<Double>, logReferenceRatios: [Double]) {
    let (count, prior) = (reference.count, problem.prior)
    let length = prior.points
    var fields = Tensor<Double>(shape: [points.count, 1] + prior.grid)
    var ratios = [Double](repeating: 0, count: points.count)
    let proposals = Tensor<Double>(shape: points.coordinates.shape) { proposals in
      let proposals = proposals.baseAddress!
      fields.withUnsafeMutableBuffer { fields in
        let fields = fields.baseAddress!
        ratios.withUnsafeMutableBufferPointer { ratios in
          let ratios = ratios.baseAddress!
          withPointers(points.coordinates) { coordinates in
            parallelForChains(&randoms) { chain, random in
              let size = stepSizes[chain]
              let proposal = proposals + chain * count
              random.fillNormal(UnsafeMutableBufferPointer(start: proposal, count: count))
              ratios[chain] = reference.move(
                from: coordinates + chain * count,
                correlation: size <= 1 ? (1 - size * size).squareRoot() : 1 - size, noise: proposal)
              prior.makeField(proposal, intoPart: fields + chain * length)
            }
          }
        }
      }
    }
    return (proposals, fields, ratios)
  }
}
