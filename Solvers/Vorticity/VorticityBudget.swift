import Tensors

/// The integrals of a vorticity field on the unit torus whose rates of change the equation fixes.
///
/// With u = (ψ_y, −ψ_x), −Δψ = w and w_t + u·∇w = ν Δw + f:
///
///     dE/dt = −2ν Ω + ∫ψ f,   E = ½ ∫|u|²,  Ω = ½ ∫w²
///     dΩ/dt = −2ν P + ∫w f,   P = ½ ∫|∇w|²
///
/// Advection appears in neither. Means over the torus, which has area one; the mean vorticity and
/// the mean velocity are left out. Sums over all Fourier modes of the grid, so exact for what the grid holds; the
/// derivative of the Nyquist frequency counts as if it were a full mode.
public struct VorticityBudget: Sendable, Equatable {
  /// E, the kinetic energy.
  public let energy: Double
  /// Ω, the enstrophy.
  public let enstrophy: Double
  /// P, the palinstrophy.
  public let palinstrophy: Double
  /// ∫ψ f, the energy that the forcing adds per unit of time.
  public let energyInput: Double
  /// ∫w f, the enstrophy that the forcing adds per unit of time.
  public let enstrophyInput: Double
  /// √(Ω beyond wave number (7/8)(n/3) on either axis / Ω): whether the grid resolves the field.
  ///
  /// n/3 is the largest wave number of a dealiased solver. See `isResolved`.
  public let spectralTail: Double

  /// The tail above which a flow counts as not resolved.
  ///
  /// Calibrated on the flows of the papers, see docs/solvers.md: where the tail passes 1 %, the error of the vorticity is about that
  /// large; it grows from there.
  public static let largestResolvedTail = 1e-2

  /// The budget of the vorticity `[n, n]` under a forcing f `[n, n]`; nil is none.
  public init(of vorticity: Tensor<Double>, forcing: Tensor<Double>? = nil) {
    precondition(
      vorticity.rank == 2 && vorticity.shape[0] == vorticity.shape[1],
      "a vorticity of shape \(vorticity.shape)")
    precondition(forcing == nil || forcing!.shape == vorticity.shape, "the forcing has another grid")
    let n = vorticity.shape[0]
    let half = n / 2 + 1
    let w = FFT.forward(vorticity, dimensions: 2)
    let f = forcing.map { FFT.forward($0, dimensions: 2) }
    var (energy, enstrophy, palinstrophy, tail) = (0.0, 0.0, 0.0, 0.0)
    var (energyInput, enstrophyInput) = (0.0, 0.0)
    withPointers(w, f ?? w) { w, f in
      for row in 0..<n {
        let k = min(row, n - row)
        for l in 0..<half where row + l > 0 {
          let mode = 2 * (row * half + l)
          let weight = l == 0 || 2 * l == n ? 0.5 : 1
          let laplacian = 4 * Double.pi * Double.pi * Double(k * k + l * l)
          let power = weight * (w[mode] * w[mode] + w[mode + 1] * w[mode + 1])
          energy += power / laplacian
          enstrophy += power
          palinstrophy += power * laplacian
          if 24 * max(k, l) > 7 * n { tail += power }
          let work = 2 * weight * (w[mode] * f[mode] + w[mode + 1] * f[mode + 1])
          energyInput += work / laplacian
          enstrophyInput += work
        }
      }
    }
    let scale = 1 / Double(n * n * n * n)
    self.energy = scale * energy
    self.enstrophy = scale * enstrophy
    self.palinstrophy = scale * palinstrophy
    self.energyInput = forcing == nil ? 0 : scale * energyInput
    self.enstrophyInput = forcing == nil ? 0 : scale * enstrophyInput
    spectralTail = enstrophy > 0 ? (tail / enstrophy).squareRoot() : 0
  }

  /// dE/dt at viscosity ν.
  public func energyRate(viscosity: Double) -> Double { energyInput - 2 * viscosity * enstrophy }

  /// dΩ/dt at viscosity ν.
  public func enstrophyRate(viscosity: Double) -> Double { enstrophyInput - 2 * viscosity * palinstrophy }

  /// Whether the smallest scales carry so little that the grid can be trusted.
  public var isResolved: Bool { spectralTail <= Self.largestResolvedTail }
}
