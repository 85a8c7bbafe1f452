/// A chart of values over one variable: lines, markers, steps, bars, bands and reference lines.
public struct LineChart: Sendable {
  /// One axis: its name with unit, its scale, and its ends where they are not those of the data.
  public struct Axis: Sendable {
    /// The name and unit, for example `epoch` or `x / m`.
    public var label: String
    /// Linear or logarithmic.
    public var scale: AxisScale
    /// The ends; from the data where nil.
    public var range: ClosedRange<Double>?
    /// Whether the values are numbers of things, so that nothing between them is marked.
    public var isCount: Bool

    /// An axis.
    public init(
      _ label: String, scale: AxisScale = .linear, range: ClosedRange<Double>? = nil, isCount: Bool = false
    ) {
      self.label = label
      self.scale = scale
      self.range = range
      self.isCount = isCount
    }

    /// About `count` ticks over a range, fewer where they would be closer than one.
    func ticks(for range: ClosedRange<Double>, count: Int) -> Ticks {
      let span = range.upperBound - range.lowerBound
      return Ticks(for: range, scale: scale, count: isCount ? max(1, min(count, Int(span))) : count)
    }
  }

  /// How the values of a series are drawn.
  public enum Mark: Sendable {
    /// Straight lines between the points.
    case line
    /// A dot at each point.
    case markers
    /// A constant value around each point, with jumps halfway.
    case steps
    /// A bar from zero to each point; bars touch.
    case bars
  }

  /// A named sequence of points.
  public struct Series: Sendable {
    /// The name in the legend and in the numbers.
    public var name: String
    /// The positions along the horizontal axis.
    public var x: [Double]
    /// The values.
    public var y: [Double]
    /// How they are drawn.
    public var mark: Mark
    /// The index of the colour; the position of the series where nil.
    public var color: Int?
    /// Whether the line is dashed.
    public var isDashed: Bool

    /// A series of points.
    ///
    /// - Precondition: `x` and `y` are equally long.
    public init(
      _ name: String, x: [Double], y: [Double], mark: Mark = .line, color: Int? = nil, isDashed: Bool = false
    ) {
      precondition(x.count == y.count, "series \(name): \(x.count) positions, \(y.count) values")
      self.name = name
      self.x = x
      self.y = y
      self.mark = mark
      self.color = color
      self.isDashed = isDashed
    }
  }

  /// The area between two curves, such as two quantiles.
  public struct Band: Sendable {
    /// The name in the legend and in the numbers.
    public var name: String
    /// The positions along the horizontal axis.
    public var x: [Double]
    /// The lower curve.
    public var lower: [Double]
    /// The upper curve.
    public var upper: [Double]
    /// The index of the colour.
    public var color: Int

    /// A band between two curves.
    ///
    /// - Precondition: the three arrays are equally long.
    public init(_ name: String, x: [Double], lower: [Double], upper: [Double], color: Int = 0) {
      precondition(
        x.count == lower.count && x.count == upper.count,
        "band \(name): \(x.count) positions, \(lower.count) and \(upper.count) values")
      self.name = name
      self.x = x
      self.lower = lower
      self.upper = upper
      self.color = color
    }
  }

  /// A level that the data are compared with, drawn across the chart and named at it.
  public struct Reference: Sendable {
    /// The name, drawn beside the line.
    public var name: String
    /// The level.
    public var value: Double
    /// Whether the line is vertical, at a position of the horizontal axis.
    public var isVertical: Bool

    /// A reference line.
    public init(_ name: String, at value: Double, isVertical: Bool = false) {
      self.name = name
      self.value = value
      self.isVertical = isVertical
    }
  }

  /// What the chart shows, over it.
  public var title: String
  /// A second, quieter line under the title.
  public var subtitle = ""
  /// The horizontal axis.
  public var xAxis: Axis
  /// The vertical axis.
  public var yAxis: Axis
  /// The data.
  public var series: [Series]
  /// Areas behind the data.
  public var bands: [Band] = []
  /// Levels to compare with.
  public var references: [Reference] = []
  /// The width of the whole chart in CSS pixels.
  public var width = 520.0
  /// The height of the whole chart in CSS pixels.
  public var height = 300.0

  /// A chart of series.
  public init(title: String, x: Axis, y: Axis, series: [Series]) {
    self.title = title
    xAxis = x
    yAxis = y
    self.series = series
  }

  /// A chart of how often values fall into equal intervals, about twice the square root of their number.
  public static func histogram(
    title: String, label: String, countLabel: String, values: [Double]
  ) -> LineChart {
    let range = HeatMap.range(of: values)
    let finite = values.filter(\.isFinite)
    let bins = max(5, min(60, Int((2 * Double(finite.count).squareRoot()).rounded())))
    let width = (range.upperBound - range.lowerBound) / Double(bins)
    var counts = [Double](repeating: 0, count: bins)
    for value in finite { counts[min(bins - 1, Int((value - range.lowerBound) / width))] += 1 }
    let centers = (0..<bins).map { range.lowerBound + (Double($0) + 0.5) * width }
    return LineChart(
      title: title, x: .init(label), y: .init(countLabel, isCount: true),
      series: [.init("", x: centers, y: counts, mark: .bars)])
  }

  // MARK: - Ranges

  private var xRange: ClosedRange<Double> {
    if let range = xAxis.range { return range }
    // Bars and steps reach half a spacing beyond their points.
    var values = series.flatMap { series -> [Double] in
      guard series.mark == .bars || series.mark == .steps, let first = series.x.first,
        let last = series.x.last
      else { return series.x }
      let half = Self.halfSpacing(series.x)
      return [first - half, last + half]
    }
    values += bands.flatMap(\.x) + references.filter(\.isVertical).map(\.value)
    return admissible(values, scale: xAxis.scale)
  }

  private var yRange: ClosedRange<Double> {
    if let range = yAxis.range { return range }
    var values = series.flatMap(\.y) + bands.flatMap { $0.lower + $0.upper }
    values += references.filter { !$0.isVertical }.map(\.value)
    if series.contains(where: { $0.mark == .bars }) && yAxis.scale == .linear { values.append(0) }
    let range = admissible(values, scale: yAxis.scale)
    if yAxis.scale == .logarithmic {
      let factor = power(range.upperBound / range.lowerBound, 0.05)
      return range.lowerBound / factor...range.upperBound * factor
    }
    let margin = (range.upperBound - range.lowerBound) * 0.06
    // A bar stands on the axis.
    let lower = range.lowerBound == 0 ? 0 : range.lowerBound - margin
    return lower...range.upperBound + margin
  }

  private func admissible(_ values: [Double], scale: AxisScale) -> ClosedRange<Double> {
    guard scale == .logarithmic else { return HeatMap.range(of: values) }
    let positive = values.filter { $0 > 0 && $0.isFinite }
    guard let low = positive.min(), let high = positive.max() else { return 0.1...1 }
    return low < high ? low...high : low / 2...high * 2
  }

  private static func halfSpacing(_ x: [Double]) -> Double {
    guard x.count > 1 else { return 0.5 }
    return zip(x, x.dropFirst()).map { abs($1 - $0) }.min().map { $0 / 2 } ?? 0.5
  }

  // MARK: - Drawing

  /// The chart as a drawing.
  ///
  /// Up to six lines are named at their right ends; with other marks, or more of them, a legend stands above.
  public func drawing() -> Drawing {
    let named = series.filter { !$0.name.isEmpty }
    let labelsDirectly =
      named.count > 1 && named.count <= 6 && bands.isEmpty && series.allSatisfy { $0.mark == .line }
      && series.allSatisfy { $0.x.count > 1 }
    let hasLegend = !labelsDirectly && (named.count > 1 || bands.contains { !$0.name.isEmpty })
    let (xRange, yRange) = (xRange, yRange)
    let xTicks = xAxis.ticks(for: xRange, count: max(3, Int(width / 90)))
    let yTicks = yAxis.ticks(for: yRange, count: max(3, Int(height / 60)))
    let tickWidth = yTicks.labels.map { textWidth($0, size: 10) }.max() ?? 0
    let left = 24 + tickWidth + 8
    // The names are bold, an eighth wider.
    let longest = named.map { 1.125 * textWidth($0.name, size: 11) }.max() ?? 0
    let right = labelsDirectly ? longest + 14 : 14
    let top = 26.0 + (subtitle.isEmpty ? 0 : 15) + (hasLegend ? 18 : 0)
    let area = Rectangle(
      x: left, y: top, width: max(80, width - left - right), height: max(60, height - top - 40))
    let frame = Frame(area: area, xRange: xRange, yRange: yRange, xAxis: xAxis, yAxis: yAxis)

    var drawing = Drawing(width: width, height: height, summary: summary)
    drawing.text(title, at: Point(left, 15), size: 13, bold: true)
    drawing.text(subtitle, at: Point(left, 31), size: 11, paint: .muted)
    if hasLegend { drawLegend(from: Point(left, top - 9), on: &drawing) }
    drawAxes(frame, xTicks: xTicks, yTicks: yTicks, on: &drawing)
    drawing.clip(
      to: Rectangle(x: area.x - 3, y: area.y - 3, width: area.width + 6, height: area.height + 6)
    ) { inner in
      for band in bands { draw(band, in: frame, on: &inner) }
      for (index, series) in series.enumerated() {
        draw(series, color: series.color ?? index, in: frame, on: &inner)
      }
    }
    for reference in references { draw(reference, in: frame, on: &drawing) }
    if labelsDirectly { nameLines(in: frame, on: &drawing) }
    return drawing
  }

  /// The map from values to positions on the drawing.
  private struct Frame {
    let area: Rectangle
    let xRange: ClosedRange<Double>
    let yRange: ClosedRange<Double>
    let xAxis: Axis
    let yAxis: Axis

    func x(_ value: Double) -> Double { area.x + area.width * fraction(value, xRange, xAxis.scale) }

    func y(_ value: Double) -> Double { area.y + area.height * (1 - fraction(value, yRange, yAxis.scale)) }

    /// The positions of the points, cut into runs where a value cannot be drawn.
    func runs(_ x: [Double], _ y: [Double]) -> [[Point]] {
      var runs: [[Point]] = [[]]
      for (x, y) in zip(x, y) {
        let isDrawable =
          x.isFinite && y.isFinite && (yAxis.scale == .linear || y > 0) && (xAxis.scale == .linear || x > 0)
        if isDrawable {
          runs[runs.count - 1].append(Point(self.x(x), self.y(y)))
        } else if runs[runs.count - 1].isEmpty == false {
          runs.append([])
        }
      }
      return runs
    }

    private func fraction(_ value: Double, _ range: ClosedRange<Double>, _ scale: AxisScale) -> Double {
      guard scale == .logarithmic else {
        return (value - range.lowerBound)
          / max(range.upperBound - range.lowerBound, .leastNormalMagnitude)
      }
      let low = decimalLogarithm(range.lowerBound)
      let high = decimalLogarithm(range.upperBound)
      return (decimalLogarithm(max(value, .leastNormalMagnitude)) - low) / max(high - low, 1e-12)
    }
  }

  private func drawAxes(_ frame: Frame, xTicks: Ticks, yTicks: Ticks, on drawing: inout Drawing) {
    let area = frame.area
    let bottom = area.y + area.height
    for (value, label) in zip(yTicks.values, yTicks.labels) {
      let y = frame.y(value)
      drawing.line([Point(area.x, y), Point(area.x + area.width, y)], stroke: .init(.grid))
      drawing.text(label, at: Point(area.x - 7, y + 3.5), size: 10, anchor: .end, paint: .muted)
    }
    drawing.line([Point(area.x, bottom), Point(area.x + area.width, bottom)], stroke: .init(.muted))
    for (value, label) in zip(xTicks.values, xTicks.labels) {
      let x = frame.x(value)
      drawing.line([Point(x, bottom), Point(x, bottom + 4)], stroke: .init(.muted))
      drawing.text(label, at: Point(x, bottom + 16), size: 10, anchor: .middle, paint: .muted)
    }
    drawing.text(
      xAxis.label, at: Point(area.x + area.width / 2, bottom + 33), size: 11, anchor: .middle)
    drawing.text(
      yAxis.label, at: Point(13, area.y + area.height / 2), size: 11, anchor: .middle, upright: true)
  }

  private static func dashes(_ series: Series) -> [Double] { series.isDashed ? [5, 4] : [] }

  private func draw(_ series: Series, color: Int, in frame: Frame, on drawing: inout Drawing) {
    let paint = Paint.series(color)
    switch series.mark {
    case .line:
      for run in frame.runs(series.x, series.y) {
        let thinned = Self.thinned(run, columns: Int(frame.area.width))
        let width = run.count > 1000 ? 1.1 : 1.9
        drawing.line(thinned, stroke: .init(paint, width: width, dashes: Self.dashes(series)))
        // A single point has no line; it is still data.
        if run.count == 1 { drawing.circle(run[0], radius: 2.4, fill: .init(paint)) }
      }
    case .markers:
      for point in frame.runs(series.x, series.y).joined() {
        drawing.circle(point, radius: 2.4, fill: .init(paint, opacity: 0.85))
      }
    case .steps:
      let half = Self.halfSpacing(series.x)
      let x = series.x.flatMap { [$0 - half, $0 + half] }
      let y = series.y.flatMap { [$0, $0] }
      for run in frame.runs(x, y) {
        drawing.line(run, stroke: .init(paint, width: 1.9, dashes: Self.dashes(series)))
      }
    case .bars:
      let half = Self.halfSpacing(series.x)
      let floor = yAxis.scale == .linear ? 0 : frame.yRange.lowerBound
      for (x, y) in zip(series.x, series.y) where x.isFinite && y.isFinite && y != floor {
        let (left, right) = (frame.x(x - half), frame.x(x + half))
        let (top, bottom) = (frame.y(max(y, floor)), frame.y(min(y, floor)))
        let gap = right - left > 4 ? 0.75 : 0
        drawing.rectangle(
          Rectangle(x: left + gap, y: top, width: right - left - 2 * gap, height: bottom - top),
          fill: .init(paint, opacity: 0.85))
      }
    }
  }

  /// At most four points per column, so that the line looks the same: its first, lowest, highest and last.
  private static func thinned(_ points: [Point], columns: Int) -> [Point] {
    guard points.count > 8 * columns, columns > 0 else { return points }
    var result: [Point] = []
    var start = 0
    while start < points.count {
      let column = Int(points[start].x)
      var (end, low, high) = (start, start, start)
      while end < points.count && Int(points[end].x) == column {
        if points[end].y < points[low].y { low = end }
        if points[end].y > points[high].y { high = end }
        end += 1
      }
      result += Set([start, low, high, end - 1]).sorted().map { points[$0] }
      start = end
    }
    return result
  }

  private func draw(_ band: Band, in frame: Frame, on drawing: inout Drawing) {
    let floor = yAxis.scale == .linear ? -Double.infinity : frame.yRange.lowerBound
    let lower = frame.runs(band.x, band.lower.map { max($0, floor) }).flatMap { $0 }
    let upper = frame.runs(band.x, band.upper.map { max($0, floor) }).flatMap { $0 }
    drawing.polygon(lower + upper.reversed(), fill: .init(.series(band.color), opacity: 0.2))
  }

  private func draw(_ reference: Reference, in frame: Frame, on drawing: inout Drawing) {
    let area = frame.area
    let stroke = Drawing.Stroke(.ink, width: 1, dashes: [4, 3], opacity: 0.75)
    let length = textWidth(reference.name, size: 10.5)
    let corner: Point
    if reference.isVertical {
      let x = frame.x(reference.value)
      drawing.line([Point(x, area.y), Point(x, area.y + area.height)], stroke: stroke)
      let fits = x + 5 + length < area.x + area.width
      corner = Point(fits ? x + 5 : x - 5 - length, area.y + 11)
    } else {
      let y = frame.y(reference.value)
      drawing.line([Point(area.x, y), Point(area.x + area.width, y)], stroke: stroke)
      corner = Point(area.x + area.width - 4 - length, y - area.y > 18 ? y - 6 : y + 14)
    }
    guard !reference.name.isEmpty else { return }
    // The name stays legible over a dense trace.
    drawing.rectangle(
      Rectangle(x: corner.x - 3, y: corner.y - 10, width: length + 6, height: 13.5),
      fill: .init(.background, opacity: 0.8))
    drawing.text(reference.name, at: corner, size: 10.5)
  }

  private func drawLegend(from start: Point, on drawing: inout Drawing) {
    var x = start.x
    for band in bands where !band.name.isEmpty {
      drawing.rectangle(
        Rectangle(x: x, y: start.y - 9, width: 16, height: 9), fill: .init(.series(band.color), opacity: 0.25)
      )
      drawing.text(band.name, at: Point(x + 21, start.y))
      x += 21 + textWidth(band.name, size: 11) + 16
    }
    for (index, series) in series.enumerated() where !series.name.isEmpty {
      let paint = Paint.series(series.color ?? index)
      switch series.mark {
      case .line, .steps:
        drawing.line(
          [Point(x, start.y - 4), Point(x + 16, start.y - 4)],
          stroke: .init(paint, width: 2, dashes: Self.dashes(series)))
      case .markers: drawing.circle(Point(x + 8, start.y - 4), radius: 3, fill: .init(paint))
      case .bars:
        drawing.rectangle(Rectangle(x: x + 3, y: start.y - 9, width: 10, height: 9), fill: .init(paint))
      }
      drawing.text(series.name, at: Point(x + 21, start.y))
      x += 21 + textWidth(series.name, size: 11) + 16
    }
  }

  /// Names every line at its last point, moved apart where two end close to each other.
  private func nameLines(in frame: Frame, on drawing: inout Drawing) {
    let gap = 13.0
    var names: [(y: Double, name: String, color: Int)] = []
    for (index, series) in series.enumerated() where !series.name.isEmpty {
      guard let last = frame.runs(series.x, series.y).last(where: { !$0.isEmpty })?.last else { continue }
      names.append((last.y, series.name, series.color ?? index))
    }
    names.sort { ($0.y, $0.color) < ($1.y, $1.color) }
    // Two sweeps: downwards to separate, then upwards from the bottom edge.
    for index in names.indices.dropFirst() { names[index].y = max(names[index].y, names[index - 1].y + gap) }
    var limit = frame.area.y + frame.area.height + 4
    for index in names.indices.reversed() {
      names[index].y = min(names[index].y, limit)
      limit = names[index].y - gap
    }
    for name in names {
      drawing.text(
        name.name, at: Point(frame.area.x + frame.area.width + 7, name.y + 4), size: 11,
        paint: .series(name.color), bold: true)
    }
  }

  private var summary: String {
    let names = series.map(\.name).filter { !$0.isEmpty }.joined(separator: ", ")
    return "\(title): \(yAxis.label) over \(xAxis.label)\(names.isEmpty ? "" : "; \(names)")"
  }

  // MARK: - Numbers

  /// The numbers behind the chart in long form, one line per point: `series,x,y`.
  ///
  /// A band contributes two series, its name followed by `lower` and `upper`; a reference one line.
  public func csv() -> String {
    var text = "series,x,y\n"
    func append(_ name: String, _ x: [Double], _ y: [Double]) {
      for (x, y) in zip(x, y) { text += "\(csvField(name)),\(x),\(y)\n" }
    }
    for series in series { append(series.name.isEmpty ? yAxis.label : series.name, series.x, series.y) }
    for band in bands {
      append("\(band.name) lower", band.x, band.lower)
      append("\(band.name) upper", band.x, band.upper)
    }
    for reference in references {
      text += "\(csvField(reference.name)),"
      text += reference.isVertical ? "\(reference.value),\n" : ",\(reference.value)\n"
    }
    return text
  }
}

/// A text as a field of a CSV file (RFC 4180).
func csvField(_ text: String) -> String {
  guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
  return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
}
