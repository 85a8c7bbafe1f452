import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct ChannelScalingTests {
  @Test func everyChannelHasItsNumber() {
    let u = randomTensor([3, 4, 5, 2], sample: 1)
    let scale = randomTensor([4], sample: 2)
    let result = channelScaling(Variable(u), scale: Variable(scale)).value
    for (index, value) in result.scalars.enumerated() {
      #expect(value == u.scalars[index] * scale[index / 10 % 4])
    }
  }

  @Test func gradient() {
    let u = Parameter(randomTensor([3, 4, 5, 2], sample: 1))
    let scale = Parameter(randomTensor([4], sample: 2))
    let errors = gradientDisagreements([u, scale]) { channelScaling($0(u), scale: $0(scale)) }
    // Bilinear: central differences are exact but for rounding, 1e-7 over a step of 1e-2.
    #expect(errors.allSatisfy { $0 < 1e-4 }, "\(errors)")
  }
}
