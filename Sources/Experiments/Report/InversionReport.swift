import Figures
import Foundation
import HDF5

extension Report {
  /// Shows an inversion: the recovered field beside the truth, its uncertainty, the data and the chains.
  mutating func showInversion(on page: inout HTMLPage) throws {
    let posterior = try StoredPosterior(contentsOf: "\(folder)/posterior.nc")
    page.subtitle = "Initial vorticity recovered from noisy observations at \(posterior.sensorCount) sensors"
    page.section("Summary")
    page.headlines(headlines(posterior))
    page.facts(settings + posterior.remarks)
    if let table = posterior.convergence { page.table(table) }
    try showFields(posterior, on: &page)
    try showData(posterior, on: &page)
    try showChains(posterior, on: &page)
  }

  private func headlines(_ posterior: StoredPosterior) -> [(name: String, value: String, note: String)] {
    var headlines: [(name: String, value: String, note: String)] = []
    if let truth = posterior.truth {
      let error = EvaluatedSamples.relativeL2(posterior.mean.values, truth.values)
      // The prior mean is zero, whose relative error is one: what the data improved on.
      headlines.append(
        ("Error of the posterior mean", NumberFormat.short(error), "relative L2; prior mean (zero): 1"))
      let inside = posterior.coverage(of: truth)
      headlines.append(
        (
          "Truth within 2 standard deviations", "\(NumberFormat.short(100 * inside)) %",
          "of the grid points; 95 % if Gaussian"
        ))
    }
    if let rates = posterior.acceptance {
      let last = (0..<rates.shape[0]).compactMap { rates.slice($0).last }
      let mean = last.reduce(0, +) / Double(max(1, last.count))
      headlines.append(("Acceptance rate", NumberFormat.short(mean), "mean over the chains"))
    }
    if let misfit = posterior.misfit {
      let (chains, draws) = (misfit.shape[0], misfit.shape[1])
      headlines.append(
        ("Draws", NumberFormat.grouped(chains * draws), "\(chains) chains of \(NumberFormat.grouped(draws))"))
    }
    return headlines
  }

  private mutating func showFields(_ posterior: StoredPosterior, on page: inout HTMLPage) throws {
    page.section("Posterior")
    func panel(
      _ field: HeatMap, _ title: String, _ subtitle: String, _ colors: ColorMap, _ range: ClosedRange<Double>
    ) -> FieldPanel {
      FieldPanel(
        field, title: title, subtitle: subtitle, colorMap: colors, range: range,
        xExtent: posterior.xExtent, yExtent: posterior.yExtent)
    }
    let name = "initial vorticity"
    let shared = HeatMap.range(of: posterior.mean.values + (posterior.truth?.values ?? []))
    // Standard deviations start at zero and share one scale, so that prior and posterior compare.
    let largest = HeatMap.range(of: posterior.deviation.values + (posterior.priorDeviation?.values ?? []))
      .upperBound
    let deviations = 0...max(largest, .leastNormalMagnitude)
    var panels: [FieldPanel] = []
    if let truth = posterior.truth { panels.append(panel(truth, "Truth", name, .sequential, shared)) }
    panels.append(panel(posterior.mean, "Posterior mean", name, .sequential, shared))
    panels.append(
      panel(posterior.deviation, "Posterior deviation", "standard deviation", .magnitude, deviations))
    if let truth = posterior.truth {
      let ratio = posterior.standardizedError(of: truth)
      panels.append(
        panel(
          ratio, "Standardized error", "|mean − truth| / deviation", .magnitude,
          0...max(3, ratio.range.upperBound)))
    }
    page.figures(
      try figures.panels(
        "posterior", panels, summary: "Truth, posterior mean and uncertainty of the initial vorticity"))
    if let prior = posterior.priorDeviation {
      let reduction = HeatMap(
        values: zip(posterior.deviation.values, prior.values).map { $1 > 0 ? $0 / $1 : .nan },
        xCount: prior.xCount,
        yCount: prior.yCount)
      page.paragraph(
        "How much the data taught: the standard deviation before and after, on one scale, and their ratio.")
      page.figures(
        try figures.panels(
          "prior-and-posterior-deviation",
          [
            panel(prior, "Prior deviation", "standard deviation", .magnitude, deviations),
            panel(posterior.deviation, "Posterior deviation", "standard deviation", .magnitude, deviations),
            panel(
              reduction, "Ratio", "posterior / prior deviation", .magnitude,
              0...max(1, reduction.range.upperBound)),
          ], summary: "Standard deviation of the prior and of the posterior"))
    }
  }

  private mutating func showData(_ posterior: StoredPosterior, on page: inout HTMLPage) throws {
    guard let observations = posterior.observations, !observations.isEmpty else { return }
    page.section("Data")
    var shown: [HTMLPage.Figure] = []
    var subtitle = "\(observations.count) values"
    if let noise = posterior.noise { subtitle += ", noise deviation \(NumberFormat.short(noise))" }
    if let (x, y) = posterior.sensors, x.count == observations.count {
      var panel = FieldPanel(
        posterior.mean, title: "Observations", subtitle: subtitle, range: HeatMap.range(of: observations),
        valueLabel: "observed vorticity", xExtent: posterior.xExtent, yExtent: posterior.yExtent)
      panel.showsField = false
      panel.markers = observations.indices.map { .init(x: x[$0], y: y[$0], value: observations[$0]) }
      var csv = "sensor,x,y,observation\n"
      for index in observations.indices { csv += "\(index),\(x[index]),\(y[index]),\(observations[index])\n" }
      let drawing = panel.drawing()
      try figures.write("observations", drawing, csv: csv)
      shown.append(HTMLPage.Figure(drawing))
    }
    var chart = LineChart(
      title: "Observations by sensor", x: .init("sensor"), y: .init("observed vorticity"),
      series: [.init("", x: observations.indices.map(Double.init), y: observations, mark: .markers)])
    chart.references = [.init("", at: 0)]
    chart.subtitle = subtitle
    shown.append(try figures.chart("observations-by-sensor", chart))
    page.figures(shown, minimumWidth: 440)
  }

  private mutating func showChains(_ posterior: StoredPosterior, on page: inout HTMLPage) throws {
    var shown: [HTMLPage.Figure] = []
    if let misfit = posterior.misfit {
      var chart = LineChart(
        title: "Misfit", x: .init("draw"), y: .init("misfit Φ"), series: Self.traces(misfit))
      if let count = posterior.observations?.count {
        // Φ is half a sum of squares of standard normal residuals at the truth: half their number on average.
        chart.references = [
          .init("expected at the truth: \(NumberFormat.short(Double(count) / 2))", at: Double(count) / 2)
        ]
      }
      shown.append(try figures.chart("misfit-trace", chart))
      var histogram = LineChart.histogram(
        title: "Misfit over all chains", label: "misfit Φ", countLabel: "draws", values: misfit.values)
      if let count = posterior.observations?.count {
        histogram.references = [
          .init("\(NumberFormat.short(Double(count) / 2))", at: Double(count) / 2, isVertical: true)
        ]
      }
      shown.append(try figures.chart("misfit-histogram", histogram))
      shown.append(
        try figures.chart(
          "misfit-running-mean",
          LineChart(
            title: "Running mean of the misfit", x: .init("draw"), y: .init("mean of Φ so far"),
            series: Self.traces(misfit.runningMeans))))
    }
    if let acceptance = posterior.acceptance {
      var chart = LineChart(
        title: "Acceptance rate", x: .init("draw"), y: .init("accepted fraction so far", range: 0...1),
        series: Self.traces(acceptance))
      chart.subtitle = "running mean of each chain"
      shown.append(try figures.chart("acceptance-trace", chart))
    }
    guard !shown.isEmpty else { return }
    page.section("Chains")
    page.figures(shown, minimumWidth: 440)
  }

  /// One series per chain.
  private static func traces(_ array: StoredArray) -> [LineChart.Series] {
    (0..<array.shape[0]).map { chain in
      let values = array.slice(chain)
      return LineChart.Series("chain \(chain + 1)", x: values.indices.map { Double($0 + 1) }, y: values)
    }
  }
}

extension StoredArray {
  /// The mean of every chain over its draws so far, for an array [chain, draw].
  fileprivate var runningMeans: StoredArray {
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

/// `posterior.nc` of an inversion, in ArviZ's schema.
struct StoredPosterior {
  let mean, deviation: HeatMap
  let truth, priorDeviation: HeatMap?
  let observations: [Double]?
  let sensors: (x: [Double], y: [Double])?
  let noise: Double?
  /// [chain, draw]; the acceptance is that of all draws so far.
  let misfit, acceptance: StoredArray?
  let xExtent, yExtent: ClosedRange<Double>
  /// What the file's attributes say, for the list of settings.
  let remarks: [(name: String, value: String)]
  /// Effective sample sizes and R-hat by quantity, if the file has them.
  let convergence: HTMLPage.Table?

  var sensorCount: Int { observations?.count ?? 0 }

  init(contentsOf path: String) throws {
    let file = try HDF5File(opening: path)
    func array(_ name: String) throws -> StoredArray? { try StoredArray(file, name) }
    func field(_ name: String) throws -> HeatMap? {
      guard let stored = try array(name) else { return nil }
      guard stored.shape.count == 2, !stored.values.isEmpty else {
        throw ReportError(path: path, reason: "\(name) has shape \(stored.shape); expected [x, y]")
      }
      return HeatMap(values: stored.values, xCount: stored.shape[0], yCount: stored.shape[1])
    }
    // The moments of all draws lie in a group of their own; files of other tools may keep them with the draws.
    func moment(_ name: String) throws -> HeatMap? {
      try field("posterior_summary/\(name)") ?? field("posterior/\(name)")
    }
    guard let mean = try moment("vorticity_mean"), let deviation = try moment("vorticity_std") else {
      throw ReportError(
        path: path, reason: "must hold vorticity_mean and vorticity_std in the group posterior_summary")
    }
    (self.mean, self.deviation) = (mean, deviation)
    (truth, priorDeviation) = (try field("constant_data/truth"), try field("prior/vorticity_std"))
    for other in [deviation, truth, priorDeviation].compactMap({ $0 })
    where other.xCount != mean.xCount || other.yCount != mean.yCount {
      throw ReportError(path: path, reason: "the fields have different grids")
    }
    observations = try array("observed_data/observations")?.values
    let (x, y) = (try array("constant_data/sensor_x"), try array("constant_data/sensor_y"))
    if let x, let y, x.values.count == y.values.count {
      sensors = (x.values, y.values)
    } else {
      sensors = nil
    }
    noise = try array("constant_data/noise_std")?.values.first
    func trace(_ name: String) throws -> StoredArray? {
      try array(name).flatMap { $0.shape.count == 2 && !$0.values.isEmpty ? $0 : nil }
    }
    misfit = try trace("sample_stats/misfit")
    if let accepted = try trace("sample_stats/accepted") {
      acceptance = accepted.runningMeans
    } else {
      acceptance = try trace("sample_stats/acceptance_rate")
    }
    func extent(_ axis: String, _ count: Int) throws -> ClosedRange<Double> {
      for group in ["posterior/", "constant_data/", ""] {
        if let stored = try array(group + axis), stored.shape == [count] {
          return FieldPanel.extent(around: stored.values)
        }
      }
      return 0...1
    }
    (xExtent, yExtent) = (try extent("x", mean.xCount), try extent("y", mean.yCount))
    var remarks: [(name: String, value: String)] = []
    for group in ["", "posterior", "sample_stats"]
    where try group.isEmpty || file.root.member(group) == .group {
      let attributes = try (group.isEmpty ? file.root : file.root.group(group)).attributes
      for name in try attributes.names() {
        guard let title = Self.remarkTitles[name], let text = Self.text(try attributes.value(name)) else {
          continue
        }
        remarks.append((title, text))
      }
    }
    self.remarks = remarks
    convergence = try Self.convergenceTable(file)
  }

  /// The diagnostics of every quantity, if the file has them.
  private static func convergenceTable(_ file: HDF5File) throws -> HTMLPage.Table? {
    guard try file.root.member("posterior_summary/quantity") == .dataset else { return nil }
    let names = try file.root.dataset("posterior_summary/quantity").readStrings()
    let columns = [
      ("ess_bulk", "Effective draws, bulk"), ("ess_tail", "tail"), ("r_hat", "R-hat"),
      ("autocorrelation_time", "Autocorrelation time"),
    ]
    let values = try columns.compactMap { name, title in
      try StoredArray(file, "posterior_summary/\(name)").map { (title, $0.values) }
    }.filter { $0.1.count == names.count }
    guard !values.isEmpty else { return nil }
    return HTMLPage.Table(
      columns: ["Quantity"] + values.map(\.0),
      rows: names.indices.map { row in
        [names[row].replacingOccurrences(of: "_", with: " ")]
          + values.map { NumberFormat.short($0.1[row], significantDigits: 4) }
      }, numericColumns: Set(1...values.count), caption: "Convergence of the chains")
  }

  private static let remarkTitles = [
    "burn_in": "Burn-in discarded", "thin": "Thinned by", "step_size": "Step size", "forward": "Forward map",
    "inference_library": "Inference library", "sampling_time": "Sampling time in seconds",
  ]

  private static func text(_ value: HDF5Value) -> String? {
    switch value {
    case .string(let text): text
    case .integers(let numbers, _):
      numbers.count == 1 ? numbers.first.map { NumberFormat.grouped(Int($0)) } : nil
    case .numbers(let numbers, _):
      numbers.count == 1 ? numbers.first.map { NumberFormat.short($0, significantDigits: 4) } : nil
    default: nil
    }
  }

  /// The fraction of grid points whose truth lies within two standard deviations of the mean.
  func coverage(of truth: HeatMap) -> Double {
    let inside = standardizedError(of: truth).values.filter { $0 <= 2 }.count
    return Double(inside) / Double(truth.values.count)
  }

  /// |mean − truth| in standard deviations.
  func standardizedError(of truth: HeatMap) -> HeatMap {
    let values = truth.values.indices.map { index in
      abs(mean.values[index] - truth.values[index]) / max(deviation.values[index], .leastNormalMagnitude)
    }
    return HeatMap(values: values, xCount: truth.xCount, yCount: truth.yCount)
  }
}
