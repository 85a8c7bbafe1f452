import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct BatchNormalizationTests {
  private let u = Parameter(randomTensor([4, 3, 10], sample: 1))
  private let scale = Parameter(randomTensor([3], sample: 2))
  private let shift = Parameter(randomTensor([3], sample: 3))

  private func apply(
    _ tape: Tape, _ running: RunningStatistics, _ kind: Activation = .identity
  ) -> Variable {
    batchNormalization(
      tape(u), scale: tape(scale), shift: tape(shift), running: running, isTraining: tape.isTraining,
      activation: kind)
  }

  private func moments(_ y: Tensor<Float>, channel: Int) -> (mean: Double, variance: Double) {
    let values = (0..<4).flatMap { b in (0..<10).map { Double(y[b, channel, $0]) } }
    let mean = values.reduce(0, +) / 40
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 40)
  }

  @Test func outputHasMeanShiftAndDeviationScale() {
    let y = apply(Tape(), RunningStatistics(channels: 3)).value
    for channel in 0..<3 {
      let (mean, variance) = moments(y, channel: channel)
      #expect(abs(mean - Double(shift.value[channel])) < 1e-6)  // rounding of 40 values of order 1
      // ε = 1e-5 beside a variance of order 1.
      #expect(abs(variance.squareRoot() - Double(abs(scale.value[channel]))) < 1e-4)
    }
  }

  /// PyTorch's rule: one tenth of the way, with the unbiased variance.
  @Test func runningStatisticsFollowTheBatch() {
    let running = RunningStatistics(channels: 3)
    _ = apply(Tape(), running)
    for channel in 0..<3 {
      let (mean, variance) = moments(u.value, channel: channel)
      #expect(abs(Double(running.mean.value[channel]) - 0.1 * mean) < 1e-7)
      #expect(abs(Double(running.variance.value[channel]) - (0.9 + 0.1 * variance * 40 / 39)) < 1e-6)
    }
    let before = running.mean.value
    _ = apply(Tape.inference, running)
    #expect(running.mean.value == before)
  }

  @Test(arguments: [Activation.relu, .gelu])
  func fusedActivationEqualsASeparateOne(kind: Activation) {
    let weights = randomTensor(u.value.shape, sample: 4)
    func gradients(_ result: (Tape) -> Variable) -> [Tensor<Float>] {
      for parameter in [u, scale, shift] { parameter.gradient = nil }
      let tape = Tape()
      let value = result(tape)
      tape.backward(from: innerProduct(value, weights))
      return [value.value] + [u, scale, shift].map { $0.gradient! }
    }
    let fused = gradients { apply($0, RunningStatistics(channels: 3), kind) }
    let separate = gradients { activation(apply($0, RunningStatistics(channels: 3)), kind) }
    #expect(fused == separate)
  }

  @Test(arguments: [true, false], [Activation.identity, .gelu])
  func gradient(training: Bool, kind: Activation) {
    let running = RunningStatistics(channels: 3)
    _ = apply(Tape(), running)
    let errors = gradientDisagreements([u, scale, shift], training: training) { apply($0, running, kind) }
    #expect(errors.allSatisfy { $0 < 2e-3 }, "\(errors)")  // step² times the curvature of 1/√variance
  }
}
