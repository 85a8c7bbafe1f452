import Solvers
import Tensors

/// A Gaussian prior with mean zero: what is believed of the unknown before any observation.
public protocol Prior: Sendable {
  /// The shape of one draw.
  var grid: [Int] { get }

  /// One draw.
  func sample(using random: inout Philox) -> Tensor<Double>
}

extension PeriodicGaussianField: Prior {}

/// An unknown input of a solution operator, seen through noisy observations of its last output channel.
///
/// The data are y = O(G(w)) + η with G the operator, O the observation and η independent normal noise; a
/// posterior density is the prior's times exp(−Φ(w)), Φ(w) = ½ |y − O(G(w))|² / γ². With the true input, Φ is
/// half a χ² variable: about half the number of observations.
public struct InverseProblem: Sendable {
  /// The forward map G: `[sample, 1, ...grid]` to `[sample, channels, ...grid]`.
  public let forward: any SolutionOperator
  /// The observation O, of the last channel of the output (the final time of a trajectory).
  public let observation: PointObservation
  /// The observed values y, one per sensor.
  public let data: [Double]
  /// The standard deviation γ of the noise.
  public let noise: Double

  /// An inverse problem; `data` must have one value per sensor and `noise` must be positive.
  public init(forward: any SolutionOperator, observation: PointObservation, data: [Double], noise: Double) {
    precondition(data.count == observation.count, "\(data.count) data for \(observation.count) sensors")
    precondition(noise > 0, "the noise must be positive, not \(noise)")
    self.forward = forward
    self.observation = observation
    self.data = data
    self.noise = noise
  }

  /// The misfit Φ of every input of a batch `[sample, ...grid]`.
  ///
  /// A solution that is not finite has the misfit +∞: the sampler rejects it.
  public func misfits(of inputs: Tensor<Double>) throws -> [Double] {
    let batch = inputs.shape[0]
    let grid = Array(inputs.shape.dropFirst())
    let solutions = try forward(inputs.reshaped(to: [batch, 1] + grid))
    let channels = solutions.shape[1]
    let points = observation.grid.reduce(1, *)
    precondition(
      solutions.count == batch * channels * points,
      "the forward map returned \(solutions.shape) for observations on \(observation.grid)")
    return withPointers(solutions) { solutions in
      (0..<batch).map { sample in
        let last = solutions + (sample * channels + channels - 1) * points
        let sum = zip(observation(last), data).reduce(0) { sum, pair in
          sum + (pair.1 - pair.0) * (pair.1 - pair.0)
        }
        let misfit = sum / (2 * noise * noise)
        return misfit.isFinite ? misfit : .infinity
      }
    }
  }
}
