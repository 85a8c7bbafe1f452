import Foundation
import HDF5
import TestSupport
import Testing

/// A folder for tests whose body is asynchronous.
func makeTemporaryFolder() -> String {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("phalarope-test-\(UUID().uuidString)").path
  try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  return folder
}

func removeFolder(_ folder: String) { try? FileManager.default.removeItem(atPath: folder) }

@Suite struct HDF5ErrorTests {
  /// The error that `body` throws; records a failure if it throws none, or another.
  private func error(_ body: () throws -> Void) throws -> HDF5Error {
    try #require(throws: HDF5Error.self) { try body() }
  }

  private func write(_ bytes: Data, to path: String) throws {
    try bytes.write(to: URL(fileURLWithPath: path))
  }

  @Test func filesThatAreNoneSaySo() throws {
    try withTemporaryFolder { folder in
      let missing = try error { _ = try HDF5File(opening: "\(folder)/missing.h5") }
      #expect(missing.kind == .missing && missing.exitStatus == 66)
      #expect(missing.description == "\(folder)/missing.h5: no such file")

      let directory = try error { _ = try HDF5File(opening: folder) }
      #expect(directory.kind == .unreadable && directory.exitStatus == 66)

      let device = try error { _ = try HDF5File(opening: "/dev/null") }
      #expect(device.kind == .unreadable)

      try write(Data("a,b\n1,2\n".utf8), to: "\(folder)/text.h5")
      let text = try error { _ = try HDF5File(opening: "\(folder)/text.h5") }
      #expect(text.kind == .notHDF5 && text.exitStatus == 65)
      #expect(text.description == "\(folder)/text.h5: not an HDF5 file")

      try write(Data(), to: "\(folder)/empty.h5")
      #expect(try error { _ = try HDF5File(opening: "\(folder)/empty.h5") }.kind == .notHDF5)
    }
  }

  /// The library itself would read zeros.
  @Test func aFileThatShrinksWhileItIsOpenIsAnError() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/open.h5"
      try HDF5File.write(to: path, overwriting: false) { file in
        try file.root.createDataset("values", [Double](repeating: 1, count: 500_000))
      }
      let dataset = try HDF5File(opening: path).root.dataset("values")
      let tail = HDF5Slab(start: [400_000], count: [100_000])
      #expect(try dataset.read(as: Double.self, tail).allSatisfy { $0 == 1 })
      #expect(truncate(path, 1_000_000) == 0)
      let error = try error { _ = try dataset.read(as: Double.self, tail) }
      #expect(error.kind == .corrupt && error.exitStatus == 65)
      #expect(
        error.description.hasPrefix("\(path): has become shorter since it was opened, 1000000 bytes of "))
    }
  }

  @Test func everyTruncationIsAnError() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/whole.h5"
      let file = try HDF5File(creating: path)
      try file.root.createDataset(
        "group/values", (0..<2000).map(Double.init), layout: HDF5Layout(chunks: [500], hasChecksums: true))
      try file.root.attributes.set("title", "a title")
      try file.close()
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      for fraction in 1..<20 {
        let cut = "\(folder)/cut-\(fraction).h5"
        try write(bytes.prefix(bytes.count * fraction / 20), to: cut)
        let error = try error { _ = try HDF5File(opening: cut) }
        #expect(error.kind == .corrupt && error.exitStatus == 65)
        #expect(error.description.contains("truncated"))
      }
    }
  }

  @Test func damageIsAnErrorAndNeverACrash() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/whole.h5"
      let values = (0..<2000).map { Double($0) + 0.5 }
      let file = try HDF5File(creating: path)
      try file.root.createDataset(
        "group/values", values, layout: HDF5Layout(chunks: [500], hasChecksums: true))
      try file.root.attributes.set("title", "a title")
      try file.close()
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      let chunk = values[500..<1000].withUnsafeBytes { Data($0) }
      let data = try #require(bytes.range(of: chunk))
      for position in stride(from: 0, to: bytes.count, by: 97) {
        var copy = bytes
        copy[position] ^= 0xA5
        let broken = "\(folder)/broken.h5"
        try write(copy, to: broken)
        do {
          let file = try HDF5File(opening: broken)
          _ = try file.root.attributes.names().map { try file.root.attributes.value($0) }
          _ = try file.root.dataset("group/values").read(as: Double.self)
          // Version 1.8 of the format has no checksum over the index of chunks: damage there may pass.
          let isFound = data.contains(position)
          #expect(!isFound, "damage to byte \(position) was not found")
        } catch let error as HDF5Error {
          #expect(error.exitStatus == 65, "\(error)")
        }
      }
    }
  }

  @Test func whatIsNotInTheFileIsListed() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/foreign.h5"
      let file = try HDF5File(creating: path)
      try file.root.createDataset("tensor", [1.5, 2])
      try file.root.createDataset("grid/names", ["a"])
      let dataset = try error { _ = try file.root.dataset("t0_fields/u") }
      #expect(dataset.kind == .wrongContent)
      #expect(
        dataset.description == "\(path): no dataset 't0_fields/u' (it holds: 'tensor', 'grid/names')")
      #expect(try error { _ = try file.root.group("tensor") }.kind == .wrongContent)
      let attribute = try error { _ = try file.root.attributes.string("title") }
      #expect(attribute.description == "\(path): the file has no attribute 'title' (it has: none)")
      let text = try error { _ = try file.root.dataset("grid/names").read(as: Double.self) }
      #expect(text.description.contains("does not hold numbers but string"))
      #expect(try error { _ = try file.root.dataset("tensor").read(as: Int.self) }.kind == .wrongContent)
      #expect(try error { _ = try file.root.dataset("tensor").readStrings() }.kind == .wrongContent)
      let twice = try error { try file.root.createDataset("tensor", [1]) }
      #expect(twice.kind == .alreadyExists)
    }
  }

  @Test func creationIsRefusedWhereItMustBe() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.h5"
      try HDF5File(creating: path).close()
      let exists = try error { _ = try HDF5File(creating: path) }
      #expect(exists.kind == .alreadyExists && exists.exitStatus == 73)
      #expect(try error { _ = try HDF5File(creating: folder, overwriting: true) }.kind == .cannotCreate)
      let nowhere = try error { _ = try HDF5File(creating: "\(folder)/no/a.h5") }
      #expect(nowhere.kind == .cannotCreate && nowhere.description.contains("no folder"))
      let reader = try HDF5File(opening: path)
      let readOnly = try error { try reader.root.attributes.set("title", "x") }
      #expect(readOnly.kind == .writeFailed)
    }
  }

  @Test func aFullDiskIsReported() throws {
    // Every write to /dev/full fails as on a full disk.
    let full = try error {
      let file = try HDF5File(creating: "/dev/full", overwriting: true)
      try file.root.createDataset("a", [Float](repeating: 1, count: 100_000))
      try file.close()
    }
    #expect(full.kind == .writeFailed && full.exitStatus == 74)
    #expect(full.description.contains("the disk is full"))
    // Small files are written only when they are flushed.
    let small = try error {
      let file = try HDF5File(creating: "/dev/full", overwriting: true)
      try file.close()
    }
    #expect(small.kind == .writeFailed)
  }

  @Test func theLibraryPrintsNothing() async throws {
    let folder = makeTemporaryFolder()
    defer { removeFolder(folder) }
    let capture = "\(folder)/stderr.txt"
    let saved = dup(2)
    let target = open(capture, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    dup2(target, 2)
    await withTaskGroup(of: Void.self) { group in
      // HDF5 keeps its error handler per thread, so each thread must have turned it off.
      for task in 0..<64 {
        group.addTask {
          #expect(throws: HDF5Error.self) { try HDF5File(opening: "\(folder)/none-\(task).h5") }
          #expect(throws: HDF5Error.self) { try HDF5File(opening: capture) }
          #expect(throws: HDF5Error.self) {
            let file = try HDF5File(creating: "/dev/full", overwriting: true)
            try file.close()
          }
        }
      }
    }
    dup2(saved, 2)
    close(saved)
    close(target)
    let text = try Data(contentsOf: URL(fileURLWithPath: capture))
    FileHandle.standardError.write(text)  // other tests may have reported meanwhile
    #expect(!String(decoding: text, as: UTF8.self).contains("HDF5-DIAG"))
  }

  @Test func closedFilesSaySo() throws {
    try withTemporaryFolder { folder in
      let file = try HDF5File(creating: "\(folder)/a.h5")
      let dataset = try file.root.createDataset("a", [1, 2])
      try file.close(synchronizing: true)
      try file.close()
      #expect(try error { _ = try dataset.read(as: Int.self) }.kind == .closed)
      #expect(try error { try file.flush() }.kind == .closed)
      #expect(try HDF5File(opening: "\(folder)/a.h5").root.dataset("a").read(as: Int.self) == [1, 2])
    }
  }

  @Test func wholeFilesOrNone() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.h5"
      try HDF5File.write(to: path) { try $0.root.createDataset("a", [1]) }
      #expect(try error { try HDF5File.write(to: path) { _ in } }.kind == .alreadyExists)
      #expect(throws: CancellationError.self) {
        try HDF5File.write(to: path, overwriting: true) { file in
          try file.root.createDataset("a", [2])
          throw CancellationError()
        }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.h5"])
      #expect(try HDF5File(opening: path).root.dataset("a").read(as: Int.self) == [1])
      try HDF5File.write(to: path, overwriting: true) { try $0.root.createDataset("a", [3]) }
      #expect(try HDF5File(opening: path).root.dataset("a").read(as: Int.self) == [3])
    }
  }
}
