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
    try self.init(kind, shape: Array(samples.shape.dropFirst())) { $0(samples) }
  }

  /// The same of training samples that come in parts; the same bits, however they are parted.
  ///
  /// - Parameters:
  ///   - shape: `[channel, ...grid]` of a sample.
  ///   - forEachPart: calls what it is given with all samples `[sample, channel, ...grid]`, some at a time, in order.
  ///     Called twice: for the means, and for the deviations from them.
  /// - Throws: as above, and what `forEachPart` throws.
  public init(
    _ kind: Kind, shape: [Int], forEachPart: (_ take: (Tensor<Float>) -> Void) throws -> Void
  ) throws {
    guard kind != .none else {
      self = .none
      return
    }
    let points = shape.dropFirst().reduce(1, *)
    let isPointwise = kind == .pointwise
    var count = 0
    var sums = [Double](repeating: 0, count: isPointwise ? shape[0] * points : shape[0])
    try forEachPart { part in
      precondition(Array(part.shape.dropFirst()) == shape, "samples \(part.shape) are not of shape \(shape)")
      count += part.shape[0]
      isPointwise ? Self.addAtPoints(part, to: &sums) : Self.addOverGrid(part, to: &sums)
    }
    guard count >= 2 || !isPointwise, count * points >= 2, !sums.isEmpty else {
      throw DatasetError.invalidNormalizer(
        isPointwise
          ? "a pointwise normalizer needs at least 2 training samples, not \(count)"
          : "a global normalizer needs at least 2 numbers per channel")
    }
    let total = Double(isPointwise ? count : count * points)
    let means = sums.map { $0 / total }
    sums = sums.map { _ in 0 }
    try forEachPart { part in
      isPointwise
        ? Self.addAtPoints(part, deviatingFrom: means, to: &sums)
        : Self.addOverGrid(part, deviatingFrom: means, to: &sums)
    }
    self.init(
      kind: kind, shape: shape, mean: means.map { Float($0) },
      scale: sums.map { Float(($0 / (total - 1)).squareRoot() + Self.epsilon) })
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
  public func check(_ shape: Shape) throws {
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

  /// Adds every number, or its squared deviation, to the sum of its channel and point, sample by sample.
  private static func addAtPoints(
    _ part: Tensor<Float>, deviatingFrom means: [Double]? = nil, to sums: inout [Double]
  ) {
    let (count, size) = (part.shape[0], sums.count)
    part.withUnsafeBuffer { values in
      sums.withUnsafeMutableBufferPointer { sums in
        nonisolated(unsafe) let sums = sums
        parallelFor(size, grain: 1024) { range in
          for sample in 0..<count {
            let row = values.baseAddress! + sample * size
            if let means {
              for point in range {
                let difference = Double(row[point]) - means[point]
                sums[point] += difference * difference
              }
            } else {
              for point in range { sums[point] += Double(row[point]) }
            }
          }
        }
      }
    }
  }

  /// Adds every number, or its squared deviation, to the sum of its channel: sums per sample, in parallel, added up in
  /// their order.
  private static func addOverGrid(
    _ part: Tensor<Float>, deviatingFrom means: [Double]? = nil, to sums: inout [Double]
  ) {
    let channels = sums.count
    let fields = part.shape[0] * channels
    let points = part.count / max(1, fields)
    var terms = [Double](repeating: 0, count: fields)
    part.withUnsafeBuffer { values in
      terms.withUnsafeMutableBufferPointer { terms in
        nonisolated(unsafe) let terms = terms
        parallelFor(fields, grain: max(1, 16_384 / max(1, points))) { range in
          for field in range {
            let numbers = UnsafeBufferPointer(rebasing: values[field * points..<(field + 1) * points])
            let mean = means?[field % channels]
            terms[field] = numbers.reduce(0) { sum, value in
              guard let mean else { return sum + Double(value) }
              let difference = Double(value) - mean
              return sum + difference * difference
            }
          }
        }
      }
    }
    for (field, term) in terms.enumerated() { sums[field % channels] += term }
  }
}
