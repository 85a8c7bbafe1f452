/// How numbers and truth values are written: the core schema of YAML 1.2.
///
/// `1e-3` is a number (YAML 1.1 wants a point), `no` and `on` are words, and there are no numbers to the
/// base of 60.
enum ConfigScalar {
  /// An integer: decimal digits with an optional sign, or `0x` and hexadecimal digits.
  static func integer(_ text: String) -> Int? {
    if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16) }
    // `Int` also accepts other scripts' digits in no version, but be explicit about what is a digit.
    guard text.utf8.allSatisfy({ (48...57).contains($0) || $0 == 43 || $0 == 45 }) else { return nil }
    return Int(text)
  }

  /// A number: an integer, or a decimal fraction with an optional exponent.
  static func number(_ text: String) -> Double? {
    if let integer = integer(text) { return Double(integer) }
    // Rules out what `Double` accepts beyond decimal notation: `nan`, `infinity`, hexadecimal floats.
    guard let first = text.utf8.first, (48...57).contains(first) || [43, 45, 46].contains(first),
      text.utf8.allSatisfy({ (48...57).contains($0) || [43, 45, 46, 69, 101].contains($0) })
    else { return nil }
    guard let value = Double(text), value.isFinite else { return nil }
    return value
  }

  /// `true` or `false`.
  static func truth(_ text: String) -> Bool? {
    switch text {
    case "true": true
    case "false": false
    default: nil
    }
  }

  /// Whether a plain scalar reads as something else than a text.
  static func isAmbiguous(_ text: String) -> Bool {
    number(text) != nil || truth(text) != nil || ["", "~", "null", "yes", "no", "on", "off"].contains(text)
  }

  /// The shortest text that reads as the same number, with a point so that YAML 1.1 reads a number too.
  static func text(_ value: Double) -> String {
    let text = "\(value)"
    guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
    return text[..<exponent] + ".0" + text[exponent...]
  }
}
