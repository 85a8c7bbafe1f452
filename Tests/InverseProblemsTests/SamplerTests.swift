import Foundation
import InverseProblems
import Solvers
import Tensors
import TestSupport
import Testing

/// Every sampler on problems whose posterior is known.
@Suite struct SamplerTests {
  /// The samplers under test.
  enum Kind: String, CaseIterable, Sendable {
    case pcn, mala, informedPCN, informedMALA, delayedPCN, delayedMALA

    /// The sampler of `problem`; those that screen do so with a surrogate that is far off.
    func sampler(_ problem: InverseProblem, _ surrogate: any DifferentiableOperator) -> any Sampler {
      let biased = problem.replacingForward(by: surrogate)
      switch self {
      case .pcn: return PreconditionedCrankNicolson(problem)
      case .mala: return MetropolisAdjustedLangevin(problem)
      case .informedPCN: return PreconditionedCrankNicolson(problem, reference: reference(problem))
      case .informedMALA: return MetropolisAdjustedLangevin(problem, reference: reference(problem))
      case .delayedPCN:
        return DelayedAcceptance(problem, screening: PreconditionedCrankNicolson(biased), screeningSteps: 3)
      case .delayedMALA:
        return DelayedAcceptance(problem, screening: MetropolisAdjustedLangevin(biased), screeningSteps: 3)
      }
    }

    /// A reference that is not the posterior: some mean, two directions that are not the informed ones.
    private func reference(_ problem: InverseProblem) -> GaussianReference {
      let count = problem.prior.coordinateCount
      var directions = Tensor<Double>(shape: [2, count])
      directions[0, 0] = 0.6
      directions[0, 3] = 0.8
      directions[1, 1] = 1
      var mean = Tensor<Double>(shape: [count])
      mean[0] = 0.3
      mean[2] = -0.5
      return GaussianReference(mean: mean, directions: directions, eigenvalues: [3, 0.7])
    }

    var stepSize: Double { 0.5 }
  }

  private func chains(
    _ sampler: any Sampler, draws: Int, burnIn: Int = 500, stepSize: Double, adapts: Bool = true,
    seed: UInt64 = 3
  ) throws -> MarkovChains {
    let schedule = SamplingSchedule(
      draws: draws, burnIn: burnIn, chains: 4, stepSize: stepSize, adaptsStepSize: adapts, seed: seed)
    var chains = try schedule.start(sampler)
    try schedule.run(&chains, with: sampler)
    return chains
  }

  @Test(arguments: Kind.allCases)
  func posteriorOfALinearProblemIsTheExactOne(kind: Kind) throws {
    let linear = LinearProblem()
    let sampler = kind.sampler(linear.problem, linear.biased)
    let chains = try chains(sampler, draws: 6000, stepSize: kind.stepSize)
    let exact = try linear.exactPosterior()
    let history = ChainHistory(chains)
    let (mean, covariance) = disagreement(history, mean: exact.mean, covariance: exact.covariance)
    #expect(
      mean < tooManyStandardErrors && covariance < tooManyStandardErrors, "\(kind): \(mean), \(covariance)")
    // The moments that are summed up are those of the draws, which are stored in single precision.
    let values = (0..<4).flatMap { chain in (0..<6000).map { Double(history.draw($0, ofChain: chain)[5]) } }
    let average = values.reduce(0, +) / Double(values.count)
    #expect(abs(chains.posteriorMean[5] - average) < 1e-6)
    let squares = values.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(values.count - 1)
    #expect(abs(chains.posteriorStandardDeviation[5] - squares.squareRoot()) < 1e-6)
    // Adaptation stops with the burn-in, after which the rate is near its aim: found from 500 noisy steps.
    if kind == .pcn {
      for rate in history.acceptanceRates { #expect(abs(rate - sampler.customaryAcceptance) < 0.1) }
    }
  }

  @Test(arguments: Kind.allCases)
  func posteriorOfALinearisedFlowIsTheExactOne(kind: Kind) throws {
    let flow = try LinearisedFlow()
    let sampler = kind.sampler(flow.problem, flow.forward.scaled(by: 0.7))
    let chains = try chains(sampler, draws: 3000, stepSize: kind.stepSize, seed: 4)
    let exact = try exactPosterior(of: flow.problem)
    let (mean, covariance) = disagreement(
      ChainHistory(chains), mean: exact.mean, covariance: exact.covariance, everyPoint: 5)
    #expect(
      mean < tooManyStandardErrors && covariance < tooManyStandardErrors, "\(kind): \(mean), \(covariance)")
  }

  @Test func overRelaxedChainsHaveTheExactPosterior() throws {
    let linear = LinearProblem()
    let exact = try linear.exactPosterior()
    for reference in [Kind.informedPCN.sampler(linear.problem, linear.biased), nil] {
      let laplace = try LaplaceApproximation(of: linear.problem)
      let sampler =
        reference ?? PreconditionedCrankNicolson(linear.problem, reference: laplace.reference)
      // An aim so low that the steps become as large as they may.
      let schedule = SamplingSchedule(
        draws: 6000, burnIn: 500, chains: 4, stepSize: 1, targetAcceptance: 0.01, seed: 8)
      var chains = try schedule.start(sampler)
      try schedule.run(&chains, with: sampler)
      // A rejection takes a little off again: the aim times a gain of 500^(−0.6).
      #expect(chains.stepSizes.allSatisfy { $0 > 1.2 && $0 <= 1.25 })
      let history = ChainHistory(chains)
      let (mean, covariance) = disagreement(history, mean: exact.mean, covariance: exact.covariance)
      #expect(mean < tooManyStandardErrors && covariance < tooManyStandardErrors, "\(mean), \(covariance)")
      guard reference == nil else { continue }
      // The reference is the posterior, up to the end of the search for its mean: everything is accepted, and neighbours
      // have the correlation ρ, known from 24,000 pairs to 1/√24,000.
      #expect(history.acceptanceRates.allSatisfy { $0 > 0.999 })
      let traces = history.keptTrace(history.quantities[2])
      let average = traces.flatMap { $0 }.reduce(0, +) / 24_000
      let centered = traces.map { $0.map { $0 - average } }
      let products = centered.map { zip($0, $0.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 } }.reduce(0, +)
      let squares = centered.map { $0.reduce(0) { $0 + $1 * $1 } }.reduce(0, +)
      #expect(abs(products / squares + 0.25) < tooManyStandardErrors / 24_000.0.squareRoot())
    }
  }

  @Test func aLinearisedFlowIsNotSymmetric() throws {
    // What makes the test above one of adjoints too: the gradient by the transposed matrix is another one.
    let flow = try LinearisedFlow()
    let (rows, columns) = (flow.forward.rows, flow.forward.transposed.rows)
    let difference = zip(rows, columns).map { zip($0, $1).reduce(0) { $0 + pow($1.0 - $1.1, 2) } }
    let size = rows.map { $0.reduce(0) { $0 + $1 * $1 } }
    #expect(difference.reduce(0, +) > 0.1 * size.reduce(0, +))
  }

  @Test func aBiasedSurrogateHasAnotherPosterior() throws {
    // What the delayed acceptance above corrects is more than the errors that it is allowed.
    let linear = LinearProblem()
    let biased = linear.problem(HeatEquation(grid: linear.grid, diffusion: 0.004, gain: 0.7))
    let chains = try chains(PreconditionedCrankNicolson(biased), draws: 8000, stepSize: 0.6)
    let exact = try linear.exactPosterior()
    let (mean, _) = disagreement(ChainHistory(chains), mean: exact.mean, covariance: exact.covariance)
    #expect(mean > 2 * tooManyStandardErrors)
  }

  @Test(arguments: [false, true])
  func aWrongSignInTheAcceptanceRatioIsFound(usesGradient: Bool) throws {
    let linear = LinearProblem()
    let exact = try linear.exactPosterior()
    for sign in [1.0, -1] {
      let sampler = SignedSampler(problem: linear.problem, usesGradient: usesGradient, sign: sign)
      let chains = try chains(
        sampler, draws: 8000, stepSize: 0.6, adapts: false, seed: 5)
      let (mean, covariance) = disagreement(
        ChainHistory(chains), mean: exact.mean, covariance: exact.covariance)
      let isRight = mean < tooManyStandardErrors && covariance < tooManyStandardErrors
      #expect(isRight == (sign > 0), "sign \(sign): \(mean), \(covariance)")
    }
  }

  @Test(arguments: Kind.allCases)
  func withoutInformationThePosteriorIsThePrior(kind: Kind) throws {
    var linear = LinearProblem()
    linear.noise = 1e9
    let sampler = kind.sampler(linear.problem, linear.biased)
    let chains = try chains(sampler, draws: 2500, burnIn: 0, stepSize: 0.8, seed: 7)
    let history = ChainHistory(chains)
    let (mean, covariance) = disagreement(
      history, mean: Array(repeating: 0, count: 16), covariance: linear.priorCovariance())
    #expect(
      mean < tooManyStandardErrors && covariance < tooManyStandardErrors, "\(kind): \(mean), \(covariance)")
    if kind == .pcn || kind == .mala || kind == .delayedPCN || kind == .delayedMALA {
      #expect(history.acceptanceRates.allSatisfy { $0 == 1 })
    }
  }

  /// Geweke's joint distribution test: with data drawn anew from every state, the states are draws of the
  /// prior.
  ///
  /// Geweke, "Getting it right", J. Amer. Stat. Assoc. 99 (2004).
  @Test(arguments: Kind.allCases)
  func jointDistributionIsThatOfPriorAndData(kind: Kind) throws {
    try checkJointDistribution(kind, noisePrior: nil, iterations: 6000)
  }

  /// The same with the noise level drawn as well.
  @Test func jointDistributionWithInferredNoise() throws {
    try checkJointDistribution(.pcn, noisePrior: InverseGamma(shape: 6, scale: 5), iterations: 20_000)
  }

  private func checkJointDistribution(_ kind: Kind, noisePrior: InverseGamma?, iterations: Int) throws {
    let linear = LinearProblem()
    let prior = linear.prior
    let count = prior.coordinateCount
    var random = Philox(seed: 11, stream: .noise, sample: 1)
    var coordinates = random.normal(shape: [1, count])
    var variance = noisePrior?.sample(using: &random) ?? 1
    var traces = [[Double]](repeating: [], count: 8)
    for iteration in 0..<iterations {
      let field = prior.makeField(coordinates.reshaped(to: [count]))
      let noise = linear.noise * variance.squareRoot()
      let data = linear.observation(linear.heat(field.reshaped(to: [1, 1, 16]))).map {
        $0 + noise * random.nextNormal()
      }
      var problem = InverseProblem(
        prior: prior, forward: linear.heat, observation: linear.observation, data: data, noise: linear.noise)
      problem.noisePrior = noisePrior
      let sampler = kind.sampler(problem, linear.biased)
      var points = try sampler.evaluate(coordinates)
      points.noiseVariances = [variance]
      traces[6].append(points.misfits[0] / variance)
      var randoms = [Philox(seed: 12, stream: .proposals, sample: iteration)]
      _ = try sampler.step(&points, stepSizes: [kind.stepSize], randoms: &randoms)
      coordinates = points.coordinates
      if let noisePrior {
        variance = noisePrior.posterior(misfit: points.misfits[0], observations: data.count)
          .sample(using: &randoms[0])
        traces[7].append(1 / variance)
      }
      for index in 0..<3 {
        traces[2 * index].append(coordinates[0, index])
        traces[2 * index + 1].append(coordinates[0, index] * coordinates[0, index])
      }
    }
    // Standard normal coordinates, their squares, and half a χ² of four degrees of freedom; the precision is
    // a gamma variable.
    var expected: [(mean: Double, variance: Double)] = [
      (0, 1), (1, 2), (0, 1), (1, 2), (0, 1), (1, 2), (2, 2),
    ]
    if let noisePrior {
      let (a, b) = (noisePrior.shape, noisePrior.scale)
      expected.append((a / b, a / (b * b)))
    }
    for (trace, law) in zip(traces, expected) {
      let diagnostics = ChainDiagnostics([trace])
      let mean = trace.reduce(0, +) / Double(trace.count)
      let error = (law.variance / diagnostics.meanESS).squareRoot()
      #expect(
        abs(mean - law.mean) < tooManyStandardErrors * error, "\(kind): \(mean) ± \(error), not \(law.mean)")
    }
  }

  @Test func startsAreDrawsOfTheLawThatIsGiven() throws {
    let linear = LinearProblem()
    let count = linear.prior.coordinateCount
    var directions = Tensor<Double>(shape: [1, count])
    directions[0, 1] = 1
    var mean = Tensor<Double>(shape: [count])
    mean[1] = 5
    let law = GaussianReference(mean: mean, directions: directions, eigenvalues: [399])
    let schedule = SamplingSchedule(draws: 1, burnIn: 0, chains: 200, stepSize: 0.5, seed: 3)
    let sampler = PreconditionedCrankNicolson(linear.problem)
    // Standard deviation 1/20 along the direction, twice that if widened, one elsewhere; within five errors of 200.
    for (law, deviation) in [(law, 0.05), (law.widened(by: 2), 0.1), (law.widened(by: 50), 1)] {
      let points = try schedule.start(sampler, from: law).points.coordinates
      for (index, center, exact) in [(1, 5, deviation), (0, 0, 1)] {
        let values = (0..<200).map { points[$0, index] - Double(center) }
        let (average, square) = (
          values.reduce(0, +) / 200, values.reduce(0) { $0 + $1 * $1 } / 200
        )
        #expect(abs(average) < 5 * exact / 200.0.squareRoot())
        #expect(abs(square / (exact * exact) - 1) < 5 * (2.0 / 200).squareRoot())
      }
    }
  }

  @Test func anInferredNoiseLevelWaitsForTheField() throws {
    // At a start far from the data it would take the misfit for noise.
    var problem = LinearProblem().problem
    problem.noisePrior = InverseGamma(shape: 3, scale: 3)
    let chains = try chains(PreconditionedCrankNicolson(problem), draws: 20, burnIn: 40, stepSize: 0.5)
    for trace in ChainHistory(chains).trace("noise_factor") {
      #expect(trace.prefix(20).allSatisfy { $0 == 1 } && trace.dropFirst(20).allSatisfy { $0 != 1 })
    }
  }

  @Test(arguments: [Kind.pcn, .mala, .informedPCN, .delayedPCN])
  func acceptanceDoesNotDependOnTheGrid(kind: Kind) throws {
    // The same problem on finer grids, observed at the same places; a random walk would stop accepting.
    let truth = PeriodicGaussianField.navierStokes(grid: 32)
    var random = Philox(seed: 1, stream: .inputs)
    let coarse = HeatEquation(grid: [32, 32], diffusion: 0.001)
    let data = PointObservation(grid: [32, 32], perAxis: [7, 7])(
      coarse(truth.sample(using: &random).reshaped(to: [1, 1, 32, 32])))
    let rates = try [32, 64, 128].map { grid in
      let heat = HeatEquation(grid: [grid, grid], diffusion: 0.001)
      let problem = InverseProblem(
        prior: PeriodicGaussianField.navierStokes(grid: grid), forward: heat,
        observation: PointObservation(grid: [grid, grid], perAxis: [7, 7]), data: data, noise: 0.1)
      let schedule = SamplingSchedule(
        draws: 200, burnIn: 100, chains: 4, thin: 200, stepSize: 0.12,
        adaptsStepSize: false, seed: 2)
      let sampler = kind.sampler(
        problem, HeatEquation(grid: [grid, grid], diffusion: 0.0012, gain: 0.95))
      var chains = try schedule.start(sampler)
      try schedule.run(&chains, with: sampler)
      let accepted = ChainHistory(chains).keptTrace("acceptance")
      let mean = accepted.flatMap { $0 }.reduce(0, +) / 800
      return (mean: mean, error: 0.5 / ChainDiagnostics(accepted).meanESS.squareRoot())
    }
    for rate in rates {
      // The standard deviation of a probability is at most one half.
      #expect(abs(rate.mean - rates[0].mean) < 4 * (rate.error + rates[0].error), "\(rates)")
      #expect(rate.mean > 0.1 && rate.mean < 0.95, "\(rates)")
    }
  }

  @Test(arguments: Kind.allCases)
  func anInterruptedRunContinuesWithTheSameBits(kind: Kind) throws {
    var problem = LinearProblem().problem
    problem.noisePrior = InverseGamma(shape: 3, scale: 3)
    let sampler = kind.sampler(problem, LinearProblem().biased)
    let schedule = SamplingSchedule(draws: 25, burnIn: 15, chains: 3, thin: 7, stepSize: 0.5, seed: 9)
    var whole = try schedule.start(sampler)
    try schedule.run(&whole, with: sampler)
    let wholeHistory = ChainHistory(whole)
    for stop in [1, 15, 16, 30] {
      try withTemporaryFolder { folder in
        let checkpoint = ChainCheckpoint("\(folder)/last", configuration: "a: 1")
        var chains = try schedule.start(sampler)
        #expect(throws: CancellationError.self) {
          try schedule.run(&chains, with: sampler) { chains, _ in
            // Saved at every third iteration, and interrupted between two savings; records are moved in between.
            if chains.iteration % 3 == 0 { try checkpoint.write(&chains) }
            if chains.iteration % 3 == 1 { try checkpoint.moveRecords(of: &chains) }
            if chains.iteration == stop + 1 { throw CancellationError() }
          }
        }
        guard stop > 2 else { return }
        var continued = try checkpoint.read(for: sampler)
        #expect(continued.iteration == (stop + 1) / 3 * 3)
        #expect(continued.recordedBytes == 0)
        try schedule.run(&continued, with: sampler)
        try checkpoint.write(&continued)
        // What was recorded is in files now, and everything else as if nothing had happened.
        #expect(continued.recordedBytes == 0)
        let history = try checkpoint.history(of: continued)
        for quantity in whole.quantities + ["accepted", "acceptance"] {
          #expect(history.trace(quantity) == wholeHistory.trace(quantity), "\(quantity)")
        }
        for chain in 0..<3 {
          for draw in 0..<4 {
            #expect(history.draw(draw, ofChain: chain) == wholeHistory.draw(draw, ofChain: chain))
          }
        }
        var cleared = whole
        cleared.clearRecords()
        #expect(continued == cleared)
      }
    }
  }

  @Test func longHistoriesAreReadInPartsAndThinned() throws {
    let problem = LinearProblem().problem
    let sampler = PreconditionedCrankNicolson(problem)
    let schedule = SamplingSchedule(draws: 30_000, burnIn: 100, chains: 4, thin: 1000, stepSize: 0.9, seed: 2)
    var chains = try schedule.start(sampler)
    try withTemporaryFolder { folder in
      let checkpoint = ChainCheckpoint("\(folder)/last", configuration: "")
      var traces = [[Double]](repeating: [], count: 4)
      try schedule.run(&chains, with: sampler) { chains, _ in
        for chain in 0..<4 { traces[chain].append(chains.points.misfits[chain]) }
        if chains.recordedBytes > 100_000 { try checkpoint.moveRecords(of: &chains) }
      }
      try checkpoint.write(&chains)
      let history = try checkpoint.history(of: chains)
      #expect(history.trace("misfit") == traces)
      // 120,000 draws are more than diagnostics look at: every second one is left.
      #expect(history.keptStride == 2)
      let kept = history.keptTrace("misfit")
      for chain in 0..<4 {
        let draws = traces[chain].dropFirst(100)
        #expect(kept[chain] == Swift.stride(from: 100, to: 30_100, by: 2).map { traces[chain][$0] })
        let mean = draws.reduce(0, +) / Double(draws.count)
        #expect(abs(history.keptMeans("misfit")[chain] - mean) < 1e-12 * mean)
      }
      // Half of the draws hold no more than all, and of draws that hang together hardly less.
      let (half, all) = (
        InversionDiagnostics(history).values[0], ChainDiagnostics(traces.map { Array($0.dropFirst(100)) })
      )
      #expect(half.bulkESS > 0.5 * all.bulkESS && half.bulkESS < 1.2 * all.bulkESS)
      #expect(abs(half.autocorrelationTime / all.autocorrelationTime - 1) < 0.5)
    }
  }

  @Test func chainsDoNotDependOnTheNumberOfThreads() throws {
    let linear = LinearProblem()
    let sampler = MetropolisAdjustedLangevin(linear.problem)
    let runs = try withThreadCounts([1, 2, 3]) {
      try chains(sampler, draws: 40, burnIn: 20, stepSize: 0.5)
    }
    #expect(runs[0] == runs[1] && runs[0] == runs[2])
  }

  /// Fails for inputs that are large at the first point.
  private struct Fragile: DifferentiableOperator {
    enum Failure: Sendable { case notFinite, blowUp }
    let failure: Failure
    let heat: HeatEquation

    func callAsFunction(_ inputs: Tensor<Double>) throws -> Tensor<Double> {
      var result = heat(inputs)
      for sample in 0..<inputs.shape[0] where inputs[sample, 0, 0] > 0.8 {
        if failure == .blowUp { throw SolverError.blowUp(sample: sample, time: 1, advice: "none") }
        result[sample, 0, 3] = .nan
        result[sample, 0, 4] = .nan
      }
      return result
    }

    func vectorJacobianProducts(
      _ inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
    ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
      let solutions = try self(inputs)
      return (solutions, heat(try cotangents(solutions, 0..<inputs.shape[0])))
    }
  }

  @Test(arguments: [Fragile.Failure.notFinite, .blowUp], [Kind.pcn, .mala])
  private func solutionsThatAreNotFiniteAreRejectedAndCounted(failure: Fragile.Failure, kind: Kind) throws {
    let linear = LinearProblem()
    let fragile = Fragile(failure: failure, heat: linear.heat)
    let sampler = kind.sampler(linear.problem(fragile), linear.biased)
    let chains = try chains(sampler, draws: 300, burnIn: 20, stepSize: 0.7)
    #expect(chains.solves.failed > 20 && chains.solves.failed < chains.solves.forward / 2)
    let history = ChainHistory(chains)
    #expect(history.trace("misfit").allSatisfy { $0.allSatisfy(\.isFinite) })
    for chain in 0..<4 {
      // Single precision rounds 0.8 by 6e-8.
      #expect((0..<history.storedDraws).allSatisfy { history.draw($0, ofChain: chain)[0] < 0.8 + 1e-6 })
    }
  }

  @Test func aForwardMapThatNeverWorksIsAnError() throws {
    struct Broken: SolutionOperator {
      func callAsFunction(_ inputs: Tensor<Double>) -> Tensor<Double> {
        Tensor(shape: inputs.shape, repeating: .nan)
      }
    }
    let sampler = PreconditionedCrankNicolson(LinearProblem().problem(Broken()))
    let schedule = SamplingSchedule(draws: 3, burnIn: 0, chains: 2, stepSize: 0.5, seed: 0)
    #expect(throws: SamplingError.noFiniteStart(attempts: 20)) { try schedule.start(sampler) }
  }
}

/// pCN and ∞-MALA written out anew, with a sign before the terms that decide: −1 is the mistake.
private struct SignedSampler: Sampler {
  let problem: InverseProblem
  let usesGradient: Bool
  let sign: Double

  var name: String { "signed" }
  var customaryAcceptance: Double { 0.5 }

  func evaluate(_ coordinates: Tensor<Double>) throws -> ChainPoints {
    let (misfits, gradients) = try problem.misfitsAndGradients(of: coordinates)
    return ChainPoints(coordinates, misfits: misfits, gradients: gradients)
  }

  func step(
    _ points: inout ChainPoints, stepSizes: [Double], randoms: inout [Philox]
  ) throws -> StepOutcome {
    var outcome = StepOutcome(isAccepted: [], acceptances: [], solves: points.count, failures: 0)
    for chain in 0..<points.count {
      let (beta, count) = (stepSizes[chain], points.coordinates.shape[1])
      let rho = (1 - beta * beta).squareRoot()
      let c = usesGradient ? ((1 - rho) / (1 + rho)).squareRoot() : 0
      let present = points.coordinates[first: chain..<chain + 1].scalars
      let slope = points.gradients[first: chain..<chain + 1].scalars
      let noise = slope.map { randoms[chain].nextNormal() - c * $0 }
      let proposed = zip(present, noise).map { rho * $0 + beta * $1 }
      let new = try evaluate(Tensor(shape: [1, count], scalars: proposed))
      let back = zip(present, noise).map { beta * $0 - rho * $1 }
      func density(_ slope: [Double], _ noise: [Double]) -> Double {
        zip(slope, noise).reduce(0) { $0 - c * $1.0 * $1.1 - 0.5 * c * c * $1.0 * $1.0 }
      }
      let correction = density(new.gradients.scalars, back) - density(slope, noise)
      // For pCN the sign of the misfit, for MALA that of the correction.
      let logRatio =
        usesGradient
        ? points.misfits[chain] - new.misfits[0] + sign * correction
        : sign * (points.misfits[chain] - new.misfits[0])
      let isAccepted = log(1 - randoms[chain].nextUniform()) < logRatio
      if isAccepted {
        for index in 0..<count {
          points.coordinates[chain, index] = proposed[index]
          points.gradients[chain, index] = new.gradients[0, index]
        }
        points.misfits[chain] = new.misfits[0]
      }
      outcome.isAccepted.append(isAccepted)
      outcome.acceptances.append(min(1, exp(logRatio)))
    }
    return outcome
  }
}
