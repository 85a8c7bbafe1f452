import Autodiff
import Foundation
import Tensors

/// A K-matrix: a learnable square matrix that is a product of butterfly factors, with complex entries.
///
/// The Fourier transform and its inverse, every permutation and the identity are K-matrices of small depth,
/// and with more depth every matrix is one; see `ButterflyProduct` for the structure. Nothing constrains the
/// twiddles. Dao et al., "Kaleidoscope: an efficient, learnable representation for all structured linear maps",
/// ICLR 2020.
public struct KMatrix: Module {
  /// `[block, factor, pair, 2, 2, 2]`.
  public let twiddle: Parameter
  /// The size, the depth and the order of the strides.
  public let product: ButterflyProduct

  /// A matrix of given twiddles.
  public init(_ product: ButterflyProduct, twiddle: Tensor<Float>) {
    precondition(
      twiddle.shape == product.twiddleShape, "twiddles \(twiddle.shape) for \(product.twiddleShape)")
    self.product = product
    self.twiddle = Parameter(twiddle, role: .architecture)
  }

  /// A matrix whose twiddles are given pair by pair.
  private init(
    _ product: ButterflyProduct, _ twiddle: (_ block: Int, _ factor: Int, _ pair: Int) -> Twiddle
  ) {
    self.init(
      product,
      twiddle: Tensor(shape: product.twiddleShape) { values in
        var next = 0
        for block in 0..<product.depth {
          for factor in 0..<product.levels {
            for pair in 0..<product.size / 2 {
              for number in twiddle(block, factor, pair).numbers {
                values[next] = Float(number)
                next += 1
              }
            }
          }
        }
      })
  }

  /// K x along one axis of complex arrays `[vector, ...grid, 2]`, the second for `axis` 0.
  public func callAsFunction(_ u: Variable, axis: Int, on tape: Tape) -> Variable {
    kMatrixProduct(u, twiddle: tape(twiddle), product, axis: axis)
  }

  /// K x along the second axis.
  public func callAsFunction(_ u: Variable, on tape: Tape) -> Variable { self(u, axis: 0, on: tape) }

  /// All entries, `[row, column, 2]`, by the plain algorithm: the oracle of tests.
  public var dense: Tensor<Double> {
    let size = product.size
    let twiddles = Tensor<Double>(converting: twiddle.value).scalars
    var result = Tensor<Double>(shape: [size, size, 2])
    for column in 0..<size {
      var unit = [Double](repeating: 0, count: 2 * size)
      unit[2 * column] = 1
      let values = product.multiply(unit, twiddles: twiddles)
      for row in 0..<size {
        result[row, column, 0] = values[2 * row]
        result[row, column, 1] = values[2 * row + 1]
      }
    }
    return result
  }

  // MARK: - Simple matrices

  /// The identity.
  public static func identity(size: Int, depth: Int = 1, beginsIncreasing: Bool = false) -> KMatrix {
    KMatrix(ButterflyProduct(size: size, depth: depth, beginsIncreasing: beginsIncreasing)) { _, _, _ in
      .identity
    }
  }

  /// Independent normal entries of standard deviation 1/√2 in every real and imaginary part of a twiddle.
  ///
  /// Then a factor keeps the mean square of what it multiplies, up to a factor 2.
  public static func random(
    size: Int, depth: Int = 1, beginsIncreasing: Bool = false, using initializer: inout Initializer
  ) -> KMatrix {
    let product = ButterflyProduct(size: size, depth: depth, beginsIncreasing: beginsIncreasing)
    return KMatrix(
      product, twiddle: initializer.normal(product.twiddleShape, deviation: 0.5.squareRoot()))
  }

  // MARK: - Fourier transforms

  /// How a Fourier transform is scaled.
  public enum FourierScale: Sendable {
    /// By 1/√n in both directions.
    case unitary
    /// By 1 forward and by 1/n backward.
    case plain
  }

  /// The discrete Fourier transform with its result in bit-reversed order: X_k stands at the reverse of k.
  ///
  /// Decimation in frequency; the last block is the transform, the ones before it are identities.
  public static func fourier(size: Int, scale: FourierScale, depth: Int = 1) -> KMatrix {
    let product = ButterflyProduct(size: size, depth: depth, beginsIncreasing: depth.isMultiple(of: 2))
    let norm = scale == .unitary ? 0.5.squareRoot() : 1
    return KMatrix(product) { block, factor, pair in
      guard block == depth - 1 else { return .identity }
      let stride = product.stride(block: block, factor: factor)
      let root = Complex(turns: -Double(pair % stride) / Double(2 * stride))
      return Twiddle(Complex(norm), Complex(norm), norm * root, -norm * root)
    }
  }

  /// The inverse discrete Fourier transform of a vector in bit-reversed order.
  ///
  /// Decimation in time; the first block is the transform, the ones behind it are identities.
  public static func inverseFourier(size: Int, scale: FourierScale, depth: Int = 1) -> KMatrix {
    let product = ButterflyProduct(size: size, depth: depth, beginsIncreasing: true)
    let norm = scale == .unitary ? 0.5.squareRoot() : 0.5
    return KMatrix(product) { block, factor, pair in
      guard block == 0 else { return .identity }
      let stride = product.stride(block: block, factor: factor)
      let root = Complex(turns: Double(pair % stride) / Double(2 * stride))
      return Twiddle(Complex(norm), norm * root, Complex(norm), -norm * root)
    }
  }

  /// The number whose `count` lowest bits are those of `index` in reverse order.
  public static func bitReversed(_ index: Int, count: Int) -> Int {
    (0..<count).reduce(0) { $0 | (index >> $1 & 1) << (count - 1 - $1) }
  }

  // MARK: - Permutations and sparse matrices

  /// A permutation of the axis in two blocks: result[i] = input[sources[i]].
  ///
  /// A Beneš network, whose switches are set by the looping algorithm: decreasing strides, then increasing.
  /// Beneš, "Mathematical theory of connecting networks", 1965.
  public static func permutation(_ sources: [Int]) -> KMatrix {
    let product = ButterflyProduct(size: sources.count, depth: 2, beginsIncreasing: false)
    let network = BenesNetwork(sources)
    return KMatrix(product) { block, factor, pair in
      network.isCrossed(block: block, stride: product.stride(block: block, factor: factor), pair: pair)
        ? .exchange : .identity
    }
  }

  /// A product of matrices of one size as one K-matrix: the first one acts first.
  ///
  /// An identity block is put between two blocks whose strides run the same way.
  public static func product(_ matrices: [KMatrix]) -> KMatrix {
    precondition(!matrices.isEmpty, "a product of no matrices")
    let size = matrices[0].product.size
    var blocks: [(isIncreasing: Bool, values: [Float])] = []
    let identity = KMatrix.identity(size: size).twiddle.value.scalars
    for matrix in matrices {
      precondition(matrix.product.size == size, "sizes \(matrix.product.size) and \(size)")
      let values = matrix.twiddle.value.scalars
      for block in 0..<matrix.product.depth {
        let isIncreasing = matrix.product.isIncreasing(block: block)
        if blocks.last?.isIncreasing == isIncreasing { blocks.append((!isIncreasing, identity)) }
        let count = identity.count
        blocks.append((isIncreasing, Array(values[block * count..<(block + 1) * count])))
      }
    }
    let product = ButterflyProduct(
      size: size, depth: blocks.count, beginsIncreasing: blocks[0].isIncreasing)
    return KMatrix(product, twiddle: Tensor(shape: product.twiddleShape, scalars: blocks.flatMap(\.values)))
  }

  /// Any real matrix, `[row][column]`, as the action of a K-matrix on vectors that are continued by zeros.
  ///
  /// The size is at least twice that of the matrix: the second half gathers the result. With the entries
  /// divided into d permutations (as many as the fullest row or column has entries) the depth is 2d: two
  /// blocks move x, the last factor of the second, which joins the two halves, adds the products to the
  /// result. Used for graph convolutions, whose adjacency is sparse.
  public static func matrix(_ rows: [[Double]]) -> KMatrix {
    let half = ButterflyProduct.size(holding: rows.count)
    let terms = PermutationSum(rows, size: half).terms
    let size = 2 * half
    // Where x_i has been moved to so far.
    var places = Array(0..<half)
    let factors = terms.enumerated().map { index, term in
      // x_{source[row]} is to stand at `row`.
      let permutation = KMatrix.permutation(term.sources.map { places[$0] } + Array(half..<size))
      for (row, source) in term.sources.enumerated() { places[source] = row }
      let isLast = index == terms.count - 1
      var twiddle = permutation.twiddle.value
      for row in 0..<half {
        // [x; sum] to [x; w x + sum], or at the end [w x + sum; x].
        let entry = Float(term.weights[row])
        let (x, sum) = (isLast ? 1 : 0, isLast ? 0 : 1)
        let factor = permutation.product.levels - 1
        for part in 0..<2 {
          for output in 0..<2 { twiddle[1, factor, row, output, part, 0] = 0 }
        }
        twiddle[1, factor, row, x, 0, 0] = 1
        twiddle[1, factor, row, sum, 0, 0] = entry
        twiddle[1, factor, row, sum, 1, 0] = 1
      }
      return KMatrix(permutation.product, twiddle: twiddle)
    }
    return product(factors)
  }
}

/// The 2×2 matrix of a pair.
private struct Twiddle {
  let numbers: [Double]

  init(_ a: Complex, _ b: Complex, _ c: Complex, _ d: Complex) {
    numbers = [a, b, c, d].flatMap { [$0.real, $0.imaginary] }
  }

  static let identity = Twiddle(Complex(1), Complex(0), Complex(0), Complex(1))
  static let exchange = Twiddle(Complex(0), Complex(1), Complex(1), Complex(0))
}

/// A complex number, for twiddles only.
private struct Complex {
  let real: Double
  let imaginary: Double

  init(_ real: Double, _ imaginary: Double = 0) {
    self.real = real
    self.imaginary = imaginary
  }

  /// exp(2πi turns).
  init(turns: Double) {
    self.init(cos(2 * Double.pi * turns), sin(2 * Double.pi * turns))
  }

  static func * (factor: Double, number: Complex) -> Complex {
    Complex(factor * number.real, factor * number.imaginary)
  }
}
