import Experiments
import Foundation
import TestSupport
import Testing

@Suite struct RunFolderTests {
  private func prepare(
    _ path: String, _ policy: RunFolder.Policy, _ configuration: String = "width: 1\nepochs: 2\n"
  ) throws -> RunFolder {
    try RunFolder(
      preparing: path, policy: policy, verb: "train", configuration: configuration, changeable: ["epochs"])
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch { return "\(error)" }
  }

  @Test func createsThenRefuses() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/runs/a"
      let run = try prepare(path, .create)
      #expect(try TextFile.read(run.configurationFile).hasSuffix("width: 1\nepochs: 2\n"))
      for policy in [RunFolder.Policy.create, .overwrite, .resume] {
        #expect(message { _ = try prepare(path, policy) }.contains("is at work on this run"))
      }
      run.unlock()
    }
  }

  @Test func refusesWhatExists() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/runs/a"
      _ = try prepare(path, .create)
      #expect(
        message { _ = try prepare(path, .create) }
          == "\(path): exists already; continue it with --resume, replace it with --overwrite, "
          + "or name another output")
    }
  }

  @Test func overwriteRemovesTheRunAndNothingElse() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/a"
      _ = try prepare(path, .create)
      let run = try RunFolder(opening: path)
      try TextFile.write("1", to: run.lastCheckpoint)
      try TextFile.write("notes", to: "\(path)/notes.txt")
      _ = try prepare(path, .overwrite)
      #expect(!FileManager.default.fileExists(atPath: run.lastCheckpoint))
      #expect(try TextFile.read("\(path)/notes.txt") == "notes")
    }
  }

  @Test func neverTouchesAFolderThatIsNoRun() throws {
    try withTemporaryFolder { folder in
      try TextFile.write("mine", to: "\(folder)/precious")
      for policy in [RunFolder.Policy.create, .overwrite] {
        #expect(
          message { _ = try prepare(folder, policy) }
            == "\(folder): exists and is not a run folder; name another output")
      }
      #expect(try TextFile.read("\(folder)/precious") == "mine")
      #expect(
        message { _ = try prepare("\(folder)/precious", .overwrite) }
          == "\(folder)/precious: is a file, not a folder; name another output")
    }
  }

  @Test func resumeNeedsTheSameConfiguration() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/a"
      #expect(
        message { _ = try prepare(path, .resume) }
          == "\(path): there is no run to continue; start it without --resume")
      _ = try prepare(path, .create)
      _ = try prepare(path, .resume, "epochs: 5\nwidth: 1\n")
      #expect(
        message { _ = try prepare(path, .resume, "width: 2\nepochs: 2\n") }
          == "\(path): was started with width = 1, not 2; continue it with \(path)/config.yaml, "
          + "or replace it with --overwrite")
    }
  }

  @Test func unwritableFolderIsFoundOutAtOnce() throws {
    try withTemporaryFolder { folder in
      try TextFile.write("", to: "\(folder)/file")
      #expect(message { _ = try prepare("\(folder)/file/a", .create) }.contains("cannot be created"))
    }
  }

  @Test func eventsAreOneObjectPerLine() throws {
    try withTemporaryFolder { folder in
      let run = try prepare("\(folder)/a", .create)
      try run.record("epoch", ["loss": .number(0.5), "epoch": 1, "note": "x \"y\""])
      try run.record("end", ["bad": .number(.nan)])
      let lines = try TextFile.read(run.eventsFile).split(separator: "\n")
      #expect(lines.count == 2)
      let first = try JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any]
      #expect(first?["event"] as? String == "epoch")
      #expect(first?["loss"] as? Double == 0.5)
      #expect(first?["note"] as? String == "x \"y\"")
      #expect(lines[1].contains("\"bad\":null"))
    }
  }

  @Test func manifestReadsBack() throws {
    try withTemporaryFolder { folder in
      var manifest = Manifest(seeds: ["weights": 3], data: ["a.h5": "1f"])
      manifest.status = .finished
      try manifest.write(to: "\(folder)/manifest.json")
      #expect(try Manifest(contentsOf: "\(folder)/manifest.json") == manifest)
      try TextFile.write("{}", to: "\(folder)/other.json")
      #expect(
        message { _ = try Manifest(contentsOf: "\(folder)/other.json") }
          == "\(folder)/other.json: is not a manifest of this version")
    }
  }

  @Test func textFileIsReplacedWholeAndLeavesNothingBehind() throws {
    try withTemporaryFolder { folder in
      try TextFile.write("old", to: "\(folder)/a")
      try TextFile.write("new", to: "\(folder)/a")
      #expect(try TextFile.read("\(folder)/a") == "new")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a"])
      #expect(
        message { _ = try TextFile.read("\(folder)/b") } == "\(folder)/b: No such file or directory")
    }
  }

  @Test(arguments: [
    ("a", "."), ("a/", "."), ("a/b", "a"), ("a//b/", "a"), ("/a", "/"), ("/", "/"), ("./a", "."),
    ("../a", ".."),
  ])
  func folderOfAPath(path: String, folder: String) {
    #expect(FileSystem.folder(of: path) == folder)
  }
}
