import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct CoordinatesTests {
  @Test func channelsHoldTheCoordinates() {
    let u = Variable(randomTensor([2, 1, 3, 5], sample: 1))
    let y = appendCoordinates(u, .inclusive).value
    #expect(y.shape == [2, 3, 3, 5])
    #expect(y[1, 0, 2, 3] == u.value[1, 0, 2, 3])
    #expect((0..<3).map { y[1, 1, $0, 4] } == [0, 0.5, 1])
    #expect((0..<5).map { y[0, 2, 1, $0] } == [0, 0.25, 0.5, 0.75, 1])
    let periodic = appendCoordinates(Variable(randomTensor([1, 2, 4], sample: 2)), .periodic).value
    #expect((0..<4).map { periodic[0, 2, $0] } == [0, 0.25, 0.5, 0.75])
    #expect(appendCoordinates(u, .none).value == u.value)
    let ones = appendCoordinates(u, .inclusive, ones: true).value
    #expect(ones.shape == [2, 4, 3, 5])
    #expect(ones[1, 2, 2, 3] == 0.75 && ones[0, 3, 0, 0] == 1 && ones[1, 3, 2, 4] == 1)
    #expect(appendCoordinates(u, .none, ones: true).shape == [2, 2, 3, 5])
  }

  @Test func gradient() {
    let u = Parameter(randomTensor([2, 2, 3, 5], sample: 1))
    for ones in [false, true] {
      #expect(
        gradientDisagreements([u], step: 0.5) { appendCoordinates($0(u), .inclusive, ones: ones) }[0] < 1e-4)
    }
  }
}
