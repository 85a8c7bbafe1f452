import CKernels
import Tensors

/// The parameters of a perceptron W₂ activation(W₁ u + b₁) + b₂.
///
/// Shapes: hiddenWeight `[H, I]`, hiddenBias `[H]`, weight `[O, H]`, bias `[O]`.
public struct PerceptronVariables {
  let hiddenWeight: Variable
  let hiddenBias: Variable
  let weight: Variable
  let bias: Variable
  let activation: Activation

  /// The parameters on a tape, or constants.
  public init(
    hiddenWeight: Variable, hiddenBias: Variable, weight: Variable, bias: Variable, activation: Activation
  ) {
    self.hiddenWeight = hiddenWeight
    self.hiddenBias = hiddenBias
    self.weight = weight
    self.bias = bias
    self.activation = activation
  }

  /// The inputs of an operation of `u` with them.
  func behind(_ u: Variable) -> VariableList { VariableList(u, hiddenWeight, hiddenBias, weight, bias) }

  /// The parameters one after the other; nil behind the last.
  func parameter(_ position: Int) -> Variable? {
    switch position {
    case 0: hiddenWeight
    case 1: hiddenBias
    case 2: weight
    case 3: bias
    default: nil
    }
  }

  /// Whether any of them needs a gradient.
  var needGradient: Bool {
    hiddenWeight.needsGradient || hiddenBias.needsGradient || weight.needsGradient || bias.needsGradient
  }

  /// Stops where they are not those of a map of so many channels.
  func check(inputs: Int) {
    let (hidden, outputs) = (hiddenWeight.shape[0], weight.shape[0])
    precondition(
      hiddenWeight.shape.matches([hidden, inputs]) && hiddenBias.shape.matches([hidden])
        && weight.shape.matches([outputs, hidden]) && bias.shape.matches([outputs]),
      "weights \(hiddenWeight.shape) and \(weight.shape) do not map \(inputs) channels")
  }
}

/// Two linear maps of the channels with an activation between them, the same at every grid point:
/// y = W₂ activation(W₁ u + b₁) + b₂.
///
/// From u `[sample, I, ...grid]` to `[sample, O, ...grid]`.
/// Computed in tiles of grid points: the H-wide activation (four times the size of the field in an FNO's
/// projection) stays in the cache, and the adjoint computes it again. With one output and weights that need no gradient,
/// as in inverse problems, it need not: the derivatives of the output with respect to u, as large as u, are found on the
/// way forward.
public func perceptron(_ u: Variable, _ variables: PerceptronVariables) -> Variable {
  let kernel = PerceptronKernel(input: FieldShape(u.shape), variables)
  let weightsNeedGradient = variables.needGradient
  var jacobian: Tensor<Float>?
  let keepsJacobian = u.needsGradient && !weightsNeedGradient && kernel.hasJacobian
  let (hiddenWeight, hiddenBias) = (variables.hiddenWeight.value, variables.hiddenBias.value)
  let (weight, bias) = (variables.weight.value, variables.bias.value)
  let value = withPointers(u.value, hiddenWeight, hiddenBias, weight, bias) { field, w1, b1, w2, b2 in
    Tensor<Float>.filled(kernel.input.shape(channels: kernel.outputs)) { y in
      jacobian = .filled(wanted: keepsJacobian ? u.shape : nil) { jacobian in
        kernel.forward(field, (w1, b1, w2, b2), y, jacobian: jacobian)
      }
    }
  }
  guard u.needsGradient || weightsNeedGradient else { return Variable(value) }
  if let jacobian {
    return Variable(value, from: u, saving: (kernel, jacobian)) { saved, gradient, inputs in
      let (kernel, jacobian) = saved
      inputs.add(kernel.product(of: consume jacobian, gradient), to: 0)
    }
  }
  let saved = (kernel, u.value, hiddenWeight, hiddenBias, weight)
  return Variable(value, from: variables.behind(u), saving: saved) { saved, gradient, inputs in
    let ((kernel, u, hiddenWeight, hiddenBias, weight), gradient) = (saved, gradient)
    var terms: Tensor<Float>?
    let ofInput = Tensor<Float>.filled(wanted: inputs.isNeeded(0) ? u.shape : nil) { du in
      let wanted = inputs.areNeeded(1..<5) ? Shape(kernel.termRows, kernel.parameterCount) : nil
      terms = .filled(wanted: wanted) { terms in
        withPointers(u, hiddenWeight, hiddenBias, weight, gradient) { u, w1, b1, w2, dy in
          kernel.adjoint(u, (w1, b1, w2), dy, inputGradient: du, terms: terms)
        }
      }
    }
    inputs.add(ofInput, to: 0)
    if let terms { kernel.addParameterGradients(terms, to: inputs) }
  }
}

/// The loss of a perceptron's results: `comparison` of what `perceptron` gives, in one pass where that is possible.
///
/// That is where the loss is by differences, the weights need gradients and there are few outputs. The hidden values are
/// made once then, in the forward pass, which finds all gradients but for a factor for every sample.
public func perceptron(
  _ u: Variable, _ variables: PerceptronVariables, comparedWith comparison: FieldComparison
) -> FieldLoss {
  let kernel = PerceptronKernel(input: FieldShape(u.shape), variables)
  guard comparison.isByDifferences, kernel.isNarrow, variables.needGradient else {
    return comparison.loss(of: perceptron(u, variables))
  }
  precondition(
    comparison.target.shape == kernel.input.shape(channels: kernel.outputs),
    "the target \(comparison.target.shape) is not what a perceptron gives")
  var terms = Tensor<Float>.empty
  var distances = Tensor<Double>?.none
  let inputGradient = Tensor<Float>.filled(wanted: u.needsGradient ? u.shape : nil) { du in
    terms = .filled(Shape(kernel.termRows, kernel.parameterCount)) { terms in
      distances = comparison.withKernelTarget { target in
        withPointers(
          u.value, variables.hiddenWeight.value, variables.hiddenBias.value, variables.weight.value,
          variables.bias.value
        ) { value, w1, b1, w2, b2 in
          kernel.differences(value, (w1, b1, w2, b2), target, inputGradient: du, terms: terms)
        }
      }
    }
  }
  guard let distances else { preconditionFailure("the distances are found with the terms") }
  return comparison.loss(
    squaredDistances: distances, from: variables.behind(u), saving: (kernel, inputGradient, terms)
  ) { saved, factors, inputs in
    var (kernel, inputGradient, terms) = saved
    terms.scaleSamples(by: factors)
    inputGradient?.scaleSamples(by: factors)
    inputs.add(inputGradient, to: 0)
    kernel.addParameterGradients(terms, to: inputs)
  }
}

/// The two directions of `perceptron` on raw memory.
struct PerceptronKernel {
  /// The grid points of one tile: 128 channels of them are half of a 256 KiB cache, and they are whole vectors.
  static let tile = 288

  let input: FieldShape
  let hidden: Int
  let outputs: Int
  let activation: Activation

  /// The kernel of these parameters for fields of a shape.
  init(input: FieldShape, _ variables: PerceptronVariables) {
    self.input = input
    hidden = variables.hiddenWeight.shape[0]
    outputs = variables.weight.shape[0]
    activation = variables.activation
    variables.check(inputs: input.channels)
  }

  var inputs: Int { input.channels }
  var parameterCount: Int { hidden * inputs + hidden + outputs * hidden + outputs }

  /// The hidden values of one tile after the activation, and its derivative for the adjoint.
  private func hiddenTile(
    _ u: UnsafePointer<Float>, _ w1: UnsafePointer<Float>, _ b1: UnsafePointer<Float>, width: Int,
    _ h: UnsafeMutablePointer<Float>, slope: UnsafeMutablePointer<Float>? = nil
  ) {
    MatrixKernels.product(
      rows: hidden, columns: width, ck_factors(inner: inputs, w1, u, bStride: input.points),
      finish: activation.finish(bias: b1, slope: activation == .gelu ? slope : nil), into: h)
  }

  /// The result y and, if it is wanted and `hasJacobian`, the derivatives of y with respect to u.
  func forward(
    _ u: UnsafePointer<Float>,
    _ weights: (
      w1: UnsafePointer<Float>, b1: UnsafePointer<Float>, w2: UnsafePointer<Float>, b2: UnsafePointer<Float>
    ),
    _ y: UnsafeMutablePointer<Float>, jacobian: UnsafeMutablePointer<Float>? = nil
  ) {
    let (points, tiles) = (input.points, tiles)
    let (perceptron, isNarrow) = (kernel(weights.w1, weights.b1, weights.w2, weights.b2), isNarrow)
    parallelFor(input.samples * tiles) { range in
      var perceptron = perceptron
      withScratch(isNarrow && jacobian == nil ? 0 : hidden * Self.tile) { h in
        for index in range {
          let (sample, start) = (index / tiles, index % tiles * Self.tile)
          let width = min(Self.tile, points - start)
          let (source, target) = (u + sample * inputs * points + start, y + sample * outputs * points + start)
          if isNarrow {
            ck_perceptron(
              &perceptron, width, source, points, nil, 0, target, points, jacobian == nil ? nil : h)
            if let jacobian {
              hiddenAdjoint(h, weights.w1, width: width, into: jacobian + (source - u))
            }
            continue
          }
          hiddenTile(source, weights.w1, weights.b1, width: width, h)
          MatrixKernels.product(
            rows: outputs, columns: width, ck_factors(inner: hidden, weights.w2, h, bStride: width),
            finish: Activation.identity.finish(bias: weights.b2), into: target, stride: points)
        }
      }
    }
  }

  /// Whether the hidden values can stay in registers.
  var isNarrow: Bool {
    var perceptron = kernel(nil, nil, nil, nil)
    return ck_perceptron_is_narrow(&perceptron) != 0
  }

  private func kernel(
    _ w1: UnsafePointer<Float>?, _ b1: UnsafePointer<Float>?, _ w2: UnsafePointer<Float>?,
    _ b2: UnsafePointer<Float>?
  ) -> ck_perceptron {
    ck_perceptron(
      inputs: inputs, hidden: hidden, outputs: outputs, activation: activation.kernel, hidden_weight: w1,
      hidden_bias: b1, weight: w2, bias: b2)
  }

  private var tiles: Int { (input.points + Self.tile - 1) / Self.tile }

  /// In how many parts the way back goes through a sample: in several where there are few samples, so that many threads
  /// have something to do; the same for any number of them, as the gradients of the parameters are sums over the parts.
  private var partCount: Int { max(1, min(Self.partsOfBatch / max(1, input.samples), tiles)) }
  /// The parts of all samples together, if there are no more samples.
  private static let partsOfBatch = 16

  /// The rows of the gradients of the parameters: one for every part of every sample.
  var termRows: Int { input.samples * partCount }

  /// The points of a part, by whole tiles.
  private func points(ofPart part: Int) -> Range<Int> {
    tiles * part / partCount * Self.tile..<min(input.points, tiles * (part + 1) / partCount * Self.tile)
  }

  /// Adds the gradients of the four parameters, the inputs of an operation from 1 on, from those of every part of every
  /// sample, one after another.
  func addParameterGradients(_ terms: Tensor<Float>, to gradients: Tape.InputGradients) {
    let (first, second) = (hidden * inputs, hidden * inputs + hidden)
    gradients.add(sumOverFirstAxis(terms, shape: Shape(hidden, inputs)), to: 1)
    gradients.add(sumOverFirstAxis(terms, shape: Shape(hidden), from: first), to: 2)
    gradients.add(sumOverFirstAxis(terms, shape: Shape(outputs, hidden), from: second), to: 3)
    gradients.add(sumOverFirstAxis(terms, shape: Shape(outputs), from: second + outputs * hidden), to: 4)
  }

  /// Per part of a sample, the gradients of the four parameters one after another go to `terms`, if they are wanted.
  func adjoint(
    _ u: UnsafePointer<Float>,
    _ weights: (w1: UnsafePointer<Float>, b1: UnsafePointer<Float>, w2: UnsafePointer<Float>),
    _ dy: UnsafePointer<Float>, inputGradient: UnsafeMutablePointer<Float>?,
    terms: UnsafeMutablePointer<Float>?
  ) {
    let (points, partCount) = (input.points, partCount)
    let (perceptron, isNarrow) = (kernel(weights.w1, weights.b1, weights.w2, nil), isNarrow)
    parallelFor(termRows) { rows in
      var perceptron = perceptron
      withScratch(sumCount + (isNarrow ? 1 : 3) * hidden * Self.tile) { scratch in
        let (sums, dz) = (scratch, scratch + sumCount)
        let (h, slope) = (dz + hidden * Self.tile, dz + 2 * hidden * Self.tile)
        for row in rows {
          let sample = row / partCount
          adjoint(row, u, weights.w1, sums: sums, dz, inputGradient: inputGradient, terms: terms) {
            start, width, source in
            let gradient = dy + sample * outputs * points + start
            if isNarrow {
              ck_perceptron_adjoint(
                &perceptron, width, source, points, nil, 0, gradient, points, dz, sums)
            } else {
              hiddenTile(source, weights.w1, weights.b1, width: width, h, slope: slope)
              hiddenGradient(weights.w2, gradient, width: width, h, slope: slope, into: dz)
            }
            guard let terms = terms.map({ $0 + row * parameterCount }) else { return }
            if !isNarrow { addHiddenSums(hidden: h, hiddenGradient: dz, gradient, width: width, to: terms) }
            for output in 0..<outputs {
              (terms + parameterCount - outputs)[output] += Float(
                ck_sum_f32(width, gradient + output * points))
            }
          }
        }
      }
    }
  }

  /// Both ways at once, for half the sum of the squared differences of the results from a target, which are returned by
  /// samples; only for a perceptron that `isNarrow`.
  func differences(
    _ u: UnsafePointer<Float>,
    _ weights: (
      w1: UnsafePointer<Float>, b1: UnsafePointer<Float>, w2: UnsafePointer<Float>, b2: UnsafePointer<Float>
    ),
    _ target: FieldComparison.KernelTarget, inputGradient: UnsafeMutablePointer<Float>?,
    terms: UnsafeMutablePointer<Float>
  ) -> Tensor<Double> {
    let (points, partCount) = (input.points, partCount)
    let perceptron = kernel(weights.w1, weights.b1, weights.w2, weights.b2)
    let distances = Tensor<Double>.filled([input.samples, partCount]) { distances in
      distances.update(repeating: 0, count: termRows)
      parallelFor(termRows) { rows in
        var perceptron = perceptron
        let count = sumCount + hidden * Self.tile + hidden * Int(CK_WIDEST_TILE) + outputs * Self.tile
        withScratch(count) { scratch in
          let (sums, dz) = (scratch, scratch + sumCount)
          let values = dz + hidden * Self.tile
          let difference = values + hidden * Int(CK_WIDEST_TILE)
          for row in rows {
            adjoint(row, u, weights.w1, sums: sums, dz, inputGradient: inputGradient, terms: terms) {
              start, width, source in
              var part = target.sample(row / partCount, from: start)
              ck_perceptron_difference(
                &perceptron, width, source, points, nil, 0, &part, difference, width, dz, values, sums)
              let biasTerms = terms + (row + 1) * parameterCount - outputs
              distances[row] += target.addSums(
                of: difference, part, width: width, toBiasGradients: biasTerms)
            }
          }
        }
      }
    }
    return distances.start { distances in
      .filled([input.samples]) { sums in
        for sample in 0..<input.samples {
          sums[sample] = 0
          for part in 0..<partCount { sums[sample] += distances[sample * partCount + part] }
        }
      }
    }
  }

  /// The numbers of `sums`, for the kernels that need them.
  private var sumCount: Int { isNarrow ? hidden * (1 + outputs) * Self.parts : 0 }

  /// The way back of one part of a sample, by tiles: `tile`, given the first point, their number and where u is there, finds
  /// dz and adds to the sums and to the gradients that are no products of it.
  private func adjoint(
    _ row: Int, _ u: UnsafePointer<Float>, _ w1: UnsafePointer<Float>, sums: UnsafeMutablePointer<Float>,
    _ dz: UnsafePointer<Float>, inputGradient: UnsafeMutablePointer<Float>?,
    terms: UnsafeMutablePointer<Float>?,
    tile: (_ start: Int, _ width: Int, _ source: UnsafePointer<Float>) -> Void
  ) {
    let (points, part) = (input.points, points(ofPart: row % partCount))
    let terms = terms.map { $0 + row * parameterCount }
    terms?.update(repeating: 0, count: parameterCount)
    sums.update(repeating: 0, count: sumCount)
    for start in stride(from: part.lowerBound, to: part.upperBound, by: Self.tile) {
      let width = min(Self.tile, points - start)
      let place = row / partCount * inputs * points + start
      tile(start, width, u + place)
      if let terms {
        MatrixKernels.innerProducts(
          rows: hidden, columns: inputs, length: width, dz, u + place, yStride: points, adding: true,
          into: terms)
      }
      if let du = inputGradient { hiddenAdjoint(dz, w1, width: width, into: du + place) }
    }
    if isNarrow, let terms {
      Self.addParts(sums, hidden: hidden, outputs: outputs, to: terms + hidden * inputs)
    }
  }

  /// Whether `forward` can give the derivatives of the output with respect to u.
  var hasJacobian: Bool { outputs == 1 && isNarrow }

  /// What a Jacobian, `[sample, I, ...grid]`, makes of the gradient of the output; in its place.
  func product(of jacobian: consuming Tensor<Float>, _ gradient: Tensor<Float>) -> Tensor<Float> {
    let points = input.points
    var jacobian = jacobian
    jacobian.withUnsafeMutableBuffer { jacobian in
      let jacobian = jacobian.baseAddress!
      gradient.start { gradient in
        parallelFor(input.samples * inputs, grain: 8) { rows in
          for row in rows {
            ck_multiply_f32(points, gradient + row / inputs * points, jacobian + row * points)
          }
        }
      }
    }
    return jacobian
  }

  /// W₁ᵀ dz at one tile.
  private func hiddenAdjoint(
    _ dz: UnsafePointer<Float>, _ w1: UnsafePointer<Float>, width: Int, into du: UnsafeMutablePointer<Float>
  ) {
    MatrixKernels.product(
      rows: inputs, columns: width,
      ck_factors(inner: hidden, transposed: w1, stride: inputs, dz, bStride: width), into: du,
      stride: input.points)
  }

  /// dz = W₂ᵀ dy ⊙ activation'(z) at one tile.
  private func hiddenGradient(
    _ w2: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, width: Int, _ h: UnsafePointer<Float>,
    slope: UnsafePointer<Float>, into dz: UnsafeMutablePointer<Float>
  ) {
    let slopes = ck_finish(
      kind: CK_IDENTITY, addend: nil, addend_row: 0, bias: nil, factor: slope, slope: nil)
    MatrixKernels.product(
      rows: hidden, columns: width,
      ck_factors(inner: outputs, transposed: w2, stride: hidden, dy, bStride: input.points),
      finish: activation == .gelu ? slopes : nil, into: dz)
    if activation == .relu { activation.adjoint(hidden * width, h, dz) }
  }

  /// Adds what one tile contributes to the gradients of b₁ and W₂.
  private func addHiddenSums(
    hidden h: UnsafePointer<Float>, hiddenGradient dz: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
    width: Int, to terms: UnsafeMutablePointer<Float>
  ) {
    let db1 = terms + hidden * inputs
    for channel in 0..<hidden { db1[channel] += Float(ck_sum_f32(width, dz + channel * width)) }
    MatrixKernels.innerProducts(
      rows: outputs, columns: hidden, length: width, dy, xStride: input.points, h, adding: true,
      into: db1 + hidden)
  }

  /// The numbers in which `ck_perceptron_adjoint` keeps every sum.
  static let parts = 16

  /// Adds the gradients of b₁ and, behind it, W₂ from the sums of `ck_perceptron_adjoint`.
  static func addParts(
    _ sums: UnsafePointer<Float>, hidden: Int, outputs: Int, to gradients: UnsafeMutablePointer<Float>
  ) {
    for channel in 0..<hidden {
      for row in 0...outputs {
        let sum = sums + (channel * (1 + outputs) + row) * parts
        gradients[row * hidden + channel] += Float(ck_sum_f32(parts, sum))
      }
    }
  }
}
