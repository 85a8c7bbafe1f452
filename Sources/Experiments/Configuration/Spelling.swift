/// What a user may have meant by a word that is not known.
package enum Spelling {
  /// The number of insertions, deletions, replacements and swaps of neighbours between two words.
  ///
  /// The optimal string alignment distance.
  package static func distance(_ a: String, _ b: String) -> Int {
    let a = Array(a.utf8)
    let b = Array(b.utf8)
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 1...a.count {
      var current = [i] + [Int](repeating: 0, count: b.count)
      for j in 1...b.count {
        let replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
        current[j] = min(last[j] + 1, current[j - 1] + 1, replaced)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          current[j] = min(current[j], beforeLast[j - 2] + 1)
        }
      }
      beforeLast = last
      last = current
    }
    return last[b.count]
  }

  /// Whether one word may be a misspelling of the other: about a third of its letters differ.
  static func areNear(_ a: String, _ b: String) -> Bool {
    distance(a, b) <= (max(a.utf8.count, b.utf8.count) + 1) / 3
  }

  /// The candidate closest to a dotted path; one with the same last name in another section is close too.
  static func nearest(to path: String, among candidates: [String]) -> String? {
    func name(_ path: String) -> Substring {
      path[(path.lastIndex(of: ".").map(path.index(after:)) ?? path.startIndex)...]
    }
    func score(_ candidate: String) -> Int {
      name(candidate) == name(path) ? min(1, distance(path, candidate)) : distance(path, candidate)
    }
    return candidates.filter { areNear($0, path) || areNear(String(name($0)), String(name(path))) }
      .min { score($0) < score($1) }
  }
}
