import CKernels
import Tensors

/// The filters of an operation that multiplies spectra: taps along every axis, a spectrum of other sizes.
struct FilterShape {
  /// O, the channels of the output.
  let outputs: Int
  /// I/groups, the channels of the input that a filter meets.
  let groupInputs: Int
  /// The number of taps along every axis.
  let taps: Shape
  /// The number of positions of the spectrum along every axis.
  let size: Shape
  /// Whether filters are complex, with a last axis of length 2.
  let hasComplexFilter: Bool

  /// The number of filters.
  var filters: Int { groupInputs * outputs }

  /// Whether the array that meets the matrix of an axis has real and imaginary parts.
  func isComplex(_ axis: Int) -> Bool { hasComplexFilter || axis < taps.count - 1 }

  /// The length of the sums along an axis.
  func inner(_ axis: Int) -> Int { taps[axis] * (isComplex(axis) ? 2 : 1) }

  /// The number of tuples of positions of the axes behind one.
  func slabs(behind axis: Int) -> Int { size[(axis + 1)...].reduce(1, *) }

  /// The number of tuples of taps of the axes before one.
  func leads(before axis: Int) -> Int { taps[..<axis].reduce(1, *) }

  /// From `[O, I/groups, taps]` to `[taps, I/groups, O]`, where the axis of taps includes that of complex numbers.
  func filterMajor(_ weight: Tensor<Float>) -> Tensor<Float> {
    transposed(weight, taps: weight.count / filters, Shape(weight.count), toFilters: true)
  }

  /// The inverse of `filterMajor`.
  func weightMajor(_ array: Tensor<Float>) -> Tensor<Float> {
    var shape = Shape(outputs, groupInputs) + taps
    if hasComplexFilter { shape.append(2) }
    return transposed(array, taps: array.count / filters, shape, toFilters: false)
  }

  private func transposed(
    _ array: Tensor<Float>, taps: Int, _ shape: Shape, toFilters: Bool
  ) -> Tensor<Float> {
    array.start { from in
      .filled(shape) { to in
        for output in 0..<outputs {
          for input in 0..<groupInputs {
            let (row, column) = ((output * groupInputs + input) * taps, input * outputs + output)
            for tap in 0..<taps {
              if toFilters {
                to[tap * filters + column] = from[row + tap]
              } else {
                to[row + tap] = from[tap * filters + column]
              }
            }
          }
        }
      }
    }
  }
}

/// What spectra of filters are made with, whatever the filters: the columns of a matrix per axis.
struct FilterFactors: Sendable {
  /// The floats between two positions of the columns.
  fileprivate var widths = Shape()
  /// The factors of the products, row-major: of axis 0 `[2n, inner]`, of the others `[2, n, inner]`.
  fileprivate var matrices: AxisTensors

  /// None.
  init() { matrices = AxisTensors(count: 0) }

  /// - Parameter columns: of every axis `[position, re/im, tap]`, with room for more taps than there are.
  init(_ shape: FilterShape, columns: (_ axis: Int) -> Tensor<Float>) {
    matrices = AxisTensors(count: shape.taps.count)
    for axis in shape.taps.indices {
      let columns = columns(axis)
      widths.append(columns.shape[2])
      matrices[axis] = FilterSpectrum.matrix(shape, axis, columns)
    }
  }
}

/// The spectra of filters: each filter's taps multiplied by the columns of a matrix per axis that belong to
/// them.
///
/// A matrix product per axis. The last of them, along axis 0, is left to be done tile by tile (`tile`), because
/// the spectra as a whole are the largest array of the operation: inputs × outputs × positions. Between the
/// products the array is `[positions of axes a..., taps of axes ...a, re/im, I/groups, O]`.
struct FilterSpectrum {
  let shape: FilterShape
  private let factors: FilterFactors
  /// The arrays before each product; `arrays[a]` meets the matrix of axis a, so the last is the filter itself.
  private let arrays: AxisTensors

  init(_ shape: FilterShape, weight: Tensor<Float>, factors: FilterFactors) {
    self.shape = shape
    self.factors = factors
    let last = shape.taps.count - 1
    var arrays = AxisTensors(count: last + 1)
    arrays[last] = shape.filterMajor(weight)
    for axis in (0..<last).reversed() {
      arrays[axis] = FilterSpectrum.product(shape, axis + 1, arrays[axis + 1], factors.matrices[axis + 1])
    }
    self.arrays = arrays
  }

  // MARK: - The columns

  /// The columns as the left factor of a product with real numbers, or with complex ones as pairs.
  fileprivate static func matrix(
    _ shape: FilterShape, _ axis: Int, _ columns: Tensor<Float>
  ) -> Tensor<Float> {
    let (size, taps, width) = (shape.size[axis], shape.taps[axis], columns.shape[2])
    let (inner, isComplex) = (shape.inner(axis), shape.isComplex(axis))
    let result = (axis == 0 ? Shape(size, 2) : Shape(2, size)) + CollectionOfOne(inner)
    return columns.start { line in
      .filled(result) { matrix in
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
    let (size, taps) = (shape.size[axis], shape.taps[axis])
    let (width, inner) = (factors.widths[axis], shape.inner(axis))
    let isComplex = shape.isComplex(axis)
    let result = Shape(size, 2) + CollectionOfOne(width)
    return gradient.start { gradient in
      .filled(result) { line in
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
    _ shape: FilterShape, _ axis: Int, _ array: Tensor<Float>, _ matrix: Tensor<Float>
  ) -> Tensor<Float> {
    let (size, inner, filters) = (shape.size[axis], shape.inner(axis), shape.filters)
    let (slabs, leads) = (shape.slabs(behind: axis), shape.leads(before: axis))
    let resultShape = Shape(size, slabs, leads, 2) + CollectionOfOne(filters)
    return withPointers(array, matrix) { array, matrix in
      .filled(resultShape) { result in
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

  /// The gradients of the array and, if wanted, of the matrix of an axis, from that of their product.
  private func productGradient(
    _ axis: Int, _ gradient: Tensor<Float>, ofMatrix: Bool
  ) -> (array: Tensor<Float>, matrix: Tensor<Float>?) {
    let (size, inner, filters) = (shape.size[axis], shape.inner(axis), shape.filters)
    let items = shape.slabs(behind: axis) * shape.leads(before: axis)
    var terms: Tensor<Float>?
    let array = withPointers(gradient, arrays[axis], factors.matrices[axis]) { gradient, array, matrix in
      Tensor<Float>.filled(arrays[axis].shape) { arrayGradient in
        terms = .filled(Shape(ofMatrix ? items : 0, 2, size, inner)) { terms in
          parallelFor(items) { range in
            for item in range {
              for part in 0..<2 {
                let given = gradient + (item * 2 + part) * filters
                Float.gemm(
                  MatrixProduct(
                    rows: inner, columns: filters, inner: size, left: .transpose,
                    rightStride: items * 2 * filters), 1, matrix + part * size * inner, given,
                  part == 0 ? 0 : 1, arrayGradient + item * inner * filters)
                guard ofMatrix else { continue }
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
    let matrixShape = Shape(2, size) + CollectionOfOne(inner)
    return (array, ofMatrix ? terms.map { sumOverFirstAxis($0, shape: matrixShape) } : nil)
  }

  // MARK: - Tiles

  /// The positions along axis 0 that are computed at once: what an eighth of a megabyte holds, so that a tile and its
  /// gradient stay in the second cache beside what they are made from.
  var tileLength: Int { min(shape.size[0], max(8, 16_384 / shape.filters)) }

  /// The number of tiles of one slab, and of all slabs one after the other.
  var tilesPerSlab: Int { (shape.size[0] + tileLength - 1) / tileLength }
  var tiles: Int { tilesPerSlab * shape.slabs(behind: 0) }

  /// Which slab a tile belongs to, and which positions along axis 0 it holds.
  func place(ofTile index: Int) -> (slab: Int, positions: Range<Int>) {
    let first = index % tilesPerSlab * tileLength
    return (index / tilesPerSlab, first..<min(shape.size[0], first + tileLength))
  }

  /// The floats of a tile, `[position, re/im, I/groups, O]`.
  var tileCount: Int { tileLength * 2 * shape.filters }

  /// The spectra at some positions along axis 0 of one slab: one tuple of positions along the other axes.
  func tile(slab: Int, positions: Range<Int>, into tile: UnsafeMutablePointer<Float>) {
    let (inner, filters) = (shape.inner(0), shape.filters)
    withPointers(factors.matrices[0], arrays[0]) { matrix, array in
      MatrixKernels.product(
        rows: 2 * positions.count, columns: filters,
        ck_factors(
          inner: inner, matrix + positions.lowerBound * 2 * inner, array + slab * inner * filters,
          bStride: filters), into: tile)
    }
  }

  /// The shapes of the gradients that `adjointTile` adds to: of the matrix of axis 0 and what it meets.
  var matrixShape: Shape { [2 * shape.size[0], shape.inner(0)] }
  var arrayShape: Shape { [shape.slabs(behind: 0), shape.inner(0), shape.filters] }

  /// Adds a tile's contribution to the gradients, from the gradient of its spectra; nil for a matrix whose
  /// gradient is not wanted.
  func adjointTile(
    slab: Int, positions: Range<Int>, gradient: UnsafePointer<Float>,
    matrixGradient: UnsafeMutablePointer<Float>?, arrayGradient: UnsafeMutablePointer<Float>
  ) {
    let (inner, rows, filters) = (shape.inner(0), 2 * positions.count, shape.filters)
    withPointers(factors.matrices[0], arrays[0]) { matrix, array in
      let first = positions.lowerBound * 2 * inner
      if let matrixGradient {
        MatrixKernels.innerProducts(
          rows: rows, columns: inner, length: filters, gradient, array + slab * inner * filters, adding: true,
          into: matrixGradient + first)
      }
      let target = arrayGradient + slab * inner * filters
      MatrixKernels.product(
        rows: inner, columns: filters,
        ck_factors(inner: rows, transposed: matrix + first, stride: inner, gradient, bStride: filters),
        finish: Activation.identity.finish(addend: target, addendStride: filters, bias: nil), into: target)
    }
  }

  /// The gradients of the filter and, if that of the matrix of axis 0 is given, of the columns.
  func gradients(
    matrix: Tensor<Float>?, array: Tensor<Float>
  ) -> (weight: Tensor<Float>, columns: AxisTensors?) {
    var columns = AxisTensors(count: shape.taps.count)
    if let matrix { columns[0] = columnGradient(0, matrix) }
    var array = array
    for axis in 1..<shape.taps.count {
      let gradients = productGradient(axis, array, ofMatrix: matrix != nil)
      array = gradients.array
      if let matrix = gradients.matrix { columns[axis] = columnGradient(axis, matrix) }
    }
    return (shape.weightMajor(array), matrix == nil ? nil : columns)
  }
}

// MARK: - XD-operations

/// L w: the columns are those of K-matrices at the positions of the taps; only these are computed.
extension FilterSpectrum {
  init(_ geometry: XDGeometry, weight: Tensor<Float>, l: AxisTensors) {
    let shape = geometry.filterShape
    let factors = FilterFactors(shape) { axis in
      let unit = FilterSpectrum.unitVectors(geometry, axis)
      let (product, layout) = (geometry.l[axis], FilterSpectrum.lines(geometry, axis))
      let result = Shape(geometry.size[axis], 2) + CollectionOfOne(FilterSpectrum.width(geometry, axis))
      return withPointers(unit, product.matrices(l[axis])) { unit, matrices in
        Tensor<Float>.filled(result) { columns in
          withScratch(2 * layout.position * product.size) {
            ck_butterfly_multiply(
              product.kernel, matrices, 1, layout.imaginary, layout, unit, layout, columns, $0)
          }
        }
      }
    }
    self.init(shape, weight: weight, factors: factors)
  }

  private static func width(_ geometry: XDGeometry, _ axis: Int) -> Int {
    LaneBlock(lanes: geometry.taps[axis].count).width
  }

  /// How the lines of all taps lie in memory.
  private static func lines(_ geometry: XDGeometry, _ axis: Int) -> ck_lines {
    let width = width(geometry, axis)
    return ck_lines(
      count: geometry.size[axis], step: 1, position: 2 * width, line: 0, imaginary: width, real: 0)
  }

  /// The lines whose vector j is 1 at the position of tap j.
  private static func unitVectors(_ geometry: XDGeometry, _ axis: Int) -> Tensor<Float> {
    let width = width(geometry, axis)
    var lines = Tensor<Float>(shape: Shape(geometry.size[axis], 2) + CollectionOfOne(width))
    lines.withUnsafeMutableBuffer { lines in
      for (tap, position) in geometry.taps[axis].enumerated() { lines[position * 2 * width + tap] = 1 }
    }
    return lines
  }

  /// The gradient of an axis's twiddles of L from that of its columns.
  static func twiddleGradient(
    _ geometry: XDGeometry, _ axis: Int, _ gradient: Tensor<Float>, _ twiddle: Tensor<Float>
  ) -> Tensor<Float> {
    let (product, layout, unit) = (geometry.l[axis], lines(geometry, axis), unitVectors(geometry, axis))
    var ofMatrices = Tensor<Float>(shape: twiddle.shape)
    withPointers(product.matrices(twiddle), unit, gradient) { matrices, unit, gradient in
      ofMatrices.withUnsafeMutableBuffer { ofMatrices in
        withScratch((Int(ck_butterfly_passes(product.kernel)) + 1) * layout.position * product.size) {
          ck_butterfly_gradient(
            product.kernel, matrices, 1, layout.imaginary, layout, unit, layout, gradient, nil,
            ofMatrices.baseAddress!, $0)
        }
      }
    }
    return product.twiddleGradient(matrices: ofMatrices, twiddle)
  }
}
