import CKernels
import Tensors

/// A linear map P of the channels, `[I, C]`, before a Fourier layer, that is never applied to a field.
///
/// Both parts of the layer are linear, so W (P u) = (W P) u at every point, and the modes of P u are P times those of u: what
/// runs over the grid has C channels instead of I. An FNO lifts 2 channels and a one to 64.
struct Lifting {
  let map: ChannelMap
  let needsGradient: Bool

  init(matrix: Tensor<Float>, needsGradient: Bool) {
    map = ChannelMap(matrix: matrix)
    self.needsGradient = needsGradient
  }

  /// C, the channels of the field.
  var inputs: Int { map.inputs }
  /// I, the channels of the layer's input.
  var outputs: Int { map.outputs }

  /// From the gradient G of W P to that of W, G Pᵀ.
  func skipGradient(_ gradient: Tensor<Float>) -> Tensor<Float> {
    let rows = gradient.shape[0]
    return withPointers(gradient, map.matrix) { g, p in
      Tensor<Float>.filled(Shape(rows, outputs)) { result in
        MatrixKernels.innerProducts(rows: rows, columns: outputs, length: inputs, g, p, into: result)
      }
    }
  }

  /// From the gradients of W P and of the modes of P u to that of P: Wᵀ G plus the sum over modes and samples.
  func gradient(
    composed: Tensor<Float>, skipWeight: Tensor<Float>, spectrum: Tensor<Float>, lifted: Tensor<Float>
  ) -> Tensor<Float> {
    withPointers(composed, skipWeight) { composed, w in
      map.gradient(spectrum, image: lifted) { term in
        MatrixKernels.product(
          rows: outputs, columns: inputs,
          ck_factors(
            inner: skipWeight.shape[0], transposed: w, stride: outputs, composed, bStride: inputs), into: term
        )
      }
    }
  }
}
