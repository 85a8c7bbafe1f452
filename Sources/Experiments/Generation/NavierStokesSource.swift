import Datasets
import Solvers
import Tensors

/// Samples of the Navier-Stokes dataset: an initial vorticity from a Gaussian random field, and the vorticity
/// at the recorded times.
public struct NavierStokesSource: SampleSource {
  private let problem: NavierStokes
  private let initialVorticity: PeriodicGaussianField
  private let stride: Int
  private let seed: UInt64

  /// What the samples are.
  public let description: DatasetDescription

  /// The samples of a configuration.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  init(
    _ config: GenerateConfig, viscosity: Double, forcing: GenerateConfig.Forcing, times: [Double]
  ) throws {
    problem = try NavierStokes(
      config, viscosity: viscosity, forcing: forcing, times: [0] + times, grid: config.grid,
      timeStep: config.solver.timeStep)
    initialVorticity = PeriodicGaussianField(
      grid: [config.grid, config.grid], sigma: config.prior.sigma, tau: config.prior.tau,
      alpha: config.prior.alpha)
    stride = config.grid / config.storedGrid
    seed = UInt64(config.seed)
    description = DatasetDescription(
      name: "navier-stokes",
      title: "Two-dimensional Navier-Stokes equation from Gaussian random initial vorticities",
      problem: problem, stride: stride, times: problem.times,
      fields: [.init(name: "vorticity", isTimeVarying: true)])
  }

  /// The frames of one sample, the first of them at t = 0: `[time, x, y]`.
  public func sample(_ index: Int) throws -> [Tensor<Double>] {
    var random = Philox(seed: seed, stream: .inputs, sample: index)
    let input = initialVorticity.sample(using: &random).reshaped(to: [1, 1] + initialVorticity.grid)
    let frames = try solve(problem, input, sample: index)
    return [everyPoint(of: frames.reshaped(to: Array(frames.shape.dropFirst())), stride: stride, axes: 2)]
  }
}

extension NavierStokes {
  /// The solver of a configuration.
  init(
    _ config: GenerateConfig, viscosity: Double, forcing: GenerateConfig.Forcing, times: [Double], grid: Int,
    timeStep: Double?
  ) throws {
    guard case .pseudospectral(let scheme, _) = config.solver else {
      preconditionFailure("the solver is read for the equation")
    }
    let field: Forcing =
      switch forcing {
      case .kolmogorovDiagonal: .kolmogorovDiagonal
      case .none: .none
      }
    try self.init(
      grid: grid, viscosity: viscosity, times: times, forcing: field, timeStep: timeStep, scheme: scheme)
  }
}
