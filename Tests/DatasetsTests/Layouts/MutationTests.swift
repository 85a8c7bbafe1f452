import Foundation
import TestSupport
import Testing

/// Damaged files of every layout end in a message: no crash, no hang, no memory beyond a bound.
///
/// The tool `mutants` reads them in a process of its own, because HDF5 does not survive all of them; what its guard
/// catches counts as a message, as it is one for the command. `PHALAROPE_DEEP_TESTS=1` makes 10,000 per
/// reader, else 300. A failure names the mutant, which `mutants FILE INDEX 1 FOLDER` makes again.
struct MutationTests {
  private static let readers: [(name: String, files: [String])] = [
    (
      "matlab5",
      [
        "burgers-v5.mat", "burgers-v5-compressed.mat", "darcy-v5.mat", "navier-stokes-v5.mat", "types-v5.mat",
      ]
    ),
    ("matlab73", ["navier-stokes-v73.mat", "darcy-v73.mat"]),
    (
      "pdebench",
      [
        "pdebench-burgers.hdf5", "pdebench-darcy.hdf5", "pdebench-compressible.hdf5", "pdebench-reaction.h5",
        "pdebench-incompressible.h5",
      ]
    ),
    ("well", ["well.hdf5"]), ("neuralop", ["darcy.pt", "burgers.pt", "types.pt"]),
    ("npz", ["stored.npz", "compressed.npz", "big-endian.npz", "single.npy"]),
  ]

  @Test(arguments: readers.map(\.name))
  func damagedFilesEndInAMessage(_ reader: String) throws {
    let files = Self.readers.first { $0.name == reader }?.files ?? []
    let isDeep = ProcessInfo.processInfo.environment["PHALAROPE_DEEP_TESTS"] != nil
    let total = isDeep ? 10_000 : 300
    let perFile = (total + files.count - 1) / files.count
    var (read, refused, crashes, memory) = (0, 0, 0, 0)
    for file in files {
      try withTemporaryFolder { folder in
        var next = 0
        while next < perFile {
          let outcome = try run(file, first: next, count: perFile - next, in: folder)
          if outcome.status == 0 {
            let numbers = outcome.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
            try #require(numbers.count == 3, "\(outcome.output)")
            (read, refused, memory) = (read + numbers[0], refused + numbers[1], max(memory, numbers[2]))
            break
          }
          let text = try String(contentsOfFile: "\(folder)/index", encoding: .utf8)
          let state = text.split(separator: " ").compactMap { Int($0) }
          try #require(state.count == 3, "\(text)")
          let index = state[0]
          (read, refused) = (read + state[1], refused + state[2])
          // The guard's message names the file; everything else is a failure of ours.
          let isGuarded =
            outcome.status == 65 && outcome.messages.hasPrefix("error: \(folder)/mutant: damaged")
          #expect(
            isGuarded,
            "\(file), mutant \(index): status \(outcome.status): \(outcome.output)\(outcome.messages)")
          crashes += 1
          next = index + 1
        }
      }
    }
    // kB; an empty process has some 20 MB, and nothing in these files needs more than a few.
    #expect(memory < 400_000)
    // Some damage is in numbers only, or in nothing that is read; most is found.
    #expect(read > 0 && refused > 0)
    print("mutants of \(reader): \(read) read, \(refused) refused, \(crashes) crashes of HDF5, \(memory) kB")
  }

  /// Runs the tool under limits: 4 GB of addresses, and 20 seconds for one mutant.
  private func run(
    _ file: String, first: Int, count: Int, in folder: String
  ) throws -> (status: Int32, output: String, messages: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", "ulimit -v 4000000; exec \"$0\" \"$@\"", Self.tool, GoldenFiles.path(file), String(first),
      String(count),
      folder,
    ]
    for name in ["output", "messages"] {
      _ = FileManager.default.createFile(atPath: "\(folder)/\(name)", contents: nil)
    }
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(folder)/output"))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(folder)/messages"))
    try process.run()
    process.waitUntilExit()
    let status = process.terminationStatus
    return (
      process.terminationReason == .uncaughtSignal ? 128 + status : status,
      try String(contentsOfFile: "\(folder)/output", encoding: .utf8),
      try String(contentsOfFile: "\(folder)/messages", encoding: .utf8)
    )
  }

  /// The tool beside the test bundle.
  private static let tool: String = {
    let arguments = ProcessInfo.processInfo.arguments
    var folders: [String] = []
    if let flag = arguments.firstIndex(of: "--test-bundle-path"), flag + 1 < arguments.count {
      folders.append((arguments[flag + 1] as NSString).deletingLastPathComponent)
    }
    folders += arguments.prefix(1).map { ($0 as NSString).deletingLastPathComponent }
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().path
    folders += ["release", "debug"].map { "\(root)/.build/\($0)" }
    return folders.map { "\($0)/mutants" }.first { access($0, X_OK) == 0 } ?? "mutants"
  }()
}
