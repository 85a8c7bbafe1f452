import Foundation
import HDF5
import TestSupport
import Testing

/// `convert` as a user runs it, and the other verbs on files of other layouts.
struct ConvertTests {
  private static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Golden/Layouts").path

  /// The JSON document that a command prints.
  private func document(_ arguments: [String], in folder: String) throws -> [String: Any] {
    let outcome = try Command.run(arguments + ["--json"], in: folder)
    #expect(outcome.status == 0, "\(outcome.messages)")
    let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return try #require(object as? [String: Any])
  }

  @Test func aFileOfThePaperBecomesOneOfOurs() throws {
    try withTemporaryFolder { folder in
      let file = "\(Self.golden)/navier-stokes-v73.mat"
      let summary = try document(
        [
          "convert", file, "flow.h5", "equation.kind=navier-stokes", "equation.viscosity=1e-3", "length=1",
        ], in: folder)
      #expect(summary["input_layout"] as? String == "matlab" && summary["output_layout"] as? String == "well")
      #expect(summary["samples"] as? Int == 5)
      let root = try HDF5File(opening: "\(folder)/flow.h5").root
      #expect(try root.dataset("t0_fields/vorticity").shape() == [5, 5, 8, 6])
      #expect(try root.dataset("dimensions/time").read(as: Double.self) == [0, 1, 2, 3, 4])
      #expect(try root.dataset("dimensions/x").read(as: Double.self) == (0..<8).map { Double($0) / 8 })
      #expect(try root.attributes.scalar("nu", as: Double.self) == 1e-3)
      let inspected = try document(["inspect", "flow.h5"], in: folder)
      #expect((inspected["parameters"] as? [String: Double]) == ["nu": 1e-3])
      // The numbers of the first frame are those of 'a', the others those of 'u'.
      let frames = try root.dataset("t0_fields/vorticity").read(as: Double.self)
      #expect(frames[0] == 100 && frames[48] == 200 && frames[frames.count - 1] == 270.9140625)
    }
  }

  @Test func whatIsNotKnownIsLeftOpenAndSaid() throws {
    try withTemporaryFolder { folder in
      let outcome = try Command.run(["convert", "\(Self.golden)/burgers-v5.mat", "b.npz"], in: folder)
      #expect(outcome.status == 0)
      #expect(
        outcome.messages.contains("left out, because they follow from others: a_smooth, a_smooth_x, a_x"))
      #expect(outcome.messages.contains("not stated and left open: the coordinates (length=...)"))
      let inspected = try Command.run(["inspect", "b.npz"], in: folder)
      #expect(inspected.output.contains("16 points, coordinates not stated, periodic or bounded: not stated"))
    }
  }

  @Test func mistakesWriteNothing() throws {
    try withTemporaryFolder { folder in
      let file = "\(Self.golden)/burgers-v5.mat"
      let cases: [(arguments: [String], status: Int32, text: String)] = [
        ([file, "out.dat"], 64, "its ending does not tell the layout"),
        ([file, "out.h5", "lenght=1"], 64, "unknown key 'lenght'; did you mean 'length'?"),
        ([file, "out.h5", "length=-1"], 64, "must be positive"),
        ([file, "out.h5", "length=1"], 64, "not whether axis x is periodic"),
        ([file, "out.h5", "equation.kind=burgesr"], 64, "it must be one of burgers"),
        ([file, "out.h5", "equation.kind=burgers", "times=0,1,2"], 64, "has 2 frames"),
        ([file, "out.h5", "fields.w=u"], 64, "there are 'a', 'u'"),
        ([file, "out.h5", "fields.a=u"], 64, "two fields"),
        ([file, "out.h5", "length.z=1"], 64, "there is no axis 'z'"),
        ([file, "out.h5", "--to", "matlab"], 64, "not written as MATLAB files"),
        (["missing.mat", "out.h5"], 66, "there is no such file"),
        ([file, "exists.npz"], 73, "exists already"),
        (["exists.npz", "out.h5"], 65, "not a zip archive, or damaged"),
      ]
      try "PK".write(toFile: "\(folder)/exists.npz", atomically: false, encoding: .utf8)
      for (arguments, status, text) in cases {
        let outcome = try Command.run(["convert"] + arguments, in: folder)
        #expect(outcome.status == status && outcome.messages.contains(text), "\(arguments): \(outcome)")
      }
      let left = try names(in: folder)
      #expect(left == ["exists.npz"])
      // Onto itself, even if it may be replaced.
      let own = try Command.run(["convert", "exists.npz", "./exists.npz", "--overwrite"], in: folder)
      #expect(own.status == 64)
    }
  }

  @Test func aFullDiskLeavesNothing() throws {
    try withTemporaryFolder { folder in
      for output in ["out.h5", "out.npz", "out.pt"] {
        let outcome = try Command.run(
          ["convert", "\(Self.golden)/pdebench-compressible.hdf5", output], in: folder, fileSizeLimit: 4)
        #expect(outcome.status == 74, "\(outcome)")
      }
      let left = try names(in: folder)
      #expect(left.isEmpty, "\(left)")
    }
  }

  /// Training sees the same numbers whatever the layout, so it gives the same bits.
  @Test(arguments: ["burgers.npz", "burgers.pt", "burgers.hdf5"])
  func trainingReadsEveryLayout(_ name: String) throws {
    try Samples.withFolder { folder in
      for arguments in [
        ["generate", "burgers.yaml"],
        ["convert", "burgers.h5", name] + (name.hasSuffix("hdf5") ? ["--to", "pdebench"] : []),
        ["train", "train.yaml", "output=a"], ["train", "train.yaml", "output=b", "data.train=\(name)"],
        ["evaluate", "b"],
      ] {
        let outcome = try Command.run(arguments + ["--quiet"], in: folder)
        #expect(outcome.status == 0, "\(arguments): \(outcome)")
      }
      let metrics = try ["a", "b"].map {
        try String(contentsOfFile: "\(folder)/\($0)/metrics.csv", encoding: .utf8).split(separator: "\n")
          .filter { !$0.contains(",seconds,") }
      }
      #expect(metrics[0] == metrics[1] && !metrics[0].isEmpty)
    }
  }
}
