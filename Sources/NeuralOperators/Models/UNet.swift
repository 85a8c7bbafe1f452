import Autodiff

/// A U-net: convolutions on ever coarser grids, and back, with what was there at every level beside it.
///
/// Input `[sample, inputChannels, ...grid]`, output `[sample, outputChannels, ...grid]` in one to three
/// dimensions, on any grid: cells at its ends may be smaller. A `CNN.Configuration` says all, where `layers` is the
/// number of levels below the finest: every level halves the points per axis by maximum pooling and doubles the
/// channels; on the way back values are repeated. Ronneberger, Fischer, Brox, "U-Net: convolutional
/// networks for biomedical image segmentation", MICCAI 2015.
public struct UNet: Module {
  /// How grids are made coarser.
  public let poolingKind: PoolingKind
  /// What the model is made from.
  public let configuration: CNN.Configuration
  /// From the input and coordinate channels to `width` channels.
  public let lifting: PointwiseLinear
  /// The convolutions of every level on the way down, finest first.
  public let down: [DoubleConvolution]
  /// The convolutions of every level but the coarsest on the way up, finest first.
  public let up: [DoubleConvolution]
  /// From `width` channels to the output.
  public let projection: Perceptron

  /// A model with fresh weights, the same for equal seeds.
  public init(_ configuration: CNN.Configuration, pooling: PoolingKind = .maximum, seed: UInt64) {
    if let problem = UNet.problem(configuration) { preconditionFailure(problem) }
    self.configuration = configuration
    poolingKind = pooling
    var initializer = Initializer(seed: seed)
    lifting = configuration.lifting(using: &initializer)
    let widths = (0...configuration.layers).map { configuration.width << $0 }
    down = widths.indices.map { level in
      DoubleConvolution(
        configuration, inputs: widths[max(0, level - 1)], outputs: widths[level],
        lastActivation: configuration.activation, using: &initializer)
    }
    up = widths.indices.dropLast().map { level in
      DoubleConvolution(
        configuration, inputs: widths[level] + widths[level + 1], outputs: widths[level],
        lastActivation: configuration.activation, using: &initializer)
    }
    projection = configuration.projection(using: &initializer)
  }

  /// The output fields.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable {
    configuration.require(u)
    var levels = [
      down[0](lifting(appendCoordinates(u, configuration.coordinates), on: tape), on: tape)
    ]
    for convolutions in down.dropFirst() {
      levels.append(convolutions(pooling(levels[levels.count - 1], poolingKind), on: tape))
    }
    var v = levels[levels.count - 1]
    for level in up.indices.reversed() {
      let fine = levels[level]
      v = up[level](joinChannels(fine, upsampling(v, to: Array(fine.shape.dropFirst(2)))), on: tape)
    }
    return projection(v, on: tape)
  }

  /// Why there is no such model, or nil if there is one.
  static func problem(_ configuration: CNN.Configuration) -> String? {
    configuration.layers <= 16
      ? configuration.problem : "a U-net has at most 16 levels, not \(configuration.layers)"
  }

  /// Why the model cannot be applied to fields on `grid`, or nil if it can.
  static func problem(_ configuration: CNN.Configuration, grid: [Int]) -> String? {
    if let problem = problem(configuration) { return problem }
    var coarse = grid
    for level in 0...configuration.layers {
      if let problem = configuration.problem(grid: coarse) {
        return level == 0 ? problem : "level \(level) has \(coarse) points: \(problem)"
      }
      if level < configuration.layers, coarse.allSatisfy({ $0 == 1 }) {
        return "level \(level) has a single point: it cannot be made coarser"
      }
      coarse = coarse.map { ($0 + 1) / 2 }
    }
    return nil
  }
}
