import Synchronization
import Tensors

/// The coordinates that a model may get as extra input channels, on the unit interval or square.
public enum Coordinates: String, Codable, Sendable, CaseIterable {
  /// No coordinate channels.
  case none
  /// i/(n−1): both end points belong to the grid, as on a domain with boundaries.
  case inclusive
  /// i/n: the end point is the first point again, as on a periodic domain.
  case periodic

  /// The coordinates of the points of an axis, or nil for `none`.
  public func values(points: Int) -> [Float]? {
    self == .none ? nil : (0..<points).map { value($0, of: points) }
  }

  /// The coordinate of one point of an axis; 0 for `none`.
  func value(_ index: Int, of points: Int) -> Float {
    switch self {
    case .none: 0
    case .inclusive: Float(Double(index) / Double(max(1, points - 1)))
    case .periodic: Float(Double(index) / Double(points))
    }
  }
}

/// The field with one more channel per axis behind its own, which holds the coordinate along that axis, and behind
/// those a channel of ones where `ones` asks for it.
///
/// `[sample, C, ...grid]` to `[sample, C + axes, ...grid]`, or `[sample, C + axes + 1, ...grid]`.
public func appendCoordinates(_ u: Variable, _ coordinates: Coordinates, ones: Bool = false) -> Variable {
  if coordinates == .none && !ones { return u }
  let input = FieldShape(u.shape)
  let channels = coordinateChannels(input.grid, coordinates, ones: ones)
  let value = ChannelSelection(u).field(with: channels)
  return Variable(value, from: u, saving: input) { input, gradient, inputs in
    let (input, samples) = (input, input.samples)
    let (sampleCount, stride) = (input.sampleCount, gradient.count / max(1, samples))
    let ofInput = gradient.start { gradient in
      Tensor<Float>.filled(input.shape(channels: input.channels)) { du in
        parallelFor(samples) { samples in
          for sample in samples {
            (du + sample * sampleCount).update(from: gradient + sample * stride, count: sampleCount)
          }
        }
      }
    }
    inputs.add(ofInput, to: 0)
  }
}

/// What `coordinateChannels` gives is determined by.
private struct CoordinateKey: Hashable {
  let grid: Shape
  let coordinates: Coordinates
  let ones: Bool
}

/// The last channels that were made: a roll-out asks for the same ones in every step.
private let lastCoordinates = Mutex<(key: CoordinateKey, channels: Tensor<Float>)?>(nil)

/// What `appendCoordinates` appends, `[c, ...grid]`: at every point its coordinate along each axis, and behind them ones
/// where `ones` asks for them.
public func coordinateChannels(_ grid: Shape, _ coordinates: Coordinates, ones: Bool) -> Tensor<Float> {
  let key = CoordinateKey(grid: grid, coordinates: coordinates, ones: ones)
  if let last = lastCoordinates.withLock({ $0 }), last.key == key { return last.channels }
  let channels = makeCoordinateChannels(grid, coordinates, ones: ones)
  lastCoordinates.withLock { $0 = (key, channels) }
  return channels
}

private func makeCoordinateChannels(
  _ grid: Shape, _ coordinates: Coordinates, ones: Bool
) -> Tensor<Float> {
  let points = grid.reduce(1, *)
  let axes = coordinates == .none ? 0 : grid.count
  return Tensor<Float>.filled([axes + (ones ? 1 : 0)] + grid) { channels in
    if ones { (channels + axes * points).update(repeating: 1, count: points) }
    for axis in 0..<axes {
      let (length, inner) = (grid[axis], grid[(axis + 1)...].reduce(1, *))
      for start in stride(from: 0, to: points, by: inner) {
        let value = coordinates.value(start / inner % length, of: length)
        (channels + axis * points + start).update(repeating: value, count: inner)
      }
    }
  }
}
