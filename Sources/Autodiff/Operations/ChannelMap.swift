import CKernels
import Tensors

/// A linear map M of the channels, `[O, I]`, beside a Fourier layer, that is applied to modes instead of a field.
///
/// It is the same at every point, so the modes of M u are M times those of u.
struct ChannelMap {
  let matrix: Tensor<Float>

  var inputs: Int { matrix.shape[1] }
  var outputs: Int { matrix.shape[0] }

  /// The fewest rows of a spectrum that are worth a thread.
  private static let grain = 256
  /// In how many parts the rows of a spectrum are added up, for any number of threads.
  private static let parts = 16

  /// M X for a matrix X, or Mᵀ X.
  func product(transposed: Bool = false, _ right: Tensor<Float>) -> Tensor<Float> {
    let (rows, inner) = transposed ? (inputs, outputs) : (outputs, inputs)
    let columns = right.count / inner
    return withPointers(matrix, right) { m, r in
      Tensor<Float>.filled([rows] + right.shape.dropFirst()) { result in
        MatrixKernels.product(
          rows: rows, columns: columns,
          transposed
            ? ck_factors(inner: inner, transposed: m, stride: inputs, r, bStride: columns)
            : ck_factors(inner: inner, m, r, bStride: columns), into: result)
      }
    }
  }

  /// The modes of M u from those of u, `[mode][sample][re, im][channel]`.
  func apply(_ spectrum: Tensor<Float>) -> Tensor<Float> {
    let transposed = matrix.start { matrix in
      Tensor<Float>.filled([inputs, outputs]) { ck_transpose(outputs, inputs, matrix, $0) }
    }
    return rowProduct(spectrum, transposed)
  }

  /// From the gradient of the modes of M u to that of the modes of u, of those `channels` or all.
  func applyAdjoint(_ gradient: Tensor<Float>, channels: Range<Int>? = nil) -> Tensor<Float> {
    rowProduct(gradient, matrix, columns: channels)
  }

  /// From the modes of u and the gradient of those of M u to the gradient of M.
  ///
  /// - Parameter rest: fills a matrix that is added to the sum over modes and samples.
  func gradient(
    _ spectrum: Tensor<Float>, image: Tensor<Float>, rest: (UnsafeMutablePointer<Float>) -> Void
  ) -> Tensor<Float> {
    let rows = spectrum.count / inputs
    let terms = withPointers(spectrum, image) { spectrum, image in
      Tensor<Float>.filled([Self.parts + 1, outputs, inputs]) { terms in
        parallelFor(Self.parts) { parts in
          for part in parts {
            let (start, end) = (rows * part / Self.parts, rows * (part + 1) / Self.parts)
            MatrixKernels.product(
              rows: outputs, columns: inputs,
              ck_factors(
                inner: end - start, transposed: image + start * outputs, stride: outputs,
                spectrum + start * inputs, bStride: inputs), into: terms + part * outputs * inputs)
          }
        }
        rest(terms + Self.parts * outputs * inputs)
      }
    }
    return sumOverFirstAxis(terms, shape: matrix.shape)
  }

  /// Every row of a spectrum times a matrix, or times some of its columns.
  private func rowProduct(
    _ spectrum: Tensor<Float>, _ matrix: Tensor<Float>, columns: Range<Int>? = nil
  ) -> Tensor<Float> {
    let (inner, width) = (matrix.shape[0], matrix.shape[1])
    let columns = columns ?? 0..<width
    return withPointers(spectrum, matrix) { source, matrix in
      Tensor<Float>.filled(spectrum.shape.dropLast() + [columns.count]) { result in
        parallelFor(spectrum.count / inner, grain: Self.grain) { range in
          MatrixKernels.product(
            rows: range.count, columns: columns.count,
            ck_factors(
              inner: inner, source + range.lowerBound * inner, matrix + columns.lowerBound, bStride: width),
            into: result + range.lowerBound * columns.count)
        }
      }
    }
  }
}
