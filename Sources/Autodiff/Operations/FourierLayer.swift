import CKernels
import Tensors

/// A whole Fourier layer: activation(spectralConvolution(u) + W u + b).
///
/// Shapes as for `spectralConvolution` and `pointwiseLinear` (skipWeight `[O, I]`, skipBias `[O]`).
public func fourierLayer(
  _ u: Variable, weight: Variable, skipWeight: Variable, skipBias: Variable, activation: Activation
) -> Variable {
  idleLists.withArray { layers in
    layers.append(
      FourierLayerVariables(
        weight: weight, skipWeight: skipWeight, skipBias: skipBias, activation: activation))
    return fourierLayers(ChannelSelection(u), layers)
  }
}

/// The memory of lists of a single layer.
private let idleLists = IdleObjects<[FourierLayerVariables]>()

/// The parameters of one of the Fourier layers that follow one another in `fourierLayers`.
public struct FourierLayerVariables {
  fileprivate let weight: Variable
  fileprivate let skipWeight: Variable
  fileprivate let skipBias: Variable
  fileprivate let activation: Activation

  /// The variables as `fourierLayer` takes them.
  public init(weight: Variable, skipWeight: Variable, skipBias: Variable, activation: Activation) {
    self.weight = weight
    self.skipWeight = skipWeight
    self.skipBias = skipBias
    self.activation = activation
  }

  fileprivate var tape: Tape? { weight.tape ?? skipWeight.tape ?? skipBias.tape }
}

/// Fourier layers one after the other: the same as `fourierLayer` of each.
///
/// Fused: between two mixings of the modes, which join the samples, every sample goes through all that there is while
/// it is in the cache. Forward that is the way back to the grid, the skip connection, the activation and the next
/// layer's transform; backward the same from the gradient of one layer's modes to that of the layer before it.
///
/// - Parameter u: channels of which the field is made; the way back goes to those that need a gradient.
/// - Parameter lifting: a matrix `[I, C]`, C at most I: the layers act on `lifting` times the C channels of u. It is
///   joined with the first layer, so that the I channels are never made; a bias is a column for a channel of ones.
/// - Parameter constants: the last of the C channels, `[c, ...grid]`, where they are the same for all samples, as coordinates
///   and ones are; u has those before them then.
/// - Parameter projection: a perceptron that acts on what the layers give. Where it pays it is joined with the last
///   layer, whose channels are never made then.
public func fourierLayers(
  _ u: ChannelSelection, lifting: Variable? = nil, constants: Tensor<Float>? = nil,
  _ layers: [FourierLayerVariables], projection: PerceptronVariables? = nil
) -> Variable {
  let stack = FourierStack.filled(u, lifting, constants, layers, projection)
  let isJoined = stack.projection != nil
  let result = recorded(stack, u, lifting, layers, projection)
  guard let projection, !isJoined else { return result }
  return perceptron(result, projection)
}

/// The loss of what Fourier layers and a projection give: `comparison` of it, in one pass through the projection where
/// that is possible, as for a `perceptron`.
public func fourierLayers(
  _ u: ChannelSelection, lifting: Variable? = nil, constants: Tensor<Float>? = nil,
  _ layers: [FourierLayerVariables], projection: PerceptronVariables, comparedWith comparison: FieldComparison
) -> FieldLoss {
  let stack = FourierStack.filled(u, lifting, constants, layers, projection)
  guard let joined = stack.projection, comparison.isByDifferences, joined.needsGradient else {
    let isJoined = stack.projection != nil
    let result = recorded(stack, u, lifting, layers, projection)
    return isJoined
      ? comparison.loss(of: result) : perceptron(result, projection, comparedWith: comparison)
  }
  let (step, distances) = stack.differences(u, comparison)
  return comparison.loss(
    squaredDistances: distances,
    from: FourierStackInputs(u: u, lifting: lifting, layers: layers, projection: projection),
    saving: (stack, step)
  ) { saved, factors, inputs in
    let (stack, step) = saved
    stack.adjoint(stack.scaled(consume step, by: factors), inputs)
    stack.release()
  }
}

/// What the layers give, with the projection if it is joined with them; takes the stack over.
private func recorded(
  _ stack: FourierStack, _ u: ChannelSelection, _ lifting: Variable?, _ layers: [FourierLayerVariables],
  _ projection: PerceptronVariables?
) -> Variable {
  let value = stack.forward(u)
  guard stack.needsGradient else {
    stack.release()
    return Variable(value)
  }
  let joined = stack.projection == nil ? nil : projection
  return Variable(
    value, from: FourierStackInputs(u: u, lifting: lifting, layers: layers, projection: joined), saving: stack
  ) { stack, gradient, inputs in
    let stack = stack
    stack.adjoint(stack.enterLast(consume gradient), inputs)
    stack.release()
  }
}

/// What `fourierLayers` depends on: the sources of the field, the lifting, every layer's modes' matrices, W and b, and the
/// projection's parameters.
private struct FourierStackInputs: Sequence, IteratorProtocol {
  let u: ChannelSelection
  let lifting: Variable?
  let layers: [FourierLayerVariables]
  let projection: PerceptronVariables?
  private var position = 0

  init(
    u: ChannelSelection, lifting: Variable?, layers: [FourierLayerVariables], projection: PerceptronVariables?
  ) {
    (self.u, self.lifting, self.layers, self.projection) = (u, lifting, layers, projection)
  }

  mutating func next() -> Variable? {
    defer { position += 1 }
    let index = position - u.sources.count
    if index < 0 { return u.sources[position] }
    // What stands in for a lifting that is missing needs no gradient.
    if index == 0 { return lifting ?? layers[0].weight.withoutGradient }
    let (layer, parameter) = (index - 1).quotientAndRemainder(dividingBy: 3)
    if layer < layers.count {
      return parameter == 0
        ? layers[layer].weight : parameter == 1 ? layers[layer].skipWeight : layers[layer].skipBias
    }
    return projection?.parameter(index - 1 - 3 * layers.count)
  }
}

/// The two directions of some Fourier layers.
///
/// An object that is used again: what it keeps of a computation it lets go of with `release`.
private final class FourierStack {
  /// One layer: a class, as it is handed from function to function while other threads do the same with the same
  /// tensors, whose references would be counted each time.
  final class Layer {
    private(set) var kernel: SpectralKernel!
    private(set) var weight = Tensor<Float>.empty
    /// For the way back to the layer's input.
    private(set) var transposed: TransposedModes?
    private(set) var skipWeight = Tensor<Float>.empty
    private(set) var skipBias = Tensor<Float>.empty
    private(set) var activation = Activation.identity
    /// What makes this layer's input of the field, if anything does.
    private(set) var lifting: Lifting?
    /// What is made of this layer's output, if it is made at once.
    private(set) var projection: Projection?
    /// What the skip connection multiplies this layer's input by: W, or W₁ W for a joined projection.
    private(set) var inputWeight = Tensor<Float>.empty
    /// The same for the field: it, or it times P.
    private(set) var fieldWeight = Tensor<Float>.empty
    /// Those of the field's channels whose gradient is found: those that need one, or with no lifting all if any does.
    private(set) var variableChannels = 0..<0
    private(set) var weightNeedsGradient = false
    private(set) var skipNeedsGradient = false
    /// Whether anything before this layer, or in it, needs a gradient; and before it alone; and the field.
    private(set) var needsGradient = false
    private(set) var inputNeedsGradient = false
    var fieldNeedsGradient: Bool { !variableChannels.isEmpty }

    /// - Parameters:
    ///   - input: the axes of what the layer acts on.
    ///   - variableChannels: those of the field whose gradient may be wanted.
    ///   - lifting, projection: what may be joined with it: the first and the last layer have them.
    ///   - inputNeedsGradient: of what comes before the layer.
    ///   - tape: on which the layer is recorded.
    func fill(
      _ variables: FourierLayerVariables, input: FieldShape, variableChannels: Range<Int>, lifting: Lifting?,
      projection: PerceptronVariables?, inputNeedsGradient: Bool, tape: Tape?
    ) {
      let kernel = SpectralKernel(input: input, weight: variables.weight.shape)
      self.kernel = kernel
      weight = variables.weight.value
      transposed = inputNeedsGradient ? tape?.transposedModes(of: weight) : nil
      skipWeight = variables.skipWeight.value
      skipBias = variables.skipBias.value
      activation = variables.activation
      precondition(
        skipWeight.shape.matches([kernel.outputs, kernel.inputs]) && skipBias.shape.matches([kernel.outputs]),
        "skip weight \(skipWeight.shape) does not map \(kernel.inputs) to \(kernel.outputs) channels")
      self.lifting = lifting
      if let projection, activation == .identity {
        self.projection = Projection(
          projection, behind: kernel, inputs: lifting?.inputs ?? kernel.inputs, skipBias: skipBias)
      } else {
        self.projection = nil
      }
      inputWeight = self.projection?.map.product(skipWeight) ?? skipWeight
      fieldWeight =
        lifting.map { [inputWeight] in ChannelMap(matrix: inputWeight).product($0.map.matrix) }
        ?? inputWeight
      self.variableChannels =
        lifting == nil && !variableChannels.isEmpty ? 0..<kernel.inputs : variableChannels
      weightNeedsGradient = variables.weight.needsGradient
      skipNeedsGradient = variables.skipWeight.needsGradient || variables.skipBias.needsGradient
      needsGradient =
        inputNeedsGradient || weightNeedsGradient || skipNeedsGradient
        || self.projection?.needsGradient ?? false
      self.inputNeedsGradient = inputNeedsGradient
    }

    /// Holds no tensors any more.
    func empty() {
      (weight, skipWeight, skipBias) = (.empty, .empty, .empty)
      (inputWeight, fieldWeight) = (.empty, .empty)
      (transposed, lifting, projection) = (nil, nil, nil)
    }

    /// The channels of the field.
    var channels: Int { fieldWeight.shape[1] }
    /// The numbers of one sample of the field.
    var fieldCount: Int { channels * kernel.input.points }
    /// Whether the gradients of what `fieldWeight` is made of are wanted, or that of b.
    var needsTerms: Bool {
      skipNeedsGradient || lifting?.needsGradient ?? false || projection?.needsGradient ?? false
    }

    /// Whether the gradient of the mixed modes is wanted.
    var needsModes: Bool {
      weightNeedsGradient || inputNeedsGradient || projection?.hiddenWeightNeedsGradient ?? false
    }

    /// What the way back through a joined projection gives.
    var wanted: Projection.Wanted {
      Projection.Wanted(terms: needsTerms, field: fieldNeedsGradient, modes: needsModes)
    }

    /// Whether the layer's values can take the place of the field's: they are as many, they are not made there by a
    /// transform, and products are in one visit.
    var mayWriteOverField: Bool {
      channels == kernel.outputs && channels <= Int(CK_LONGEST_SUM)
        && kernel.transform.isInScratch(channels: kernel.outputs)
    }

    /// The numbers of one sample in what the layer gives.
    var outputCount: Int { kernel.outputs * kernel.input.points }
    /// The gradients of `fieldWeight` and b.
    var skipCount: Int { kernel.outputs * (channels + 1) }
  }

  /// What the way back needs from a layer's way forward.
  struct Trace {
    /// The field, for the gradient of what it is multiplied by.
    var field: Tensor<Float>?
    /// The modes of the input, for the gradients of the modes' matrices.
    let spectrum: Tensor<Float>?
    /// The modes of the field, for the gradient of the lifting.
    let fieldSpectrum: Tensor<Float>?
    /// The derivative of the activation; for `relu` its value, which is positive where the derivative is one.
    var derivative: Tensor<Float>?
    /// For a joined projection: the mixed modes, for its gradient, and what it makes of them.
    var mixed: Tensor<Float>?
    var factors: Tensor<Float>?
  }

  private var layers: [Layer] = []
  /// One for every layer, after the way forward.
  private var traces: [Trace] = []
  /// To what u is made of.
  private var wayBack: ChannelReturn?
  /// What comes behind the channels of u.
  private var constants: Tensor<Float>?

  private static let idle = IdleObjects<FourierStack>()

  private var last: Layer { layers[layers.count - 1] }

  /// Whether what they give depends on anything that needs a gradient.
  var needsGradient: Bool { last.needsGradient }

  /// The projection that is joined with the last layer.
  var projection: Projection? { last.projection }

  /// The layers for one computation, with the memory of an earlier one.
  static func filled(
    _ u: ChannelSelection, _ lifting: Variable?, _ constants: Tensor<Float>?,
    _ layers: [FourierLayerVariables], _ projection: PerceptronVariables?
  ) -> FourierStack {
    let stack = idle.take { FourierStack() }
    stack.fill(u, lifting, constants, layers, projection)
    return stack
  }

  /// Lets go of what belongs to the computation; whoever comes next may have the stack.
  func release() {
    for layer in layers { layer.empty() }
    traces.removeAll(keepingCapacity: true)
    (wayBack, constants) = (nil, nil)
    Self.idle.putBack(self)
  }

  private func fill(
    _ u: ChannelSelection, _ lifting: Variable?, _ constants: Tensor<Float>?,
    _ layers: [FourierLayerVariables], _ projection: PerceptronVariables?
  ) {
    let own = FieldShape(u.shape)
    var input = own
    if let constants {
      precondition(
        lifting != nil && constants.shape.dropFirst().elementsEqual(own.grid),
        "constants \(constants.shape) behind a field \(u.shape), with a lifting alone")
      input = FieldShape(own.shape(channels: own.channels + constants.shape[0]))
    }
    let wayBack = u.wayBack
    (self.wayBack, self.constants) = (wayBack, constants)
    // What a layer's input may depend on; looked up without an array, as predictions do it too.
    let tape =
      u.sources.lazy.compactMap(\.tape).first ?? lifting?.tape ?? layers.lazy.compactMap { $0.tape }.first
    let lifting = lifting.map { Lifting(matrix: $0.value, needsGradient: $0.needsGradient) }
    if let lifting {
      precondition(
        lifting.inputs == input.channels && lifting.inputs <= lifting.outputs,
        "lifting \(lifting.map.matrix.shape) of \(input.channels) channels")
    }
    var shape = lifting.map { FieldShape(input.shape(channels: $0.outputs)) } ?? input
    var variableChannels = wayBack.variableChannels
    var needsGradient = !variableChannels.isEmpty || lifting?.needsGradient ?? false
    while self.layers.count < layers.count { self.layers.append(Layer()) }
    self.layers.removeLast(self.layers.count - layers.count)
    for (index, variables) in layers.enumerated() {
      let layer = self.layers[index]
      layer.fill(
        variables, input: shape, variableChannels: variableChannels, lifting: index == 0 ? lifting : nil,
        projection: index == layers.count - 1 ? projection : nil, inputNeedsGradient: needsGradient,
        tape: tape)
      shape = FieldShape(shape.shape(channels: layer.kernel.outputs))
      needsGradient = layer.needsGradient
      variableChannels = 0..<(needsGradient ? layer.kernel.outputs : 0)
    }
  }

  // MARK: - Forward

  func forward(_ u: ChannelSelection) -> Tensor<Float> {
    let (value, mixed) = forwardToProjection(u)
    guard let mixed, let projection else { return value }
    let (layer, factors) = (last, projection.factors(mixed))
    if layer.needsGradient {
      traces[layers.count - 1].field = value
      traces[layers.count - 1].factors = factors
    }
    return projection.forward(value, fieldWeight: layer.fieldWeight, factors: factors)
  }

  /// Both ways through a joined projection, for half the sum of the squared differences from a target.
  func differences(_ u: ChannelSelection, _ comparison: FieldComparison) -> (
    step: Step, distances: Tensor<Double>
  ) {
    let (value, mixed) = forwardToProjection(u)
    guard let mixed, let projection else {
      preconditionFailure("no projection is joined with the layers")
    }
    let layer = last
    precondition(
      comparison.target.shape == layer.kernel.input.shape(channels: projection.outputs),
      "the target \(comparison.target.shape) is not what the projection gives")
    let (gradients, distances) = projection.differences(
      from: comparison, value, fieldWeight: layer.fieldWeight, factors: projection.factors(mixed),
      wanted: layer.wanted)
    return (Step(sums: gradients.field, modes: gradients.modes, terms: gradients.terms), distances)
  }

  /// The value behind the layers, or that before the last one with the mixed modes of this one if a projection is joined
  /// with it.
  private func forwardToProjection(_ u: ChannelSelection) -> (value: Tensor<Float>, mixed: Tensor<Float>?) {
    var value = u.field(with: constants)
    var spectrum = layers[0].kernel.analyse(.forward, value, channels: layers[0].channels)
    for (index, layer) in layers.enumerated() {
      var fieldSpectrum: Tensor<Float>?
      if let lifting = layer.lifting {
        fieldSpectrum = lifting.needsGradient ? spectrum : nil
        spectrum = lifting.map.apply(spectrum)
      }
      let mixed = layer.kernel.mix(spectrum, layer.weight)
      var trace = Trace(
        field: nil, spectrum: layer.weightNeedsGradient ? spectrum : nil, fieldSpectrum: fieldSpectrum,
        derivative: nil)
      if let projection = layer.projection {
        trace.mixed = projection.hiddenWeightNeedsGradient ? mixed : nil
        traces.append(trace)
        return (value, mixed)
      }
      trace.field = layer.needsTerms ? value : nil
      let result = finish(index, &value, mixed)
      trace.derivative = layer.activation == .relu && layer.needsGradient ? value : result.slope
      traces.append(trace)
      spectrum = result.spectrum
    }
    return (value, nil)
  }

  /// From the mixed modes of a layer to its value, in the place of its input's, the derivative of its activation where that
  /// is needed, and the modes that the next layer begins with.
  private func finish(
    _ index: Int, _ value: inout Tensor<Float>, _ mixed: Tensor<Float>
  ) -> (slope: Tensor<Float>?, spectrum: Tensor<Float>) {
    let layer = layers[index]
    let next = index + 1 < layers.count ? layers[index + 1].kernel : nil
    let shape = layer.kernel.input.shape(channels: layer.kernel.outputs)
    let keepsSlope = layer.needsGradient && layer.activation == .gelu
    let shares = layer.kernel.shareCount(channels: layer.kernel.outputs)
    let spectrumShape = next?.spectrumShape(channels: layer.kernel.outputs)
    var (slope, spectrum) = (Tensor<Float>?.none, Tensor<Float>?.none)
    // The first layer's input belongs to others, and every share reads all of it.
    if index > 0 && !layer.needsGradient && layer.mayWriteOverField && shares == 1 {
      value.withUnsafeMutableBuffer { value in
        let value = value.baseAddress!
        spectrum = .filled(wanted: spectrumShape) {
          finish(layer, shares: shares, value, mixed, value, slope: nil, next: next, spectrum: $0)
        }
      }
    } else {
      value = value.start { u in
        .filled(shape) { value in
          slope = .filled(wanted: keepsSlope ? shape : nil) { slope in
            spectrum = .filled(wanted: spectrumShape) {
              finish(layer, shares: shares, u, mixed, value, slope: slope, next: next, spectrum: $0)
            }
          }
        }
      }
    }
    return (slope, spectrum ?? .empty)
  }

  private func finish(
    _ layer: Layer, shares: Int, _ u: UnsafePointer<Float>, _ mixed: Tensor<Float>,
    _ value: UnsafeMutablePointer<Float>, slope: UnsafeMutablePointer<Float>?, next: SpectralKernel?,
    spectrum: UnsafeMutablePointer<Float>?
  ) {
    guard let next, let spectrum else {
      return finish(layer, shares: shares, u, mixed, value, slope: slope, nil, nil)
    }
    next.withModeTarget(.forward, channels: layer.kernel.outputs, shares: shares, spectrum) {
      finish(layer, shares: shares, u, mixed, value, slope: slope, next, $0)
    }
  }

  private func finish(
    _ layer: Layer, shares: Int, _ u: UnsafePointer<Float>, _ mixed: Tensor<Float>,
    _ value: UnsafeMutablePointer<Float>, slope: UnsafeMutablePointer<Float>?, _ next: SpectralKernel?,
    _ nextModes: SpectralKernel.ModeTarget?
  ) {
    let kernel = layer.kernel!
    let (points, outputs) = (kernel.input.points, kernel.outputs)
    withPointers(mixed, layer.fieldWeight, layer.skipBias) { mixed, fieldWeight, skipBias in
      kernel.forEachShare(channels: outputs, count: shares, next) { share, scratch in
        let first = share.channels.lowerBound
        let source = share.sample * layer.fieldCount
        let target = share.sample * layer.outputCount + first * points
        kernel.synthesise(
          .forward, share, of: outputs, mixed, inParts: value + target, scratch: scratch
        ) { range, modes, stride in
          let start = target + range.lowerBound
          MatrixKernels.product(
            rows: share.channels.count, columns: range.count,
            ck_factors(
              inner: layer.channels, fieldWeight + first * layer.channels, u + source + range.lowerBound,
              bStride: points),
            finish: layer.activation.finish(
              addend: modes, addendStride: stride, bias: skipBias + first, slope: slope.map { $0 + start }),
            into: value + start, stride: points)
        }
        if let next, let nextModes {
          next.analyse(share, value + target, into: nextModes, scratch: scratch)
        }
      }
    }
  }

  // MARK: - Backward

  /// From what `enterLast` gives to the gradients of `FourierStackInputs`.
  func adjoint(_ last: consuming Step, _ inputs: Tape.InputGradients) {
    guard let wayBack else { preconditionFailure("the stack was released") }
    let liftingInput = wayBack.sources.count
    var step = last
    for index in layers.indices.reversed() {
      let (layer, firstInput) = (layers[index], liftingInput + 1 + 3 * index)
      guard layer.needsGradient else { continue }
      let fieldWeight = layer.needsTerms ? sumOverFirstAxis(step.terms, shape: layer.fieldWeight.shape) : nil
      let inputWeight = fieldWeight.map { layer.lifting?.skipGradient($0) ?? $0 }
      let bias = fieldWeight.map {
        sumOverFirstAxis(step.terms, shape: [$0.shape[0]], from: $0.count)
      }
      var modes = step.modes
      if let projection = layer.projection {
        projection.addGradients(
          terms: step.terms, inputs: layer.channels, joined: inputWeight, bias: bias,
          skipWeight: layer.skipWeight, skipBias: layer.skipBias, mixed: traces[index].mixed, modes: modes,
          to: inputs, from: firstInput + 3)
        if layer.needsModes { modes = projection.map.applyAdjoint(modes) }
      }
      if let spectrum = traces[index].spectrum {
        inputs.add(layer.kernel.weightGradient(spectrum, modes), to: firstInput)
      }
      if layer.skipNeedsGradient, let inputWeight, let bias {
        let map = layer.projection?.map
        inputs.add(map?.product(transposed: true, inputWeight) ?? inputWeight, to: firstInput + 1)
        inputs.add(map?.product(transposed: true, bias) ?? bias, to: firstInput + 2)
      }
      guard layer.inputNeedsGradient else { continue }
      modes = layer.kernel.mixAdjoint(
        modes, layer.weight, transposed: layer.transposed?.matrices(by: layer.kernel))
      if let lifting = layer.lifting {
        if let fieldWeight, let spectrum = traces[index].fieldSpectrum {
          let ofLifting = lifting.gradient(
            composed: fieldWeight, skipWeight: layer.inputWeight, spectrum: spectrum, lifted: modes)
          inputs.add(ofLifting, to: liftingInput)
        }
        guard layer.fieldNeedsGradient else { continue }
        modes = lifting.map.applyAdjoint(modes, channels: layer.variableChannels)
      }
      step = goBack(index, step.sums, modes)
    }
    guard layers[0].fieldNeedsGradient else { return }
    wayBack.addGradients(from: step.sums, of: layers[0].variableChannels, to: inputs)
  }

  /// The gradients of a layer's sums, which its activation takes, of its mixed modes, and, by samples, of what the field
  /// is multiplied by and of b.
  ///
  /// With a joined projection those of the field as far as it goes through `fieldWeight`, of W₁ times the mixed modes
  /// and, by samples, of the parameters of a perceptron from the field.
  struct Step {
    var sums: Tensor<Float>
    var modes: Tensor<Float>
    var terms: Tensor<Float>
  }

  /// From the gradient of the result through a joined projection, or through the last activation, in place.
  func enterLast(_ gradient: consuming Tensor<Float>) -> Step {
    let (layer, trace) = (last, traces[layers.count - 1])
    if let projection = layer.projection, let field = trace.field, let factors = trace.factors {
      let step = projection.adjoint(
        gradient, field, fieldWeight: layer.fieldWeight, factors: factors, wanted: layer.wanted)
      return Step(sums: step.field, modes: step.modes, terms: step.terms)
    }
    var sums: Tensor<Float> = gradient
    var (modes, terms) = (Tensor<Float>.empty, Tensor<Float>.empty)
    sums.withUnsafeMutableBuffer { sums in
      let sums = sums.baseAddress!
      withTargets(of: layer, &modes, &terms) { modes, terms in
        withPointers(trace.derivative ?? layer.weight, trace.field ?? layer.weight) { derivative, u in
          let (kernel, channels) = (layer.kernel!, layer.kernel.outputs)
          let shares = kernel.shareCount(channels: channels)
          kernel.withModeTarget(.adjoint, channels: channels, shares: shares, modes) { modes in
            kernel.forEachShare(channels: channels, count: shares) { share, scratch in
              let own = share.sample * layer.outputCount + share.channels.lowerBound * kernel.input.points
              layer.activation.adjoint(
                share.channels.count * kernel.input.points, slope: derivative + own, sums + own)
              enter(layer, share, u, sums: sums + own, modes, terms, scratch)
            }
          }
        }
      }
    }
    return Step(sums: sums, modes: modes, terms: terms)
  }

  /// The gradients of one sample after the other times factors.
  func scaled(_ step: consuming Step, by factors: Tensor<Float>) -> Step {
    var step = step
    if step.sums.count > 0 { step.sums.scaleSamples(by: factors) }
    if step.terms.count > 0 { step.terms.scaleSamples(by: factors) }
    if step.modes.count > 0 {
      // By modes first, [m, sample, 2, O].
      let (modeCount, samples) = (step.modes.shape[0], factors.count)
      let count = step.modes.count / modeCount / samples
      step.modes.withUnsafeMutableBuffer { modes in
        factors.start { factors in
          for mode in 0..<modeCount {
            for sample in 0..<samples {
              Float.scale(count, factors[sample], modes.baseAddress! + (mode * samples + sample) * count)
            }
          }
        }
      }
    }
    return step
  }

  /// From the gradients of a layer's sums and of its field's modes to those of the layer before it, or of the field in the
  /// place of sums.
  private func goBack(_ index: Int, _ sums: Tensor<Float>, _ spectrum: Tensor<Float>) -> Step {
    let layer = layers[index]
    let previous = index > 0 ? layers[index - 1] : nil
    let shares = layer.kernel.shareCount(channels: layer.variableChannels.count)
    var (modes, terms) = (Tensor<Float>.empty, Tensor<Float>.empty)
    let result = Tensor<Float>.filled(layer.kernel.input.shape(channels: layer.variableChannels.count)) {
      result in
      withTargets(of: previous, &modes, &terms) { modes, terms in
        guard let previous else {
          return goBack(index, shares: shares, sums, spectrum, into: result, nil, terms)
        }
        previous.kernel.withModeTarget(.adjoint, channels: previous.kernel.outputs, shares: shares, modes) {
          goBack(index, shares: shares, sums, spectrum, into: result, $0, terms)
        }
      }
    }
    return Step(sums: result, modes: modes, terms: terms)
  }

  private func goBack(
    _ index: Int, shares: Int, _ sums: Tensor<Float>, _ spectrum: Tensor<Float>,
    into result: UnsafeMutablePointer<Float>, _ modes: SpectralKernel.ModeTarget?,
    _ terms: UnsafeMutablePointer<Float>
  ) {
    let layer = layers[index]
    let kernel = layer.kernel!
    let points = kernel.input.points
    let previous = index > 0 ? layers[index - 1] : nil
    let trace = index > 0 ? traces[index - 1] : nil
    let derivative = trace?.derivative
    let channels = layer.variableChannels.count
    withPointers(
      sums, spectrum, layer.fieldWeight, derivative ?? layer.weight, trace?.field ?? layer.weight
    ) { sums, spectrum, fieldWeight, derivative, u in
      kernel.forEachShare(channels: channels, count: shares, previous?.kernel) { share, scratch in
        let (sample, count) = (share.sample, share.channels.count)
        let first = layer.variableChannels.lowerBound + share.channels.lowerBound
        let target = (sample * channels + share.channels.lowerBound) * points
        kernel.synthesise(
          .adjoint, share, of: channels, spectrum, inParts: result + target, scratch: scratch
        ) { range, modes, stride in
          let (source, start) = (sample * layer.outputCount + range.lowerBound, target + range.lowerBound)
          let factor = previous?.activation == .gelu ? derivative + start : nil
          if layer.projection != nil {
            let own = sums + sample * layer.fieldCount + first * points + range.lowerBound
            ck_add_rows_f32(count, range.count, points, own, factor, result + start)
            return
          }
          MatrixKernels.product(
            rows: count, columns: range.count,
            ck_factors(
              inner: kernel.outputs, transposed: fieldWeight + first, stride: layer.channels, sums + source,
              bStride: points),
            finish: ck_finish(
              kind: CK_IDENTITY, addend: modes, addend_row: stride, bias: nil, factor: factor, slope: nil),
            into: result + start, stride: points)
        }
        guard let previous, let modes else { return }
        if previous.activation == .relu {
          previous.activation.adjoint(count * points, slope: derivative + target, result + target)
        }
        enter(previous, share, u, sums: result + target, modes, terms, scratch)
      }
    }
  }

  /// From the gradient of a share of a layer's sums to those of what the field is multiplied by, of b and of its mixed
  /// modes.
  private func enter(
    _ layer: Layer, _ share: SpectralKernel.Share, _ u: UnsafePointer<Float>, sums: UnsafePointer<Float>,
    _ modes: SpectralKernel.ModeTarget, _ terms: UnsafeMutablePointer<Float>,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let kernel = layer.kernel!
    if layer.needsTerms {
      let (own, first) = (terms + share.sample * layer.skipCount, share.channels.lowerBound)
      linearGradient(
        inputs: layer.channels, outputs: share.channels.count, points: kernel.input.points,
        u + share.sample * layer.fieldCount, sums, weight: own + first * layer.channels,
        bias: own + kernel.outputs * layer.channels + first)
    }
    kernel.analyse(share, sums, into: modes, scratch: scratch)
  }

  /// Makes the places for the gradients of a layer's mixed modes and, by samples, of what its field is multiplied by and of
  /// b; none without a layer.
  private func withTargets(
    of layer: Layer?, _ modes: inout Tensor<Float>, _ terms: inout Tensor<Float>,
    _ body: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>) -> Void
  ) {
    var (modeShape, termShape) = (Shape(0), Shape(0))
    if let layer {
      modeShape = layer.kernel.spectrumShape(channels: layer.kernel.outputs)
      if layer.needsTerms { termShape = Shape(layer.kernel.input.samples, layer.skipCount) }
    }
    var all = Tensor<Float>.empty
    modes = .filled(modeShape) { modes in
      all = .filled(termShape) { terms in body(modes, terms) }
    }
    terms = all
  }
}
