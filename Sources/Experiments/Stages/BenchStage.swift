import Foundation
import Tensors

/// Times the kernels, steps and solves that users wait for.
public enum BenchStage {
  /// What to measure, and how long.
  public struct Options: Sendable {
    /// Parts of names; a benchmark is run if its name contains one of them, all are if there are none.
    public var cases: [String]
    /// Whether small sizes are run, to see that everything works.
    public var isQuick: Bool
    /// Seconds allowed for each benchmark.
    public var seconds: Double

    /// What to measure, and how long.
    public init(cases: [String], isQuick: Bool, seconds: Double) {
      self.cases = cases
      self.isQuick = isQuick
      self.seconds = seconds
    }
  }

  /// A benchmark that there is not.
  public struct UnknownCase: Error, Equatable, CustomStringConvertible {
    /// The name and the nearest ones.
    public let description: String
  }

  private struct Findings: Encodable {
    var software = Manifest.Software()
    var machine = Manifest.Machine()
    var libraries = Manifest().libraries
    var measuredAt = Manifest.timestamp()
    let peakGigaflops: [String: Double]
    let results: [BenchmarkResult]
  }

  private static func benchmarks(_ size: Benchmark.Size) -> [Benchmark] {
    Benchmark.training(size) + Benchmark.solving(size) + Benchmark.generating(size)
  }

  /// The names of all benchmarks.
  public static var names: [String] { benchmarks(.small).map(\.name) }

  /// Measures and prints.
  ///
  /// - Throws: `UnknownCase`; `CancellationError` on request.
  public static func run(_ options: Options, _ console: Console) throws {
    let all = benchmarks(options.isQuick ? .small : .full)
    for part in options.cases where !all.contains(where: { $0.name.contains(part) }) {
      throw UnknownCase(
        description: "no benchmark has '\(part)' in its name; there are \(names.joined(separator: ", "))")
    }
    let chosen = all.filter { benchmark in
      options.cases.isEmpty || options.cases.contains { benchmark.name.contains($0) }
    }
    let peaks = [
      Benchmark.Precision.single: MatrixPeak.measure(Float.self),
      .double: MatrixPeak.measure(Double.self),
    ]
    let results = try chosen.map { benchmark in
      console.note("\(benchmark.name): \(benchmark.summary)")
      let stopwatch = Stopwatch(
        limit: options.isQuick ? 0.02 : options.seconds, fewest: options.isQuick ? 1 : 5)
      try benchmark.measure(stopwatch)
      return BenchmarkResult(benchmark, stopwatch.seconds, peak: peaks[benchmark.precision] ?? .nan)
    }
    let findings = Findings(
      peakGigaflops: Dictionary(uniqueKeysWithValues: peaks.map { ($0.key.rawValue, $0.value) }),
      results: results)
    try console.result(findings, text: text(findings))
  }

  private static func text(_ findings: Findings) -> String {
    let rows = findings.results.map { result in
      [
        result.name, time(result.median), time(result.minimum), time(result.maximum),
        result.gigaflops.map { Text.number($0, digits: 3) } ?? "",
        result.fractionOfPeak.map { "\(Int((100 * $0).rounded())) %" } ?? "", "\(result.repetitions)",
      ]
    }
    let peaks = ["single", "double"].map {
      "\(Text.number(findings.peakGigaflops[$0] ?? .nan, digits: 3)) (\($0))"
    }
    return Text.table(
      heading: ["", "median", "fastest", "slowest", "GFLOP/s", "of peak", "repetitions"], rows: rows)
      + "\n\n\(findings.machine.processor), \(findings.machine.threads) threads; "
      + "matrix products reach \(peaks.joined(separator: ", ")) GFLOP/s"
  }

  private static func time(_ seconds: Double) -> String {
    seconds < 1e-3
      ? "\(Text.number(seconds * 1e6, digits: 3)) us"
      : seconds < 1 ? "\(Text.number(seconds * 1e3, digits: 3)) ms" : "\(Text.number(seconds, digits: 3)) s"
  }
}
