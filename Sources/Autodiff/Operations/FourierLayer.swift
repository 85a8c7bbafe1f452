import CKernels
import Tensors

/// A whole Fourier layer: activation(spectralConvolution(u) + W u + b).
///
/// Shapes as for `spectralConvolution` and `pointwiseLinear` (skipWeight `[O, I]`, skipBias `[O]`).
public func fourierLayer(
  _ u: Variable, weight: Variable, skipWeight: Variable, skipBias: Variable, activation: Activation
) -> Variable {
  fourierLayers(
    ChannelSelection(u),
    [
      FourierLayerVariables(
        weight: weight, skipWeight: skipWeight, skipBias: skipBias, activation: activation)
    ])
}

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

  fileprivate var all: [Variable] { [weight, skipWeight, skipBias] }
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
  let stack = FourierStack(u, lifting, constants, layers, projection)
  let result = recorded(stack, u, lifting, layers, projection)
  guard let projection, stack.projection == nil else { return result }
  return perceptron(result, projection)
}

/// The loss of what Fourier layers and a projection give: `comparison` of it, in one pass through the projection where
/// that is possible, as for a `perceptron`.
public func fourierLayers(
  _ u: ChannelSelection, lifting: Variable? = nil, constants: Tensor<Float>? = nil,
  _ layers: [FourierLayerVariables], projection: PerceptronVariables, comparedWith comparison: FieldComparison
) -> FieldLoss {
  let stack = FourierStack(u, lifting, constants, layers, projection)
  guard let joined = stack.projection, comparison.isByDifferences, joined.needsGradient else {
    let result = recorded(stack, u, lifting, layers, projection)
    return stack.projection == nil
      ? perceptron(result, projection, comparedWith: comparison) : comparison.loss(of: result)
  }
  let (step, distances, traces) = stack.differences(u, comparison)
  let kept = HandOver(step)
  return comparison.loss(squaredDistances: distances, from: inputs(u, lifting, layers, projection)) {
    factors in
    stack.adjoint(stack.scaled(kept.take(), by: factors), traces)
  }
}

/// What the layers give, with the projection if it is joined with them.
private func recorded(
  _ stack: FourierStack, _ u: ChannelSelection, _ lifting: Variable?, _ layers: [FourierLayerVariables],
  _ projection: PerceptronVariables?
) -> Variable {
  let (value, traces) = stack.forward(u)
  guard stack.needsGradient else { return Variable(value) }
  let joined = stack.projection == nil ? nil : projection
  return Variable(value, from: inputs(u, lifting, layers, joined)) { (gradient: consuming Tensor<Float>) in
    stack.adjoint(stack.enterLast(gradient, traces), traces)
  }
}

/// What `fourierLayers` depends on.
private func inputs(
  _ u: ChannelSelection, _ lifting: Variable?, _ layers: [FourierLayerVariables],
  _ projection: PerceptronVariables?
) -> [Variable] {
  u.sources + (lifting.map { [$0] } ?? []) + layers.flatMap(\.all) + (projection?.all ?? [])
}

/// The two directions of some Fourier layers.
private struct FourierStack {
  /// One layer: a class, as it is handed from function to function while other threads do the same with the same
  /// tensors, whose references would be counted each time.
  final class Layer {
    let kernel: SpectralKernel
    let weight: Tensor<Float>
    /// For the way back to the layer's input.
    let transposed: TransposedModes?
    let skipWeight: Tensor<Float>
    let skipBias: Tensor<Float>
    let activation: Activation
    /// What makes this layer's input of the field, if anything does.
    let lifting: Lifting?
    /// What is made of this layer's output, if it is made at once.
    let projection: Projection?
    /// What the skip connection multiplies this layer's input by: W, or W₁ W for a joined projection.
    let inputWeight: Tensor<Float>
    /// The same for the field: it, or it times P.
    let fieldWeight: Tensor<Float>
    /// Those of the field's channels whose gradient is found: those that need one, or with no lifting all if any does.
    let variableChannels: Range<Int>
    let weightNeedsGradient: Bool
    let skipNeedsGradient: Bool
    /// Whether anything before this layer, or in it, needs a gradient; and before it alone; and the field.
    let needsGradient: Bool
    let inputNeedsGradient: Bool
    var fieldNeedsGradient: Bool { !variableChannels.isEmpty }

    /// - Parameters:
    ///   - input: the axes of what the layer acts on.
    ///   - variableChannels: those of the field whose gradient may be wanted.
    ///   - lifting, projection: what may be joined with it: the first and the last layer have them.
    ///   - inputNeedsGradient: of what comes before the layer.
    ///   - tape: on which the layer is recorded.
    init(
      _ variables: FourierLayerVariables, input: FieldShape, variableChannels: Range<Int>, lifting: Lifting?,
      projection: PerceptronVariables?, inputNeedsGradient: Bool, tape: Tape?
    ) {
      kernel = SpectralKernel(input: input, weight: variables.weight.shape)
      weight = variables.weight.value
      transposed = inputNeedsGradient ? tape?.transposedModes(of: weight) : nil
      skipWeight = variables.skipWeight.value
      skipBias = variables.skipBias.value
      activation = variables.activation
      precondition(
        skipWeight.shape == [kernel.outputs, kernel.inputs] && skipBias.shape == [kernel.outputs],
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

  let layers: [Layer]
  /// To what u is made of.
  let wayBack: ChannelReturn
  /// What comes behind the channels of u.
  let constants: Tensor<Float>?

  /// Whether what they give depends on anything that needs a gradient.
  var needsGradient: Bool { layers[layers.count - 1].needsGradient }

  /// The projection that is joined with the last layer.
  var projection: Projection? { layers[layers.count - 1].projection }

  init(
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
    wayBack = u.wayBack
    self.constants = constants
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
    self.layers = layers.enumerated().map { index, variables in
      let layer = Layer(
        variables, input: shape, variableChannels: variableChannels, lifting: index == 0 ? lifting : nil,
        projection: index == layers.count - 1 ? projection : nil, inputNeedsGradient: needsGradient,
        tape: tape)
      shape = FieldShape(shape.shape(channels: layer.kernel.outputs))
      needsGradient = layer.needsGradient
      variableChannels = 0..<(needsGradient ? layer.kernel.outputs : 0)
      return layer
    }
  }

  // MARK: - Forward

  func forward(_ u: ChannelSelection) -> (value: Tensor<Float>, traces: [Trace]) {
    var (value, traces, mixed) = forwardToProjection(u)
    guard let mixed, let layer = layers.last, let projection = layer.projection else {
      return (value, traces)
    }
    let factors = projection.factors(mixed)
    if layer.needsGradient {
      traces[layers.count - 1].field = value
      traces[layers.count - 1].factors = factors
    }
    value = projection.forward(value, fieldWeight: layer.fieldWeight, factors: factors)
    return (value, traces)
  }

  /// Both ways through a joined projection, for half the sum of the squared differences from a target.
  func differences(_ u: ChannelSelection, _ comparison: FieldComparison) -> (
    step: Step, distances: [Double], traces: [Trace]
  ) {
    let (value, traces, mixed) = forwardToProjection(u)
    guard let mixed, let layer = layers.last, let projection = layer.projection else {
      preconditionFailure("no projection is joined with the layers")
    }
    precondition(
      comparison.target.shape == layer.kernel.input.shape(channels: projection.outputs),
      "the target \(comparison.target.shape) is not what the projection gives")
    let (gradients, distances) = projection.differences(
      from: comparison, value, fieldWeight: layer.fieldWeight, factors: projection.factors(mixed),
      wanted: layer.wanted)
    return ((gradients.field, gradients.modes, gradients.terms), distances, traces)
  }

  /// The value behind the layers, or that before the last one with the mixed modes of this one if a projection is joined
  /// with it.
  private func forwardToProjection(_ u: ChannelSelection) -> (
    value: Tensor<Float>, traces: [Trace], mixed: Tensor<Float>?
  ) {
    var value = u.field(with: constants)
    var spectrum = layers[0].kernel.analyse(.forward, value, channels: layers[0].channels)
    var traces: [Trace] = []
    traces.reserveCapacity(layers.count)
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
        return (value, traces, mixed)
      }
      trace.field = layer.needsTerms ? value : nil
      let result = finish(index, &value, mixed)
      trace.derivative = layer.activation == .relu && layer.needsGradient ? value : result.slope
      traces.append(trace)
      spectrum = result.spectrum
    }
    return (value, traces, nil)
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
    var (slope, spectrum) = (Tensor<Float>?.none, Tensor<Float>?.none)
    func finish(_ u: UnsafePointer<Float>, _ value: UnsafeMutablePointer<Float>) {
      slope = .filled(wanted: keepsSlope ? shape : nil) { slope in
        spectrum = .filled(wanted: next?.spectrumShape(channels: layer.kernel.outputs)) { spectrum in
          self.finish(
            layer, shares: shares, u, mixed, value, slope: slope, next: next, spectrum: spectrum)
        }
      }
    }
    // The first layer's input belongs to others, and every share reads all of it.
    if index > 0 && !layer.needsGradient && layer.mayWriteOverField && shares == 1 {
      value.withUnsafeMutableBuffer { finish($0.baseAddress!, $0.baseAddress!) }
    } else {
      value = value.start { u in .filled(shape) { finish(u, $0) } }
    }
    return (slope, spectrum ?? .empty)
  }

  private func finish(
    _ layer: Layer, shares: Int, _ u: UnsafePointer<Float>, _ mixed: Tensor<Float>,
    _ value: UnsafeMutablePointer<Float>, slope: UnsafeMutablePointer<Float>?, next: SpectralKernel?,
    spectrum: UnsafeMutablePointer<Float>?
  ) {
    let (kernel, points, outputs) = (layer.kernel, layer.kernel.input.points, layer.kernel.outputs)
    func finish(_ nextModes: SpectralKernel.ModeTarget?) {
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
    guard let next, let spectrum else { return finish(nil) }
    next.withModeTarget(.forward, channels: outputs, shares: shares, spectrum, finish)
  }

  // MARK: - Backward

  /// From what `enterLast` gives to the gradients of the input, of the lifting if there is one, of every layer's modes'
  /// matrices, W and b, and of the projection's parameters if one is joined.
  func adjoint(_ last: consuming Step, _ traces: [Trace]) -> [Tensor<Float>?] {
    var gradients: [[Tensor<Float>?]] = []
    var liftingGradient: Tensor<Float>?
    var projectionGradients: [Tensor<Float>?] = []
    var step = last
    for (index, layer) in layers.enumerated().reversed() {
      guard layer.needsGradient else {
        gradients.append([nil, nil, nil])
        continue
      }
      let fieldWeight = layer.needsTerms ? sumOverFirstAxis(step.terms, shape: layer.fieldWeight.shape) : nil
      let inputWeight = fieldWeight.map { layer.lifting?.skipGradient($0) ?? $0 }
      let bias = fieldWeight.map {
        sumOverFirstAxis(step.terms, shape: [$0.shape[0]], from: $0.count)
      }
      var modes = step.modes
      if let projection = layer.projection {
        projectionGradients = projection.gradients(
          terms: step.terms, inputs: layer.channels, joined: inputWeight, bias: bias,
          skipWeight: layer.skipWeight, skipBias: layer.skipBias, mixed: traces[index].mixed, modes: modes)
        if layer.needsModes { modes = projection.map.applyAdjoint(modes) }
      }
      let fromProjection = { layer.projection?.map.product(transposed: true, $0) ?? $0 }
      gradients.append([
        traces[index].spectrum.map { layer.kernel.weightGradient($0, modes) },
        layer.skipNeedsGradient ? inputWeight.map(fromProjection) : nil,
        layer.skipNeedsGradient ? bias.map(fromProjection) : nil,
      ])
      guard layer.inputNeedsGradient else { continue }
      modes = layer.kernel.mixAdjoint(
        modes, layer.weight, transposed: layer.transposed?.matrices(by: layer.kernel))
      if let lifting = layer.lifting {
        if let fieldWeight, let spectrum = traces[index].fieldSpectrum {
          liftingGradient = lifting.gradient(
            composed: fieldWeight, skipWeight: layer.inputWeight, spectrum: spectrum, lifted: modes)
        }
        guard layer.fieldNeedsGradient else { continue }
        modes = lifting.map.applyAdjoint(modes, channels: layer.variableChannels)
      }
      step = goBack(index, step.sums, modes, traces)
    }
    let field =
      layers[0].fieldNeedsGradient
      ? wayBack.gradients(from: step.sums, of: layers[0].variableChannels)
      : [Tensor<Float>?](repeating: nil, count: wayBack.sources.count)
    return field + (layers[0].lifting == nil ? [] : [liftingGradient])
      + gradients.reversed().flatMap(\.self) + projectionGradients
  }

  /// The gradients of a layer's sums, which its activation takes, of its mixed modes, and, by samples, of what the field
  /// is multiplied by and of b.
  ///
  /// With a joined projection those of the field as far as it goes through `fieldWeight`, of W₁ times the mixed modes
  /// and, by samples, of the parameters of a perceptron from the field.
  typealias Step = (sums: Tensor<Float>, modes: Tensor<Float>, terms: Tensor<Float>)

  /// From the gradient of the result through a joined projection, or through the last activation, in place.
  func enterLast(_ gradient: consuming Tensor<Float>, _ traces: [Trace]) -> Step {
    let (layer, trace) = (layers[layers.count - 1], traces[layers.count - 1])
    if let projection = layer.projection, let field = trace.field, let factors = trace.factors {
      let step = projection.adjoint(
        gradient, field, fieldWeight: layer.fieldWeight, factors: factors, wanted: layer.wanted)
      return (step.field, step.modes, step.terms)
    }
    var sums: Tensor<Float> = gradient
    var (modes, terms) = (Tensor<Float>.empty, Tensor<Float>.empty)
    sums.withUnsafeMutableBuffer { sums in
      let sums = sums.baseAddress!
      withTargets(of: layer, &modes, &terms) { modes, terms in
        withPointers(trace.derivative ?? layer.weight, trace.field ?? layer.weight) { derivative, u in
          let (kernel, channels) = (layer.kernel, layer.kernel.outputs)
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
    return (sums, modes, terms)
  }

  /// The gradients of one sample after the other times factors.
  func scaled(_ step: consuming Step, by factors: [Float]) -> Step {
    var (sums, modes, terms) = step
    if sums.count > 0 { sums.scaleSamples(by: factors) }
    if terms.count > 0 { terms.scaleSamples(by: factors) }
    if modes.count > 0 {
      // By modes first, [m, sample, 2, O].
      let (modeCount, count) = (modes.shape[0], modes.count / modes.shape[0] / factors.count)
      modes.withUnsafeMutableBuffer { modes in
        for mode in 0..<modeCount {
          for (sample, factor) in factors.enumerated() {
            Float.scale(count, factor, modes.baseAddress! + (mode * factors.count + sample) * count)
          }
        }
      }
    }
    return (sums, modes, terms)
  }

  /// From the gradients of a layer's sums and of its field's modes to those of the layer before it, or of the field in the
  /// place of sums.
  private func goBack(
    _ index: Int, _ sums: Tensor<Float>, _ spectrum: Tensor<Float>, _ traces: [Trace]
  ) -> Step {
    let layer = layers[index]
    let previous = index > 0 ? layers[index - 1] : nil
    let shares = layer.kernel.shareCount(channels: layer.variableChannels.count)
    var (modes, terms) = (Tensor<Float>.empty, Tensor<Float>.empty)
    let result = Tensor<Float>.filled(layer.kernel.input.shape(channels: layer.variableChannels.count)) {
      result in
      withTargets(of: previous, &modes, &terms) { modes, terms in
        guard let previous else {
          return goBack(index, shares: shares, sums, spectrum, traces, into: result, nil, terms)
        }
        previous.kernel.withModeTarget(.adjoint, channels: previous.kernel.outputs, shares: shares, modes) {
          goBack(index, shares: shares, sums, spectrum, traces, into: result, $0, terms)
        }
      }
    }
    return (result, modes, terms)
  }

  private func goBack(
    _ index: Int, shares: Int, _ sums: Tensor<Float>, _ spectrum: Tensor<Float>, _ traces: [Trace],
    into result: UnsafeMutablePointer<Float>, _ modes: SpectralKernel.ModeTarget?,
    _ terms: UnsafeMutablePointer<Float>
  ) {
    let (layer, kernel, points) = (layers[index], layers[index].kernel, layers[index].kernel.input.points)
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
    let kernel = layer.kernel
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
    var all = Tensor<Float>.empty
    modes = .filled(layer.map { $0.kernel.spectrumShape(channels: $0.kernel.outputs) } ?? [0]) { modes in
      let rows = layer.map { $0.needsTerms ? $0.kernel.input.samples : 0 } ?? 0
      all = .filled([rows, layer?.skipCount ?? 0]) { terms in body(modes, terms) }
    }
    terms = all
  }
}
