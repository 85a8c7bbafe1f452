import CKernels
import Tensors

/// A linear map of the channels, the same at every grid point (a 1×1 convolution): y = W u + b.
///
/// Shapes: u `[sample, I, ...grid]`, weight `[O, I]`, bias `[O]`, result `[sample, O, ...grid]`. One matrix
/// product per sample.
public func pointwiseLinear(_ u: Variable, weight: Variable, bias: Variable) -> Variable {
  let input = FieldShape(u.shape)
  let (outputs, inputs) = (weight.shape[0], input.channels)
  precondition(
    weight.shape.matches([outputs, inputs]) && bias.shape.matches([outputs]),
    "weight \(weight.shape) and bias \(bias.shape) do not map \(inputs) channels")
  let points = input.points
  let value = withPointers(u.value, weight.value, bias.value) { u, w, b in
    Tensor<Float>.filled(input.shape(channels: outputs)) { y in
      parallelFor(input.samples) { samples in
        for sample in samples {
          MatrixKernels.product(
            rows: outputs, columns: points,
            ck_factors(inner: inputs, w, u + sample * inputs * points, bStride: points),
            finish: Activation.identity.finish(bias: b), into: y + sample * outputs * points)
        }
      }
    }
  }
  return Variable(value, from: [u, weight, bias], saving: (u.value, weight.value)) {
    saved, gradient, result in
    let ((u, weight), gradient) = (saved, gradient)
    let (input, outputs) = (FieldShape(u.shape), weight.shape[0])
    let (inputs, points) = (input.channels, input.points)
    if result.isNeeded(0) {
      let ofInput = withPointers(gradient, weight) { dy, w in
        Tensor<Float>.filled(u.shape) { du in
          parallelFor(input.samples) { samples in
            for sample in samples {
              let source = dy + sample * outputs * points
              MatrixKernels.product(
                rows: inputs, columns: points,
                ck_factors(inner: outputs, transposed: w, stride: inputs, source, bStride: points),
                into: du + sample * inputs * points)
            }
          }
        }
      }
      result.add(ofInput, to: 0)
    }
    guard result.areNeeded(1..<3) else { return }
    let terms = linearGradientTerms(of: u, gradient, outputs: outputs)
    result.add(sumOverFirstAxis(terms, shape: [outputs, inputs]), to: 1)
    result.add(sumOverFirstAxis(terms, shape: [outputs], from: outputs * inputs), to: 2)
  }
}

/// The matrix `[O, I + 1]` of a weight `[O, I]` and, in its last column, a bias `[O]`: W u + b for a field whose last channel
/// is one.
public func joinBias(weight: Variable, bias: Variable) -> Variable {
  let (outputs, inputs) = (weight.shape[0], weight.shape[1])
  precondition(bias.shape.matches([outputs]), "bias \(bias.shape) of a weight \(weight.shape)")
  let value = withPointers(weight.value, bias.value) { w, b in
    Tensor<Float>.filled([outputs, inputs + 1]) { matrix in
      for output in 0..<outputs {
        (matrix + output * (inputs + 1)).update(from: w + output * inputs, count: inputs)
        matrix[output * (inputs + 1) + inputs] = b[output]
      }
    }
  }
  return Variable(value, from: [weight, bias], saving: ()) { _, gradient, result in
    let (outputs, inputs) = (gradient.shape[0], gradient.shape[1] - 1)
    gradient.start { gradient in
      let ofWeight = Tensor<Float>.filled([outputs, inputs]) { dw in
        for output in 0..<outputs {
          (dw + output * inputs).update(from: gradient + output * (inputs + 1), count: inputs)
        }
      }
      let ofBias = Tensor<Float>.filled([outputs]) { db in
        for output in 0..<outputs { db[output] = gradient[output * (inputs + 1) + inputs] }
      }
      result.add(ofWeight, to: 0)
      result.add(ofBias, to: 1)
    }
  }
}

/// Per sample, the gradients of a pointwise linear map's weight and, behind it, bias.
private func linearGradientTerms(
  of u: Tensor<Float>, _ gradient: Tensor<Float>, outputs: Int
) -> Tensor<Float> {
  let input = FieldShape(u.shape)
  let (points, inputs) = (input.points, input.channels)
  return withPointers(u, gradient) { u, dy in
    Tensor<Float>.filled([input.samples, outputs * (inputs + 1)]) { terms in
      parallelFor(input.samples) { samples in
        for sample in samples {
          let own = terms + sample * outputs * (inputs + 1)
          linearGradient(
            inputs: inputs, outputs: outputs, points: points, u + sample * inputs * points,
            dy + sample * outputs * points, weight: own, bias: own + outputs * inputs)
        }
      }
    }
  }
}

/// dW = dy uᵀ and db = Σ dy for one sample.
func linearGradient(
  inputs: Int, outputs: Int, points: Int, _ u: UnsafePointer<Float>, _ dy: UnsafePointer<Float>,
  weight: UnsafeMutablePointer<Float>, bias: UnsafeMutablePointer<Float>
) {
  MatrixKernels.innerProducts(rows: outputs, columns: inputs, length: points, dy, u, into: weight)
  for output in 0..<outputs { bias[output] = Float(ck_sum_f32(points, dy + output * points)) }
}
