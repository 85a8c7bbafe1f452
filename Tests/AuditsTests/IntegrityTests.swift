import Audits
import Datasets
import Foundation
import HDF5
import TestSupport
import Testing

/// The checks `checksums`, `finite values` and `statements`: files that are not as they were written.
@Suite struct IntegrityTests {
  /// One bit of the numbers of a sample, flipped in the file: HDF5's own checksum of the chunk finds it.
  @Test func oneFlippedBitOfAFieldIsFound() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try AuditedFile.make(AuditedFile.burgers, at: path)
      // Where sample 5 lies in the file: its numbers as bytes.
      let values = try DatasetFile(opening: path).read(field: "u", samples: 5..<6)
      let bytes = values.withUnsafeBuffer { Data(buffer: $0) }
      var file = try Data(contentsOf: URL(fileURLWithPath: path))
      let place = try #require(file.range(of: bytes))
      for (offset, bit) in [(0, 0), (place.count / 2, 3), (place.count - 1, 7)] {
        file[place.lowerBound + offset] ^= 1 << bit
        try file.write(to: URL(fileURLWithPath: path))
        file[place.lowerBound + offset] ^= 1 << bit
        let report = try AuditedFile.report(path)
        #expect(report.finds(.checksums, sample: 5, "it cannot be read"))
        #expect(report.samples(.checksums) == [5])
        #expect(report[.equation]?.verdict == .pass, "the other samples are audited")
        #expect(report[.equation]?.samples == 19)
      }
    }
  }

  /// One bit anywhere: found, or in bytes that hold nothing that is checked; never a crash.
  @Test func flippedBitsNeverCrash() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try AuditedFile.make(AuditedFile.burgers, ["samples=4", "grid=64", "stored_grid=16"], at: path)
      var file = try Data(contentsOf: URL(fileURLWithPath: path))
      let damaged = "\(folder)/damaged.h5"
      for index in stride(from: 3, to: file.count, by: file.count / 97) {
        file[index] ^= 1 << (index % 8)
        try file.write(to: URL(fileURLWithPath: damaged))
        file[index] ^= 1 << (index % 8)
        do {
          _ = try AuditedFile.report(damaged)
        } catch let error as HDF5Error {
          #expect(error.exitStatus == 65, "byte \(index): \(error)")
        } catch let error as DatasetError {
          #expect(error.exitStatus == 65, "byte \(index): \(error)")
        }
      }
    }
  }

  /// A number that was written over by a program: the chunk's checksum is right, that of the sample is not.
  @Test func aNumberThatWasWrittenOverIsFound() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try AuditedFile.make(AuditedFile.navierStokes, at: path)
      func write(_ value: Float) throws {
        let file = try HDF5File(opening: path, writable: true)
        let slab = HDF5Slab(start: [2, 1, 5, 8], count: [1, 1, 1, 1])
        try file.root.dataset("t0_fields/vorticity").write([value], slab)
        try file.close()
      }
      try write(0.7)
      let report = try AuditedFile.report(path)
      #expect(report.finds(.checksums, sample: 2, "it is not as it was written (wrong checksum)"))
      #expect(report.samples(.equation) == [2])
      for value in [Float.nan, .infinity] {
        try write(value)
        let report = try AuditedFile.report(path)
        #expect(report.finds(.finiteValues, sample: 2, frame: 1, "1 numbers are infinite or not a number"))
        #expect(report[.finiteValues]?.findings.first?.place?.point == [5, 8])
        #expect(report[.equation]?.verdict == .pass, "the sample is left out of the other checks")
        #expect(report[.outliers]?.samples == 11)
      }
    }
  }

  @Test func filesWithoutChecksumsAreReadAllTheSame() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/well.h5"
      try HDF5File.write(to: path) { file in
        let dimensions = try file.root.createGroup("dimensions")
        try dimensions.attributes.set("spatial_dims", ["x"])
        try dimensions.createDataset("x", (0..<8).map { Double($0) / 8 })
        let fields = try file.root.createGroup("t0_fields")
        try fields.attributes.set("field_names", ["u"])
        let values = (0..<24).map { Double($0 * $0) }
        let field = try fields.createDataset("u", values, shape: [3, 8])
        try field.attributes.set("sample_varying", true)
        try field.attributes.set("time_varying", false)
        try field.attributes.set("dim_varying", [true])
      }
      let report = try AuditedFile.report(path)
      #expect(report[.checksums]?.verdict == .notApplicable)
      #expect(report[.checksums]?.message == "the file has no checksums of its samples; all could be read")
      #expect(report[.finiteValues]?.verdict == .pass && report[.duplicates]?.verdict == .pass)
      #expect(report[.equation]?.verdict == .notApplicable)
    }
  }

  @Test func attributesThatContradictTheConfigurationAreFound() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try AuditedFile.make(AuditedFile.burgers, at: path)
      let file = try HDF5File(opening: path, writable: true)
      try file.root.attributes.set("nu", 0.2)
      try file.root.attributes.set("seed", UInt64(7))
      try file.close()
      let report = try AuditedFile.report(path)
      #expect(report.finds(.statements, sample: nil, "nu is 0.2, in the configuration 0.1"))
      #expect(report.finds(.statements, sample: nil, "the seed is 7, in the configuration 1"))
      #expect(report[.equation]?.verdict == .pass)
    }
  }
}
