import Figures
import Files
import Foundation
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Whether the text is well-formed XML.
func isWellFormed(_ text: String) -> Bool { XMLParser(data: Data(text.utf8)).parse() }

@Suite struct PNGImageTests {
  @Test(arguments: [(3, 2), (40, 30)])
  func decodesToWhatWasEncoded(width: Int, height: Int) throws {
    // 6 pixels fit a palette; 1,200 of different colours do not.
    var bytes: [UInt8] = []
    for pixel in 0..<width * height {
      bytes += [UInt8(pixel % 251), UInt8(pixel / 251 * 40), UInt8(pixel % 7), 255]
    }
    let image = PNGImage(width: width, height: height, bytes: bytes)
    let file = try image.encoded()
    #expect(Array(file.prefix(8)) == [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
    #expect(try PNGImage(decoding: file) == image)
  }

  @Test func damageIsAnError() throws {
    let file = try PNGImage(width: 4, height: 4, filledWith: RGB(1, 2, 3)).encoded()
    #expect(throws: FigureError.self) { try PNGImage(decoding: Array(file.dropLast(20))) }
    #expect(throws: FigureError.self) { try PNGImage(decoding: []) }
  }

  @Test func aFolderThatIsMissingIsNamed() {
    let image = PNGImage(width: 1, height: 1, filledWith: RGB(0, 0, 0))
    let error = #expect(throws: FileError.self) { try image.write(to: "/nonexistent/a.png") }
    #expect(error?.description.contains("/nonexistent/a.png") == true)
  }
}

@Suite struct ColorMapTests {
  @Test(arguments: [ColorMap.sequential, .magnitude])
  func lightnessRises(map: ColorMap) {
    let lightness = map.colors.map(\.lightness)
    // Eight bits per component round lightness by at most 0.002.
    #expect(zip(lightness, lightness.dropFirst()).allSatisfy { $1 > $0 - 0.002 })
    #expect(lightness[255] - lightness[0] > 0.6)
  }

  @Test func divergingIsBalanced() {
    let colors = ColorMap.diverging.colors
    for index in 0..<128 {
      // 0.01 in L of Oklab is less than a just noticeable difference; rounding and the gamut take less.
      #expect(abs(colors[index].lightness - colors[255 - index].lightness) < 0.01)
    }
    #expect(colors[128].lightness > 0.95)
    #expect(colors[10].blue > colors[10].red && colors[245].red > colors[245].blue)
  }

  @Test func endsAndNaN() {
    #expect(ColorMap.sequential.color(at: -1) == RGB(hex: 0x440154))
    #expect(ColorMap.sequential.color(at: 7) == RGB(hex: 0xfde725))
    #expect(ColorMap.sequential.color(at: .nan) == ColorMap.sequential.colors[0])
  }
}

@Suite struct HeatMapTests {
  @Test func xRunsRightAndYUp() {
    // Only (x0, y1) is high: the upper left pixel of an image with 3 columns and 2 rows.
    let map = HeatMap(values: [0, 1, 0, 0, 0, 0], xCount: 3, yCount: 2)
    let image = map.image(colorMap: .sequential, range: 0...1, scale: 2)
    #expect(image.width == 6 && image.height == 4)
    let (high, low) = (ColorMap.sequential.color(at: 1), ColorMap.sequential.color(at: 0))
    #expect(image[0, 0] == high && image[1, 1] == high)
    #expect(image[2, 0] == low && image[0, 2] == low)
  }

  @Test func rangesIgnoreWhatIsNotFinite() {
    let map = HeatMap(values: [.nan, -2, 1, .infinity], xCount: 2, yCount: 2)
    #expect(map.range == -2...1)
    #expect(map.symmetricRange == -2...2)
    #expect(
      map.image(colorMap: .diverging, range: -2...2).bytes[7] == 0,
      "infinity, at the upper right, is transparent")
    #expect(HeatMap.range(of: [.nan]) == 0...1)
    #expect(HeatMap.range(of: [3, 3]).contains(3))
  }
}

@Suite struct TicksTests {
  @Test func linearTicksAreRound() {
    #expect(Ticks(for: 0...1).labels == ["0", "0.2", "0.4", "0.6", "0.8", "1.0"])
    #expect(
      Ticks(for: -0.06...0.06, count: 4).labels == ["−0.06", "−0.04", "−0.02", "0", "0.02", "0.04", "0.06"])
    #expect(Ticks(for: 0...250, count: 5).values == [0, 50, 100, 150, 200, 250])
    #expect(Ticks(for: 5...5).labels == ["5"])
  }

  @Test func logarithmicTicksAreDecades() {
    #expect(Ticks(for: 1e-4...1, scale: .logarithmic).labels == ["0.0001", "0.001", "0.01", "0.1", "1"])
    #expect(Ticks(for: 0.01...0.3, scale: .logarithmic).labels == ["0.01", "0.02", "0.05", "0.1", "0.2"])
    #expect(Ticks(for: 1e-12...1, scale: .logarithmic, count: 4).values.count <= 6)
    #expect(Ticks(for: 1e-6...1e-3, scale: .logarithmic).labels == ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³"])
    #expect(
      Ticks(for: 0.1...1e6, scale: .logarithmic, count: 8).labels.prefix(4) == ["0.1", "1", "10", "10²"])
  }

  @Test func numbersAreShort() {
    #expect(NumberFormat.short(0.0123456) == "0.0123")
    #expect(NumberFormat.short(-4.5) == "−4.5")
    #expect(NumberFormat.short(9.996) == "10")
    #expect(NumberFormat.short(1.2e-7) == "1.2×10⁻⁷")
    #expect(NumberFormat.short(1e9) == "10⁹")
    #expect(NumberFormat.short(.nan) == "n/a")
    #expect(NumberFormat.grouped(6_558_537) == "6\u{202f}558\u{202f}537")
    #expect(NumberFormat.duration(seconds: 7500) == "2 h 5 min")
  }
}

@Suite struct DrawingTests {
  @Test func svgIsWellFormedInBothThemes() {
    var chart = SamplePage.band
    chart.title = "a < b & \"c\" \u{1}"
    var gaps = SamplePage.curves
    gaps.series[0].y[3] = .nan
    gaps.series[0].y[9] = 0
    let drawings =
      [chart, gaps, SamplePage.histogram].map { $0.drawing() } + SamplePage.panels.map { $0.drawing() }
    for drawing in drawings + [Drawing.grid(drawings, columns: 3, summary: "all")] {
      #expect(isWellFormed(drawing.svg(theme: .paper)))
      #expect(isWellFormed(drawing.svg(theme: .page)))
      #expect(!drawing.svg(theme: .paper).contains("var("))
      #expect(!drawing.svg(theme: .paper).lowercased().contains("nan"))
    }
  }

  @Test func edgeCasesDraw() {
    let empty = LineChart(title: "empty", x: .init("x"), y: .init("y", scale: .logarithmic), series: [])
    let constant = LineChart(title: "one", x: .init("x"), y: .init("y"), series: [.init("a", x: [1], y: [2])])
    for chart in [empty, constant] { #expect(isWellFormed(chart.drawing().svg(theme: .page))) }
    let single = FieldPanel(HeatMap(values: [0], xCount: 1, yCount: 1), title: "one point")
    #expect(isWellFormed(single.drawing().svg(theme: .page)))
  }

  @Test func pixelsAreWhereTheShapesAre() throws {
    var drawing = Drawing(width: 20, height: 10, summary: "")
    drawing.rectangle(Rectangle(x: 2, y: 2, width: 4, height: 4), fill: .init(.fixed(RGB(200, 0, 0))))
    drawing.clip(to: Rectangle(x: 10, y: 0, width: 5, height: 10)) { inner in
      inner.rectangle(Rectangle(x: 8, y: 0, width: 12, height: 10), fill: .init(.fixed(RGB(0, 0, 200))))
    }
    let image = drawing.image(scale: 1)
    let white = RGB(255, 255, 255)
    #expect(image[3, 3] == RGB(200, 0, 0) && image[1, 3] == white && image[6, 3] == white)
    #expect(image[12, 5] == RGB(0, 0, 200) && image[9, 5] == white && image[15, 5] == white)
    // Half a pixel covered is half the colour: 8 of 16 samples.
    var half = Drawing(width: 2, height: 2, summary: "")
    half.rectangle(Rectangle(x: 0, y: 0, width: 0.5, height: 2), fill: .init(.fixed(RGB(0, 0, 0))))
    #expect(abs(Int(half.image(scale: 1)[0, 0].red) - 128) <= 1)
  }

  /// In the letters of PNG files, which are wider than those of a page.
  @Test func aReferencesNameEndsWithinTheChart() {
    var chart = LineChart(
      title: "", x: .init("draw"), y: .init("misfit"), series: [.init("", x: [0, 1], y: [0, 30])])
    chart.references = [.init("expected at the truth: 24.5", at: 24.5)]
    let image = chart.drawing().image(scale: 1)
    // The margin on the right, above the labels of the axis.
    for column in Int(chart.width) - 13..<Int(chart.width) {
      for row in 0..<Int(chart.height) - 45 {
        #expect(image[column, row] == RGB(255, 255, 255), "column \(column), row \(row)")
      }
    }
  }

  @Test func numbersLieBeside() {
    let lines = SamplePage.curves.csv().split(separator: "\n")
    #expect(lines.count == 1 + 400 + 1)
    #expect(lines[0] == "series,x,y")
    let table = FieldPanel.table(of: Array(SamplePage.panels.prefix(2))).split(separator: "\n")
    #expect(table[0] == "x,y,Observations,Truth" && table.count == 1 + 64 * 64)
    let values = table[2].split(separator: ",").compactMap { Double($0) }
    // The second line is (x0, y1): y runs fastest.
    #expect(values[0] < values[1] && values[2] == SamplePage.panels[1].field.values[1])
  }

  @Test func histogramCountsEveryValue() {
    let chart = LineChart.histogram(
      title: "", label: "", countLabel: "", values: [0, 0.1, 0.1, 0.5, 1, .nan])
    #expect(chart.series[0].y.reduce(0, +) == 5)
  }

  /// Where every bar is one thing high, nothing between 0 and 1 is marked.
  @Test func countsAreWholeNumbers() {
    let chart = LineChart.histogram(title: "", label: "", countLabel: "", values: [10, 14, 18, 20])
    let drawing = chart.drawing().svg(theme: .paper)
    #expect(drawing.contains(">1<") && drawing.contains(">0<"))
    for fraction in ["0.2", "0.5", "0.8", "1.0"] { #expect(!drawing.contains(">\(fraction)<")) }
  }
}
