import Foundation
import Testing

/// Steps of training and solves of surrogates, from the second on, live on memory that they have.
@Suite struct AllocationTests {
  private struct Counts: Decodable {
    let blocks: Double
    let large: Double
    let bytes: Double
  }

  /// The tool beside the test bundle, a process of its own whose allocations it counts.
  private func counts(_ arguments: [String] = []) throws -> [String: Counts] {
    let process = Process()
    let tool = URL(fileURLWithPath: Command.path).deletingLastPathComponent().appendingPathComponent(
      "allocations")
    process.executableURL = tool
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return try JSONDecoder().decode([String: Counts].self, from: data)
  }

  @Test func steadyStepsTakeNothingFromTheHeap() throws {
    let counts = try counts(["--serial"])
    #expect(counts.count == 9)
    for (name, count) in counts {
      #expect(count.large == 0, "\(name): \(count.large) blocks of 4 kB or more in every step")
      // A draw is more than a solve: it keeps lists of misfits and of what was accepted, some twenty.
      let most: Double = name == "inversion-draw" ? 40 : 0
      #expect(count.blocks <= most, "\(name): \(count.blocks) blocks in every step")
    }
  }

  @Test func severalThreadsShareTheSameMemory() throws {
    // When two threads meet for the first time in a kernel, the second one's scratch memory is new: once, in all.
    for (name, count) in try counts() {
      #expect(count.large < 1, "\(name): \(count.large) blocks of 4 kB or more in every step")
    }
  }
}
