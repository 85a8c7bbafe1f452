import Autodiff
import NeuralOperators
import Tensors
import TestSupport
import Testing

/// Expects that the loss a model finds with its last layer, and its gradients, are those of its output.
func expectLossOfOutput(_ configuration: ModelConfiguration, grid: Shape) {
  let u = Variable(randomTensor([3, configuration.inputChannels] + grid, sample: 1))
  let comparison = FieldComparison(
    target: randomTensor([3, configuration.outputChannels] + grid, sample: 2), reduction: .sum)
  func run(_ loss: (any Module, Tape) -> FieldLoss) -> [Tensor<Float>] {
    let (model, tape) = (configuration.makeModel(seed: 1), Tape())
    let result = loss(model, tape)
    tape.backward(from: result.total)
    return [
      result.total.value, Tensor(converting: Tensor<Double>(shape: [3], scalars: result.errors.scalars)),
    ]
      + model.parameters.compactMap(\.gradient)
  }
  let joined = run { $0.loss(u, comparedWith: comparison, on: $1) }
  let parts = run { comparison.loss(of: $0(u, on: $1)) }
  #expect(joined.count == parts.count)
  func size(_ tensor: Tensor<Float>) -> Double {
    withPointers(tensor) { Float.dot(tensor.count, $0, $0) }.squareRoot()
  }
  // The order of sums; some are zero but for rounding, those of biases before a normalisation.
  let largest = parts.dropFirst(2).map(size).max() ?? 0
  for (left, right) in zip(joined, parts) {
    let distance = withPointers(left, right) { Float.squaredDistance(left.count, $0, $1) }.squareRoot()
    #expect(distance < 2e-5 * size(right) + 1e-6 * largest)
  }
}
