import Figures
import Foundation

/// A page with every kind of block and figure, from made-up data with the look of the real ones.
enum SamplePage {
  static func vortices(_ n: Int, phase: Double = 0) -> [Double] {
    (0..<n * n).map { index in
      let x = (Double(index / n) + 0.5) / Double(n)
      let y = (Double(index % n) + 0.5) / Double(n)
      return sin(2 * .pi * (x + phase)) * cos(4 * .pi * y) + 0.5 * sin(6 * .pi * x * y + phase) + 0.8 * x
        - 0.4 * y
    }
  }

  static var curves: LineChart {
    let epochs = (1...200).map(Double.init)
    let train = epochs.map { 0.5 * exp(-$0 / 30) + 0.004 * (1 + 0.1 * sin($0)) }
    let test = epochs.map { 0.5 * exp(-$0 / 32) + 0.009 * (1 + 0.05 * cos($0 * 1.7)) }
    var chart = LineChart(
      title: "Relative L2 error", x: .init("epoch"), y: .init("relative L2", scale: .logarithmic),
      series: [.init("train", x: epochs, y: train), .init("test", x: epochs, y: test)])
    chart.references = [.init("best epoch", at: 163, isVertical: true)]
    return chart
  }

  static var band: LineChart {
    let x = (0..<100).map { Double($0) / 99 }
    let middle = x.map { sin(2 * .pi * $0) }
    var chart = LineChart(
      title: "Posterior", x: .init("x"), y: .init("u(x, 1)"),
      series: [
        .init("mean", x: x, y: middle),
        .init(
          "observations", x: stride(from: 0, to: 100, by: 9).map { x[$0] },
          y: stride(from: 0, to: 100, by: 9).map { middle[$0] + 0.1 * sin(Double($0 * 7)) }, mark: .markers),
      ])
    chart.bands = [.init("90 % band", x: x, lower: middle.map { $0 - 0.2 }, upper: middle.map { $0 + 0.2 })]
    chart.references = [.init("zero", at: 0)]
    return chart
  }

  static var histogram: LineChart {
    let x = (0..<24).map { 0.004 + Double($0) * 0.0005 }
    return LineChart(
      title: "Error by sample", x: .init("relative L2"), y: .init("samples"),
      series: [.init("", x: x, y: x.map { (30 * exp(-pow(($0 - 0.009) / 0.002, 2))).rounded() }, mark: .bars)]
    )
  }

  static var panels: [FieldPanel] {
    let truth = HeatMap(values: vortices(64), xCount: 64, yCount: 64)
    let prediction = HeatMap(values: vortices(64, phase: 0.01), xCount: 64, yCount: 64)
    let error = HeatMap(
      values: zip(prediction.values, truth.values).map { $0 - $1 }, xCount: 64, yCount: 64)
    var sensors = FieldPanel(truth, title: "Observations", range: truth.range, valueLabel: "vorticity")
    sensors.markers = (0..<49).map { index in
      let (i, j) = (index / 7 * 9 + 4, index % 7 * 9 + 4)
      return .init(
        x: (Double(i) + 0.5) / 64, y: (Double(j) + 0.5) / 64, value: truth.values[i * 64 + j])
    }
    return [
      sensors,
      FieldPanel(truth, title: "Truth", subtitle: "sample 17", range: truth.range, valueLabel: "vorticity"),
      FieldPanel(prediction, title: "Prediction", range: truth.range, valueLabel: "vorticity"),
      FieldPanel(
        error, title: "Error", subtitle: "prediction − truth", colorMap: .diverging,
        range: error.symmetricRange, valueLabel: "vorticity"),
      FieldPanel(
        HeatMap(values: truth.values.map { abs($0) }, xCount: 64, yCount: 64), title: "Standard deviation",
        colorMap: .magnitude),
    ]
  }

  static func make() -> HTMLPage {
    var page = HTMLPage(
      title: "Navier–Stokes <sample> & \"page\"", kicker: "Training run",
      subtitle: "w_t + u·∇w = νΔw + f on the unit torus, ν = 10⁻⁴", footer: "Made by a test.")
    page.section("Summary")
    page.headlines([
      ("Mean relative L2", "0.0123", "200 test samples"), ("Median", "0.0117", ""),
      ("Largest", "0.0341", "sample 171"),
      ("Wall time", "2 h 5 min", "500 epochs"),
    ])
    page.facts([("Model", "FNO"), ("Width", "20"), ("Parameters", "414 517"), ("Seed", "0")])
    page.paragraph(
      "Text with <b>markup</b> that must not be markup & an https://example.org/ that is only text.")
    page.section("Training")
    page.figures(
      [.init(curves.drawing(), caption: "Error of each epoch."), .init(histogram.drawing())],
      minimumWidth: 420)
    page.section("Fields")
    page.figures(panels.map { .init($0.drawing()) })
    page.section("Posterior")
    page.figures([.init(band.drawing())], minimumWidth: 420)
    page.table(
      .init(
        columns: ["quantity", "ESS", "R-hat"], rows: [["misfit", "412", "1.01"]], numericColumns: [1, 2]))
    page.details("Configuration", text: "model:\n  kind: fno\n  width: 20\n")
    return page
  }
}
