import Solvers
import Tensors

/// The parameters of a Gaussian random field with covariance σ² (−Δ + τ²)^(−α).
///
/// The spectrum of Δ is that of the unit interval or square, whatever the length of the equation's domain.
public struct FieldSettings: Sendable, Equatable {
  /// The scale σ.
  public let sigma: Double
  /// The inverse length scale τ.
  public let tau: Double
  /// The smoothness α.
  public let alpha: Double

  /// Reads `tau` and `alpha`, and `sigma` unless it is known.
  init(
    _ prior: ConfigSection, dimensions: Int, sigma: Double? = nil,
    defaults: (sigma: Double, tau: Double, alpha: Double)
  ) {
    self.sigma = sigma ?? prior.double("sigma", default: defaults.sigma, in: .positive)
    tau = prior.double("tau", default: defaults.tau, in: .nonNegative)
    // With a smaller α the point values have no finite variance.
    let smallest = Double(dimensions) / 2
    alpha = prior.double(
      "alpha", default: defaults.alpha, in: ConfigRange("greater than \(smallest)") { $0 > smallest })
  }

  /// The periodic field on a grid.
  func periodicField(grid: Shape) -> PeriodicGaussianField {
    PeriodicGaussianField(grid: grid, sigma: sigma, tau: tau, alpha: alpha)
  }
}

extension TimeStepping {
  /// Reads `kind`, `time_step` and, where the scheme estimates its errors, `tolerance`.
  ///
  /// - Throws: `ConfigError` for a kind that there is not.
  init(_ solver: ConfigSection, default scheme: TimeScheme = .etdrk4) throws {
    guard let scheme = solver.choice("kind", of: TimeScheme.self, default: scheme) else {
      throw solver.stop()
    }
    let timeStep = solver.double("time_step", or: "auto", in: .positive)
    guard scheme == .etdrk4, timeStep == nil else {
      self.init(scheme, timeStep: timeStep)
      return
    }
    let tolerance = solver.double("tolerance", default: Self.defaultTolerance, in: .between(1e-14, 1e-2))
    self.init(scheme, tolerance: tolerance)
  }

  /// One line for the provenance of a dataset.
  var method: String { "Fourier-Galerkin, \(summary)" }
}

extension ConfigSection {
  /// The recorded times of an evolution: `times`, or `frames` equal steps up to `final_time`.
  func recordedTimes() -> [Double] {
    if contains("times") || !contains("final_time") && !contains("frames") {
      let times = doubleList("times", in: .positive)
      check("times", !times.isEmpty, "it must have at least one time")
      check("times", zip(times, times.dropFirst()).allSatisfy { $0 < $1 }, "the times must increase")
      for key in ["final_time", "frames"] where contains(key) {
        reject(key, "cannot be given together with 'times'")
      }
      return times
    }
    let finalTime = double("final_time", in: .positive)
    let frames = int("frames", default: 1, in: .atLeast(1))
    return (1...max(1, frames)).map { finalTime * Double($0) / Double(frames) }
  }
}
