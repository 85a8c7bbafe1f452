import Solvers

/// The numerical method that solves an equation, with its accuracy.
public enum SolverConfig: Sendable, Equatable {
  /// Fourier-Galerkin in space and a semi-implicit scheme in time; nil lets the solver choose its step.
  case pseudospectral(scheme: SemiImplicitScheme, timeStep: Double?)
  /// Finite volumes, solved iteratively to a relative residual.
  case finiteVolumes(faceCoefficient: DarcyFlow.FaceCoefficient, tolerance: Double)

  /// The methods for steady problems.
  enum SteadyMethod: String, CaseIterable {
    case finiteVolumes = "finite-volumes"
  }

  /// Reads the settings of a solver; nil if its kind is not known.
  init?(_ section: ConfigSection, for equation: GenerateConfig.EquationKind) {
    switch equation {
    case .burgers, .navierStokes:
      guard
        let scheme = section.choice(
          "kind", of: SemiImplicitScheme.self, default: .adamsBashforthCrankNicolson)
      else { return nil }
      self = .pseudospectral(
        scheme: scheme, timeStep: section.double("time_step", or: "auto", in: .positive))
    case .darcy:
      guard section.choice("kind", of: SteadyMethod.self, default: .finiteVolumes) != nil else {
        return nil
      }
      let face = section.choice(
        "face_coefficient", of: DarcyFlow.FaceCoefficient.self, default: .arithmeticMean)
      self = .finiteVolumes(
        faceCoefficient: face ?? .arithmeticMean,
        tolerance: section.double("tolerance", default: 1e-10, in: .between(1e-13, 1e-2)))
    }
  }

  /// The step in time; nil for a steady problem, or if the solver chooses.
  var timeStep: Double? {
    if case .pseudospectral(_, let timeStep) = self { timeStep } else { nil }
  }

  /// One line for the provenance of a dataset.
  var summary: String {
    switch self {
    case .pseudospectral(let scheme, let step):
      "Fourier-Galerkin, \(scheme.rawValue), time step \(step.map { "\($0)" } ?? "chosen by the solver")"
    case .finiteVolumes(let face, let tolerance):
      "finite volumes, \(face.rawValue) mean on faces, multigrid conjugate gradients to \(tolerance)"
    }
  }
}
