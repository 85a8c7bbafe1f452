import Archives
import Datasets
import Foundation
import HDF5
import Tensors
import TestSupport
import Testing

/// A round trip through every pair of writers and readers loses nothing: bits, types, names, coordinates.
struct WriteDatasetTests {
  /// Expects two datasets to have the same numbers, bit by bit.
  private func expectSame(
    _ left: any ReadableDataset, _ right: any ReadableDataset, _ location: SourceLocation = #_sourceLocation
  ) throws {
    #expect(left.description == right.description, sourceLocation: location)
    #expect(
      left.sampleCount == right.sampleCount && left.storedTypes == right.storedTypes, sourceLocation: location
    )
    for (field, type) in zip(left.description.fields, left.storedTypes) {
      if type.fitsSingle {
        let bits = try [left, right].map { dataset in
          try dataset.read(
            field: field.name, samples: 0..<dataset.sampleCount, frames: nil, stride: 1, requiresFinite: false
          ).scalars.map(\.bitPattern)
        }
        #expect(bits[0] == bits[1], "\(field.name)", sourceLocation: location)
      } else {
        let bits = try [left, right].map { dataset in
          try dataset.readDouble(
            field: field.name, samples: 0..<dataset.sampleCount, frames: nil, stride: 1, requiresFinite: false
          ).scalars.map(\.bitPattern)
        }
        #expect(bits[0] == bits[1], "\(field.name)", sourceLocation: location)
      }
    }
  }

  private func write(_ dataset: any ReadableDataset, _ layout: FileLayout, to path: String) throws
    -> any ReadableDataset
  {
    try writeDataset(dataset, to: path, layout: layout, software: "test")
    let result = try openDataset(path)
    #expect(result.layout == layout && result.notes.isEmpty)
    return result
  }

  @Test(arguments: FileLayout.writable, FileLayout.writable)
  func everyTypeGoesThroughEveryPairOfLayouts(_ first: FileLayout, _ second: FileLayout) throws {
    try withTemporaryFolder { folder in
      let source = MemoryDataset.random(types: StoredType.allCases)
      let once = try write(source, first, to: "\(folder)/once")
      try expectSame(source, once)
      #expect(once.provenance == source.provenance && once.createdAt == source.createdAt)
      try expectSame(source, try write(once, second, to: "\(folder)/twice"))
    }
  }

  /// The layouts have special places for one field in time, for an input and an output, and for Darcy's two.
  @Test(arguments: FileLayout.writable, [[false, false], [true], [false, true]])
  func theUsualShapes(_ layout: FileLayout, _ varying: [Bool]) throws {
    try withTemporaryFolder { folder in
      for grid in [[6], [4, 3]] {
        var random = Philox(seed: 2, stream: .inputs)
        var fields: [String: Tensor<Double>] = [:]
        for (index, isTimeVarying) in varying.enumerated() {
          let shape: Shape = [2, isTimeVarying ? 3 : 1] + grid
          fields["f\(index)"] = Tensor(
            shape: shape,
            scalars: (0..<shape.reduce(1, *)).map { _ in Double.random(in: 0..<1, using: &random) })
        }
        let source = MemoryDataset(
          description: DatasetDescription(
            name: "usual", title: "", equation: "",
            axes: grid.enumerated().map {
              DatasetDescription.Axis.periodic(["x", "y"][$0], count: $1, length: 1)
            },
            times: varying.contains(true) ? [0, 0.5, 2] : [],
            fields: varying.enumerated().map { .init(name: "f\($0)", isTimeVarying: $1) }),
          sampleCount: 2, storedTypes: varying.map { _ in .float64 }, fields: fields)
        try expectSame(source, try write(source, layout, to: "\(folder)/file"))
      }
    }
  }

  @Test(arguments: FileLayout.writable)
  func filesOfOthersKeepTheirNumbersAndTheirSilence(_ layout: FileLayout) throws {
    try withTemporaryFolder { folder in
      for name in ["navier-stokes-v73.mat", "darcy.pt", "pdebench-reaction.h5", "types-v5.mat", "burgers.pt"]
      {
        let source = try openDataset(GoldenFiles.path(name))
        try writeDataset(source, to: "\(folder)/file", layout: layout, software: "test")
        let result = try openDataset("\(folder)/file")
        if layout == .well {
          // The Well asks for a name.
          #expect(result.description.name == "file" && source.description.name.isEmpty)
          #expect(result.description.axes == source.description.axes && result.times == source.times)
        } else {
          try expectSame(source, result)
        }
      }
    }
  }

  @Test func theSameDatasetGivesTheSameBytes() throws {
    try withTemporaryFolder { folder in
      let source = MemoryDataset.random(types: [.float32, .float64])
      for layout in [FileLayout.npz, .neuralop] {
        let files = try (0..<2).map { number in
          try writeDataset(source, to: "\(folder)/\(number)", layout: layout, software: "test")
          return FileManager.default.contents(atPath: "\(folder)/\(number)")
        }
        #expect(files[0] == files[1])
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["0", "1"])
    }
  }

  @Test func writtenWellFilesHaveChecksumsAndWhatOthersRead() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try writeDataset(
        MemoryDataset.random(types: [.float32, .float64]), to: path, layout: .well, software: "test")
      let file = try DatasetFile(opening: path)
      #expect(try file.verifyChecksums() && file.contentChecksum() != nil)
      #expect(FileManager.default.fileExists(atPath: "\(folder)/data.xmf"))
    }
  }

  @Test func numbersThatAreNotFiniteAreCountedAndWholeOnesNeverRounded() throws {
    try withTemporaryFolder { folder in
      let description = DatasetDescription(
        name: "", title: "", equation: "", axes: [.init(name: "x", count: 4)], times: [],
        fields: [.init(name: "u", isTimeVarying: false)])
      let numbers = MemoryDataset(
        description: description, sampleCount: 1, storedTypes: [.float64],
        fields: ["u": Tensor(shape: [1, 1, 4], scalars: [1, .nan, -.infinity, 2])])
      let report = try writeDataset(numbers, to: "\(folder)/a", layout: .npz, software: "test")
      #expect(report.nonFinite == 2)
      let whole = MemoryDataset(
        description: description, sampleCount: 1, storedTypes: [.int64],
        fields: ["u": Tensor(shape: [1, 1, 4], scalars: [1, 2, 3, 0x1p53])])
      #expect(throws: DatasetError.self) {
        try writeDataset(whole, to: "\(folder)/b", layout: .npz, software: "test")
      }
      // Nothing is left of a file that failed.
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left == ["a"])
    }
  }

  @Test func piecesBecomeOneField() throws {
    let file = try openDataset(GoldenFiles.path("navier-stokes-v5.mat"))
    let fields = [
      AdaptedDataset.Field(
        name: "vorticity", isTimeVarying: true,
        pieces: [.init(field: "a", frameCount: 1), .init(field: "u", frameCount: 4)])
    ]
    let adapted = AdaptedDataset(
      file,
      description: DatasetDescription(
        name: "", title: "", equation: "", axes: file.description.axes, times: [0, 1, 2, 3, 4],
        fields: [.init(name: "vorticity", isTimeVarying: true)]),
      fields: fields)
    let frames = try adapted.readDouble(field: "vorticity", samples: 1..<3, frames: [4, 0, 1, 0])
    #expect(frames.shape == [2, 4, 8, 6])
    let expected = (1..<3).flatMap { sample in
      [(200.0, 3), (100, 0), (200, 0), (100, 0)].flatMap { field, frame in
        GoldenFiles.places([8, 6]).map { GoldenFiles.value(field, sample: sample, frame: frame, $0) }
      }
    }
    #expect(frames.scalars == expected)
    #expect(try adapted.read(field: "vorticity", samples: 0..<5).shape == [5, 5, 8, 6])
    #expect(throws: DatasetError.self) { try adapted.read(field: "vorticity", samples: 0..<1, frames: [5]) }
    #expect(throws: DatasetError.self) { try adapted.read(field: "u", samples: 0..<1) }
  }
}
