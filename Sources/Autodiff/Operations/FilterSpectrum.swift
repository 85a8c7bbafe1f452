import CKernels
import Tensors

/// L w for the filters of an XD-operation: the filter's taps are placed in vectors of zeros and multiplied by
/// one K-matrix per axis.
///
/// Only the columns of L that meet a tap are computed; what remains is a matrix product per axis. The last of
/// them, along axis 0, is left to be done tile by tile (`tile`), because L w as a whole is the largest array
/// of the operation: inputs × outputs × frequencies. Between the products the array is
/// `[frequencies of axes a..., taps of axes ...a, re/im, I/groups, O]`.
struct FilterSpectrum {
  let geometry: XDGeometry
  /// The factors of the products, row-major: of axis 0 `[2n, inner]`, of the others `[2, n, inner]`.
  private let matrices: [Tensor<Float>]
  /// The arrays before each product; `arrays[a]` meets `matrices[a]`, so the last is the filter itself.
  private let arrays: [Tensor<Float>]

  init(_ geometry: XDGeometry, weight: Tensor<Float>, l: [Tensor<Float>]) {
    self.geometry = geometry
    let axes = 0..<geometry.grid.count
    matrices = axes.map { axis in
      var columns = FilterSpectrum.unitVectors(geometry, axis)
      let width = FilterSpectrum.width(geometry, axis)
      columns.withUnsafeMutableBuffer { columns in
        l[axis].start { ck_butterfly_multiply(geometry.l[axis].kernel, width, $0, columns.baseAddress!) }
      }
      return FilterSpectrum.matrix(geometry, axis, columns)
    }
    var arrays = [geometry.filterMajor(weight)]
    for axis in axes.dropFirst().reversed() {
      arrays.append(FilterSpectrum.product(geometry, axis, arrays[arrays.count - 1], matrices[axis]))
    }
    self.arrays = arrays.reversed()
  }

  // MARK: - The columns of L

  private static func width(_ geometry: XDGeometry, _ axis: Int) -> Int {
    LaneBlock(lanes: geometry.taps[axis].count).width
  }

  /// The lines whose vector j is 1 at the position of tap j.
  private static func unitVectors(_ geometry: XDGeometry, _ axis: Int) -> Tensor<Float> {
    let width = width(geometry, axis)
    var line = Tensor<Float>(shape: [geometry.size[axis], 2, width])
    for (tap, position) in geometry.taps[axis].enumerated() { line[position, 0, tap] = 1 }
    return line
  }

  /// The columns as the left factor of a product with real numbers, or with complex ones as pairs.
  private static func matrix(
    _ geometry: XDGeometry, _ axis: Int, _ columns: Tensor<Float>
  ) -> Tensor<Float> {
    let (size, taps, width) = (geometry.size[axis], geometry.taps[axis].count, width(geometry, axis))
    let (inner, isComplex) = (geometry.inner(axis), geometry.isComplex(axis))
    return columns.start { line in
      .filled(axis == 0 ? [size, 2, inner] : [2, size, inner]) { matrix in
        for position in 0..<size {
          for part in 0..<2 {
            let row = matrix + (axis == 0 ? position * 2 + part : part * size + position) * inner
            let own = line + (position * 2 + part) * width
            let other = line + (position * 2 + 1 - part) * width
            for tap in 0..<taps {
              if isComplex {
                row[2 * tap] = own[tap]
                row[2 * tap + 1] = part == 0 ? -other[tap] : other[tap]
              } else {
                row[tap] = own[tap]
              }
            }
          }
        }
      }
    }
  }

  /// The gradient of the columns from that of the matrix.
  private func columnGradient(_ axis: Int, _ gradient: Tensor<Float>) -> Tensor<Float> {
    let (size, taps) = (geometry.size[axis], geometry.taps[axis].count)
    let (width, inner) = (Self.width(geometry, axis), geometry.inner(axis))
    let isComplex = geometry.isComplex(axis)
    return gradient.start { gradient in
      .filled([size, 2, width]) { line in
        line.update(repeating: 0, count: size * 2 * width)
        for position in 0..<size {
          for part in 0..<2 {
            let own = gradient + (axis == 0 ? position * 2 + part : part * size + position) * inner
            let other =
              gradient + (axis == 0 ? position * 2 + 1 - part : (1 - part) * size + position) * inner
            for tap in 0..<taps {
              // A real part stands at [re, re] and [im, im], an imaginary part at [im, re] and, negative, at
              // [re, im].
              line[(position * 2 + part) * width + tap] =
                !isComplex
                ? own[tap]
                : part == 0 ? own[2 * tap] + other[2 * tap + 1] : own[2 * tap] - other[2 * tap + 1]
            }
          }
        }
      }
    }
  }

  // MARK: - The products

  /// The array that meets the matrix of the axis before this one.
  private static func product(
    _ geometry: XDGeometry, _ axis: Int, _ array: Tensor<Float>, _ matrix: Tensor<Float>
  ) -> Tensor<Float> {
    let (size, inner, filters) = (geometry.size[axis], geometry.inner(axis), geometry.filters)
    let (slabs, leads) = (geometry.slabs(behind: axis), geometry.leads(before: axis))
    return withPointers(array, matrix) { array, matrix in
      .filled([size, slabs, leads, 2, filters]) { result in
        parallelFor(slabs * leads) { range in
          for item in range {
            for part in 0..<2 {
              Float.gemm(
                MatrixProduct(
                  rows: size, columns: filters, inner: inner, resultStride: slabs * leads * 2 * filters), 1,
                matrix + part * size * inner, array + item * inner * filters, 0,
                result + (item * 2 + part) * filters)
            }
          }
        }
      }
    }
  }

  /// The gradients of the array and of the matrix of an axis, from that of their product.
  private func productGradient(
    _ axis: Int, _ gradient: Tensor<Float>
  ) -> (array: Tensor<Float>, matrix: Tensor<Float>) {
    let (size, inner, filters) = (geometry.size[axis], geometry.inner(axis), geometry.filters)
    let items = geometry.slabs(behind: axis) * geometry.leads(before: axis)
    var terms: Tensor<Float>?
    let array = withPointers(gradient, arrays[axis], matrices[axis]) { gradient, array, matrix in
      Tensor<Float>.filled(arrays[axis].shape) { arrayGradient in
        terms = .filled([items, 2, size, inner]) { terms in
          parallelFor(items) { range in
            for item in range {
              for part in 0..<2 {
                let given = gradient + (item * 2 + part) * filters
                Float.gemm(
                  MatrixProduct(
                    rows: inner, columns: filters, inner: size, left: .transpose,
                    rightStride: items * 2 * filters), 1, matrix + part * size * inner, given,
                  part == 0 ? 0 : 1, arrayGradient + item * inner * filters)
                Float.gemm(
                  MatrixProduct(
                    rows: size, columns: inner, inner: filters, right: .transpose,
                    leftStride: items * 2 * filters), 1, given, array + item * inner * filters, 0,
                  terms + (item * 2 + part) * size * inner)
              }
            }
          }
        }
      }
    }
    return (array, sumOverFirstAxis(terms ?? gradient, shape: [2, size, inner]))
  }

  // MARK: - Tiles

  /// The positions along axis 0 that are computed at once: what half a megabyte holds.
  var tileLength: Int { min(geometry.size[0], max(8, 65_536 / geometry.filters)) }

  /// The floats of a tile, `[position, re/im, I/groups, O]`.
  var tileCount: Int { tileLength * 2 * geometry.filters }

  /// L w for some positions along axis 0 of one slab: one tuple of positions along the other axes.
  func tile(slab: Int, positions: Range<Int>, into tile: UnsafeMutablePointer<Float>) {
    let (inner, filters) = (geometry.inner(0), geometry.filters)
    withPointers(matrices[0], arrays[0]) { matrix, array in
      Float.gemm(
        MatrixProduct(rows: 2 * positions.count, columns: filters, inner: inner), 1,
        matrix + positions.lowerBound * 2 * inner, array + slab * inner * filters, 0, tile)
    }
  }

  /// The shapes of the gradients that `adjointTile` adds to: of the matrix of axis 0 and what it meets.
  var matrixShape: [Int] { [2 * geometry.size[0], geometry.inner(0)] }
  var arrayShape: [Int] { [geometry.slabs(behind: 0), geometry.inner(0), geometry.filters] }

  /// Adds a tile's contribution to the gradients, from the gradient of its L w.
  func adjointTile(
    slab: Int, positions: Range<Int>, gradient: UnsafePointer<Float>,
    matrixGradient: UnsafeMutablePointer<Float>, arrayGradient: UnsafeMutablePointer<Float>
  ) {
    let (inner, rows, filters) = (geometry.inner(0), 2 * positions.count, geometry.filters)
    withPointers(matrices[0], arrays[0]) { matrix, array in
      Float.gemm(
        MatrixProduct(rows: rows, columns: inner, inner: filters, right: .transpose), 1, gradient,
        array + slab * inner * filters, 1, matrixGradient + positions.lowerBound * 2 * inner)
      Float.gemm(
        MatrixProduct(rows: inner, columns: filters, inner: rows, left: .transpose), 1,
        matrix + positions.lowerBound * 2 * inner, gradient, 1, arrayGradient + slab * inner * filters)
    }
  }

  /// The gradients of the filter and of the twiddles of L, from those of axis 0.
  func gradients(
    matrix: Tensor<Float>, array: Tensor<Float>, l: [Tensor<Float>]
  ) -> (weight: Tensor<Float>, l: [Tensor<Float>]) {
    var matrixGradients = [matrix]
    var array = array
    for axis in 1..<geometry.grid.count {
      let gradients = productGradient(axis, array)
      array = gradients.array
      matrixGradients.append(gradients.matrix)
    }
    let twiddles = geometry.grid.indices.map { axis in
      twiddleGradient(axis, columnGradient(axis, matrixGradients[axis]), l[axis])
    }
    return (geometry.weightMajor(array), twiddles)
  }

  private func twiddleGradient(
    _ axis: Int, _ gradient: Tensor<Float>, _ twiddle: Tensor<Float>
  ) -> Tensor<Float> {
    let (kernel, width) = (geometry.l[axis].kernel, Self.width(geometry, axis))
    let unit = Self.unitVectors(geometry, axis)
    var gradient = gradient
    var result = Tensor<Float>(shape: twiddle.shape)
    let states = Tensor<Float>.filled([Int(ck_butterfly_passes(kernel)) + 1, unit.count]) { states in
      unit.start { states.update(from: $0, count: unit.count) }
      twiddle.start { ck_butterfly_trace(kernel, width, $0, states) }
    }
    withPointers(twiddle, states) { twiddle, states in
      gradient.withUnsafeMutableBuffer { gradient in
        result.withUnsafeMutableBuffer { result in
          ck_butterfly_gradient(
            kernel, width, twiddle, states, gradient.baseAddress!, result.baseAddress!)
        }
      }
    }
    return result
  }
}
