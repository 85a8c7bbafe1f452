import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct AdditionTests {
  @Test func gradient() {
    let (u, v) = (
      Parameter(randomTensor([2, 3, 5], sample: 1)), Parameter(randomTensor([2, 3, 5], sample: 2))
    )
    #expect(gradientDisagreements([u, v]) { add($0(u), $0(v)) }.allSatisfy { $0 < 1e-3 })
  }
}
