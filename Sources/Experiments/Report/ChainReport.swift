import Figures
import Foundation
import InverseProblems

extension Report {
  /// At most so many chains have a line of their own.
  private static let largestChainCount = 8

  /// Shows whether the chains mix: traces, ranks, autocorrelations and acceptance.
  mutating func showChains(_ posterior: StoredPosterior, on page: inout HTMLPage) throws {
    var shown: [HTMLPage.Figure] = []
    if let misfit = posterior.misfit {
      shown += try misfitFigures(misfit, posterior.stride, posterior.observations?.count)
    }
    if let acceptance = posterior.acceptance {
      var chart = LineChart(
        title: "Acceptance rate", x: .init("draw"), y: .init("accepted fraction so far", range: 0...1),
        series: Self.traces(acceptance, posterior.stride))
      chart.subtitle = "running mean of each chain"
      shown.append(try figures.chart("acceptance-trace", chart))
    }
    for (number, mode) in posterior.modes.prefix(2).enumerated() {
      shown.append(
        try figures.chart(
          "mode-trace-\(number + 1)",
          LineChart(
            title: "Coefficient \(mode.name)", x: .init("draw"), y: .init("coefficient"),
            series: Self.traces(mode.values, posterior.stride))))
    }
    if let misfit = posterior.misfit, misfit.shape[1] >= Self.rankClasses {
      shown.append(try figures.chart("misfit-ranks", Self.ranks(misfit, of: "the misfit")))
    }
    if let mode = posterior.modes.first, mode.values.shape[1] >= Self.rankClasses {
      shown.append(
        try figures.chart("mode-ranks", Self.ranks(mode.values, of: "the coefficient \(mode.name)")))
    }
    let quantities =
      (posterior.misfit.map { [("misfit", $0)] } ?? [])
      + posterior.modes.prefix(3).map { ($0.name, $0.values) }
    if let chart = Self.autocorrelation(quantities, posterior.stride) {
      shown.append(try figures.chart("autocorrelation", chart))
    }
    guard !shown.isEmpty else { return }
    page.section("Chains")
    page.figures(shown, minimumWidth: 440)
  }

  private mutating func misfitFigures(
    _ misfit: StoredArray, _ stride: Int, _ observations: Int?
  ) throws -> [HTMLPage.Figure] {
    var chart = LineChart(
      title: "Misfit", x: .init("draw"), y: .init("misfit Φ"), series: Self.traces(misfit, stride))
    var histogram = LineChart.histogram(
      title: "Misfit over all chains", label: "misfit Φ", countLabel: "draws", values: misfit.values)
    if let observations {
      // Φ is half a sum of squares of standard normal residuals at the truth: half their number on average.
      let expected = Double(observations) / 2
      chart.references = [
        .init("expected at the truth: \(NumberFormat.short(expected))", at: expected)
      ]
      histogram.references = [.init(NumberFormat.short(expected), at: expected, isVertical: true)]
    }
    return [
      try figures.chart("misfit-trace", chart),
      try figures.chart("misfit-histogram", histogram),
      try figures.chart(
        "misfit-running-mean",
        LineChart(
          title: "Running mean of the misfit", x: .init("draw"), y: .init("mean of Φ so far"),
          series: Self.traces(misfit.runningMeans, stride))),
    ]
  }

  /// One series per chain; the array has every `stride`-th draw.
  private static func traces(_ array: StoredArray, _ stride: Int) -> [LineChart.Series] {
    (0..<min(largestChainCount, array.shape[0])).map { chain in
      let values = array.slice(chain)
      return LineChart.Series(
        "chain \(chain + 1)", x: values.indices.map { Double($0 * stride + 1) }, y: values)
    }
  }

  /// The classes of the ranks of a chain's draws.
  private static let rankClasses = 20

  /// How often the draws of each chain have which rank among those of all: equally often where chains agree.
  ///
  /// Vehtari et al. (2021), as `ChainDiagnostics`.
  private static func ranks(_ array: StoredArray, of name: String) -> LineChart {
    let (chains, draws) = (array.shape[0], array.shape[1])
    let order = array.values.indices.sorted { array.values[$0] < array.values[$1] }
    var counts = [[Double]](repeating: Array(repeating: 0, count: rankClasses), count: chains)
    for (rank, position) in order.enumerated() {
      counts[position / draws][rank * rankClasses / order.count] += 1
    }
    let centers = (0..<rankClasses).map { (Double($0) + 0.5) / Double(rankClasses) }
    var chart = LineChart(
      title: "Ranks of \(name)", x: .init("rank among the draws of all chains", range: 0...1),
      y: .init("draws of the chain"),
      series: counts.prefix(largestChainCount).enumerated().map { chain, counts in
        .init("chain \(chain + 1)", x: centers, y: counts, mark: .steps)
      })
    // Draws that hang together scatter as if they were fewer by the autocorrelation time.
    let share = 1 / Double(rankClasses)
    let expected = Double(draws) * share
    let time = ChainDiagnostics((0..<chains).map { array.slice($0) }).autocorrelationTime
    let scatter = 2 * (expected * (1 - share) * max(1, time.isFinite ? time : 1)).squareRoot()
    chart.bands = [
      .init(
        "two deviations", x: [0, 1], lower: [expected - scatter, expected - scatter],
        upper: [expected + scatter, expected + scatter], color: 7)
    ]
    return chart
  }

  /// How fast the draws forget, quantity by quantity.
  private static func autocorrelation(
    _ quantities: [(name: String, values: StoredArray)], _ stride: Int
  ) -> LineChart? {
    let chains = quantities.map { quantity in
      (0..<quantity.values.shape[0]).map { quantity.values.slice($0) }
    }
    guard let draws = chains.first?.first?.count, draws >= 8 else { return nil }
    let longest = chains.map { ChainDiagnostics($0).autocorrelationTime }.filter(\.isFinite).max() ?? 1
    let lags = min(draws / 2, max(20, Int(4 * longest)))
    var chart = LineChart(
      title: "Autocorrelation", x: .init("lag in draws"), y: .init("autocorrelation"),
      series: zip(quantities, chains).map { quantity, chains in
        let values = ChainDiagnostics.autocorrelations(chains, lags: lags)
        return .init(quantity.name, x: values.indices.map { Double($0 * stride) }, y: values)
      })
    chart.subtitle = "averaged over the chains, about the mean of all"
    chart.references = [.init("", at: 0)]
    return chart
  }
}

extension StoredArray {
  /// The mean of every chain over its draws so far, for an array [chain, draw].
  var runningMeans: StoredArray {
    let means = (0..<shape[0]).flatMap { chain in
      var sum = 0.0
      return slice(chain).enumerated().map { index, value in
        sum += value
        return sum / Double(index + 1)
      }
    }
    return StoredArray(shape: shape, values: means)
  }
}
