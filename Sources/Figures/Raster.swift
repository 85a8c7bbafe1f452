extension Drawing {
  /// The drawing as pixels, with the colours of white paper, `scale` pixels to a CSS pixel.
  ///
  /// Edges are smoothed by sixteen samples per pixel. Text is drawn with the strokes of ``StrokeFont``.
  public func image(scale: Int = 2) -> PNGImage {
    precondition(scale > 0, "scale \(scale)")
    var canvas = Canvas(
      width: max(1, Int((width * Double(scale)).rounded(.up))),
      height: max(1, Int((height * Double(scale)).rounded(.up))), scale: Double(scale))
    for element in elements { canvas.draw(element) }
    return PNGImage(width: canvas.width, height: canvas.height, bytes: canvas.bytes)
  }
}

/// Pixels that shapes are painted on.
private struct Canvas {
  let width, height: Int
  let scale: Double
  var bytes: [UInt8]
  /// The pixels that may be painted, [x0, x1) × [y0, y1).
  var bounds: (x0: Int, y0: Int, x1: Int, y1: Int)

  init(width: Int, height: Int, scale: Double) {
    self.width = width
    self.height = height
    self.scale = scale
    bytes = [UInt8](repeating: 255, count: 4 * width * height)
    bounds = (0, 0, width, height)
  }

  mutating func draw(_ element: Drawing.Element) {
    switch element {
    case .path(let points, let closed, let fill, let stroke):
      let points = points.map { Point($0.x * scale, $0.y * scale) }
      if closed, let fill { paint([points], Theme.paperColor(fill.paint), fill.opacity) }
      if let stroke { draw(stroke, along: closed ? points + points.prefix(1) : points) }
    case .circle(let center, let radius, let fill, let stroke):
      let count = max(12, Int(radius * scale * 3))
      let ring = (0..<count).map { index in
        let (cosine, sine) = direction(Double(index) / Double(count))
        return Point((center.x + radius * cosine) * scale, (center.y + radius * sine) * scale)
      }
      if let fill { paint([ring], Theme.paperColor(fill.paint), fill.opacity) }
      if let stroke { draw(stroke, along: ring + ring.prefix(1)) }
    case .text(let text, let point, let size, let anchor, let paint, let bold, let upright):
      let length = StrokeFont.width(of: text, size: size)
      let offset = anchor == .start ? 0 : anchor == .middle ? -length / 2 : -length
      let stroke = Drawing.Stroke(paint, width: size * (bold ? 0.135 : 0.09))
      for line in StrokeFont.lines(of: text, size: size) {
        draw(
          stroke,
          along: line.map { place in
            upright
              ? Point((point.x + place.y) * scale, (point.y - offset - place.x) * scale)
              : Point((point.x + offset + place.x) * scale, (point.y + place.y) * scale)
          })
      }
    case .image(let image, let area): draw(image, over: area)
    case .clipped(let area, let elements):
      let outer = bounds
      bounds = (
        max(outer.x0, Int((area.x * scale).rounded())), max(outer.y0, Int((area.y * scale).rounded())),
        min(outer.x1, Int(((area.x + area.width) * scale).rounded())),
        min(outer.y1, Int(((area.y + area.height) * scale).rounded()))
      )
      for element in elements { draw(element) }
      bounds = outer
    }
  }

  /// Paints a line as the union of its segments, each a rectangle with an octagon at its joints.
  private mutating func draw(_ stroke: Drawing.Stroke, along points: [Point]) {
    let half = max(0.5, stroke.width * scale / 2)
    var polygons: [[Point]] = []
    for run in dashed(points, stroke.dashes.map { $0 * scale }) {
      for (from, to) in zip(run, run.dropFirst()) {
        let (dx, dy) = (to.x - from.x, to.y - from.y)
        let length = (dx * dx + dy * dy).squareRoot()
        guard length > 0 else { continue }
        let (nx, ny) = (-dy / length * half, dx / length * half)
        polygons.append([
          Point(from.x + nx, from.y + ny), Point(to.x + nx, to.y + ny), Point(to.x - nx, to.y - ny),
          Point(from.x - nx, from.y - ny),
        ])
      }
      // Hairlines of one segment, axes and grid lines, end square; all else has round ends and joints.
      guard stroke.width > 1 || run.count > 2 else { continue }
      for point in run {
        polygons.append(
          (0..<8).map { corner in
            let (cosine, sine) = direction((Double(corner) + 0.5) / 8)
            return Point(point.x + half * cosine, point.y + half * sine)
          })
      }
    }
    paint(polygons, Theme.paperColor(stroke.paint), stroke.opacity)
  }

  /// The parts of a line that its dashes cover.
  private func dashed(_ points: [Point], _ pattern: [Double]) -> [[Point]] {
    guard let first = points.first, pattern.count > 1, pattern.allSatisfy({ $0 > 0 }) else { return [points] }
    var runs: [[Point]] = [[first]]
    var (index, left) = (0, pattern[0])
    for (from, to) in zip(points, points.dropFirst()) {
      let length = ((to.x - from.x) * (to.x - from.x) + (to.y - from.y) * (to.y - from.y)).squareRoot()
      var done = 0.0
      while length - done > left {
        done += left
        let fraction = done / length
        let point = Point(from.x + fraction * (to.x - from.x), from.y + fraction * (to.y - from.y))
        if index % 2 == 0 { runs[runs.count - 1].append(point) } else { runs.append([point]) }
        index = (index + 1) % pattern.count
        left = pattern[index]
      }
      left -= length - done
      if index % 2 == 0 { runs[runs.count - 1].append(to) }
    }
    return runs.filter { $0.count > 1 }
  }

  /// Paints the union of polygons: 4 lines of samples per pixel, 4 samples on each.
  private mutating func paint(_ polygons: [[Point]], _ color: RGB, _ opacity: Double) {
    let points = polygons.joined()
    guard let top = points.map(\.y).min(), let bottom = points.map(\.y).max() else { return }
    let rows =
      max(bounds.y0, Int(top.rounded(.down)))..<max(bounds.y0, min(bounds.y1, Int(bottom.rounded(.up))))
    guard !rows.isEmpty, bounds.x0 < bounds.x1 else { return }
    // Each polygon is looked at only on the rows that it touches.
    var byRow = [[Int]](repeating: [], count: rows.count)
    for (index, polygon) in polygons.enumerated() {
      guard let low = polygon.map(\.y).min(), let high = polygon.map(\.y).max() else { continue }
      let first = max(rows.lowerBound, Int(low.rounded(.down)))
      let last = min(rows.upperBound, Int(high.rounded(.up)))
      if first < last { for row in first..<last { byRow[row - rows.lowerBound].append(index) } }
    }
    var covered = [UInt16](repeating: 0, count: width)
    var crossings: [Double] = []
    for row in rows {
      var (left, right) = (bounds.x1, bounds.x0)
      for line in 0..<4 {
        let y = Double(row) + (Double(line) + 0.5) / 4
        for index in byRow[row - rows.lowerBound] {
          Self.findCrossings(of: polygons[index], at: y, &crossings)
          // Inside from an odd crossing to the next one.
          for inside in stride(from: 0, to: crossings.count - 1, by: 2) {
            let first = max(bounds.x0 * 4, Int((crossings[inside] * 4 + 0.5).rounded(.down)))
            let last = min(bounds.x1 * 4, Int((crossings[inside + 1] * 4 + 0.5).rounded(.down))) - 1
            guard first <= last else { continue }
            left = min(left, first / 4)
            right = max(right, last / 4 + 1)
            for column in first / 4...last / 4 {
              // The samples of the pixel on this line, less those before the first and behind the last one.
              var samples: UInt16 = 0b1111
              if column == first / 4 { samples &= 0b1111 << UInt16(first % 4) }
              if column == last / 4 { samples &= 0b1111 >> UInt16(3 - last % 4) }
              covered[column] |= samples << UInt16(line * 4)
            }
          }
        }
      }
      guard left < right else { continue }
      for column in left..<right where covered[column] != 0 {
        blend(color, Double(covered[column].nonzeroBitCount) / 16 * opacity, column, row)
        covered[column] = 0
      }
    }
  }

  /// Where a horizontal line meets the edges of a polygon, from the left.
  private static func findCrossings(of polygon: [Point], at y: Double, _ crossings: inout [Double]) {
    crossings.removeAll(keepingCapacity: true)
    var from = polygon[polygon.count - 1]
    for to in polygon {
      if (from.y <= y) != (to.y <= y) {
        crossings.append(from.x + (y - from.y) / (to.y - from.y) * (to.x - from.x))
      }
      from = to
    }
    // Lines are painted as convex polygons, of which two edges are met at most.
    if crossings.count != 2 {
      crossings.sort()
    } else if crossings[0] > crossings[1] {
      crossings.swapAt(0, 1)
    }
  }

  private mutating func draw(_ image: PNGImage, over area: Rectangle) {
    let (x0, y0) = (Int((area.x * scale).rounded()), Int((area.y * scale).rounded()))
    let x1 = max(x0 + 1, Int(((area.x + area.width) * scale).rounded()))
    let y1 = max(y0 + 1, Int(((area.y + area.height) * scale).rounded()))
    for row in max(bounds.y0, y0)..<max(bounds.y0, y0, min(bounds.y1, y1)) {
      for column in max(bounds.x0, x0)..<max(bounds.x0, x0, min(bounds.x1, x1)) {
        let source = ((row - y0) * image.height / (y1 - y0), (column - x0) * image.width / (x1 - x0))
        let alpha = image.bytes[4 * (source.0 * image.width + source.1) + 3]
        blend(image[source.1, source.0], Double(alpha) / 255, column, row)
      }
    }
  }

  private mutating func blend(_ color: RGB, _ opacity: Double, _ column: Int, _ row: Int) {
    let start = 4 * (row * width + column)
    for (offset, component) in [color.red, color.green, color.blue].enumerated() {
      let old = Double(bytes[start + offset])
      bytes[start + offset] = UInt8((old + (Double(component) - old) * opacity).rounded())
    }
  }
}
