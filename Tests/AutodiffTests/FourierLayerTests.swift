import Autodiff
import Tensors
import TestSupport
import Testing

@Suite struct FourierLayerTests {
  /// A stack of layers with channels and activations of their own.
  struct Stack: CustomTestStringConvertible, Sendable {
    let grid: Shape
    let modes: [Int]
    /// The channels of the input and of every layer.
    let channels: [Int]
    let activations: [Activation]
    /// The channels of a field that a lifting makes the first layer's input of.
    var field: Int?

    var testDescription: String {
      "\(field.map { "\($0) to " } ?? "")\(channels) channels on \(grid), \(activations)"
    }

    /// The input, every layer's matrices, W and b, and the lifting.
    var values: [Tensor<Float>] {
      var values = [randomTensor([3, field ?? channels[0]] + grid, sample: 1)]
      for (inputs, outputs) in zip(channels, channels.dropFirst()) {
        let kept = Shape(modes.dropLast().map { 2 * $0 } + modes.suffix(1))
        for shape in [kept + [2, inputs, outputs], [outputs, inputs], [outputs]] as [Shape] {
          values.append(randomTensor(shape, sample: 1 + values.count))
        }
      }
      if let field { values.append(randomTensor([channels[0], field], sample: 1 + values.count)) }
      return values
    }

    func variables(_ p: [Variable]) -> [FourierLayerVariables] {
      activations.indices.map { index in
        FourierLayerVariables(
          weight: p[3 * index + 1], skipWeight: p[3 * index + 2], skipBias: p[3 * index + 3],
          activation: activations[index])
      }
    }

    /// All at once.
    func fused(_ p: [Variable]) -> Variable {
      fused(ChannelSelection(p[0]), p)
    }

    /// The same of another field.
    func fused(_ u: ChannelSelection, _ p: [Variable]) -> Variable {
      fourierLayers(u, lifting: field == nil ? nil : p[p.count - 1], variables(p))
    }

    /// Layer by layer, each from its parts.
    func parts(_ p: [Variable]) -> Variable {
      let noBias = Variable(Tensor(shape: [channels[0]]))
      let input = field == nil ? p[0] : pointwiseLinear(p[0], weight: p[p.count - 1], bias: noBias)
      return activations.indices.reduce(input) { u, index in
        activation(
          add(
            spectralConvolution(u, weight: p[3 * index + 1]),
            pointwiseLinear(u, weight: p[3 * index + 2], bias: p[3 * index + 3])), activations[index])
      }
    }
  }

  /// One axis with and without quarters, two, and three; every activation first, between and last.
  static let stacks = [
    Stack(grid: [10, 9], modes: [3, 4], channels: [4, 18], activations: [.gelu]),
    Stack(grid: [10, 9], modes: [3, 4], channels: [4, 18], activations: [.relu]),
    Stack(grid: [10, 9], modes: [3, 4], channels: [4, 18], activations: [.identity]),
    Stack(grid: [64], modes: [7], channels: [3, 17, 5, 4], activations: [.gelu, .relu, .identity]),
    Stack(grid: [49], modes: [6], channels: [2, 3, 4], activations: [.identity, .gelu]),
    Stack(grid: [12, 16], modes: [3, 5], channels: [20, 20, 20], activations: [.gelu, .identity]),
    Stack(grid: [5, 6, 48], modes: [2, 2, 3], channels: [2, 3, 2], activations: [.relu, .gelu]),
    Stack(grid: [64], modes: [7], channels: [17, 17, 5], activations: [.gelu, .identity], field: 3),
    Stack(grid: [12, 15], modes: [3, 5], channels: [6, 7, 6], activations: [.relu, .gelu], field: 6),
  ]

  /// Fields that are made in several parts, of quarters and of halves of the first axis; the last layers' values take the
  /// place of their inputs' when nothing is recorded.
  static let inParts = [
    Stack(
      grid: [64, 48], modes: [3, 5], channels: [3, 20, 20, 20], activations: [.gelu, .gelu, .identity]),
    Stack(grid: [85, 51], modes: [4, 4], channels: [18, 18, 18], activations: [.relu, .gelu]),
    // Fewer channels, larger parts.
    Stack(grid: [85, 51], modes: [4, 4], channels: [18, 9, 18], activations: [.gelu, .identity]),
  ]

  /// The result and, of the parameters that are trained, the gradients.
  private func run(
    _ stack: Stack, trained: (Int) -> Bool = { _ in true }, _ function: ([Variable]) -> Variable
  ) -> [Tensor<Float>?] {
    let parameters = stack.values.map { Parameter($0) }
    for (index, parameter) in parameters.enumerated() { parameter.isTrainable = trained(index) }
    let tape = Tape()
    let result = function(parameters.map { tape($0) })
    tape.backward(from: innerProduct(result, randomTensor(result.shape, sample: 99)))
    return [result.value] + parameters.map(\.gradient)
  }

  @Test(arguments: stacks + inParts) func equalsItsParts(stack: Stack) throws {
    let fused = run(stack) { stack.fused($0) }
    let parts = run(stack) { stack.parts($0) }
    for (left, right) in zip(fused, parts) {
      // The order of sums, up to three layers.
      #expect(try relativeError(#require(left), #require(right)) < 3e-6)
    }
  }

  /// The input alone, one layer alone, one parameter alone: their gradients are the same as among all.
  @Test(arguments: stacks.suffix(6), [[0], [1, 2, 3], [2], [4, 5], [6], [0, 4]])
  func partsMayBeFrozen(stack: Stack, trained: [Int]) { checkAlone(stack, trained) }

  @Test(arguments: stacks.suffix(2), [[7], [2, 7], [0, 7]])
  func theLiftingMayBeTrainedAlone(stack: Stack, trained: [Int]) { checkAlone(stack, trained) }

  private func checkAlone(_ stack: Stack, _ trained: [Int]) {
    let all = run(stack) { stack.fused($0) }
    let some = run(stack, trained: trained.contains) { stack.fused($0) }
    #expect(some[0] == all[0])
    for index in stack.values.indices {
      #expect(some[1 + index] == (trained.contains(index) ? all[1 + index] : nil))
    }
  }

  @Test(arguments: [stacks[3], stacks[5], stacks[7]] + inParts) func predictionsAreTheSame(stack: Stack) {
    let values = stack.values.map { Variable($0) }
    let recorded = run(stack) { stack.fused($0) }
    #expect(stack.fused(values).value == recorded[0])
    #expect(values.map(\.value) == stack.values, "the input is left alone")
  }

  /// Channels that are the same for all samples give what they would as channels of the field, whose gradient is that of the
  /// others.
  @Test(arguments: stacks.suffix(2), [1, 2]) func constantsAreChannels(stack: Stack, count: Int) throws {
    let field = try #require(stack.field)
    let constants = randomTensor([count] + stack.grid, sample: 50)
    let left = run(stack) { p in
      let own = selectChannels([p[0]], (0..<field - count).map { ChannelPlace(source: 0, channel: $0) })
      return fourierLayers(
        ChannelSelection(own), lifting: p[p.count - 1], constants: constants, stack.variables(p))
    }
    let right = run(stack) { p in
      let samples = p[0].shape[0]
      let all = Variable(
        .concatenating((0..<samples).map { _ in constants }).reshaped(to: [samples] + constants.shape))
      let channels = (0..<field).map { index in
        index < field - count
          ? ChannelPlace(source: 0, channel: index)
          : ChannelPlace(source: 1, channel: index - (field - count))
      }
      return fourierLayers(
        ChannelSelection(selectChannels([p[0], all], channels)), lifting: p[p.count - 1], stack.variables(p))
    }
    for (left, right) in zip(left, right) {
      #expect(try relativeError(#require(left), #require(right)) < 1e-6)  // the order of sums
    }
  }

  /// A field that is made of channels of several, the ends of one that needs no gradient and one taken twice, gives what it
  /// would if it were made before.
  @Test(arguments: stacks.suffix(6) + inParts) func fieldsOfChannels(stack: Stack) throws {
    let channels = stack.values[0].shape[1]
    let frozen = Variable(randomTensor(stack.values[0].shape, sample: 51))
    let ends = [ChannelPlace(source: 0, channel: 0)]
    let places = ends + (1..<channels).map { ChannelPlace(source: 1, channel: max(1, $0 - 1)) } + ends
    // One more than there are channels: the last variable one goes.
    let kept = Array(places[..<(channels - 1)] + ends)
    let left = run(stack) { p in stack.fused(ChannelSelection([frozen, p[0]], kept), p) }
    let right = run(stack) { p in stack.fused([selectChannels([frozen, p[0]], kept)] + p.dropFirst()) }
    for (left, right) in zip(left, right) {
      switch (left, right) {
      case (nil, nil): break
      default: #expect(try relativeError(#require(left), #require(right)) < 1e-6)  // the order of sums
      }
    }
  }

  /// Several uses of a weight on one tape share the transposed matrices of its modes.
  @Test func layersMayBeAppliedAgain() throws {
    let stack = Stack(grid: [9, 16], modes: [3, 5], channels: [6, 18, 6], activations: [.gelu, .identity])
    let fused = run(stack) { p in stack.fused([stack.fused(p)] + p.dropFirst()) }
    let parts = run(stack) { p in stack.parts([stack.parts(p)] + p.dropFirst()) }
    for (left, right) in zip(fused, parts) {
      #expect(try relativeError(#require(left), #require(right)) < 3e-6)  // the order of sums
    }
  }

  @Test(arguments: [stacks[0], stacks[5], stacks[7]]) func gradient(stack: Stack) {
    let parameters = stack.values.map { Parameter($0) }
    let errors = gradientDisagreements(parameters, step: 3e-3) { tape in
      let variables = parameters.map { tape($0) }
      return stack.fused(variables)
    }
    #expect(errors.allSatisfy { $0 < 2e-3 }, "\(errors)")  // the curvature of GELU at step 3e-3
  }

  /// Twelve threads share out the channels of the three samples.
  @Test(
    arguments: [
      stacks[0], stacks[3], stacks[5], stacks[6], stacks[8],
      Stack(grid: [49], modes: [6], channels: [2, 16, 17], activations: [.gelu, .relu]),
      Stack(grid: [4, 5, 6], modes: [2, 2, 3], channels: [17, 16, 16], activations: [.gelu, .identity]),
    ] + inParts)
  func doesNotDependOnTheNumberOfThreads(stack: Stack) {
    let results = withThreadCounts([1, 2, 3, 12]) {
      run(stack) { stack.fused($0) } + [stack.fused(stack.values.map { Variable($0) }).value]
    }
    #expect(results.dropFirst().allSatisfy { $0 == results[0] })
  }
}
