import Tensors

/// The sum u + weight · v of two variables of one shape.
public func add(_ u: Variable, _ v: Variable, weight: Float = 1) -> Variable {
  precondition(u.shape == v.shape, "cannot add \(u.shape) and \(v.shape)")
  var sum = u.value
  sum.withUnsafeMutableBuffer { sum in
    v.value.start { Float.axpy(sum.count, weight, $0, sum.baseAddress!) }
  }
  return Variable(sum, from: [u, v], saving: weight) { weight, gradient, inputs in
    let (weight, gradient) = (weight, gradient)
    inputs.add(gradient, to: 0)
    var scaled = gradient
    if weight != 1 {
      scaled.withUnsafeMutableBuffer { Float.scale($0.count, weight, $0.baseAddress!) }
    }
    inputs.add(scaled, to: 1)
  }
}
