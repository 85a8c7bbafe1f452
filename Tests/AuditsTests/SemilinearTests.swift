import Audits
import Experiments
import TestSupport
import Testing

/// Audits of the equations u_t = L u + N(u).
@Suite struct SemilinearTests {
  /// An equation, and its parameter with the value that its small dataset has.
  struct Case: CustomTestStringConvertible, Sendable {
    let kind: String
    let settings: String
    let grid: String
    let parameter: (key: String, value: Double)?

    var testDescription: String { "\(kind), \(grid)" }

    var text: String {
      let own = parameter.map { ", \($0.key): \($0.value)" } ?? ""
      return """
        equation: {kind: \(kind)\(own)\(settings)}
        \(grid)
        samples: 10
        seed: 1
        output: data.h5
        """
    }
  }

  static let cases = [
    Case(kind: "heat", settings: ", times: [0.1, 0.2]", grid: "grid: 64", parameter: ("diffusivity", 0.02)),
    Case(
      kind: "heat", settings: ", dimensions: 2, times: [0.1, 0.2]", grid: "grid: 32",
      parameter: ("diffusivity", 0.02)),
    Case(kind: "advection", settings: ", times: [0.1, 0.3]", grid: "grid: 256", parameter: ("velocity", 0.7)),
    Case(
      kind: "allen-cahn", settings: ", times: [0.5, 1]", grid: "grid: 128",
      parameter: ("diffusivity", 1e-3)),
    Case(
      kind: "allen-cahn", settings: ", dimensions: 2, times: [0.5, 1]", grid: "grid: 128\nstored_grid: 64",
      parameter: ("diffusivity", 1e-3)),
    Case(kind: "korteweg-de-vries", settings: ", times: [1, 2]", grid: "grid: 256", parameter: nil),
    Case(kind: "kuramoto-sivashinsky", settings: ", times: [2, 4]", grid: "grid: 128", parameter: nil),
  ]

  @Test(arguments: cases) func rightDataPass(_ one: Case) throws {
    let report = try AuditedFile.audit(one.text)
    #expect(report.complaints == [])
    #expect(report[.equation]?.verdict == .pass)
    #expect(report[.inputs]?.verdict == .pass, "\(report[.inputs]?.message ?? "")")
    #expect(report[.parameter]?.verdict == (one.parameter == nil ? .notApplicable : .pass))
  }

  @Test(arguments: cases) func wrongScaleAndWrongParameterAreFound(_ one: Case) throws {
    let scaled = try AuditedFile.audit(one.text) { sample, fields in
      if sample == 3 { fields[0].multiply(frame: 2, by: 2) }
    }
    #expect(scaled.finds(.equation, sample: 3, frame: 2, "multiplied by 2"), "\(scaled.complaints)")
    #expect(scaled.samples(.equation) == [3])
    if let (key, value) = one.parameter {
      let report = try AuditedFile.audit(one.text, stated: ["equation.\(key)=\(1.1 * value)"])
      #expect(report[.parameter]?.verdict == .fail, "\(report[.parameter]?.message ?? "")")
      #expect(report[.equation]?.verdict == .fail)
    }
  }

  /// Which laws hold is read from the equation.
  @Test func lawsThatHold() throws {
    func verdict(_ index: Int, _ check: CheckName) throws -> Verdict? {
      try AuditedFile.audit(Self.cases[index].text)[check]?.verdict
    }
    #expect(try verdict(0, .maximumPrinciple) == .pass)
    #expect(try verdict(3, .maximumPrinciple) == .notApplicable)
    #expect(try verdict(3, .conservation) == .notApplicable)
    #expect(try verdict(5, .conservation) == .pass)
    #expect(try verdict(6, .energy) == .pass)
    let raised = try AuditedFile.audit(Self.cases[5].text) { sample, fields in
      if sample == 2 {
        let points = fields[0].count / 3
        fields[0].withUnsafeMutableBuffer { values in
          for index in 2 * points..<3 * points { values[index] += 0.05 }
        }
      }
    }
    #expect(raised.samples(.conservation) == [2])
  }
}
