import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct PaddingTests {
  private static let cases: [(Shape, Shape)] = [
    ([4], [3]), ([3, 5], [2, 1]), ([3, 5], [0, 4]), ([2, 3, 4], [1, 0, 2]),
  ]

  @Test(arguments: cases)
  func padsWithZerosAndCropsBack(grid: Shape, padding: Shape) {
    let u = Variable(randomTensor([2, 2] + grid, sample: 1))
    let padded = pad(u, by: padding)
    #expect(padded.shape == [2, 2] + Shape(zip(grid, padding).map(+)))
    #expect(crop(padded, by: padding).value == u.value)
    let squares = withPointers(u.value) { Float.dot(u.value.count, $0, $0) }
    let paddedSquares = withPointers(padded.value) { Float.dot(padded.value.count, $0, $0) }
    #expect(abs(paddedSquares / squares - 1) < 1e-12)  // the rest is zero
  }

  @Test func gradient() {
    let u = Parameter(randomTensor([2, 2, 4, 5], sample: 1))
    #expect(gradientDisagreements([u], step: 0.5) { pad($0(u), by: [2, 3]) }[0] < 1e-4)
    #expect(gradientDisagreements([u], step: 0.5) { crop($0(u), by: [1, 2]) }[0] < 1e-4)
  }
}
