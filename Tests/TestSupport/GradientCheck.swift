import Autodiff
import Foundation
import Tensors

/// The disagreement of a gradient with finite differences, in units of the gradient's norm.
///
/// The scalar is a fixed random combination of the result's elements, so every one of them takes part. For
/// each parameter and several random directions d of independent normal numbers, the derivative ⟨g, d⟩ is
/// compared with the central difference; the difference is divided by ‖g‖, the size that ⟨g, d⟩ has on average.
/// Step and rounding: the central difference has an error of step² times the third derivative along d plus
/// single-precision rounding of the result divided by the step.
///
/// - Parameters:
///   - parameters: everything that the function depends on; an input is checked by making it a parameter.
///   - step: the distance along d, relative to the root mean square of the parameter (1 where that is 0).
/// - Returns: the largest disagreement for every parameter, in their order.
public func gradientDisagreements(
  _ parameters: [Parameter], step: Float = 1e-2, directions: Int = 3, training: Bool = true,
  _ function: (Tape) -> Variable
) -> [Double] {
  let weights = randomTensor(function(Tape(training: training)).shape, sample: 999)
  func evaluate() -> Double {
    let value = function(Tape(training: training)).value
    return withPointers(value, weights) { Float.dot(weights.count, $0, $1) }
  }
  for parameter in parameters { parameter.gradient = nil }
  let tape = Tape(training: training)
  tape.backward(from: innerProduct(function(tape), weights))

  return parameters.enumerated().map { index, parameter in
    guard let gradient = parameter.gradient else { return .infinity }
    let norm = withPointers(gradient) { Float.dot(gradient.count, $0, $0) }.squareRoot()
    let value = parameter.value
    let size = withPointers(value) { Float.dot(value.count, $0, $0) } / Double(value.count)
    let distance = step * (size > 0 ? Float(size.squareRoot()) : 1)
    return (0..<directions).map { direction in
      let d = randomTensor(value.shape, sample: 1000 + index * directions + direction)
      func moved(_ amount: Float) -> Double {
        var shifted = value
        shifted.withUnsafeMutableBuffer { shifted in
          d.withUnsafeBuffer { Float.axpy(shifted.count, amount, $0.baseAddress!, shifted.baseAddress!) }
        }
        parameter.value = shifted
        return evaluate()
      }
      let difference = (moved(distance) - moved(-distance)) / (2 * Double(distance))
      parameter.value = value
      let derivative = withPointers(gradient, d) { Float.dot(d.count, $0, $1) }
      return abs(difference - derivative) / max(norm, .leastNormalMagnitude)
    }.max() ?? .infinity
  }
}

/// Independent standard normal numbers.
public func randomTensor(_ shape: Shape, sample: Int) -> Tensor<Float> {
  var random = Philox(seed: 20, stream: .noise, sample: sample)
  return Tensor(converting: random.normal(shape: shape))
}

/// ⟨u, weights⟩ as a variable of one element.
public func innerProduct(_ u: Variable, _ weights: Tensor<Float>) -> Variable {
  let sum = withPointers(u.value, weights) { Float.dot(weights.count, $0, $1) }
  return Variable(Tensor(shape: [1], repeating: Float(sum)), from: [u], saving: weights) {
    weights, gradient, inputs in
    var result = weights
    let factor = gradient[0]
    result.withUnsafeMutableBuffer { Float.scale($0.count, factor, $0.baseAddress!) }
    inputs.add(result, to: 0)
  }
}

/// Held while the number of threads, a setting of the whole process, is not the usual one.
private let threadCountLock = NSLock()

/// Calls `body` with each of several numbers of threads and restores the number afterwards.
///
/// One caller at a time: tests run beside each other.
public func withThreadCounts<Result>(_ counts: [Int], _ body: () throws -> Result) rethrows -> [Result] {
  threadCountLock.lock()
  defer { threadCountLock.unlock() }
  let before = Parallelism.threadCount
  defer { Parallelism.threadCount = before }
  return try counts.map {
    Parallelism.threadCount = $0
    return try body()
  }
}
