import Datasets

/// What `generate` is to compute: an equation with its inputs and its solver, a grid, a number of samples.
public struct GenerateConfig: Sendable {
  /// The equation with the law of its inputs and the method that solves it.
  public let equation: any EquationConfiguration
  /// The points per axis that the solver uses, and which of them are kept.
  public let grid: StridedGrid
  /// The number of samples.
  public let samples: Int
  /// Along how many directions every solution is differentiated; nil for none.
  public let tangents: Int?
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
  private let tangentsOrigin: ConfigOrigin

  /// Reads and checks a configuration.
  ///
  /// - Throws: `ConfigError`.
  public init(_ section: ConfigSection) throws {
    let equationSection = section.section("equation")
    guard let kind = equationSection.choice("kind", of: EquationKind.self) else {
      throw equationSection.stop()
    }
    let type = kind.configuration
    equation = try type.init(section)
    let points = section.int("grid", in: type.gridKind.range)
    let storedPoints = section.int("stored_grid", default: points, in: .atLeast(2))
    samples = section.int("samples", in: .atLeast(1))
    tangents = section.optionalInt("tangents", in: .between(1, 64))
    seed = section.int("seed", default: 0, in: .nonNegative)
    precision = section.choice("precision", of: StoredPrecision.self, default: .single) ?? .single
    deflate = section.int("deflate", default: 0, in: .between(0, 9))
    output = section.string("output")
    section.check("stored_grid", storedPoints <= points, "it must be at most 'grid', which is \(points)")
    let stride = storedPoints < 2 ? nil : type.gridKind.stride(from: points, to: storedPoints)
    switch type.gridKind {
    case .periodic:
      section.check(
        "stored_grid", stride != nil,
        "it must divide 'grid', which is \(points): a periodic grid is stored by striding")
    case .bounded:
      section.check(
        "stored_grid", stride != nil,
        "'stored_grid' - 1 must divide 'grid' - 1, which is \(points - 1): striding keeps both boundaries")
    }
    grid = StridedGrid(points: points, stride: stride ?? 1)
    try section.finish()
    resolvedYAML = section.resolvedYAML
    tangentsOrigin = section.origins["tangents"] ?? .defaultValue
  }

  /// The points per axis that are stored.
  var storedPoints: Int {
    gridKind == .periodic ? grid.points / grid.stride : (grid.points - 1) / grid.stride + 1
  }

  /// Whether the grid has its end point.
  var gridKind: GridKind { type(of: equation).gridKind }

  /// The samples that this configuration describes.
  ///
  /// - Throws: `SolverError.invalidProblem` for settings that the solver refuses, `ConfigError` for derivatives that it
  ///   does not have.
  public func makeSource() throws -> any SampleSource {
    let source = try equation.makeSource(grid, seed: UInt64(seed))
    guard let tangents else { return source }
    guard let differentiated = (source as? EvolutionSource)?.withTangents(tangents) else {
      throw ConfigError(
        tangentsOrigin,
        "'tangents' is given, but this solver has no derivatives: it needs a periodic equation in time and its own scheme"
      )
    }
    return differentiated
  }
}
