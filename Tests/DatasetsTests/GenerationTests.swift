import Datasets
import Foundation
import Glibc
import HDF5
import Tensors
import TestSupport
import Testing

@Suite(.serialized) struct GenerationTests {
  private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// Generates until `count` samples are complete, then cancels.
  private func generate(
    _ source: some SampleSource, until count: Int, of samples: Range<Int>, to path: String,
    options: GenerationOptions = testOptions
  ) throws {
    #expect(throws: CancellationError.self) {
      try generateDataset(from: source, samples: samples, to: path, options: options) { progress in
        if progress.completed >= count { throw CancellationError() }
      }
    }
  }

  @Test(arguments: [StoredPrecision.single, .double], [nil, 4])
  func whatIsWrittenIsRead(precision: StoredPrecision, deflate: Int?) throws {
    try withTemporaryFolder { folder in
      let source = AnalyticSource()
      let path = "\(folder)/new/data.h5"
      var options = testOptions
      options.precision = precision
      options.deflate = deflate
      let progress = try generateDataset(from: source, samples: 3..<11, to: path, options: options)
      #expect(progress.completed == 8 && progress.resumed == 0)
      #expect(!exists(path + ".partial") && !exists(path + ".partial.journal"))

      let file = try DatasetFile(opening: path)
      #expect(file.description == source.description)
      #expect(file.sampleCount == 8)
      #expect(file.precision == precision)
      #expect(file.provenance == options.provenance)
      #expect(try file.sampleSeeds() == (3..<11).map { UInt64($0) })
      #expect(try file.solveSeconds()?.allSatisfy { $0 >= 0 } == true)
      let created = try #require(file.createdAt)
      #expect(ISO8601DateFormatter().date(from: created) != nil)
      #expect(try file.verifyChecksums())
      let u = try file.readDouble(field: "u", samples: 0..<8)
      #expect(u.shape == [8, 5, 6, 9])
      let coefficient = try file.readDouble(field: "coefficient", samples: 0..<8)
      #expect(coefficient.shape == [8, 1, 6, 9])
      for sample in 0..<8 {
        for point in [[0, 0], [5, 8], [2, 3]] {
          for time in 0..<5 {
            let exact = AnalyticSource.u(sample + 3, time, point)
            let stored = precision == .single ? Double(Float(exact)) : exact
            #expect(u[sample, time, point[0], point[1]] == stored)
          }
          let exact = -AnalyticSource.u(sample + 3, 0, point)
          let stored = precision == .single ? Double(Float(exact)) : exact
          #expect(coefficient[sample, 0, point[0], point[1]] == stored)
        }
      }
    }
  }

  @Test func threadsAndInterruptionsDoNotChangeTheFields() throws {
    try withTemporaryFolder { folder in
      let source = AnalyticSource()
      let threads = Parallelism.threadCount
      defer { Parallelism.threadCount = threads }
      Parallelism.threadCount = 1
      try generateDataset(from: source, samples: 0..<12, to: "\(folder)/one.h5", options: testOptions)
      Parallelism.threadCount = 3
      try generateDataset(from: source, samples: 0..<12, to: "\(folder)/three.h5", options: testOptions)
      for count in [0, 3, 7, 11] {
        try generate(source, until: count, of: 0..<12, to: "\(folder)/resumed.h5")
        #expect(exists("\(folder)/resumed.h5.partial"))
      }
      try generateDataset(from: source, samples: 0..<12, to: "\(folder)/resumed.h5", options: testOptions)
      try generateDataset(from: source, samples: 0..<5, to: "\(folder)/shard.h5", options: testOptions)
      let expected = try fieldBytes("\(folder)/one.h5")
      #expect(try fieldBytes("\(folder)/three.h5") == expected)
      #expect(try fieldBytes("\(folder)/resumed.h5") == expected)
      #expect(try fieldBytes("\(folder)/shard.h5")[0] == Array(expected[0].prefix(5 * 5 * 54)))
      let checksums = try ["one", "three", "resumed"].map {
        try DatasetFile(opening: "\(folder)/\($0).h5").contentChecksum()
      }
      #expect(checksums[0] != nil && Set(checksums).count == 1)
    }
  }

  @Test func onlyMissingSamplesAreSolvedAgain() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      let source = ObservedSource(base: AnalyticSource())
      try generate(source, until: 5, of: 0..<30, to: path)
      let journal = try String(contentsOfFile: path + ".partial.journal", encoding: .utf8)
      let kept = Set(journal.split(separator: "\n").dropFirst().map { Int($0.split(separator: " ")[0])! })
      #expect(kept.count >= 5)

      let second = ObservedSource(base: AnalyticSource())
      let progress = try generateDataset(from: second, samples: 0..<30, to: path, options: testOptions)
      #expect(progress.resumed == kept.count && progress.notice == nil)
      #expect(second.calls.samples.withLock { Set($0) } == Set(0..<30).subtracting(kept))
      #expect(try DatasetFile(opening: path).verifyChecksums())
    }
  }

  @Test func aTornJournalAndTornSamplesAreMended() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      // Frames of 240 kB, so two runs of three frames, the second with one frame to spare.
      let source = ObservedSource(base: AnalyticSource(times: 5, grid: [150, 200]))
      var options = testOptions
      options.precision = .double
      try generateDataset(from: source, samples: 0..<4, to: "\(folder)/whole.h5", options: options)
      try generate(source, until: 3, of: 0..<4, to: path, options: options)

      // A kill in the middle of a line, and of the chunks of the sample that was being written.
      let journalPath = path + ".partial.journal"
      var lines = try String(contentsOfFile: journalPath, encoding: .utf8).split(separator: "\n")
      let torn = lines.removeLast()
      let lost = try #require(Int(torn.split(separator: " ")[0]))
      let text = lines.joined(separator: "\n") + "\n" + torn.prefix(torn.count / 2)
      try text.write(toFile: journalPath, atomically: true, encoding: .utf8)
      let partial = try HDF5File(opening: path + ".partial", writable: true)
      let u = try partial.root.dataset("t0_fields/u")
      let chunk = try u.chunks() ?? []
      #expect(chunk == [1, 3, 150, 200])
      for start in stride(from: 0, to: 5, by: chunk[1]) {
        let bytes = [UInt8](repeating: 0xA5, count: chunk.reduce(8, *) + 4)
        try u.writeRawChunk(bytes, at: [lost, start, 0, 0])
      }
      try partial.close()

      let progress = try generateDataset(from: source, samples: 0..<4, to: path, options: options)
      #expect(progress.resumed == lines.count - 1)
      #expect(try fieldBytes(path) == fieldBytes("\(folder)/whole.h5"))
    }
  }

  @Test func completeSamplesThatWereDamagedAreSolvedAgain() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      let source = AnalyticSource()
      try generate(source, until: 3, of: 0..<4, to: path)
      let journal = try String(contentsOfFile: path + ".partial.journal", encoding: .utf8)
      let first = try #require(Int(journal.split(separator: "\n")[1].split(separator: " ")[0]))
      let partial = try HDF5File(opening: path + ".partial", writable: true)
      let slab = HDF5Slab(start: [first, 0, 0, 0], count: [1, 1, 1, 1])
      try partial.root.dataset("t0_fields/u").write([Float(99)], slab)
      try partial.close()
      let progress = try generateDataset(from: source, samples: 0..<4, to: path, options: testOptions)
      #expect(progress.notice?.contains("1 damaged samples are solved again") == true)
      #expect(try DatasetFile(opening: path).verifyChecksums())
      #expect(try DatasetFile(opening: path).read(field: "u", samples: first..<first + 1)[0, 0, 0, 0] != 99)
    }
  }

  @Test func aPartialFileThatCannotBeOpenedIsBegunAnew() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try generate(AnalyticSource(), until: 3, of: 0..<4, to: path)
      let handle = try #require(FileHandle(forUpdatingAtPath: path + ".partial"))
      try handle.truncate(atOffset: 3000)
      try handle.close()
      let progress = try generateDataset(
        from: AnalyticSource(), samples: 0..<4, to: path, options: testOptions)
      #expect(progress.resumed == 0 && progress.notice?.contains("truncated") == true)
      #expect(try DatasetFile(opening: path).verifyChecksums())

      // A kill before the journal was begun leaves an empty one.
      try generate(AnalyticSource(), until: 3, of: 0..<4, to: "\(folder)/b.h5")
      try Data().write(to: URL(fileURLWithPath: "\(folder)/b.h5.partial.journal"))
      let again = try generateDataset(
        from: AnalyticSource(), samples: 0..<4, to: "\(folder)/b.h5", options: testOptions)
      #expect(again.resumed == 0)
    }
  }

  /// What a kill leaves after the last sample is solved: while compressing, before the rename, after it.
  ///
  /// Each state is continued to the undisturbed file without solving anything again.
  @Test(arguments: [nil, 4]) func aKillAtAnyStepOfTheEndIsContinued(deflate: Int?) throws {
    try withTemporaryFolder { folder in
      var options = testOptions
      options.deflate = deflate
      let manager = FileManager.default
      let whole = "\(folder)/whole.h5"
      // Copies of the files as they are at a moment are what a kill at that moment leaves.
      func snapshot(_ name: String, _ suffixes: [String: String]) throws {
        try manager.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        for (source, target) in suffixes where exists(whole + source) {
          try manager.copyItem(atPath: whole + source, toPath: "\(folder)/\(name)/data.h5" + target)
        }
      }
      let files = [".partial", ".partial.journal", ".partial.compressed"]
      let all = Dictionary(uniqueKeysWithValues: files.map { ($0, $0) })
      var states: [String] = []
      func keep(_ name: String, _ suffixes: [String: String]) throws {
        try snapshot(name, suffixes)
        states.append(name)
      }
      try generateDataset(from: AnalyticSource(), samples: 0..<6, to: whole, options: options) { progress in
        if progress.phase == .solving && progress.completed == 6 { try keep("solved", all) }
        if progress.phase == .compressing && [1, 4, 6].contains(progress.completed) {
          try keep("compressing \(progress.completed)", all)
        }
      }
      #expect(states.count == (deflate == nil ? 1 : 4))
      #expect(exists("\(folder)/compressing 4/data.h5.partial.compressed") == (deflate != nil))
      // Complete but without its name; with its name but the journal not removed.
      try keep("complete", ["": ".partial"])
      try keep("renamed", ["": ""])
      for state in ["complete", "renamed"] {
        try manager.copyItem(
          atPath: "\(folder)/solved/data.h5.partial.journal",
          toPath: "\(folder)/\(state)/data.h5.partial.journal")
      }
      let expected = try content(whole)
      for state in states {
        let source = ObservedSource(base: AnalyticSource())
        let path = "\(folder)/\(state)/data.h5"
        let progress = try generateDataset(from: source, samples: 0..<6, to: path, options: options)
        #expect(progress.resumed == 6, "\(state)")
        #expect(source.calls.samples.withLock { $0.isEmpty }, "\(state)")
        #expect(try content(path) == expected, "\(state)")
        #expect(try DatasetFile(opening: path).deflate() == deflate)
        let left = try manager.contentsOfDirectory(atPath: "\(folder)/\(state)").sorted()
        #expect(left == (state == "renamed" ? ["data.h5"] : ["data.h5", "data.xmf"]), "\(state)")
      }
    }
  }

  /// A journal beside a file does not make it the one that was asked for.
  @Test func aJournalBesideAnotherFileIsNotTrusted() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try generate(AnalyticSource(), until: 3, of: 0..<4, to: path)
      try FileManager.default.removeItem(atPath: path + ".partial")
      var other = testOptions
      other.provenance.seed = 43
      try generateDataset(from: AnalyticSource(), samples: 0..<4, to: "\(folder)/other.h5", options: other)
      try FileManager.default.copyItem(atPath: "\(folder)/other.h5", toPath: path)
      #expect(throws: DatasetError.alreadyExists(path: path)) {
        try generateDataset(from: AnalyticSource(), samples: 0..<4, to: path, options: testOptions)
      }
      #expect(try DatasetFile(opening: path).provenance?.seed == 43)
    }
  }

  @Test func aDamagedCompressedFileIsMadeAnew() throws {
    try withTemporaryFolder { folder in
      var options = testOptions
      options.deflate = 4
      let path = "\(folder)/data.h5"
      var journal = Data()
      try generateDataset(from: AnalyticSource(), samples: 0..<4, to: path, options: options) { _ in
        journal = try Data(contentsOf: URL(fileURLWithPath: path + ".partial.journal"))
      }
      let expected = try content(path)
      try FileManager.default.moveItem(atPath: path, toPath: path + ".partial")
      try journal.write(to: URL(fileURLWithPath: path + ".partial.journal"))
      let file = try HDF5File(opening: path + ".partial", writable: true)
      try file.root.dataset("t0_fields/u").write(
        [Float(99)], HDF5Slab(start: [2, 0, 0, 0], count: [1, 1, 1, 1]))
      try file.close()
      let progress = try generateDataset(
        from: AnalyticSource(), samples: 0..<4, to: path, options: options)
      #expect(progress.resumed == 0)
      #expect(try content(path) == expected)
    }
  }

  @Test func compressionIsStoppedAndContinued() throws {
    try withTemporaryFolder { folder in
      var options = testOptions
      options.deflate = 4
      let path = "\(folder)/data.h5"
      #expect(throws: CancellationError.self) {
        try generateDataset(from: AnalyticSource(), samples: 0..<4, to: path, options: options) { progress in
          if progress.phase == .compressing { throw CancellationError() }
        }
      }
      #expect(exists(path + ".partial") && !exists(path + ".partial.compressed") && !exists(path))
      let source = ObservedSource(base: AnalyticSource())
      try generateDataset(from: source, samples: 0..<4, to: path, options: options)
      #expect(source.calls.samples.withLock { $0.isEmpty })
      #expect(try DatasetFile(opening: path).verifyChecksums())
    }
  }

  /// While one sample is written the next ones are solved: here writing takes until two more are begun.
  @Test func writingOverlapsSolving() throws {
    try withTemporaryFolder { folder in
      let source = ObservedSource(base: AnalyticSource())
      var slowest = 0
      try generateDataset(
        from: source, samples: 0..<12, to: "\(folder)/data.h5", options: testOptions
      ) { progress in
        guard progress.phase == .solving, progress.completed > 0 else { return }
        // `progress` is called on the thread that writes. A minute passes only if nothing is solved meanwhile.
        var waits = 0
        let goal = min(12, progress.completed + 2)
        while source.calls.samples.withLock({ $0.count }) < goal && waits < 12_000 {
          usleep(5000)
          waits += 1
        }
        slowest = max(slowest, waits)
      }
      #expect(slowest < 12_000)
    }
  }

  /// However slow the writing is, no more solved samples wait for it than are allowed to.
  @Test func solvedSamplesThatWaitAreFew() {
    withTemporaryFolder { folder in
      let source = ObservedSource(base: AnalyticSource())
      // Other tests change the number of threads meanwhile, to 8 at most.
      let threads = max(8, Parallelism.processorCount)
      var mostAhead = 0
      #expect(throws: CancellationError.self) {
        try generateDataset(
          from: source, samples: 0..<100 * threads, to: "\(folder)/data.h5", options: testOptions
        ) { progress in
          guard progress.phase == .solving else { return }
          usleep(2000)
          mostAhead = max(mostAhead, source.calls.samples.withLock { $0.count } - progress.completed)
          if progress.completed == 25 { throw CancellationError() }
        }
      }
      // As they are small, 16 per thread wait, one per thread is being solved, and one has just been taken.
      #expect(mostAhead > 1 && mostAhead <= 16 * threads + threads + 1)
    }
  }

  @Test func otherSettingsAndExistingFilesAreRefused() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      let source = AnalyticSource()
      try generate(source, until: 2, of: 0..<4, to: path)
      var other = testOptions
      other.provenance.seed = 43
      #expect(
        throws: DatasetError.otherConfiguration(
          partial: path + ".partial", difference: "its seed is 42, not 43")
      ) {
        try generateDataset(from: source, samples: 0..<4, to: path, options: other)
      }
      #expect(
        throws: DatasetError.otherConfiguration(
          partial: path + ".partial", difference: "it holds the samples 0 to 3, not 0 to 4")
      ) {
        try generateDataset(from: source, samples: 0..<5, to: path, options: testOptions)
      }
      let incomplete = #expect(throws: DatasetError.self) { try DatasetFile(opening: path + ".partial") }
      #expect(incomplete?.description.contains("run the same generate again") == true)
      #expect(incomplete?.exitStatus == 65)

      other.existing = .replaced
      try generateDataset(from: source, samples: 0..<4, to: path, options: other)
      let exists = #expect(throws: DatasetError.self) {
        try generateDataset(from: source, samples: 0..<4, to: path, options: testOptions)
      }
      #expect(exists == .alreadyExists(path: path) && exists?.exitStatus == 73)
      try generateDataset(from: source, samples: 0..<4, to: path, options: other)
      #expect(try DatasetFile(opening: path).provenance?.seed == 43)
    }
  }

  @Test func solutionsThatAreNotFiniteAreRefused() throws {
    try withTemporaryFolder { folder in
      for bad in [Double.nan, .infinity, 1e39] {
        let path = "\(folder)/data-\(bad).h5"
        let source = ObservedSource(base: AnalyticSource(), failing: [5: [bad]])
        #expect(throws: DatasetError.nonFiniteSolution(field: "u", sample: 5)) {
          try generateDataset(from: source, samples: 4..<8, to: path, options: testOptions)
        }
        #expect(!exists(path))
      }
      // 1e39 fits into double precision.
      var double = testOptions
      double.precision = .double
      let source = ObservedSource(base: AnalyticSource(), failing: [1: [1e39]])
      try generateDataset(from: source, samples: 0..<2, to: "\(folder)/double.h5", options: double)
      // As single precision it is infinite: read, it is refused by name.
      #expect(throws: DatasetError.nonFinite(path: "\(folder)/double.h5", field: "u", sample: 1)) {
        try DatasetFile(opening: "\(folder)/double.h5").read(field: "u", samples: 0..<2)
      }
    }
  }

  @Test func twoProcessesDoNotWriteOneFile() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try generateDataset(from: AnalyticSource(), samples: 0..<2, to: path, options: testOptions) {
        progress in
        guard progress.completed == 0 else { return }
        #expect(throws: DatasetError.inUse(path: path + ".partial.journal")) {
          try generateDataset(from: AnalyticSource(), samples: 0..<2, to: path, options: testOptions)
        }
      }
    }
  }
}
