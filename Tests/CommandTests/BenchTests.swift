import Foundation
import TestSupport
import Testing

/// Benchmarks at a small size: that they run and are told apart, not how long they take.
@Suite struct BenchTests {
  @Test func everyBenchmarkRuns() throws {
    let outcome = try Command.run(["bench", "--quick", "--json", "--quiet"], in: NSTemporaryDirectory())
    #expect(outcome.status == 0, "\(outcome.messages)")
    let document = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    let results = try #require(document?["results"] as? [[String: Any]])
    #expect(results.count >= 12)
    for result in results {
      let times = ["minimum", "median", "maximum"].map { result[$0] as? Double ?? .nan }
      #expect(times[0] > 0 && times[0] <= times[1] && times[1] <= times[2], "\(result)")
    }
    let peaks = try #require(document?["peak_gigaflops"] as? [String: Double])
    #expect(peaks.count == 2 && peaks.values.allSatisfy { $0 > 0 })
  }

  @Test func everyChartOfGrowthIsDrawn() throws {
    try withTemporaryFolder { folder in
      let outcome = try Command.run(
        ["bench", "--growth", "charts", "--quick", "--json", "--quiet"], in: folder)
      #expect(outcome.status == 0, "\(outcome.messages)")
      let document = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
      let points = try #require(document?["points"] as? [[String: Any]])
      let charts = ["batch", "depth", "grid", "modes", "samples", "width"]
      #expect(Set(points.compactMap { $0["chart"] as? String }) == Set(charts))
      #expect(points.allSatisfy { ($0["median"] as? Double ?? 0) > 0 })
      #expect(try names(in: "\(folder)/charts") == charts.flatMap { ["\($0).csv", "\($0).svg"] })
      let one = try Command.run(["bench", "width", "--growth", ".", "--quick"], in: folder)
      #expect(one.status == 0 && one.output.contains("width.svg") && !one.output.contains("modes.svg"))
    }
  }

  @Test func casesAreChosenByNamesAndTheirParts() throws {
    let folder = NSTemporaryDirectory()
    let chosen = try Command.run(["bench", "darcy-solve", "--quick"], in: folder)
    #expect(chosen.status == 0)
    #expect(chosen.output.contains("darcy-solve-421") && !chosen.output.contains("burgers"))
    // Others begin with this name.
    let named = try Command.run(["bench", "fno-2d-time", "--quick"], in: folder)
    #expect(named.status == 0)
    #expect(named.output.contains("fno-2d-time ") && !named.output.contains("roll-out"))
    let unknown = try Command.run(["bench", "fly", "--quick"], in: folder)
    #expect(unknown.status == 64)
    #expect(unknown.messages.hasPrefix("error: no benchmark has 'fly' in its name; there are fno-1d-1024, "))
  }
}
