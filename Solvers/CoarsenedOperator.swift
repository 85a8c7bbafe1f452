import Foundation
import Tensors

/// A periodic forward map seen from a finer grid: P G R, with G on the coarse grid, R the restriction of a field's Fourier
/// series to the waves that the coarse grid has, and P the values of the coarse solution's trigonometric polynomial on
/// the fine grid.
///
/// With few data and much noise a classical solver on few points is the cheapest surrogate there is; this puts it in the
/// place of one.
public struct CoarsenedOperator<Operator: SolutionOperator>: SolutionOperator {
  /// The map on the coarse grid.
  public let coarse: Operator
  /// The points per axis of the inputs and solutions of this map.
  public let grid: Shape
  /// The points per axis of those of `coarse`.
  public let coarseGrid: Shape

  private let axes: [TrigonometricInterpolation]

  /// The map of the coarse grid on the fine one, which has at least as many points along every axis.
  public init(_ coarse: Operator, on coarseGrid: Shape, seenFrom grid: Shape) {
    precondition(
      coarseGrid.count == grid.count && zip(coarseGrid, grid).allSatisfy { 0 < $0 && $0 <= $1 },
      "grid \(coarseGrid) is not coarser than \(grid)")
    self.coarse = coarse
    self.grid = grid
    self.coarseGrid = coarseGrid
    axes = zip(coarseGrid, grid).map { TrigonometricInterpolation(from: $0, to: $1) }
  }

  /// The solutions `[sample, output channel, ...grid]` for inputs `[sample, channel, ...grid]`.
  ///
  /// - Throws: what the coarse map throws.
  public func callAsFunction(_ inputs: Tensor<Double>) throws -> Tensor<Double> {
    prolonged(try coarse(restricted(inputs)))
  }

  /// P: `[..., ...coarseGrid]` to `[..., ...grid]`.
  func prolonged(_ fields: Tensor<Double>) -> Tensor<Double> { applied(fields, \.prolongation) }

  /// R: `[..., ...grid]` to `[..., ...coarseGrid]`.
  func restricted(_ fields: Tensor<Double>) -> Tensor<Double> { applied(fields, \.restriction) }

  /// One matrix for every axis of the grid, the last first.
  private func applied(
    _ fields: Tensor<Double>, _ matrix: KeyPath<TrigonometricInterpolation, Tensor<Double>>
  ) -> Tensor<Double> {
    let first = fields.rank - axes.count
    return axes.indices.reversed().reduce(fields) { fields, axis in
      fields.multiplied(by: axes[axis][keyPath: matrix], along: first + axis)
    }
  }
}

extension CoarsenedOperator: DifferentiableOperator where Operator: DifferentiableOperator {
  /// The solutions, and (P G′ R)ᵀ v = Rᵀ G′ᵀ Pᵀ v, where Pᵀ is R up to a factor and Rᵀ is P up to its inverse.
  ///
  /// - Throws: as `callAsFunction`, and what `cotangents` throws.
  public func vectorJacobianProducts(
    _ inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) throws -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    let (solutions, products) = try coarse.vectorJacobianProducts(restricted(inputs)) { solutions, range in
      transposedProlonged(try cotangents(prolonged(solutions), range))
    }
    return (prolonged(solutions), transposedRestricted(products))
  }

  /// The solution of one input, and the products of the transposed Jacobian there with several cotangents.
  ///
  /// - Throws: as `callAsFunction`, and what `cotangents` throws.
  public func vectorJacobianProducts(
    at input: Tensor<Double>, _ cotangents: (Tensor<Double>) throws -> Tensor<Double>
  ) throws -> (solution: Tensor<Double>, products: Tensor<Double>) {
    let (solution, products) = try coarse.vectorJacobianProducts(at: restricted(input)) { solution in
      transposedProlonged(try cotangents(prolonged(solution)))
    }
    return (prolonged(solution), transposedRestricted(products))
  }

  /// How many fine points there are for a coarse one.
  private var ratio: Double { Double(grid.reduce(1, *)) / Double(coarseGrid.reduce(1, *)) }

  private func transposedProlonged(_ fields: Tensor<Double>) -> Tensor<Double> {
    restricted(fields).scaled(by: ratio)
  }

  private func transposedRestricted(_ fields: Tensor<Double>) -> Tensor<Double> {
    prolonged(fields).scaled(by: 1 / ratio)
  }
}

/// The two ways between the points x_k = k/n and X_j = j/N of a periodic axis, n ≤ N.
private struct TrigonometricInterpolation {
  /// P, `[N, n]`: P_jk = D(X_j − x_k), D(x) = Σ e^{2πimx} / n over |m| ≤ n/2, the waves m = ±n/2 of an even n halved.
  let prolongation: Tensor<Double>
  /// R = (n/N) Pᵀ, `[n, N]`: it takes a field's waves |m| < n/2 as they are.
  let restriction: Tensor<Double>

  init(from coarse: Int, to fine: Int) {
    func kernel(_ j: Int, _ k: Int) -> Double {
      // The angle of the first wave, reduced exactly: j/N − k/n = (j n − k N)/(n N).
      let turns = (j * coarse - k * fine) % (coarse * fine)
      let angle = 2 * Double.pi * Double(turns) / Double(coarse * fine)
      var sum = 1.0
      for wave in 1..<max(1, (coarse + 1) / 2) { sum += 2 * cos(Double(wave) * angle) }
      if coarse.isMultiple(of: 2) { sum += cos(Double(coarse / 2) * angle) }
      return sum / Double(coarse)
    }
    prolongation = Tensor(
      shape: [fine, coarse], scalars: (0..<fine).flatMap { j in (0..<coarse).map { kernel(j, $0) } })
    let ratio = Double(coarse) / Double(fine)
    restriction = Tensor(
      shape: [coarse, fine],
      scalars: (0..<coarse).flatMap { k in (0..<fine).map { ratio * kernel($0, k) } })
  }
}

extension Tensor<Double> {
  /// The products of a matrix `[m, n]` with all lines along an axis of n points.
  fileprivate func multiplied(by matrix: Tensor<Double>, along axis: Int) -> Tensor<Double> {
    let (rows, inner) = (matrix.shape[0], matrix.shape[1])
    let columns = shape.dropFirst(axis + 1).elementCount
    let count = shape.prefix(axis).elementCount
    let product = MatrixProduct(rows: rows, columns: columns, inner: inner)
    return Tensor(shape: shape.prefix(axis) + [rows] + shape.dropFirst(axis + 1)) { result in
      guard let result = result.baseAddress else { return }
      withPointers(self, matrix) { values, matrix in
        for index in 0..<count {
          Double.gemm(
            product, 1, matrix, values + index * inner * columns, 0, result + index * rows * columns)
        }
      }
    }
  }

  fileprivate func scaled(by factor: Double) -> Tensor<Double> {
    var result = self
    result.withUnsafeMutableBuffer { Double.scale($0.count, factor, $0.baseAddress!) }
    return result
  }
}
