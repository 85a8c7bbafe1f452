import Tensors

/// The sum of two variables of one shape.
public func add(_ u: Variable, _ v: Variable) -> Variable {
  precondition(u.shape == v.shape, "cannot add \(u.shape) and \(v.shape)")
  var sum = u.value
  sum.withUnsafeMutableBuffer { sum in
    v.value.start { Float.axpy(sum.count, 1, $0, sum.baseAddress!) }
  }
  return Variable(sum, from: [u, v]) { gradient in
    let gradient = gradient
    return [gradient, gradient]
  }
}
