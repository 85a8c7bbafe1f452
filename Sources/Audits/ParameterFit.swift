import Foundation
import Tensors

/// The value of an equation's parameter with which stored frames follow from each other best.
///
/// Gauss-Newton in the logarithm of the parameter, with the derivative by a finite difference of solutions. Each
/// pair of frames has an estimate of its own; the fit is their median, weighted by how much each pair depends on
/// the parameter, so that single wrong samples do not move it.
struct ParameterFit {
  /// The fitted value; nil if there is none.
  private(set) var value: Double?
  /// The standard deviation of its logarithm: of the median of the pairs' estimates, and of what the scheme and
  /// the stored numbers leave open.
  private(set) var uncertainty = Double.infinity

  private let parameter: AuditedParameter
  private var pairs = 0

  /// A relative difference of parameters that is never called one: solvers of different order disagree by less.
  private static let tolerance = 0.01

  init(
    _ parameter: AuditedParameter, _ resolver: Resolver, _ solving: Solving, pairs: [FramePair]
  ) throws {
    self.parameter = parameter
    let searched =
      try parameter.stated == nil
      ? parameter.range.flatMap { try Self.scan($0, resolver, solving, pairs) } : nil
    guard var value = parameter.stated ?? searched else {
      return
    }
    var estimates: [Estimate] = []
    for iteration in 0..<10 {
      try solving.progress(.fitting, iteration, 10)
      estimates = Self.estimates(at: value, resolver, pairs)
      guard !estimates.isEmpty else { return }
      let step = Statistics.weightedMedian(estimates.map(\.step), weights: estimates.map(\.weight))
      value *= exp(max(-1, min(1, step)))
      if abs(step) < 1e-4 { break }
    }
    let steps = estimates.map(\.step)
    let weights = estimates.map(\.weight)
    let total = weights.reduce(0, +)
    let center = Statistics.weightedMedian(steps, weights: weights)
    let spread =
      1.4826 * Statistics.weightedMedian(steps.map { abs($0 - center) }, weights: weights)
    let effective = total * total / weights.reduce(0) { $0 + $1 * $1 }
    let used = estimates.map { pairs[$0.pair] }
    let changes = resolver.mismatches(used, parameter: value).map(\.change)
    let systematic = Statistics.weightedMedian(
      zip(changes, weights).map { $0 / $1.squareRoot() }, weights: weights)
    self.value = value
    self.pairs = used.count
    // The median of a normal sample has 1.25 times the deviation of the mean.
    uncertainty = 1.2533 * spread / effective.squareRoot() + systematic
  }

  private struct Estimate {
    let pair: Int
    /// What this pair would add to the logarithm of the parameter.
    let step: Double
    /// The squared relative change of the solution per unit of the logarithm.
    let weight: Double
  }

  private static func estimates(
    at value: Double, _ resolver: Resolver, _ pairs: [FramePair]
  ) -> [Estimate] {
    let difference = 0.02
    let solutions = resolver.solve(pairs, parameter: value)
    let moved = resolver.solve(pairs, parameter: value * exp(difference))
    return pairs.indices.compactMap { index in
      guard let solution = solutions[index].solution, let other = moved[index].solution else { return nil }
      return withPointers(pairs[index].end, solution, other) { end, solution, other in
        var (slope, product, size) = (0.0, 0.0, 0.0)
        for point in 0..<pairs[index].end.count {
          let derivative = (other[point] - solution[point]) / difference
          slope += derivative * derivative
          product += derivative * (end[point] - solution[point])
          size += end[point] * end[point]
        }
        guard slope > 0, size > 0 else { return nil }
        return Estimate(pair: index, step: product / slope, weight: slope / size)
      }
    }
  }

  /// The best of a few values in a range.
  private static func scan(
    _ range: ClosedRange<Double>, _ resolver: Resolver, _ solving: Solving, _ pairs: [FramePair]
  ) throws -> Double? {
    let count = 13
    let some = Array(pairs.prefix(6))
    var best: (value: Double, mismatch: Double)?
    for index in 0..<count {
      try solving.progress(.fitting, index, count)
      let value =
        range.lowerBound * pow(range.upperBound / range.lowerBound, Double(index) / Double(count - 1))
      let mismatch = Statistics.median(
        zip(some, resolver.solve(some, parameter: value)).map { pair, solved in
          guard let solution = solved.solution else { return .infinity }
          return withPointers(pair.end, solution) { end, solution in
            let size = Double.dot(pair.end.count, end, end)
            return size > 0 ? (Double.squaredDistance(pair.end.count, solution, end) / size).squareRoot() : 1
          }
        })
      if mismatch.isFinite, mismatch < best?.mismatch ?? .infinity { best = (value, mismatch) }
    }
    return best?.value
  }

  /// The difference from the stated value that would be called one.
  private var bound: Double { max(Self.tolerance, 3 * uncertainty) }

  /// Whether the data have another value than the file states.
  var differs: Bool {
    guard let value, let stated = parameter.stated else { return false }
    return abs(log(value / stated)) > bound
  }

  /// As `0.0909 ± 0.0002`.
  private func text(_ value: Double) -> String {
    "\(Words.number(value, digits: 4)) ± \(Words.number(value * uncertainty, digits: 2))"
  }

  var result: CheckResult {
    let name = parameter.name
    guard let value, uncertainty < 0.5 else {
      return .notApplicable(.parameter, "the frames hardly depend on the \(name): it cannot be fitted")
    }
    guard let stated = parameter.stated else {
      return .notApplicable(
        .parameter, "the file does not state the \(name); fitted to the data it is \(text(value))")
    }
    let reason =
      "logarithm of the fitted over the stated \(name); three standard deviations of the fit, at least 1 %"
    let difference = abs(log(value / stated))
    guard differs else {
      return CheckResult(
        .parameter, .pass, value: difference, bound: bound, reason: reason, samples: pairs,
        message:
          "the \(name) fitted to the data, \(text(value)), is the stated \(Words.number(stated, digits: 4))"
      )
    }
    let percent = 100 * (value / stated - 1)
    let finding = Finding(
      "the \(name) fitted to the data is \(text(value)), \(Words.number(abs(percent), digits: 2)) % "
        + "\(percent > 0 ? "above" : "below") the stated \(Words.number(stated, digits: 4))",
      advice: "state the fitted value, or generate the data again with the stated one")
    return CheckResult(
      .parameter, .fail, value: difference, bound: bound, reason: reason, samples: pairs, failures: pairs,
      message: finding.text, findings: [finding])
  }
}
