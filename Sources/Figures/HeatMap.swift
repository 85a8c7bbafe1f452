/// A field on a two-dimensional grid, drawn with one coloured block per grid point.
///
/// `values` is row-major with the x axis first, `values[i * yCount + j]` at (x_i, y_j), as fields are stored
/// everywhere in this project. The image has **x to the right and y upwards**: the lower left pixel is (0, 0).
public struct HeatMap: Sendable {
  /// The number of grid points along x.
  public let xCount: Int

  /// The number of grid points along y.
  public let yCount: Int

  /// The values, x axis first.
  public let values: [Double]

  /// A field from its values.
  ///
  /// - Precondition: there are `xCount * yCount` values, at least one.
  public init(values: [Double], xCount: Int, yCount: Int) {
    precondition(
      xCount > 0 && yCount > 0 && values.count == xCount * yCount,
      "\(values.count) values on a grid of \(xCount) x \(yCount)")
    self.values = values
    self.xCount = xCount
    self.yCount = yCount
  }

  /// The smallest and largest finite value; 0...1 when there is none, and never an empty span.
  public var range: ClosedRange<Double> { Self.range(of: values) }

  /// The range that is symmetric about zero and holds every finite value, for a diverging colour map.
  public var symmetricRange: ClosedRange<Double> {
    let range = range
    let bound = max(abs(range.lowerBound), abs(range.upperBound))
    return -bound...bound
  }

  /// The smallest and largest of the finite values, widened when they are all equal.
  public static func range(of values: [Double]) -> ClosedRange<Double> {
    var low = Double.infinity
    var high = -Double.infinity
    for value in values where value.isFinite {
      low = min(low, value)
      high = max(high, value)
    }
    guard low <= high else { return 0...1 }
    guard low < high else {
      let margin = max(abs(low) * 0.05, 1e-12)
      return low - margin...high + margin
    }
    return low...high
  }

  /// The field as an image, every grid point a block of `scale` x `scale` pixels.
  ///
  /// Values outside `range` get the colour of its nearer end; values that are not finite are transparent.
  public func image(colorMap: ColorMap, range: ClosedRange<Double>, scale: Int = 1) -> PNGImage {
    let span = max(range.upperBound - range.lowerBound, .leastNormalMagnitude)
    var bytes = [UInt8](repeating: 0, count: 4 * xCount * yCount)
    for row in 0..<yCount {
      for column in 0..<xCount {
        let value = values[column * yCount + (yCount - 1 - row)]
        guard value.isFinite else { continue }
        let color = colorMap.color(at: (value - range.lowerBound) / span)
        let start = 4 * (row * xCount + column)
        bytes[start] = color.red
        bytes[start + 1] = color.green
        bytes[start + 2] = color.blue
        bytes[start + 3] = 255
      }
    }
    return PNGImage(width: xCount, height: yCount, bytes: bytes).scaled(by: scale)
  }
}

/// The scale beside a coloured field: which colour stands for which value.
public struct ColorBar: Sendable {
  /// The colours.
  public var colorMap: ColorMap

  /// The values at the lower and the upper end.
  public var range: ClosedRange<Double>

  /// What the values are, with their unit.
  public var label: String

  /// A colour bar.
  public init(colorMap: ColorMap, range: ClosedRange<Double>, label: String = "") {
    self.colorMap = colorMap
    self.range = range
    self.label = label
  }

  /// The bar as an image of one row, the highest value on the right.
  public var image: PNGImage {
    PNGImage(
      width: 256, height: 1, bytes: colorMap.colors.flatMap { [$0.red, $0.green, $0.blue, 255] })
  }

  /// The height that the ticks and the label take under the bar.
  var captionHeight: Double { label.isEmpty ? 18 : 31 }

  /// Draws the bar over `area`, with its ticks and label under it.
  public func draw(over area: Rectangle, on drawing: inout Drawing) {
    drawing.image(image, over: area)
    drawing.rectangle(area, fill: nil, stroke: .init(.muted, width: 0.75))
    let ticks = ticks(fitting: area.width)
    let span = max(range.upperBound - range.lowerBound, .leastNormalMagnitude)
    for (value, label) in zip(ticks.values, ticks.labels) {
      let x = area.x + area.width * (value - range.lowerBound) / span
      drawing.line(
        [Point(x, area.y + area.height), Point(x, area.y + area.height + 3)],
        stroke: .init(.muted, width: 0.75))
      drawing.text(
        label, at: Point(x, area.y + area.height + 14), size: 10, anchor: .middle, paint: .muted)
    }
    drawing.text(
      label, at: Point(area.x + area.width / 2, area.y + area.height + 28), size: 10.5, anchor: .middle)
  }

  /// As many ticks as have room for their labels, four steps or fewer.
  func ticks(fitting width: Double) -> Ticks {
    let candidates = (1...4).reversed().map { Ticks(for: range, count: $0) }
    let scale = width / max(range.upperBound - range.lowerBound, .leastNormalMagnitude)
    return candidates.first { ticks in
      let widths = ticks.labels.map { textWidth($0, size: 10) }
      return ticks.values.indices.dropFirst().allSatisfy { index in
        let distance = scale * (ticks.values[index] - ticks.values[index - 1])
        return distance >= (widths[index - 1] + widths[index]) / 2 + 8
      }
    } ?? candidates[candidates.count - 1]
  }
}
