import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// A coarse solver seen from a finer grid, against trigonometric polynomials, the fine solver, and differences.
@Suite struct CoarsenedOperatorTests {
  /// Returns what it is given.
  private struct Identity: SolutionOperator {
    func callAsFunction(_ inputs: Tensor<Double>) -> Tensor<Double> { inputs }
  }

  private static func wave(_ grid: Shape, _ numbers: [Int], phase: Double = 0.3) -> Tensor<Double> {
    let points = grid.count == 1 ? [grid[0], 1] : grid
    return Tensor(
      shape: [1, 1] + grid,
      scalars: (0..<points[0]).flatMap { i in
        (0..<points[1]).map { j in
          let turns =
            Double(numbers[0] * i) / Double(points[0])
            + (numbers.count > 1 ? Double(numbers[1] * j) / Double(points[1]) : 0)
          return cos(2 * Double.pi * turns + phase)
        }
      })
  }

  private static let grids: [(Shape, Shape)] = [
    ([15], [32]), ([16], [24]), ([12, 12], [32, 32]), ([9, 14], [20, 15]), ([16], [16]),
  ]

  /// Waves that the coarse grid has pass unchanged, finer ones vanish.
  @Test(arguments: grids)
  func wavesPassOrVanish(coarse: Shape, fine: Shape) {
    let map = CoarsenedOperator(Identity(), on: coarse, seenFrom: fine)
    let highest = coarse.map { ($0 - 1) / 2 }
    for numbers in [coarse.map { _ in 0 }, coarse.map { _ in 2 }, highest, highest.map { -$0 }] {
      let wave = Self.wave(fine, numbers)
      #expect(largestDifference(try? map(wave), wave) < 1e-13)  // sums of some tens of cosines
    }
    guard fine[0] / 2 > coarse[0] / 2 + 1 else { return }
    var numbers = coarse.map { _ in 1 }
    numbers[0] = coarse[0] / 2 + 1
    let wave = Self.wave(fine, numbers)
    #expect(largestDifference(try? map(wave), Tensor(shape: wave.shape)) < 1e-13)
  }

  private func largestDifference(_ a: Tensor<Double>?, _ b: Tensor<Double>) -> Double {
    guard let a, a.shape == b.shape else { return .infinity }
    return zip(a.scalars, b.scalars).map { abs($0 - $1) }.max() ?? 0
  }

  private static func flow(_ grid: Int) throws -> NavierStokes {
    try NavierStokes(grid: grid, viscosity: 1e-2, times: [0.5, 1], timeStepping: .init(timeStep: 0.05))
  }

  private static func vorticity(_ grid: Int, sample: Int) -> Tensor<Double> {
    var random = Philox(seed: 3, stream: .inputs, sample: sample)
    return PeriodicGaussianField.navierStokes(grid: grid).sample(using: &random).reshaped(to: [
      1, 1, grid, grid,
    ])
  }

  /// What the coarse grid cannot hold is what is missing: less with every point more.
  @Test func approachesTheFineSolver() throws {
    let vorticity = Self.vorticity(48, sample: 1)
    let exact = try Self.flow(48)(vorticity)
    let errors = try [8, 16, 32].map { coarse in
      let map = CoarsenedOperator(try Self.flow(coarse), on: [coarse, coarse], seenFrom: [48, 48])
      return relativeL2(try map(vorticity), exact)
    }
    #expect(errors[0] < 0.3 && errors[1] < errors[0] / 3 && errors[2] < errors[1] / 3, "\(errors)")
  }

  private func relativeL2(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double {
    let squares = zip(a.scalars, b.scalars).reduce((0.0, 0.0)) { sum, pair in
      (sum.0 + (pair.0 - pair.1) * (pair.0 - pair.1), sum.1 + pair.1 * pair.1)
    }
    return (squares.0 / squares.1).squareRoot()
  }

  /// ⟨v, G′ d⟩ by central differences is ⟨G′ᵀ v, d⟩, for one cotangent and for several at once.
  @Test func adjointAgreesWithDifferences() throws {
    let map = CoarsenedOperator(try Self.flow(12), on: [12, 12], seenFrom: [20, 20])
    let (vorticity, direction) = (Self.vorticity(20, sample: 2), Self.vorticity(20, sample: 3))
    var random = Philox(seed: 5, stream: .inputs, sample: 0)
    let cotangent = random.normal(shape: [1, 2, 20, 20])
    let product = try map.vectorJacobianProducts(vorticity) { _, _ in cotangent }.products
    let several = try map.vectorJacobianProducts(at: vorticity) { _ in
      Tensor.concatenating([
        cotangent, Tensor(shape: cotangent.shape, scalars: cotangent.scalars.map { -2 * $0 }),
      ])
    }
    let step = 1e-4
    func solution(_ step: Double) throws -> Tensor<Double> {
      let scalars = zip(vorticity.scalars, direction.scalars).map { $0 + step * $1 }
      return try map(Tensor(shape: vorticity.shape, scalars: scalars))
    }
    let (ahead, behind) = (try solution(step), try solution(-step))
    let difference = zip(zip(ahead.scalars, behind.scalars), cotangent.scalars).reduce(0) {
      $0 + ($1.0.0 - $1.0.1) / (2 * step) * $1.1
    }
    func inner(_ a: Tensor<Double>) -> Double {
      zip(a.scalars, direction.scalars).reduce(0) { $0 + $1.0 * $1.1 }
    }
    let size = inner(direction).squareRoot()
    // Central differences: step² and rounding over the step, each about 1e-8 of the size of the terms.
    #expect(abs(inner(product) - difference) < 1e-6 * max(abs(difference), size))
    #expect(abs(inner(several.products[first: 0..<1]) - inner(product)) < 1e-10 * size)
    #expect(abs(inner(several.products[first: 1..<2]) + 2 * inner(product)) < 1e-10 * size)
  }
}
