import Datasets
import Foundation
import Tensors

/// What tells one input from another: a hash of its numbers, and a few numbers that nearly equal inputs share.
struct Signature: Sendable {
  let sample: Int
  /// Of the numbers in single precision.
  let hash: UInt64
  /// The root mean square.
  let norm: Double
  /// The parts along a few smooth fields of unit norm, divided by the norm.
  let parts: [Double]

  /// Inputs whose relative distance is smaller are called nearly equal: far above rounding to 16 bits (5 · 10⁻⁴),
  /// far below the distance of independent draws.
  static let tolerance = 1e-3

  /// Looks at an input of one or two axes or more.
  init(_ sample: Int, _ values: UnsafeBufferPointer<Double>, _ probes: [[Double]]) {
    self.sample = sample
    // FNV-1a over 32-bit words: a change of one bit changes it, and equal hashes are looked at again.
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for value in values { hash = (hash ^ UInt64(Float(value).bitPattern)) &* 0x100_0000_01B3 }
    self.hash = hash
    let norm = Frame.norm(values)
    self.norm = norm
    let scale = norm > 0 ? 1 / (norm * Double(values.count)) : 0
    parts = probes.map { probe in
      scale * probe.withUnsafeBufferPointer { Double.dot(values.count, values.baseAddress!, $0.baseAddress!) }
    }
  }

  /// Smooth fields of root mean square 1: products of a slow wave along every axis, sampled at the points.
  ///
  /// Most fields have much of their norm in such waves, so that different samples have different parts. The
  /// phases are arbitrary: no symmetry of the domain makes a part vanish.
  static func probes(grid: [Int]) -> [[Double]] {
    let waves = [(1.0, 0.3), (2.0, 1.1), (1.0, 1.9), (3.0, 0.7)]
    return waves.indices.map { index in
      let count = grid.reduce(1, *)
      var probe = (0..<count).map { position -> Double in
        let point = Frame.point(position, grid: grid)
        return point.indices.reduce(1.0) { product, axis in
          let (number, phase) = waves[(index + axis) % waves.count]
          return product * cos(2 * .pi * number * (Double(point[axis]) + 0.5) / Double(grid[axis]) + phase)
        }
      }
      let norm = (probe.reduce(0) { $0 + $1 * $1 } / Double(count)).squareRoot()
      for position in probe.indices { probe[position] /= norm }
      return probe
    }
  }
}

/// Inputs that occur more than once in a file, or in two files.
struct DuplicateSearch {
  /// A pair of equal or nearly equal inputs.
  struct Match: Sendable, Equatable {
    /// The earlier one.
    var first: Int
    /// The later one, or that of the other file.
    var second: Int
    /// Their relative distance; zero if every number is the same.
    var distance: Double
  }

  /// The file and the field that is the input, thinned out to the points that both files have.
  let dataset: any ReadableDataset
  let field: String
  let stride: Int

  /// The signatures of all inputs whose numbers are finite and can be read.
  func signatures(progress: (Int) throws -> Void) throws -> [Signature] {
    let grid = dataset.description.grid.map { ($0 + stride - 1) / stride }
    let size = grid.reduce(1, *)
    let probes = Signature.probes(grid: grid)
    guard let description = dataset.description.fields.first(where: { $0.name == field }) else { return [] }
    var signatures: [Signature] = []
    for run in dataset.sampleRuns(of: .init(name: description.name, isTimeVarying: false)) {
      try progress(run.lowerBound)
      guard let values = try? inputs(run) else { continue }
      let some = values.withUnsafeBuffer { values in
        parallelMap(run.count) { index -> Signature? in
          let part = UnsafeBufferPointer(rebasing: values[index * size..<(index + 1) * size])
          return part.allSatisfy(\.isFinite)
            ? Signature(run.lowerBound + index, part, probes) : nil
        }
      }
      signatures += some.compactMap { $0 }
    }
    return signatures
  }

  private func inputs(_ samples: Range<Int>) throws -> Tensor<Double> {
    try dataset.readDouble(field: field, samples: samples, frames: [0], stride: stride, requiresFinite: false)
  }

  /// The inputs of `signatures` that are among `known` already, or, without it, among those before them.
  ///
  /// Exactly equal ones by their hash. Nearly equal ones lie in the same or neighbouring cells of a lattice of
  /// logarithms of norms and of parts, so that each is compared with few; what is found is read and compared.
  /// The work grows with the number of samples, not with its square, unless most of them are nearly equal.
  func matches(
    _ signatures: [Signature], in known: (signatures: [Signature], search: DuplicateSearch)? = nil
  ) -> [Match] {
    var hashes: [UInt64: Int] = [:]
    var cells: [Cell: [Signature]] = [:]
    var matches: [Match] = []
    func remember(_ signature: Signature) {
      if hashes[signature.hash] == nil { hashes[signature.hash] = signature.sample }
      if signature.norm > 0 { cells[Cell(signature), default: []].append(signature) }
    }
    for signature in known?.signatures ?? [] { remember(signature) }
    let other = known?.search ?? self
    for signature in signatures {
      if let first = hashes[signature.hash] {
        matches.append(Match(first: first, second: signature.sample, distance: 0))
        continue
      }
      var nearest: Match?
      if signature.norm > 0 {
        for cell in Cell(signature).neighbours {
          for candidate in cells[cell] ?? [] where Self.mayBeNear(candidate, signature) {
            let distance = relativeDistance(candidate.sample, of: other, signature.sample)
            if distance <= Signature.tolerance, distance < nearest?.distance ?? .infinity {
              nearest = Match(first: candidate.sample, second: signature.sample, distance: distance)
            }
          }
        }
      }
      if let nearest {
        matches.append(nearest)
      } else if known == nil {
        remember(signature)
      }
    }
    return matches
  }

  /// A cell of the lattice: half as fine as the tolerance, so that near inputs are at most one cell apart.
  private struct Cell: Hashable {
    var indices: SIMD4<Int64>

    init(_ signature: Signature) {
      // Dividing by slightly different norms moves a part by at most twice the tolerance.
      let width = 2 * Signature.tolerance
      indices = SIMD4(
        Int64((log(signature.norm) / width).rounded(.down)),
        Int64((signature.parts[0] / width).rounded(.down)),
        Int64((signature.parts[1] / width).rounded(.down)),
        Int64((signature.parts[2] / width).rounded(.down)))
    }

    var neighbours: [Cell] {
      var result: [Cell] = []
      for offset in 0..<81 {
        var cell = self
        cell.indices &+= SIMD4(
          Int64(offset % 3 - 1), Int64(offset / 3 % 3 - 1), Int64(offset / 9 % 3 - 1),
          Int64(offset / 27 - 1))
        result.append(cell)
      }
      return result
    }
  }

  private static func mayBeNear(_ a: Signature, _ b: Signature) -> Bool {
    abs(a.norm - b.norm) <= 2 * Signature.tolerance * b.norm
      && zip(a.parts, b.parts).allSatisfy { abs($0 - $1) <= 2 * Signature.tolerance }
  }

  private func relativeDistance(_ first: Int, of other: DuplicateSearch, _ second: Int) -> Double {
    guard let a = try? other.inputs(first..<first + 1), let b = try? inputs(second..<second + 1),
      a.count == b.count
    else { return .infinity }
    return withPointers(a, b) { a, b in
      let count = self.size
      return
        (Double.squaredDistance(count, a, b)
        / max(Double.dot(count, b, b), .leastNormalMagnitude)).squareRoot()
    }
  }

  private var size: Int { dataset.description.grid.map { ($0 + stride - 1) / stride }.reduce(1, *) }
}

/// The values of `transform` for every index, computed on all threads.
func parallelMap<Value: Sendable>(_ count: Int, _ transform: (Int) -> Value) -> [Value] {
  let values = [Value?](unsafeUninitializedCapacity: count) { buffer, initialized in
    nonisolated(unsafe) let target = buffer
    parallelForEach(count) { index, _ in
      (target.baseAddress! + index).initialize(to: transform(index))
    }
    initialized = count
  }
  return values.map { $0! }
}

extension CheckResult {
  /// The check `duplicates` of one file.
  static func duplicates(_ matches: [DuplicateSearch.Match], of count: Int) -> CheckResult {
    repeated(
      .duplicates, matches, of: count, passing: "no input occurs twice",
      reason: "relative distance of two inputs; below 0.001 they count as the same"
    ) { match in
      Finding(
        "its input is that of sample \(match.first)\(nearly(match))", at: Place(sample: match.second),
        advice: "leave one of them out")
    }
  }

  /// The check `leakage` between two files.
  static func leakage(
    _ matches: [DuplicateSearch.Match], of count: Int, from path: String, to other: String
  ) -> CheckResult {
    repeated(
      .leakage, matches, of: count, passing: "no input of \(other) occurs in \(path)",
      reason: "relative distance of an input of one file and one of the other; below 0.001 they are the same"
    ) { match in
      Finding(
        "sample \(match.second) of \(other) has its input\(nearly(match))", at: Place(sample: match.first),
        advice: "take it out of one of the files: an error on it says nothing about new inputs")
    }
  }

  private static func nearly(_ match: DuplicateSearch.Match) -> String {
    match.distance == 0 ? "" : " nearly (distance \(Words.number(match.distance, digits: 2)))"
  }

  private static func repeated(
    _ check: CheckName, _ matches: [DuplicateSearch.Match], of count: Int, passing sentence: String,
    reason: String, finding: (DuplicateSearch.Match) -> Finding
  ) -> CheckResult {
    guard let first = matches.first else {
      return CheckResult(check, .pass, reason: reason, samples: count, message: sentence)
    }
    let findings = matches.prefix(findingLimit).map(finding)
    let words =
      matches.count == 1
      ? "\(findings[0].place?.text ?? ""): \(findings[0].text)"
      : "\(matches.count) of \(count) inputs occur \(check == .duplicates ? "before" : "in both files")"
    return CheckResult(
      check, .fail, value: first.distance, bound: Signature.tolerance, reason: reason,
      worst: findings[0].place, samples: count, failures: matches.count, message: words, findings: findings)
  }
}
