import CKernels
import Tensors

/// The structure of a K-matrix: a product of butterfly factors of the size n = 2ᵖ, `depth` blocks of p factors.
///
/// The factor of stride s joins the positions i and i + s, where bit s of i is clear, by a complex 2×2 matrix
/// of each pair's own, its twiddle; pairs are numbered by their first position. The strides of a block's
/// factors, in the order of application, are 1, 2, …, n/2 (increasing) or n/2, …, 2, 1; blocks alternate. A
/// product takes O(n log n) operations. Its numbers are the tensor of `twiddleShape`, `[block, factor, pair,
/// 2, 2, 2]`: row and column of the 2×2 matrix, then real and imaginary part.
///
/// Dao et al., "Kaleidoscope: an efficient, learnable representation for all structured linear maps", ICLR
/// 2020 (a depth of 2w is their width w); the layout is that of their library.
public struct ButterflyProduct: Sendable, Equatable {
  /// The number of rows and columns, a power of two and at least 2.
  public let size: Int
  /// The number of blocks.
  public let depth: Int
  /// Whether the block that is applied first has increasing strides.
  public let beginsIncreasing: Bool

  /// A product of that structure.
  public init(size: Int, depth: Int, beginsIncreasing: Bool) {
    precondition(size >= 2 && size & (size - 1) == 0, "the size \(size) of a K-matrix is not a power of two")
    precondition(depth >= 1, "a K-matrix of depth \(depth)")
    self.size = size
    self.depth = depth
    self.beginsIncreasing = beginsIncreasing
  }

  /// The smallest size that holds vectors of a length.
  public static func size(holding length: Int) -> Int {
    var size = 2
    while size < length { size *= 2 }
    return size
  }

  /// p, the number of factors of a block.
  public var levels: Int { size.trailingZeroBitCount }

  /// `[block, factor, pair, 2, 2, 2]`.
  public var twiddleShape: Shape { [depth, levels, size / 2, 2, 2, 2] }

  /// The number of real numbers of the twiddles.
  public var twiddleCount: Int { depth * levels * size * 4 }

  /// Whether a block has increasing strides.
  public func isIncreasing(block: Int) -> Bool { block.isMultiple(of: 2) == beginsIncreasing }

  /// The stride of a factor.
  public func stride(block: Int, factor: Int) -> Int {
    1 << (isIncreasing(block: block) ? factor : levels - 1 - factor)
  }

  /// The product applied factor by factor in double precision: what the fast kernels are tested against.
  ///
  /// - Parameters:
  ///   - vector: n complex numbers, real and imaginary part one after the other.
  ///   - twiddles: as `twiddleShape`.
  public func multiply(_ vector: [Double], twiddles: [Double]) -> [Double] {
    precondition(vector.count == 2 * size && twiddles.count == twiddleCount, "\(vector.count) numbers")
    var x = vector
    for block in 0..<depth {
      for factor in 0..<levels {
        let stride = stride(block: block, factor: factor)
        let start = (block * levels + factor) * size * 4
        for pair in 0..<size / 2 {
          let first = pair / stride * 2 * stride + pair % stride
          let t = twiddles[start + pair * 8..<start + (pair + 1) * 8]
          let (i, j) = (2 * first, 2 * (first + stride))
          let (a, b) = ((x[i], x[i + 1]), (x[j], x[j + 1]))
          for (row, target) in [i, j].enumerated() {
            let e = t.startIndex + 4 * row
            x[target] = t[e] * a.0 - t[e + 1] * a.1 + t[e + 2] * b.0 - t[e + 3] * b.1
            x[target + 1] = t[e] * a.1 + t[e + 1] * a.0 + t[e + 2] * b.1 + t[e + 3] * b.0
          }
        }
      }
    }
    return x
  }

  var kernel: ck_butterfly {
    ck_butterfly(levels: levels, depth: depth, begins_increasing: beginsIncreasing ? 1 : 0)
  }

  /// The matrices of the passes that the kernels take, as many numbers as there are twiddles.
  func matrices(_ twiddle: Tensor<Float>) -> Tensor<Float> {
    twiddle.start { twiddle in .filled(twiddleShape) { ck_butterfly_merge(kernel, twiddle, $0) } }
  }

  /// The gradient of the twiddles from that of the matrices.
  func twiddleGradient(matrices gradient: Tensor<Float>, _ twiddle: Tensor<Float>) -> Tensor<Float> {
    var result = Tensor<Float>(shape: twiddleShape)
    withPointers(twiddle, gradient) { twiddle, gradient in
      result.withUnsafeMutableBuffer {
        ck_butterfly_merge_adjoint(kernel, twiddle, gradient, $0.baseAddress!)
      }
    }
    return result
  }
}
