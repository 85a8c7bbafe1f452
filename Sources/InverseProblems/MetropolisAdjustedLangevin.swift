import Tensors

/// The Metropolis-adjusted Langevin sampler on function space (∞-MALA), for a Gaussian reference N(m, K).
///
/// pCN whose noise is shifted downhill: with z = K^(−½)(ξ − m) and g = K^½ ∇Ψ(ξ), the gradient in z,
/// z′ = ρ z + β (ζ − c g), ρ = √(1 − β²), c = √((1 − ρ)/(1 + ρ)), which is the semi-implicit Euler step of
/// length h = 4c² of the Langevin equation dz = −½ (z + g) dt + dB. The acceptance ratio compares the densities of
/// the shifted noises of the step and of the step back with respect to those of pCN; both exist on the
/// function space, so that nothing deteriorates on finer grids. With the Laplace approximation as reference
/// this is the geometric sampler with a constant metric. Cotter, Roberts, Stuart, White, Statistical Science 28
/// (2013), section 4.3; Beskos, Girolami, Lan, Farrell, Stuart, "Geometric MCMC for infinite-dimensional inverse
/// problems", J. Comput. Phys. 335 (2017).
public struct MetropolisAdjustedLangevin: Sampler {
  /// The problem whose posterior is sampled; its forward map has a derivative.
  public let problem: InverseProblem
  /// The law that proposals without the gradient would leave invariant.
  public let reference: GaussianReference

  /// A sampler; without a reference, that of the prior.
  public init(_ problem: InverseProblem, reference: GaussianReference? = nil) {
    precondition(problem.isDifferentiable, "the forward map has no derivative")
    self.problem = problem
    self.reference = reference ?? .prior(coordinates: problem.prior.coordinateCount)
  }

  /// `mala`.
  public var name: String { "mala" }

  /// 0.57, the optimum for smooth targets of high dimension (Roberts and Rosenthal 1998).
  public var customaryAcceptance: Double { 0.57 }

  /// The points, their misfits and gradients.
  public func evaluate(_ coordinates: Tensor<Double>) throws -> ChainPoints {
    let fields = problem.prior.makeFields(coordinates)
    let (misfits, gradients) = try problem.misfitsAndGradients(of: coordinates, fields: fields)
    return ChainPoints(coordinates, fields: fields, misfits: misfits, gradients: gradients)
  }

  /// Moves every chain once; one solve and one adjoint solve per chain.
  public func step(
    _ points: inout ChainPoints, stepSizes: [Double], randoms: inout [Philox]
  ) throws -> StepOutcome {
    let count = reference.count
    // The white noise w of every step, ζ − c g: the step back has its own, and both enter the ratio.
    var noises = Tensor<Double>(shape: points.coordinates.shape)
    let slopes = slopes(points)
    let proposed = Tensor<Double>(shape: points.coordinates.shape) { proposals in
      let proposals = proposals.baseAddress!
      noises.withUnsafeMutableBuffer { noises in
        let noises = noises.baseAddress!
        withPointers(points.coordinates, reference.mean, slopes) { coordinates, mean, slopes in
          parallelForChains(&randoms) { chain, random in
            let step = Step(stepSizes[chain])
            let offset = chain * count
            let (noise, proposal) = (noises + offset, proposals + offset)
            random.fillNormal(UnsafeMutableBufferPointer(start: noise, count: count))
            Double.axpy(count, -step.drift, slopes + offset, noise)
            proposal.update(from: noise, count: count)
            reference.applySquareRoot(proposal)
            Double.scale(count, step.size, proposal)
            Double.axpy(count, step.keep, coordinates + offset, proposal)
            Double.axpy(count, 1 - step.keep, mean, proposal)
          }
        }
      }
    }
    var proposals = try evaluate(proposed)
    proposals.noiseVariances = points.noiseVariances
    let newSlopes = self.slopes(proposals)
    var outcome = StepOutcome(
      isAccepted: [], acceptances: [], solves: points.count,
      failures: proposals.misfits.count { !$0.isFinite })
    for chain in 0..<points.count {
      let step = Step(stepSizes[chain])
      let logRatio = withPointers(
        points.coordinates, proposals.coordinates, noises, slopes, newSlopes, reference.mean
      ) { present, proposal, noise, slope, newSlope, mean in
        let offset = chain * count
        let forth = step.logDensity(count, slope: slope + offset, noise: noise + offset)
        // The noise that would lead back: (z − ρ z′)/β = β z − ρ w.
        let back = Tensor<Double>(shape: [count]) { back in
          let back = back.baseAddress!
          back.update(from: present + offset, count: count)
          Double.axpy(count, -1, mean, back)
          reference.applyInverseSquareRoot(back)
          Double.scale(count, step.size, back)
          Double.axpy(count, -step.keep, noise + offset, back)
        }
        return withPointers(back) { back in
          (points.misfits[chain] - proposals.misfits[chain]) / points.noiseVariances[chain]
            + reference.logDensity(present + offset) - reference.logDensity(proposal + offset)
            + step.logDensity(count, slope: newSlope + offset, noise: back) - forth
        }
      }
      let test = AcceptanceTest(logRatio: logRatio, using: &randoms[chain])
      if test.isAccepted { points.replace(chain, from: proposals, at: chain) }
      outcome.isAccepted.append(test.isAccepted)
      outcome.acceptances.append(test.probability)
    }
    return outcome
  }

  /// K^½ ∇Ψ of every chain.
  private func slopes(_ points: ChainPoints) -> Tensor<Double> {
    let count = reference.count
    var slopes = points.gradients
    slopes.withUnsafeMutableBuffer { slopes in
      let slopes = slopes.baseAddress!
      withPointers(points.coordinates) { coordinates in
        parallelFor(points.count) { range in
          for chain in range {
            let slope = slopes + chain * count
            Double.scale(count, 1 / points.noiseVariances[chain], slope)
            reference.addLogDensityGradient(coordinates + chain * count, to: slope)
            reference.applySquareRoot(slope)
          }
        }
      }
    }
    return slopes
  }

  /// The constants of a step.
  private struct Step {
    /// β.
    let size: Double
    /// ρ = √(1 − β²).
    let keep: Double
    /// c, by which the gradient shifts the noise.
    let drift: Double

    init(_ size: Double) {
      self.size = size
      keep = (1 - size * size).squareRoot()
      drift = ((1 - keep) / (1 + keep)).squareRoot()
    }

    /// The log density of noise shifted by −c g with respect to noise that is not: −c ⟨g, w⟩ − ½ c² |g|².
    func logDensity(_ count: Int, slope: UnsafePointer<Double>, noise: UnsafePointer<Double>) -> Double {
      -drift * Double.dot(count, slope, noise) - 0.5 * drift * drift * Double.dot(count, slope, slope)
    }
  }
}
