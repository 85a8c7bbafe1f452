import Datasets
import Solvers
import Synchronization
import Tensors

/// Darcy flow through a random permeability.
public struct DarcyConfiguration: EquationConfiguration {
  /// The methods.
  enum Method: String, CaseIterable {
    case finiteVolumes = "finite-volumes"
  }

  /// Darcy flow.
  public static let kind = EquationKind.darcy
  /// Both boundaries are grid points.
  public static let gridKind = GridKind.bounded

  /// How a Gaussian field becomes a permeability.
  public enum Coefficient: Sendable, Equatable {
    /// Two values, by the sign of the field.
    case piecewise(above: Double, below: Double)
    /// The exponential of the field, times the median.
    case logNormal(median: Double)
  }

  private enum CoefficientKind: String, CaseIterable {
    case piecewise
    case logNormal = "log-normal"
  }

  /// The permeability, from the Gaussian field.
  public let coefficient: Coefficient
  /// The source term f.
  public let source: Double
  /// The law of the Gaussian field; by default (−Δ + 9)^(−2), that of the papers' data, for log-normal permeabilities
  /// times 100, which makes the standard deviation of their logarithm 0.97.
  public let prior: FieldSettings
  /// How the permeability of two vertices becomes that of the face between them.
  public let faceCoefficient: DarcyFlow.FaceCoefficient
  /// The relative residual of the linear solver.
  public let tolerance: Double

  /// Reads the sections `equation`, `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a coefficient or a solver that there is not.
  public init(_ configuration: ConfigSection) throws {
    let equation = configuration.section("equation")
    guard let kind = equation.choice("coefficient", of: CoefficientKind.self, default: .piecewise) else {
      throw equation.stop()
    }
    switch kind {
    case .piecewise:
      coefficient = .piecewise(
        above: equation.double("permeability_above", default: 12, in: .positive),
        below: equation.double("permeability_below", default: 3, in: .positive))
    case .logNormal:
      coefficient = .logNormal(median: equation.double("permeability_median", default: 1, in: .positive))
    }
    source = equation.double("source", default: 1)
    // The scale does not matter below a threshold.
    prior = FieldSettings(
      configuration.section("prior"), dimensions: 2,
      defaults: (sigma: kind == .piecewise ? 1 : 10, tau: 3, alpha: 2))
    let solver = configuration.section("solver")
    guard solver.choice("kind", of: Method.self, default: .finiteVolumes) != nil else { throw solver.stop() }
    faceCoefficient =
      solver.choice("face_coefficient", of: DarcyFlow.FaceCoefficient.self, default: .arithmeticMean)
      ?? .arithmeticMean
    tolerance = solver.double("tolerance", default: 1e-10, in: .between(1e-13, 1e-2))
  }

  /// The discretisation and its tolerance.
  public var method: String {
    "finite volumes, \(faceCoefficient.rawValue) mean on faces, multigrid conjugate gradients to \(tolerance)"
  }

  /// The solver on `grid`² vertices.
  func problem(grid: Int, tolerance: Double? = nil) throws -> DarcyFlow {
    try DarcyFlow(
      grid: grid, source: .constant(source), faceCoefficient: faceCoefficient,
      tolerance: tolerance ?? self.tolerance)
  }

  /// Permeability and pressure.
  public func makeSource(_ grid: StridedGrid, seed: UInt64) throws -> any SampleSource {
    let problem = try problem(grid: grid.points)
    let field = NeumannGaussianField(
      grid: [grid.points, grid.points], sigma: prior.sigma, tau: prior.tau, alpha: prior.alpha)
    return DarcySource(problem, field, coefficient, stride: grid.stride, seed: seed)
  }
}

/// Samples of the Darcy dataset: a random permeability, and the pressure.
private struct DarcySource: SampleSource {
  private let problem: DarcyFlow
  private let field: NeumannGaussianField
  private let coefficient: DarcyConfiguration.Coefficient
  private let stride: Int
  private let seed: UInt64
  private let residuals = ResidualRecord()

  let description: DatasetDescription

  init(
    _ problem: DarcyFlow, _ field: NeumannGaussianField, _ coefficient: DarcyConfiguration.Coefficient,
    stride: Int, seed: UInt64
  ) {
    self.problem = problem
    self.field = field
    self.coefficient = coefficient
    self.stride = stride
    self.seed = seed
    let permeability =
      switch coefficient {
      case .piecewise: "a random permeability of two values"
      case .logNormal: "a log-normal random permeability"
      }
    description = DatasetDescription(
      name: "darcy", title: "Steady Darcy flow through \(permeability)", problem: problem, stride: stride,
      times: [],
      fields: [
        .init(name: "permeability", isTimeVarying: false), .init(name: "pressure", isTimeVarying: false),
      ])
  }

  private func permeability(using random: inout Philox) -> Tensor<Double> {
    switch coefficient {
    case .piecewise(let above, let below):
      ThresholdedField(field, upper: above, lower: below).sample(using: &random)
    case .logNormal(let median): LogNormalField(field, median: median).sample(using: &random)
    }
  }

  /// Permeability and pressure of one sample, each `[x, y]`.
  func sample(_ index: Int) throws -> [Tensor<Double>] {
    var random = Philox(seed: seed, stream: .inputs, sample: index)
    let grid = field.grid
    let coefficient = permeability(using: &random)
    guard coefficient.withUnsafeBuffer({ $0.allSatisfy { $0 > 0 && $0.isFinite } }) else {
      throw SolverError.invalidProblem(
        "the permeability of sample \(index) leaves the range of numbers: reduce prior.sigma (now "
          + "\(Text.number(field.sigma)))")
    }
    let pressure = try namingSample(index) {
      try problem.solve(coefficient.reshaped(to: [1, 1] + grid)) { _, _, residual in
        residuals.record(residual, sample: index)
      }
    }
    return [
      everyPoint(of: coefficient, stride: stride, axes: 2),
      everyPoint(of: pressure.reshaped(to: grid), stride: stride, axes: 2),
    ]
  }

  /// Whether rounding left larger residuals than the tolerance.
  var notices: [String] { residuals.notice(tolerance: problem.tolerance).map { [$0] } ?? [] }
}

/// The largest residual of the stored solutions, which rounding may make larger than the tolerance.
final class ResidualRecord: Sendable {
  private let worst = Mutex((residual: 0.0, sample: 0))

  /// Takes note of the relative residual of one sample.
  func record(_ residual: Double, sample: Int) {
    worst.withLock { if residual > $0.residual { $0 = (residual, sample) } }
  }

  /// One line if a residual is larger than the tolerance.
  func notice(tolerance: Double) -> String? {
    let worst = worst.withLock { $0 }
    guard worst.residual > tolerance else { return nil }
    return "rounded to double precision, pressures have relative residuals of up to "
      + "\(Text.number(worst.residual, digits: 2)) (sample \(worst.sample)), more than the tolerance "
      + "\(Text.number(tolerance)), which they met before: the contrast of the permeability is high"
  }
}
