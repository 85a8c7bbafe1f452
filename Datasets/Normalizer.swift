import Tensors

/// Shifts and scales fields so that a network sees numbers of order one.
///
/// `encode` maps x to (x − μ) / (σ + 10⁻⁵), `decode` back. Fitted to training samples `[sample, channel, ...grid]`;
/// means and standard deviations are accumulated in double precision in an order that does not depend on
/// the number of threads.
public struct Normalizer: Codable, Sendable, Equatable {
  /// Over what means and standard deviations are taken.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// Fields stay as they are.
    case none
    /// Over samples, at every grid point by itself, with the unbiased variance: Li et al., "Fourier neural
    /// operator" (ICLR 2021), `UnitGaussianNormalizer`.
    case pointwise
    /// Over samples and grid points, one number per channel: works at any resolution.
    case global
  }

  /// Over what means and standard deviations are taken.
  public let kind: Kind
  /// The shape `[channel, ...grid]` that it was fitted to.
  public let shape: [Int]
  /// The means: one per channel, or one per channel and grid point.
  public let mean: [Float]
  /// The standard deviations plus 10⁻⁵: one per channel, or one per channel and grid point.
  public let scale: [Float]

  /// What is added to standard deviations, so that constant fields can be divided by them.
  static let epsilon = 1e-5

  /// The normalizer that changes nothing.
  public static let none = Normalizer(kind: .none, shape: [], mean: [], scale: [])

  private init(kind: Kind, shape: [Int], mean: [Float], scale: [Float]) {
    self.kind = kind
    self.shape = shape
    self.mean = mean
    self.scale = scale
  }

  /// Takes the means and standard deviations of training samples `[sample, channel, ...grid]`.
  ///
  /// - Throws: `DatasetError.invalidNormalizer` if there are fewer than two numbers to take a deviation of.
  public init(_ kind: Kind, fitting samples: Tensor<Float>) throws {
    precondition(samples.rank >= 2, "samples of shape \(samples.shape) have no channels")
    let count = samples.shape[0]
    let shape = Array(samples.shape.dropFirst())
    let size = shape.reduce(1, *)
    switch kind {
    case .none: self = .none
    case .pointwise:
      guard count >= 2, size > 0 else {
        throw DatasetError.invalidNormalizer(
          "a pointwise normalizer needs at least 2 training samples, not \(count)")
      }
      let (mean, scale) = samples.withUnsafeBuffer { Self.pointwise($0, count: count, size: size) }
      self.init(kind: .pointwise, shape: shape, mean: mean, scale: scale)
    case .global:
      let points = shape.dropFirst().reduce(1, *)
      guard count * points >= 2 else {
        throw DatasetError.invalidNormalizer("a global normalizer needs at least 2 numbers per channel")
      }
      let moments = samples.withUnsafeBuffer { values in
        (0..<shape[0]).map { channel in
          Self.moments(values, channel: channel, count: count, channels: shape[0], points: points)
        }
      }
      self.init(
        kind: .global, shape: shape, mean: moments.map { Float($0.mean) },
        scale: moments.map { Float($0.deviation + Self.epsilon) })
    }
  }

  /// Normalises `[sample, channel, ...grid]` in place.
  ///
  /// - Throws: `DatasetError.invalidNormalizer` if it was fitted to other channels, or, pointwise, another grid.
  public func encode(_ samples: inout Tensor<Float>) throws {
    try apply(to: &samples) { values, mean, scale in
      for index in values.indices { values[index] = (values[index] - mean[index]) / scale[index] }
    } uniform: { values, mean, scale in
      for index in values.indices { values[index] = (values[index] - mean) / scale }
    }
  }

  /// Undoes `encode`, in place.
  ///
  /// - Throws: `DatasetError.invalidNormalizer` if it was fitted to other channels, or, pointwise, another grid.
  public func decode(_ samples: inout Tensor<Float>) throws {
    try apply(to: &samples) { values, mean, scale in
      for index in values.indices { values[index] = values[index] * scale[index] + mean[index] }
    } uniform: { values, mean, scale in
      for index in values.indices { values[index] = values[index] * scale + mean }
    }
  }

  /// Throws if samples of this shape `[sample, channel, ...grid]` do not fit.
  public func check(_ shape: [Int]) throws {
    let found = Array(shape.dropFirst())
    switch kind {
    case .none: return
    case .pointwise where found != self.shape:
      throw DatasetError.invalidNormalizer(
        "a pointwise normalizer fitted to channels and grid \(self.shape) cannot take \(found): train with a "
          + "global one to use other resolutions")
    case .global where found.first != self.shape.first:
      throw DatasetError.invalidNormalizer(
        "a normalizer fitted to \(self.shape.first ?? 0) channels cannot take \(found.first ?? 0)")
    case .pointwise, .global: return
    }
  }

  // MARK: - Inside

  /// Calls one of two loops for every field, in parallel: `pointwise` with means along the field, `uniform`
  /// with one mean.
  private func apply(
    to samples: inout Tensor<Float>,
    pointwise: (UnsafeMutableBufferPointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>) -> Void,
    uniform: (UnsafeMutableBufferPointer<Float>, Float, Float) -> Void
  ) throws {
    try check(samples.shape)
    guard kind != .none, samples.count > 0 else { return }
    let channels = samples.shape[1]
    let points = samples.count / samples.shape[0] / channels
    let fields = samples.shape[0] * channels
    let isPointwise = kind == .pointwise
    samples.withUnsafeMutableBuffer { values in
      mean.withUnsafeBufferPointer { mean in
        scale.withUnsafeBufferPointer { scale in
          parallelFor(fields, grain: max(1, 16_384 / points)) { range in
            for field in range {
              let part = UnsafeMutableBufferPointer(rebasing: values[field * points..<(field + 1) * points])
              let channel = field % channels
              if isPointwise {
                pointwise(part, mean.baseAddress! + channel * points, scale.baseAddress! + channel * points)
              } else {
                uniform(part, mean[channel], scale[channel])
              }
            }
          }
        }
      }
    }
  }

  /// Mean and deviation of every grid point: two passes, each adding up the samples in their order.
  private static func pointwise(
    _ values: UnsafeBufferPointer<Float>, count: Int, size: Int
  ) -> (mean: [Float], scale: [Float]) {
    var mean = [Float](repeating: 0, count: size)
    var scale = mean
    mean.withUnsafeMutableBufferPointer { mean in
      scale.withUnsafeMutableBufferPointer { scale in
        nonisolated(unsafe) let (mean, scale) = (mean, scale)
        parallelFor(size, grain: 1024) { range in
          var sums = [Double](repeating: 0, count: range.count)
          for sample in 0..<count {
            let row = values.baseAddress! + sample * size + range.lowerBound
            for index in sums.indices { sums[index] += Double(row[index]) }
          }
          let means = sums.map { $0 / Double(count) }
          for index in sums.indices { sums[index] = 0 }
          for sample in 0..<count {
            let row = values.baseAddress! + sample * size + range.lowerBound
            for index in sums.indices {
              let difference = Double(row[index]) - means[index]
              sums[index] += difference * difference
            }
          }
          for (index, point) in range.enumerated() {
            mean[point] = Float(means[index])
            scale[point] = Float((sums[index] / Double(count - 1)).squareRoot() + epsilon)
          }
        }
      }
    }
    return (mean, scale)
  }

  /// Mean and deviation of a channel: sums per sample, in parallel, added up in their order.
  private static func moments(
    _ values: UnsafeBufferPointer<Float>, channel: Int, count: Int, channels: Int, points: Int
  ) -> (mean: Double, deviation: Double) {
    func part(_ sample: Int) -> UnsafeBufferPointer<Float> {
      let start = (sample * channels + channel) * points
      return UnsafeBufferPointer(rebasing: values[start..<start + points])
    }
    let total = Double(count * points)
    let mean = parallelSum(count) { sample in part(sample).reduce(0) { $0 + Double($1) } } / total
    let squares = parallelSum(count) { sample in
      part(sample).reduce(0) { sum, value in
        let difference = Double(value) - mean
        return sum + difference * difference
      }
    }
    return (mean, (squares / (total - 1)).squareRoot())
  }
}
