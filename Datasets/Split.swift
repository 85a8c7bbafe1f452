import Foundation

/// Which samples train and which test: the first of the training file, the last of the test file.
///
/// The choice of the papers' scripts, so that results compare.
public struct Split: Sendable, Equatable {
  /// The positions of the training samples in the training file.
  public let training: Range<Int>
  /// The positions of the validation samples in the training file: those that follow.
  public let validation: Range<Int>
  /// The positions of the test samples in the test file.
  public let test: Range<Int>

  /// Chooses samples of two files, which may be one.
  ///
  /// - Throws: `DatasetError.invalidSplit` if a file has fewer samples than asked for, or if a sample of one
  ///   file would both train, or validate, and test.
  public init(
    trainingFile: (path: String, sampleCount: Int), trainingSamples: Int,
    validationSamples: Int = 0, testFile: (path: String, sampleCount: Int), testSamples: Int
  ) throws {
    for (path, count, wanted, use) in [
      (trainingFile.path, trainingFile.sampleCount, trainingSamples, "training"),
      (testFile.path, testFile.sampleCount, testSamples, "test"),
    ] {
      guard wanted >= 1 else {
        throw DatasetError.invalidSplit("\(wanted) \(use) samples are asked for: at least 1 is needed")
      }
      guard wanted <= count else {
        throw DatasetError.invalidSplit(
          "\(path): \(wanted) \(use) samples are asked for, but it has \(count)")
      }
    }
    guard trainingSamples + validationSamples <= trainingFile.sampleCount else {
      throw DatasetError.invalidSplit(
        "\(trainingFile.path): \(trainingSamples) training and \(validationSamples) validation samples are "
          + "asked for, but it has \(trainingFile.sampleCount)")
    }
    training = 0..<trainingSamples
    validation = trainingSamples..<trainingSamples + validationSamples
    test = testFile.sampleCount - testSamples..<testFile.sampleCount
    if Self.isSameFile(trainingFile.path, testFile.path), (0..<validation.upperBound).overlaps(test) {
      let others = validation.isEmpty ? "" : ", \(validationSamples) validation"
      throw DatasetError.invalidSplit(
        "\(trainingFile.path): \(trainingSamples) training\(others) and \(testSamples) test samples overlap: "
          + "it has \(trainingFile.sampleCount)")
    }
  }

  /// Whether two paths lead to one file, links followed.
  private static func isSameFile(_ left: String, _ right: String) -> Bool {
    let paths = [left, right].map {
      URL(fileURLWithPath: $0).resolvingSymlinksInPath().standardizedFileURL.path
    }
    return paths[0] == paths[1]
  }
}
