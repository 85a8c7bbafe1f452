import Foundation
import Tensors

/// What becomes of a Gaussian field g before the forward map sees it: how a coefficient that is positive, or has
/// two values, gets a prior.
public enum FieldTransform: Sendable, Equatable {
  /// g itself.
  case identity
  /// m exp(g), log-normal with median m.
  case exponential(median: Double)
  /// One value where g is negative and another where it is not: the regions that a level set of g bounds.
  ///
  /// Iglesias, Lu, Stuart, "A Bayesian level set method for geometric inverse problems", Interfaces and Free
  /// Boundaries 18 (2016).
  case levels(below: Double, above: Double)

  /// Whether gradients pass through.
  public var isDifferentiable: Bool { if case .levels = self { false } else { true } }

  /// The fields that the forward map sees.
  public func callAsFunction(_ fields: Tensor<Double>) -> Tensor<Double> {
    switch self {
    case .identity: return fields
    case .exponential(let median): return Self.map(fields) { median * exp($0) }
    case .levels(let below, let above): return Self.map(fields) { $0 < 0 ? below : above }
    }
  }

  /// Cotangents of the transformed fields to those of the Gaussian ones, by the derivative there.
  ///
  /// One field may serve several cotangents.
  func pullBack(_ cotangents: Tensor<Double>, at fields: Tensor<Double>) -> Tensor<Double> {
    switch self {
    case .identity: return cotangents
    case .exponential(let median):
      var result = cotangents
      let slopes = fields.scalars.map { median * exp($0) }
      result.withUnsafeMutableBuffer { values in
        for index in values.indices { values[index] *= slopes[index % slopes.count] }
      }
      return result
    case .levels: preconditionFailure("a level set has no derivative")
    }
  }

  /// The mean of the transformed field under the prior, from the variances of the Gaussian one.
  public func priorMean(_ variances: Tensor<Double>) -> Tensor<Double> {
    switch self {
    case .identity: return Tensor(shape: variances.shape)
    case .exponential(let median): return Self.map(variances) { median * exp($0 / 2) }
    case .levels(let below, let above): return Tensor(shape: variances.shape, repeating: (below + above) / 2)
    }
  }

  /// Its standard deviation.
  public func priorStandardDeviation(_ variances: Tensor<Double>) -> Tensor<Double> {
    switch self {
    case .identity: return Self.map(variances) { $0.squareRoot() }
    case .exponential(let median):
      return Self.map(variances) { median * exp($0 / 2) * (exp($0) - 1).squareRoot() }
    case .levels(let below, let above):
      return Tensor(shape: variances.shape, repeating: abs(above - below) / 2)
    }
  }

  private static func map(_ fields: Tensor<Double>, _ body: (Double) -> Double) -> Tensor<Double> {
    var result = fields
    result.withUnsafeMutableBuffer { values in
      for index in values.indices { values[index] = body(values[index]) }
    }
    return result
  }
}
