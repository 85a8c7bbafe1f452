import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct AffineTests {
  @Test(arguments: [[2], [2, 3, 4]])
  func scalesAndShifts(shape: Shape) {
    let u = Parameter(randomTensor([3, 2, 3, 4], sample: 1))
    let (scale, shift) = (randomTensor(shape, sample: 2), randomTensor(shape, sample: 3))
    let y = affine(Variable(u.value), scale: scale, shift: shift).value
    let expected =
      shape.count == 1
      ? u.value[2, 1, 2, 3] * scale[1] + shift[1] : u.value[2, 1, 2, 3] * scale[1, 2, 3] + shift[1, 2, 3]
    #expect(abs(y[2, 1, 2, 3] - expected) < 1e-6)  // fused or not, one rounding of a value of order 1
    #expect(gradientDisagreements([u], step: 0.5) { affine($0(u), scale: scale, shift: shift) }[0] < 1e-4)
  }
}
