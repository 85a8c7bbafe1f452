import Autodiff
import Tensors
import TestSupport
import Testing

/// The loss of a model's last layer found with it, against the layer and then the loss.
@Suite struct FieldComparisonTests {
  enum Scaling: CaseIterable, Sendable { case none, byChannel, byPoint }

  static func comparison(
    _ shape: Shape, _ kind: FieldLossKind = .relativeL2, _ reduction: LossReduction = .sum,
    _ scaling: Scaling = .none
  ) -> FieldComparison {
    let constants = scaling == .byChannel ? [shape[1]] : shape.dropFirst()
    return FieldComparison(
      target: randomTensor(shape, sample: 50), kind: kind, reduction: reduction,
      axes: shape.dropFirst(2).map { _ in DifferenceAxis(spacing: 0.5, isPeriodic: true) },
      scaling: scaling == .none
        ? nil : (randomTensor(constants, sample: 51), randomTensor(constants, sample: 52)))
  }

  /// 300 points, one full tile and a part of one; rows of 300 points that are no whole vectors.
  private static func values(outputs: Int) -> [Tensor<Float>] {
    [
      randomTensor([3, 4, 15, 20], sample: 1), randomTensor([9, 4], sample: 2), randomTensor([9], sample: 3),
      randomTensor([outputs, 9], sample: 4), randomTensor([outputs], sample: 5),
    ]
  }

  private func projection(_ p: ArraySlice<Variable>, _ activation: Activation) -> PerceptronVariables {
    let p = Array(p)
    return PerceptronVariables(
      hiddenWeight: p[0], hiddenBias: p[1], weight: p[2], bias: p[3], activation: activation)
  }

  private func joined(
    _ p: [Variable], _ comparison: FieldComparison, _ activation: Activation = .gelu
  ) -> FieldLoss {
    perceptron(p[0], projection(p[1...], activation), comparedWith: comparison)
  }

  private func parts(
    _ p: [Variable], _ comparison: FieldComparison, _ activation: Activation = .gelu
  ) -> FieldLoss {
    comparison.loss(of: perceptron(p[0], projection(p[1...], activation)))
  }

  /// The loss, the errors and, of the parameters that are trained, the gradients of 0.7 times the loss.
  private func run(
    _ values: [Tensor<Float>], trained: (Int) -> Bool = { _ in true }, _ loss: ([Variable]) -> FieldLoss
  ) -> (samples: [Double], tensors: [Tensor<Float>?]) {
    let parameters = values.map { Parameter($0) }
    for (index, parameter) in parameters.enumerated() { parameter.isTrainable = trained(index) }
    let tape = Tape()
    let result = loss(parameters.map { tape($0) })
    if result.total.needsGradient {
      tape.backward(from: result.total, gradient: Tensor(shape: [1], repeating: 0.7))
    }
    return (result.errors.scalars, [result.total.value] + parameters.map(\.gradient))
  }

  private func expectEqual(
    _ left: (samples: [Double], tensors: [Tensor<Float>?]),
    _ right: (samples: [Double], tensors: [Tensor<Float>?]), within tolerance: Double
  ) {
    for (left, right) in zip(left.samples, right.samples) { #expect(abs(left - right) <= 1e-6 * right) }
    for (index, (left, right)) in zip(left.tensors, right.tensors).enumerated() {
      #expect((left == nil) == (right == nil), "\(index)")
      guard let left, let right else { continue }
      let error = relativeError(left, right)
      #expect(error < tolerance, "\(index): \(error)")
    }
  }

  @Test(arguments: FieldLossKind.allCases, Scaling.allCases)
  func perceptronsWithTheirLoss(kind: FieldLossKind, scaling: Scaling) {
    for outputs in [1, 3, 6] {
      let comparison = Self.comparison([3, outputs, 15, 20], kind, outputs == 1 ? .sum : .mean, scaling)
      let values = Self.values(outputs: outputs)
      let joined = run(values) { self.joined($0, comparison) }
      let parts = run(values) { self.parts($0, comparison) }
      // Six outputs are too many; the other losses need more than differences.
      let kinds: [FieldLossKind] =
        [.relativeL2, .meanSquaredError] + (outputs == 1 ? [.relativeL2ByChannel] : [])
      let isPossible = outputs < 6 && kinds.contains(kind)
      #expect((joined.tensors == parts.tensors) == !isPossible, "the bits tell which way was taken")
      expectEqual(joined, parts, within: 2e-6)  // the order of sums
    }
  }

  @Test(arguments: [Activation.identity, .relu]) func otherActivations(kind: Activation) {
    let (values, comparison) = (Self.values(outputs: 2), Self.comparison([3, 2, 15, 20]))
    expectEqual(
      run(values) { joined($0, comparison, kind) }, run(values) { parts($0, comparison, kind) }, within: 2e-6)
  }

  @Test(arguments: [FieldLossKind.relativeL2, .meanSquaredError]) func gradient(kind: FieldLossKind) {
    let comparison = Self.comparison([3, 2, 15, 20], kind, .mean, .byPoint)
    let parameters = Self.values(outputs: 2).map { Parameter($0) }
    let errors = gradientDisagreements(parameters, step: 3e-3) { tape in
      let variables = parameters.map { tape($0) }
      return joined(variables, comparison).total
    }
    #expect(errors.allSatisfy { $0 < 5e-3 }, "\(errors)")  // the curvature of the loss at step 3e-3
  }

  /// Constant weights leave the gradient to the parts; a constant input, or some constant weights, do not.
  @Test func partsMayBeFrozen() {
    let (values, comparison) = (Self.values(outputs: 1), Self.comparison([3, 1, 15, 20]))
    let all = run(values) { joined($0, comparison) }
    for trained in [[0], [1], [2, 3], [4], [1, 2, 3, 4], []] {
      let some = run(values, trained: trained.contains) { joined($0, comparison) }
      for index in values.indices {
        let expected = trained.contains(index) ? all.tensors[1 + index] : nil
        #expect((some.tensors[1 + index] == nil) == (expected == nil))
        guard let gradient = some.tensors[1 + index], let expected else { continue }
        #expect(relativeError(gradient, expected) < 2e-6)  // the order of sums
      }
    }
  }

  /// Where the prediction is the target, the gradient is taken as zero: with no second map it is the bias, exactly.
  @Test(arguments: [FieldLossKind.relativeL2, .meanSquaredError]) func exactPredictions(kind: FieldLossKind) {
    var values = Self.values(outputs: 1)
    values[3] = Tensor(shape: values[3].shape)
    let target = Tensor<Float>(shape: [3, 1, 15, 20], repeating: values[4][0])
    let result = run(values) { joined($0, FieldComparison(target: target, kind: kind, reduction: .sum)) }
    #expect(result.samples == [0, 0, 0])
    for tensor in result.tensors { #expect(tensor.map { $0.scalars.allSatisfy { $0 == 0 } } == true) }
  }

  /// The loss of models with a joined projection and with one apart.
  @Test(arguments: ProjectionTests.joined + ProjectionTests.apart)
  func fourierLayersWithTheirLoss(model: ProjectionTests.Model) {
    for (kind, scaling) in [(FieldLossKind.relativeL2, Scaling.none), (.meanSquaredError, .byPoint)] {
      let comparison = Self.comparison([3, model.outputs] + model.grid, kind, .mean, scaling)
      let joined = run(model.values) { model.loss($0, comparison) }
      let parts = run(model.values) { comparison.loss(of: model.parts($0)) }
      expectEqual(joined, parts, within: 1e-5)  // the order of sums, which cancel
    }
  }

  @Test(arguments: [ProjectionTests.joined[0], ProjectionTests.joined[2]])
  func frozenFourierLayers(model: ProjectionTests.Model) {
    let comparison = Self.comparison([3, model.outputs] + model.grid)
    let indices = Array(model.values.indices)
    for trained in indices.map({ [$0] }) + indices.map({ left in indices.filter { $0 != left } }) {
      let joined = run(model.values, trained: trained.contains) { model.loss($0, comparison) }
      let parts = run(model.values, trained: trained.contains) { comparison.loss(of: model.parts($0)) }
      expectEqual(joined, parts, within: 1e-5)
    }
  }

  @Test func gradientsDoNotDependOnTheNumberOfThreads() {
    let model = ProjectionTests.joined[0]
    let results = withThreadCounts([1, 2, 3]) {
      [
        run(Self.values(outputs: 2)) { joined($0, Self.comparison([3, 2, 15, 20])) }.tensors,
        run(model.values) { model.loss($0, Self.comparison([3, model.outputs] + model.grid)) }.tensors,
      ]
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }
}
