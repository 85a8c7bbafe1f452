import Solvers
import Tensors
import Testing

/// The example of README.md, "As a library", word for word: change them together.
@Suite struct ReadmeTests {
  @Test func example() throws {
    let prior = PeriodicGaussianField.navierStokes(grid: 64)
    var random = Philox(seed: 0, stream: .inputs, sample: 7)
    let vorticity = prior.sample(using: &random)

    let flow = try NavierStokes(grid: 64, viscosity: 1e-3, times: [1, 2, 3])
    let trajectory = try flow(vorticity.reshaped(to: [1, 1, 64, 64]))  // [sample, time, x, y]

    #expect(trajectory.shape == [1, 3, 64, 64])
    #expect(trajectory.scalars.allSatisfy { $0.isFinite })
  }
}
