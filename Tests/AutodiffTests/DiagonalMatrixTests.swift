import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct DiagonalMatrixTests {
  @Test func numbersOnTheDiagonal() {
    let matrix = diagonalMatrix(Variable(Tensor(shape: [3], scalars: [2, -1, 4]))).value
    #expect(matrix == Tensor(shape: [3, 3], scalars: [2, 0, 0, 0, -1, 0, 0, 0, 4]))
  }

  @Test func gradient() {
    let diagonal = Parameter(randomTensor([5], sample: 1))
    let errors = gradientDisagreements([diagonal]) { diagonalMatrix($0(diagonal)) }
    // Linear: central differences are exact but for rounding, 1e-7 over a step of 1e-2.
    #expect(errors[0] < 1e-4, "\(errors)")
  }
}
