import Foundation
import Tensors

/// Values of the channels of a solution at given points: sensors, each with a place and a channel.
///
/// A channel of the forward map's output is a recorded time or a field. Between grid points values are
/// interpolated, linearly in the field, so that the adjoint is at hand.
public struct PointObservation: Sendable, Equatable {
  /// How values between grid points are found.
  public enum Interpolation: String, Sendable, CaseIterable, Codable {
    /// By the trigonometric polynomial through all values: exact for fields that the grid resolves.
    case spectral
    /// Between the surrounding points, linearly along each axis.
    case bilinear
  }

  /// One sensor.
  public struct Sensor: Sendable, Equatable {
    /// Where it is, as fractions of the axes: in [0, 1) along a periodic one, in [0, 1] along a bounded one.
    public let position: [Double]
    /// The channel that it reads; negative numbers count from the last one, −1.
    public let channel: Int

    /// A sensor; see the properties.
    public init(_ position: [Double], channel: Int = -1) {
      self.position = position
      self.channel = channel
    }
  }

  /// What a sensor makes of a channel.
  private enum Reading: Sendable, Equatable {
    case point(Int)
    case sparse([Int], [Double])
    case dense(Tensor<Double>)
  }

  /// The number of points along each axis of the observed field.
  public let grid: Shape
  /// The sensors.
  public let sensors: [Sensor]

  private let readings: [Reading]

  /// Sensors on a grid of one or two axes.
  ///
  /// - Parameters:
  ///   - isPeriodic: whether the axes are periodic and leave out their end point, or have both boundaries. Only
  ///     periodic fields can be interpolated by trigonometric polynomials.
  ///   - interpolation: for sensors that are not at grid points.
  public init(
    grid: Shape, sensors: [Sensor], isPeriodic: Bool = true, interpolation: Interpolation = .spectral
  ) {
    precondition(grid.count == 1 || grid.count == 2, "observations are of one or two axes, not \(grid)")
    precondition(
      isPeriodic || interpolation != .spectral, "a bounded field has no trigonometric interpolation")
    precondition(
      sensors.allSatisfy { sensor in
        sensor.position.count == grid.count
          && sensor.position.allSatisfy { $0 >= 0 && (isPeriodic ? $0 < 1 : $0 <= 1) }
      }, "a sensor outside of the domain")
    self.grid = grid
    self.sensors = sensors
    readings = sensors.map { sensor in
      let weights = zip(sensor.position, grid).map { position, points in
        Self.weights(
          position * Double(isPeriodic ? points : points - 1), points, isPeriodic, interpolation)
      }
      return Self.reading(weights, grid)
    }
  }

  /// Sensors at the given points of a periodic grid, of the last channel.
  public init(grid: Shape, sensors: [[Int]]) {
    self.init(
      grid: grid,
      sensors: sensors.map { sensor in Sensor(zip(sensor, grid).map { Double($0) / Double($1) }) })
  }

  /// A uniform grid of interior sensors of a periodic field's last channel: along an axis with m of them at
  /// i / (m + 1), i = 1…m.
  ///
  /// With 7 along each of two axes these are the 49 observations of the FNO paper's inverse problem.
  public init(grid: Shape, perAxis: [Int]) {
    self.init(grid: grid, sensors: Self.interior(perAxis).map { Sensor($0) })
  }

  /// The places of a uniform grid of interior sensors, the last axis fastest.
  public static func interior(_ perAxis: [Int]) -> [[Double]] {
    var places: [[Double]] = [[]]
    for count in perAxis {
      precondition(count >= 1, "\(perAxis) sensors along the axes")
      places = places.flatMap { place in (1...count).map { place + [Double($0) / Double(count + 1)] } }
    }
    return places
  }

  /// The number of observed values.
  public var count: Int { sensors.count }

  /// The observed values of one solution of so many channels.
  func callAsFunction(_ solution: UnsafePointer<Double>, channels: Int) -> [Double] {
    zip(sensors, readings).map { sensor, reading in
      let field = solution + offset(sensor, channels)
      switch reading {
      case .point(let point): return field[point]
      case .sparse(let points, let weights):
        return zip(points, weights).reduce(0) { $0 + $1.1 * field[$1.0] }
      case .dense(let weights): return withPointers(weights) { Double.dot(weights.count, $0, field) }
      }
    }
  }

  /// The observed values of one solution, `[channel, ...grid]` or, of one channel, of the grid's shape.
  public func callAsFunction(_ solution: Tensor<Double>) -> [Double] {
    let points = grid.reduce(1, *)
    precondition(
      solution.count > 0 && solution.count.isMultiple(of: points),
      "a solution \(solution.shape) is not on the grid \(grid)")
    return withPointers(solution) { self($0, channels: solution.count / points) }
  }

  /// Adds to a solution what the adjoint makes of one number per sensor.
  func addAdjoint(_ values: [Double], to solution: UnsafeMutablePointer<Double>, channels: Int) {
    for (index, value) in values.enumerated() {
      let field = solution + offset(sensors[index], channels)
      switch readings[index] {
      case .point(let point): field[point] += value
      case .sparse(let points, let weights):
        for (point, weight) in zip(points, weights) { field[point] += weight * value }
      case .dense(let weights): withPointers(weights) { Double.axpy(weights.count, value, $0, field) }
      }
    }
  }

  private func offset(_ sensor: Sensor, _ channels: Int) -> Int {
    let channel = sensor.channel < 0 ? channels + sensor.channel : sensor.channel
    precondition(channel >= 0 && channel < channels, "channel \(sensor.channel) of \(channels)")
    return channel * grid.reduce(1, *)
  }

  /// The points along an axis that a sensor uses, with their weights; `place` is in units of the spacing.
  private static func weights(
    _ place: Double, _ points: Int, _ isPeriodic: Bool, _ interpolation: Interpolation
  ) -> [(point: Int, weight: Double)] {
    let nearest = place.rounded()
    // A sensor that is meant to be at a grid point is there up to rounding.
    if abs(place - nearest) < 1e-9 { return [(Int(nearest) % points, 1)] }
    switch interpolation {
    case .bilinear:
      let lower = Int(place)
      let fraction = place - Double(lower)
      return [(lower, 1 - fraction), ((lower + 1) % points, fraction)]
    case .spectral:
      // The periodic sinc function of n points; for even n the Nyquist mode counts as a cosine.
      let n = Double(points)
      return (0..<points).map { point in
        let distance = Double.pi * (place - Double(point)) / n
        let weight =
          points.isMultiple(of: 2)
          ? sin(n * distance) / (n * tan(distance)) : sin(n * distance) / (n * sin(distance))
        return (point, weight)
      }
    }
  }

  /// The products of the weights along the axes.
  private static func reading(_ axes: [[(point: Int, weight: Double)]], _ grid: Shape) -> Reading {
    var products: [(point: Int, weight: Double)] = [(0, 1)]
    for (axis, weights) in axes.enumerated() {
      products = products.flatMap { product in
        weights.map { (product.point * grid[axis] + $0.point, product.weight * $0.weight) }
      }
    }
    if products.count == 1 { return .point(products[0].point) }
    guard products.count > 16 else { return .sparse(products.map(\.point), products.map(\.weight)) }
    var dense = Tensor<Double>(shape: [grid.reduce(1, *)])
    dense.withUnsafeMutableBuffer { dense in for (point, weight) in products { dense[point] = weight } }
    return .dense(dense)
  }
}
