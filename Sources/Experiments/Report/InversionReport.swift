import Figures
import Foundation
import HDF5

extension Report {
  /// Shows an inversion: the recovered field beside the truth, its uncertainty, the data and the chains.
  mutating func showInversion(on page: inout HTMLPage) throws {
    let posterior = try StoredPosterior(contentsOf: "\(folder)/posterior.nc")
    page.subtitle =
      "\(posterior.title.capitalizedFirst) recovered from noisy observations at \(posterior.sensorCount) sensors"
    page.section("Summary")
    page.headlines(headlines(posterior))
    page.facts(settings + posterior.remarks)
    if let table = posterior.convergence { page.table(table) }
    try showFields(posterior, on: &page)
    try showCoverage(posterior, on: &page)
    try showSamples(posterior, on: &page)
    try showSpectrum(posterior, on: &page)
    try showData(posterior, on: &page)
    try showChains(posterior, on: &page)
  }

  private func headlines(_ posterior: StoredPosterior) -> [(name: String, value: String, note: String)] {
    var headlines: [(name: String, value: String, note: String)] = []
    if let truth = posterior.truth {
      let error = EvaluatedSamples.relativeL2(posterior.mean.values, truth.values)
      // That of the prior mean is what the data improved on: one, where it is zero.
      let before =
        posterior.priorMean.map { EvaluatedSamples.relativeL2($0.values, truth.values) } ?? 1
      headlines.append(
        (
          "Error of the posterior mean", NumberFormat.short(error),
          "relative L2; prior mean: \(NumberFormat.short(before))\(posterior.caveat)"
        ))
      let inside = posterior.coverage(of: truth)
      headlines.append(
        (
          "Truth within 2 standard deviations", "\(NumberFormat.short(100 * inside)) %",
          "of the grid points; 95 % if Gaussian\(posterior.caveat)"
        ))
    }
    if let rates = posterior.acceptance {
      let last = (0..<rates.shape[0]).compactMap { rates.slice($0).last }
      let mean = last.reduce(0, +) / Double(max(1, last.count))
      headlines.append(("Acceptance rate", NumberFormat.short(mean), "mean over the chains"))
    }
    if let (chains, draws) = posterior.draws {
      headlines.append(
        ("Draws", NumberFormat.grouped(chains * draws), "\(chains) chains of \(NumberFormat.grouped(draws))"))
    }
    return headlines
  }

  private mutating func showFields(_ posterior: StoredPosterior, on page: inout HTMLPage) throws {
    page.section("Posterior")
    guard !posterior.isLine else { return try showLines(posterior, on: &page) }
    func panel(
      _ field: HeatMap, _ title: String, _ subtitle: String, _ colors: ColorMap, _ range: ClosedRange<Double>
    ) -> FieldPanel {
      FieldPanel(
        field, title: title, subtitle: subtitle, colorMap: colors, range: range,
        xExtent: posterior.xExtent, yExtent: posterior.yExtent)
    }
    let name = posterior.title
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
          0...min(6, max(3, ratio.range.upperBound))))
    }
    page.figures(
      try figures.panels(
        "posterior", panels, summary: "Truth, posterior mean and uncertainty of the \(name)"))
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

  /// The same for a field along a line: mean and band, deviations, and the error in deviations.
  private mutating func showLines(_ posterior: StoredPosterior, on page: inout HTMLPage) throws {
    let x = posterior.line
    let (mean, deviation) = (posterior.mean.values, posterior.deviation.values)
    var field = LineChart(
      title: "Posterior", x: .init("x"), y: .init(posterior.title),
      series: [.init("posterior mean", x: x, y: mean)])
    field.bands = [
      .init(
        "two deviations", x: x, lower: zip(mean, deviation).map { $0 - 2 * $1 },
        upper: zip(mean, deviation).map { $0 + 2 * $1 })
    ]
    if let truth = posterior.truth {
      field.series.append(.init("truth", x: x, y: truth.values, isDashed: true))
    }
    var deviations = LineChart(
      title: "Standard deviation", x: .init("x"), y: .init("standard deviation"),
      series: [.init("posterior", x: x, y: deviation)])
    if let prior = posterior.priorDeviation {
      deviations.series.append(.init("prior", x: x, y: prior.values, isDashed: true))
    }
    var shown = [
      try figures.chart("posterior", field),
      try figures.chart("prior-and-posterior-deviation", deviations),
    ]
    if let truth = posterior.truth {
      var errors = LineChart(
        title: "Standardized error", x: .init("x"), y: .init("|mean − truth| / deviation"),
        series: [.init("", x: x, y: posterior.standardizedError(of: truth).values)])
      errors.references = [.init("two deviations", at: 2)]
      shown.append(try figures.chart("standardized-error", errors))
    }
    page.figures(shown, minimumWidth: 440)
  }

  /// How much of the truth lies within so many deviations, beside what a normal law has there.
  private mutating func showCoverage(_ posterior: StoredPosterior, on page: inout HTMLPage) throws {
    guard let truth = posterior.truth else { return }
    let errors = posterior.standardizedError(of: truth).values
    let deviations = (0...60).map { Double($0) / 20 }
    var chart = LineChart(
      title: "Coverage", x: .init("distance from the posterior mean in deviations"),
      y: .init("share of the points", range: 0...1),
      series: [
        .init(
          "truth within", x: deviations,
          y: deviations.map { bound in Double(errors.count { $0 <= bound }) / Double(errors.count) }),
        .init(
          "normal law", x: deviations, y: deviations.map { erf($0 / 2.0.squareRoot()) }, isDashed: true),
      ])
    chart.subtitle = "below the dashed line: the posterior is too sure of itself\(posterior.caveat)"
    page.figures([try figures.chart("coverage", chart)], minimumWidth: 440)
  }

  /// Draws of the posterior: what the truth may look like.
  private mutating func showSamples(_ posterior: StoredPosterior, on page: inout HTMLPage) throws {
    guard !posterior.samples.isEmpty else { return }
    page.paragraph("Draws of the posterior: fields that the data leave possible, each about equally likely.")
    guard !posterior.isLine else {
      var chart = LineChart(
        title: "Samples", x: .init("x"), y: .init(posterior.title),
        series: posterior.samples.enumerated().map { number, sample in
          .init("chain \(number + 1)", x: posterior.line, y: sample.values)
        })
      chart.subtitle = "last draw of each chain"
      return page.figures([try figures.chart("samples", chart)], minimumWidth: 440)
    }
    let range = HeatMap.range(of: posterior.samples.flatMap(\.values) + (posterior.truth?.values ?? []))
    page.figures(
      try figures.panels(
        "samples",
        posterior.samples.enumerated().map { number, sample in
          FieldPanel(
            sample, title: "Sample \(number + 1)", subtitle: "last draw of chain \(number + 1)", range: range,
            xExtent: posterior.xExtent, yExtent: posterior.yExtent)
        }, summary: "Draws of the posterior"))
  }

  /// What the data taught about every scale: prior and posterior by wave number.
  private mutating func showSpectrum(_ posterior: StoredPosterior, on page: inout HTMLPage) throws {
    guard let spectrum = posterior.spectrum else { return }
    let scales = spectrum.wavenumbers
    var amplitudes = LineChart(
      title: "Spectrum", x: .init("wave number", scale: .logarithmic),
      y: .init("amplitude of a coefficient", scale: .logarithmic),
      series: [
        .init("prior deviation", x: scales, y: spectrum.priorDeviation, isDashed: true),
        .init("posterior deviation", x: scales, y: spectrum.posteriorDeviation),
        .init("posterior mean", x: scales, y: spectrum.posteriorMean),
      ])
    amplitudes.subtitle = "root mean squares over the coefficients of a wave number"
    var shares = LineChart(
      title: "Variance that the data left", x: .init("wave number", scale: .logarithmic),
      y: .init("posterior / prior variance", range: 0...max(1.1, spectrum.varianceShare.max() ?? 1)),
      series: [.init("", x: scales, y: spectrum.varianceShare, mark: .markers)])
    shares.references = [.init("nothing learnt", at: 1)]
    page.figures(
      [
        try figures.chart("spectrum", amplitudes), try figures.chart("variance-by-wave-number", shares),
      ], minimumWidth: 440)
  }

  private mutating func showData(_ posterior: StoredPosterior, on page: inout HTMLPage) throws {
    guard let observations = posterior.observations, !observations.isEmpty else { return }
    page.section("Data")
    var shown: [HTMLPage.Figure] = []
    var subtitle = "\(observations.count) values"
    if let noise = posterior.noise {
      let (smallest, largest) = (NumberFormat.short(noise.lowerBound), NumberFormat.short(noise.upperBound))
      subtitle += ", noise deviation \(smallest)" + (smallest == largest ? "" : " to \(largest)")
    }
    if let (x, y) = posterior.sensors, x.count == observations.count {
      var panel = FieldPanel(
        posterior.mean, title: "Observations", subtitle: subtitle, range: HeatMap.range(of: observations),
        valueLabel: "observed values", xExtent: posterior.xExtent, yExtent: posterior.yExtent)
      panel.showsField = false
      panel.markers = observations.indices.map { .init(x: x[$0], y: y[$0], value: observations[$0]) }
      var csv = "sensor,x,y,observation\n"
      for index in observations.indices { csv += "\(index),\(x[index]),\(y[index]),\(observations[index])\n" }
      let drawing = panel.drawing()
      try figures.write("observations", drawing, csv: csv)
      shown.append(HTMLPage.Figure(drawing))
    }
    var chart = LineChart(
      title: "Observations by sensor", x: .init("sensor"), y: .init("observed values"),
      series: [.init("", x: observations.indices.map(Double.init), y: observations, mark: .markers)])
    chart.references = [.init("", at: 0)]
    chart.subtitle = subtitle
    if posterior.isLine, let x = posterior.sensorLine, x.count == observations.count {
      chart = LineChart(
        title: "Observations", x: .init("x"), y: .init("observed values"),
        series: [.init("", x: x, y: observations, mark: .markers)])
      chart.subtitle = subtitle
    }
    shown.append(try figures.chart("observations-by-sensor", chart))
    page.figures(shown, minimumWidth: 440)
  }
}

/// `posterior.nc` of an inversion, in ArviZ's schema.
struct StoredPosterior {
  let mean, deviation: HeatMap
  let truth, priorDeviation, priorMean: HeatMap?
  /// What is recovered, in words.
  let title: String
  /// Whether the field has one axis, of one row in the maps, and where its points and the sensors are.
  let isLine: Bool
  let line: [Double]
  let sensorLine: [Double]?
  let observations: [Double]?
  let sensors: (x: [Double], y: [Double])?
  /// The smallest and the largest standard deviation of the noise as stated.
  let noise: ClosedRange<Double>?
  /// The number of chains and of draws of each, if the file has them.
  let draws: (chains: Int, draws: Int)?
  /// Only every so manieth draw is read, so that long chains take no more memory than short ones.
  let stride: Int
  /// [chain, draw]; the acceptance is that of all draws so far.
  let misfit, acceptance: StoredArray?
  /// The three lowest coefficients of the field, each [chain, draw].
  let modes: [(name: String, values: StoredArray)]
  /// The last stored draws of the first chains.
  let samples: [HeatMap]
  /// Prior and posterior by wave number.
  let spectrum: StoredSpectrum?
  let xExtent, yExtent: ClosedRange<Double>
  /// What the file's attributes say, for the list of settings.
  let remarks: [(name: String, value: String)]
  /// Effective sample sizes and R-hat by quantity, if the file has them.
  let convergence: HTMLPage.Table?
  /// Whether the chains have converged, if the file says so.
  let isConverged: Bool?

  var sensorCount: Int { observations?.count ?? 0 }

  init(contentsOf path: String) throws {
    let file = try HDF5File(opening: path)
    func array(_ name: String) throws -> StoredArray? { try StoredArray(file, name) }
    func field(_ name: String) throws -> HeatMap? {
      guard let stored = try array(name) else { return nil }
      guard (1...2).contains(stored.shape.count), !stored.values.isEmpty else {
        throw ReportError(path: path, reason: "\(name) has shape \(stored.shape); expected [x] or [x, y]")
      }
      return HeatMap(
        values: stored.values, xCount: stored.shape[0], yCount: stored.shape.count == 2 ? stored.shape[1] : 1)
    }
    // The moments of all draws lie in a group of their own; files of other tools may keep them with the draws.
    func moment(_ name: String) throws -> HeatMap? {
      try field("posterior_summary/\(name)") ?? field("posterior/\(name)")
    }
    let variable = try Self.variable(file)
    guard let mean = try moment("\(variable)_mean"), let deviation = try moment("\(variable)_std") else {
      throw ReportError(
        path: path, reason: "must hold \(variable)_mean and \(variable)_std in the group posterior_summary")
    }
    (self.mean, self.deviation) = (mean, deviation)
    title = ["vorticity": "initial vorticity", "u": "initial state"][variable] ?? variable
    isLine = mean.yCount == 1
    line = try array("posterior/x")?.values ?? (0..<mean.xCount).map(Double.init)
    sensorLine = try array("constant_data/sensor_x")?.values
    truth = try field("constant_data/truth")
    (priorDeviation, priorMean) = (try field("prior/\(variable)_std"), try field("prior/\(variable)_mean"))
    for other in [deviation, truth, priorDeviation, priorMean].compactMap({ $0 })
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
    let deviations = try array("constant_data/noise_std")?.values ?? []
    noise = deviations.min().flatMap { smallest in deviations.max().map { smallest...$0 } }
    draws = try Self.draws(file)
    let stride = draws.map { max(1, ($0.chains * $0.draws + Self.largestTrace - 1) / Self.largestTrace) } ?? 1
    self.stride = stride
    misfit = try StoredArray(file, "sample_stats/misfit", everyNth: stride)
    acceptance =
      try Self.runningMeans(file, "sample_stats/accepted", everyNth: stride)
      ?? StoredArray(file, "sample_stats/acceptance_rate", everyNth: stride)
    modes = try Self.modes(file, everyNth: stride)
    samples = try Self.samples(file, of: variable, xCount: mean.xCount, yCount: mean.yCount)
    spectrum = try StoredSpectrum(file)
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
    isConverged = try Self.isConverged(file)
  }

  /// Whether the chains have converged, if the file says so.
  private static func isConverged(_ file: HDF5File) throws -> Bool? {
    guard try file.root.member("posterior") == .group else { return nil }
    let attributes = try file.root.group("posterior").attributes
    return try attributes.contains("converged") ? attributes.string("converged") == "yes" : nil
  }

  /// What follows numbers that hold for converged chains only.
  var caveat: String { isConverged == false ? "; the chains have not converged" : "" }

  /// The name of the field that is recovered; files that do not say hold a vorticity.
  private static func variable(_ file: HDF5File) throws -> String {
    guard try file.root.member("posterior") == .group else { return "vorticity" }
    let attributes = try file.root.group("posterior").attributes
    return try attributes.contains("field") ? attributes.string("field") : "vorticity"
  }

  /// The most draws of all chains that are read of one quantity.
  private static let largestTrace = 100_000

  /// The number of chains and of draws of each, if the file has them.
  private static func draws(_ file: HDF5File) throws -> (chains: Int, draws: Int)? {
    for name in ["misfit", "accepted", "acceptance_rate"].map({ "sample_stats/\($0)" })
    where try file.root.member(name) == .dataset {
      let shape = try file.root.dataset(name).shape()
      if shape.count == 2, !shape.contains(0) { return (shape[0], shape[1]) }
    }
    return nil
  }

  /// The mean of every chain over all of its draws so far, at every `stride`-th of them.
  private static func runningMeans(
    _ file: HDF5File, _ name: String, everyNth stride: Int
  ) throws -> StoredArray? {
    guard try file.root.member(name) == .dataset else { return nil }
    let dataset = try file.root.dataset(name)
    let shape = try dataset.shape()
    guard shape.count == 2, !shape.contains(0) else { return nil }
    var means: [Double] = []
    let block = 1 << 16
    for chain in 0..<shape[0] {
      var sum = 0.0
      for start in Swift.stride(from: 0, to: shape[1], by: block) {
        let slab = HDF5Slab(start: [chain, start], count: [1, min(block, shape[1] - start)])
        for (offset, value) in try dataset.read(as: Double.self, slab).enumerated() {
          sum += value
          if (start + offset).isMultiple(of: stride) { means.append(sum / Double(start + offset + 1)) }
        }
      }
    }
    return StoredArray(shape: [shape[0], means.count / shape[0]], values: means)
  }

  /// The lowest followed coefficients, if the file has them.
  private static func modes(
    _ file: HDF5File, everyNth stride: Int
  ) throws -> [(name: String, values: StoredArray)] {
    guard try file.root.member("sample_stats/mode") == .dataset else { return [] }
    let names = try file.root.dataset("sample_stats/mode").readStrings()
    return try names.prefix(3).enumerated().compactMap { mode, name in
      try StoredArray(file, "sample_stats/fourier_mode", everyNth: stride, at: [mode]).map { (name, $0) }
    }
  }

  /// The last stored draw of each of the first four chains, if the file has draws.
  private static func samples(
    _ file: HDF5File, of variable: String, xCount: Int, yCount: Int
  ) throws -> [HeatMap] {
    guard try file.root.member("posterior/\(variable)") == .dataset else { return [] }
    let dataset = try file.root.dataset("posterior/\(variable)")
    let shape = try dataset.shape()
    let grid = shape.dropFirst(2)
    guard (3...4).contains(shape.count), shape[1] > 0, grid.reduce(1, *) == xCount * yCount else { return [] }
    return try (0..<min(4, shape[0])).map { chain in
      let slab = HDF5Slab(start: [chain, shape[1] - 1] + grid.map { _ in 0 }, count: [1, 1] + grid)
      return HeatMap(values: try dataset.read(as: Double.self, slab), xCount: xCount, yCount: yCount)
    }
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
    "converged": "Chains have converged", "burn_in": "Burn-in discarded", "thin": "Thinned by",
    "step_size": "Step size", "forward": "Forward map",
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
      // Where all draws agree, any error is beyond every scale, but a number.
      min(1e6, abs(mean.values[index] - truth.values[index]) / max(deviation.values[index], 1e-300))
    }
    return HeatMap(values: values, xCount: truth.xCount, yCount: truth.yCount)
  }
}

/// What is known of the coefficients of the field before and after, gathered by wave number.
struct StoredSpectrum {
  /// The wave numbers, rounded to whole ones, increasing.
  let wavenumbers: [Double]
  /// Root mean squares over the coefficients of every wave number.
  let priorDeviation, posteriorDeviation, posteriorMean: [Double]
  /// The posterior variance over the prior's, averaged likewise.
  let varianceShare: [Double]

  /// Reads the moments of the coefficients; nil if the file has none.
  init?(_ file: HDF5File) throws {
    func read(_ name: String) throws -> [Double]? {
      try StoredArray(file, "posterior_summary/coordinate_\(name)")?.values
    }
    guard let numbers = try read("wavenumber"), let scales = try read("prior_std"),
      let means = try read("mean"), let variances = try read("variance"), !numbers.isEmpty,
      [scales, means, variances].allSatisfy({ $0.count == numbers.count })
    else { return nil }
    let shells = Dictionary(grouping: numbers.indices) { Int(numbers[$0].rounded()) }.sorted {
      $0.key < $1.key
    }
    .filter { $0.key > 0 }
    func average(_ value: (Int) -> Double) -> [Double] {
      shells.map { shell in shell.value.reduce(0) { $0 + value($1) } / Double(shell.value.count) }
    }
    wavenumbers = shells.map { Double($0.key) }
    priorDeviation = average { scales[$0] * scales[$0] }.map { $0.squareRoot() }
    posteriorDeviation = average { scales[$0] * scales[$0] * variances[$0] }.map { $0.squareRoot() }
    posteriorMean = average { scales[$0] * scales[$0] * means[$0] * means[$0] }.map { $0.squareRoot() }
    varianceShare = average { variances[$0] }
  }
}

extension String {
  /// The text with its first letter in upper case.
  fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
