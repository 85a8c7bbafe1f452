import Autodiff
import Tensors
import TestSupport
import Testing

/// A projection joined with the last of some Fourier layers, against the layers and a perceptron.
@Suite struct ProjectionTests {
  /// Fourier layers, GELU between them, and a projection behind the last one.
  struct Model: CustomTestStringConvertible, Sendable {
    let grid: Shape
    let modes: Int
    /// The channels of the input and of every layer.
    let channels: [Int]
    var last = Activation.identity
    let hidden: Int
    var outputs = 1
    let activation: Activation
    /// The channels of a field that a lifting makes the first layer's input of.
    var field: Int?
    var isJoined = true

    var testDescription: String {
      "\(field.map { "\($0) to " } ?? "")\(channels) channels on \(grid), \(hidden) \(activation) to \(outputs)"
    }

    private var layers: Int { channels.count - 1 }
    /// Where the projection's parameters begin.
    var projection: Int { 1 + 3 * layers }

    /// The input, every layer's matrices, W and b, the projection's W₁, b₁, W₂ and b₂, and the lifting.
    var values: [Tensor<Float>] {
      var shapes: [Shape] = [[3, field ?? channels[0]] + grid]
      for (inputs, outputs) in zip(channels, channels.dropFirst()) {
        let kept = Shape(count: grid.count) { $0 == grid.count - 1 ? modes : 2 * modes }
        shapes += [kept + [2, inputs, outputs], [outputs, inputs], [outputs]]
      }
      shapes += [[hidden, channels[layers]], [hidden], [outputs, hidden], [outputs]]
      if let field { shapes.append([channels[0], field]) }
      return shapes.enumerated().map { randomTensor($1, sample: 1 + $0) }
    }

    private func layers(_ p: [Variable]) -> [FourierLayerVariables] {
      (0..<layers).map { index in
        FourierLayerVariables(
          weight: p[3 * index + 1], skipWeight: p[3 * index + 2], skipBias: p[3 * index + 3],
          activation: index < layers - 1 ? .gelu : last)
      }
    }

    private func lifting(_ p: [Variable]) -> Variable? { field == nil ? nil : p[p.count - 1] }

    private func projection(_ p: [Variable]) -> PerceptronVariables {
      PerceptronVariables(
        hiddenWeight: p[projection], hiddenBias: p[projection + 1], weight: p[projection + 2],
        bias: p[projection + 3], activation: activation)
    }

    /// All at once.
    func joined(_ p: [Variable]) -> Variable { joined(ChannelSelection(p[0]), p) }

    /// The same of another field.
    func joined(_ field: ChannelSelection, _ p: [Variable]) -> Variable {
      fourierLayers(field, lifting: lifting(p), layers(p), projection: projection(p))
    }

    /// The same, the last channel of the field one of constants.
    func joined(_ p: [Variable], constants: Tensor<Float>) -> Variable {
      fourierLayers(
        ChannelSelection(p[0]), lifting: lifting(p), constants: constants, layers(p),
        projection: projection(p))
    }

    /// All at once, with the loss.
    func loss(_ p: [Variable], _ comparison: FieldComparison) -> FieldLoss {
      fourierLayers(
        ChannelSelection(p[0]), lifting: lifting(p), layers(p), projection: projection(p),
        comparedWith: comparison)
    }

    /// The layers, and then the perceptron.
    func parts(_ p: [Variable]) -> Variable {
      perceptron(fourierLayers(ChannelSelection(p[0]), lifting: lifting(p), layers(p)), projection(p))
    }
  }

  /// One piece of every quarter and several, whole vectors and not; one layer and two, with a lifting and without.
  static let joined = [
    Model(grid: [64], modes: 7, channels: [12, 12, 12], hidden: 14, activation: .gelu),
    Model(grid: [1000], modes: 5, channels: [9, 17], hidden: 21, outputs: 3, activation: .relu),
    Model(grid: [400], modes: 4, channels: [16, 12], hidden: 11, outputs: 4, activation: .gelu, field: 3),
    Model(grid: [12], modes: 3, channels: [9, 20, 18], hidden: 16, activation: .relu, field: 5),
    Model(grid: [388], modes: 1, channels: [8, 8], hidden: 9, outputs: 2, activation: .identity),
  ]

  /// No quarters, two axes, too many outputs, more hidden channels than pay, an activation between.
  static let apart = [
    Model(grid: [50], modes: 7, channels: [12, 12], hidden: 14, activation: .gelu, isJoined: false),
    Model(grid: [8, 16], modes: 3, channels: [12, 12], hidden: 14, activation: .gelu, isJoined: false),
    Model(
      grid: [64], modes: 7, channels: [12, 12], hidden: 14, outputs: 5, activation: .gelu, isJoined: false),
    Model(grid: [64], modes: 7, channels: [5, 5], hidden: 14, activation: .relu, isJoined: false),
    Model(
      grid: [64], modes: 7, channels: [12, 12], last: .gelu, hidden: 14, activation: .gelu, isJoined: false),
  ]

  /// The result and, of the parameters that are trained, the gradients.
  private func run(
    _ model: Model, trained: (Int) -> Bool = { _ in true }, _ function: ([Variable]) -> Variable
  ) -> [Tensor<Float>?] {
    let parameters = model.values.map { Parameter($0) }
    for (index, parameter) in parameters.enumerated() { parameter.isTrainable = trained(index) }
    let tape = Tape()
    let result = function(parameters.map { tape($0) })
    tape.backward(from: innerProduct(result, randomTensor(result.shape, sample: 99)))
    return [result.value] + parameters.map(\.gradient)
  }

  @Test(arguments: joined + apart) func equalsItsParts(model: Model) throws {
    let joined = run(model) { model.joined($0) }
    let parts = run(model) { model.parts($0) }
    #expect((joined == parts) == !model.isJoined, "the bits tell which way was taken")
    for (index, (left, right)) in zip(joined, parts).enumerated() {
      let error = try relativeError(#require(left), #require(right))
      // The order of sums, up to two layers and the projection; sums over all points cancel.
      #expect(error < 1e-5, "\(index): \(error)")
    }
  }

  /// A channel that is the same for all samples gives what it would as one of the field.
  @Test(arguments: [joined[2], joined[3]]) func constantsAreChannels(model: Model) throws {
    let others = try #require(model.field) - 1
    let constants = randomTensor([1] + model.grid, sample: 50)
    let all = Variable(.concatenating([constants, constants, constants]).reshaped(to: [3, 1] + model.grid))
    let kept = (0..<others).map { ChannelPlace(source: 0, channel: $0) }
    let left = run(model) { p in
      model.joined([selectChannels([p[0]], kept)] + p.dropFirst(), constants: constants)
    }
    let right = run(model) { p in
      let field = selectChannels([p[0], all], kept + [ChannelPlace(source: 1, channel: 0)])
      return model.joined([field] + p.dropFirst())
    }
    for (left, right) in zip(left, right) {
      #expect(try relativeError(#require(left), #require(right)) < 1e-6)  // the order of sums
    }
  }

  /// The way back to some channels of the field alone.
  @Test(arguments: joined) func someChannelsAreConstant(model: Model) throws {
    let frozen = Variable(randomTensor(model.values[0].shape, sample: 51))
    let places = (0..<model.values[0].shape[1]).map { ChannelPlace(source: $0 == 1 ? 1 : 0, channel: $0) }
    let left = run(model) { p in model.joined(ChannelSelection([frozen, p[0]], places), p) }
    let right = run(model) { p in model.joined([selectChannels([frozen, p[0]], places)] + p.dropFirst()) }
    for (left, right) in zip(left, right) {
      #expect(try relativeError(#require(left), #require(right)) < 1e-6)  // the order of sums
    }
  }

  @Test(arguments: joined) func predictionsAreTheSame(model: Model) {
    let recorded = run(model) { model.joined($0) }
    #expect(model.joined(model.values.map { Variable($0) }).value == recorded[0])
  }

  @Test(arguments: [joined[0], joined[2]]) func gradient(model: Model) {
    let parameters = model.values.map { Parameter($0) }
    let errors = gradientDisagreements(parameters, step: 2e-3) { tape in
      let variables = parameters.map { tape($0) }
      return model.joined(variables)
    }
    // The curvature of two GELUs at sums above one, and the rounding of the result.
    #expect(errors.allSatisfy { $0 < 5e-3 }, "\(errors)")
  }

  /// The input alone, each parameter alone, the projection alone, all but one: gradients are the same as among all.
  @Test(arguments: joined) func partsMayBeFrozen(model: Model) {
    let all = run(model) { model.joined($0) }
    let indices = Array(model.values.indices)
    let projection = Array(model.projection..<model.projection + 4)
    let subsets = indices.map { [$0] } + indices.map { left in indices.filter { $0 != left } } + [projection]
    for trained in subsets {
      let some = run(model, trained: trained.contains) { model.joined($0) }
      #expect(some[0] == all[0])
      for index in indices {
        #expect(some[1 + index] == (trained.contains(index) ? all[1 + index] : nil), "\(index) of \(trained)")
      }
    }
  }

  @Test(arguments: joined) func doesNotDependOnTheNumberOfThreads(model: Model) {
    let results = withThreadCounts([1, 2, 3]) { run(model) { model.joined($0) } }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }
}
