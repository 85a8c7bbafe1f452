import Experiments
import Foundation
import Testing

/// Datasets with the derivatives of their solutions.
@Suite struct TangentDatasetTests {
  private func text(_ equation: String) -> String {
    "equation: {\(equation)}\ngrid: 16\nsamples: 2\ntangents: 2\noutput: x.h5\n"
  }

  private func config(_ equation: String) throws -> GenerateConfig {
    try GenerateConfig(ConfigSection(parsing: text(equation), path: "x.yaml"))
  }

  /// The heat equation is linear: its derivative along v is its solution from v, mode by mode exp(−κ k² t).
  @Test func derivativesOfTheHeatEquationAreSolutions() throws {
    let source = try config("kind: heat, diffusivity: 0.01, times: [0.5]").makeSource()
    #expect(source.description.fields.map(\.name) == ["u", "u_tangent_1", "u_tangent_2"])
    #expect(source.description.states.map(\.name) == ["u"] && source.description.tangentCount == 2)
    let fields = try source.sample(1)
    #expect(fields.allSatisfy { $0.shape == [2, 16] })
    let length = try #require(source.description.axes[0].coordinates).last.map { $0 * 16 / 15 } ?? 1
    #expect(fields[0][first: 0..<1] != fields[1][first: 0..<1])
    for field in fields {
      let (start, end) = (field.scalars[0..<16], field.scalars[16..<32])
      for wavenumber in 1...4 {
        func coefficient(_ values: ArraySlice<Double>) -> Double {
          values.enumerated().reduce(0) {
            $0 + $1.element * cos(2 * Double.pi * Double(wavenumber * $1.offset) / 16) / 8
          }
        }
        let k = 2 * Double.pi * Double(wavenumber) / length
        // The exponential integrator is exact for linear terms; what is left is rounding.
        #expect(abs(coefficient(end) - exp(-0.01 * k * k * 0.5) * coefficient(start)) < 1e-10)
      }
    }
    // Another sample has other directions.
    #expect(try source.sample(0)[1] != fields[1])
  }

  @Test func steadyEquationsHaveNone() throws {
    let darcy = try config("kind: darcy")
    #expect {
      _ = try darcy.makeSource()
    } throws: {
      "\($0)".contains("'tangents' is given, but this solver has no derivatives")
    }
  }
}
