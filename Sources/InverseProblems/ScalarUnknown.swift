import Foundation
import Solvers
import Tensors

/// A positive parameter of the equation that is inferred beside the field, log-normal under the prior.
///
/// It is median · exp(s ξ) with ξ the first coordinate of the problem's prior, a `ScalarPrior`.
public struct ScalarUnknown: Sendable {
  /// Its name: `viscosity`.
  public let name: String
  /// Its median under the prior.
  public let median: Double
  /// The standard deviation s of its logarithm under the prior.
  public let logDeviation: Double
  /// The forward map for every value.
  public let family: any ParametricOperator

  /// A parameter; see the properties.
  public init(name: String, median: Double, logDeviation: Double, family: any ParametricOperator) {
    precondition(median > 0 && logDeviation > 0, "a log-normal law needs positive parameters")
    self.name = name
    self.median = median
    self.logDeviation = logDeviation
    self.family = family
  }

  /// How the logarithm of the parameter over its median is called among the coordinates.
  public var coordinateName: String { "log_\(name)" }

  /// The values at points of the coordinate space.
  public func values(_ coordinates: Tensor<Double>) -> [Double] {
    (0..<coordinates.shape[0]).map { value(coordinates[$0, 0]) }
  }

  /// The value where the coordinate is ξ.
  public func value(_ coordinate: Double) -> Double { median * exp(logDeviation * coordinate) }

  /// Writes the derivatives with respect to the coordinate, `[row, 0]`, given those with respect to the parameter.
  ///
  /// The derivative of median · exp(s ξ) is s times the value.
  func setDerivatives(_ derivatives: [Double], at values: [Double], in jacobian: inout Tensor<Double>) {
    for row in derivatives.indices { jacobian[row, 0] = logDeviation * values[row] * derivatives[row] }
  }
}

/// The prior of a field with one more coordinate in front, which the field does not depend on.
public struct ScalarPrior: Prior {
  /// The prior of the field.
  public let field: any Prior
  private let scalar: PriorCoordinate

  /// The prior of a field and a scalar.
  public init(_ field: any Prior, name: String, logDeviation: Double) {
    self.field = field
    scalar = PriorCoordinate(name: name, wavenumber: 0, amplitude: logDeviation)
  }

  /// The shape of the field.
  public var grid: Shape { field.grid }
  /// The scalar, then the coordinates of the field.
  public var coordinates: [PriorCoordinate] { [scalar] + field.coordinates }
  /// One more than the field has.
  public var coordinateCount: Int { field.coordinateCount + 1 }
  /// Those of the field.
  public var variances: Tensor<Double> { field.variances }

  /// The field, whatever the scalar is.
  public func makeField(_ coordinates: UnsafePointer<Double>, into field: UnsafeMutablePointer<Double>) {
    self.field.makeField(coordinates + 1, into: field)
  }

  /// The adjoint of `makeField`: zero for the scalar, whose derivative is the problem's to add.
  public func applyAdjoint(_ field: UnsafePointer<Double>, into coordinates: UnsafeMutablePointer<Double>) {
    coordinates[0] = 0
    self.field.applyAdjoint(field, into: coordinates + 1)
  }
}
