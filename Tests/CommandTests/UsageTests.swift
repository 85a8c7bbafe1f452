import Foundation
import TestSupport
import Testing

/// Help, usage errors, and mistakes in configurations: message, status 64, nothing written.
@Suite struct UsageTests {
  @Test(arguments: [
    [], ["generate"], ["merge"], ["inspect"], ["audit"], ["train"], ["evaluate"], ["predict"], ["invert"],
    ["report"],
    ["reproduce"],
    ["bench"],
    ["doctor"],
  ])
  func help(verb: [String]) throws {
    let outcome = try Command.run(verb + ["--help"], in: "/")
    #expect(outcome.status == 0)
    #expect(outcome.messages.isEmpty)
    #expect(outcome.output.contains("phalarope " + (verb.first ?? "generate")), "an example")
  }

  @Test func version() throws {
    let outcome = try Command.run(["--version"], in: "/")
    #expect(outcome.status == 0)
    #expect(outcome.output.hasPrefix("phalarope 0."))
  }

  @Test(arguments: [
    ["fly"], ["generate"], ["generate", "a.yaml", "--fly"], ["doctor", "--threads", "0"],
    ["doctor", "--threads", "many"], ["bench", "--seconds", "0"],
    ["train", "a.yaml", "--resume", "--overwrite"],
    ["predict", "run", "--input", "a.h5"], ["merge", "--output", "a.h5"], ["merge", "a.h5"],
    ["audit", "a.h5", "--samples", "0"], ["audit", "a.h5", "--all", "--samples", "3"],
    ["audit", "a.h5", "--set", "viscosity"],
  ])
  func usageErrors(arguments: [String]) throws {
    let outcome = try Command.run(arguments, in: "/")
    #expect(outcome.status == 64)
    #expect(outcome.messages.hasPrefix("Error: "))
    #expect(outcome.output.isEmpty)
  }

  @Test(arguments: [
    ("grdi=64", "command line: unknown key 'grdi' (did you mean 'grid'?)"),
    ("grid=wide", "command line: 'grid' is wide; it must be an integer"),
    ("grid=33", "command line: 'grid' is 33; it must be even and at least 8"),
    ("equation.viscosity=-1", "command line: 'equation.viscosity' is -1; it must be greater than 0"),
    ("samples=0", "command line: 'samples' is 0; it must be at least 1"),
    ("grid", "command line: 'grid' is not an override: write key=value"),
  ])
  func mistakesOnTheCommandLine(override: String, message: String) throws {
    try Samples.withFolder { folder in
      let before = try names(in: folder)
      let outcome = try Command.run(["generate", "burgers.yaml", override], in: folder)
      #expect(outcome.status == 64)
      #expect(outcome.messages == "error: \(message)\n")
      #expect(try names(in: folder) == before)
    }
  }

  @Test func mistakesInTheFile() throws {
    try Samples.withFolder { folder in
      let text = Samples.burgers.replacing("viscosity", with: "viscosty")
      try text.write(toFile: "\(folder)/wrong.yaml", atomically: false, encoding: .utf8)
      let unknown = try Command.run(["generate", "wrong.yaml"], in: folder)
      #expect(unknown.status == 64)
      #expect(
        unknown.messages
          == "error: wrong.yaml:3: unknown key 'equation.viscosty' (did you mean 'equation.viscosity'?)\n")
      try "a: [1\nb: 2".write(toFile: "\(folder)/wrong.yaml", atomically: false, encoding: .utf8)
      let syntax = try Command.run(["generate", "wrong.yaml"], in: folder)
      #expect(syntax.status == 64)
      #expect(syntax.messages.hasPrefix("error: wrong.yaml:2: not valid YAML: "))
      #expect(syntax.messages.split(separator: "\n").count == 1)
    }
  }

  @Test func missingConfiguration() throws {
    let outcome = try Command.run(["generate", "nowhere.yaml"], in: "/")
    #expect(outcome.status == 66)
    #expect(outcome.messages.hasPrefix("error: nowhere.yaml: No such file or directory; shipped "))
  }

  @Test func doctorAsJSON() throws {
    let outcome = try Command.run(["doctor", "--json", "--threads", "1"], in: "/")
    #expect(outcome.status == 0)
    let document = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
    let machine = document?["machine"] as? [String: Any]
    #expect(machine?["threads"] as? Int == 1)
    #expect((document?["libraries"] as? [String: String])?["FFTW"]?.isEmpty == false)
  }
}

/// Configurations that come with the program, by name and from any folder.
@Suite struct ShippedConfigurationTests {
  @Test func areFoundByName() throws {
    try Samples.withFolder { folder in
      let sizes = ["grid=128", "stored_grid=32", "samples=1", "output=x.h5", "--overwrite"]
      for name in ["fno2020/burgers", "quickstart/burgers", "quickstart/burgers.yaml"] {
        let outcome = try Command.run(["generate", name] + sizes, in: folder)
        #expect(outcome.status == 0, "\(outcome.messages)")
      }
      // A file of the user's own comes before a shipped one: this one has 12 samples.
      let own = try Command.run(["generate", "burgers.yaml", "--json", "--quiet"], in: folder)
      #expect(own.output.contains("\"samples\" : 12"))
    }
  }

  @Test func aNearMissIsNamed() throws {
    let near = try Command.run(["generate", "fno2020/burger"], in: "/")
    #expect(near.status == 66)
    #expect(
      near.messages == "error: fno2020/burger: No such file or directory "
        + "(did you mean the shipped configuration 'fno2020/burgers'?)\n")
  }

  /// Runs a copy of the program, on its own below `folder`.
  private func runCopy(
    in folder: String, _ arguments: [String], environment: [String: String] = [:]
  ) throws -> (status: Int32, messages: String) {
    let manager = FileManager.default
    try manager.createDirectory(atPath: "\(folder)/bin", withIntermediateDirectories: true)
    if !manager.fileExists(atPath: "\(folder)/bin/phalarope") {
      // By another process: while this one writes a program, others that it starts have the file open, too, and the
      // system refuses to run it.
      let copying = try Process.run(
        URL(fileURLWithPath: "/bin/cp"), arguments: [Command.path, "\(folder)/bin/phalarope"])
      copying.waitUntilExit()
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "\(folder)/bin/phalarope")
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.standardOutput = FileHandle.nullDevice
    let messages = "\(folder)/messages"
    _ = manager.createFile(atPath: messages, contents: nil)
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: messages))
    try process.run()
    process.waitUntilExit()
    return (process.terminationStatus, try String(contentsOfFile: messages, encoding: .utf8))
  }

  @Test func anInstalledProgramFindsThemInShare() throws {
    try withTemporaryFolder { folder in
      let shared = "\(folder)/share/phalarope/configs/mine"
      try FileManager.default.createDirectory(atPath: shared, withIntermediateDirectories: true)
      try Samples.burgers.write(toFile: "\(shared)/test.yaml", atomically: false, encoding: .utf8)
      #expect(try runCopy(in: folder, ["generate", "mine/test", "--quiet"]).status == 0)
      #expect(FileManager.default.fileExists(atPath: "\(folder)/burgers.h5"))
    }
  }

  @Test func aProgramWithoutThemRuns() throws {
    try withTemporaryFolder { folder in
      try Samples.burgers.write(toFile: "\(folder)/test.yaml", atomically: false, encoding: .utf8)
      #expect(try runCopy(in: folder, ["generate", "test.yaml", "--quiet"]).status == 0)
      #expect(FileManager.default.fileExists(atPath: "\(folder)/burgers.h5"))
    }
  }

  /// A program that was moved says where it looked, and takes the folder that it is told.
  @Test func aProgramElsewhereIsToldWhereTheyAre() throws {
    try withTemporaryFolder { folder in
      let folder = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
      let plan = ["reproduce", "burgers", "--plan"]
      for arguments in [plan, ["generate", "quickstart/burgers"]] {
        let (status, messages) = try runCopy(in: folder, arguments)
        #expect(status == 66)
        #expect(messages.contains("neither in \(folder)/share/phalarope/configs nor in a checkout around"))
        #expect(messages.contains("PHALAROPE_CONFIGS"), "\(messages)")
      }
      let named = try runCopy(in: folder, plan, environment: ["PHALAROPE_CONFIGS": "/nowhere"])
      #expect(named.status == 66)
      #expect(named.messages.contains("/nowhere, which PHALAROPE_CONFIGS names, is no folder"))
      let configs = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("configs").path
      let sizes = ["grid=128", "stored_grid=32", "samples=1", "output=x.h5", "--quiet"]
      let found = try runCopy(
        in: folder, ["generate", "quickstart/burgers"] + sizes, environment: ["PHALAROPE_CONFIGS": configs])
      #expect(found.status == 0, "\(found.messages)")
    }
  }
}
