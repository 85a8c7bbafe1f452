import CKernels
import Tensors

/// A linear map P of the channels, `[I, C]`, before a Fourier layer, that is never applied to a field.
///
/// Both parts of the layer are linear, so W (P u) = (W P) u at every point, and the modes of P u are P times those of u: what
/// runs over the grid has C channels instead of I. An FNO lifts 2 channels and a one to 64.
struct Lifting {
  let matrix: Tensor<Float>
  let needsGradient: Bool

  /// C, the channels of the field.
  var inputs: Int { matrix.shape[1] }
  /// I, the channels of the layer's input.
  var outputs: Int { matrix.shape[0] }

  /// The fewest rows of a spectrum that are worth a thread.
  private static let grain = 256
  /// In how many parts the rows of a spectrum are added up, for any number of threads.
  private static let parts = 16

  /// W P.
  func composed(with skipWeight: Tensor<Float>) -> Tensor<Float> {
    withPointers(skipWeight, matrix) { w, p in
      Tensor<Float>.filled([skipWeight.shape[0], inputs]) { result in
        MatrixKernels.product(
          rows: skipWeight.shape[0], columns: inputs, ck_factors(inner: outputs, w, p, bStride: inputs),
          into: result)
      }
    }
  }

  /// From the gradient G of W P to that of W, G Pᵀ.
  func skipGradient(_ gradient: Tensor<Float>) -> Tensor<Float> {
    let rows = gradient.shape[0]
    return withPointers(gradient, matrix) { g, p in
      Tensor<Float>.filled([rows, outputs]) { result in
        MatrixKernels.innerProducts(rows: rows, columns: outputs, length: inputs, g, p, into: result)
      }
    }
  }

  /// The modes of P u from those of u, `[mode][sample][re, im][channel]`.
  func lift(_ spectrum: Tensor<Float>) -> Tensor<Float> {
    let rows = spectrum.count / inputs
    let transposed = matrix.start { matrix in
      Tensor<Float>.filled([inputs, outputs]) { ck_transpose(outputs, inputs, matrix, $0) }
    }
    return rowProduct(spectrum, transposed, shape: Array(spectrum.shape.dropLast()) + [outputs], rows: rows)
  }

  /// From the gradient of the modes of P u to that of the modes of u.
  func liftAdjoint(_ gradient: Tensor<Float>) -> Tensor<Float> {
    let rows = gradient.count / outputs
    return rowProduct(gradient, matrix, shape: Array(gradient.shape.dropLast()) + [inputs], rows: rows)
  }

  /// From the gradients of W P and of the modes of P u to that of P: Wᵀ G plus the sum over modes and samples.
  func gradient(
    composed: Tensor<Float>, skipWeight: Tensor<Float>, spectrum: Tensor<Float>, lifted: Tensor<Float>
  ) -> Tensor<Float> {
    let rows = spectrum.count / inputs
    let terms = withPointers(composed, skipWeight, spectrum, lifted) { composed, w, spectrum, lifted in
      Tensor<Float>.filled([Self.parts + 1, outputs, inputs]) { terms in
        parallelFor(Self.parts) { parts in
          for part in parts {
            let (start, end) = (rows * part / Self.parts, rows * (part + 1) / Self.parts)
            MatrixKernels.product(
              rows: outputs, columns: inputs,
              ck_factors(
                inner: end - start, transposed: lifted + start * outputs, stride: outputs,
                spectrum + start * inputs, bStride: inputs), into: terms + part * outputs * inputs)
          }
        }
        MatrixKernels.product(
          rows: outputs, columns: inputs,
          ck_factors(
            inner: skipWeight.shape[0], transposed: w, stride: outputs, composed, bStride: inputs),
          into: terms + Self.parts * outputs * inputs)
      }
    }
    return sumOverFirstAxis(terms, shape: matrix.shape)
  }

  /// Every row of `rows` times a matrix.
  private func rowProduct(
    _ spectrum: Tensor<Float>, _ matrix: Tensor<Float>, shape: [Int], rows: Int
  ) -> Tensor<Float> {
    let (inner, columns) = (matrix.shape[0], matrix.shape[1])
    return withPointers(spectrum, matrix) { spectrum, matrix in
      Tensor<Float>.filled(shape) { result in
        parallelFor(rows, grain: Self.grain) { range in
          MatrixKernels.product(
            rows: range.count, columns: columns,
            ck_factors(inner: inner, spectrum + range.lowerBound * inner, matrix, bStride: columns),
            into: result + range.lowerBound * columns)
        }
      }
    }
  }
}
