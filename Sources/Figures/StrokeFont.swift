/// The letters of figures written as PNG: straight strokes on a coarse grid, so that no font file is needed.
///
/// A glyph is a list of polylines; each point is two digits, x from 0 to 6 and y from 0 (two units under
/// the baseline) over 2 (the baseline) to 6 (the height of x) and 8 (the height of H). Accents and scripts
/// beyond what figures of this project need are drawn as an empty box.
enum StrokeFont {
  /// How wide a text is.
  static func width(of text: String, size: Double) -> Double {
    text.reduce(0) { $0 + advance($1) } * size / 9.4
  }

  /// The strokes of a text that starts at the origin of the baseline; y downwards.
  static func lines(of text: String, size: Double) -> [[Point]] {
    let unit = size / 9.4
    var lines: [[Point]] = []
    var x = 0.0
    for character in text {
      let (strokes, factor, raise) = glyph(character)
      for stroke in strokes {
        lines.append(
          stroke.map { point in
            Point((x + point.x * factor + 0.7) * unit, -((point.y - 2) * factor + raise) * unit)
          })
      }
      x += advance(character)
    }
    return lines
  }

  private static func advance(_ character: Character) -> Double {
    let (strokes, factor, _) = glyph(character)
    guard let right = strokes.joined().map(\.x).max() else { return 3 }
    return right * factor + 1.9
  }

  private static func glyph(_ character: Character) -> ([[Point]], factor: Double, raise: Double) {
    if let position = superscripts.firstIndex(of: character) {
      return (decoded[superscriptBases[position]] ?? [], 0.62, 3.2)
    }
    if let position = subscripts.firstIndex(of: character) {
      return (decoded[subscriptBases[position]] ?? [], 0.62, -1)
    }
    return (decoded[character] ?? decoded["□"] ?? [], 1, 0)
  }

  private static let superscripts = Array("⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
  private static let superscriptBases = Array("0123456789−")
  private static let subscripts = Array("₀₁₂₃₄₅₆₇₈₉")
  private static let subscriptBases = Array("0123456789")

  private static let decoded: [Character: [[Point]]] = glyphs.mapValues { text in
    text.split(separator: " ").map { stroke in
      let digits = stroke.compactMap { $0.wholeNumberValue }.map(Double.init)
      return stride(from: 0, to: digits.count - 1, by: 2).map { Point(digits[$0], digits[$0 + 1]) }
    }
  }

  private static let glyphs: [Character: String] = [
    " ": "", "\u{202f}": "", "\u{a0}": "", "□": "0204840200", "\u{2009}": "",
    "0": "12030718384743321232", "1": "0618122232", "2": "07183847460242", "3": "071838474635253544433212030",
    "4": "3238044454", "5": "4808052545443332120", "6": "38180703123243443505", "7": "084812",
    "8": "15060718384746351504031232434435", "9": "12324347381807061545",
    "A": "022842 1434", "B": "020838474635053544433202", "C": "47381807031232434", "D": "020828474333220",
    "E": "48080242 0535", "F": "480802 0535", "G": "47381807031232434525", "H": "0208 4248 0545", "I": "0208",
    "J": "383322120304", "K": "0208 4805 1642", "L": "080242", "M": "0208255852", "N": "02084248",
    "O": "183847433212030718", "P": "0208384746350505", "Q": "183847433212030718 2442",
    "R": "02083847463505 2542",
    "S": "4738180706153544433212030", "T": "0848 2822", "U": "08031232434 48", "V": "082248",
    "W": "0812253248",
    "X": "0248 0842", "Y": "082548 2522", "Z": "08480242",
    "a": "063645424203324 45150412324", "b": "0802 05163645433212030", "c": "4536160503123243",
    "d": "4842 4536160503123243", "e": "04444536160503123243", "f": "38281712 0636",
    "g": "4641302010 4536160503123243",
    "h": "0802 051636454 4542", "i": "0206 0708", "j": "262110 2728", "k": "0802 3604 1532", "l": "0802",
    "m": "0206 0516253532 3546566562", "n": "0206 05163645424", "o": "163645433212030516",
    "p": "0600 0516364543321203", "q": "4640 4536160503123243", "r": "0206 051636",
    "s": "4536160514343312030",
    "t": "18132232 0626", "u": "06031232434 4642", "v": "062246", "w": "0612254 2542", "x": "0246 0642",
    "y": "0622 4610", "z": "06460242",
    ".": "0203", ",": "1302", ":": "0203 0506", ";": "", "'": "0807", "\"": "0807 2827", "!": "0804 0203",
    "?": "07183847462524 2322", "-": "0535", "–": "0545", "—": "0555", "−": "0545", "+": "0545 2327",
    "=": "0444 0646",
    "×": "0347 0743", "/": "0248", "\\": "0842", "|": "0109", "(": "28160422", ")": "08261402",
    "[": "280802 0222",
    "]": "0828220", "<": "460543", ">": "064503", "_": "0141", "*": "0444 1235 3215",
    "%": "0248 0708181707 3233434232",
    "&": "42061728270304123244", "#": "1218 3238 0444 0646", "^": "062846", "~": "05163546", "·": "1415",
    "…": "0203 2223 4243",
    "°": "0708181707", "‖": "0109 2129", "½": "0618 1814 0248 3444", "²": "071827260424",
    "∞": "051625435445351605",
    "Φ": "1727364534243414051627 2822", "φ": "1727", "ν": "062246", "σ": "4616050312324345365",
    "τ": "0646 2622",
    "χ": "0046 0640", "π": "0646 1612 3632", "α": "4616050312324346", "λ": "0818424 0224",
    "ρ": "0005163645433212",
    "Δ": "02284202", "∇": "08482208", "Ω": "0212040618384644324", "∂": "28374443321203041535",
  ]
}
