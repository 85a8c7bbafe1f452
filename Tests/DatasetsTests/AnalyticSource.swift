import Datasets
import Foundation
import HDF5
import Synchronization
import Tensors
import TestSupport

/// A source whose samples are a formula: cheap, and checkable at every point.
struct AnalyticSource: SampleSource {
  var description: DatasetDescription

  /// A field in time and a steady one on a grid that is not square: one axis periodic, one bounded.
  init(times: Int = 5, grid: [Int] = [6, 9]) {
    let axes = [
      DatasetDescription.Axis.periodic("x", count: grid[0], length: 1),
      grid.count > 1 ? DatasetDescription.Axis.bounded("y", count: grid[1], length: 2) : nil,
    ].compactMap { $0 }
    description = DatasetDescription(
      name: "analytic", title: "An analytic field", equation: "u = i + t + sin(2πx) + y", axes: axes,
      times: (0..<times).map { 0.25 * Double($0) },
      fields: [
        .init(name: "u", isTimeVarying: true, unit: "m/s"), .init(name: "coefficient", isTimeVarying: false),
      ],
      parameters: [.init(name: "viscosity", value: 1e-3)])
  }

  static func u(_ sample: Int, _ time: Int, _ point: [Int]) -> Double {
    Double(sample) + 0.25 * Double(time) + sin(Double(point[0])) + 0.1
      * Double(point.count > 1 ? point[1] : 0)
  }

  func sample(_ index: Int) throws -> [Tensor<Double>] {
    let grid = description.grid
    let points = (0..<grid[0]).flatMap { x in
      grid.count > 1 ? (0..<grid[1]).map { [x, $0] } : [[x]]
    }
    let u = (0..<description.frameCount).flatMap { time in points.map { Self.u(index, time, $0) } }
    let coefficient = points.map { -Self.u(index, 0, $0) }
    return [
      Tensor(shape: [description.frameCount] + grid, scalars: u),
      Tensor(shape: Shape(grid), scalars: coefficient),
    ]
  }
}

/// Any source, with each call counted and the samples that `failing` names replaced.
struct ObservedSource: SampleSource {
  final class Calls: Sendable { let samples = Mutex<[Int]>([]) }

  let base: AnalyticSource
  let calls = Calls()
  var failing: [Int: [Double]] = [:]

  var description: DatasetDescription { base.description }

  func sample(_ index: Int) throws -> [Tensor<Double>] {
    calls.samples.withLock { $0.append(index) }
    var fields = try base.sample(index)
    if let bad = failing[index] { fields[0].withUnsafeMutableBuffer { $0[7] = bad[0] } }
    return fields
  }
}

let testOptions = GenerationOptions(
  provenance: DatasetProvenance(config: "samples: 8\n", solver: "analytic", seed: 42, software: "test 1.0"))

/// The bytes of every field of a dataset, as stored.
func fieldBytes(_ path: String) throws -> [[Double]] {
  let root = try HDF5File(opening: path).root
  return try root.group("t0_fields").memberNames().map {
    try root.dataset("t0_fields/\($0)").read(as: Double.self)
  }
}

/// Everything in a dataset file that must not depend on how it was made: all numbers but the times spent and
/// the references between datasets, and all attributes but the date.
func content(_ path: String) throws -> [String: String] {
  let root = try HDF5File(opening: path).root
  var content: [String: String] = [:]
  func add(_ attributes: HDF5Attributes, of object: String) throws {
    for name in try attributes.names() where name != "created_at" {
      content["\(object)@\(name)"] = "\(try attributes.value(name))"
    }
  }
  try add(root.attributes, of: "")
  for path in try root.datasetPaths() {
    let dataset = try root.dataset(path)
    try add(dataset.attributes, of: path)
    guard path != "provenance/solve_seconds" else { continue }
    content[path] = "\(try dataset.shape()) \(try dataset.read(as: Double.self))"
  }
  return content
}
