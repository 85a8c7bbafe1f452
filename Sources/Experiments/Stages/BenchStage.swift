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
    /// The folder for charts of how cost grows, if these are wanted instead.
    public var growthFolder: String?

    /// What to measure, and how long.
    public init(cases: [String], isQuick: Bool, seconds: Double, growthFolder: String? = nil) {
      self.cases = cases
      self.isQuick = isQuick
      self.seconds = seconds
      self.growthFolder = growthFolder
    }

    fileprivate var stopwatch: Stopwatch {
      Stopwatch(limit: isQuick ? 0.02 : seconds, fewest: isQuick ? 1 : growthFolder == nil ? 5 : 3)
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

  private struct GrowthFindings: Encodable {
    var software = Manifest.Software()
    var machine = Manifest.Machine()
    var libraries = Manifest().libraries
    var measuredAt = Manifest.timestamp()
    let points: [Growth.Point]
  }

  private static func benchmarks(_ size: Benchmark.Size) -> [Benchmark] {
    Benchmark.training(size) + Benchmark.solving(size) + Benchmark.generating(size)
  }

  /// The names of all benchmarks.
  public static var names: [String] { benchmarks(.small).map(\.name) }

  /// The names of the charts of how cost grows.
  public static var growthNames: [String] { Growth.all(.small).map(\.name) }

  /// Measures and prints.
  ///
  /// - Throws: `UnknownCase`; `CancellationError` on request; `OutputError` where charts cannot be written.
  public static func run(_ options: Options, _ console: Console) throws {
    if let folder = options.growthFolder { return try runGrowth(options, into: folder, console) }
    let chosen = try choose(options.cases, from: benchmarks(options.isQuick ? .small : .full), name: \.name)
    let peaks = [
      Benchmark.Precision.single: MatrixPeak.measureSingle(),
      .double: MatrixPeak.measureDouble(),
    ]
    let results = try chosen.map { benchmark in
      console.note("\(benchmark.name): \(benchmark.summary)")
      let stopwatch = options.stopwatch
      try benchmark.measure(stopwatch)
      return BenchmarkResult(benchmark, stopwatch, peak: peaks[benchmark.precision] ?? .nan)
    }
    let findings = Findings(
      peakGigaflops: Dictionary(uniqueKeysWithValues: peaks.map { ($0.key.rawValue, $0.value) }),
      results: results)
    try console.result(findings, text: text(findings))
  }

  /// Measures how cost grows, draws the charts and prints the numbers.
  private static func runGrowth(_ options: Options, into folder: String, _ console: Console) throws {
    let charts = try choose(options.cases, from: Growth.all(options.isQuick ? .small : .full), name: \.name)
    try FileSystem.makeFolders(folder)
    let points = try charts.flatMap { chart in
      try chart.measure(into: folder, stopwatch: { options.stopwatch }, note: console.note)
    }
    let rows = points.map { [$0.chart, $0.work, "\($0.size)", time($0.median), time($0.minimum)] }
    try console.result(
      GrowthFindings(points: points),
      text: Text.table(heading: ["", "", "size", "median", "fastest"], rows: rows)
        + "\n\ncharts: \(charts.map { "\(folder)/\($0.name).svg" }.joined(separator: ", "))")
  }

  /// Those that are named, and those whose names have one of the other parts in them; all where there are no parts.
  private static func choose<Item>(
    _ parts: [String], from all: [Item], name: (Item) -> String
  ) throws -> [Item] {
    let names = all.map(name)
    for part in parts where !names.contains(where: { $0.contains(part) }) {
      throw UnknownCase(
        description: "no benchmark has '\(part)' in its name; there are \(names.joined(separator: ", "))")
    }
    let whole = Set(names)
    return all.filter { item in
      parts.isEmpty || parts.contains { whole.contains($0) ? $0 == name(item) : name(item).contains($0) }
    }
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
