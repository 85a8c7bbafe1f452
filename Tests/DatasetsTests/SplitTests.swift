import Datasets
import Foundation
import TestSupport
import Testing

@Suite struct SplitTests {
  private func split(_ training: (String, Int), _ test: (String, Int), counts: (Int, Int)) throws -> Split {
    try Split(
      trainingFile: (path: training.0, sampleCount: training.1), trainingSamples: counts.0,
      testFile: (path: test.0, sampleCount: test.1), testSamples: counts.1)
  }

  @Test func theFirstTrainAndTheLastTest() throws {
    let one = try split(("a.h5", 1200), ("a.h5", 1200), counts: (1000, 200))
    #expect(one.training == 0..<1000 && one.test == 1000..<1200)
    let two = try split(("a.h5", 100), ("b.h5", 50), counts: (100, 20))
    #expect(two.training == 0..<100 && two.test == 30..<50)
  }

  @Test func validationSamplesFollowTheTrainingSamples() throws {
    func split(_ validation: Int) throws -> Split {
      try Split(
        trainingFile: (path: "a.h5", sampleCount: 100), trainingSamples: 70, validationSamples: validation,
        testFile: (path: "a.h5", sampleCount: 100), testSamples: 20)
    }
    #expect(try split(10).validation == 70..<80 && split(0).validation.isEmpty)
    #expect(
      throws: DatasetError.invalidSplit(
        "a.h5: 70 training, 11 validation and 20 test samples overlap: it has 100")
    ) { try split(11) }
    #expect(
      throws: DatasetError.invalidSplit(
        "a.h5: 70 training and 31 validation samples are asked for, but it has 100")
    ) { try split(31) }
  }

  @Test func askingForTooMuchNamesBothNumbers() throws {
    func message(_ training: (String, Int), _ test: (String, Int), _ counts: (Int, Int)) -> String {
      (#expect(throws: DatasetError.self) { _ = try split(training, test, counts: counts) })?.description
        ?? ""
    }
    #expect(
      message(("a.h5", 100), ("b.h5", 50), (101, 20))
        == "a.h5: 101 training samples are asked for, but it has 100")
    #expect(
      message(("a.h5", 100), ("b.h5", 50), (100, 51)) == "b.h5: 51 test samples are asked for, but it has 50")
    #expect(
      message(("a.h5", 100), ("./a.h5", 100), (81, 20))
        == "a.h5: 81 training and 20 test samples overlap: it has 100")
    #expect(message(("a.h5", 100), ("b.h5", 50), (0, 20)).contains("at least 1 is needed"))
  }

  @Test func linksToOneFileAreOneFile() throws {
    try withTemporaryFolder { folder in
      try Data().write(to: URL(fileURLWithPath: "\(folder)/a.h5"))
      try FileManager.default.createSymbolicLink(
        atPath: "\(folder)/b.h5", withDestinationPath: "\(folder)/a.h5")
      #expect(throws: DatasetError.self) {
        try split(("\(folder)/a.h5", 10), ("\(folder)/b.h5", 10), counts: (9, 2))
      }
    }
  }
}
