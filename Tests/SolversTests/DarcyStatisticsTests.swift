import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The statistics of the papers' Darcy data on 241² vertices, over 1,000 draws, against the normalisation constants
/// of the published file (NVIDIA PhysicsNeMo: coefficient 7.4836 and 4.49996, solution 5.74634e-3 and 3.88433e-3)
/// and against an independent program.
@Suite struct DarcyStatisticsTests {
  @Test(.enabled(if: runsDeepTests)) func publishedGrid() throws {
    let (n, draws) = (241, 1000)
    let solver = try DarcyFlow(grid: n)
    let prior = ThresholdedField.darcy(grid: n)
    var coefficient: [Double] = []
    var mean: [Double] = []
    var square: [Double] = []
    for start in stride(from: 0, to: draws, by: 20) {
      let inputs = Tensor.stacking(
        (start..<start + 20).map { sample in
          var random = Philox(seed: 5, stream: .inputs, sample: sample)
          return prior.sample(using: &random).reshaped(to: [1, n, n])
        })
      let solutions = try solver(inputs)
      for sample in 0..<20 {
        let values = solutions[first: sample..<sample + 1].scalars
        coefficient.append(inputs[first: sample..<sample + 1].scalars.reduce(0, +) / Double(n * n))
        mean.append(values.reduce(0, +) / Double(n * n))
        square.append(values.reduce(0) { $0 + $1 * $1 } / Double(n * n))
      }
    }
    let error = { (values: [Double]) in deviation(values) / Double(draws).squareRoot() }
    // The published file has 1,024 draws of its own, and so an error of the same size.
    let both = 2.0.squareRoot()
    #expect(abs(average(coefficient) - 7.4836) < 3 * both * error(coefficient))
    // Of values 12 and 3 in shares p and 1 − p: 9 √(p (1 − p)), which hardly depends on p.
    let share = (average(coefficient) - 3) / 9
    #expect(abs(9 * (share * (1 - share)).squareRoot() - 4.49996) < 1e-3)

    // Ratio of mean and deviation: its error from the linearised ratio of the draws.
    let center = average(mean)
    let spread = (average(square) - center * center).squareRoot()
    let ratio = center / spread
    let influence = zip(mean, square).map { m, q in
      let ofSpread = ((q - average(square)) - 2 * center * (m - center)) / (2 * spread)
      return (m - center) / spread - ratio * ofSpread / spread
    }
    #expect(abs(ratio - 5.74634e-3 / 3.88433e-3) < 3 * both * error(influence))

    // The mean of the solution falls with that of the coefficient, so that most of its spread is known.
    let covariance = average(zip(coefficient, mean).map { ($0 - average(coefficient)) * ($1 - center) })
    let slope = covariance / (deviation(coefficient) * deviation(coefficient))
    let controlled = center + slope * (7.4836 - average(coefficient))
    let residual = zip(coefficient, mean).map { $1 - slope * $0 }
    print(
      "Darcy, \(draws) draws at 241²: coefficient \(average(coefficient)) ± \(error(coefficient)); solution "
        + "\(center) ± \(error(mean)), deviation \(spread), ratio \(ratio) ± \(error(influence)); at the published "
        + "coefficient mean \(controlled) ± \(error(residual)), the published mean is "
        + "\((5.74634e-3 / controlled - 1) * 100) % above")
    // Tests/Golden/darcy_statistics.py, 400 draws: 5.664e-3 ± 0.017e-3. The published mean is not met, see the guide.
    #expect(abs(controlled - 5.664e-3) < 3 * hypot(error(residual), 1.7e-5))
  }

  private func average(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

  private func deviation(_ values: [Double]) -> Double {
    let center = average(values)
    return average(values.map { ($0 - center) * ($0 - center) }).squareRoot()
  }
}
