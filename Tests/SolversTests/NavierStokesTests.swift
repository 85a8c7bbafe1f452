import Foundation
import Solvers
import Tensors
import TestSupport
import Testing

/// The vorticity equation against exact solutions, manufactured ones, and a plain Galerkin method.
@Suite struct NavierStokesTests {
  private func field(_ n: Int, _ value: (_ x: Double, _ y: Double) -> Double) -> Tensor<Double> {
    Tensor(shape: [1, 1, n, n]) { values in
      for i in 0..<n {
        for j in 0..<n { values[i * n + j] = value(Double(i) / Double(n), Double(j) / Double(n)) }
      }
    }
  }

  private func randomField(_ n: Int, sample: Int = 0, scale: Double = 1) -> Tensor<Double> {
    var random = Philox(seed: 11, stream: .inputs, sample: sample)
    let values = PeriodicGaussianField.navierStokes(grid: n).sample(using: &random).scalars
    return Tensor(shape: [1, 1, n, n], scalars: values.map { scale * $0 })
  }

  private let tau = 2 * Double.pi

  // MARK: - Exact solutions

  @Test func taylorGreenVorticesDecay() throws {
    let (n, viscosity) = (16, 0.01)
    let initial = field(n) { cos(tau * $0) * cos(tau * $1) + 0.5 * sin(tau * $0) * cos(tau * $1) }
    let errors = try [0.1, 0.05, 0.025].map { step in
      let solver = try NavierStokes(
        grid: n, viscosity: viscosity, times: [1], forcing: .none,
        timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: step))
      let decay = exp(-2 * tau * tau * viscosity)
      return relativeError(
        try solver(initial), Tensor(shape: [1, 1, n, n], scalars: initial.scalars.map { decay * $0 }))
    }
    print("Navier-Stokes, Taylor-Green: observed orders in time \(observedOrders(errors))")
    // Crank–Nicolson's error is a series in (hλ)², at most 0.6 % here.
    #expect(observedOrders(errors).allSatisfy { abs($0 - 2) < 0.02 }, "\(errors)")
  }

  @Test func diagonalForcingDrivesTheLaminarFlow() throws {
    // f is an eigenfunction of the Laplacian, so w = f (1 − e^{−λt}) / λ, λ = 2 (2π)² ν, is exact.
    let (n, viscosity, time) = (16, 0.02, 1.5)
    let rate = 2 * tau * tau * viscosity
    let exact = field(n) { x, y in
      0.1 * (sin(tau * (x + y)) + cos(tau * (x + y))) * (1 - exp(-rate * time)) / rate
    }
    let errors = try [0.1, 0.05, 0.025].map { step in
      let solver = try NavierStokes(
        grid: n, viscosity: viscosity, times: [time],
        timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: step))
      return relativeError(try solver(Tensor(shape: [1, 1, n, n])), exact)
    }
    print("Navier-Stokes, laminar flow: observed orders in time \(observedOrders(errors))")
    #expect(errors[2] < 1e-3)
    #expect(observedOrders(errors).allSatisfy { abs($0 - 2) < 0.02 }, "\(errors)")
  }

  @Test(arguments: [0, 1e-12])
  func flowsStartFromRestByThemselves(_ scale: Double) throws {
    // With chosen steps, from nothing and from next to nothing: neither has a time scale of its own.
    let (n, viscosity, time) = (16, 0.02, 1.5)
    let rate = 2 * tau * tau * viscosity
    let exact = field(n) { x, y in
      0.1 * (sin(tau * (x + y)) + cos(tau * (x + y))) * (1 - exp(-rate * time)) / rate
    }
    let solver = try NavierStokes(grid: n, viscosity: viscosity, times: [time])
    // Nothing but L and a constant acts, both exactly: round-off, and what is left of the start.
    #expect(relativeError(try solver(randomField(n, scale: scale)), exact) < 1e-11)
  }

  /// ψ = c exp(cos 2πx + sin 2πy), analytic but of infinitely many modes, kept steady by its own forcing.
  ///
  /// With g = cos 2πx + sin 2πy: all derivatives are polynomials in cosines and sines times ψ.
  private func steadyState(_ n: Int, viscosity: Double) -> (Tensor<Double>, NavierStokes.Forcing) {
    // The jet of w = −Δψ: differentiated by the five-point formula of order 8 it would be inexact, so every
    // derivative is written out. ψ = P(x) Q(y), P = e^{cos 2πx}, Q = e^{sin 2πy}, and w = −(P''Q + PQ'').
    func derivativesOfP(_ x: Double) -> [Double] {
      let (s, c) = (sin(tau * x), cos(tau * x))
      let p = exp(c)
      return [
        p, -tau * s * p, tau * tau * (s * s - c) * p, tau * tau * tau * s * (1 + 3 * c - s * s) * p,
        pow(tau, 4) * (c + 3 * c * c - 4 * s * s - 6 * s * s * c + pow(s, 4)) * p,
      ]
    }
    func derivativesOfQ(_ y: Double) -> [Double] {
      // sin 2πy = cos 2π(y − 1/4)
      derivativesOfP(y - 0.25)
    }
    func vorticity(_ p: [Double], _ q: [Double]) -> Double { -(p[2] * q[0] + p[0] * q[2]) }
    let scale = 0.01
    let w = field(n) { x, y in scale * vorticity(derivativesOfP(x), derivativesOfQ(y)) }
    let f = field(n) { x, y in
      let (p, q) = (derivativesOfP(x), derivativesOfQ(y))
      let (u, v) = (scale * p[0] * q[1], -scale * p[1] * q[0])
      let slopeX = -scale * (p[3] * q[0] + p[1] * q[2])
      let slopeY = -scale * (p[2] * q[1] + p[0] * q[3])
      let laplacian = -scale * (p[4] * q[0] + 2 * p[2] * q[2] + p[0] * q[4])
      return u * slopeX + v * slopeY - viscosity * laplacian
    }
    return (w, .field(f.reshaped(to: [n, n])))
  }

  @Test func aForcedSteadyStateStaysWithSpectralAccuracy() throws {
    let viscosity = 0.05
    let grids = [12, 18, 24, 36, 48]
    let errors = try grids.map { n in
      let (w, forcing) = steadyState(n, viscosity: viscosity)
      let solver = try NavierStokes(
        grid: n, viscosity: viscosity, times: [1], forcing: forcing,
        timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: 0.005))
      return relativeError(try solver(w), w)
    }
    print("Navier-Stokes, steady state: errors on \(grids) points per axis: \(errors)")
    // The modes of exp(cos) fall faster than exponentially (1/2^m m!): each refinement by 6 to 12 points adds
    // two modes or more, worth a factor of 10 at least, until round-off. No error is due to time stepping.
    #expect(errors[1] < 0.1 * errors[0] && errors[2] < 0.1 * errors[1] && errors[3] < 0.1 * errors[2])
    #expect(errors[4] < 1e-12)
  }

  @Test func aPerturbedFlowReturnsToTheSteadyState() throws {
    let (n, viscosity) = (48, 0.05)
    let (w, forcing) = steadyState(n, viscosity: viscosity)
    let solver = try NavierStokes(
      grid: n, viscosity: viscosity, times: [10], forcing: forcing,
      timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: 0.01))
    let perturbed = zip(w.scalars, randomField(n).scalars).map { $0 + $1 }
    let result = try solver(Tensor(shape: w.shape, scalars: perturbed))
    // Perturbations decay like e^{−(2π)²νt} = e^{−20} = 3e-9 at least, if they do not feed on the flow.
    #expect(relativeError(result, w) < 1e-7)
  }

  // MARK: - A plain Galerkin method

  /// Advances dŵ/dt = −(u·∇w)^ − ν|κ|²ŵ + f̂ with convolution sums and the classical Runge–Kutta method.
  ///
  /// Modes |k|, |l| ≤ `largest`; nothing in common with the solver but the equation.
  private struct PlainGalerkin {
    let largest: Int
    let viscosity: Double
    let forcing: [Complex]

    struct Complex {
      var re = 0.0
      var im = 0.0
    }

    var side: Int { 2 * largest + 1 }

    func coefficients(_ field: Tensor<Double>) -> [Complex] {
      let n = field.shape[field.rank - 1]
      let values = field.scalars
      var result = [Complex](repeating: Complex(), count: side * side)
      for k in -largest...largest {
        for l in -largest...largest {
          var sum = Complex()
          for i in 0..<n {
            for j in 0..<n {
              let phase = -2 * Double.pi * Double(k * i + l * j) / Double(n)
              sum.re += values[i * n + j] * cos(phase) / Double(n * n)
              sum.im += values[i * n + j] * sin(phase) / Double(n * n)
            }
          }
          result[(k + largest) * side + l + largest] = sum
        }
      }
      result[largest * side + largest] = Complex()
      return result
    }

    func rate(_ w: [Complex]) -> [Complex] {
      var result = forcing
      for k in -largest...largest {
        for l in -largest...largest {
          let target = (k + largest) * side + l + largest
          var sum = Complex()
          // Σ over p + q = (k, l) of û(p)·iκ(q) ŵ(q), û(p) = (iκ_y, −iκ_x) ŵ(p) / |κ|²: the product of the two
          // factors i is −1.
          for a in max(-largest, k - largest)...min(largest, k + largest) {
            for b in max(-largest, l - largest)...min(largest, l + largest) where a != 0 || b != 0 {
              let (c, d) = (k - a, l - b)
              let weight = -Double(b * c - a * d) / Double(a * a + b * b)
              let p = w[(a + largest) * side + b + largest]
              let q = w[(c + largest) * side + d + largest]
              sum.re += weight * (p.re * q.re - p.im * q.im)
              sum.im += weight * (p.re * q.im + p.im * q.re)
            }
          }
          let decay = viscosity * 4 * Double.pi * Double.pi * Double(k * k + l * l)
          result[target].re -= sum.re + decay * w[target].re
          result[target].im -= sum.im + decay * w[target].im
        }
      }
      result[largest * side + largest] = Complex()
      return result
    }

    func advance(_ initial: [Complex], by time: Double, steps: Int) -> [Complex] {
      let h = time / Double(steps)
      func combine(_ a: [Complex], _ scale: Double, _ b: [Complex]) -> [Complex] {
        zip(a, b).map { Complex(re: $0.re + scale * $1.re, im: $0.im + scale * $1.im) }
      }
      var w = initial
      for _ in 0..<steps {
        let k1 = rate(w)
        let k2 = rate(combine(w, h / 2, k1))
        let k3 = rate(combine(w, h / 2, k2))
        let k4 = rate(combine(w, h, k3))
        w = combine(combine(combine(combine(w, h / 6, k1), h / 3, k2), h / 3, k3), h / 6, k4)
      }
      return w
    }

    func values(_ w: [Complex], _ n: Int) -> Tensor<Double> {
      Tensor(shape: [1, 1, n, n]) { output in
        for i in 0..<n {
          for j in 0..<n {
            var sum = 0.0
            for k in -largest...largest {
              for l in -largest...largest {
                let phase = 2 * Double.pi * Double(k * i + l * j) / Double(n)
                let c = w[(k + largest) * side + l + largest]
                sum += c.re * cos(phase) - c.im * sin(phase)
              }
            }
            output[i * n + j] = sum
          }
        }
      }
    }
  }

  @Test func everySchemeConvergesToThePlainGalerkinMethod() throws {
    let (n, viscosity, time) = (16, 1e-3, 1.0)
    let initial = randomField(n, scale: 8)
    let unforced = PlainGalerkin(largest: 5, viscosity: viscosity, forcing: [])
    let forcing = field(n) { 0.1 * (sin(tau * ($0 + $1)) + cos(tau * ($0 + $1))) }
    let plain = PlainGalerkin(largest: 5, viscosity: viscosity, forcing: unforced.coefficients(forcing))
    let start = plain.coefficients(initial)
    let (rough, fine) = (
      plain.values(plain.advance(start, by: time, steps: 50), n),
      plain.values(plain.advance(start, by: time, steps: 100), n)
    )
    let reference = relativeError(rough, fine) / 16  // order four
    #expect(reference < 1e-6)
    for scheme in TimeScheme.allCases {
      let steps: [Double] =
        switch scheme {
        case .eulerCrankNicolson: [0.002, 0.001, 0.0005]
        case .etdrk4: [0.1, 0.05, 0.025]
        default: [0.01, 0.005, 0.0025]
        }
      let errors = try steps.map { step in
        let solver = try NavierStokes(
          grid: n, viscosity: viscosity, times: [time], timeStepping: .init(scheme, timeStep: step))
        return relativeError(try solver(initial), fine)
      }
      let orders = observedOrders(errors)
      print("Navier-Stokes, \(scheme.rawValue): errors \(errors), observed orders in time \(orders)")
      // The flow moves by several cells; the next term of the error is a tenth of the first.
      #expect(orders.allSatisfy { abs($0 - Double(scheme.order)) < 0.15 }, "\(scheme): \(errors)")
    }
  }

  // MARK: - The default

  /// w on `n`² points after `time`: advection as u·∇w, cut off at |k|, |l| < n/3, the integrating-factor method of
  /// Runge and Kutta.
  ///
  /// Shares the transforms with the solver, and nothing else.
  private func plainPseudospectral(
    _ initial: Tensor<Double>, _ n: Int, viscosity: Double, time: Double, steps: Int
  ) -> Tensor<Double> {
    let half = n / 2 + 1
    let waves = (0..<n * half).map { mode -> (x: Double, y: Double, isKept: Bool) in
      let (k, l) = (mode / half < n / 2 ? mode / half : mode / half - n, mode % half)
      return (tau * Double(k), tau * Double(l), 3 * abs(k) < n && 3 * l < n && mode > 0)
    }
    func combine(_ terms: [(Double, Tensor<Double>)]) -> Tensor<Double> {
      var sum = Tensor<Double>(shape: terms[0].1.shape)
      for (factor, term) in terms {
        let values = term.scalars
        sum.withUnsafeMutableBuffer { for index in $0.indices { $0[index] += factor * values[index] } }
      }
      return sum
    }
    func scaled(_ w: Tensor<Double>, _ factor: (Int) -> Double) -> Tensor<Double> {
      let values = w.scalars
      return Tensor(shape: w.shape, scalars: values.indices.map { factor($0 / 2) * values[$0] })
    }
    /// i · factor · ŵ on the grid.
    func derivative(_ w: Tensor<Double>, _ factor: (Int) -> Double) -> [Double] {
      let values = w.scalars
      var turned = values
      for mode in 0..<values.count / 2 {
        turned[2 * mode] = -factor(mode) * values[2 * mode + 1]
        turned[2 * mode + 1] = factor(mode) * values[2 * mode]
      }
      return FFT.inverse(Tensor(shape: w.shape, scalars: turned), shape: [n, n]).scalars
    }
    let f = FFT.forward(
      field(n) { 0.1 * (sin(tau * ($0 + $1)) + cos(tau * ($0 + $1))) }.reshaped(to: [n, n]), dimensions: 2)
    func rate(_ w: Tensor<Double>) -> Tensor<Double> {
      func square(_ mode: Int) -> Double {
        mode == 0 ? 1 : waves[mode].x * waves[mode].x + waves[mode].y * waves[mode].y
      }
      let u = derivative(w) { waves[$0].y / square($0) }
      let v = derivative(w) { -waves[$0].x / square($0) }
      let (slopeX, slopeY) = (derivative(w) { waves[$0].x }, derivative(w) { waves[$0].y })
      let advection = Tensor(
        shape: [n, n], scalars: (0..<n * n).map { -u[$0] * slopeX[$0] - v[$0] * slopeY[$0] })
      return scaled(combine([(1, FFT.forward(advection, dimensions: 2)), (1, f)])) {
        waves[$0].isKept ? 1 : 0
      }
    }
    let h = time / Double(steps)
    func decayed(_ w: Tensor<Double>, _ share: Double) -> Tensor<Double> {
      scaled(w) {
        exp(-share * h * viscosity * (waves[$0].x * waves[$0].x + waves[$0].y * waves[$0].y))
      }
    }
    var w = scaled(FFT.forward(initial.reshaped(to: [n, n]), dimensions: 2)) { waves[$0].isKept ? 1 : 0 }
    for _ in 0..<steps {
      let k1 = rate(w)
      let k2 = rate(decayed(combine([(1, w), (h / 2, k1)]), 0.5))
      let k3 = rate(combine([(1, decayed(w, 0.5)), (h / 2, k2)]))
      let k4 = rate(combine([(1, decayed(w, 1)), (h, decayed(k3, 0.5))]))
      w = combine([
        (1, decayed(w, 1)), (h / 6, decayed(k1, 1)), (h / 3, decayed(combine([(1, k2), (1, k3)]), 0.5)),
        (h / 6, k4),
      ])
    }
    return FFT.inverse(w, shape: [n, n]).reshaped(to: [1, 1, n, n])
  }

  @Test(arguments: [(64, 1e-3), (50, 1e-3), (48, 1e-4), (132, 1e-3)])
  func defaultsAgreeWithAPlainPseudospectralMethod(_ n: Int, _ viscosity: Double) throws {
    let (initial, time) = (randomField(n), 1.0)
    let plain = [30, 60].map {
      plainPseudospectral(initial, n, viscosity: viscosity, time: time, steps: $0)
    }
    let uncertainty = relativeError(plain[0], plain[1]) / 15  // order four
    let error = relativeError(
      try NavierStokes(grid: n, viscosity: viscosity, times: [time])(initial), plain[1])
    print("Navier-Stokes, default on \(n)², ν = \(viscosity): error \(error), the reference's \(uncertainty)")
    #expect(uncertainty < 1e-8)
    // A tolerance of 1e-8 for each of some ten steps, and the reference's error.
    #expect(error < 1e-7)
  }

  @Test func coarserLevelsShowBelowTheToleranceOnly() throws {
    // What is smooth needs few modes: by default most of this is done on coarser grids, without dealiasing
    // nothing is. There is no aliasing to see where the spectrum ends at round-off long before the grid does.
    let (n, viscosity) = (96, 1e-3)
    let smooth = try NavierStokes(grid: n, viscosity: viscosity, times: [2])(randomField(n, scale: 4))
    func error(tolerance: Double) throws -> Double {
      func solution(_ dealiasing: NavierStokes.Dealiasing) throws -> Tensor<Double> {
        try NavierStokes(
          grid: n, viscosity: viscosity, times: [0.5, 5],
          timeStepping: .init(timeStep: 0.02, tolerance: tolerance), dealiasing: dealiasing)(smooth)
      }
      return relativeError(try solution(.twoThirds), try solution(.none))
    }
    let errors = [try error(tolerance: 1e-6), try error(tolerance: 1e-5)]
    print("Navier-Stokes: coarser levels against the whole grid: \(errors)")
    // Steps are the same: levels leave out modes of a tenth of the tolerance and less, which matter little; that
    // they are in use shows above round-off with the larger one.
    #expect(errors.allSatisfy { $0 < 1e-2 * 1e-6 })
    #expect(errors[1] > 1e-13)
  }

  @Test(arguments: [50, 90, 94, 126])
  func everyEvenGridHasTheSameSolution(_ n: Int) throws {
    // Resolved by 48 points: the tail there is 1e-8.
    let viscosity = 4e-3
    let points = 6
    func picked(_ grid: Int) throws -> [Double] {
      // Few modes, which every grid holds, and values at points that all grids share: the corners of halves.
      let initial = field(grid) { x, y in
        sin(tau * (x + 2 * y)) + cos(tau * (3 * x - y)) + 0.5 * sin(tau * 2 * y)
      }
      let w = FFT.forward(
        try NavierStokes(grid: grid, viscosity: viscosity, times: [1])(initial).reshaped(to: [grid, grid]),
        dimensions: 2
      ).scalars
      return (0..<points * points).flatMap { index -> [Double] in
        let mode = 2 * (index / points * (grid / 2 + 1) + index % points)
        return [w[mode] / Double(grid * grid), w[mode + 1] / Double(grid * grid)]
      }
    }
    let (a, b) = (try picked(n), try picked(48))
    let difference = zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
    // The tolerance of 1e-8 for a dozen steps.
    #expect(difference < 1e-7, "\(n): \(difference)")
  }

  @Test func withoutDealiasingAnUnresolvedFlowDiffers() throws {
    let n = 32
    let initial = randomField(n, scale: 8)
    func solution(_ grid: Int, _ dealiasing: NavierStokes.Dealiasing) throws -> Tensor<Double> {
      try NavierStokes(grid: grid, viscosity: 1e-4, times: [1], dealiasing: dealiasing)(
        grid == n ? initial : randomField(grid, scale: 8))
    }
    let fine = try solution(128, .twoThirds).scalars
    let truth = Tensor<Double>(
      shape: [1, 1, n, n], scalars: (0..<n * n).map { fine[4 * ($0 / n) * 128 + 4 * ($0 % n)] })
    let errors = try [NavierStokes.Dealiasing.twoThirds, .none].map {
      relativeError(try solution(n, $0), truth)
    }
    print("Navier-Stokes, unresolved: errors with 2/3 rule \(errors[0]), without dealiasing \(errors[1])")
    #expect(errors.allSatisfy { $0 > 1e-2 } && errors[0] != errors[1])
  }

  // MARK: - Invariants

  @Test func advectionConservesEnergyEnstrophyAndMean() throws {
    let n = 32
    let solver = try NavierStokes(
      grid: n, viscosity: 1e-12, times: [0.5, 1], forcing: .none,
      timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: 1e-3))
    let frames = try solver(randomField(n, scale: 4)).reshaped(to: [2, n, n])
    func integrals(_ frame: Int) -> (mean: Double, energy: Double, enstrophy: Double) {
      let w = frames[first: frame..<frame + 1].reshaped(to: [n, n])
      let spectrum = FFT.forward(w, dimensions: 2)
      var (energy, enstrophy) = (0.0, 0.0)
      for k in 0..<n {
        for l in 0...n / 2 where k + l > 0 {
          let row = Double(k <= n / 2 ? k : k - n)
          let power = (l == 0 ? 1 : 2) * (pow(spectrum[k, l, 0], 2) + pow(spectrum[k, l, 1], 2))
          enstrophy += power
          energy += power / (row * row + Double(l * l))
        }
      }
      return (w.scalars.reduce(0, +) / Double(n * n), energy, enstrophy)
    }
    let (a, b) = (integrals(0), integrals(1))
    #expect(abs(a.mean) < 1e-14 && abs(b.mean) < 1e-14)
    // The Galerkin method conserves both exactly; Adams–Bashforth adds C⁴/4 per step to oscillations, here
    // C = h · frequency < 0.02, over 500 steps: 2e-5 for the fastest modes and far less for the energetic ones.
    #expect(abs(b.energy / a.energy - 1) < 1e-6)
    #expect(abs(b.enstrophy / a.enstrophy - 1) < 1e-6)
  }

  @Test func swappingTheAxesReversesTheVorticity() throws {
    let n = 24
    func transposed(_ w: Tensor<Double>) -> Tensor<Double> {
      let values = w.scalars
      return Tensor(shape: w.shape, scalars: (0..<n * n).map { -values[$0 % n * n + $0 / n] })
    }
    let initial = randomField(n, scale: 4)
    let solver = try NavierStokes(
      grid: n, viscosity: 1e-3, times: [1], forcing: .none,
      timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: 0.01))
    // Round-off grows with the flow's own instability, by less than 10³ in this time.
    #expect(relativeError(try solver(transposed(initial)), transposed(try solver(initial))) < 1e-12)
  }

  @Test func aSampleDoesNotDependOnItsBatchOrTheThreads() throws {
    let n = 32
    let inputs = (0..<3).map { randomField(n, sample: $0).reshaped(to: [1, n, n]) }
    let solver = try NavierStokes(grid: n, viscosity: 1e-3, times: [0, 0.7, 1])
    let together = try solver(.stacking(inputs))
    #expect(together.shape == [3, 3, n, n])
    for (sample, input) in inputs.enumerated() {
      let alone = try solver(input.reshaped(to: [1, 1, n, n]))
      #expect(alone.scalars == together[first: sample..<sample + 1].scalars)
      #expect(Array(alone.scalars.prefix(n * n)) == input.scalars)
    }
  }

  @Test func chosenStepAgreesWithASmallOne() throws {
    let n = 32
    let initial = randomField(n)
    let chosen = try NavierStokes(grid: n, viscosity: 1e-3, times: [5])(initial)
    let small = try NavierStokes(
      grid: n, viscosity: 1e-3, times: [5], timeStepping: .init(.heunCrankNicolson, timeStep: 1e-3))(initial)
    let error = relativeError(chosen, small)
    print("Navier-Stokes: chosen step against h = 1e-3 at t = 5: \(error)")
    // Heun's error, (h · frequency)² of the energetic modes, h = 10⁻³, frequencies below one; the default's is less.
    #expect(error < 1e-6)
  }

  // MARK: - Errors

  static let everyMethod = TimeScheme.allCases.flatMap { scheme in
    NavierStokes.Dealiasing.allCases.map { (scheme, $0) }
  }

  @Test(arguments: everyMethod)
  func blowUpIsFoundWithinACheckIntervalAndNamed(
    _ scheme: TimeScheme, _ dealiasing: NavierStokes.Dealiasing
  ) throws {
    let (n, step) = (32, 0.5)
    let solver = try NavierStokes(
      grid: n, viscosity: 1e-5, times: [100, 200], forcing: .none,
      timeStepping: .init(scheme, timeStep: step),
      dealiasing: dealiasing)
    let inputs = Tensor<Double>.stacking([
      Tensor(shape: [1, n, n]), randomField(n, scale: 100).reshaped(to: [1, n, n]),
      randomField(n, sample: 1, scale: 1000).reshaped(to: [1, n, n]),
    ])
    do {
      let frames = try solver(inputs)
      Issue.record("no error, values up to \(frames.scalars.map(abs).max()!)")
    } catch SolverError.blowUp(let sample, let time, let advice) {
      // The sample at rest is fine, the other two are not. Velocities of 10 on cells of 1/32 multiply errors
      // in every step: all is over long before the first 16 steps are.
      #expect(sample == 1 && time == 16 * step, "\(sample), \(time)")
      #expect(advice.contains("time step"))
    }
  }

  @Test func impossibleProblemsAreRefused() throws {
    #expect(throws: SolverError.self) { try NavierStokes(grid: 33, viscosity: 1e-3, times: [1]) }
    #expect(throws: SolverError.self) { try NavierStokes(grid: 32, viscosity: -1, times: [1]) }
    #expect(throws: SolverError.self) { try NavierStokes(grid: 32, viscosity: 1, times: [2, 1]) }
    #expect(throws: SolverError.self) {
      try NavierStokes(
        grid: 32, viscosity: 1, times: [1], timeStepping: .init(.adamsBashforthCrankNicolson, timeStep: 1e-12)
      )
    }
    #expect(throws: SolverError.self) {
      try NavierStokes(grid: 32, viscosity: 1, times: [1], forcing: .field(Tensor(shape: [16, 16])))
    }
    let solver = try NavierStokes(grid: 32, viscosity: 1, times: [1])
    #expect(throws: SolverError.self) { try solver(Tensor(shape: [1, 2, 32, 32])) }
  }
}
