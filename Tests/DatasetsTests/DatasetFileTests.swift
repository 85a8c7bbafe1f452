import Datasets
import Foundation
import HDF5
import Tensors
import TestSupport
import Testing

@Suite struct DatasetFileTests {
  private func withDataset(
    times: Int = 5, grid: [Int] = [6, 9], _ body: (String, DatasetFile) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let source = AnalyticSource(times: times, grid: grid)
      let path = "\(folder)/data.h5"
      try generateDataset(from: source, samples: 0..<4, to: path, options: testOptions)
      try body(path, DatasetFile(opening: path))
    }
  }

  @Test func partsAreThoseOfTheWhole() throws {
    try withDataset { _, file in
      let whole = try file.read(field: "u", samples: 0..<4)
      let part = try file.read(field: "u", samples: 1..<3, frames: [4, 0], stride: 2)
      #expect(part.shape == [2, 2, 3, 5])
      for (i, sample) in (1..<3).enumerated() {
        for (j, frame) in [4, 0].enumerated() {
          for x in 0..<3 {
            for y in 0..<5 { #expect(part[i, j, x, y] == whole[sample, frame, 2 * x, 2 * y]) }
          }
        }
      }
      let frames = try file.read(field: "u", samples: 0..<4, frames: [3])
      #expect(frames.shape == [4, 1, 6, 9])
      #expect(frames[2, 0, 5, 1] == whole[2, 3, 5, 1])
      let steady = try file.read(field: "coefficient", samples: 3..<4, frames: [2], stride: 2)
      #expect(steady.shape == [1, 1, 3, 5])
      #expect(try file.read(field: "u", samples: 2..<2).shape == [0, 5, 6, 9])
      #expect(file.coordinates(axis: 1, stride: 4) == [0, 1, 2])
      let double = try file.readDouble(field: "u", samples: 0..<4, stride: 2)
      #expect(double == Tensor<Double>(converting: try file.read(field: "u", samples: 0..<4, stride: 2)))
    }
  }

  @Test func partsThatAreNotThereAreErrors() throws {
    try withDataset { path, file in
      func message(_ body: () throws -> Void) -> String {
        (#expect(throws: DatasetError.self) { try body() })?.description ?? ""
      }
      #expect(
        message { _ = try file.read(field: "v", samples: 0..<1) }
          == "\(path): no field 'v' (it holds: 'u', 'coefficient')")
      #expect(
        message { _ = try file.read(field: "u", samples: 2..<6) }
          == "\(path): samples 2 to 5 are asked for, but it has 4")
      #expect(message { _ = try file.read(field: "u", samples: 0..<1, frames: [5]) }.contains("no time 5"))
      // 6 periodic points have 6 intervals, 9 bounded ones 8: a stride of 3 would lose the boundary y = 2.
      #expect(
        message { _ = try file.read(field: "u", samples: 0..<1, stride: 3) }
          == "\(path): stride 3 does not divide the 8 intervals of axis y")
    }
  }

  @Test func foreignFilesSayWhatIsMissing() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/foreign.h5"
      try HDF5File.write(to: path) { file in
        try file.root.createDataset("tensor", [1.0, 2])
        try file.root.createDataset("x-coordinate", [1.0, 2])
      }
      let error = #expect(throws: DatasetError.self) { try DatasetFile(opening: path) }
      #expect(
        error?.description == "\(path): not a dataset in the layout of The Well: no group 'dimensions' "
          + "(it holds: 'tensor', 'x-coordinate')")
      #expect(error?.exitStatus == 65)
      #expect(throws: HDF5Error.self) { try DatasetFile(opening: "\(folder)/missing.h5") }
    }
  }

  @Test func brokenLayoutsAreErrorsAndNeverCrashes() throws {
    try withDataset { path, _ in
      let changes: [(HDF5Group) throws -> Void] = [
        { try $0.group("dimensions").attributes.set("spatial_dims", ["x", "x"]) },
        { try $0.group("dimensions").attributes.set("spatial_dims", ["x"]) },
        { try $0.group("dimensions").attributes.set("spatial_dims", [String]()) },
        { try $0.group("dimensions").attributes.set("spatial_dims", [1.0]) },
        { try $0.group("dimensions").attributes.set("spatial_dims", ["x", "z"]) },
        { try $0.group("dimensions").attributes.remove("spatial_dims") },
        { try $0.group("t0_fields").attributes.set("field_names", [String]()) },
        { try $0.group("t0_fields").attributes.set("field_names", ["u", "u"]) },
        { try $0.group("t0_fields").attributes.set("field_names", ["u", "w"]) },
        { try $0.dataset("t0_fields/u").attributes.set("time_varying", false) },
        { try $0.dataset("t0_fields/u").attributes.set("sample_varying", false) },
        { try $0.dataset("t0_fields/u").attributes.remove("dim_varying") },
        { try $0.group("boundary_conditions/x_periodic").attributes.set("bc_type", "MAGIC") },
        { try $0.attributes.set("simulation_parameters", ["seed", "seed"]) },
      ]
      for (index, change) in changes.enumerated() {
        let copy = "\(path)-\(index).h5"
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        let file = try HDF5File(opening: copy, writable: true)
        try change(file.root)
        try file.close()
        do {
          _ = try DatasetFile(opening: copy)
          Issue.record("change \(index) was not found")
        } catch let error as DatasetError {
          #expect(error.exitStatus == 65 && error.description.hasPrefix(copy))
        } catch let error as HDF5Error {
          #expect(error.exitStatus == 65 && error.description.hasPrefix(copy))
        }
      }
    }
  }

  @Test func numbersThatAreNotFiniteAndChangedBytesAreFound() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try generateDataset(from: AnalyticSource(), samples: 0..<4, to: path, options: testOptions)
      for value in [Float.nan, -Float.infinity, 1] {
        let writable = try HDF5File(opening: path, writable: true)
        let slab = HDF5Slab(start: [2, 4, 5, 8], count: [1, 1, 1, 1])
        try writable.root.dataset("t0_fields/u").write([value], slab)
        try writable.close()
        let file = try DatasetFile(opening: path)
        #expect(throws: DatasetError.wrongChecksum(path: path, sample: 2)) { try file.verifyChecksums() }
        if !value.isFinite {
          #expect(throws: DatasetError.nonFinite(path: path, field: "u", sample: 2)) {
            try file.read(field: "u", samples: 1..<4)
          }
          #expect(throws: DatasetError.nonFinite(path: path, field: "u", sample: 2)) {
            try file.readDouble(field: "u", samples: 1..<4)
          }
        }
      }
    }
  }

  @Test func theLayoutIsThatOfTheWell() throws {
    try withDataset { path, _ in
      let root = try HDF5File(opening: path).root
      let attributes = root.attributes
      #expect(try attributes.string("dataset_name") == "analytic")
      #expect(try attributes.string("grid_type") == "cartesian")
      #expect(try attributes.scalar("n_spatial_dims", as: Int.self) == 2)
      #expect(try attributes.scalar("n_trajectories", as: Int.self) == 4)
      #expect(try attributes.strings("simulation_parameters") == ["viscosity"])
      #expect(try attributes.scalar("viscosity", as: Double.self) == 1e-3)
      #expect(try root.dataset("scalars/viscosity").read(as: Double.self) == [1e-3])
      #expect(try root.dataset("scalars/viscosity").shape() == [])
      #expect(try root.group("scalars").attributes.strings("field_names") == ["viscosity"])
      for group in ["t1_fields", "t2_fields"] {
        #expect(try root.group(group).attributes.strings("field_names") == [])
      }
      #expect(try root.group("dimensions").attributes.strings("spatial_dims") == ["x", "y"])
      for name in ["time", "x", "y"] {
        let dimension = try root.dataset("dimensions/\(name)")
        #expect(try dimension.attributes.value("sample_varying") == .booleans([false], shape: []))
        #expect(
          try dimension.attributes.value("time_varying") == .booleans([name == "time"], shape: []))
        #expect(try dimension.isDimensionScale())
        #expect(try root.dataset(name).isDimensionScale())
      }
      #expect(try root.dataset("dimensions/x").read(as: Double.self).last == 5.0 / 6)
      #expect(try root.dataset("dimensions/y").read(as: Double.self).last == 2)
      let u = try root.dataset("t0_fields/u")
      #expect(try u.attributes.value("dim_varying") == .booleans([true, true], shape: [2]))
      #expect(try u.attributes.value("time_varying") == .booleans([true], shape: []))
      #expect(try (0..<4).map { try u.label(axis: $0) } == ["sample", "time", "x", "y"])
      #expect(try (0..<4).map { try u.scaleCount(axis: $0) } == [1, 1, 1, 1])
      let steady = try root.dataset("t0_fields/coefficient")
      #expect(try steady.attributes.value("time_varying") == .booleans([false], shape: []))
      #expect(try (0..<3).map { try steady.label(axis: $0) } == ["sample", "x", "y"])
      let wall = try root.group("boundary_conditions/y_wall")
      #expect(try wall.attributes.string("bc_type") == "WALL")
      #expect(try wall.attributes.strings("associated_dims") == ["y"])
      #expect(try wall.attributes.strings("associated_fields") == ["u", "coefficient"])
      let mask = try wall.dataset("mask").read(as: Bool.self)
      #expect(mask == [true] + [Bool](repeating: false, count: 7) + [true])
    }
  }

  @Test func theXDMFFileNamesEverySlab() throws {
    try withDataset { path, _ in
      let xmf = path.replacingOccurrences(of: "data.h5", with: "data.xmf")
      let text = try String(contentsOfFile: xmf, encoding: .utf8)
      #expect(text.components(separatedBy: "GridType=\"Collection\"").count - 1 == 4)
      #expect(text.components(separatedBy: "GridType=\"Uniform\"").count - 1 == 20)
      #expect(text.components(separatedBy: "<Grid").count == text.components(separatedBy: "</Grid>").count)
      #expect(text.contains("<Topology TopologyType=\"3DCoRectMesh\" Dimensions=\"1 6 9\"/>"))
      // Sample 3, frame 4 of [4, 5, 6, 9], slowest axis first: start, stride, count.
      #expect(text.contains("3 4 0 0  1 1 1 1  1 1 6 9</DataItem>"))
      #expect(
        text.contains("Dimensions=\"4 5 6 9\" NumberType=\"Float\" Precision=\"4\" Format=\"HDF\">data.h5:"))
      #expect(text.contains("3 0 0  1 1 1  1 6 9</DataItem>"))
    }
    try withDataset(times: 3, grid: [8]) { path, _ in
      let xmf = path.replacingOccurrences(of: "data.h5", with: "data.xmf")
      let text = try String(contentsOfFile: xmf, encoding: .utf8)
      #expect(text.contains("<Topology TopologyType=\"3DCoRectMesh\" Dimensions=\"1 3 8\"/>"))
      #expect(text.contains("2 0 0  1 1 1  1 3 8</DataItem>"))
      #expect(text.contains(">0.0 0.0 0.0</DataItem>") && text.contains(">1.0 0.25 0.125</DataItem>"))
    }
    // Times at different distances are listed one by one, fastest axis first.
    try withTemporaryFolder { folder in
      var source = AnalyticSource(times: 3, grid: [2])
      source.description = DatasetDescription(
        name: "a", title: "", equation: "", axes: source.description.axes, times: [0, 0.5, 2],
        fields: source.description.fields)
      try generateDataset(from: source, samples: 0..<1, to: "\(folder)/data.h5", options: testOptions)
      let text = try String(contentsOfFile: "\(folder)/data.xmf", encoding: .utf8)
      #expect(text.contains("<Topology TopologyType=\"3DRectMesh\" Dimensions=\"1 3 2\"/>"))
      let x = try #require(text.range(of: ">0.0 0.5</DataItem>"))
      let time = try #require(text.range(of: ">0.0 0.5 2.0</DataItem>"))
      #expect(x.upperBound < time.lowerBound)
    }
  }

  @Test func theChecksumIsThatOfZlib() {
    // The check value of CRC-32 in every catalogue, and two of zlib.crc32 in Python.
    for (text, expected) in [("123456789", UInt32(0xCBF4_3926)), ("", 0), ("a", 0xE8B7_BE43)] {
      var checksum = Checksum()
      Array(text.utf8).withUnsafeBytes { checksum.update($0) }
      #expect(checksum.value == expected)
    }
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    var whole = Checksum()
    bytes.withUnsafeBytes { whole.update($0) }
    var parts = Checksum()
    for range in [0..<1, 1..<14, 14..<999, 999..<1000] {
      bytes.withUnsafeBytes { parts.update(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
    #expect(whole == parts)
    #expect(whole.value == 0x114A_D5FF)
  }
}
