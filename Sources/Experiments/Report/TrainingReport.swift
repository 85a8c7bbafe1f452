import Figures
import Foundation
import HDF5

extension Report {
  /// Shows a training run: the error, the curves, the error by sample, and samples beside their predictions.
  mutating func showTraining(on page: inout HTMLPage, present: Set<String>) throws {
    let metrics = try MetricsTable(contentsOf: "\(folder)/metrics.csv")
    let evaluation = try JSONObject(contentsOf: "\(folder)/evaluation.json")
    let samples = try EvaluatedSamples(contentsOf: "\(folder)/evaluation.h5")
    page.subtitle = samples?.equation ?? evaluation.string("equation") ?? ""
    page.section("Summary")
    page.headlines(headlines(metrics, evaluation))
    page.facts(settings)
    try showCurves(metrics, on: &page)
    try showErrors(evaluation, on: &page)
    if let samples { try showSamples(samples, on: &page) }
  }

  private func headlines(
    _ metrics: MetricsTable, _ evaluation: JSONObject
  ) -> [(name: String, value: String, note: String)] {
    var headlines: [(name: String, value: String, note: String)] = []
    var note = evaluation.number("samples").map { "\(NumberFormat.grouped(Int($0))) test samples" } ?? ""
    if let grid = evaluation.numbers("grid") {
      note += (note.isEmpty ? "" : ", ") + grid.map { String(Int($0)) }.joined(separator: " × ") + " points"
    }
    for (key, name) in [("mean", "Mean relative L2"), ("median", "Median"), ("maximum", "Largest")] {
      guard let value = evaluation.number("relative_l2.\(key)") else { continue }
      headlines.append((name, NumberFormat.short(value), key == "mean" ? note : ""))
    }
    if headlines.isEmpty, let last = metrics.curve("test", "relative_l2")?.values.last {
      headlines.append(("Test relative L2", NumberFormat.short(last), "at the last epoch"))
    }
    if let epoch = metrics.lastEpoch {
      let total = metrics.curve("train", "seconds").map { $0.values.reduce(0, +) }
      if let total {
        let perEpoch = NumberFormat.duration(seconds: total / Double(max(1, epoch)))
        headlines.append(("Training time", NumberFormat.duration(seconds: total), "\(perEpoch) per epoch"))
      }
      headlines.append(("Epochs", NumberFormat.grouped(epoch), ""))
    }
    return headlines
  }

  private mutating func showCurves(_ metrics: MetricsTable, on page: inout HTMLPage) throws {
    var shown: [HTMLPage.Figure] = []
    let errors = [("train", 0), ("test", 1), ("validation", 3)].compactMap { split, color in
      metrics.curve(split, "relative_l2").map {
        LineChart.Series(split, x: $0.epochs, y: $0.values, color: color)
      }
    }
    if !errors.isEmpty {
      var chart = LineChart(
        title: "Relative L2 error", x: .init("epoch", isCount: true),
        y: .init("relative L2", scale: .logarithmic),
        series: errors)
      if let test = metrics.curve("test", "relative_l2"),
        let best = zip(test.values, test.epochs).min(by: { $0.0 < $1.0 })
      {
        chart.subtitle = "lowest test error \(NumberFormat.short(best.0)) at epoch \(Int(best.1))"
      }
      shown.append(try figures.chart("training-curves", chart))
    }
    if let rate = metrics.curve("train", "learning_rate") {
      var chart = LineChart(
        title: "Learning rate", x: .init("epoch", isCount: true),
        y: .init("learning rate", scale: .logarithmic),
        series: [.init("", x: rate.epochs, y: rate.values, mark: .steps, color: 2)])
      chart.subtitle = "from \(rate.values.first.map { NumberFormat.short($0) } ?? "")"
      chart.subtitle += " to \(rate.values.last.map { NumberFormat.short($0) } ?? "")"
      shown.append(try figures.chart("learning-rate", chart))
    }
    guard !shown.isEmpty else { return }
    page.section("Training")
    page.figures(shown, minimumWidth: 440)
  }

  private mutating func showErrors(_ evaluation: JSONObject, on page: inout HTMLPage) throws {
    guard let errors = evaluation.numbers("sample_relative_l2"), !errors.isEmpty else { return }
    page.section("Error by sample")
    let order = errors.indices.sorted { (errors[$0], $0) < (errors[$1], $1) }
    let ranks = (1...errors.count).map(Double.init)
    var sorted = LineChart(
      title: "Samples in the order of their error", x: .init("rank", isCount: true),
      y: .init("relative L2", scale: .logarithmic),
      series: [.init("", x: ranks, y: order.map { errors[$0] }, mark: .markers)])
    sorted.subtitle = "\(NumberFormat.grouped(errors.count)) test samples"
    if let mean = evaluation.number("relative_l2.mean"), mean > 0 {
      sorted.references = [.init("mean \(NumberFormat.short(mean))", at: mean)]
    }
    var csv = "rank,sample,relative_l2\n"
    for (rank, sample) in order.enumerated() { csv += "\(rank + 1),\(sample),\(errors[sample])\n" }
    let drawing = sorted.drawing()
    try figures.write("error-by-sample", drawing, csv: csv)
    var histogram = LineChart.histogram(
      title: "Distribution of the error", label: "relative L2", countLabel: "samples", values: errors)
    histogram.subtitle = sorted.subtitle
    if let median = evaluation.number("relative_l2.median") {
      histogram.references = [.init("median \(NumberFormat.short(median))", at: median, isVertical: true)]
    }
    page.figures(
      [HTMLPage.Figure(drawing), try figures.chart("error-histogram", histogram)], minimumWidth: 440)
  }

  private mutating func showSamples(_ samples: EvaluatedSamples, on page: inout HTMLPage) throws {
    guard !samples.shown.isEmpty else { return }
    page.section("Samples")
    if samples.targetChannels > 1 {
      page.paragraph(
        "Shown is the last of \(samples.targetChannels) predicted channels, \(samples.targetName).")
    }
    for (row, rank) in samples.shown {
      let number = samples.samples[row]
      let error = NumberFormat.short(samples.errors[row])
      let name = "sample-\(number)"
      switch samples.grid.count {
      case 1:
        let shown = try showLines(samples, row, name: name, title: "Sample \(number), \(rank)", error: error)
        page.figures(shown, minimumWidth: 440)
      case 2:
        let panels = samples.panels(row, rank: rank)
        page.paragraph("Sample \(number), \(rank): relative L2 error \(error).")
        page.figures(
          try figures.panels(name, panels, summary: "Sample \(number), \(rank), relative L2 error \(error)"))
      default: continue
      }
    }
    if samples.targetChannels > 1 { try showErrorByChannel(samples, on: &page) }
  }

  private mutating func showLines(
    _ samples: EvaluatedSamples, _ row: Int, name: String, title: String, error: String
  ) throws -> [HTMLPage.Figure] {
    let x = samples.x
    let (truth, prediction) = (samples.truth(row), samples.prediction(row))
    var overlay = LineChart(
      title: title, x: .init("x"), y: .init(samples.targetName),
      series: [
        .init("input", x: x, y: samples.input(row), color: 3), .init("truth", x: x, y: truth, color: 0),
        .init("prediction", x: x, y: prediction, color: 1, isDashed: true),
      ])
    overlay.subtitle = "relative L2 error \(error)"
    var difference = LineChart(
      title: "Error", x: .init("x"), y: .init("prediction − truth"),
      series: [.init("", x: x, y: zip(prediction, truth).map { $0 - $1 }, color: 4)])
    difference.subtitle = "sample \(samples.samples[row])"
    difference.references = [.init("", at: 0)]
    return [
      try figures.chart(name, overlay), try figures.chart("\(name)-error", difference),
    ]
  }

  private mutating func showErrorByChannel(_ samples: EvaluatedSamples, on page: inout HTMLPage) throws {
    let channels = (1...samples.targetChannels).map(Double.init)
    let series = samples.shown.map { row, rank in
      LineChart.Series(rank, x: channels, y: samples.errorByChannel(row))
    }
    let chart = LineChart(
      title: "Error along the trajectory", x: .init("predicted channel"),
      y: .init("relative L2", scale: .logarithmic), series: series)
    page.figures([try figures.chart("error-by-channel", chart)], minimumWidth: 440)
  }
}

/// `evaluation.h5`: a few test samples with their predictions.
struct EvaluatedSamples {
  let equation: String?
  let samples: [Int]
  let errors: [Double]
  /// The rows to show, with what distinguishes each.
  let shown: [(row: Int, rank: String)]
  private let inputs, targets, predictions: StoredArray
  private let inputNames, targetNames: [String]
  private let coordinates: [[Double]]

  /// The points along every axis.
  var grid: [Int] { Array(targets.shape.dropFirst(2)) }
  var targetChannels: Int { targets.shape[1] }
  var inputName: String { inputNames.last ?? "input" }
  var targetName: String { targetNames.last ?? "solution" }
  var x: [Double] { coordinates[0] }

  init?(contentsOf path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let file = try HDF5File(opening: path)
    guard let inputs = try StoredArray(file, "input"), let targets = try StoredArray(file, "target"),
      let predictions = try StoredArray(file, "prediction")
    else {
      throw ReportError(path: path, reason: "must hold the datasets input, target and prediction")
    }
    guard targets.shape.count > 2, targets.shape == predictions.shape,
      inputs.shape.count == targets.shape.count,
      inputs.shape[0] == targets.shape[0], inputs.shape.dropFirst(2) == targets.shape.dropFirst(2)
    else {
      throw ReportError(
        path: path,
        reason: "the shapes do not fit: input \(inputs.shape), target \(targets.shape), "
          + "prediction \(predictions.shape); expected [sample, channel, grid]")
    }
    (self.inputs, self.targets, self.predictions) = (inputs, targets, predictions)
    let count = targets.shape[0]
    let numbers = try StoredArray(file, "sample")?.values.map { Int($0) } ?? []
    samples = numbers.count == count ? numbers : Array(0..<count)
    let stored = try StoredArray(file, "relative_l2")?.values ?? []
    let errors =
      stored.count == count
      ? stored : (0..<count).map { Self.relativeL2(predictions.slice($0), targets.slice($0)) }
    self.errors = errors
    let attributes = file.root.attributes
    equation = try attributes.contains("equation") ? attributes.string("equation") : nil
    inputNames = try attributes.contains("input_names") ? attributes.strings("input_names") : []
    targetNames = try attributes.contains("target_names") ? attributes.strings("target_names") : []
    coordinates = try targets.shape.dropFirst(2).enumerated().map { axis, length in
      let stored = axis < 3 ? try StoredArray(file, "dimensions/\(["x", "y", "z"][axis])")?.values : nil
      if let stored, stored.count == length { return stored }
      return (0..<length).map { (Double($0) + 0.5) / Double(length) }
    }
    let order = (0..<count).sorted { (errors[$0], $0) < (errors[$1], $1) }
    switch count {
    case 0: shown = []
    case 1: shown = [(order[0], "the only one stored")]
    case 2: shown = [(order[0], "lowest error"), (order[1], "highest error")]
    default:
      shown = [
        (order[0], "lowest error"), (order[(count - 1) / 2], "median error"),
        (order[count - 1], "highest error"),
      ]
    }
  }

  func input(_ row: Int) -> [Double] { inputs.slice(row, inputs.shape[1] - 1) }

  func truth(_ row: Int) -> [Double] { targets.slice(row, targetChannels - 1) }

  func prediction(_ row: Int) -> [Double] { predictions.slice(row, targetChannels - 1) }

  func errorByChannel(_ row: Int) -> [Double] {
    (0..<targetChannels).map { Self.relativeL2(predictions.slice(row, $0), targets.slice(row, $0)) }
  }

  /// Input, truth, prediction and error of one sample; truth and prediction share their colours.
  func panels(_ row: Int, rank: String) -> [FieldPanel] {
    func map(_ values: [Double]) -> HeatMap { HeatMap(values: values, xCount: grid[0], yCount: grid[1]) }
    let (truth, prediction) = (map(truth(row)), map(prediction(row)))
    let shared = HeatMap.range(of: truth.values + prediction.values)
    let error = map(zip(prediction.values, truth.values).map { $0 - $1 })
    let extents = coordinates.map { FieldPanel.extent(around: $0) }
    func panel(
      _ field: HeatMap, _ title: String, _ subtitle: String, _ colors: ColorMap, _ range: ClosedRange<Double>
    ) -> FieldPanel {
      FieldPanel(
        field, title: title, subtitle: subtitle, colorMap: colors, range: range, xExtent: extents[0],
        yExtent: extents[1])
    }
    return [
      panel(map(input(row)), "Input", inputName, .sequential, map(input(row)).range),
      panel(truth, "Truth", targetName, .sequential, shared),
      panel(prediction, "Prediction", targetName, .sequential, shared),
      panel(error, "Error", "prediction − truth", .diverging, error.symmetricRange),
    ]
  }

  static func relativeL2(_ prediction: [Double], _ truth: [Double]) -> Double {
    let distance = zip(prediction, truth).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    let size = truth.reduce(0) { $0 + $1 * $1 }
    return (distance / max(size, .leastNormalMagnitude)).squareRoot()
  }
}
