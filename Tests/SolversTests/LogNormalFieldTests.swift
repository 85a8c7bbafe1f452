import Foundation
import Solvers
import Tensors
import Testing

/// The log-normal permeability.
@Suite struct LogNormalFieldTests {
  @Test func itsLogarithmIsTheGaussianField() {
    let field = NeumannGaussianField(grid: [17, 17], sigma: 10, tau: 3, alpha: 2)
    var (first, second) = (
      Philox(seed: 3, stream: .inputs, sample: 0), Philox(seed: 3, stream: .inputs, sample: 0)
    )
    let gaussian = field.sample(using: &first).scalars
    let values = LogNormalField(field, median: 2.5).sample(using: &second).scalars
    #expect(zip(values, gaussian).allSatisfy { abs(log($0 / 2.5) - $1) < 1e-14 * (1 + abs($1)) })
  }

  @Test func theDefaultSpreadIsAboutOne() {
    // As the guide says, to its two digits; the modes beyond 65² add less than that.
    let field = NeumannGaussianField(grid: [65, 65], sigma: 10, tau: 3, alpha: 2)
    #expect(abs(field.pointVariance.squareRoot() - 0.97) < 0.005)
  }
}
