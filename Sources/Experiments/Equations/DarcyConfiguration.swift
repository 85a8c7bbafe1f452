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

  /// The permeability where the Gaussian field is not negative.
  public let permeabilityAbove: Double
  /// The permeability where the Gaussian field is negative.
  public let permeabilityBelow: Double
  /// The source term f.
  public let source: Double
  /// The law of the Gaussian field; by default (−Δ + 9)^(−2), that of the papers' data.
  public let prior: FieldSettings
  /// How the permeability of two vertices becomes that of the face between them.
  public let faceCoefficient: DarcyFlow.FaceCoefficient
  /// The relative residual of the linear solver.
  public let tolerance: Double

  /// Reads the sections `equation`, `prior` and `solver`.
  ///
  /// - Throws: `ConfigError` for a solver that there is not.
  public init(_ configuration: ConfigSection) throws {
    let equation = configuration.section("equation")
    permeabilityAbove = equation.double("permeability_above", default: 12, in: .positive)
    permeabilityBelow = equation.double("permeability_below", default: 3, in: .positive)
    source = equation.double("source", default: 1)
    // The scale does not matter below a threshold.
    prior = FieldSettings(
      configuration.section("prior"), dimensions: 2, defaults: (sigma: 1, tau: 3, alpha: 2))
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

  /// Permeability and pressure.
  public func makeSource(_ grid: StridedGrid, seed: UInt64) throws -> any SampleSource {
    let problem = try DarcyFlow(
      grid: grid.points, source: .constant(source), faceCoefficient: faceCoefficient, tolerance: tolerance)
    let field = NeumannGaussianField(
      grid: [grid.points, grid.points], sigma: prior.sigma, tau: prior.tau, alpha: prior.alpha)
    return DarcySource(
      problem, ThresholdedField(field, upper: permeabilityAbove, lower: permeabilityBelow),
      stride: grid.stride, seed: seed)
  }
}

/// Samples of the Darcy dataset: a permeability of two values, by the sign of a Gaussian random field, and
/// the pressure.
private struct DarcySource: SampleSource {
  private let problem: DarcyFlow
  private let permeability: ThresholdedField
  private let stride: Int
  private let seed: UInt64
  private let residuals = ResidualRecord()

  let description: DatasetDescription

  init(_ problem: DarcyFlow, _ permeability: ThresholdedField, stride: Int, seed: UInt64) {
    self.problem = problem
    self.permeability = permeability
    self.stride = stride
    self.seed = seed
    description = DatasetDescription(
      name: "darcy", title: "Steady Darcy flow through a random permeability of two values",
      problem: problem, stride: stride, times: [],
      fields: [
        .init(name: "permeability", isTimeVarying: false), .init(name: "pressure", isTimeVarying: false),
      ])
  }

  /// Permeability and pressure of one sample, each `[x, y]`.
  func sample(_ index: Int) throws -> [Tensor<Double>] {
    var random = Philox(seed: seed, stream: .inputs, sample: index)
    let grid = permeability.field.grid
    let coefficient = permeability.sample(using: &random)
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
