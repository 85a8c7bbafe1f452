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

/// Channels of fields in any order, of which a field is made: concatenation, slices, and a window that moves on.
///
/// Every source is `[sample, C, ...grid]`, with the same samples and grid; the field `[sample, places.count, ...grid]`.
public struct ChannelSelection {
  /// Whose channels are taken.
  public let sources: [Variable]
  /// The field's channels in order.
  public let places: [ChannelPlace]
  /// The shape of the field.
  public let shape: Shape
  /// Whether these are all channels of one variable, as they are.
  private let isWhole: Bool

  /// The channels of the sources at these places.
  public init(_ sources: [Variable], _ places: [ChannelPlace]) {
    precondition(!sources.isEmpty, "channels of no field")
    let first = FieldShape(sources[0].shape)
    precondition(
      sources.allSatisfy { $0.shape == first.shape(channels: FieldShape($0.shape).channels) },
      "channels of fields of shapes \(sources.map(\.shape))")
    precondition(
      places.allSatisfy {
        sources.indices.contains($0.source) && 0..<sources[$0.source].shape[1] ~= $0.channel
      },
      "channels that fields of shapes \(sources.map(\.shape)) do not have")
    self.sources = sources
    self.places = places
    shape = first.shape(channels: places.count)
    isWhole = false
  }

  /// All channels of one variable.
  public init(_ u: Variable) {
    sources = [u]
    places = (0..<u.shape[1]).map { ChannelPlace(source: 0, channel: $0) }
    shape = u.shape
    isWhole = true
  }

  /// The field, with channels `[c, ...grid]` behind its own that are the same for all samples.
  func field(with constants: Tensor<Float>? = nil) -> Tensor<Float> {
    if isWhole && constants == nil { return sources[0].value }
    let own = FieldShape(shape)
    let (points, constantCount) = (own.points, constants?.count ?? 0)
    let stride = own.sampleCount + constantCount
    return (constants ?? .empty).start { constants in
      Tensor<Float>.filled(own.shape(channels: stride / points)) { field in
        // The constants after the channels, as if they were one.
        let rows = places.count + 1
        parallelFor(own.samples * rows) { range in
          for index in range {
            let (sample, row) = (index / rows, index % rows)
            let target = field + sample * stride + row * points
            guard row < places.count else {
              target.update(from: constants, count: constantCount)
              continue
            }
            let source = sources[places[row].source].value
            source.start {
              target.update(
                from: $0 + (sample * source.shape[1] + places[row].channel) * points, count: points)
            }
          }
        }
      }
    }
  }

  /// The way back to the sources.
  var wayBack: ChannelReturn {
    ChannelReturn(
      places: places, isWhole: isWhole,
      sources: sources.map { ChannelReturn.Source(shape: $0.shape, needsGradient: $0.needsGradient) })
  }
}

/// The adjoint of a `ChannelSelection`: apart from it, as who walks back must not hold variables, which hold the tape.
struct ChannelReturn {
  struct Source {
    let shape: Shape
    let needsGradient: Bool
  }

  let places: [ChannelPlace]
  /// Whether these are all channels of one source, as they are.
  let isWhole: Bool
  let sources: [Source]

  /// The field's channels from the first to the last one whose source needs a gradient.
  var variableChannels: Range<Int> {
    let isVariable = { (place: ChannelPlace) in sources[place.source].needsGradient }
    guard let first = places.firstIndex(where: isVariable), let last = places.lastIndex(where: isVariable)
    else { return 0..<0 }
    return first..<last + 1
  }

  /// The gradients of the sources that need one and are used, from that of the field's channels in a range.
  func gradients(from gradient: Tensor<Float>, of range: Range<Int>) -> [Tensor<Float>?] {
    if isWhole && range.count == places.count { return [gradient] }
    return sources.indices.map { index in
      guard sources[index].needsGradient, places[range].contains(where: { $0.source == index }) else {
        return nil
      }
      let source = FieldShape(sources[index].shape)
      return gradient.start { gradient in
        Tensor<Float>.filled(sources[index].shape) { result in
          parallelFor(source.samples * source.channels) { rows in
            for row in rows {
              let (sample, target) = (row / source.channels, result + row * source.points)
              let place = ChannelPlace(source: index, channel: row % source.channels)
              var isEmpty = true
              for position in range where places[position] == place {
                let term = gradient + (sample * range.count + position - range.lowerBound) * source.points
                if isEmpty {
                  target.update(from: term, count: source.points)
                } else {
                  Float.axpy(source.points, 1, term, target)
                }
                isEmpty = false
              }
              if isEmpty { target.update(repeating: 0, count: source.points) }
            }
          }
        }
      }
    }
  }
}

/// The field that is made of these channels.
public func selectChannels(_ selection: ChannelSelection) -> Variable {
  Variable(selection.field(), from: selection.sources) { [wayBack = selection.wayBack] gradient in
    wayBack.gradients(from: gradient, of: wayBack.places.indices)
  }
}

/// The field that is made of the channels of the sources at these places.
public func selectChannels(_ sources: [Variable], _ places: [ChannelPlace]) -> Variable {
  selectChannels(ChannelSelection(sources, places))
}
