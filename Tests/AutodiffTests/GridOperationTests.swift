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
  }

  @Test func gradient() {
    let u = Parameter(randomTensor([2, 2, 3, 5], sample: 1))
    #expect(gradientDisagreements([u], step: 0.5) { appendCoordinates($0(u), .inclusive) }[0] < 1e-4)
  }
}

@Suite struct PaddingTests {
  @Test(arguments: [([4], [3]), ([3, 5], [2, 1]), ([3, 5], [0, 4])])
  func padsWithZerosAndCropsBack(grid: [Int], padding: [Int]) {
    let u = Variable(randomTensor([2, 2] + grid, sample: 1))
    let padded = pad(u, by: padding)
    #expect(padded.shape == [2, 2] + zip(grid, padding).map(+))
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

@Suite struct AffineTests {
  @Test(arguments: [[2], [2, 3, 4]])
  func scalesAndShifts(shape: [Int]) {
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

@Suite struct RelativeL2LossTests {
  private let target = randomTensor([3, 1, 4, 5], sample: 2)

  @Test func isTheRelativeDistance() {
    var prediction = target
    for j in 0..<5 { prediction[1, 0, 2, j] += 0.5 }
    let squares = (0..<20).reduce(0.0) { $0 + Double(target[1, 0, $1 / 5, $1 % 5]).squared }
    let loss = relativeL2Loss(Variable(prediction), target: target, reduction: .sum)
    #expect(loss.samples[0] == 0 && loss.samples[2] == 0)
    #expect(abs(loss.samples[1] - (5 * 0.25 / squares).squareRoot()) < 1e-6)  // rounding of the sum u + 0.5
    let mean = relativeL2Loss(Variable(prediction), target: target, reduction: .mean)
    #expect(abs(Double(mean.total.value[0]) * 3 - loss.samples[1]) < 1e-6)
  }

  @Test(arguments: [LossReduction.sum, .mean])
  func gradient(reduction: LossReduction) {
    let u = Parameter(randomTensor([3, 1, 4, 5], sample: 1))
    let errors = gradientDisagreements([u]) {
      relativeL2Loss($0(u), target: target, reduction: reduction).total
    }
    #expect(errors[0] < 1e-3)  // step² = 1e-4 times derivatives of order 1
  }

  @Test func aPerfectPredictionHasNoGradient() {
    let u = Parameter(target)
    let tape = Tape()
    tape.backward(from: relativeL2Loss(tape(u), target: target, reduction: .sum).total)
    #expect(u.gradient == Tensor(shape: target.shape))
  }
}

extension Double {
  fileprivate var squared: Double { self * self }
}
