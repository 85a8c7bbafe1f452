import Autodiff
import Tensors

/// A U-net: convolutions on ever coarser grids, and back, with what was there at every level beside it.
///
/// Input `[sample, inputChannels, ...grid]`, output `[sample, outputChannels, ...grid]` in one to three
/// dimensions, on any grid: cells at its ends may be smaller. A `CNN.Configuration` says all, where `layers` is the
/// number of levels below the finest: every level halves the points per axis (`downsampling`) and doubles the channels;
/// on the way back grids become finer again (`upsampling`). Ronneberger, Fischer, Brox, "U-Net: convolutional
/// networks for biomedical image segmentation", MICCAI 2015.
public struct UNet: ProjectedModel {
  /// How a grid is made coarser, by two along every axis.
  public enum Downsampling: String, Codable, Sendable, CaseIterable {
    /// The largest value of every cell.
    case maximum
    /// The mean of every cell.
    case average
    /// A convolution of three taps and stride 2.
    case strided
  }

  /// How a grid is made finer again.
  public enum Upsampling: String, Codable, Sendable, CaseIterable {
    /// The value of a cell at all its points.
    case repeated
    /// A transposed convolution of two taps and stride 2, which also halves the channels: that of the original.
    case transposed
  }

  /// What the model is made from.
  public let configuration: CNN.Configuration
  /// From the input and coordinate channels to `width` channels.
  public let lifting: PointwiseLinear
  /// The convolutions of every level on the way down, finest first.
  public let down: [DoubleConvolution]
  /// The convolutions of every level but the coarsest on the way up, finest first.
  public let up: [DoubleConvolution]
  /// The strided convolutions from every level but the coarsest to the next, if grids become coarser so.
  public let coarser: [Convolution]
  /// The transposed convolutions from every level but the finest to the one before, if grids become finer so.
  public let finer: [TransposedConvolution]
  /// From `width` channels to the output.
  public let projection: Perceptron

  /// A model with fresh weights, the same for equal seeds.
  public init(_ configuration: CNN.Configuration, seed: UInt64) {
    if let problem = UNet.problem(configuration) { preconditionFailure(problem) }
    self.configuration = configuration
    var initializer = Initializer(seed: seed)
    lifting = configuration.lifting(using: &initializer)
    let widths = (0...configuration.layers).map { configuration.width << $0 }
    down = widths.indices.map { level in
      DoubleConvolution(
        configuration, inputs: widths[max(0, level - 1)], outputs: widths[level],
        lastActivation: configuration.activation, using: &initializer)
    }
    let isTransposed = configuration.upsampling == .transposed
    up = widths.indices.dropLast().map { level in
      DoubleConvolution(
        configuration, inputs: widths[level] + (isTransposed ? widths[level] : widths[level + 1]),
        outputs: widths[level], lastActivation: configuration.activation, using: &initializer)
    }
    projection = configuration.projection(using: &initializer)
    func each(_ value: Int) -> [Int] { Array(repeating: value, count: configuration.dimensions) }
    coarser =
      configuration.downsampling == .strided
      ? widths.dropLast().map { width in
        Convolution(
          inputs: width, outputs: width,
          geometry: ConvolutionGeometry(
            kernel: each(3), stride: each(2), padding: each(1), paddingMode: configuration.paddingMode),
          hasBias: true, using: &initializer)
      } : []
    finer =
      isTransposed
      ? widths.dropLast().map { width in
        TransposedConvolution(
          inputs: 2 * width, outputs: width, geometry: ConvolutionGeometry(kernel: each(2), stride: each(2)),
          hasBias: true, using: &initializer)
      } : []
  }

  /// What the projection acts on.
  public func hiddenFields(_ u: Variable, on tape: Tape) -> Variable {
    configuration.require(u)
    var levels = [
      down[0](lifting(appendCoordinates(u, configuration.coordinates), on: tape), on: tape)
    ]
    for level in up.indices {
      levels.append(down[level + 1](downsample(levels[level], level, on: tape), on: tape))
    }
    var v = levels[levels.count - 1]
    for level in up.indices.reversed() {
      v = up[level](joinChannels(levels[level], upsample(v, to: level, levels[level], on: tape)), on: tape)
    }
    return v
  }

  /// From the grid of a level to the next, rounded up.
  private func downsample(_ u: Variable, _ level: Int, on tape: Tape) -> Variable {
    switch configuration.downsampling ?? .maximum {
    case .maximum: pooling(u, .maximum)
    case .average: pooling(u, .average)
    case .strided: coarser[level](u, on: tape)
    }
  }

  /// To the grid of a level, which is that of `fine`.
  private func upsample(_ u: Variable, to level: Int, _ fine: Variable, on tape: Tape) -> Variable {
    let grid = fine.shape.dropFirst(2)
    guard configuration.upsampling == .transposed else { return upsampling(u, to: grid) }
    // An odd number of points leaves the last cell with one.
    let v = finer[level](u, on: tape)
    return crop(v, by: Shape(count: grid.count) { v.shape[$0 + 2] - grid[$0] })
  }

  /// Why there is no such model, or nil if there is one.
  static func problem(_ configuration: CNN.Configuration) -> String? {
    configuration.layers <= 16
      ? configuration.problem : "a U-net has at most 16 levels, not \(configuration.layers)"
  }

  /// Why the model cannot be applied to fields on `grid`, or nil if it can.
  static func problem(_ configuration: CNN.Configuration, grid: Shape) -> String? {
    if let problem = problem(configuration) { return problem }
    var coarse = grid
    for level in 0...configuration.layers {
      if let problem = configuration.problem(grid: coarse) {
        return level == 0 ? problem : "level \(level) has \(coarse) points: \(problem)"
      }
      if level < configuration.layers, coarse.allSatisfy({ $0 == 1 }) {
        return "level \(level) has a single point: it cannot be made coarser"
      }
      coarse = Shape(count: coarse.count) { (coarse[$0] + 1) / 2 }
    }
    return nil
  }
}
