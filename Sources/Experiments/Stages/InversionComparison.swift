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
    guard let training = forward.training, let exact = try setup.referenceValues(points) else { return nil }
    func error(_ problem: CoarsenedProblem) throws -> Double {
      let differences = zip(try problem.whitened(points), exact).map(-)
      return (differences.reduce(0) { $0 + $1 * $1 } / Double(differences.count)).squareRoot()
    }
    let own = CoarsenedProblem(setup.problem)
    let surrogateError = try error(own)
    let surrogateTime = try own.secondsPerSolve(points)
    surrogate = Cost(
      grid: grid, tolerance: nil, error: surrogateError, secondsPerSolve: surrogateTime,
      inversionSeconds: Double(solves) * surrogateTime)
    var best: Cost?
    // Bounded axes have one point more than intervals.
    let intervals = forward.isPeriodic ? grid : grid - 1
    for intervals in [1, 2, 3, 4, 6, 8].map({ $0 * intervals / 8 })
    where intervals >= 8 && (intervals.isMultiple(of: 2) || !forward.isPeriodic) {
      let candidate = forward.isPeriodic ? intervals : intervals + 1
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

  init(_ problem: InverseProblem) { self.problem = problem }

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
    let prior = problem.prior
    let count = prior.coordinateCount
    let fields = (0..<chains).map { chain in
      prior.makeField(
        Tensor(shape: [count], scalars: (0..<count).map { $0 < own ? points[chain, $0] : 0 }))
    }
    return problem.transform(Tensor.stacking(fields).reshaped(to: [chains, 1] + prior.grid))
  }
}

extension InversionSetup {
  /// The whitened observed values of points by the solver on twice the grid, or more where that does not resolve
  /// the solutions; nil if the dataset does not state the solver's settings, or no grid does.
  fileprivate func referenceValues(_ coordinates: Tensor<Double>) throws -> [Double]? {
    for factor in forward.grid.count == 1 ? [2, 4, 8, 16, 32] : [2, 4] {
      let points = forward.isPeriodic ? factor * forward.grid[0] : factor * (forward.grid[0] - 1) + 1
      guard let problem = try coarsened(to: points, tolerance: nil) else { return nil }
      do { return try problem.whitened(coordinates) } catch is SolverError { continue }
    }
    return nil
  }

  /// The problem seen through the classical solver on another grid; nil if the dataset does not state its settings.
  ///
  /// - Parameter tolerance: of a time step; nil for the default.
  func coarsened(to grid: Int, tolerance: Double?) throws -> CoarsenedProblem? {
    let times = Array(Set(sensorTimes)).sorted()
    guard let solver = try forward.solver(grid: grid, times: times, tolerance: tolerance),
      let prior = try? Self.fieldPrior(
        config, forward, grid: Shape(repeating: grid, count: forward.grid.count))
    else { return nil }
    let sensors = problem.observation.sensors.enumerated().map { number, sensor in
      // Steady fields have no times.
      PointObservation.Sensor(
        sensor.position, channel: sensorTimes.isEmpty ? 0 : times.firstIndex(of: sensorTimes[number]) ?? 0)
    }
    var coarse = InverseProblem(
      prior: prior, forward: solver,
      observation: PointObservation(
        grid: prior.grid, sensors: sensors, isPeriodic: forward.isPeriodic,
        interpolation: forward.isPeriodic ? .spectral : .bilinear),
      data: problem.data, noise: problem.noise)
    coarse.transform = problem.transform
    return CoarsenedProblem(coarse)
  }
}
