import Datasets
import Foundation
import TestSupport
import Testing

/// Files made by the libraries that users have (`Tests/Golden/layouts.py`): every number is the one that was written.
struct OpenDatasetTests {
  private func open(_ name: String) throws -> any ReadableDataset {
    try openDataset(GoldenFiles.path(name))
  }

  private func points(_ dataset: any ReadableDataset) -> [[Double]?] {
    dataset.description.axes.map(\.coordinates)
  }

  @Test(arguments: ["burgers-v5.mat", "burgers-v5-compressed.mat"])
  func burgersOfTheFNOPaper(_ name: String) throws {
    let file = try open(name)
    #expect(file.layout == .matlab && file.sampleCount == 6 && file.description.grid == [16])
    #expect(file.description.fields.map(\.name) == ["a", "u"] && file.description.frameCount == 0)
    #expect(file.storedTypes == [.float64, .float64] && file.interleavesSamples)
    // What the file does not say is not made up.
    #expect(points(file) == [nil] && file.description.axes[0].isPeriodic == nil)
    #expect(file.description.parameters.isEmpty && file.description.boundaryConditions.isEmpty)
    #expect(file.notes.count == 1 && file.notes[0].hasSuffix("a_smooth, a_smooth_x, a_x"))
    try GoldenFiles.expect(file, "a", 100)
    try GoldenFiles.expect(file, "u", 200)
  }

  @Test(arguments: ["darcy-v5.mat", "darcy-v73.mat"])
  func darcyOfTheFNOPaper(_ name: String) throws {
    let file = try open(name)
    #expect(file.layout == .matlab && file.sampleCount == 5 && file.description.grid == [9, 7])
    #expect(file.description.fields.map(\.name) == ["coeff", "sol"])
    #expect(file.storedTypes == [.float32, .float32])
    try GoldenFiles.expect(file, "coeff", 100)
    try GoldenFiles.expect(file, "sol", 200)
  }

  @Test(arguments: ["navier-stokes-v5.mat", "navier-stokes-v73.mat"])
  func navierStokesOfTheFNOPaper(_ name: String) throws {
    let file = try open(name)
    #expect(file.layout == .matlab && file.sampleCount == 5 && file.description.grid == [8, 6])
    #expect(file.description.fields.map(\.isTimeVarying) == [false, true])
    #expect(file.times == [1, 2, 3, 4] && file.notes.isEmpty && file.interleavesSamples)
    try GoldenFiles.expect(file, "a", 100)
    try GoldenFiles.expect(file, "u", 200)
  }

  @Test func otherTypesOfMATLAB() throws {
    let file = try open("types-v5.mat")
    #expect(file.description.fields.map(\.name) == ["x", "y"] && file.storedTypes == [.bool, .int16])
    #expect(file.notes.count == 1 && file.notes[0].hasSuffix("text, parts, list"))
    let x = try file.read(field: "x", samples: 0..<4).scalars
    let y = try file.readDouble(field: "y", samples: 0..<4).scalars
    #expect(y == (0..<4).flatMap { n in (0..<6).map { 8 * GoldenFiles.value(0, sample: n, [$0]) } })
    #expect(x == y.map { $0.remainder(dividingBy: 2) == 0 ? 1 : 0 })
  }

  @Test func pdebenchBurgers() throws {
    let file = try open("pdebench-burgers.hdf5")
    #expect(file.layout == .pdebench && file.sampleCount == 5 && file.description.grid == [16])
    // The file has one time more than frames.
    #expect(file.times == [0, 0.25, 0.5, 0.75] && points(file) == [(0..<16).map { (Double($0) + 0.5) / 16 }])
    #expect(file.description.parameters == [.init(name: "Nu", value: 0.01)] && !file.interleavesSamples)
    try GoldenFiles.expect(file, "tensor", 100)
  }

  @Test func pdebenchDarcy() throws {
    let file = try open("pdebench-darcy.hdf5")
    #expect(file.layout == .pdebench && file.sampleCount == 5 && file.description.grid == [9, 7])
    #expect(Set(file.description.fields.map(\.name)) == ["nu", "tensor"] && file.times == [])
    try GoldenFiles.expect(file, "nu", 100)
    try GoldenFiles.expect(file, "tensor", 200)
  }

  @Test func pdebenchCompressibleFlow() throws {
    let file = try open("pdebench-compressible.hdf5")
    #expect(file.sampleCount == 3 && file.description.grid == [8, 6] && file.times == [0, 0.25, 0.5, 0.75])
    for (number, name) in ["Vx", "Vy", "density", "pressure"].enumerated() {
      try GoldenFiles.expect(file, name, 100 * Double(number))
    }
  }

  @Test func pdebenchGroupsOfSamples() throws {
    let file = try open("pdebench-reaction.h5")
    #expect(file.layout == .pdebench && file.sampleCount == 3 && file.description.grid == [8, 6])
    #expect(file.times == [0, 0.25, 0.5, 0.75] && points(file)[0]?.first == -0.875)
    try GoldenFiles.expect(file, "data_0", 0)
    try GoldenFiles.expect(file, "data_1", 100)
  }

  @Test func pdebenchIncompressibleFlow() throws {
    let file = try open("pdebench-incompressible.h5")
    #expect(file.sampleCount == 2 && file.description.grid == [8, 8] && file.times == [0, 0.5, 1])
    #expect(
      file.description.fields.map(\.name) == ["velocity_x", "velocity_y", "particles", "force_x", "force_y"])
    for (number, name) in ["velocity_x", "velocity_y", "particles", "force_x", "force_y"].enumerated() {
      try GoldenFiles.expect(file, name, 100 * Double(number))
    }
  }

  @Test func theWellWithAVector() throws {
    let file = try open("well.hdf5")
    #expect(file.layout == .well && file.sampleCount == 3 && file.description.grid == [8, 6])
    #expect(file.description.axes.map(\.isPeriodic) == [true, false] && file.times == [0, 0.5, 1, 1.5])
    #expect(file.description.parameters == [.init(name: "Re", value: 250)])
    #expect(file.description.fields.map(\.name) == ["density", "force", "velocity_x", "velocity_y"])
    for (number, name) in ["density", "force", "velocity_x", "velocity_y"].enumerated() {
      // y is bounded: a stride of 2 would lose an end of it.
      let all = try file.readDouble(field: name, samples: 0..<3).scalars
      let isSteady = name == "force"
      var expected: [Double] = []
      for sample in 0..<3 {
        for frame in 0..<(isSteady ? 1 : 4) {
          for place in GoldenFiles.places([8, 6]) {
            expected.append(GoldenFiles.value(100 * Double(number + 1), sample: sample, frame: frame, place))
          }
        }
      }
      #expect(all == expected)
    }
  }

  @Test func tensorsOfNeuraloperator() throws {
    let darcy = try open("darcy.pt")
    #expect(darcy.layout == .neuralop && darcy.sampleCount == 5 && darcy.storedTypes == [.bool, .float32])
    #expect(darcy.interleavesSamples)
    try GoldenFiles.expect(darcy, "y", 200)
    let x = try darcy.read(field: "x", samples: 0..<5).scalars
    let expected: [Float] = (0..<5).flatMap { n in
      GoldenFiles.places([8, 6]).map { place in
        (128 * GoldenFiles.value(0, sample: n, place)).truncatingRemainder(dividingBy: 3) == 0 ? 1 : 0
      }
    }
    #expect(x == expected)

    // A view that begins in the middle of its storage: the samples from the third on.
    let burgers = try open("burgers.pt")
    #expect(
      burgers.sampleCount == 4 && burgers.description.grid == [16] && burgers.description.frameCount == 5)
    #expect(burgers.description.parameters == [.init(name: "viscosity", value: 0.1)] && burgers.times == nil)
    try GoldenFiles.expect(burgers, "x", 232)
    try GoldenFiles.expect(burgers, "y", 232)
  }

  @Test func otherTypesOfTensors() throws {
    let file = try open("types.pt")
    #expect(file.storedTypes == [.bfloat16, .float16, .int64])
    for (name, number, factor) in [("x", 1.0, 1.0), ("y", 2, 1), ("z", 3, 128)] {
      let expected = (0..<3).flatMap { n in
        (0..<8).map { factor * GoldenFiles.value(number, sample: n, [$0]) }
      }
      // bfloat16 keeps 8 bits: the script's numbers are rounded to them, half of the last of which is 0.125 at 49.
      let tolerance = name == "x" ? 0.125 : 0
      let found = try file.readDouble(field: name, samples: 0..<3).scalars
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= tolerance })
    }
  }

  @Test(arguments: ["stored.npz", "compressed.npz"])
  func archivesOfNumpy(_ name: String) throws {
    let file = try open(name)
    #expect(file.layout == .npz && file.sampleCount == 4 && file.description.grid == [6, 8])
    #expect(file.storedTypes == [.float32, .float64])
    try GoldenFiles.expect(file, "x", 100)
    try GoldenFiles.expect(file, "y", 200)
  }

  @Test func numbersInTheOrderOfOtherMachines() throws {
    let file = try open("big-endian.npz")
    #expect(file.storedTypes == [.float32, .float64])
    try GoldenFiles.expect(file, "a", 100)
    try GoldenFiles.expect(file, "u", 200)
  }

  @Test func aSingleArrayOfNumpy() throws {
    let file = try open("single.npy")
    #expect(file.description.fields.map(\.name) == ["data"])
    try GoldenFiles.expect(file, "data", 100)
  }

  @Test func theTimeAxisCanBeGiven() throws {
    let path = GoldenFiles.path("stored.npz")
    let first = try openDataset(path, timeAxis: .first)
    #expect(first.description.grid == [8] && first.description.frameCount == 6)
    let last = try openDataset(path, timeAxis: .last)
    #expect(last.description.grid == [6] && last.description.frameCount == 8)
    #expect(
      try last.readDouble(field: "y", samples: 1..<2, frames: [3]).scalars
        == (0..<6).map { GoldenFiles.value(200, sample: 1, [$0, 3]) })
  }
}
