import Tensors

/// The preconditioned Crank-Nicolson sampler (pCN), for a Gaussian reference N(m, K).
///
/// A proposal is ξ′ = m + √(1 − β²) (ξ − m) + β K^½ ζ with standard normal ζ; it leaves the reference
/// invariant. It is accepted with probability min(1, exp(Ψ(ξ) − Ψ(ξ′))), Ψ = Φ + log dN(m, K)/dN(0, I), so
/// the acceptance does not deteriorate as the grid is refined. With the prior as reference this is the sampler
/// of Cotter, Roberts, Stuart, White, "MCMC methods for functions: modifying old algorithms to make them
/// faster", Statistical Science 28 (2013); with the Laplace approximation, a generalised pCN whose steps are
/// small only where the data are informative (references at `GaussianReference`).
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
    let (coordinates, fields) = propose(points, stepSizes, &randoms)
    let proposals = try evaluate(coordinates, fields)
    var outcome = StepOutcome(
      isAccepted: [], acceptances: [], solves: points.count,
      failures: proposals.misfits.count { !$0.isFinite })
    let differences = logReferenceRatios(proposals.coordinates, points.coordinates)
    for chain in 0..<points.count {
      let logRatio =
        (points.misfits[chain] - proposals.misfits[chain]) / points.noiseVariances[chain] - differences[chain]
      let test = AcceptanceTest(logRatio: logRatio, using: &randoms[chain])
      if test.isAccepted { points.replace(chain, from: proposals, at: chain) }
      outcome.isAccepted.append(test.isAccepted)
      outcome.acceptances.append(test.probability)
    }
    return outcome
  }

  /// Proposals and their fields: a chain's field is made by the thread that has just drawn it.
  private func propose(
    _ points: ChainPoints, _ stepSizes: [Double], _ randoms: inout [Philox]
  ) -> (coordinates: Tensor<Double>, fields: Tensor<Double>) {
    let (count, prior) = (reference.count, problem.prior)
    let length = prior.points
    var fields = Tensor<Double>(shape: [points.count, 1] + prior.grid)
    let proposals = Tensor<Double>(shape: points.coordinates.shape) { proposals in
      let proposals = proposals.baseAddress!
      fields.withUnsafeMutableBuffer { fields in
        let fields = fields.baseAddress!
        withPointers(points.coordinates, reference.mean) { coordinates, mean in
          parallelForChains(&randoms) { chain, random in
            let step = stepSizes[chain]
            let keep = (1 - step * step).squareRoot()
            let proposal = proposals + chain * count
            random.fillNormal(UnsafeMutableBufferPointer(start: proposal, count: count))
            reference.applySquareRoot(proposal)
            Double.scale(count, step, proposal)
            Double.axpy(count, keep, coordinates + chain * count, proposal)
            if !reference.isPrior { Double.axpy(count, 1 - keep, mean, proposal) }
            prior.makeField(proposal, intoPart: fields + chain * length)
          }
        }
      }
    }
    return (proposals, fields)
  }

  /// The change of log dN(m, K)/dN(0, I) from the present points to the proposals.
  private func logReferenceRatios(_ proposals: Tensor<Double>, _ present: Tensor<Double>) -> [Double] {
    var ratios = [Double](repeating: 0, count: present.shape[0])
    if reference.isPrior { return ratios }
    let count = reference.count
    ratios.withUnsafeMutableBufferPointer { ratios in
      let (start, chains) = (ratios.baseAddress!, ratios.count)
      withPointers(proposals, present) { proposals, present in
        parallelFor(chains) { range in
          for chain in range {
            start[chain] =
              reference.logDensity(proposals + chain * count) - reference.logDensity(present + chain * count)
          }
        }
      }
    }
    return ratios
  }
}
