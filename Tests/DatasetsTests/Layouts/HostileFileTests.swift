import Archives
import Datasets
import Files
import Foundation
import HDF5
import TestSupport
import Testing

/// Files that are made to do harm, or are no datasets, end in an error of one line with exit status 65.
struct HostileFileTests {
  /// The message of the error that opening and reading a file ends with.
  private func message(of path: String, _ location: SourceLocation = #_sourceLocation) -> String {
    do {
      let dataset = try openDataset(path)
      for field in dataset.description.fields {
        for run in dataset.runs(of: field) {
          _ = try dataset.read(field: field.name, samples: run.samples, frames: Array(run.frames))
        }
      }
      Issue.record("\(path) was read", sourceLocation: location)
      return ""
    } catch {
      let status =
        switch error {
        case let error as DatasetError: error.exitStatus
        case let error as HDF5Error: error.exitStatus
        case let error as ArchiveError: error.exitStatus
        default: Int32(70)
        }
      #expect(status == 65, "\(error)", sourceLocation: location)
      #expect(!"\(error)".contains("\n") && "\(error)".hasPrefix(path), "\(error)", sourceLocation: location)
      return "\(error)"
    }
  }

  private func refusal(_ pickle: [UInt8], in folder: String) throws -> String {
    message(of: try torch(pickle, in: folder))
  }

  private func message(of bytes: [UInt8], in folder: String, _ location: SourceLocation = #_sourceLocation)
    throws
    -> String
  {
    try AtomicFile.write(bytes, to: "\(folder)/file")
    return message(of: "\(folder)/file", location)
  }

  private func golden(_ name: String) throws -> [UInt8] {
    [UInt8](try #require(FileManager.default.contents(atPath: GoldenFiles.path(name))))
  }

  @Test func filesOfOtherKindsAreNamed() throws {
    try withTemporaryFolder { folder in
      #expect(try message(of: [], in: folder).hasSuffix("it is empty"))
      #expect(try message(of: Array("a text".utf8), in: folder).contains("HDF5, MATLAB"))
      #expect(try message(of: [0x80, 2, 0x7D, 0x2E], in: folder).contains("a bare pickle"))
      #expect(try message(of: Array("PK nothing".utf8), in: folder).contains("not a zip archive"))
      try ZipWriter.write([.init(name: "a.txt", bytes: [1, 2, 3])], to: "\(folder)/zip")
      #expect(message(of: "\(folder)/zip").contains("no array of numbers"))
      try HDF5File.write(to: "\(folder)/other.h5") { try $0.root.createDataset("group/name", ["text"]) }
      #expect(message(of: "\(folder)/other.h5").contains("of no layout that is known here"))
      // What is no file is not waited for.
      mkfifo("\(folder)/pipe", 0o600)
      #expect(throws: ArchiveError.self) { try openDataset("\(folder)/pipe") }
      #expect(throws: ArchiveError.self) { try openDataset(folder) }
      #expect(throws: ArchiveError.self) { try openDataset("\(folder)/missing") }
    }
  }

  @Test func gridsWithTooManyAxesAreRefused() throws {
    try withTemporaryFolder { folder in
      /// A numpy array of ones with three samples and two points along every axis.
      func array(axes: Int) -> [UInt8] {
        let shape = Array(repeating: "2", count: axes).joined(separator: ", ")
        let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, \(shape))}\n"
        return [0x93] + "NUMPY".utf8 + [1, 0, UInt8(header.utf8.count), 0] + header.utf8
          + Array(repeating: 1, count: 3 << axes)
      }
      let refused = try message(of: array(axes: 7), in: folder)
      #expect(refused.hasSuffix("its grid has 7 axes, at most 6 are read"))
      try AtomicFile.write(array(axes: 6), to: "\(folder)/six")
      let dataset = try openDataset("\(folder)/six")
      #expect(try dataset.read(field: dataset.description.fields[0].name, samples: 0..<1).count == 64)
    }
  }

  /// Every beginning of a file is refused: none of these formats is complete before its end.
  @Test(arguments: [
    "burgers-v5-compressed.mat", "types-v5.mat", "darcy.pt", "compressed.npz", "single.npy",
    "pdebench-burgers.hdf5",
  ])
  func truncatedFilesAreRefused(_ name: String) throws {
    try withTemporaryFolder { folder in
      let bytes = try golden(name)
      let step = max(1, bytes.count / 150)
      for length in stride(from: 0, to: bytes.count, by: step) {
        // A MATLAB file may end after any variable.
        if name.hasSuffix(".mat"), (try? openDataset(write(Array(bytes[..<length]), folder))) != nil {
          continue
        }
        _ = try message(of: Array(bytes[..<length]), in: folder)
      }
    }
  }

  private func write(_ bytes: [UInt8], _ folder: String) throws -> String {
    try AtomicFile.write(bytes, to: "\(folder)/file")
    return "\(folder)/file"
  }

  // MARK: - Pickles

  /// An archive as torch.save writes it, with this pickle.
  private func torch(
    _ pickle: [UInt8], in folder: String, storage: [UInt8] = [UInt8](repeating: 0, count: 32)
  ) throws
    -> String
  {
    let path = "\(folder)/file.pt"
    try ZipWriter.write(
      [.init(name: "archive/data.pkl", bytes: pickle), .init(name: "archive/data/0", bytes: storage)],
      to: path)
    return path
  }

  /// `{'y': tensor}` of single precision with these sizes, in the text form of the operations.
  private func tensor(_ shape: [Int32], strides: [Int32], offset: Int32 = 0, count: Int32 = 8) -> [UInt8] {
    func integer(_ value: Int32) -> [UInt8] { [0x4A] + withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    func tuple(_ values: [Int32]) -> [UInt8] { [0x28] + values.flatMap(integer) + [0x74] }
    func text(_ text: String) -> [UInt8] { [0x58, UInt8(text.utf8.count), 0, 0, 0] + Array(text.utf8) }
    var bytes: [UInt8] = [0x80, 2, 0x7D, 0x28] + text("y")
    bytes += Array("ctorch._utils\n_rebuild_tensor_v2\n((".utf8) + text("storage")
    bytes += Array("ctorch\nFloatStorage\n".utf8) + text("0") + text("cpu") + integer(count) + [0x74, 0x51]
    bytes += integer(offset) + tuple(shape) + tuple(strides)
    return bytes + [0x89] + Array("ccollections\nOrderedDict\n)RtRu.".utf8)
  }

  @Test func hostilePicklesAreRefusedByName() throws {
    try withTemporaryFolder { folder in
      let sound = try torch(tensor([2, 4], strides: [4, 1]), in: folder)
      #expect(try openDataset(sound).sampleCount == 2)
      let system =
        Array("\u{80}\u{2}".unicodeScalars.map { UInt8($0.value) }) + Array("cposix\nsystem\n(X".utf8)
        + [4, 0, 0, 0] + Array("truetR.".utf8)
      #expect(try refusal(system, in: folder).contains("names posix.system, which is refused"))
      for (operations, name) in [("}b.", "BUILD"), ("}\u{1}.", "0x1"), ("iposix\nsystem\n.", "INST")] {
        #expect(try refusal(Array(operations.utf8), in: folder).contains(name))
      }
      let eval: [UInt8] =
        [0x80, 4, 0x8C, 8] + Array("builtins".utf8) + [0x8C, 4] + Array("eval".utf8) + [0x93, 0x2E]
      #expect(try refusal(eval, in: folder).contains("builtins.eval"))
      // A million tuples in each other would overflow the stack when they are released.
      let nested = [0x29] + [UInt8](repeating: 0x85, count: 1_000_000) + [0x2E]
      #expect(try refusal(nested, in: folder).contains("nests tuples too deeply"))
      // A dictionary in itself.
      #expect(try refusal(Array("}q\u{0}X\u{1}\u{0}\u{0}\u{0}ah\u{0}s.".utf8), in: folder) != "")
      for broken in [
        "", ".", "}", "t.", "0.", "}u.", "(.", "Q.", "h\u{5}.", "J\u{1}.", "X\u{7f}\u{7f}\u{7f}\u{7f}.",
      ] {
        #expect(try refusal(Array(broken.utf8), in: folder) != "", "\(broken)")
      }
    }
  }

  @Test func tensorsOutsideTheirStorageAreRefused() throws {
    try withTemporaryFolder { folder in
      for (shape, strides, offset, count) in [
        ([2, 4], [4, 1], 1, 8), ([2, 4], [5, 1], 0, 8), ([2, 4], [-4, 1], 4, 8), ([2, 4], [4, 1], -1, 8),
        ([2, 4], [4, 1], 0, 9), ([Int32.max, Int32.max], [0, 0], 0, 8), ([2, 4], [Int32.max, 1], 0, 8),
        ([-2, -4], [4, 1], 0, 8), ([2, 4], [4], 0, 8), ([1000, 4], [0, 1], 0, 8),
      ] as [([Int32], [Int32], Int32, Int32)] {
        let pickle = tensor(shape, strides: strides, offset: offset, count: count)
        let text = try refusal(pickle, in: folder)
        #expect(text.contains("the tensor 'y'"))
      }
    }
  }

  // MARK: - Bombs and declared sizes

  @Test func declaredSizesAreNotBelieved() throws {
    try withTemporaryFolder { folder in
      var array = try golden("single.npy")
      let shape = try #require(String(decoding: array.prefix(128), as: UTF8.self).range(of: "(4, 16)"))
      let offset = String(decoding: array.prefix(128), as: UTF8.self)[..<shape.lowerBound].unicodeScalars
        .count
      for text in ["(9, 99)", "(4,-16)", "(1e,16)"] {
        array.replaceSubrange(offset..<offset + 7, with: Array(text.utf8))
        #expect(try message(of: array, in: folder).contains("the array 'data'"))
      }
      // Dimensions of a MATLAB variable, which need not be those of its numbers.
      var matrix = try golden("burgers-v5.mat")
      for index in 0..<4 { matrix[128 + 8 + 16 + 8 + index] = 0x7F }
      #expect(try message(of: matrix, in: folder).contains("damaged: a variable"))
      // HDF5: 2^40 numbers that no chunk holds, in a file of some kB.
      try HDF5File.write(to: "\(folder)/sparse.h5") { file in
        _ = try file.root.createDataset(
          "tensor", of: Float.self, shape: [1 << 20, 1 << 10, 1 << 10],
          layout: HDF5Layout(chunks: [1, 16, 16]))
        try file.root.createDataset("x-coordinate", [Double](repeating: 0, count: 1 << 10))
      }
      #expect(message(of: "\(folder)/sparse.h5").contains("it declares"))
    }
  }

  /// What deflate can make of so few bytes is read in parts; a member that claims more is refused before.
  @Test func aMemberCannotClaimMoreThanItsBytesCanMake() throws {
    try withTemporaryFolder { folder in
      var bytes = try golden("compressed.npz")
      let place = try #require(find([0x50, 0x4B, 0x01, 0x02], in: bytes))
      for index in 0..<4 { bytes[place + 24 + index] = [0xFF, 0xFF, 0xFF, 0x7F][index] }
      #expect(try message(of: bytes, in: folder).contains("impossible size"))
    }
  }

  private func find(_ pattern: [UInt8], in bytes: [UInt8]) -> Int? {
    (0..<bytes.count - pattern.count).first { Array(bytes[$0..<$0 + pattern.count]) == pattern }
  }

  // MARK: - HDF5

  @Test(.timeLimit(.minutes(1))) func linksInCirclesEnd() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/circle.h5"
      try HDF5File.write(to: path) { file in
        let group = try file.root.createGroup("a")
        // Each entry leads back: without a memory of the groups that were entered there are 8^n paths.
        for index in 0..<8 { try group.link("again\(index)", to: ".") }
      }
      #expect(message(of: path).contains("of no layout that is known here"))
    }
  }

  @Test func numbersInOtherFilesAreNotFollowed() {
    // h5py's external storage and external links: a dataset that would read any file of the reader's.
    for name in ["external-storage.h5", "external-link.h5", "soft-circle.h5"] {
      let text = message(of: GoldenFiles.path(name))
      #expect(name != "external-storage.h5" || text.contains("lie in other files"), "\(text)")
    }
  }
}
