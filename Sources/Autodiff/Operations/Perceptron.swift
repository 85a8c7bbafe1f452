import CKernels
import Tensors

/// Two linear maps of the channels with an activation between them, the same at every grid point:
/// y = W₂ activation(W₁ u + b₁) + b₂.
///
/// Shapes: u `[sample, I, ...grid]`, hiddenWeight `[H, I]`, hiddenBias `[H]`, weight `[O, H]`, bias `[O]`.
/// Computed in tiles of grid points: the H-wide activation (four times the size of the field in an FNO's
/// projection) stays in the cache, and the adjoint computes it again. With one output and weights that need no gradient,
/// as in inverse problems, it need not: the derivatives of the output with respect to u, as large as u, are found on the
/// way forward.
public func perceptron(
  _ u: Variable, hiddenWeight: Variable, hiddenBias: Variable, weight: Variable, bias: Variable,
  activation: Activation
) -> Variable {
  let kernel = PerceptronKernel(
    input: FieldShape(u.shape), hidden: hiddenWeight.shape[0], outputs: weight.shape[0],
    activation: activation)
  precondition(
    hiddenWeight.shape == [kernel.hidden, kernel.inputs] && hiddenBias.shape == [kernel.hidden]
      && weight.shape == [kernel.outputs, kernel.hidden] && bias.shape == [kernel.outputs],
    "weights \(hiddenWeight.shape) and \(weight.shape) do not map \(kernel.inputs) channels")
  let inputs = [u, hiddenWeight, hiddenBias, weight, bias]
  let weightsNeedGradient = inputs.dropFirst().contains(where: \.needsGradient)
  var jacobian = Tensor<Float>.empty
  let keepsJacobian = u.needsGradient && !weightsNeedGradient && kernel.hasJacobian
  let value = withPointers(u.value, hiddenWeight.value, hiddenBias.value, weight.value, bias.value) {
    u, w1, b1, w2, b2 in
    Tensor<Float>.filled(kernel.input.shape(channels: kernel.outputs)) { y in
      jacobian = .filled(keepsJacobian ? kernel.input.shape(channels: kernel.inputs) : [0]) { jacobian in
        kernel.forward(u, (w1, b1, w2, b2), y, jacobian: keepsJacobian ? jacobian : nil)
      }
    }
  }
  if keepsJacobian {
    let kept = HandOver(jacobian)
    return Variable(value, from: inputs) { gradient in
      [kernel.product(of: kept.take(), gradient), nil, nil, nil, nil]
    }
  }
  return Variable(value, from: inputs) {
    [
      u = u.value, hiddenWeight = hiddenWeight.value, hiddenBias = hiddenBias.value, weight = weight.value,
      bias = bias.value, uNeedsGradient = u.needsGradient
    ] gradient in
    let gradient = gradient
    var terms = Tensor<Float>(shape: [weightsNeedGradient ? kernel.input.samples : 0, kernel.parameterCount])
    let inputGradient = Tensor<Float>.filled(uNeedsGradient ? u.shape : [0]) { du in
      terms.withUnsafeMutableBuffer { terms in
        let terms = terms.baseAddress!
        withPointers(u, hiddenWeight, hiddenBias, weight, gradient) {
          u, w1, b1, w2, dy in
          kernel.adjoint(
            u, (w1, b1, w2), dy, inputGradient: uNeedsGradient ? du : nil,
            terms: weightsNeedGradient ? terms : nil)
        }
      }
    }
    guard weightsNeedGradient else { return [uNeedsGradient ? inputGradient : nil, nil, nil, nil, nil] }
    var offset = 0
    let parameterGradients = [hiddenWeight, hiddenBias, weight, bias].map { parameter in
      defer { offset += parameter.count }
      return sumOverFirstAxis(terms, shape: parameter.shape, from: offset)
    }
    return [uNeedsGradient ? inputGradient : nil] + parameterGradients
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
    let points = input.points
    let tiles = (points + Self.tile - 1) / Self.tile
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
  private var isNarrow: Bool {
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

  /// Per sample, the gradients of the four parameters one after another go to `terms`, if they are wanted.
  func adjoint(
    _ u: UnsafePointer<Float>,
    _ weights: (w1: UnsafePointer<Float>, b1: UnsafePointer<Float>, w2: UnsafePointer<Float>),
    _ dy: UnsafePointer<Float>, inputGradient: UnsafeMutablePointer<Float>?,
    terms: UnsafeMutablePointer<Float>?
  ) {
    let points = input.points
    let (perceptron, isNarrow) = (kernel(weights.w1, weights.b1, weights.w2, nil), isNarrow)
    parallelFor(input.samples) { samples in
      var perceptron = perceptron
      let sumCount = isNarrow ? hidden * (1 + outputs) * Self.parts : 0
      withScratch(sumCount + (isNarrow ? 1 : 3) * hidden * Self.tile) { scratch in
        let (sums, dz) = (scratch, scratch + sumCount)
        let (h, slope) = (dz + hidden * Self.tile, dz + 2 * hidden * Self.tile)
        for sample in samples {
          let terms = terms.map { $0 + sample * parameterCount }
          terms?.update(repeating: 0, count: parameterCount)
          sums.update(repeating: 0, count: sumCount)
          for start in stride(from: 0, to: points, by: Self.tile) {
            let width = min(Self.tile, points - start)
            let source = u + sample * inputs * points + start
            let gradient = dy + sample * outputs * points + start
            if isNarrow {
              ck_perceptron_adjoint(
                &perceptron, width, source, points, nil, 0, gradient, points, dz, sums)
            } else {
              hiddenTile(source, weights.w1, weights.b1, width: width, h, slope: slope)
              hiddenGradient(weights.w2, gradient, width: width, h, slope: slope, into: dz)
              if let terms { addHiddenSums(hidden: h, hiddenGradient: dz, gradient, width: width, to: terms) }
            }
            if let terms {
              for output in 0..<outputs {
                (terms + parameterCount - outputs)[output] += Float(
                  ck_sum_f32(width, gradient + output * points))
              }
              MatrixKernels.innerProducts(
                rows: hidden, columns: inputs, length: width, dz, source, yStride: points, adding: true,
                into: terms)
            }
            if let du = inputGradient {
              hiddenAdjoint(dz, weights.w1, width: width, into: du + sample * inputs * points + start)
            }
          }
          if isNarrow, let terms {
            Self.addParts(sums, hidden: hidden, outputs: outputs, to: terms + hidden * inputs)
          }
        }
      }
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
        parallelFor(input.samples) { samples in
          for row in samples.lowerBound * inputs..<samples.upperBound * inputs {
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
    MatrixKernels.product(
      rows: hidden, columns: width,
      ck_factors(inner: outputs, transposed: w2, stride: hidden, dy, bStride: input.points),
      finish: activation == .gelu
        ? ck_finish(kind: CK_IDENTITY, adds: 0, bias: nil, factor: slope, slope: nil) : nil, into: dz)
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
