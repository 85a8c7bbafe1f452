import Foundation
import Solvers
import Tensors

/// Two frames of a sample, one after the other, and the time between them.
struct FramePair {
  var sample: Int
  /// The position of the later frame in the trajectory.
  var frame: Int
  var start: Tensor<Double>
  var end: Tensor<Double>
  var duration: Double
  /// The largest relative error of the stored numbers.
  var rounding: Double
}

/// How far the later frame of a pair is from the solution that starts at the earlier one.
struct Mismatch {
  /// ‖solution − frame‖ / ‖frame‖; infinite if there is no solution.
  var value: Double
  /// How much the solution changes with the scheme and with errors of the start as large as those of the stored
  /// numbers.
  var change: Double
  /// Those errors, relative to the frame.
  var perturbation: Double
  /// What rounding, points left out, and the choice of steps do to the later frame itself.
  var ofFrame: Double
  /// The factor of the later frame that brings it closest to the solution.
  var factor: Double
  /// Why there is no solution.
  var failure: String?

  /// What the mismatch may be, if the pair is right: the errors of the start are random, and what they do is known
  /// to a factor of a few.
  var bound: Double { 4 * change + ofFrame }
  /// Raises the change to what noise usually does.
  mutating func expect(amplification: Double) { change = max(change, amplification * perturbation) }

  var excess: Double { failure != nil ? .infinity : value / bound }
  /// Whether a right pair could not be told from a wrong one.
  var isUndecidable: Bool { failure == nil && bound > 0.5 }
}

/// Solves from stored frame to stored frame.
struct Resolver {
  let equation: any AuditedEvolution
  let subject: Subject
  let seed: UInt64

  /// The stream of the random numbers of an audit.
  static let stream = Philox.Stream(identifier: 8)

  private var stride: Int? { equation.stride(subject) }

  /// The solver's points between two stored ones: those of the file if it was solved on at most twice as many
  /// points as it holds, else two, so that what the stored grid holds is dealiased without loss.
  private var refinement: Int { stride.map { min($0, 2) } ?? 2 }

  /// The solutions at the end of every pair, on the stored grid; nil where there is none, with the reason.
  func solve(
    _ pairs: [FramePair], parameter: Double?, isAlternative: Bool = false, isPerturbed: Bool = false
  ) -> [(solution: Tensor<Double>?, failure: String?)] {
    var results = [(solution: Tensor<Double>?, failure: String?)](repeating: (nil, nil), count: pairs.count)
    let starts = pairs.map { isPerturbed ? perturbed($0) : $0.start }
    // A solver takes many samples, but one duration.
    let groups = Dictionary(grouping: pairs.indices) { pairs[$0].duration.rounded(digits: 10) }
    for group in groups.sorted(by: { $0.key < $1.key }).map(\.value) {
      let duration = pairs[group[0]].duration
      if let solutions = try? advance(
        group.map { starts[$0] }, duration, parameter, isAlternative, refinement: refinement)
      {
        for (index, solution) in zip(group, solutions) { results[index].solution = solution }
        continue
      }
      // One of them has no solution: each by itself, on finer grids if need be.
      for index in group {
        var refinement = refinement
        while true {
          do {
            results[index].solution = try advance(
              [starts[index]], duration, parameter, isAlternative, refinement: refinement)[0]
          } catch SolverError.underResolved where refinement < 8 {
            refinement *= 2
            continue
          } catch { results[index].failure = "\(error)" }
          break
        }
      }
    }
    return results
  }

  private func advance(
    _ starts: [Tensor<Double>], _ duration: Double, _ parameter: Double?, _ isAlternative: Bool,
    refinement: Int
  ) throws -> [Tensor<Double>] {
    let grid = subject.description.grid
    let problem = try equation.problem(
      grid: grid[0] * refinement, times: [duration], parameter: parameter, isAlternative: isAlternative)
    let scale = equation.fieldScale(subject)
    var inputs = Tensor.stacking(starts.map { interpolate($0, factor: refinement) })
    inputs.withUnsafeMutableBuffer { Double.scale($0.count, scale, $0.baseAddress!) }
    let fine = Shape(grid.map { $0 * refinement })
    var solutions = try problem(inputs.reshaped(to: [starts.count, 1] + fine))
    solutions.withUnsafeMutableBuffer { Double.scale($0.count, 1 / scale, $0.baseAddress!) }
    return starts.indices.map { index in
      everyPoint(of: solutions[first: index..<index + 1].reshaped(to: fine), stride: refinement)
    }
  }

  /// The error that the stored numbers of the start may have: rounding, and what a finer grid would have held.
  private func startError(_ pair: FramePair) -> Double {
    let size = pair.start.withUnsafeBuffer { Frame.norm($0) }
    let folded = stride == 1 ? 0 : ShellSpectrum(pair.start).beyond
    return (pair.rounding * pair.rounding * size * size + folded).squareRoot()
  }

  /// The start with white noise of the size of its error.
  private func perturbed(_ pair: FramePair) -> Tensor<Double> {
    var start = pair.start
    let deviation = startError(pair)
    var random = Philox(seed: seed, stream: Self.stream, sample: pair.sample)
    let noise = random.normal(shape: start.shape)
    start.withUnsafeMutableBuffer { values in
      noise.withUnsafeBuffer {
        Double.axpy(values.count, deviation, $0.baseAddress!, values.baseAddress!)
      }
    }
    return start
  }

  /// Compares the later frame of every pair with the solution that starts at the earlier one.
  ///
  /// Few modes may survive from one frame to the next, so that one draw of noise may by chance do little. Over all
  /// pairs the effect of noise is known better: `amplification` times it is the least that is expected.
  func mismatches(_ pairs: [FramePair], parameter: Double?, amplification: Double = 0) -> [Mismatch] {
    let solutions = solve(pairs, parameter: parameter)
    let others = solve(pairs, parameter: parameter, isAlternative: true, isPerturbed: true)
    return pairs.indices.map { index in
      let pair = pairs[index]
      guard let solution = solutions[index].solution, let other = others[index].solution else {
        return Mismatch(
          value: .infinity, change: 0, perturbation: 0, ofFrame: 1, factor: .nan,
          failure: solutions[index].failure ?? others[index].failure ?? "no solution")
      }
      var mismatch = compare(pair, solution, other)
      mismatch.expect(amplification: amplification)
      return mismatch
    }
  }

  private func compare(_ pair: FramePair, _ solution: Tensor<Double>, _ other: Tensor<Double>) -> Mismatch {
    withPointers(pair.end, solution, other) { end, solution, other in
      let count = pair.end.count
      // The norm of the frame; a solution that has died out is compared with where it came from.
      let startSize = pair.start.withUnsafeBuffer { Frame.norm($0) } * Double(count).squareRoot()
      let size = max(
        Double.dot(count, end, end).squareRoot(), Double.dot(count, solution, solution).squareRoot() * 1e-3,
        startSize * 1e-6, .leastNormalMagnitude)
      let change = Double.squaredDistance(count, solution, other).squareRoot() / size
      let folded =
        stride == 1
        ? 0 : ShellSpectrum(pair.end).beyond.squareRoot() * Double(count).squareRoot() / size
      let squared = Double.dot(count, end, end)
      return Mismatch(
        value: Double.squaredDistance(count, solution, end).squareRoot() / size,
        change: change,
        perturbation: startError(pair) * Double(count).squareRoot() / size,
        ofFrame: 4 * pair.rounding + 2 * folded + equation.timeStepping.choiceError + 1e-12,
        factor: squared > 0 ? Double.dot(count, solution, end) / squared : .nan)
    }
  }
}

extension Double {
  /// Rounded to so many significant digits.
  func rounded(digits: Int) -> Double {
    guard self != 0, isFinite else { return self }
    let scale = pow(10, Double(digits) - floor(log10(abs(self))))
    return (self * scale).rounded() / scale
  }
}
