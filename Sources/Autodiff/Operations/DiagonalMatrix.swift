import Tensors

/// The square matrix with these numbers on its diagonal and zeros elsewhere: `[n]` to `[n, n]`.
public func diagonalMatrix(_ diagonal: Variable) -> Variable {
  precondition(diagonal.shape.count == 1, "a diagonal of shape \(diagonal.shape)")
  let count = diagonal.shape[0]
  var matrix = Tensor<Float>(shape: [count, count])
  matrix.withUnsafeMutableBuffer { matrix in
    diagonal.value.withUnsafeBuffer { for index in 0..<count { matrix[index * (count + 1)] = $0[index] } }
  }
  return Variable(matrix, from: diagonal, saving: ()) { _, gradient, inputs in
    let count = gradient.shape[0]
    let ofDiagonal = gradient.start { gradient in
      Tensor<Float>.filled([count]) { result in
        for index in 0..<count { result[index] = gradient[index * (count + 1)] }
      }
    }
    inputs.add(ofDiagonal, to: 0)
  }
}
