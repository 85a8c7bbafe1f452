import ArgumentParser
import Experiments

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time training steps, solves and the generation of data.",
    discussion: """
      Each benchmark is repeated for a few seconds; the table has medians. GFLOP/s counts the arithmetic of \
      the layers one by one, and is compared with what matrix products reach on the same threads.

        phalarope bench
        phalarope bench fno burgers --seconds 10 --json > bench.json

      With --growth the time is measured at several sizes instead, and a chart and its numbers are written into \
      a folder for each of \(BenchStage.growthNames.joined(separator: ", ")):

        phalarope bench --growth docs/performance --seconds 1

      Benchmarks: \(BenchStage.names.joined(separator: ", ")).
      """)

  @Argument(help: "Names of the benchmarks to run, or parts of names (default: all).")
  var cases: [String] = []

  @Option(help: "Seconds for each benchmark.")
  var seconds = 5.0

  @Option(help: "Measure how cost grows, and write charts into this folder.", completion: .directory)
  var growth: String?

  @Flag(help: "Small sizes, to see that everything runs; the times say nothing.")
  var quick = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard seconds > 0, seconds <= 86_400 else {
      throw ValidationError("--seconds is \(seconds); it must be greater than 0 and at most 86400")
    }
  }

  func run() throws {
    try common.run { console in
      try BenchStage.run(.init(cases: cases, isQuick: quick, seconds: seconds, growthFolder: growth), console)
    }
  }
}
