import CKernels
import Tensors

/// Two linear maps of the channels with an activation between them, the same at every grid point:
/// y = W₂ activation(W₁ u + b₁) + b₂.
///
/// Shapes: u `[sample, I, ...grid]`, hiddenWeight `[H, I]`, hiddenBias `[H]`, weight `[O, H]`, bias `[O]`.
/// Computed in tiles of grid points: the H-wide activation (four times the size of the field in an FNO's
/// projection) stays in the cache, and the adjoint computes it again.
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
  let value = withPointers(u.value, hiddenWeight.value, hiddenBias.value, weight.value, bias.value) {
    u, w1, b1, w2, b2 in
    Tensor<Float>.filled(kernel.input.shape(channels: kernel.outputs)) { y in
      kernel.forward(u, (w1, b1, w2, b2), y)
    }
  }
  return Variable(value, from: [u, hiddenWeight, hiddenBias, weight, bias]) {
    [
      u = u.value, hiddenWeight = hiddenWeight.value, hiddenBias = hiddenBias.value, weight = weight.value,
      bias = bias.value, uNeedsGradient = u.needsGradient,
      weightsNeedGradient = [hiddenWeight, hiddenBias, weight, bias].contains(where: \.needsGradient)
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
  /// The grid points of one tile: 128 channels of 256 points are half of a 256 KiB cache.
  static let tile = 256

  let input: FieldShape
  let hidden: Int
  let outputs: Int
  let activation: Activation

  var inputs: Int { input.channels }
  var parameterCount: Int { hidden * inputs + hidden + outputs * hidden + outputs }

  /// Hidden values before the activation, one tile.
  private func hiddenTile(
    _ u: UnsafePointer<Float>, _ w1: UnsafePointer<Float>, width: Int, _ h: UnsafeMutablePointer<Float>
  ) {
    Float.gemm(
      MatrixProduct(rows: hidden, columns: width, inner: inputs, rightStride: input.points), 1, w1, u, 0, h)
  }

  func forward(
    _ u: UnsafePointer<Float>,
    _ weights: (
      w1: UnsafePointer<Float>, b1: UnsafePointer<Float>, w2: UnsafePointer<Float>, b2: UnsafePointer<Float>
    ),
    _ y: UnsafeMutablePointer<Float>
  ) {
    let points = input.points
    let tiles = (points + Self.tile - 1) / Self.tile
    parallelFor(input.samples * tiles) { range in
      withScratch(hidden * Self.tile) { h in
        for index in range {
          let (sample, start) = (index / tiles, index % tiles * Self.tile)
          let width = min(Self.tile, points - start)
          hiddenTile(u + sample * inputs * points + start, weights.w1, width: width, h)
          for channel in 0..<hidden {
            activation.apply(width, bias: weights.b1[channel], h + channel * width)
          }
          let target = y + sample * outputs * points + start
          for output in 0..<outputs {
            (target + output * points).update(repeating: weights.b2[output], count: width)
          }
          Float.gemm(
            MatrixProduct(rows: outputs, columns: width, inner: hidden, resultStride: points), 1, weights.w2,
            h, 1, target)
        }
      }
    }
  }

  /// Per sample, the gradients of the four parameters one after another go to `terms`, if they are wanted.
  func adjoint(
    _ u: UnsafePointer<Float>,
    _ weights: (w1: UnsafePointer<Float>, b1: UnsafePointer<Float>, w2: UnsafePointer<Float>),
    _ dy: UnsafePointer<Float>, inputGradient: UnsafeMutablePointer<Float>?,
    terms: UnsafeMutablePointer<Float>?
  ) {
    let points = input.points
    parallelFor(input.samples) { samples in
      withScratch(3 * hidden * Self.tile) { scratch in
        let (z, h, dh) = (scratch, scratch + hidden * Self.tile, scratch + 2 * hidden * Self.tile)
        for sample in samples {
          let terms = terms.map { $0 + sample * parameterCount }
          terms?.update(repeating: 0, count: parameterCount)
          for start in stride(from: 0, to: points, by: Self.tile) {
            let width = min(Self.tile, points - start)
            let source = u + sample * inputs * points + start
            let gradient = dy + sample * outputs * points + start
            hiddenTile(source, weights.w1, width: width, z)
            // h = activation(z), dh = W₂ᵀ dy ⊙ activation'(z)
            Float.gemm(
              MatrixProduct(
                rows: hidden, columns: width, inner: outputs, left: .transpose, rightStride: points),
              1, weights.w2, gradient, 0, dh)
            for channel in 0..<hidden {
              let row = channel * width
              activation.apply(width, bias: weights.b1[channel], z + row, out: h + row)
              activation.adjoint(width, z + row, dh + row)
            }
            if let terms {
              addParameterGradients(
                source, hidden: h, hiddenGradient: dh, gradient, width: width, to: terms)
            }
            if let du = inputGradient {
              Float.gemm(
                MatrixProduct(
                  rows: inputs, columns: width, inner: hidden, left: .transpose, resultStride: points),
                1, weights.w1, dh, 0, du + sample * inputs * points + start)
            }
          }
        }
      }
    }
  }

  /// Adds what one tile contributes to the gradients of the four parameters of one sample.
  private func addParameterGradients(
    _ u: UnsafePointer<Float>, hidden h: UnsafePointer<Float>, hiddenGradient dh: UnsafePointer<Float>,
    _ dy: UnsafePointer<Float>, width: Int, to terms: UnsafeMutablePointer<Float>
  ) {
    let points = input.points
    let dw1 = terms
    let db1 = dw1 + hidden * inputs
    let dw2 = db1 + hidden
    let db2 = dw2 + outputs * hidden
    for channel in 0..<hidden { db1[channel] += Float(ck_sum_f32(width, dh + channel * width)) }
    for output in 0..<outputs { db2[output] += Float(ck_sum_f32(width, dy + output * points)) }
    Float.gemm(
      MatrixProduct(rows: outputs, columns: hidden, inner: width, right: .transpose, leftStride: points),
      1, dy, h, 1, dw2)
    Float.gemm(
      MatrixProduct(rows: hidden, columns: inputs, inner: width, right: .transpose, rightStride: points),
      1, dh, u, 1, dw1)
  }
}
