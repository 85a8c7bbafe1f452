import Datasets
import Solvers
import Tensors

/// Samples of the Burgers dataset: u(·, 0) from a Gaussian random field, u at the recorded times.
public struct BurgersSource: SampleSource {
  private let problem: Burgers
  private let initialValue: PeriodicGaussianField
  private let stride: Int
  private let seed: UInt64

  /// What the samples are.
  public let description: DatasetDescription

  /// The samples of a configuration.
  ///
  /// - Throws: `SolverError.invalidProblem`.
  init(_ config: GenerateConfig, viscosity: Double, times: [Double]) throws {
    guard case .pseudospectral(let scheme, let timeStep) = config.solver else {
      preconditionFailure("the solver is read for the equation")
    }
    problem = try Burgers(
      grid: config.grid, viscosity: viscosity, times: [0] + times, timeStep: timeStep, scheme: scheme)
    initialValue = PeriodicGaussianField(
      grid: [config.grid], sigma: config.prior.sigma, tau: config.prior.tau, alpha: config.prior.alpha)
    stride = config.grid / config.storedGrid
    seed = UInt64(config.seed)
    description = DatasetDescription(
      name: "burgers", title: "Viscous Burgers equation from Gaussian random initial values",
      problem: problem, stride: stride, times: problem.times,
      fields: [.init(name: "u", isTimeVarying: true)])
  }

  /// The frames of one sample, the first of them at t = 0: `[time, x]`.
  public func sample(_ index: Int) throws -> [Tensor<Double>] {
    var random = Philox(seed: seed, stream: .inputs, sample: index)
    let input = initialValue.sample(using: &random).reshaped(to: [1, 1] + initialValue.grid)
    let frames = try solve(problem, input, sample: index)
    return [everyPoint(of: frames.reshaped(to: Array(frames.shape.dropFirst())), stride: stride, axes: 1)]
  }
}
