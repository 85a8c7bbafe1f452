import Foundation
import InverseProblems
import Solvers
import Tensors

/// What the inversion would have cost with a classical solver as accurate as the surrogate.
///
/// The error of a forward map is that of its observed values, in standard deviations of the noise, as a root mean
/// square over the points where the chains ended: maps with the same error have posteriors that are about equally
/// far off. Of all grids up to the surrogate's and all tolerances the solver gets the cheapest pair that reaches the
/// surrogate's error. Errors are measured against the solver on twice the grid, or more if
/// it has to be, with its default tolerance.
struct InversionComparison: Encodable {
  /// A forward map at work.
  struct Cost: Encodable {
    /// The points per axis.
    let grid: Int
    /// The tolerance of a time step, for the solver.
    let tolerance: Double?
    /// The error of observed values in standard deviations of the noise.
    let error: Double
    /// The seconds of one solve in a batch of as many as there are chains.
    let secondsPerSolve: Double
    /// That times the number of solves: the inversion, but for the little that proposals cost.
    let inversionSeconds: Double
  }

  let surrogate: Cost
  /// Nil if no grid and tolerance that were tried reach the surrogate's error.
  let solver: Cost?
  /// How many solves of the surrogate the inversion took.
  let solves: Int
  /// What training took, and the solves that made its data, if the run and the dataset say so.
  let trainingSeconds: Double?
  let dataSeconds: Double?
  /// After how many solves the surrogate has paid for both; nil if it never does or its cost is not known.
  let breakEvenSolves: Double?

  /// The tolerances that the solver is tried with, from the loosest.
  private static let tolerances = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7]

  /// Compares; nil if the dataset does not state what the solver needs.
  ///
  /// - Parameters:
  ///   - points: where the chains ended, `[chain, coordinate]`.
  ///   - solves: how many solves of the surrogate the inversion took.
  /// - Throws: what a forward map throws, unless it is the failure of a solver that is tried.
  init?(_ setup: InversionSetup, points: Tensor<Double>, solves: Int) throws {
    let (forward, grid) = (setup.forward, setup.forward.grid[0])
    guard let training = forward.training, let prior = setup.prior as? PeriodicGaussianField,
      setup.problem.transform == .identity, let exact = try setup.referenceValues(points)
    else { return nil }
    func error(_ problem: CoarsenedProblem) throws -> Double {
      let differences = zip(try problem.whitened(points), exact).map(-)
      return (differences.reduce(0) { $0 + $1 * $1 } / Double(differences.count)).squareRoot()
    }
    let own = CoarsenedProblem(setup.problem, prior: prior)
    let surrogateError = try error(own)
    let surrogateTime = try own.secondsPerSolve(points)
    surrogate = Cost(
      grid: grid, tolerance: nil, error: surrogateError, secondsPerSolve: surrogateTime,
      inversionSeconds: Double(solves) * surrogateTime)
    var best: Cost?
    for candidate in [grid / 8, grid / 4, 3 * grid / 8, grid / 2, 3 * grid / 4, grid]
    where candidate >= 8 && candidate.isMultiple(of: 2) {
      for tolerance in Self.tolerances {
        guard let problem = try setup.coarsened(to: candidate, tolerance: tolerance),
          let found = try? error(problem), found <= surrogateError
        else { continue }
        let time = try problem.secondsPerSolve(points)
        if time < best?.secondsPerSolve ?? .infinity {
          best = Cost(
            grid: candidate, tolerance: tolerance, error: found, secondsPerSolve: time,
            inversionSeconds: Double(solves) * time)
        }
        break
      }
    }
    solver = best
    self.solves = solves
    trainingSeconds = training.seconds
    dataSeconds = training.dataSeconds
    if let best, best.secondsPerSolve > surrogateTime, let trainingSeconds {
      breakEvenSolves = (trainingSeconds + (dataSeconds ?? 0)) / (best.secondsPerSolve - surrogateTime)
    } else {
      breakEvenSolves = nil
    }
  }

  /// The rows of the summary.
  var rows: [(String, String)] {
    func milliseconds(_ seconds: Double) -> String { "\(Text.number(1000 * seconds, digits: 3)) ms" }
    var rows = [
      (
        "surrogate's error",
        "\(Text.number(surrogate.error, digits: 3)) noise deviations in the observed values, "
          + "\(milliseconds(surrogate.secondsPerSolve)) a solve"
      )
    ]
    guard let solver, let tolerance = solver.tolerance else {
      return rows + [("as accurate", "no solver that was tried: the surrogate is the more accurate")]
    }
    rows += [
      (
        "as accurate",
        "the classical solver on \(solver.grid) points per axis, tolerance \(Text.number(tolerance)): "
          + "\(milliseconds(solver.secondsPerSolve)) a solve"
      ),
      (
        "these \(solves) solves",
        "\(Progress.clock(surrogate.inversionSeconds)) by the surrogate, "
          + "\(Progress.clock(solver.inversionSeconds)) by that solver"
      ),
    ]
    let training =
      trainingSeconds.map { seconds in
        "training took \(Progress.clock(seconds))"
          + (dataSeconds.map { ", its data \(Progress.clock($0))" } ?? "")
      } ?? "what training took is not known"
    if let breakEvenSolves {
      let inversions = breakEvenSolves / Double(max(1, solves))
      rows.append(
        (
          "break-even",
          "after \(Text.number(breakEvenSolves, digits: 3)) solves, "
            + "\(Text.number(inversions, digits: 3)) inversions like this: \(training)"
        ))
    } else if solver.secondsPerSolve <= surrogate.secondsPerSolve {
      rows.append(("break-even", "never: the solver is the faster one here; \(training)"))
    } else {
      rows.append(("break-even", training))
    }
    return rows
  }
}

/// The observed values of an inverse problem on another grid.
struct CoarsenedProblem {
  private let problem: InverseProblem
  private let prior: PeriodicGaussianField

  init(_ problem: InverseProblem, prior: PeriodicGaussianField) {
    self.problem = problem
    self.prior = prior
  }

  /// The whitened observed values of all points, whose coordinates are cut off or continued by zeros.
  ///
  /// Coordinates mean the same on all grids.
  func whitened(_ points: Tensor<Double>) throws -> [Double] {
    let fields = fields(points)
    let solutions = try problem.forward(fields)
    return (0..<fields.shape[0]).flatMap { sample in
      problem.noise.whiten(problem.observation(solutions[first: sample..<sample + 1]))
    }
  }

  /// The least of three times of solving for all points, divided by their number.
  func secondsPerSolve(_ points: Tensor<Double>) throws -> Double {
    let fields = fields(points)
    let times = try (0..<3).map { _ in
      let begin = ContinuousClock.now
      _ = try problem.forward(fields)
      return Progress.seconds(ContinuousClock.now - begin)
    }
    return (times.min() ?? 0) / Double(fields.shape[0])
  }

  private func fields(_ points: Tensor<Double>) -> Tensor<Double> {
    let (chains, own) = (points.shape[0], points.shape[1])
    let count = prior.coordinateCount
    let fields = (0..<chains).map { chain in
      prior.makeField(
        Tensor(shape: [count], scalars: (0..<count).map { $0 < own ? points[chain, $0] : 0 }))
    }
    return Tensor.stacking(fields).reshaped(to: [chains, 1] + prior.grid)
  }
}

extension InversionSetup {
  /// The whitened observed values of points by the solver on twice the grid, or more where that does not resolve
  /// the solutions; nil if the dataset does not state the solver's settings, or no grid does.
  fileprivate func referenceValues(_ points: Tensor<Double>) throws -> [Double]? {
    for factor in forward.grid.count == 1 ? [2, 4, 8, 16, 32] : [2, 4] {
      guard let problem = try coarsened(to: factor * forward.grid[0], tolerance: nil) else { return nil }
      do { return try problem.whitened(points) } catch is SolverError { continue }
    }
    return nil
  }

  /// The problem seen through the classical solver on another grid; nil if the dataset does not state its settings.
  ///
  /// - Parameter tolerance: of a time step; nil for the default.
  func coarsened(to grid: Int, tolerance: Double?) throws -> CoarsenedProblem? {
    let times = Array(Set(sensorTimes)).sorted()
    guard
      let solver = try forward.solver(
        grid: grid, times: times, tolerance: tolerance ?? TimeStepping.defaultTolerance)
    else { return nil }
    let prior = config.prior.field.periodicField(grid: forward.grid.map { _ in grid })
    let sensors = zip(problem.observation.sensors, sensorTimes).map { sensor, time in
      PointObservation.Sensor(sensor.position, channel: times.firstIndex(of: time) ?? 0)
    }
    return CoarsenedProblem(
      InverseProblem(
        prior: prior, forward: solver, observation: PointObservation(grid: prior.grid, sensors: sensors),
        data: problem.data, noise: problem.noise), prior: prior)
  }
}
