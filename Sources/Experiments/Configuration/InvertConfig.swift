import InverseProblems

/// What `invert` is to recover: an initial state or a coefficient from noisy values of the solution at few points.
public struct InvertConfig: Sendable {
  /// What maps the unknown to what is observed.
  public enum Surrogate: Sendable, Equatable {
    /// The classical solver, with the settings stated in the dataset file.
    case solver
    /// A trained model in a run folder.
    case run(String)
  }

  /// The time step of the classical solver.
  public enum SolverTimeStep: Sendable, Equatable {
    /// That of the dataset.
    case asInData
    /// Chosen by the solver for the grid.
    case auto
    /// Given.
    case fixed(Double)
    /// The largest equal steps whose error in the observed values is at most this, in deviations of the noise.
    case accurate(Double)
  }

  /// A sample of a dataset.
  public struct Sample: Sendable, Equatable {
    /// The dataset.
    public let file: String
    /// The sample.
    public let sample: Int
  }

  /// What the forward map is stated to be, to be compared with what it is.
  public struct StatedEquation: Sendable, Equatable {
    /// The equation.
    public let kind: EquationKind?
    /// The viscosity.
    public let viscosity: Double?
    /// The points per axis.
    public let grid: Int?
  }

  /// The law of the unknown field: a Gaussian field and what becomes of it.
  public struct Prior: Sendable, Equatable {
    /// The kinds.
    enum Kind: String, CaseIterable {
      case gaussian
      case logNormal = "log-normal"
      case levelSet = "level-set"
    }
    /// The Gaussian field.
    public let field: FieldSettings
    /// What becomes of it.
    public let transform: FieldTransform

    init(_ section: ConfigSection) {
      switch section.choice("kind", of: Kind.self, default: .gaussian) ?? .gaussian {
      case .gaussian:
        (field, transform) = (NavierStokesConfiguration.prior(section), .identity)
      case .logNormal:
        field = Self.coefficient(section)
        transform = .exponential(median: section.double("median", default: 1, in: .positive))
      case .levelSet:
        field = Self.coefficient(section)
        transform = .levels(
          below: section.double("below", default: 3, in: .positive),
          above: section.double("above", default: 12, in: .positive))
      }
    }

    private static func coefficient(_ section: ConfigSection) -> FieldSettings {
      FieldSettings(section, dimensions: 2, defaults: (sigma: 1, tau: 3, alpha: 2))
    }
  }

  /// What is known of a viscosity that is inferred beside the field: its logarithm is normal.
  public struct Viscosity: Sendable, Equatable {
    /// Its median under the prior.
    public let median: Double
    /// The standard deviation of its logarithm.
    public let logDeviation: Double
  }

  /// The sampler and its settings.
  public struct Sampler: Sendable, Equatable {
    /// The samplers.
    public enum Kind: String, CaseIterable, Sendable {
      /// The preconditioned Crank-Nicolson proposal (Cotter, Roberts, Stuart, White 2013).
      case pcn
      /// The Metropolis-adjusted Langevin proposal on function space: pCN shifted along the gradient.
      case mala
      /// The surrogate screens proposals, the classical solver decides (Christen, Fox 2005).
      case delayedAcceptance = "delayed-acceptance"
    }

    /// What screens proposals in delayed acceptance.
    public struct Screening: Sendable, Equatable {
      /// The samplers that may screen.
      public enum Kind: String, CaseIterable, Sendable {
        /// As `Sampler.Kind.pcn`.
        case pcn
        /// As `Sampler.Kind.mala`.
        case mala
      }
      /// The sampler of the surrogate's posterior.
      public let kind: Kind
      /// How many of its steps make one proposal.
      public let steps: Int
      /// The draws of each chain of the surrogate's posterior, which is sampled first to start from and to compare
      /// with; 0 for not at all.
      public let samples: Int
      /// Its draws that are thrown away.
      public let burnIn: Int
    }

    /// The laws that proposals may leave invariant.
    public enum Reference: String, CaseIterable, Sendable {
      /// The prior.
      case prior
      /// The Laplace approximation at the mode of the posterior: steps are small only where the data inform.
      case laplace
    }

    /// Where the chains start.
    public enum Start: String, CaseIterable, Sendable {
      /// From the law that proposals leave invariant.
      case auto
      /// From draws of the prior.
      case prior
      /// From draws of the Laplace approximation, made wider.
      case laplace
    }

    /// Which sampler.
    public let kind: Kind
    /// The screening of delayed acceptance; nil for other samplers.
    public let screening: Screening?
    /// The law that proposals leave invariant.
    public let reference: Reference
    /// The law that the chains start from, made wider where it is not the prior.
    public let start: Reference
    /// Whether the mode is to be found.
    public var needsMode: Bool { reference == .laplace || start == .laplace }
    /// The share β of fresh noise in a proposal, at the start if it is adapted.
    public let stepSize: Double
    /// Whether β is adapted during burn-in.
    public let adapt: Bool
    /// The acceptance rate that the adaptation aims at; nil for what is customary with the sampler.
    public let targetAcceptance: Double?
    /// The draws of each chain after burn-in.
    public let samples: Int
    /// The draws of each chain that are thrown away.
    public let burnIn: Int
    /// The number of chains.
    public let chains: Int
    /// Every how manieth draw is stored.
    public let thin: Int
  }

  /// The forward map.
  public let surrogate: Surrogate
  /// The classical solver's time step, if it is to differ from that of the dataset.
  public internal(set) var solverTimeStep: SolverTimeStep
  /// The points per axis of the classical solver that is the surrogate, if they are to be fewer than the dataset's.
  public let solverGrid: Int?
  /// The data.
  public let observations: ObservationConfig
  /// The noise of the observations.
  public let noise: NoiseConfig
  /// The dataset that states equation, grid and recorded times, if it is not that of the observations or the one
  /// that the surrogate was trained on.
  public let data: String?
  /// The true input behind a table of observations, where there is one to compare with.
  public let truth: Sample?
  /// What the equation is stated to be.
  public let equation: StatedEquation
  /// The law of the unknown field.
  public let prior: Prior
  /// The viscosity, if it is unknown too.
  public let viscosity: Viscosity?
  /// The sampler.
  public let sampler: Sampler
  /// Whether a surrogate is compared with the solver afterwards.
  public let compares: Bool
  /// The seed of noise, starts and proposals.
  public let seed: Int
  /// The run folder.
  public let output: String
  /// The resolved configuration as YAML.
  public let resolvedYAML: String
  /// All values but the output: two configurations with the same give the same chains.
  let identity: String
  /// Where each key was written, for mistakes that only show against the data.
  let origins: [String: ConfigOrigin]

  /// Reads and checks a configuration.
  ///
  /// - Throws: `ConfigError`.
  public init(_ section: ConfigSection) throws {
    let surrogateText = section.string("surrogate")
    surrogate = surrogateText == "solver" ? .solver : .run(surrogateText)
    let samplerSection = section.section("sampler")
    guard let kind = samplerSection.choice("kind", of: Sampler.Kind.self) else {
      throw samplerSection.stop()
    }
    if surrogate == .solver {
      let isCoarse = section.contains("solver") && section.section("solver").contains("grid")
      samplerSection.check(
        "kind", kind != .delayedAcceptance || isCoarse,
        "with 'surrogate: solver' it must be pcn or mala, unless 'solver.grid' makes it a coarse one that can screen"
      )
    }
    if surrogate == .solver || kind == .delayedAcceptance, section.contains("solver") {
      let solver = section.section("solver")
      solverTimeStep = InvertConfig.solverTimeStep(solver)
      solverGrid = solver.optionalInt("grid", in: .atLeast(4))
      solver.check(
        "grid", solverGrid == nil || surrogate == .solver,
        "it is for 'surrogate: solver'; here \(surrogateText) is the surrogate")
    } else {
      solverTimeStep = .asInData
      solverGrid = nil
    }
    observations = ObservationConfig(section)
    noise = NoiseConfig(section, isTable: observations.isTable)
    data = section.optionalString("data")
    truth = InvertConfig.truth(section)
    equation = InvertConfig.statedEquation(section)
    prior = Prior(section.section("prior"))
    viscosity = InvertConfig.viscosity(section, isAllowed: surrogate == .solver && solverGrid == nil)
    sampler = InvertConfig.sampler(kind, samplerSection)
    compares = section.bool("comparison", default: true)
    seed = section.int("seed", default: 0, in: .nonNegative)
    output = section.string("output")
    try section.finish()
    resolvedYAML = section.resolvedYAML
    origins = section.origins
    identity = section.resolvedValues.filter { $0.key != "output" }.sorted { $0.key < $1.key }
      .map { "\($0.key): \($0.value)" }.joined(separator: "\n")
  }

  /// The error of a key whose value does not fit the data.
  func mistake(_ key: String, _ message: String) -> ConfigError {
    ConfigError(origins[key] ?? .defaultValue, "'\(key)' \(message)")
  }

  private static func solverTimeStep(_ section: ConfigSection) -> SolverTimeStep {
    guard section.contains("error") else {
      return section.double("time_step", or: "auto", in: .positive).map { .fixed($0) } ?? .auto
    }
    if section.contains("time_step") {
      section.reject("time_step", "cannot be given together with 'solver.error', which chooses it")
    }
    return .accurate(section.double("error", in: .positive))
  }

  private static func viscosity(_ configuration: ConfigSection, isAllowed: Bool) -> Viscosity? {
    guard configuration.contains("viscosity") else { return nil }
    let section = configuration.section("viscosity")
    if !isAllowed {
      configuration.reject(
        "viscosity",
        "can be inferred with 'surrogate: solver' on the dataset's grid only; a surrogate is for one viscosity"
      )
    }
    return Viscosity(
      median: section.double("median", in: .positive),
      logDeviation: section.double("log_std", default: 0.5, in: .positive))
  }

  private static func truth(_ configuration: ConfigSection) -> Sample? {
    guard configuration.contains("truth") else { return nil }
    let section = configuration.section("truth")
    return Sample(
      file: section.string("file"), sample: section.int("sample", default: 0, in: .nonNegative))
  }

  private static func statedEquation(_ configuration: ConfigSection) -> StatedEquation {
    guard configuration.contains("equation") else {
      return StatedEquation(kind: nil, viscosity: nil, grid: nil)
    }
    let section = configuration.section("equation")
    return StatedEquation(
      kind: section.contains("kind") ? section.choice("kind", of: EquationKind.self) : nil,
      viscosity: section.optionalDouble("viscosity", in: .positive),
      grid: section.optionalInt("grid", in: .atLeast(2)))
  }

  /// The law that chains start from.
  private static func start(_ section: ConfigSection, _ reference: Sampler.Reference) -> Sampler.Reference {
    switch section.choice("start", of: Sampler.Start.self, default: .auto) ?? .auto {
    case .auto: reference
    case .prior: .prior
    case .laplace: .laplace
    }
  }

  private static func sampler(_ kind: Sampler.Kind, _ section: ConfigSection) -> Sampler {
    let screening: Sampler.Screening? =
      kind != .delayedAcceptance
      ? nil
      : Sampler.Screening(
        kind: section.choice("screening", of: Sampler.Screening.Kind.self, default: .pcn) ?? .pcn,
        steps: section.int("screening_steps", default: 5, in: .between(1, 1_000_000)),
        samples: section.int("surrogate_samples", default: 5000, in: .nonNegative),
        burnIn: section.int("surrogate_burn_in", default: 1000, in: .nonNegative))
    let reference =
      section.choice("reference", of: Sampler.Reference.self, default: kind == .pcn ? .prior : .laplace)
      ?? .prior
    let sampler = Sampler(
      kind: kind, screening: screening, reference: reference,
      start: start(section, reference),
      stepSize: section.double("step_size", default: 0.1, in: .above(0, upTo: 1)),
      adapt: section.bool("adapt", default: true),
      targetAcceptance: section.optionalDouble("target_acceptance", in: .between(0.01, 0.99)),
      samples: section.int("samples", in: .atLeast(1)),
      burnIn: section.int("burn_in", default: 0, in: .nonNegative),
      chains: section.int("chains", default: 1, in: .between(1, 1024)),
      thin: section.int("thin", default: 1, in: .atLeast(1)))
    section.check(
      "thin", sampler.thin <= sampler.samples, "it must be at most 'sampler.samples', \(sampler.samples)")
    return sampler
  }
}
