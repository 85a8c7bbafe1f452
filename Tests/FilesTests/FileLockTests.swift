import Files
import TestSupport
import Testing

@Suite struct FileLockTests {
  @Test func oneHolderAtATime() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/lock"
      #expect(!FileLock.isTaken(path))
      var lock = try FileLock(path)
      #expect(lock != nil)
      #expect(FileLock.isTaken(path))
      // Being refused, and asking, takes nothing away.
      #expect(try FileLock(path) == nil)
      #expect(try FileLock(path) == nil)
      #expect(FileLock.holder(of: path).map { $0 > 0 } == true)
      #expect(lock != nil)
      lock = nil
      #expect(!FileLock.isTaken(path))
      #expect(try FileLock(path) != nil)
    }
  }

  @Test func aFileThatCannotBeMadeIsAnError() {
    #expect(throws: FileError.self) { try FileLock("/nowhere/lock") }
  }
}
