import Foundation
import InverseProblems
import Solvers
import Tensors
import Testing

@Suite struct PointObservationTests {
  @Test func uniformSensorsAreInterior() {
    let observation = PointObservation(grid: [64, 64], perAxis: [7, 7])
    #expect(observation.count == 49)
    #expect(observation.sensors.first?.position == [0.125, 0.125])
    #expect(observation.sensors.last?.position == [0.875, 0.875])
    #expect(observation.sensors[1].position == [0.125, 0.25])
  }

  @Test func sensorsAtGridPointsReadThem() {
    let field = Tensor<Double>(shape: [2, 3], scalars: [1, 2, 3, 4, 5, 6])
    #expect(PointObservation(grid: [2, 3], sensors: [[1, 2], [0, 0]])(field) == [6, 1])
    let bounded = PointObservation(
      grid: [2, 3], sensors: [.init([1, 1]), .init([0, 0.5])], isPeriodic: false, interpolation: .bilinear)
    #expect(bounded(field) == [6, 2])
  }

  @Test func channelsCountFromEitherEnd() {
    let solution = Tensor<Double>(shape: [3, 4], scalars: (0..<12).map(Double.init))
    let observation = PointObservation(
      grid: [4], sensors: [.init([0.25], channel: 0), .init([0.25]), .init([0.25], channel: -2)])
    #expect(observation(solution) == [1, 9, 5])
  }

  /// A trigonometric polynomial that the grid resolves, at points between the grid's.
  @Test(arguments: [[16, 12], [15, 9], [16], [9]])
  func spectralInterpolationIsExactForResolvedFields(grid: Shape) {
    func value(_ place: [Double]) -> Double {
      let phase = zip(place, [3.0, -2]).reduce(0) { $0 + 2 * Double.pi * $1.0 * $1.1 }
      return 0.7 + sin(phase) - 0.5 * cos(2 * Double.pi * place[0])
    }
    let places =
      grid.count == 2 ? [[0.013, 0.77], [0.5, 0.301], [0.999, 0.02]] : [[0.013], [0.5], [0.999]]
    let indices =
      grid.count == 2
      ? (0..<grid[0]).flatMap { i in (0..<grid[1]).map { [i, $0] } } : (0..<grid[0]).map { [$0] }
    let field = Tensor<Double>(
      shape: grid, scalars: indices.map { value(zip($0, grid).map { Double($0) / Double($1) }) })
    let observed = PointObservation(grid: grid, sensors: places.map { .init($0) })(field)
    for (observed, place) in zip(observed, places) { #expect(abs(observed - value(place)) < 1e-12) }
  }

  @Test func bilinearInterpolationIsExactForPlanesAndWrapsAround() {
    func plane(_ x: Double, _ y: Double) -> Double { 1 + 2 * x - 3 * y }
    let field = Tensor<Double>(
      shape: [5, 9], scalars: (0..<45).map { plane(Double($0 / 9) / 4, Double($0 % 9) / 8) })
    let places = [[0.1, 0.9], [0.63, 0.4], [1, 0.2]]
    let bounded = PointObservation(
      grid: [5, 9], sensors: places.map { .init($0) }, isPeriodic: false, interpolation: .bilinear)
    for (observed, place) in zip(bounded(field), places) {
      #expect(abs(observed - plane(place[0], place[1])) < 1e-14)
    }
    let ring = Tensor<Double>(shape: [4], scalars: [1, 2, 3, 5])
    let periodic = PointObservation(grid: [4], sensors: [.init([0.9375])], interpolation: .bilinear)
    // A quarter of the way from the last point to the first.
    #expect(abs(periodic(ring)[0] - (5 * 0.25 + 1 * 0.75)) < 1e-14)
  }

  @Test(arguments: PointObservation.Interpolation.allCases)
  func theGradientOfTheMisfitUsesTheAdjoint(interpolation: PointObservation.Interpolation) throws {
    // Linear problem: Φ is quadratic, so that central differences are exact up to rounding.
    let linear = LinearProblem()
    let observation = PointObservation(
      grid: [16], sensors: [.init([0.03]), .init([0.25]), .init([0.71])], interpolation: interpolation)
    let correlations = [[1, 0.5, 0.2], [0.5, 1, 0.4], [0.2, 0.4, 1]]
    let noise = try #require(NoiseModel(deviations: [0.3, 0.5, 0.7], correlations: correlations))
    let problem = InverseProblem(
      prior: linear.prior, forward: linear.heat, observation: observation, data: [1, -1, 0.5], noise: noise)
    var random = Philox(seed: 1, stream: .inputs)
    let count = linear.prior.coordinateCount
    let point = random.normal(shape: [1, count])
    let gradient = try problem.misfitsAndGradients(of: point).gradients
    for index in 0..<count {
      let sides = try [0.5, -0.5].map { step in
        var moved = point
        moved[0, index] += step
        return try problem.misfits(of: moved)[0]
      }
      #expect(abs(sides[0] - sides[1] - gradient[0, index]) < 1e-11 * (1 + abs(gradient[0, index])))
    }
  }
}

@Suite struct NoiseModelTests {
  private let correlations = [[1, 0.6, 0.1], [0.6, 1, 0.3], [0.1, 0.3, 1]]

  @Test func whitenedResidualsMeasureByTheInverseCovariance() throws {
    let noise = try #require(NoiseModel(deviations: [0.5, 1, 2], correlations: correlations))
    let residuals = [0.3, -0.7, 1.1]
    let white = noise.whiten(residuals)
    let covariance = (0..<3).map { i in
      (0..<3).map { correlations[i][$0] * noise.deviations[i] * noise.deviations[$0] }
    }
    let precision = inverse(covariance)
    let exact = (0..<3).reduce(0.0) { sum, i in
      sum + (0..<3).reduce(0.0) { $0 + residuals[i] * precision[i][$1] * residuals[$1] }
    }
    #expect(abs(white.reduce(0) { $0 + $1 * $1 } - exact) < 1e-13)
    // ⟨W r, v⟩ = ⟨r, Wᵀ v⟩
    let other = [0.2, 0.9, -0.4]
    let left = zip(white, other).reduce(0) { $0 + $1.0 * $1.1 }
    let right = zip(residuals, noise.whitenAdjoint(other)).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(left - right) < 1e-14)
  }

  @Test func drawsHaveTheCovariance() throws {
    let noise = try #require(NoiseModel(deviations: [0.5, 1, 2], correlations: correlations))
    var random = Philox(seed: 2, stream: .noise)
    let count = 40_000
    let draws = (0..<count).map { _ in noise.sample(using: &random) }
    for i in 0..<3 {
      for j in 0...i {
        let scale = noise.deviations[i] * noise.deviations[j]
        let mean = draws.reduce(0) { $0 + $1[i] * $1[j] } / Double(count) / scale
        let rho = correlations[i][j]
        // The variance of a product of correlated standard normal numbers is 1 + ρ².
        #expect(abs(mean - rho) < 5 * ((1 + rho * rho) / Double(count)).squareRoot())
      }
    }
  }

  @Test func correlationsThatAreNoneAreRefused() {
    #expect(NoiseModel(deviations: [1, 1], correlations: [[1, 1.5], [1.5, 1]]) == nil)
    #expect(NoiseModel(deviations: [1, 1], correlations: [[1, 1], [1, 1]]) == nil)
    #expect(NoiseModel(deviations: [1, 2]).commonDeviation == nil)
    #expect(NoiseModel(deviations: [2, 2]).commonDeviation == 2)
  }
}
