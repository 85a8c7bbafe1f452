import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct TimeAxisTests {
  @Test func repeatedFieldsAreTheSameAtAllTimes() {
    let u = randomTensor([2, 3, 4, 5], sample: 1)
    let result = repeatOverTime(Variable(u), frames: 6).value
    #expect(result.shape == [2, 3, 4, 5, 6])
    for (index, value) in result.scalars.enumerated() { #expect(value == u.scalars[index / 6]) }
  }

  @Test func timesBecomeChannels() {
    let u = randomTensor([2, 3, 4, 5, 6], sample: 1)
    let result = timesToChannels(Variable(u)).value
    #expect(result.shape == [2, 18, 4, 5])
    for sample in 0..<2 {
      for channel in 0..<3 {
        for time in 0..<6 {
          for i in 0..<4 {
            for j in 0..<5 {
              #expect(result[sample, channel * 6 + time, i, j] == u[sample, channel, i, j, time])
            }
          }
        }
      }
    }
  }

  @Test func gradients() {
    let u = Parameter(randomTensor([2, 3, 4, 5], sample: 1))
    let v = Parameter(randomTensor([2, 3, 4, 5], sample: 2))
    let errors =
      gradientDisagreements([u]) { repeatOverTime($0(u), frames: 6) }
      + gradientDisagreements([v]) { timesToChannels($0(v)) }
    #expect(errors.allSatisfy { $0 < 1e-4 }, "\(errors)")  // linear: rounding over a step of 1e-2
  }
}
