import Autodiff
import Tensors

/// Directions, one per sample, and what the Jacobian of the map that is learned makes of them.
public struct TangentPairs: Sendable, Equatable {
  /// v, of the shape of the inputs, in their units.
  public let directions: Tensor<Float>
  /// J(x) v, of the shape of the targets, in their units.
  public let products: Tensor<Float>

  /// Directions with their products.
  public init(directions: Tensor<Float>, products: Tensor<Float>) {
    self.directions = directions
    self.products = products
  }

  /// The pairs of samples one behind the other.
  subscript(range: Range<Int>) -> TangentPairs {
    TangentPairs(directions: directions[first: range], products: products[first: range])
  }
}

/// The error of a model's Jacobian actions: derivative-informed training.
///
/// The derivative of the model u along v is the symmetric difference (u(x + εv) − u(x − εv)) / 2ε, whose gradient with
/// respect to the weights costs two more forward and backward passes and no second derivatives. ε is chosen for every
/// sample so that ‖εv‖ = `relativeStep` ‖x‖, of normalised fields. The truncation error is ε²/6 of the third derivative,
/// for a map that varies over distances of ‖x‖ a share of 10⁻⁴/6 of the first; single precision leaves about
/// 2·10⁻⁷ ‖u‖ of every value, 10⁻⁵ of the difference quotient. Both are far below what networks of these sizes
/// get wrong, and the optimum, (3 · 2·10⁻⁷)^(1/3) = 0.8 %, is flat.
///
/// O'Leary-Roseberry, Chen, Villa, Ghattas, "Derivative-informed neural operator", J. Comput. Phys. 496 (2024); for
/// inverse problems Cao, O'Leary-Roseberry, Ghattas, arXiv:2403.08220 (2024).
public struct SymmetricDifference: Sendable {
  /// How far to either side, relative to the norm of the input.
  public static let relativeStep = 0.01

  /// x + εv, normalised, `[sample, channel, ...grid]`.
  public let forth: Tensor<Float>
  /// x − εv.
  public let back: Tensor<Float>
  /// 2ε of every sample.
  public let widths: [Double]

  /// The points on both sides of normalised inputs along physical directions.
  public init(_ inputs: Tensor<Float>, _ directions: Tensor<Float>, _ scaling: FieldScaling?) {
    let directions = scaling?.encodeDifference(directions) ?? directions
    let samples = inputs.shape[0]
    let count = inputs.count / max(1, samples)
    let steps = withPointers(inputs, directions) { inputs, directions in
      (0..<samples).map { sample -> Double in
        let (x, v) = (inputs + sample * count, directions + sample * count)
        // A direction that vanishes changes nothing, whatever the step.
        let sizes = (Float.dot(count, x, x).squareRoot(), Float.dot(count, v, v).squareRoot())
        return sizes.0 > 0 && sizes.1 > 0 ? Self.relativeStep * sizes.0 / sizes.1 : Self.relativeStep
      }
    }
    func moved(_ sign: Double) -> Tensor<Float> {
      var result = inputs
      result.withUnsafeMutableBuffer { result in
        directions.withUnsafeBuffer { directions in
          for (sample, step) in steps.enumerated() {
            Float.axpy(
              count, Float(sign * step), directions.baseAddress! + sample * count,
              result.baseAddress! + sample * count)
          }
        }
      }
      return result
    }
    forth = moved(1)
    back = moved(-1)
    widths = steps.map { 2 * $0 }
  }

  /// The loss of the differences of a model's outputs on both sides, relative to those that the products say.
  public func loss(
    _ predict: (Tensor<Float>) -> Variable, products: Tensor<Float>, reduction: LossReduction
  ) -> FieldLoss {
    fieldLoss(
      add(predict(forth), predict(back), weight: -1), target: scaled(products, by: widths),
      reduction: reduction)
  }

  /// The difference quotients of a model's outputs.
  public func quotients(_ predict: (Tensor<Float>) -> Variable) -> Tensor<Float> {
    scaled(add(predict(forth), predict(back), weight: -1).value, by: widths.map { 1 / $0 })
  }

  private func scaled(_ fields: Tensor<Float>, by factors: [Double]) -> Tensor<Float> {
    var result = fields
    result.scaleSamples(by: Tensor(converting: Tensor<Double>(shape: [factors.count], scalars: factors)))
    return result
  }
}
