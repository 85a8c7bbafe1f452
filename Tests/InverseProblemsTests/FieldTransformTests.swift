import Foundation
import InverseProblems
import Solvers
import Tensors
import Testing

/// Coefficients that are positive, or have two values, by what becomes of a Gaussian field.
@Suite struct FieldTransformTests {
  @Test(arguments: [FieldTransform.identity, .exponential(median: 2), .levels(below: 3, above: 12)])
  func momentsOfThePriorAreThoseOfItsDraws(transform: FieldTransform) {
    let prior = NeumannGaussianField(grid: [7, 6], sigma: 1.5, tau: 2, alpha: 1.5)
    let variances = prior.variances
    let (mean, deviation) = (transform.priorMean(variances), transform.priorStandardDeviation(variances))
    let count = 20_000
    var sums = [Double](repeating: 0, count: 42)
    var squares = sums
    for sample in 0..<count {
      var random = Philox(seed: 3, stream: .inputs, sample: sample)
      for (point, value) in transform(prior.sample(using: &random)).scalars.enumerated() {
        sums[point] += value / Double(count)
        squares[point] += value * value / Double(count)
      }
    }
    for point in [0, 5, 20, 41] {
      let error = deviation.scalars[point] / Double(count).squareRoot()
      #expect(abs(sums[point] - mean.scalars[point]) < 5 * error, "\(transform), point \(point)")
      let variance = squares[point] - sums[point] * sums[point]
      // The fourth moment of a log-normal law is large: a tenth is five of its standard errors here.
      #expect(abs(variance / pow(deviation.scalars[point], 2) - 1) < 0.1, "\(transform), point \(point)")
    }
  }

  @Test func gradientsPassThroughTheExponential() throws {
    let linear = LinearProblem()
    var problem = linear.problem
    problem.transform = .exponential(median: 0.7)
    var random = Philox(seed: 4, stream: .inputs)
    let count = linear.prior.coordinateCount
    let point = random.normal(shape: [1, count])
    let gradient = try problem.misfitsAndGradients(of: point).gradients
    let (residuals, jacobian) = try problem.linearization(at: point.reshaped(to: [count]))
    for index in [0, 3, count - 1] {
      // Central differences: step² times a third derivative of order one, and rounding / step.
      let sides = try [1e-4, -1e-4].map { step in
        var moved = point
        moved[0, index] += step
        return try problem.misfits(of: moved)[0]
      }
      let difference = (sides[0] - sides[1]) / 2e-4
      #expect(abs(difference - gradient[0, index]) < 1e-6 * (1 + abs(difference)))
      let product = (0..<4).reduce(0) { $0 + jacobian[$1, index] * residuals[$1] }
      #expect(abs(product - gradient[0, index]) < 1e-11)
    }
  }

  @Test func aLevelSetHasNoGradient() {
    var problem = LinearProblem().problem
    #expect(problem.isDifferentiable)
    problem.transform = .levels(below: 3, above: 12)
    #expect(!problem.isDifferentiable)
  }

  @Test func drawsAreOfTheTransformedField() throws {
    var problem = LinearProblem().problem
    problem.transform = .levels(below: 3, above: 12)
    let schedule = SamplingSchedule(draws: 20, burnIn: 5, chains: 2, stepSize: 0.5, seed: 1)
    let sampler = PreconditionedCrankNicolson(problem)
    var chains = try schedule.start(sampler)
    try schedule.run(&chains, with: sampler)
    let draws = (0..<20).flatMap { ChainHistory(chains).draw($0, ofChain: 1) }
    #expect(Set(draws) == [3, 12])
  }
}

@Suite struct NeumannPriorTests {
  @Test(arguments: [[5, 5], [6, 9]])
  func theAdjointIsTheTranspose(grid: Shape) {
    let prior = NeumannGaussianField(grid: grid, sigma: 2, tau: 3, alpha: 1.5)
    expectAdjointIsTranspose(prior)
  }

  @Test func coordinatesAreWhatTheirNamesSay() {
    let prior = NeumannGaussianField(grid: [9, 9], sigma: 2, tau: 3, alpha: 1.5)
    for (index, coordinate) in prior.coordinates.prefix(12).enumerated() {
      let field = prior.makeField(
        Tensor(
          shape: [prior.coordinateCount],
          scalars: (0..<prior.coordinateCount).map { $0 == index ? 1.0 : 0 }))
      let numbers = coordinate.name.dropFirst(4).dropLast().split(separator: ",").compactMap { Double($0) }
      for (i, j) in [(0, 0), (3, 1), (8, 5)] {
        let (x, y) = (Double.pi * Double(i) / 8, Double.pi * Double(j) / 8)
        let exact = coordinate.amplitude * cos(numbers[0] * x) * cos(numbers[1] * y)
        #expect(abs(field[i, j] - exact) < 1e-14, "\(coordinate.name)")
      }
    }
  }

  @Test func variancesAreThoseOfTheSeries() {
    let prior = NeumannGaussianField(grid: [6, 9], sigma: 2, tau: 3, alpha: 1.5)
    for (i, j) in [(0, 0), (2, 5), (5, 8)] {
      let exact = prior.variance(x: Double(i) / 5, y: Double(j) / 8)
      #expect(abs(prior.variances[i, j] / exact - 1) < 1e-13)
    }
  }
}
