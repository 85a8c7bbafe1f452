import Foundation

/// Numbers and counts in sentences.
enum Words {
  /// A number with a few significant digits.
  static func number(_ value: Double, digits: Int = 3) -> String { String(format: "%.\(digits)g", value) }

  /// As `3 of 200 samples are`, `1 of 200 samples is`.
  static func count(_ count: Int, of total: Int, _ noun: String) -> String {
    "\(count) of \(total) \(noun)\(total == 1 ? "" : "s") \(count == 1 ? "is" : "are")"
  }

  /// As `samples 3, 5, 8 and 12 more`.
  static func samples(_ samples: [Int], limit: Int = 8) -> String {
    let shown = samples.prefix(limit).map(String.init)
    let rest = samples.count - shown.count
    let noun = samples.count == 1 ? "sample" : "samples"
    if rest > 0 { return "\(noun) \(shown.joined(separator: ", ")) and \(rest) more" }
    return "\(noun) " + list(shown)
  }

  /// As `a, b and c`.
  static func list(_ words: [String]) -> String {
    words.count < 2
      ? words.joined() : words.dropLast().joined(separator: ", ") + " and " + words[words.count - 1]
  }
}
