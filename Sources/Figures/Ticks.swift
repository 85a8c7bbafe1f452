/// How an axis maps values to positions.
public enum AxisScale: Sendable, Equatable {
  /// Equal differences are equally long.
  case linear
  /// Equal ratios are equally long; values must be positive.
  case logarithmic
}

/// The labelled positions of an axis.
public struct Ticks: Sendable, Equatable {
  /// The values to mark, ascending, all inside the range.
  public let values: [Double]

  /// The text at each value.
  public let labels: [String]

  /// Round values inside `range`: multiples of 1, 2 or 5 times a power of ten, or powers of ten.
  ///
  /// A linear axis gets about `count` of them. A logarithmic one gets its decades, thinned to about
  /// `count`, and the multiples 2 and 5 as well where it spans fewer than two and a half decades.
  /// - Precondition: the range is finite, and positive on a logarithmic scale.
  public init(for range: ClosedRange<Double>, scale: AxisScale = .linear, count: Int = 5) {
    precondition(range.lowerBound.isFinite && range.upperBound.isFinite, "axis over \(range)")
    precondition(scale == .linear || range.lowerBound > 0, "logarithmic axis over \(range)")
    // Over less than a factor of five, linear ticks read better on a logarithmic axis too.
    if scale == .linear || range.upperBound / range.lowerBound < 5 {
      (values, labels) = Self.linear(range, count: count)
    } else {
      values = Self.logarithmic(range, count: count)
      // Where one needs a power of ten, all but the shortest have one: 10⁻⁵, 10⁻⁴, not 10⁻⁵, 0.0001.
      let plain = NumberFormat.plainExponents
      let isPlain = values.allSatisfy { plain ~= Int(decimalLogarithm($0 * (1 + 1e-9)).rounded(.down)) }
      labels = values.map { NumberFormat.short($0, plainExponents: isPlain ? plain : -1...1) }
    }
  }

  private static func linear(_ range: ClosedRange<Double>, count: Int) -> ([Double], [String]) {
    let span = range.upperBound - range.lowerBound
    guard span > 0 else { return ([range.lowerBound], [NumberFormat.short(range.lowerBound)]) }
    let step = step(span: span, count: count)
    // The slack admits an end point that differs from a multiple by rounding alone.
    let first = (range.lowerBound / step - 1e-9).rounded(.up)
    let last = (range.upperBound / step + 1e-9).rounded(.down)
    guard first <= last else { return ([range.lowerBound], [NumberFormat.short(range.lowerBound)]) }
    let values = stride(from: first, through: last, by: 1).map { $0 * step }
    return (values, NumberFormat.fixed(values, step: step))
  }

  private static func logarithmic(_ range: ClosedRange<Double>, count: Int) -> [Double] {
    let low = decimalLogarithm(range.lowerBound)
    let high = decimalLogarithm(range.upperBound)
    let multiples: [Double] = high - low < 2.5 ? [1, 2, 5] : [1]
    let interval = max(1, Int(((high - low) / Double(max(1, count) + 1)).rounded(.up)))
    let bounds = range.lowerBound * (1 - 1e-9)...range.upperBound * (1 + 1e-9)
    let first = Int(low.rounded(.down))
    let last = Int(high.rounded(.up))
    var values: [Double] = []
    for decade in first...last where decade % interval == 0 {
      for multiple in multiples {
        let value = multiple * power(10, Double(decade))
        if bounds.contains(value) { values.append(value) }
      }
    }
    return values
  }

  /// The smallest of 1, 2, 5 times a power of ten that divides `span` into at most `count` steps or so.
  static func step(span: Double, count: Int) -> Double {
    let rough = span / Double(max(1, count))
    let magnitude = power(10, decimalLogarithm(rough).rounded(.down))
    let ratio = rough / magnitude
    return (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10) * magnitude
  }
}

/// Numbers as text for people: short, with a true minus sign and powers of ten instead of `e`.
public enum NumberFormat {
  /// The exponents of numbers that are written without a power of ten.
  public static let plainExponents = -4...5

  /// The value to a number of significant digits, such as `0.0123`, `−4.5`, `1.2×10⁻⁷`, `n/a` for NaN.
  public static func short(
    _ value: Double, significantDigits: Int = 3, plainExponents: ClosedRange<Int> = plainExponents
  ) -> String {
    guard value.isFinite else { return value.isNaN ? "n/a" : value < 0 ? "−∞" : "∞" }
    guard value != 0 else { return "0" }
    let digits = max(1, significantDigits)
    var exponent = Int(decimalLogarithm(abs(value)).rounded(.down))
    // Rounding may carry into the next decade: 9.996 to three digits is 10.0.
    var mantissa = (abs(value) / power(10, Double(exponent - digits + 1))).rounded()
    if mantissa >= power(10, Double(digits)) {
      exponent += 1
      mantissa /= 10
    }
    let sign = value < 0 ? "−" : ""
    if !plainExponents.contains(exponent) {
      let text = trimmed(decimal(mantissa, decimals: digits - 1))
      let power = "10" + superscript(exponent)
      return sign + (text == "1" ? power : "\(text)×\(power)")
    }
    let decimals = max(0, digits - 1 - exponent)
    return sign + trimmed(decimal((abs(value) * power(10, Double(decimals))).rounded(), decimals: decimals))
  }

  /// The values to the same number of decimals, enough to tell values `step` apart.
  static func fixed(_ values: [Double], step: Double) -> [String] {
    let largest = values.reduce(0) { max($0, abs($1)) }
    guard largest > 0 else { return values.map { _ in "0" } }
    let top = Int(decimalLogarithm(largest).rounded(.down))
    let bottom = Int((decimalLogarithm(step) + 1e-9).rounded(.down))
    guard top >= -3 && top < 6 && top - bottom < 8 else {
      return values.map { short($0, significantDigits: max(1, min(8, top - bottom + 1))) }
    }
    let decimals = max(0, -bottom)
    return values.map { value in
      let scaled = (abs(value) * power(10, Double(decimals))).rounded()
      return scaled == 0 ? "0" : (value < 0 ? "−" : "") + decimal(scaled, decimals: decimals)
    }
  }

  /// A duration in the units that people use: `3.2 s`, `4 min 10 s`, `2 h 5 min`.
  public static func duration(seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e15 else { return "n/a" }
    if seconds < 60 { return "\(short(seconds)) s" }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
  }

  /// A whole number with its digits in groups of three: `6 558 537` (narrow no-break spaces).
  public static func grouped(_ value: Int) -> String {
    let digits = Array(String(value.magnitude))
    guard digits.count > 4 else { return (value < 0 ? "−" : "") + String(digits) }
    var text = ""
    for (index, digit) in digits.enumerated() {
      if index > 0 && (digits.count - index) % 3 == 0 { text += "\u{202f}" }
      text.append(digit)
    }
    return (value < 0 ? "−" : "") + text
  }

  /// `scaled` divided by a power of ten, with exactly that many decimals.
  private static func decimal(_ scaled: Double, decimals: Int) -> String {
    guard scaled < 9e15 else { return String(scaled) }
    var digits = String(Int64(scaled))
    guard decimals > 0 else { return digits }
    while digits.count <= decimals { digits = "0" + digits }
    return digits.dropLast(decimals) + "." + digits.suffix(decimals)
  }

  private static func trimmed(_ text: String) -> String {
    guard text.contains(".") else { return text }
    var text = text
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }

  private static func superscript(_ exponent: Int) -> String {
    let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
    return (exponent < 0 ? "⁻" : "")
      + String(String(exponent.magnitude).compactMap { $0.wholeNumberValue }.map { digits[$0] })
  }
}
