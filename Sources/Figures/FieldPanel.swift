/// A two-dimensional field with its axes and title, and its colour bar below.
public struct FieldPanel: Sendable {
  /// A place on the field, such as a sensor, with a value of its own or none.
  public struct Marker: Sendable, Equatable {
    /// The coordinate along the first axis.
    public var x: Double
    /// The coordinate along the second axis.
    public var y: Double
    /// The value there, drawn in the colours of the field; nil for an open circle.
    public var value: Double?

    /// A marked place.
    public init(x: Double, y: Double, value: Double? = nil) {
      self.x = x
      self.y = y
      self.value = value
    }
  }

  /// The field.
  public var field: HeatMap

  /// What the panel shows, over it.
  public var title: String

  /// A second, quieter line under the title.
  public var subtitle: String

  /// The colours.
  public var colorMap: ColorMap

  /// The values at the ends of the colour map.
  public var range: ClosedRange<Double>

  /// What the colours measure, with the unit, beside the colour bar.
  public var valueLabel: String

  /// The coordinates of the outer edges along x.
  public var xExtent: ClosedRange<Double>

  /// The coordinates of the outer edges along y.
  public var yExtent: ClosedRange<Double>

  /// The name and unit of the horizontal axis.
  public var xLabel = "x"

  /// The name and unit of the vertical axis.
  public var yLabel = "y"

  /// Places marked on the field.
  public var markers: [Marker] = []

  /// Whether the field itself is painted; a panel of markers alone leaves it out.
  public var showsField = true

  /// The width of the whole panel in CSS pixels.
  public var width = 264.0

  /// A panel of a field.
  ///
  /// - Parameters:
  ///   - range: The values at the ends of the colour map; those of the field where nil.
  ///   - xExtent: The coordinates of the outer edges along x.
  ///   - yExtent: The coordinates of the outer edges along y.
  public init(
    _ field: HeatMap, title: String, subtitle: String = "", colorMap: ColorMap = .sequential,
    range: ClosedRange<Double>? = nil, valueLabel: String = "", xExtent: ClosedRange<Double> = 0...1,
    yExtent: ClosedRange<Double> = 0...1
  ) {
    self.field = field
    self.title = title
    self.subtitle = subtitle
    self.colorMap = colorMap
    self.range = range ?? field.range
    self.valueLabel = valueLabel
    self.xExtent = xExtent
    self.yExtent = yExtent
  }

  /// The panel as a drawing; cells keep the proportions of the domain.
  public func drawing() -> Drawing {
    let bar = ColorBar(colorMap: colorMap, range: range, label: valueLabel)
    let left = 38.0
    let top = subtitle.isEmpty ? 26.0 : 41.0
    let plotWidth = max(60, width - left - 12)
    let proportion =
      (yExtent.upperBound - yExtent.lowerBound)
      / max(xExtent.upperBound - xExtent.lowerBound, .leastNormalMagnitude)
    let plotHeight = plotWidth * min(max(proportion, 0.2), 2)
    let area = Rectangle(x: left, y: top, width: plotWidth, height: plotHeight)
    let barTop = top + plotHeight + 42
    var drawing = Drawing(width: width, height: barTop + 9 + bar.captionHeight + 3, summary: summary)
    drawing.text(title, at: Point(left, 15), size: 13, bold: true)
    drawing.text(subtitle, at: Point(left, 31), size: 11, paint: .muted)

    if showsField {
      // Blocks of at least 256 pixels a side stay sharp in viewers that would smooth them.
      let scale = max(1, 256 / max(field.xCount, field.yCount))
      drawing.image(field.image(colorMap: colorMap, range: range, scale: scale), over: area)
    }
    drawing.rectangle(area, fill: nil, stroke: .init(.muted, width: 0.75))
    func horizontal(_ x: Double) -> Double {
      area.x + area.width * (x - xExtent.lowerBound) / (xExtent.upperBound - xExtent.lowerBound)
    }
    func vertical(_ y: Double) -> Double {
      area.y + area.height * (yExtent.upperBound - y) / (yExtent.upperBound - yExtent.lowerBound)
    }
    let span = max(range.upperBound - range.lowerBound, .leastNormalMagnitude)
    // A marker on the edge of the domain is shown whole.
    let markerArea = Rectangle(
      x: area.x - 6, y: area.y - 6, width: area.width + 12, height: area.height + 12)
    drawing.clip(to: markerArea) { inner in
      for marker in markers {
        let center = Point(horizontal(marker.x), vertical(marker.y))
        if let value = marker.value {
          let color = colorMap.color(at: (value - range.lowerBound) / span)
          inner.circle(
            center, radius: 4, fill: .init(.fixed(color)),
            stroke: .init(.fixed(RGB(hex: 0xffffff)), width: 2.25))
          inner.circle(center, radius: 4.6, fill: nil, stroke: .init(.fixed(RGB(hex: 0x1d2126)), width: 0.9))
        } else {
          inner.circle(center, radius: 3, fill: nil, stroke: .init(.fixed(RGB(hex: 0xffffff)), width: 2.5))
          inner.circle(center, radius: 3, fill: nil, stroke: .init(.fixed(RGB(hex: 0x1d2126)), width: 1.1))
        }
      }
    }

    let xTicks = Ticks(for: xExtent, count: 4)
    for (value, label) in zip(xTicks.values, xTicks.labels) {
      let x = horizontal(value)
      drawing.line(
        [Point(x, area.y + area.height), Point(x, area.y + area.height + 4)],
        stroke: .init(.muted, width: 0.75))
      drawing.text(
        label, at: Point(x, area.y + area.height + 15), size: 10, anchor: .middle, paint: .muted)
    }
    let yTicks = Ticks(for: yExtent, count: 4)
    for (value, label) in zip(yTicks.values, yTicks.labels) {
      let y = vertical(value)
      drawing.line([Point(area.x - 4, y), Point(area.x, y)], stroke: .init(.muted, width: 0.75))
      drawing.text(label, at: Point(area.x - 7, y + 3.5), size: 10, anchor: .end, paint: .muted)
    }
    drawing.text(
      xLabel, at: Point(area.x + area.width / 2, area.y + area.height + 29), size: 10.5, anchor: .middle)
    drawing.text(
      yLabel, at: Point(11, area.y + area.height / 2), size: 10.5, anchor: .middle, upright: true)
    bar.draw(
      over: Rectangle(x: area.x, y: barTop, width: area.width, height: 9), on: &drawing)
    return drawing
  }

  private var summary: String {
    let values = field.range
    var text = "\(title): field of \(field.xCount) by \(field.yCount) points, values from "
    text += "\(NumberFormat.short(values.lowerBound)) to \(NumberFormat.short(values.upperBound))"
    if !markers.isEmpty { text += ", \(markers.count) marked places" }
    return text
  }

  /// The numbers behind the panel: one line per grid point, `x,y,value`, with cell centres as coordinates.
  public func csv() -> String {
    var text = "x,y,value\n"
    for i in 0..<field.xCount {
      for j in 0..<field.yCount {
        let x = Self.coordinate(i, of: field.xCount, over: xExtent)
        let y = Self.coordinate(j, of: field.yCount, over: yExtent)
        text += "\(x),\(y),\(field.values[i * field.yCount + j])\n"
      }
    }
    return text
  }

  private static func coordinate(_ index: Int, of count: Int, over extent: ClosedRange<Double>) -> Double {
    extent.lowerBound + (Double(index) + 0.5) / Double(count) * (extent.upperBound - extent.lowerBound)
  }

  /// The extent of the blocks around equally spaced grid points: half a spacing beyond the outermost.
  public static func extent(around coordinates: [Double]) -> ClosedRange<Double> {
    guard coordinates.count > 1, let first = coordinates.first, let last = coordinates.last, first < last
    else { return 0...1 }
    let half = (last - first) / Double(coordinates.count - 1) / 2
    return first - half...last + half
  }
}

extension FieldPanel {
  /// The numbers behind panels on one grid: a line per grid point with `x,y` and a column per panel.
  ///
  /// - Precondition: all fields have the same grid.
  public static func table(of panels: [FieldPanel]) -> String {
    guard let first = panels.first else { return "x,y\n" }
    let (xCount, yCount) = (first.field.xCount, first.field.yCount)
    precondition(
      panels.allSatisfy { $0.field.xCount == xCount && $0.field.yCount == yCount },
      "panels on different grids")
    var text = (["x", "y"] + panels.map { csvField($0.title) }).joined(separator: ",") + "\n"
    for i in 0..<xCount {
      for j in 0..<yCount {
        text += "\(coordinate(i, of: xCount, over: first.xExtent))"
        text += ",\(coordinate(j, of: yCount, over: first.yExtent))"
        for panel in panels { text += ",\(panel.field.values[i * yCount + j])" }
        text += "\n"
      }
    }
    return text
  }
}
