import Foundation

/// Tables and numbers as text.
enum Text {
  /// Rows of a name and a value, the values aligned.
  static func table(_ rows: [(String, String)]) -> String {
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { name, value in
      name + String(repeating: " ", count: width - name.count + 2) + value
    }.joined(separator: "\n")
  }

  /// A table with a heading; columns are as wide as their widest entry.
  static func table(heading: [String], rows: [[String]]) -> String {
    let all = [heading] + rows
    let widths = heading.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      zip(row, widths).map { entry, width in
        entry.padding(toLength: width, withPad: " ", startingAt: 0)
      }.joined(separator: "  ").trimmingTrailingSpaces
    }.joined(separator: "\n")
  }

  /// Eight hexadecimal digits.
  static func hexadecimal(_ value: UInt32) -> String { String(format: "%08x", value) }

  /// A shape as `[100, 64, 64]`.
  static func shape(_ shape: some Collection<Int>) -> String {
    "[\(shape.map(String.init).joined(separator: ", "))]"
  }

  /// A size in memory, as `1.5 GiB`.
  static func bytes(_ count: Int) -> String {
    let (value, unit) = count < 1 << 30 ? (Double(count) / 0x1p20, "MiB") : (Double(count) / 0x1p30, "GiB")
    return "\(number(value, digits: 3)) \(unit)"
  }

  /// A number with a few significant digits.
  static func number(_ value: Double, digits: Int = 4) -> String { String(format: "%.\(digits)g", value) }
}

extension String {
  /// The text without spaces at its end.
  var trimmingTrailingSpaces: String {
    var text = self[...]
    while text.last == " " { text = text.dropLast() }
    return String(text)
  }
}
