import Datasets
import Solvers
import Tensors

/// Samples of the Darcy dataset: a permeability of two values, by the sign of a Gaussian random field, and
/// the pressure.
public struct DarcySource: SampleSource {
  private let problem: DarcyFlow
  private let permeability: ThresholdedField
  private let stride: Int
  private let seed: UInt64

  /// What the samples are.
  public let description: DatasetDescription

  /// The samples of a configuration.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  init(_ config: GenerateConfig, above: Double, below: Double, source: Double) throws {
    guard case .finiteVolumes(let face, let tolerance) = config.solver else {
      preconditionFailure("the solver is read for the equation")
    }
    problem = try DarcyFlow(
      grid: config.grid, source: .constant(source), faceCoefficient: face, tolerance: tolerance)
    permeability = ThresholdedField(
      NeumannGaussianField(
        grid: [config.grid, config.grid], sigma: config.prior.sigma, tau: config.prior.tau,
        alpha: config.prior.alpha),
      upper: above, lower: below)
    stride = (config.grid - 1) / (config.storedGrid - 1)
    seed = UInt64(config.seed)
    description = DatasetDescription(
      name: "darcy", title: "Steady Darcy flow through a random permeability of two values",
      problem: problem, stride: stride, times: [],
      fields: [
        .init(name: "permeability", isTimeVarying: false), .init(name: "pressure", isTimeVarying: false),
      ])
  }

  /// Permeability and pressure of one sample, each `[x, y]`.
  public func sample(_ index: Int) throws -> [Tensor<Double>] {
    var random = Philox(seed: seed, stream: .inputs, sample: index)
    let grid = permeability.field.grid
    let coefficient = permeability.sample(using: &random)
    let pressure = try solve(problem, coefficient.reshaped(to: [1, 1] + grid), sample: index)
    return [
      everyPoint(of: coefficient, stride: stride, axes: 2),
      everyPoint(of: pressure.reshaped(to: grid), stride: stride, axes: 2),
    ]
  }
}
