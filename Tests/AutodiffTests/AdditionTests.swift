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
    #expect(gradientDisagreements([u, v]) { add($0(u), $0(v), weight: -0.7) }.allSatisfy { $0 < 1e-3 })
    let difference = add(Variable(u.value), Variable(v.value), weight: -1).value
    #expect(difference.scalars == zip(u.value.scalars, v.value.scalars).map(-))
  }
}
