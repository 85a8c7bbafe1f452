import Archives
import Datasets
import Experiments
import Files
import HDF5
import InverseProblems
import Solvers
import Testing
import Training

@Suite struct ExitStatusTests {
  private struct Surprise: Error {}

  @Test func everyLibraryErrorHasItsStatus() {
    let cases: [(any Error, Experiments.ExitStatus)] = [
      (InputError(path: "a", reason: "r"), .noInput),
      (OutputError(.exists, path: "a", reason: "r"), .cannotCreate),
      (OutputError(.notCreatable, path: "a", reason: "r"), .cannotCreate),
      (OutputError(.writeFailed, path: "a", reason: "r"), .inputOutput),
      (HDF5Error(.missing, path: "a", "m"), .noInput),
      (HDF5Error(.corrupt, path: "a", "m"), .badData),
      (HDF5Error(.writeFailed, path: "a", "m"), .inputOutput),
      (DatasetError.alreadyExists(path: "a"), .cannotCreate),
      (DatasetError.damaged(path: "a", reason: "r"), .badData),
      (DatasetError.notReadable(path: "a", reason: "r"), .badData),
      (ArchiveError(.missing, path: "a", "m"), .noInput),
      (ArchiveError(.unreadable, path: "a", "m"), .noInput),
      (ArchiveError(.damaged, path: "a", "m"), .badData),
      (ArchiveError(.notCreatable, path: "a", "m"), .cannotCreate),
      (ArchiveError(.writeFailed, path: "a", "m"), .inputOutput),
      (DatasetError.nonFinite(path: "a", field: "u", sample: 3), .badData),
      (DatasetError.invalidSplit("t"), .usage),
      (SolverError.invalidProblem("t"), .usage),
      (SolverError.underResolved(sample: 0, time: 1, grid: 8, suggestion: 16), .usage),
      (SolverError.blowUp(sample: 1, time: 2, advice: "t"), .badData),
      (TrainingError.diverged(epoch: 1, batch: 2, loss: .nan), .badData),
      (ChainCheckpoint.Failure.otherInversion(path: "a", "t"), .badData),
      (FileError(.writeFailed, path: "a"), .inputOutput),
      (FileError(.notCreatable, path: "a"), .cannotCreate),
      (CancellationError(), .interrupted),
      (Surprise(), .defect),
    ]
    for (error, status) in cases {
      let failure = Failure(error)
      #expect(failure.status == status, "\(error)")
      #expect(!failure.message.isEmpty)
      #expect(failure.message.split(separator: "\n").count <= 2)
    }
  }
}

@Suite struct ProgressTests {
  @Test func durations() {
    #expect(Progress.clock(0.26) == "0.3 s")
    #expect(Progress.clock(12.4) == "12 s")
    #expect(Progress.clock(125) == "2 min 05 s")
    #expect(Progress.clock(3_900) == "1 h 05 min")
    #expect(Progress.clock(.infinity) == "unknown time")
  }

  @Test func lineWithRateAndTimeLeft() {
    let start = ContinuousClock.now
    let progress = Progress(
      Console(isQuiet: true), label: "training", unit: "batches", total: 100, alreadyDone: 40)
    // Earlier work does not count for the rate: 20 batches in about 10 s, so 40 more take about 20 s.
    let line = progress.line(60, at: start + .seconds(10), detail: "error 0.1")
    #expect(line.hasPrefix("training 60/100 batches, 2.0"))
    #expect(line.hasSuffix("20 s left, error 0.1"))
    #expect(progress.line(40, at: start + .seconds(10), detail: "") == "training 40/100 batches")
  }
}
