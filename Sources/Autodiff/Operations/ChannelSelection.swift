import Tensors

/// One channel of one of several variables.
public struct ChannelPlace: Sendable, Equatable {
  /// The number of the variable.
  public let source: Int
  /// The number of the channel in it.
  public let channel: Int

  /// A channel.
  public init(source: Int, channel: Int) {
    self.source = source
    self.channel = channel
  }
}

/// A field made of channels of others, in any order: concatenation, slices, and a window that moves on.
///
/// Shapes: every source `[sample, C, ...grid]`, with the same samples and grid; the result `[sample,
/// selection.count, ...grid]`.
public func selectChannels(_ sources: [Variable], _ selection: [ChannelPlace]) -> Variable {
  let shapes = sources.map { FieldShape($0.shape) }
  precondition(
    !sources.isEmpty && shapes.allSatisfy { $0.samples == shapes[0].samples && $0.grid == shapes[0].grid },
    "channels of fields of shapes \(sources.map(\.shape))")
  precondition(
    selection.allSatisfy {
      shapes.indices.contains($0.source) && 0..<shapes[$0.source].channels ~= $0.channel
    },
    "channels that fields of shapes \(sources.map(\.shape)) do not have")
  let (samples, points) = (shapes[0].samples, shapes[0].points)
  let shape = shapes[0].shape(channels: selection.count)
  let value = Tensor<Float>.filled(shape) { value in
    parallelFor(samples) { range in
      for (position, place) in selection.enumerated() {
        sources[place.source].value.start { source in
          for sample in range {
            (value + (sample * selection.count + position) * points).update(
              from: source + (sample * shapes[place.source].channels + place.channel) * points, count: points)
          }
        }
      }
    }
  }
  return Variable(value, from: sources) { [needGradients = sources.map(\.needsGradient)] gradient in
    let gradient = gradient
    return shapes.indices.map { index -> Tensor<Float>? in
      guard needGradients[index] else { return nil }
      let channels = shapes[index].channels
      return gradient.start { gradient in
        Tensor<Float>.filled(shapes[index].shape(channels: channels)) { result in
          parallelFor(samples * channels) { range in
            for row in range {
              let target = result + row * points
              let source = gradient + row / channels * selection.count * points
              let own = ChannelPlace(source: index, channel: row % channels)
              var isEmpty = true
              for (position, place) in selection.enumerated() where place == own {
                if isEmpty {
                  target.update(from: source + position * points, count: points)
                } else {
                  Float.axpy(points, 1, source + position * points, target)
                }
                isEmpty = false
              }
              if isEmpty { target.update(repeating: 0, count: points) }
            }
          }
        }
      }
    }
  }
}
