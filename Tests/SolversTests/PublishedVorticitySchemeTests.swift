import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The papers' scheme against a plain implementation of their code in numpy.
@Suite struct PublishedVorticitySchemeTests {
  /// What `Tests/Golden/fno2020_navier_stokes.py` printed, with numpy 2.4.6: every (n + 3)-th value.
  static let golden: [(n: Int, values: [Double])] = [
    (
      16,
      [
        0.6668588628401164,
        0.35398453359725734,
        0.6566088237192278,
        0.02079425181930128,
        -0.7230768947527935,
        0.007307276717266553,
        -0.8464124867503321,
        -0.1567634098452751,
        -0.4111411875751438,
        0.000570274851416197,
        0.11316257195727762,
        0.09632525110110488,
        -0.4224738704310986,
        0.467010874069537,
      ]
    ),
    (
      18,
      [
        0.7973729726874378,
        -0.13186511406210474,
        0.08799215104563714,
        -0.26249536686937525,
        -0.30575640586341307,
        0.4664737659456684,
        -0.08312536283498034,
        0.2724630824218176,
        0.44946191299050353,
        -0.010062590615754225,
        0.03642987909264312,
        -0.5879508170607133,
        -0.3869068877123563,
        -0.13465830012956267,
        0.6149053248870956,
        -0.3739009565859939,
      ]
    ),
  ]

  /// The numbers in [−1, 1) that the script draws.
  private func noise(_ n: Int) -> Tensor<Double> {
    var state: UInt64 = 2020
    return Tensor(
      shape: [1, 1, n, n],
      scalars: (0..<n * n).map { _ in
        state = 6_364_136_223_846_793_005 &* state &+ 1_442_695_040_888_963_407
        return Double(state >> 11) * 0x1p-52 - 1
      })
  }

  @Test(arguments: golden)
  func stepsAreThoseOfThePapersCode(_ n: Int, _ values: [Double]) throws {
    let solver = try NavierStokes.fno2020(grid: n, viscosity: 1e-3, times: [0.3], timeStep: 1e-3)
    let result = try solver(noise(n)).scalars
    let picked = stride(from: 0, to: n * n, by: n + 3).map { result[$0] }
    #expect(picked.count == values.count)
    let difference = zip(picked, values).reduce(0) { max($0, abs($1.0 - $1.1)) }
    print("Navier-Stokes, fno2020: largest difference to numpy after 300 steps on \(n)²: \(difference)")
    // Values of size one; round-off of 300 steps, of some units of 10⁻¹⁶ each, hardly grows in this time.
    #expect(difference < 1e-13)
  }

  @Test func everyConventionOfTheCodeShows() throws {
    // Each of these is closer to the equation than the code is; each must differ from it visibly.
    let n = 18
    let papers = try NavierStokes.fno2020(grid: n, viscosity: 1e-3, times: [0.3], timeStep: 1e-3)(noise(n))
    for dealiasing in [NavierStokes.Dealiasing.twoThirds, .none] {
      let other = try NavierStokes(
        grid: n, viscosity: 1e-3, times: [0.3],
        timeStepping: .init(.eulerCrankNicolson, timeStep: 1e-3), dealiasing: dealiasing)
      #expect(relativeError(try other(noise(n)), papers) > 1e-2)
    }
  }

  @Test func converges() throws {
    // On a resolved flow the papers' scheme has the solution of the default one, to first order in the step.
    let n = 32
    var random = Philox(seed: 21, stream: .inputs)
    let initial = PeriodicGaussianField.navierStokes(grid: n).sample(using: &random).reshaped(to: [
      1, 1, n, n,
    ])
    // What is rough at the start is gone.
    let smooth = try NavierStokes(grid: n, viscosity: 1e-2, times: [0.3])(initial)
    let truth = try NavierStokes(grid: n, viscosity: 1e-2, times: [1])(smooth)
    let errors = try [4e-3, 2e-3, 1e-3].map { step in
      let solver = try NavierStokes.fno2020(grid: n, viscosity: 1e-2, times: [1], timeStep: step)
      return relativeError(try solver(smooth), truth)
    }
    print("Navier-Stokes, fno2020: errors \(errors), observed orders \(observedOrders(errors))")
    // The next term of the error is smaller by the step times the slowest rate, 0.4: 0.2 %.
    #expect(observedOrders(errors).allSatisfy { abs($0 - 1) < 0.05 })
  }
}
