import Tensors

/// One channel of one of several variables.
public struct ChannelPlace: Sendable, Equatable, BitwiseCopyable {
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
  let sources: ChannelSources
  /// The field's channels in order; nil where they are all of one variable, as they are.
  private let places: PooledList<ChannelPlace>?
  /// The shape of the field.
  public let shape: Shape

  /// The channels of the sources at these places.
  public init(_ sources: [Variable], _ places: [ChannelPlace]) {
    self.init(sources, count: places.count) { places[$0] }
  }

  /// The channels of the sources at `count` places.
  package init(_ sources: [Variable], count: Int, _ place: (_ position: Int) -> ChannelPlace) {
    precondition(!sources.isEmpty, "channels of no field")
    self.init(ChannelSources(first: sources[0], all: sources), PooledList(count: count, place))
  }

  /// Some channels of one variable.
  public init(_ u: Variable, channels: Range<Int>) {
    self.init(
      ChannelSources(first: u),
      PooledList(count: channels.count) { ChannelPlace(source: 0, channel: channels.lowerBound + $0) })
  }

  private init(_ sources: ChannelSources, _ places: PooledList<ChannelPlace>) {
    let first = FieldShape(sources.first.shape)
    precondition(
      sources.allSatisfy { $0.shape == first.shape(channels: FieldShape($0.shape).channels) },
      "channels of fields of shapes \(sources.map(\.shape))")
    precondition(
      places.indices.allSatisfy {
        let place = places[$0]
        return 0..<sources.count ~= place.source && 0..<sources[place.source].shape[1] ~= place.channel
      },
      "channels that fields of shapes \(sources.map(\.shape)) do not have")
    self.sources = sources
    self.places = places
    shape = first.shape(channels: places.count)
  }

  /// All channels of one variable.
  public init(_ u: Variable) {
    sources = ChannelSources(first: u)
    places = nil
    shape = u.shape
  }

  /// The field, with channels `[c, ...grid]` behind its own that are the same for all samples.
  func field(with constants: Tensor<Float>? = nil) -> Tensor<Float> {
    if places == nil && constants == nil { return sources.first.value }
    let own = FieldShape(shape)
    let (points, constantCount) = (own.points, constants?.count ?? 0)
    let stride = own.sampleCount + constantCount
    return (constants ?? .empty).start { constants in
      Tensor<Float>.filled(own.shape(channels: stride / points)) { field in
        // The constants after the channels, as if they were one.
        let rows = own.channels + 1
        parallelFor(own.samples * rows) { range in
          for index in range {
            let (sample, row) = (index / rows, index % rows)
            let target = field + sample * stride + row * points
            guard row < own.channels else {
              target.update(from: constants, count: constantCount)
              continue
            }
            let place = places?[row] ?? ChannelPlace(source: 0, channel: row)
            let source = sources[place.source].value
            source.start {
              target.update(from: $0 + (sample * source.shape[1] + place.channel) * points, count: points)
            }
          }
        }
      }
    }
  }

  /// The way back to the sources.
  var wayBack: ChannelReturn {
    ChannelReturn(
      places: places, channels: shape[1],
      sources: PooledList(count: sources.count) {
        ChannelReturn.Source(channels: sources[$0].shape[1], needsGradient: sources[$0].needsGradient)
      })
  }
}

/// One variable or several.
struct ChannelSources: RandomAccessCollection {
  let first: Variable
  /// Empty where there is one.
  var all: [Variable] = []

  var startIndex: Int { 0 }
  var endIndex: Int { Swift.max(1, all.count) }
  subscript(position: Int) -> Variable { all.isEmpty ? first : all[position] }
}

/// The adjoint of a `ChannelSelection`: apart from it, as who walks back must not hold variables, which hold the tape.
struct ChannelReturn {
  struct Source: BitwiseCopyable {
    let channels: Int
    let needsGradient: Bool
  }

  /// Nil where they are all channels of one source, as they are.
  let places: PooledList<ChannelPlace>?
  /// The number of the field's channels.
  let channels: Int
  let sources: PooledList<Source>

  private func place(_ position: Int) -> ChannelPlace {
    places?[position] ?? ChannelPlace(source: 0, channel: position)
  }

  /// The field's channels from the first to the last one whose source needs a gradient.
  var variableChannels: Range<Int> {
    let isVariable = { position in sources[place(position).source].needsGradient }
    guard let first = (0..<channels).first(where: isVariable),
      let last = (0..<channels).last(where: isVariable)
    else { return 0..<0 }
    return first..<last + 1
  }

  /// Adds the gradients of the sources that need one and are used, from that of the field's channels in a range, to
  /// those of an operation's first inputs.
  func addGradients(
    from gradient: consuming Tensor<Float>, of range: Range<Int>, to inputs: Tape.InputGradients
  ) {
    let gradient = gradient
    if places == nil && range.count == channels { return inputs.add(gradient, to: 0) }
    for index in sources.indices where sources[index].needsGradient {
      guard range.contains(where: { place($0).source == index }) else { continue }
      let shape = FieldShape(gradient.shape)
      let source = FieldShape(shape.shape(channels: sources[index].channels))
      let ofSource = gradient.start { gradient in
        Tensor<Float>.filled(shape.shape(channels: source.channels)) { result in
          parallelFor(source.samples * source.channels) { rows in
            for row in rows {
              let (sample, target) = (row / source.channels, result + row * source.points)
              let own = ChannelPlace(source: index, channel: row % source.channels)
              var isEmpty = true
              for position in range where place(position) == own {
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
      inputs.add(ofSource, to: index)
    }
  }
}

/// The field that is made of these channels.
public func selectChannels(_ selection: ChannelSelection) -> Variable {
  Variable(selection.field(), from: selection.sources, saving: selection.wayBack) {
    wayBack, gradient, inputs in
    let wayBack = wayBack
    wayBack.addGradients(from: consume gradient, of: 0..<wayBack.channels, to: inputs)
  }
}

/// The field that is made of the channels of the sources at these places.
public func selectChannels(_ sources: [Variable], _ places: [ChannelPlace]) -> Variable {
  selectChannels(ChannelSelection(sources, places))
}
