import Foundation
import InverseProblems
import Solvers
import Tensors
import TestSupport
import Testing

/// u ↦ u + u²/4 after some diffusion: a map whose derivative depends on where it is taken, with two
/// channels, of which the last is observed.
private struct Quadratic: DifferentiableOperator {
  let heat: HeatEquation

  private func split(_ u: Tensor<Double>, _ body: (Double) -> Double) -> Tensor<Double> {
    let (samples, points) = (u.shape[0], u.count / u.shape[0])
    return Tensor(shape: [samples, 2] + u.shape.dropFirst(2)) { result in
      for sample in 0..<samples {
        for point in 0..<points {
          let value = u.scalars[sample * points + point]
          result[2 * sample * points + point] = 7 * value
          result[(2 * sample + 1) * points + point] = body(value)
        }
      }
    }
  }

  func callAsFunction(_ inputs: Tensor<Double>) -> Tensor<Double> {
    split(heat(inputs)) { $0 + 0.25 * $0 * $0 }
  }

  func vectorJacobianProducts(
    _ inputs: Tensor<Double>, _ cotangents: (Tensor<Double>, Range<Int>) throws -> Tensor<Double>
  ) rethrows -> (solutions: Tensor<Double>, products: Tensor<Double>) {
    let (solutions, u) = (self(inputs), heat(inputs))
    let v = try cotangents(solutions, 0..<inputs.shape[0]).scalars
    let points = u.count / u.shape[0]
    let product = u.scalars.enumerated().map { index, value in
      let (sample, point) = (index / points, index % points)
      return 7 * v[2 * sample * points + point]
        + (1 + 0.5 * value) * v[(2 * sample + 1) * points + point]
    }
    return (solutions, heat(Tensor(shape: inputs.shape, scalars: product)))
  }
}

@Suite struct InverseProblemTests {
  private let linear = LinearProblem()

  @Test func misfitAtTheTruthIsHalfTheNoise() throws {
    var random = Philox(seed: 1, stream: .inputs)
    let truth = random.normal(shape: [1, linear.prior.coordinateCount])
    let field = linear.prior.makeField(truth.reshaped(to: [truth.count]))
    let exact = linear.observation(linear.heat(field.reshaped(to: [1, 1, 16])))
    let problem = InverseProblem(
      prior: linear.prior, forward: linear.heat, observation: linear.observation,
      data: zip(exact, [0.1, -0.2, 0.3, 0.1]).map(+), noise: 0.5)
    // ½ (0.01 + 0.04 + 0.09 + 0.01) / 0.25
    #expect(abs(try problem.misfits(of: truth)[0] - 0.3) < 1e-12)
  }

  @Test func gradientsAgreeWithFiniteDifferences() throws {
    let problem = linear.problem(Quadratic(heat: linear.heat))
    var random = Philox(seed: 2, stream: .inputs)
    let count = linear.prior.coordinateCount
    let coordinates = random.normal(shape: [3, count])
    let (misfits, gradients) = try problem.misfitsAndGradients(of: coordinates)
    #expect(try problem.misfits(of: coordinates) == misfits)
    // Central differences of a quartic: step² times a third derivative of order ten, and rounding / step.
    let step = 1e-4
    for chain in 0..<3 {
      for index in [0, 1, 5, count - 1] {
        let sides = try [step, -step].map { shift in
          var moved = coordinates
          moved[chain, index] += shift
          return try problem.misfits(of: moved)[chain]
        }
        let difference = (sides[0] - sides[1]) / (2 * step)
        #expect(abs(difference - gradients[chain, index]) < 1e-6 * (1 + abs(difference)))
      }
    }
  }

  @Test func theJacobianHasTheGradientOfTheMisfit() throws {
    // ∇Φ = Jᵀ r, and J itself against finite differences of the residuals along a direction.
    let problem = linear.problem(Quadratic(heat: linear.heat))
    var random = Philox(seed: 3, stream: .inputs)
    let count = linear.prior.coordinateCount
    let point = random.normal(shape: [count])
    let (residuals, jacobian) = try problem.linearization(at: point)
    #expect(jacobian.shape == [4, count])
    let gradient = try problem.misfitsAndGradients(of: point.reshaped(to: [1, count])).gradients
    for index in 0..<count {
      let product = (0..<4).reduce(0) { $0 + jacobian[$1, index] * residuals[$1] }
      #expect(abs(product - gradient[0, index]) < 1e-11)
    }
    let direction = random.normal(shape: [count])
    let sides = try [1e-5, -1e-5].map { step in
      try problem.linearization(
        at: Tensor(shape: [count], scalars: zip(point.scalars, direction.scalars).map { $0 + step * $1 })
      ).residuals
    }
    for row in 0..<4 {
      let exact = (0..<count).reduce(0) { $0 + jacobian[row, $1] * direction[$1] }
      #expect(abs((sides[0][row] - sides[1][row]) / 2e-5 - exact) < 1e-7 * (1 + abs(exact)))
    }
  }

  @Test(arguments: [[16], [15], [8, 8], [9, 8], [8, 7]])
  func thePriorsAdjointIsItsTranspose(grid: Shape) {
    let prior = PeriodicGaussianField(grid: grid, sigma: 2, tau: 3, alpha: 1.5)
    expectAdjointIsTranspose(prior)
  }

  @Test func coordinatesAreWhatTheirNamesSay() {
    let prior = PeriodicGaussianField(grid: [16, 16], sigma: 2, tau: 3, alpha: 1.5)
    let coordinates = prior.coordinates
    for (index, coordinate) in coordinates.enumerated() where coordinate.wavenumber < 3 {
      let field = prior.makeField(
        Tensor(shape: [coordinates.count], scalars: coordinates.indices.map { $0 == index ? 1 : 0 }))
      let numbers = coordinate.name.dropFirst(4).dropLast().split(separator: ",").compactMap { Double($0) }
      for (x, y) in [(0, 0), (3, 1), (5, 9)] {
        let angle = 2 * Double.pi * (numbers[0] * Double(x) + numbers[1] * Double(y)) / 16
        let wave = coordinate.name.hasPrefix("cos") ? cos(angle) : sin(angle)
        #expect(abs(field[x, y] - coordinate.amplitude * wave) < 1e-14, "\(coordinate.name)")
      }
      #expect(abs(coordinate.wavenumber - hypot(numbers[0], numbers[1])) < 1e-14)
    }
  }

  @Test func coordinatesMeanTheSameOnFinerGrids() {
    let (coarse, fine) = (
      PeriodicGaussianField.navierStokes(grid: 16), PeriodicGaussianField.navierStokes(grid: 32)
    )
    #expect(Array(fine.coordinates.prefix(coarse.coordinateCount)) == coarse.coordinates)
  }
}

@Suite struct InverseGammaTests {
  @Test(arguments: [InverseGamma(shape: 4, scale: 3), InverseGamma(shape: 0.7, scale: 2)])
  func precisionsHaveTheMomentsOfTheGammaLaw(law: InverseGamma) {
    var random = Philox(seed: 5, stream: .noise)
    let count = 40_000
    let precisions = (0..<count).map { _ in 1 / law.sample(using: &random) }
    let (a, b) = (law.shape, law.scale)
    let mean = precisions.reduce(0, +) / Double(count)
    let square = precisions.reduce(0) { $0 + $1 * $1 } / Double(count)
    // Moments of the gamma law of shape a and rate b, within five standard errors.
    #expect(abs(mean - a / b) < 5 * (a / (b * b) / Double(count)).squareRoot())
    let fourth = a * (a + 1) * (a + 2) * (a + 3) / (b * b * b * b)
    let second = a * (a + 1) / (b * b)
    #expect(abs(square - second) < 5 * ((fourth - second * second) / Double(count)).squareRoot())
  }
}
