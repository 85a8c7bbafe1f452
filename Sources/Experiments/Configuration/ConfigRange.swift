/// The values that a key may have, with the words that say so in a message.
public struct ConfigRange<Value: Sendable>: Sendable {
  /// Completes the sentence "it must be …".
  public let words: String
  let contains: @Sendable (Value) -> Bool

  /// A range of the values that fulfil a condition.
  ///
  /// - Parameter words: completes the sentence "it must be …".
  public init(_ words: String, contains: @escaping @Sendable (Value) -> Bool) {
    self.words = words
    self.contains = contains
  }
}

extension ConfigRange where Value: Comparable & Numeric {
  /// Any value.
  public static var any: ConfigRange { ConfigRange("any number") { _ in true } }

  /// Greater than zero.
  public static var positive: ConfigRange { ConfigRange("greater than 0") { $0 > 0 } }

  /// Zero or greater.
  public static var nonNegative: ConfigRange { ConfigRange("0 or greater") { $0 >= 0 } }

  /// The bound or greater.
  public static func atLeast(_ bound: Value) -> ConfigRange {
    ConfigRange("at least \(text(bound))") { $0 >= bound }
  }

  /// Both bounds and what lies between.
  public static func between(_ lower: Value, _ upper: Value) -> ConfigRange {
    ConfigRange("between \(text(lower)) and \(text(upper))") { $0 >= lower && $0 <= upper }
  }

  /// Greater than the lower bound, up to the upper one.
  public static func above(_ lower: Value, upTo upper: Value) -> ConfigRange {
    ConfigRange("greater than \(text(lower)) and at most \(text(upper))") { $0 > lower && $0 <= upper }
  }
}

extension ConfigRange<Int> {
  /// Even numbers from the bound on.
  public static func even(atLeast bound: Int) -> ConfigRange {
    ConfigRange("even and at least \(bound)") { $0 >= bound && $0.isMultiple(of: 2) }
  }
}

/// A bound as people write it: a whole number without a point.
private func text(_ bound: some Any) -> String {
  let text = "\(bound)"
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}
