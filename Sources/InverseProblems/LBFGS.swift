import Foundation
import Tensors

/// The limited-memory BFGS method for smooth functions of many variables.
///
/// The direction comes from the last few changes of point and gradient (two-loop recursion), the step from a
/// search for the strong Wolfe conditions. Nocedal and Wright, "Numerical Optimization", 2nd edition, algorithms 3.5,
/// 3.6 and 7.4.
public struct LBFGS: Sendable, Equatable, Codable {
  /// How many changes are remembered.
  public var memory: Int
  /// The most iterations.
  public var iterations: Int
  /// The norm of the gradient, relative to that at the start, at which the search ends.
  public var tolerance: Double

  /// A method; see the properties.
  public init(memory: Int = 20, iterations: Int = 200, tolerance: Double = 1e-5) {
    precondition(
      memory >= 1 && iterations >= 0 && tolerance > 0, "memory, iterations and tolerance are positive")
    self.memory = memory
    self.iterations = iterations
    self.tolerance = tolerance
  }

  /// Where a search ended.
  public struct Result: Sendable {
    /// The best point found.
    public internal(set) var point: Tensor<Double>
    /// The value there.
    public internal(set) var value: Double
    /// The gradient there.
    public internal(set) var gradient: Tensor<Double>
    /// The iterations done.
    public internal(set) var iterations = 0
    /// How often the function was evaluated.
    public internal(set) var evaluations = 1
    /// Whether the gradient is as small as asked for.
    public internal(set) var hasConverged = false
    /// The norm of the gradient relative to that at the start.
    public internal(set) var relativeGradient = 1.0
  }

  /// Searches for a minimum from `start`.
  ///
  /// Ends early where no step decreases the value any more, which rounding of a single-precision function may
  /// bring about before the tolerance is reached.
  ///
  /// - Parameters:
  ///   - progress: called after every iteration; what it throws ends the search.
  ///   - function: the value and the gradient at a point; a value that is not finite makes the step shorter.
  public func minimize(
    from start: Tensor<Double>, progress: (Result) throws -> Void = { _ in },
    _ function: (Tensor<Double>) throws -> (value: Double, gradient: Tensor<Double>)
  ) throws -> Result {
    let (value, gradient) = try function(start)
    var result = Result(point: start, value: value, gradient: gradient)
    let initialNorm = gradient.norm
    var changes: [(s: Tensor<Double>, y: Tensor<Double>, rho: Double)] = []
    guard initialNorm > 0, value.isFinite else {
      result.hasConverged = initialNorm == 0 && value.isFinite
      result.relativeGradient = result.hasConverged ? 0 : 1
      return result
    }
    while result.iterations < iterations {
      var direction = direction(result.gradient, changes)
      if direction.dot(result.gradient) >= 0 {
        changes = []
        direction = self.direction(result.gradient, [])
      }
      // Without a memory the scale of the function is unknown: a first step of length one.
      let firstStep = changes.isEmpty ? 1 / direction.norm : 1
      guard let next = try search(result, direction, firstStep, function, &result.evaluations) else { break }
      let s = next.point.subtracting(result.point)
      let y = next.gradient.subtracting(result.gradient)
      let curvature = s.dot(y)
      if curvature > 1e-12 * y.dot(y) {
        changes.append((s, y, 1 / curvature))
        if changes.count > memory { changes.removeFirst() }
      }
      (result.point, result.value, result.gradient) = next
      result.iterations += 1
      result.relativeGradient = result.gradient.norm / initialNorm
      result.hasConverged = result.relativeGradient <= tolerance
      try progress(result)
      if result.hasConverged { break }
    }
    return result
  }

  /// −H g with H the approximate inverse Hessian.
  private func direction(
    _ gradient: Tensor<Double>, _ changes: [(s: Tensor<Double>, y: Tensor<Double>, rho: Double)]
  ) -> Tensor<Double> {
    var q = gradient
    var alphas: [Double] = []
    for change in changes.reversed() {
      let alpha = change.rho * change.s.dot(q)
      alphas.append(alpha)
      q.add(-alpha, change.y)
    }
    if let last = changes.last { q.scale(1 / (last.rho * last.y.dot(last.y))) }
    for (change, alpha) in zip(changes, alphas.reversed()) {
      q.add(alpha - change.rho * change.y.dot(q), change.s)
    }
    q.scale(-1)
    return q
  }

  private typealias Evaluation = (point: Tensor<Double>, value: Double, gradient: Tensor<Double>)

  /// A step along `direction` with sufficient decrease and small slope; nil if rounding hides any decrease.
  private func search(
    _ start: Result, _ direction: Tensor<Double>, _ firstStep: Double,
    _ function: (Tensor<Double>) throws -> (value: Double, gradient: Tensor<Double>), _ evaluations: inout Int
  ) throws -> Evaluation? {
    let (decrease, curvature) = (1e-4, 0.9)
    let slope = start.gradient.dot(direction)
    // Steps known to be too short, with the value there, and too long.
    var low = (step: 0.0, value: start.value, slope: slope)
    var high: Double?
    var step = firstStep
    var best: Evaluation?
    for _ in 0..<30 {
      var point = start.point
      point.add(step, direction)
      let (value, gradient) = try function(point)
      evaluations += 1
      guard value.isFinite, value <= start.value + decrease * step * slope, value <= low.value else {
        high = step
        // The minimum of the parabola through the lower end and this value, kept inside the bracket.
        let width = step - low.step
        let drop = value - low.value - low.slope * width
        let guess = value.isFinite && drop > 0 ? -low.slope * width * width / (2 * drop) : 0.5 * width
        step = low.step + min(0.9 * width, max(0.1 * width, guess))
        continue
      }
      if value < start.value { best = (point, value, gradient) }
      let newSlope = gradient.dot(direction)
      if abs(newSlope) <= -curvature * slope { return (point, value, gradient) }
      if newSlope > 0 {
        // Beyond the minimum: it lies between the lower end and here.
        high = step
        step = 0.5 * (low.step + step)
      } else {
        low = (step, value, newSlope)
        step = high.map { 0.5 * (step + $0) } ?? 2 * step
      }
    }
    return best
  }
}

extension Tensor<Double> {
  func dot(_ other: Tensor<Double>) -> Double {
    withPointers(self, other) { Double.dot(count, $0, $1) }
  }

  fileprivate var norm: Double { dot(self).squareRoot() }

  fileprivate mutating func add(_ factor: Double, _ other: Tensor<Double>) {
    withUnsafeMutableBuffer { target in
      withPointers(other) { Double.axpy(target.count, factor, $0, target.baseAddress!) }
    }
  }

  fileprivate mutating func scale(_ factor: Double) {
    withUnsafeMutableBuffer { Double.scale($0.count, factor, $0.baseAddress!) }
  }

  fileprivate func subtracting(_ other: Tensor<Double>) -> Tensor<Double> {
    var result = self
    result.add(-1, other)
    return result
  }
}
