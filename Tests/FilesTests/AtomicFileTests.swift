import Files
import Foundation
import TestSupport
import Testing

@Suite struct AtomicFileTests {
  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder)
  }

  @Test func aFileIsReplacedWhole() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/a.txt"
      try AtomicFile.write("old", to: path)
      try AtomicFile.write("the new text", to: path)
      try AtomicFile.append(", and more", to: path)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "the new text, and more")
      #expect(try names(folder) == ["a.txt"])
    }
  }

  @Test func aFailureLeavesEverythingAsItWas() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: FileError.self) { try AtomicFile.write("x", to: folder + "/no/a.txt") }
      #expect(error?.kind == .notCreatable)
      try FileManager.default.createDirectory(atPath: folder + "/b", withIntermediateDirectories: false)
      #expect(throws: FileError.self) { try AtomicFile.write("x", to: folder + "/b") }
      #expect(try names(folder) == ["b"])
    }
  }

  @Test func aFullDeviceIsAFailedWrite() throws {
    let error = #expect(throws: FileError.self) { try AtomicFile.append("x", to: "/dev/full") }
    #expect(error?.kind == .writeFailed)
  }
}
