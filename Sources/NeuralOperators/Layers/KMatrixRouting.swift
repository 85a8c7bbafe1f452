/// The switches of a Beneš network that realises a permutation.
///
/// The network has a column of switches of stride n/2, two networks of half the size for the two halves,
/// and another column of stride n/2. Each switch passes its pair on or exchanges it.
struct BenesNetwork {
  /// Switch settings by block (0: decreasing strides, 1: increasing) and stride, one per pair.
  private var crossed: [[Int: [Bool]]]

  /// - Parameter sources: result[i] = input[sources[i]].
  init(_ sources: [Int]) {
    let size = sources.count
    precondition(size >= 2 && size & (size - 1) == 0, "a permutation of \(size) entries, not a power of two")
    precondition(sources.sorted() == Array(0..<size), "not a permutation: \(sources)")
    var strides: [Int: [Bool]] = [:]
    var stride = size / 2
    while stride > 0 {
      strides[stride] = Array(repeating: false, count: size / 2)
      stride /= 2
    }
    crossed = [strides, strides]
    route(sources, from: 0)
  }

  func isCrossed(block: Int, stride: Int, pair: Int) -> Bool { crossed[block][stride]?[pair] ?? false }

  /// Sets the switches of the part of the network that begins at a position.
  private mutating func route(_ sources: [Int], from start: Int) {
    let stride = sources.count / 2
    // The pairs of one stride are numbered by their first positions.
    let firstPair = start / 2
    guard stride > 1 else {
      if sources[0] == 1 { crossed[0][1]?[firstPair] = true }
      return
    }
    var target = [Int](repeating: 0, count: sources.count)
    for (index, source) in sources.enumerated() { target[source] = index }
    // Whether an entry travels through the lower half; the two of an input or output switch must differ.
    var isLower = [Bool?](repeating: nil, count: sources.count)
    for first in sources.indices where isLower[sources[first]] == nil {
      var output = first
      // An output that takes the upper half leaves the lower one to its partner, whose input leaves the upper
      // half to its own partner, and so on until the loop closes.
      while isLower[sources[output]] == nil {
        isLower[sources[output]] = false
        let partner = sources[output ^ stride]
        isLower[partner] = true
        output = target[partner ^ stride]
      }
    }
    var halves = [[Int]](repeating: Array(repeating: 0, count: stride), count: 2)
    for pair in 0..<stride {
      if isLower[pair] == true { crossed[0][stride]?[firstPair + pair] = true }
      if isLower[sources[pair]] == true { crossed[1][stride]?[firstPair + pair] = true }
    }
    for (index, source) in sources.enumerated() {
      halves[isLower[source] == true ? 1 : 0][index % stride] = source % stride
    }
    route(halves[0], from: start)
    route(halves[1], from: start + stride)
  }
}

/// A matrix as a sum of permutations with weights: y[i] = Σ_t weights_t[i] · x[sources_t[i]].
struct PermutationSum {
  struct Term {
    var sources: [Int]
    var weights: [Double]
  }

  private(set) var terms: [Term] = []

  /// The terms of a square matrix that is continued by zeros to `size`; as many as its fullest row or column
  /// has entries, and at least one.
  init(_ rows: [[Double]], size: Int) {
    precondition(rows.allSatisfy { $0.count == rows.count }, "the matrix is not square")
    // The bipartite graph of rows and columns, made regular by further edges of weight 0.
    var edges = rows.map { row in row.indices.filter { row[$0] != 0 } }
    edges += Array(repeating: [], count: size - rows.count)
    var columnCounts = [Int](repeating: 0, count: size)
    for column in edges.joined() { columnCounts[column] += 1 }
    let degree = max(1, edges.map(\.count).max() ?? 0, columnCounts.max() ?? 0)
    for row in 0..<size {
      for column in 0..<size {
        while edges[row].count < degree && columnCounts[column] < degree {
          edges[row].append(column)
          columnCounts[column] += 1
        }
      }
    }
    // A regular bipartite graph has a perfect matching (König), and without it is regular again.
    var remaining = rows
    for _ in 0..<degree {
      let sources = Self.perfectMatching(edges)
      var term = Term(sources: sources, weights: Array(repeating: 0, count: size))
      for (row, column) in sources.enumerated() {
        if let position = edges[row].firstIndex(of: column) { edges[row].remove(at: position) }
        if row < rows.count, column < rows.count {
          term.weights[row] = remaining[row][column]
          remaining[row][column] = 0
        }
      }
      terms.append(term)
    }
  }

  /// A column for every row, by augmenting paths.
  private static func perfectMatching(_ edges: [[Int]]) -> [Int] {
    var rowOf = [Int?](repeating: nil, count: edges.count)
    func assign(_ row: Int, _ seen: inout Set<Int>) -> Bool {
      for column in edges[row] where seen.insert(column).inserted {
        if rowOf[column].map({ assign($0, &seen) }) ?? true {
          rowOf[column] = row
          return true
        }
      }
      return false
    }
    var columns = [Int](repeating: 0, count: edges.count)
    for row in edges.indices {
      var seen: Set<Int> = []
      precondition(assign(row, &seen), "a regular graph without a perfect matching")
    }
    for (column, row) in rowOf.enumerated() { columns[row ?? 0] = column }
    return columns
  }
}
