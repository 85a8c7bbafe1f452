import Tensors

/// Values of a field at some of its grid points.
public struct PointObservation: Sendable, Equatable {
  /// The number of points along each axis of the observed field.
  public let grid: [Int]
  /// The grid index of every sensor along each axis.
  public let sensors: [[Int]]

  private let offsets: [Int]

  /// Sensors at the given grid points.
  public init(grid: [Int], sensors: [[Int]]) {
    precondition(
      sensors.allSatisfy { sensor in
        sensor.count == grid.count && zip(sensor, grid).allSatisfy { $0 >= 0 && $0 < $1 }
      }, "sensor outside the grid \(grid)")
    self.grid = grid
    self.sensors = sensors
    offsets = sensors.map { sensor in zip(sensor, grid).reduce(0) { $0 * $1.1 + $1.0 } }
  }

  /// A uniform grid of interior sensors, along an axis with m of them at i / (m + 1), i = 1…m.
  ///
  /// With 7 along each of two axes these are the 49 observations of the FNO paper's inverse problem. Positions are
  /// rounded to the nearest grid point.
  public init(grid: [Int], perAxis: [Int]) {
    precondition(
      perAxis.count == grid.count && zip(perAxis, grid).allSatisfy { $0 >= 1 && $0 < $1 },
      "\(perAxis) sensors along the axes of the grid \(grid)")
    let positions = zip(grid, perAxis).map { points, count in
      (1...count).map { (2 * $0 * points + count + 1) / (2 * (count + 1)) }
    }
    var sensors: [[Int]] = [[]]
    for axis in positions { sensors = sensors.flatMap { sensor in axis.map { sensor + [$0] } } }
    self.init(grid: grid, sensors: sensors)
  }

  /// The number of observed values.
  public var count: Int { sensors.count }

  /// The observed values of one field of the grid's shape.
  public func callAsFunction(_ field: UnsafePointer<Double>) -> [Double] { offsets.map { field[$0] } }

  /// The observed values of one field, a tensor with as many elements as the grid has points.
  public func callAsFunction(_ field: Tensor<Double>) -> [Double] {
    precondition(field.count == grid.reduce(1, *), "field \(field.shape) is not on the grid \(grid)")
    return withPointers(field) { self($0) }
  }

  /// Adds to a field what the adjoint makes of one number per sensor.
  func addAdjoint(_ values: [Double], to field: UnsafeMutablePointer<Double>) {
    for (offset, value) in zip(offsets, values) { field[offset] += value }
  }
}
