import Datasets
import Experiments
import Solvers
import Testing

/// What a configuration can choose for the Navier-Stokes equation, and what it says of unresolved samples.
@Suite struct NavierStokesConfigurationTests {
  private func text(solver: String, viscosity: Double = 1e-3, grid: Int = 32, time: Double = 1) -> String {
    """
    equation: {kind: navier-stokes, viscosity: \(viscosity), times: [\(time)]}
    solver: {\(solver)}
    grid: \(grid)
    samples: 2
    output: x.h5
    """
  }

  private func read(_ text: String) throws -> (config: GenerateConfig, flow: NavierStokesConfiguration) {
    let config = try GenerateConfig(ConfigSection(parsing: text, path: "x.yaml"))
    return (config, try #require(config.equation as? NavierStokesConfiguration))
  }

  private func mistake(_ text: String) -> String {
    do {
      _ = try read(text)
      return ""
    } catch { return "\(error)" }
  }

  @Test func defaults() throws {
    let (config, flow) = try read(text(solver: ""))
    #expect(flow.timeStepping == TimeStepping(.etdrk4))
    #expect(flow.dealiasing == .twoThirds)
    #expect(flow.method == "Fourier-Galerkin, etdrk4, time step chosen by the solver, tolerance 1e-08")
    #expect(config.resolvedYAML.contains("dealiasing: two-thirds"))
  }

  @Test func thePapersSchemeIsOneWord() throws {
    let (config, flow) = try read(text(solver: "kind: fno2020"))
    #expect(flow.timeStepping == TimeStepping(.eulerCrankNicolson, timeStep: 1e-4))
    #expect(flow.dealiasing == .productOnly)
    // The configuration in the file says the same again.
    let again = try read(config.resolvedYAML).flow
    #expect(again.timeStepping == flow.timeStepping && again.dealiasing == flow.dealiasing)
    #expect(
      try read(text(solver: "kind: fno2020, time_step: 1e-3")).flow.timeStepping
        == TimeStepping(.eulerCrankNicolson, timeStep: 1e-3))
    #expect(mistake(text(solver: "kind: fno2020, dealiasing: none")).contains("solver.dealiasing"))
    #expect(mistake(text(solver: "kind: fno2020, time_step: auto")).contains("solver.time_step"))
  }

  @Test func mistakesNameTheWords() {
    #expect(
      mistake(text(solver: "kind: fno"))
        == "x.yaml:2: 'solver.kind' is fno; it must be one of adams-bashforth-crank-nicolson, "
        + "heun-crank-nicolson, euler-crank-nicolson, etdrk4, fno2020")
    #expect(
      mistake(text(solver: "dealiasing: two-third"))
        == "x.yaml:2: 'solver.dealiasing' is two-third; it must be one of two-thirds, none, product-only "
        + "(did you mean 'two-thirds'?)")
  }

  @Test func unresolvedSamplesAreNamed() throws {
    // At viscosity 1e-5 the papers' flows need more than 32 points from the start.
    let unresolved = try read(text(solver: "", viscosity: 1e-5)).config.makeSource()
    #expect(unresolved.notices.isEmpty)
    for sample in 0..<2 { _ = try unresolved.sample(sample) }
    let notice = try #require(unresolved.notices.first)
    #expect(
      notice.hasPrefix("2 of 2 samples are not resolved on 32 x 32 points: errors of up to about ")
        && notice.contains("t = 1)") && notice.hasSuffix("; use grid: 64"), "\(notice)")
    let resolved = try read(text(solver: "", viscosity: 1e-2)).config.makeSource()
    for sample in 0..<2 { _ = try resolved.sample(sample) }
    #expect(resolved.notices.isEmpty)
  }
}
