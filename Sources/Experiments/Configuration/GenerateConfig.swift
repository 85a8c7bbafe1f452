/// What `generate` is to compute: an equation, the law of its inputs, a solver, a grid, a number of samples.
public struct GenerateConfig: Sendable, Equatable {
  /// The equations that data can be generated for.
  public enum EquationKind: String, CaseIterable, Sendable {
    /// u_t + (u²/2)_x = ν u_xx, periodic on (0, 2π).
    case burgers
    /// −∇·(a ∇u) = f on the unit square, u = 0 on its boundary.
    case darcy
    /// w_t + u·∇w = ν Δw + f on the unit torus.
    case navierStokes = "navier-stokes"
  }

  /// An equation with its parameters.
  public enum Equation: Sendable, Equatable {
    /// Viscosity and recorded times.
    case burgers(viscosity: Double, times: [Double])
    /// Permeability where the Gaussian field is positive and where it is negative, and the source term.
    case darcy(permeability: (above: Double, below: Double), source: Double)
    /// Viscosity, amplitude of f = amplitude (sin 2π(x+y) + cos 2π(x+y)), and recorded times.
    case navierStokes(viscosity: Double, forcing: Double, times: [Double])

    /// Which equation it is.
    public var kind: EquationKind {
      switch self {
      case .burgers: .burgers
      case .darcy: .darcy
      case .navierStokes: .navierStokes
      }
    }

    /// Equal kinds and parameters.
    public static func == (left: Equation, right: Equation) -> Bool {
      switch (left, right) {
      case (.burgers(let a, let b), .burgers(let c, let d)): a == c && b == d
      case (.darcy(let a, let b), .darcy(let c, let d)): a == c && b == d
      case (.navierStokes(let a, let b, let c), .navierStokes(let d, let e, let f)):
        a == d && b == e && c == f
      default: false
      }
    }
  }

  /// The precision of the stored fields.
  public enum Precision: String, CaseIterable, Sendable {
    /// 32 bits.
    case single
    /// 64 bits.
    case double
  }

  /// The equation and its parameters.
  public let equation: Equation
  /// The Gaussian random field that the inputs are drawn from.
  public let prior: PriorConfig
  /// The numerical method.
  public let solver: SolverConfig
  /// Points per axis that the solver uses.
  public let grid: Int
  /// Points per axis that are kept, by striding.
  public let storedGrid: Int
  /// The number of samples.
  public let samples: Int
  /// The seed of all random numbers.
  public let seed: Int
  /// The precision of the stored fields.
  public let precision: Precision
  /// The level of compression, 0 (none) to 9.
  public let deflate: Int
  /// The dataset file to write.
  public let output: String
  /// The resolved configuration as YAML.
  public let resolvedYAML: String

  /// Reads and checks a configuration.
  ///
  /// - Throws: `ConfigError`.
  public init(_ section: ConfigSection) throws {
    let equationSection = section.section("equation")
    guard let kind = equationSection.choice("kind", of: EquationKind.self) else {
      throw equationSection.stop()
    }
    equation = GenerateConfig.equation(kind, equationSection)
    prior = PriorConfig(section.section("prior"), for: kind)
    let solverSection = section.section("solver")
    guard let solver = SolverConfig(solverSection, for: kind) else { throw solverSection.stop() }
    self.solver = solver
    let isPeriodic = kind != .darcy
    grid = section.int("grid", in: isPeriodic ? .even(atLeast: 8) : .atLeast(5))
    storedGrid = section.int("stored_grid", default: grid, in: .atLeast(2))
    samples = section.int("samples", in: .atLeast(1))
    seed = section.int("seed", default: 0, in: .nonNegative)
    precision = section.choice("precision", of: Precision.self, default: .single) ?? .single
    deflate = section.int("deflate", default: 0, in: .between(0, 9))
    output = section.string("output")
    section.check("stored_grid", storedGrid <= grid, "it must be at most 'grid', which is \(grid)")
    if isPeriodic {
      section.check(
        "stored_grid", grid.isMultiple(of: storedGrid),
        "it must divide 'grid', which is \(grid): a periodic grid is stored by striding")
    } else {
      section.check(
        "stored_grid", (grid - 1).isMultiple(of: storedGrid - 1),
        "'stored_grid' - 1 must divide 'grid' - 1, which is \(grid - 1): striding keeps both boundaries")
    }
    try section.finish()
    resolvedYAML = section.resolvedYAML
  }

  private static func equation(_ kind: EquationKind, _ section: ConfigSection) -> Equation {
    switch kind {
    case .burgers:
      return .burgers(viscosity: section.double("viscosity", in: .positive), times: times(section))
    case .darcy:
      let above = section.double("permeability_above", default: 12, in: .positive)
      let below = section.double("permeability_below", default: 3, in: .positive)
      return .darcy(
        permeability: (above, below), source: section.double("source", default: 1))
    case .navierStokes:
      let viscosity = section.double("viscosity", in: .positive)
      let forcing = section.double("forcing", default: 0.1)
      return .navierStokes(viscosity: viscosity, forcing: forcing, times: times(section))
    }
  }

  /// The recorded times: `times`, or `frames` equal steps up to `final_time`.
  private static func times(_ section: ConfigSection) -> [Double] {
    if section.contains("times") || !section.contains("final_time") && !section.contains("frames") {
      let times = section.doubleList("times", in: .positive)
      section.check("times", !times.isEmpty, "it must have at least one time")
      section.check(
        "times", zip(times, times.dropFirst()).allSatisfy { $0 < $1 }, "the times must increase")
      for key in ["final_time", "frames"] where section.contains(key) {
        section.reject(key, "cannot be given together with 'times'")
      }
      return times
    }
    let finalTime = section.double("final_time", in: .positive)
    let frames = section.int("frames", default: 1, in: .atLeast(1))
    return (1...max(1, frames)).map { finalTime * Double($0) / Double(frames) }
  }
}

/// The Gaussian random field with covariance σ² (−Δ + τ² I)^(−α).
///
/// The spectrum of Δ is that of the unit interval or square, whatever the length of the equation's domain.
public struct PriorConfig: Sendable, Equatable {
  /// The scale σ.
  public let sigma: Double
  /// The inverse length scale τ.
  public let tau: Double
  /// The smoothness α.
  public let alpha: Double

  /// A random field of given parameters.
  public init(sigma: Double, tau: Double, alpha: Double) {
    self.sigma = sigma
    self.tau = tau
    self.alpha = alpha
  }

  /// The law of the inputs in the papers' data.
  ///
  /// Burgers: 625 (−Δ + 25 I)^(−2). Darcy: (−Δ + 9 I)^(−2) with Neumann conditions, scaled by τ^(α−1); the
  /// scale does not matter below a threshold. Navier-Stokes: 2 · 7³ (−Δ + 49 I)^(−2.5), which is what the
  /// published generator computes, not the printed 7^(3/2).
  public init(paperFor kind: GenerateConfig.EquationKind) {
    switch kind {
    case .burgers: self.init(sigma: 25, tau: 5, alpha: 2)
    case .darcy: self.init(sigma: 3, tau: 3, alpha: 2)
    case .navierStokes: self.init(sigma: 686.0.squareRoot(), tau: 7, alpha: 2.5)
    }
  }

  /// Reads the field's parameters; by default those of the papers.
  init(_ section: ConfigSection, for kind: GenerateConfig.EquationKind) {
    let paper = PriorConfig(paperFor: kind)
    sigma = section.double("sigma", default: paper.sigma, in: .positive)
    tau = section.double("tau", default: paper.tau, in: .nonNegative)
    let dimensions = kind == .burgers ? 1 : 2
    // Below α = d/2 the point values have no finite variance.
    alpha = section.double(
      "alpha", default: paper.alpha,
      in: ConfigRange("greater than \(Double(dimensions) / 2)") { $0 > Double(dimensions) / 2 })
  }
}
