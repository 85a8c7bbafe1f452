import Files
import Foundation
import TestSupport
import Testing

@Suite struct GrowingFileTests {
  private func append(_ text: String, to path: String, at length: Int) throws {
    try Array(text.utf8).withUnsafeBytes { try GrowingFile.append($0, to: path, at: length) }
  }

  @Test func whatIsBehindTheKnownLengthIsReplaced() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/log"
      try append("one", to: path, at: 0)
      try append("two, half writ", to: path, at: 3)
      try append("three", to: path, at: 6)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "onetwothree")
      try append("", to: path, at: 3)
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "one")
    }
  }

  @Test func aFileThatIsTooShortIsAnError() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/log"
      try append("one", to: path, at: 0)
      #expect(throws: FileError.self) { try append("two", to: path, at: 4) }
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "one")
      #expect(throws: FileError.self) { try append("x", to: "\(folder)/none/log", at: 0) }
    }
  }
}
