/// A position on a drawing: `x` to the right and `y` downwards from the upper left corner, in CSS pixels.
public struct Point: Sendable, Equatable {
  /// The distance from the left edge.
  public var x: Double
  /// The distance from the upper edge.
  public var y: Double

  /// A position from its coordinates.
  public init(_ x: Double, _ y: Double) {
    self.x = x
    self.y = y
  }
}

/// A rectangle on a drawing, from its upper left corner.
public struct Rectangle: Sendable, Equatable {
  /// The left edge.
  public var x: Double
  /// The upper edge.
  public var y: Double
  /// The extent to the right.
  public var width: Double
  /// The extent downwards.
  public var height: Double

  /// A rectangle from its upper left corner and its extents.
  public init(x: Double, y: Double, width: Double, height: Double) {
    self.x = x
    self.y = y
    self.width = width
    self.height = height
  }
}

/// What a line or an area is painted with; most paints depend on the ``Theme``.
public enum Paint: Sendable, Equatable {
  /// Text and axes.
  case ink
  /// Secondary text.
  case muted
  /// Grid lines.
  case grid
  /// What lies behind everything.
  case background
  /// The colour of a data series; they repeat after six.
  case series(Int)
  /// A colour that is data, the same in every theme.
  case fixed(RGB)
}

/// Where a drawing is shown, which decides how its paints become colours.
public enum Theme: Sendable {
  /// Inside an ``HTMLPage``, whose style sheet has the colours for light, dark and print.
  case page
  /// On its own, on white paper.
  case paper

  /// The colours of data series on white: those of Okabe and Ito (2008), told apart without colour vision.
  static let paperSeries: [UInt32] = [0x0072b2, 0xd55e00, 0x009e73, 0xb04a8c, 0x2f8fd0, 0xb57a00]
  /// The same hues, lighter, on a dark background.
  static let darkSeries: [UInt32] = [0x5ab4e6, 0xff9255, 0x35c79b, 0xe59ac8, 0x9cd3f5, 0xf0b94d]

  static func paperColor(_ paint: Paint) -> RGB {
    switch paint {
    case .ink: RGB(hex: 0x1d2126)
    case .muted: RGB(hex: 0x5d6670)
    case .grid: RGB(hex: 0xdfe3e7)
    case .background: RGB(hex: 0xffffff)
    case .series(let index): RGB(hex: paperSeries[index % paperSeries.count])
    case .fixed(let color): color
    }
  }

  func css(_ paint: Paint) -> String {
    guard self == .page else { return Self.paperColor(paint).hexadecimal }
    return switch paint {
    case .ink: "currentColor"
    case .muted: "var(--muted)"
    case .grid: "var(--grid)"
    case .background: "var(--surface)"
    case .series(let index): "var(--series-\(index % Self.paperSeries.count + 1))"
    case .fixed(let color): color.hexadecimal
    }
  }
}

/// A figure as a list of lines, areas, texts and images, written as SVG or as PNG.
///
/// Charts and field panels are drawn into one; ``svg(theme:)`` and ``image(scale:)`` put it on a page or in a file.
public struct Drawing: Sendable {
  /// How a line is drawn.
  public struct Stroke: Sendable, Equatable {
    /// The colour.
    public var paint: Paint
    /// The thickness.
    public var width: Double
    /// The lengths of dashes and gaps; none for a solid line.
    public var dashes: [Double]
    /// 1 for opaque.
    public var opacity: Double

    /// A line style.
    public init(_ paint: Paint, width: Double = 1, dashes: [Double] = [], opacity: Double = 1) {
      self.paint = paint
      self.width = width
      self.dashes = dashes
      self.opacity = opacity
    }
  }

  /// The colour of an area.
  public struct Fill: Sendable, Equatable {
    /// The colour.
    public var paint: Paint
    /// 1 for opaque.
    public var opacity: Double

    /// An area style.
    public init(_ paint: Paint, opacity: Double = 1) {
      self.paint = paint
      self.opacity = opacity
    }
  }

  /// Which part of a text lies at its position.
  public enum Anchor: String, Sendable {
    /// Its left end.
    case start
    /// Its middle.
    case middle
    /// Its right end.
    case end
  }

  /// One thing on the drawing, in the order of painting.
  public enum Element: Sendable {
    /// Straight lines through points, closed or not.
    case path([Point], closed: Bool, fill: Fill?, stroke: Stroke?)
    /// A disc or circle.
    case circle(Point, radius: Double, fill: Fill?, stroke: Stroke?)
    /// One line of text with its baseline at the point; upright texts read upwards.
    case text(String, at: Point, size: Double, anchor: Anchor, paint: Paint, bold: Bool, upright: Bool)
    /// An image stretched over the rectangle, every pixel a sharp block.
    case image(PNGImage, Rectangle)
    /// Elements of which only the part inside the rectangle is seen.
    case clipped(Rectangle, [Element])
  }

  /// The extent to the right, in CSS pixels.
  public let width: Double

  /// The extent downwards, in CSS pixels.
  public let height: Double

  /// What the figure shows, in words, for readers who cannot see it.
  public var summary: String

  /// What is drawn, in the order of painting.
  public private(set) var elements: [Element] = []

  /// An empty drawing.
  public init(width: Double, height: Double, summary: String) {
    self.width = width
    self.height = height
    self.summary = summary
  }

  /// Draws straight lines through `points`; fewer than two points are nothing.
  public mutating func line(_ points: [Point], stroke: Stroke) {
    guard points.count > 1 else { return }
    elements.append(.path(points, closed: false, fill: nil, stroke: stroke))
  }

  /// Draws a filled or outlined polygon.
  public mutating func polygon(_ points: [Point], fill: Fill?, stroke: Stroke? = nil) {
    guard points.count > 2 else { return }
    elements.append(.path(points, closed: true, fill: fill, stroke: stroke))
  }

  /// Draws a filled or outlined rectangle.
  public mutating func rectangle(_ area: Rectangle, fill: Fill?, stroke: Stroke? = nil) {
    polygon(
      [
        Point(area.x, area.y), Point(area.x + area.width, area.y),
        Point(area.x + area.width, area.y + area.height), Point(area.x, area.y + area.height),
      ], fill: fill, stroke: stroke)
  }

  /// Draws a disc or a circle.
  public mutating func circle(_ center: Point, radius: Double, fill: Fill?, stroke: Stroke? = nil) {
    elements.append(.circle(center, radius: radius, fill: fill, stroke: stroke))
  }

  /// Writes one line of text with its baseline at `point`.
  public mutating func text(
    _ text: String, at point: Point, size: Double = 11, anchor: Anchor = .start, paint: Paint = .ink,
    bold: Bool = false, upright: Bool = false
  ) {
    guard !text.isEmpty else { return }
    elements.append(
      .text(text, at: point, size: size, anchor: anchor, paint: paint, bold: bold, upright: upright))
  }

  /// Draws an image over `area`.
  public mutating func image(_ image: PNGImage, over area: Rectangle) {
    elements.append(.image(image, area))
  }

  /// Draws what `body` draws, cut off outside `area`.
  public mutating func clip(to area: Rectangle, _ body: (inout Drawing) -> Void) {
    var inner = Drawing(width: width, height: height, summary: "")
    body(&inner)
    elements.append(.clipped(area, inner.elements))
  }

  /// Draws `other` with its upper left corner at `point`.
  public mutating func place(_ other: Drawing, at point: Point) {
    elements += other.elements.map { $0.moved(by: point) }
  }

  /// The drawings in rows of `columns`, each row under the one before.
  public static func grid(_ drawings: [Drawing], columns: Int, gap: Double = 16, summary: String) -> Drawing {
    precondition(columns > 0, "a grid of \(columns) columns")
    let rows = stride(from: 0, to: drawings.count, by: columns).map {
      drawings[$0..<min($0 + columns, drawings.count)]
    }
    let widths = rows.map { row in row.reduce(gap * Double(max(0, row.count - 1))) { $0 + $1.width } }
    let heights = rows.map { row in row.map(\.height).max() ?? 0 }
    var result = Drawing(
      width: widths.max() ?? 0, height: heights.reduce(gap * Double(max(0, rows.count - 1)), +),
      summary: summary)
    var y = 0.0
    for (row, height) in zip(rows, heights) {
      var x = 0.0
      for drawing in row {
        result.place(drawing, at: Point(x, y))
        x += drawing.width + gap
      }
      y += height + gap
    }
    return result
  }

  // MARK: - SVG

  /// The drawing as SVG: an element for an HTML page, or a document of its own for a paper.
  public func svg(theme: Theme) -> String {
    let size = "viewBox=\"0 0 \(svgNumber(width)) \(svgNumber(height))\""
    let label = escaped(summary)
    var text: String
    switch theme {
    case .page:
      // No fixed width: the style sheet lets the figure shrink with its column.
      text = "<svg \(size) width=\"\(svgNumber(width))\" height=\"\(svgNumber(height))\" role=\"img\""
      text += " aria-label=\"\(label)\">\n"
    case .paper:
      text = "<svg xmlns=\"http://www.w3.org/2000/svg\" \(size) width=\"\(svgNumber(width))\""
      text += " height=\"\(svgNumber(height))\" role=\"img\" aria-label=\"\(label)\""
      text += " font-family=\"Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif\">\n"
      text += "<title>\(label)</title>\n"
      text += "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    }
    for element in elements { element.write(to: &text, theme: theme) }
    return text + "</svg>\n"
  }
}

extension Drawing.Element {
  func moved(by offset: Point) -> Self {
    func move(_ point: Point) -> Point { Point(point.x + offset.x, point.y + offset.y) }
    func move(_ area: Rectangle) -> Rectangle {
      Rectangle(x: area.x + offset.x, y: area.y + offset.y, width: area.width, height: area.height)
    }
    switch self {
    case .path(let points, let closed, let fill, let stroke):
      return .path(points.map(move), closed: closed, fill: fill, stroke: stroke)
    case .circle(let center, let radius, let fill, let stroke):
      return .circle(move(center), radius: radius, fill: fill, stroke: stroke)
    case .text(let text, let point, let size, let anchor, let paint, let bold, let upright):
      return .text(
        text, at: move(point), size: size, anchor: anchor, paint: paint, bold: bold, upright: upright)
    case .image(let image, let area): return .image(image, move(area))
    case .clipped(let area, let elements): return .clipped(move(area), elements.map { $0.moved(by: offset) })
    }
  }

  func write(to text: inout String, theme: Theme) {
    switch self {
    case .path(let points, let closed, let fill, let stroke):
      text += "<path d=\"M"
      for point in points { text += "\(svgNumber(point.x)),\(svgNumber(point.y)) " }
      text.removeLast()
      text += closed ? "Z\"" : "\""
      text += Self.attributes(fill, stroke, theme) + "/>\n"
    case .circle(let center, let radius, let fill, let stroke):
      text += "<circle cx=\"\(svgNumber(center.x))\" cy=\"\(svgNumber(center.y))\""
      text += " r=\"\(svgNumber(radius))\"" + Self.attributes(fill, stroke, theme) + "/>\n"
    case .text(let content, let point, let size, let anchor, let paint, let bold, let upright):
      text += "<text x=\"\(svgNumber(point.x))\" y=\"\(svgNumber(point.y))\" font-size=\"\(svgNumber(size))\""
      if anchor != .start { text += " text-anchor=\"\(anchor.rawValue)\"" }
      if bold { text += " font-weight=\"600\"" }
      if upright { text += " transform=\"rotate(-90 \(svgNumber(point.x)) \(svgNumber(point.y)))\"" }
      text += " fill=\"\(theme.css(paint))\">\(escaped(content))</text>\n"
    case .image(let image, let area):
      // An image that libpng cannot encode does not exist: its size and bytes were checked when made.
      guard let file = try? image.encoded() else { return }
      text +=
        "<image x=\"\(svgNumber(area.x))\" y=\"\(svgNumber(area.y))\" width=\"\(svgNumber(area.width))\""
      text += " height=\"\(svgNumber(area.height))\" preserveAspectRatio=\"none\""
      text += " style=\"image-rendering:pixelated\" href=\"data:image/png;base64,\(base64(file))\"/>\n"
    case .clipped(let area, let elements):
      // A nested viewport clips without an identifier, which would have to be unique on the page.
      let corner = "x=\"\(svgNumber(area.x))\" y=\"\(svgNumber(area.y))\""
      let size = "width=\"\(svgNumber(area.width))\" height=\"\(svgNumber(area.height))\""
      let box = [area.x, area.y, area.width, area.height].map(svgNumber).joined(separator: " ")
      text += "<svg \(corner) \(size) viewBox=\"\(box)\" overflow=\"hidden\">\n"
      for element in elements { element.write(to: &text, theme: theme) }
      text += "</svg>\n"
    }
  }

  private static func attributes(_ fill: Drawing.Fill?, _ stroke: Drawing.Stroke?, _ theme: Theme) -> String {
    var text = " fill=\"\(fill.map { theme.css($0.paint) } ?? "none")\""
    if let fill, fill.opacity < 1 { text += " fill-opacity=\"\(svgNumber(fill.opacity))\"" }
    if let stroke {
      text += " stroke=\"\(theme.css(stroke.paint))\" stroke-width=\"\(svgNumber(stroke.width))\""
      if stroke.width > 1 { text += " stroke-linejoin=\"round\" stroke-linecap=\"round\"" }
      if stroke.opacity < 1 { text += " stroke-opacity=\"\(svgNumber(stroke.opacity))\"" }
      if !stroke.dashes.isEmpty {
        text += " stroke-dasharray=\"\(stroke.dashes.map(svgNumber).joined(separator: " "))\""
      }
    }
    return text
  }
}

/// A coordinate to a hundredth of a pixel, without trailing zeros.
func svgNumber(_ value: Double) -> String {
  guard value.isFinite, abs(value) < 1e9 else { return "0" }
  let hundredths = Int((value * 100).rounded())
  let (whole, rest) = (abs(hundredths) / 100, abs(hundredths) % 100)
  let sign = hundredths < 0 ? "-" : ""
  if rest == 0 { return "\(sign)\(whole)" }
  if rest % 10 == 0 { return "\(sign)\(whole).\(rest / 10)" }
  return "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
}

/// The text with the five characters that mean something in XML and HTML replaced.
///
/// Control characters, which XML does not admit, become spaces.
func escaped(_ text: String) -> String {
  var result = ""
  result.reserveCapacity(text.utf8.count)
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    case "\n", "\t": result.unicodeScalars.append(scalar)
    case _ where scalar.value < 32 || scalar.value == 127 || scalar.value & 0xfffe == 0xfffe: result += " "
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// How wide a text may be: in a sans-serif font of the given size, about, or in the strokes of a PNG.
func textWidth(_ text: String, size: Double) -> Double {
  let width = text.reduce(0) { width, character in
    switch character {
    case "i", "l", "j", "t", "f", "I", ".", ",", ":", "'", "|", " ", "(", ")", "⁻", "¹", "²", "³":
      width + 0.32
    case "m", "w", "M", "W", "×", "−", "+", "=": width + 0.8
    case "A"..."Z": width + 0.68
    case "0"..."9": width + 0.64
    default: width + 0.56
    }
  }
  return max(width * size, StrokeFont.width(of: text, size: size))
}
