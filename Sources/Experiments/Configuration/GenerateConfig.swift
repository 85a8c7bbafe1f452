import Datasets
import Solvers

/// What `generate` is to compute: an equation, the law of its inputs, a solver, a grid, a number of samples.
public struct GenerateConfig: Sendable {
  /// The equations that data can be generated for.
  public enum EquationKind: String, CaseIterable, Sendable {
    /// u_t + (u²/2)_x = ν u_xx, periodic on (0, 2π).
    case burgers
    /// −∇·(a ∇u) = f on the unit square, u = 0 on its boundary.
    case darcy
    /// w_t + u·∇w = ν Δw + f on the unit torus.
    case navierStokes = "navier-stokes"
  }

  /// What drives the Navier-Stokes flow.
  public enum Forcing: String, CaseIterable, Sendable {
    /// f = 0.1 (sin 2π(x + y) + cos 2π(x + y)), that of the papers.
    case kolmogorovDiagonal = "kolmogorov-diagonal"
    /// Nothing.
    case none
  }

  /// An equation with its parameters.
  public enum Equation: Sendable, Equatable {
    /// Viscosity and recorded times.
    case burgers(viscosity: Double, times: [Double])
    /// Permeability where the Gaussian field is positive and where it is negative, and the source term.
    case darcy(permeabilityAbove: Double, permeabilityBelow: Double, source: Double)
    /// Viscosity, forcing and recorded times.
    case navierStokes(viscosity: Double, forcing: Forcing, times: [Double])

    /// Which equation it is.
    public var kind: EquationKind {
      switch self {
      case .burgers: .burgers
      case .darcy: .darcy
      case .navierStokes: .navierStokes
      }
    }
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
  public let precision: StoredPrecision
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
    precision = section.choice("precision", of: StoredPrecision.self, default: .single) ?? .single
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
        permeabilityAbove: above, permeabilityBelow: below, source: section.double("source", default: 1))
    case .navierStokes:
      let viscosity = section.double("viscosity", in: .positive)
      let forcing =
        section.choice("forcing", of: Forcing.self, default: .kolmogorovDiagonal) ?? .kolmogorovDiagonal
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
