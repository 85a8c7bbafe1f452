import Experiments
import Solvers
import Tensors
import Testing

/// The section `equation` of Darcy flow, and what its samples tell.
@Suite struct DarcyConfigurationTests {
  private func config(_ equation: String, _ more: [String] = []) throws -> GenerateConfig {
    let text = """
      equation: {kind: darcy, \(equation)}
      grid: 65
      samples: 3
      precision: double
      output: x.h5
      """
    return try GenerateConfig(ConfigSection(parsing: text, path: "x.yaml", overrides: more))
  }

  private func mistakes(_ equation: String, _ more: [String] = []) -> String {
    do {
      _ = try config(equation, more)
      return "none"
    } catch { return "\(error)" }
  }

  @Test func coefficientsByName() throws {
    for (text, right) in [
      ("source: 1", DarcyConfiguration.Coefficient.piecewise(above: 12, below: 3)),
      ("coefficient: piecewise, permeability_above: 5", .piecewise(above: 5, below: 3)),
      ("coefficient: log-normal", .logNormal(median: 1)),
      ("coefficient: log-normal, permeability_median: 0.5", .logNormal(median: 0.5)),
    ] {
      let darcy = try #require(try config(text).equation as? DarcyConfiguration)
      #expect(darcy.coefficient == right)
      #expect(darcy.prior.sigma == (text.contains("log-normal") ? 10 : 1))
    }
    #expect(
      mistakes("coefficient: lognormal")
        == "x.yaml:1: 'equation.coefficient' is lognormal; it must be one of piecewise, log-normal "
        + "(did you mean 'log-normal'?)")
    #expect(mistakes("coefficient: log-normal, permeability_above: 5").contains("unknown key"))
    #expect(mistakes("permeability_median: 5").contains("unknown key"))
    for value in ["0", "-1", ".nan", ".inf"] {
      #expect(mistakes("permeability_above: \(value)") != "none", "\(value)")
      #expect(mistakes("coefficient: log-normal, permeability_median: \(value)") != "none", "\(value)")
    }
  }

  @Test func theSamplesAreLogNormal() throws {
    let fields = try config("coefficient: log-normal, permeability_median: 2").makeSource().sample(1)
    var random = Philox(seed: 0, stream: .inputs, sample: 1)
    let field = NeumannGaussianField(grid: [65, 65], sigma: 10, tau: 3, alpha: 2)
    #expect(fields[0] == LogNormalField(field, median: 2).sample(using: &random))
    let pressure = try DarcyFlow(grid: 65)(fields[0].reshaped(to: [1, 1, 65, 65]))
    #expect(fields[1] == pressure.reshaped(to: [65, 65]))
  }

  @Test func aPermeabilityBeyondTheRangeOfNumbersNamesItsSample() throws {
    let source = try config("coefficient: log-normal", ["prior.sigma=1e5"]).makeSource()
    #expect(
      throws: SolverError.invalidProblem(
        "the permeability of sample 2 leaves the range of numbers: reduce prior.sigma (now 1e+05)")
    ) { try source.sample(2) }
  }

  @Test func roundedResidualsAboveTheToleranceAreTold() throws {
    let usual = try config("source: 1").makeSource()
    _ = try usual.sample(0)
    #expect(usual.notices == [])
    let high = try config("permeability_above: 1e6, permeability_below: 1", ["solver.tolerance=1e-12"])
      .makeSource()
    for index in 0..<3 { _ = try high.sample(index) }
    #expect(high.notices.count == 1)
    #expect(high.notices.first?.contains("more than the tolerance 1e-12") == true)
  }

  @Test func aContrastThatIsTooHighIsAnErrorOfItsSample() throws {
    let source = try config(
      "permeability_above: 1e14, permeability_below: 1", ["solver.face_coefficient=harmonic"]
    ).makeSource()
    do {
      _ = try source.sample(1)
      Issue.record("no error")
    } catch SolverError.noConvergence(let sample, _, let residual) {
      #expect(sample == 1 && residual > 1e-10)
    }
  }
}
