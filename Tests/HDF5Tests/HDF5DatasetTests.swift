import HDF5
import TestSupport
import Testing

@Suite struct HDF5DatasetTests {
  /// Writes values of one type, reads them back in a second opening, and returns the kind found.
  private func roundTrip<Scalar: HDF5Scalar & Equatable>(_ values: [Scalar]) throws -> HDF5ElementKind {
    try withTemporaryFolder { folder in
      let path = "\(folder)/types.h5"
      let written = try HDF5File(creating: path)
      try written.root.createDataset("group/values", values, shape: [values.count / 2, 2])
      try written.root.attributes.set("one", values[0])
      try written.root.attributes.set("all", values)
      try written.close()

      let file = try HDF5File(opening: path)
      let dataset = try file.root.dataset("group/values")
      #expect(try dataset.shape() == [values.count / 2, 2])
      #expect(try dataset.read(as: Scalar.self) == values)
      #expect(try file.root.attributes.scalar("one", as: Scalar.self) == values[0])
      #expect(try file.root.attributes.array("all", as: Scalar.self) == values)
      return dataset.elementKind
    }
  }

  @Test func everyTypeComesBackAsItWas() throws {
    #expect(
      try roundTrip([Float.pi, -.leastNonzeroMagnitude, .infinity, 0]) == .floatingPoint(bits: 32))
    #expect(
      try roundTrip([Double.pi, -.leastNonzeroMagnitude, .infinity, 0]) == .floatingPoint(bits: 64))
    #expect(try roundTrip([Int8.min, .max]) == .signedInteger(bits: 8))
    #expect(try roundTrip([Int32.min, .max]) == .signedInteger(bits: 32))
    #expect(try roundTrip([Int64.min, .max]) == .signedInteger(bits: 64))
    #expect(try roundTrip([Int.min, .max]) == .signedInteger(bits: 64))
    #expect(try roundTrip([UInt8.min, .max]) == .unsignedInteger(bits: 8))
    #expect(try roundTrip([UInt32.min, .max]) == .unsignedInteger(bits: 32))
    #expect(try roundTrip([UInt64.min, .max]) == .unsignedInteger(bits: 64))
    #expect(try roundTrip([true, false, false, true]) == .boolean)
  }

  @Test func numbersAreConverted() throws {
    try withTemporaryFolder { folder in
      let file = try HDF5File(creating: "\(folder)/converted.h5")
      try file.root.createDataset("doubles", [1.5, -2.25, 1e300])
      #expect(try file.root.dataset("doubles").read(as: Float.self) == [1.5, -2.25, .infinity])
      try file.root.createDataset("bytes", [UInt8(0), 1, 2, 255])
      // Bytes that are neither 0 nor 1 must not become truth values as they are.
      #expect(try file.root.dataset("bytes").read(as: Bool.self) == [false, true, true, true])
      #expect(try file.root.dataset("bytes").read(as: Double.self) == [0, 1, 2, 255])
    }
  }

  @Test func textComesBackAsItWas() throws {
    try withTemporaryFolder { folder in
      let texts = ["ω₀(x, y)", "", "plain"]
      let file = try HDF5File(creating: "\(folder)/text.h5")
      try file.root.createDataset("texts", texts)
      try file.root.createDataset("none", [String]())
      try file.root.attributes.set("text", texts[0])
      try file.root.attributes.set("empty", "")
      try file.root.attributes.set("texts", texts)
      try file.root.attributes.set("none", [String]())
      // Two of one name: the second replaces the first, also with another type.
      try file.root.attributes.set("changed", 1.5)
      try file.root.attributes.set("changed", "now text")
      try file.close()

      let reread = try HDF5File(opening: "\(folder)/text.h5").root
      #expect(try reread.dataset("texts").readStrings() == texts)
      #expect(try reread.dataset("none").readStrings() == [])
      let attributes = reread.attributes
      #expect(try attributes.string("text") == texts[0])
      #expect(try attributes.string("empty") == "")
      #expect(try attributes.strings("texts") == texts)
      #expect(try attributes.strings("none") == [])
      #expect(try attributes.value("changed") == .string("now text"))
      #expect(try attributes.value("texts") == .strings(texts))
      #expect(try attributes.names() == ["text", "empty", "texts", "none", "changed"])
    }
  }

  @Test(arguments: [
    HDF5Layout(), HDF5Layout(chunks: [2, 3, 5]), HDF5Layout(chunks: [2, 3, 5], hasChecksums: true),
    HDF5Layout(chunks: [1, 4, 9], isShuffled: true, deflate: 4, hasChecksums: true),
    HDF5Layout(chunks: [1, 2, 9], hasChecksums: true, isAllocatedEarly: true),
  ])
  func slabsAreThoseOfTheArray(layout: HDF5Layout) throws {
    try withTemporaryFolder { folder in
      let shape = [3, 4, 9]
      let values = (0..<108).map(Float.init)
      let file = try HDF5File(creating: "\(folder)/slabs.h5")
      let dataset = try file.root.createDataset("a", of: Float.self, shape: shape, layout: layout)
      for sample in 0..<3 {
        let slab = HDF5Slab(start: [sample, 0, 0], count: [1, 4, 9])
        try dataset.write(Array(values[sample * 36..<(sample + 1) * 36]), slab)
      }
      #expect(try dataset.read(as: Float.self) == values)
      let part = HDF5Slab(start: [1, 1, 0], count: [2, 2, 3], stride: [1, 2, 4])
      var expected: [Float] = []
      for i in [1, 2] {
        for j in [1, 3] {
          for k in [0, 4, 8] { expected.append(Float(36 * i + 9 * j + k)) }
        }
      }
      #expect(try dataset.read(as: Float.self, part) == expected)
      #expect(try dataset.read(as: Float.self, HDF5Slab(start: [0, 0, 0], count: [0, 4, 9])) == [])
      try dataset.write([Float](repeating: -1, count: 12), part)
      let remaining = values.map { expected.contains($0) ? -1 : $0 }
      #expect(try dataset.read(as: Float.self) == remaining)
      #expect(try dataset.chunks() == layout.chunks)
    }
  }

  @Test func singleNumbersGrowingAxesAndFillValues() throws {
    try withTemporaryFolder { folder in
      let file = try HDF5File(creating: "\(folder)/more.h5")
      try file.root.createDataset("single", [2.5], shape: [])
      #expect(try file.root.dataset("single").read(as: Double.self) == [2.5])
      let growing = try file.root.createDataset(
        "growing", of: Int32.self, shape: [0, 2], layout: HDF5Layout(chunks: [16, 2], growingAxes: [0]))
      for row in 0..<40 {
        try growing.extend(to: [row + 1, 2])
        try growing.write([Int32(row), Int32(-row)], HDF5Slab(start: [row, 0], count: [1, 2]))
      }
      #expect(try growing.read(as: Int.self) == (0..<40).flatMap { [$0, -$0] })
      let filled = try file.root.createDataset(
        "filled", of: Double.self, shape: [3], layout: HDF5Layout(fillValue: .nan))
      #expect(try filled.read(as: Double.self).allSatisfy(\.isNaN))
    }
  }

  @Test func dimensionScalesAreAttached() throws {
    try withTemporaryFolder { folder in
      let file = try HDF5File(creating: "\(folder)/scales.h5")
      let field = try file.root.createDataset("fields/u", [Float](repeating: 1, count: 6), shape: [2, 3])
      let x = try file.root.createDataset("dimensions/x", [0, 0.5, 1])
      try x.makeDimensionScale(named: "x")
      try field.attach(x, toAxis: 1, label: "x")
      try file.close()
      let reread = try HDF5File(opening: "\(folder)/scales.h5").root
      #expect(try reread.dataset("dimensions/x").isDimensionScale())
      #expect(try !reread.dataset("fields/u").isDimensionScale())
      #expect(try reread.dataset("fields/u").scaleCount(axis: 1) == 1)
      #expect(try reread.dataset("fields/u").scaleCount(axis: 0) == 0)
      #expect(try reread.dataset("fields/u").label(axis: 1) == "x")
      #expect(try reread.dataset("fields/u").label(axis: 0) == nil)
    }
  }

  @Test func groupsListTheirMembersInOrderOfCreation() throws {
    try withTemporaryFolder { folder in
      let file = try HDF5File(creating: "\(folder)/groups.h5")
      _ = try file.root.createGroup("z/b")
      _ = try file.root.createGroup("z/a")
      try file.root.createDataset("z/b/one", [1])
      try file.root.createDataset("an/other", [1])
      try file.root.link("an/alias", to: "z/b/one")
      #expect(try file.root.memberNames() == ["z", "an"])
      #expect(try file.root.group("z").memberNames() == ["b", "a"])
      #expect(try file.root.member("z/b") == .group)
      #expect(try file.root.member("z/b/one") == .dataset)
      #expect(try file.root.member("z/missing/one") == nil)
      #expect(try file.root.datasetPaths() == ["z/b/one", "an/other", "an/alias"])
      #expect(try file.root.group("z").group("b").dataset("one").path == "z/b/one")
    }
  }

  @Test func manyThreadsReadAndWriteAtOnce() async throws {
    let folder = makeTemporaryFolder()
    defer { removeFolder(folder) }
    let shared = "\(folder)/shared.h5"
    let file = try HDF5File(creating: shared)
    let dataset = try file.root.createDataset(
      "values", of: Int.self, shape: [64, 100], layout: HDF5Layout(chunks: [1, 100], hasChecksums: true))
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<64 {
        group.addTask {
          let slab = HDF5Slab(start: [task, 0], count: [1, 100])
          try dataset.write([Int](repeating: task, count: 100), slab)
          #expect(try dataset.read(as: Int.self, slab) == [Int](repeating: task, count: 100))
          // Failing calls on many threads, each with an error stack of its own.
          #expect(throws: HDF5Error.self) { try HDF5File(opening: "\(folder)/missing-\(task).h5") }
          #expect(throws: HDF5Error.self) { try dataset.attributes.string("missing") }
          let own = try HDF5File(creating: "\(folder)/\(task).h5")
          try own.root.createDataset("x", [task])
          try own.close()
        }
      }
      try await group.waitForAll()
    }
    try file.close()
    let values = try HDF5File(opening: shared).root.dataset("values").read(as: Int.self)
    #expect(values == (0..<64).flatMap { [Int](repeating: $0, count: 100) })
  }
}
