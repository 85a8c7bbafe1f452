import InverseProblems
import Tensors

/// What an inversion found: the document of `--json`, and its text for people.
struct InversionSummary: Encodable {
  let run: String
  let forwardMap: String
  /// For delayed acceptance, what screened the proposals of the forward map.
  let screening: String?
  let sampler: String
  let reference: String
  let observations: Int
  /// The standard deviation of the noise as stated, averaged over the observations.
  let noise: Double
  /// The posterior mean of the noise's standard deviation over the stated one, if it was inferred.
  let noiseFactor: Double?
  /// The posterior of the viscosity, if it was inferred.
  let viscosity: Moments?
  let drawsPerChain: Int
  let acceptanceRates: [Double]
  let stepSizes: [Double]
  let misfit: Double
  /// Whether the chains agree and hold enough effective draws.
  let converged: Bool
  /// The numbers of this document that hold for converged chains only: empty if they have.
  let provisional: [String]
  /// What does not, and why.
  let convergenceProblems: [String]
  let diagnostics: [String: Diagnostic]
  /// The fewest effective draws of any quantity, and how many of them a second of sampling gave.
  let effectiveDraws: Double
  let effectiveDrawsPerSecond: Double
  /// The relative L2 distance of the posterior mean from the truth, where that is known.
  let relativeL2: Double?
  /// The share of points where the truth is within two posterior standard deviations.
  let coverage: Double?
  /// The point of largest posterior density, where the forward map has a derivative.
  let map: Mode?
  /// The surrogate's own posterior, for delayed acceptance.
  let surrogatePosterior: SurrogatePosterior?
  let forwardSolves: Int
  /// Adjoint solves of the same map, where the sampler follows gradients.
  let adjointSolves: Int
  let screeningSolves: Int
  /// Solves that gave no finite misfit; their proposals were rejected.
  let failedSolves: Int
  /// The time of sampling, all sessions together.
  let seconds: Double
  /// What proposals, diagnostics and files took of the last session, as a share of its solves.
  let overhead: Double?
  /// What the classical solver would have cost, for a surrogate.
  let comparison: InversionComparison?
  /// Why there is no comparison, where one was asked for.
  let noComparison: String?
  let report: String

  /// The posterior mean and standard deviation of a number.
  struct Moments: Encodable {
    let mean: Double
    let standardDeviation: Double

    init(_ draws: [Double]) {
      let average = draws.reduce(0, +) / Double(draws.count)
      mean = average
      let squares = draws.reduce(0) { $0 + ($1 - average) * ($1 - average) }
      standardDeviation = (squares / Double(max(1, draws.count - 1))).squareRoot()
    }
  }

  /// How well the chains know one quantity.
  struct Diagnostic: Encodable {
    let bulkESS: Double
    let tailESS: Double
    let meanESS: Double
    let rHat: Double
    let autocorrelationTime: Double
  }

  /// The mode and what the Laplace approximation says there.
  struct Mode: Encodable {
    let misfit: Double
    let relativeL2: Double?
    /// The viscosity there, if it is unknown.
    let viscosity: Double?
    let iterations: Int
    let solves: Int
    let adjointSolves: Int
    let seconds: Double
    /// Whether the gradient became as small as asked for.
    let converged: Bool
    /// In how many directions the data narrow the prior noticeably.
    let informedDirections: Int
  }

  /// A posterior by the surrogate alone, and how far it is from the corrected one.
  struct SurrogatePosterior: Encodable {
    let relativeL2: Double?
    let coverage: Double?
    let converged: Bool
    let difference: PosteriorComparison
    let solves: Int
    let seconds: Double
  }
}

extension InversionSummary {
  /// The share of points where the truth is within two standard deviations of the mean, and the relative L2
  /// distance of the mean.
  static func recovery(
    _ chains: MarkovChains, _ truth: Tensor<Double>
  ) -> (relativeL2: Double, coverage: Double) {
    let deviation = chains.posteriorStandardDeviation
    let mean = chains.posteriorMean
    let points = truth.count
    let covered = withPointers(mean, deviation, truth) { mean, deviation, truth in
      (0..<points).count { abs(mean[$0] - truth[$0]) <= 2 * deviation[$0] }
    }
    return (relativeL2(mean, truth), Double(covered) / Double(truth.count))
  }

  /// ‖a − truth‖ / ‖truth‖.
  static func relativeL2(_ field: Tensor<Double>, _ truth: Tensor<Double>) -> Double {
    let points = truth.count
    return withPointers(field, truth) { field, truth in
      let size = max(Double.dot(points, truth, truth), .leastNormalMagnitude)
      return (Double.squaredDistance(points, field, truth) / size).squareRoot()
    }
  }

  /// A table, and below it what has not converged.
  var text: String {
    let worst = diagnostics.values.map(\.rHat).max() ?? .nan
    var rows = [("run", run), ("forward map", forwardMap)]
    if let screening { rows.append(("screened by", screening)) }
    rows += [
      ("observations", "\(observations), noise \(Text.number(noise))"),
      ("draws", "\(drawsPerChain) in each of \(acceptanceRates.count) chains"),
      ("acceptance", acceptanceRates.map { Text.number($0, digits: 2) }.joined(separator: ", ")),
      ("misfit", "\(Text.number(misfit))\(caveat); half the observations is \(Double(observations) / 2)"),
      (
        "mixing",
        "\(Text.number(effectiveDraws, digits: 3)) effective draws, "
          + "\(Text.number(effectiveDrawsPerSecond, digits: 3)) per second, largest R-hat \(Text.number(worst))"
      ),
    ]
    if let relativeL2, let coverage {
      rows += [
        ("posterior mean", "relative L2 distance \(Text.number(relativeL2)) from the truth\(caveat)"),
        (
          "coverage",
          "\(Text.number(100 * coverage, digits: 3)) % of the truth within two deviations\(caveat)"
        ),
      ]
    }
    if let viscosity {
      rows.append(
        (
          "viscosity",
          "\(Text.number(viscosity.mean)), deviation \(Text.number(viscosity.standardDeviation, digits: 2))\(caveat)"
        ))
    }
    if let noiseFactor {
      rows.append(
        (
          "noise level",
          "\(Text.number(noiseFactor, digits: 3)) times the stated one (posterior mean)\(caveat)"
        ))
    }
    if let map {
      rows.append(
        (
          "mode (MAP)",
          (map.relativeL2.map { "relative L2 distance \(Text.number($0)), " } ?? "")
            + (map.viscosity.map { "viscosity \(Text.number($0)), " } ?? "")
            + "misfit \(Text.number(map.misfit)), "
            + "\(map.iterations) iterations; the data inform \(map.informedDirections) directions"
        ))
      rows.append(
        (
          "finding it took",
          "\(Progress.clock(map.seconds)), \(map.solves) forward solves and \(map.adjointSolves) adjoint ones"
        ))
    }
    if let surrogatePosterior { rows += surrogateRows(surrogatePosterior) }
    var solves = "\(forwardSolves) forward solves"
    if adjointSolves > 0 { solves += " and \(adjointSolves) adjoint ones" }
    if screeningSolves > 0 { solves += " and \(screeningSolves) by the surrogate" }
    rows.append(("sampling took", "\(Progress.clock(seconds)), \(solves)"))
    if let overhead {
      rows.append(("beside the solves", "\(Text.number(100 * overhead, digits: 2)) % of their time"))
    }
    if failedSolves > 0 {
      rows.append(("failed solves", "\(failedSolves): not finite, proposals rejected"))
    }
    if let comparison { rows += comparison.rows }
    if let noComparison { rows.append(("no comparison", noComparison)) }
    rows.append(("report", report))
    let table = Text.table(rows)
    guard !converged else { return table }
    return
      ([table, "The chains have not converged: means and deviations may be wrong."]
      + convergenceProblems.map { "  \($0)" } + ["Take more samples, or a sampler that mixes faster."])
      .joined(separator: "\n")
  }

  /// What follows numbers that hold for converged chains only.
  private var caveat: String { converged ? "" : " (not converged)" }

  private func surrogateRows(_ surrogate: SurrogatePosterior) -> [(String, String)] {
    let difference = surrogate.difference
    return [
      (
        "surrogate alone",
        (surrogate.relativeL2.map { "relative L2 distance \(Text.number($0)), " } ?? "")
          + (surrogate.coverage.map { "coverage \(Text.number(100 * $0, digits: 3)) %, " } ?? "")
          + (surrogate.converged ? "converged" : "not converged")
      ),
      (
        "its bias",
        "the mean is off by \(Text.number(difference.meanDistance, digits: 2)) posterior deviations "
          + "(sampling error \(Text.number(difference.monteCarloError, digits: 2))), its deviation is "
          + "\(Text.number(difference.deviationRatio, digits: 3)) times the corrected one"
          + (surrogate.converged ? caveat : " (not converged)")
      ),
    ]
  }
}
