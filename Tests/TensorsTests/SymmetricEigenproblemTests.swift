import Tensors
import Testing

@Suite struct SymmetricEigenproblemTests {
  @Test(arguments: [1, 2, 7, 60])
  func vectorsDiagonaliseTheMatrix(count: Int) throws {
    var random = Philox(seed: 1, stream: .inputs, sample: count)
    var matrix = random.normal(shape: [count, count])
    for row in 0..<count {
      for column in 0..<row { matrix[row, column] = matrix[column, row] }
    }
    // Only the upper triangle may be looked at.
    var upper = matrix
    for row in 0..<count {
      for column in 0..<row { upper[row, column] = 99 }
    }
    let eigen = try #require(SymmetricEigenproblem(upper))
    #expect(eigen.values == eigen.values.sorted())
    for i in 0..<count {
      for j in 0..<count {
        let product = (0..<count).reduce(0.0) { sum, k in
          sum + (0..<count).reduce(0.0) { $0 + matrix[k, $1] * eigen.vectors[i, $1] } * eigen.vectors[j, k]
        }
        // Backward stable: a few roundings of the norm, at most twice √count.
        #expect(abs(product - (i == j ? eigen.values[i] : 0)) < 1e-13 * Double(count))
      }
    }
  }

  @Test func aMatrixThatIsNotFiniteHasNone() {
    #expect(SymmetricEigenproblem(Tensor(shape: [2, 2], scalars: [1, .nan, 0, 1])) == nil)
    #expect(SymmetricEigenproblem(Tensor(shape: [0, 0]))?.values == [])
  }
}
