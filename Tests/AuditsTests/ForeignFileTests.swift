import Audits
import Datasets
import Experiments
import Foundation
import HDF5
import Tensors
import TestSupport
import Testing

/// Files that say less, or other things, than ours: what cannot be checked is named, never skipped.
@Suite struct ForeignFileTests {
  /// A dataset whose own description of how it was made is removed.
  private func withForeign(
    _ config: String, removing attributes: [String] = [], _ body: (String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try AuditedFile.make(config, at: path)
      let file = try HDF5File(opening: path, writable: true)
      for name in ["config", "seed", "solver"] + attributes { try file.root.attributes.remove(name) }
      try file.close()
      try body(path)
    }
  }

  private func report(
    _ path: String, equation: String? = nil, _ settings: [String] = []
  ) throws -> AuditReport {
    try AuditStage.report(
      AuditStage.Request(path: path, equation: equation, settings: settings),
      Console(isQuiet: true, isLive: false))
  }

  @Test func theNameAndTheParametersOfTheWellAreEnough() throws {
    for config in [AuditedFile.burgers, AuditedFile.navierStokes] {
      try withForeign(config) { path in
        let report = try report(path)
        #expect(report.complaints == [])
        #expect(report[.equation]?.verdict == .pass && report[.parameter]?.verdict == .pass)
        #expect(report[.statements]?.message == "the file does not state its configuration")
        #expect(report[.inputs]?.message == "the file does not state the law of its first frames")
      }
    }
  }

  @Test func whatNobodySaysIsNotApplicable() throws {
    try withForeign(AuditedFile.burgers, removing: ["dataset_name", "nu"]) { path in
      let unknown = try report(path)
      for check in [CheckName.equation, .parameter, .conservation, .maximumPrinciple] {
        #expect(unknown[check]?.verdict == .notApplicable)
        #expect(
          unknown[check]?.message == "the file does not say which equation it holds; give --equation")
      }
      #expect(unknown[.duplicates]?.verdict == .pass && unknown[.axes]?.verdict == .pass)
      #expect(unknown.results.count == CheckName.allCases.count)
      let named = try report(path, equation: "burgers")
      #expect(named[.parameter]?.verdict == .notApplicable)
      #expect(
        named[.parameter]?.message.hasPrefix(
          "the file does not state the viscosity; fitted to the data it is 0.1")
          == true, "\(named[.parameter]?.message ?? "")")
      #expect(named[.equation]?.verdict == .pass)
      let wrong = try report(path, equation: "burgers", ["viscosity=0.12"])
      #expect(wrong[.parameter]?.verdict == .fail)
      let right = try report(
        path, equation: "burgers", ["equation.viscosity=0.1", "grid=128", "prior.tau=5"])
      #expect(right.complaints == [])
      #expect(right[.inputs]?.verdict == .pass)
      #expect(throws: ConfigError.self) { try report(path, equation: "burgers", ["viscosty=0.1"]) }
      #expect(throws: ConfigError.self) { try report(path, equation: "burger") }
    }
  }

  @Test func darcyWithoutItsSourceCannotBeSolved() throws {
    try withForeign(AuditedFile.coarseDarcy, removing: ["f", "simulation_parameters"]) { path in
      let unknown = try report(path)
      #expect(unknown[.equation]?.message == "the file does not state the source; give --set source=1")
      #expect(unknown[.boundaryValues]?.verdict == .pass)
      let stated = try report(path, ["source=1"])
      #expect(stated[.equation]?.verdict == .pass && stated[.parameter]?.verdict == .pass)
    }
  }

  @Test func fieldsThatDoNotFitAreNamed() throws {
    try withForeign(AuditedFile.burgers) { path in
      let report = try report(path, equation: "navier-stokes")
      #expect(report[.equation]?.message == "navier-stokes has 2 axes, the file 1")
    }
  }

  /// Pairs of two fields, as in the files of the FNO paper; a domain of length 1.
  @Test func pairsOfFieldsAndOtherDomainsAreUnderstood() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/pairs.h5"
      // x' = x / 2π: the field and the viscosity shrink by 2π and its square, the times stay.
      try generateDataset(
        from: try Pairs(), samples: 0..<12, to: path,
        options: GenerationOptions(
          provenance: DatasetProvenance(config: "", solver: "", seed: 0, software: ""), writesXDMF: false))
      let file = try HDF5File(opening: path, writable: true)
      try file.root.attributes.remove("config")
      try file.close()
      let settings = ["viscosity=\(0.1 / (4 * Double.pi * Double.pi))", "times=0,1"]
      let report = try report(path, equation: "burgers", settings)
      #expect(report.complaints == [])
      #expect(report[.equation]?.verdict == .pass && report[.parameter]?.verdict == .pass)
      #expect(report[.equation]?.worst?.field == "u")
      let missing = try self.report(path, equation: "burgers", [settings[0]])
      #expect(missing[.equation]?.message.contains("give --set times=0,1") == true)
    }
  }

  /// The same data in every layout that is written.
  @Test func everyLayoutIsAudited() throws {
    try withTemporaryFolder { folder in
      for config in [AuditedFile.burgers, AuditedFile.darcy] {
        let path = "\(folder)/data.h5"
        try AuditedFile.make(config, at: path)
        for (layout, name) in [(FileLayout.pdebench, "d.hdf5"), (.neuralop, "d.pt"), (.npz, "d.npz")] {
          let other = "\(folder)/\(name)"
          try writeDataset(openDataset(path), to: other, layout: layout, software: "test")
          let report = try report(other)
          #expect(report.complaints == [], "\(layout)")
          for check in [CheckName.equation, .parameter, .statements, .inputs] {
            #expect(report[check]?.verdict == .pass, "\(layout): \(check)")
          }
        }
        try FileManager.default.removeItem(atPath: path)
      }
    }
  }

  /// As PDEBench writes it: one tensor, the middles of cells, one time more than frames, ν as `Nu`.
  @Test func aFileOfPDEBenchIsUnderstood() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/1D_Burgers.hdf5"
      let pairs = try Pairs()
      let values = try (0..<12).flatMap { try pairs.frames($0).scalars.map { Float($0) } }
      try HDF5File.write(to: path) { file in
        try file.root.createDataset("tensor", values, shape: [12, 2, 64])
        try file.root.createDataset("x-coordinate", (0..<64).map { (Float($0) + 0.5) / 64 })
        try file.root.createDataset("t-coordinate", [Float(0), 1, 2])
        try file.root.attributes.set("Nu", 0.1 / (4 * Double.pi))
      }
      let report = try report(path, equation: "burgers")
      #expect(report.complaints == [])
      #expect(report[.equation]?.verdict == .pass && report[.parameter]?.verdict == .pass)
      let unnamed = try self.report(path)
      #expect(unnamed[.equation]?.message == "the file does not say which equation it holds; give --equation")
    }
  }

  /// As the Darcy data of neuraloperator: the coefficient as false and true.
  @Test func aCoefficientOfTruthValuesIsUnderstoodIfItsValuesAreStated() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try AuditedFile.make(AuditedFile.darcy, at: path)
      let file = TruthValues(base: try DatasetFile(opening: path))
      func report(_ values: [Double]?) throws -> AuditReport {
        let equation = AuditedDarcy(source: 1, solverGrid: 33, coefficient: values.map { .values($0) })
        return try Audit(
          of: file, equation: .known(equation), statements: CheckResult(.statements, .pass, message: "")
        ).report()
      }
      let stated = try report([3, 12])
      #expect(stated.complaints == [] && stated[.equation]?.verdict == .pass)
      let unstated = try report(nil)
      #expect(unstated[.inputs]?.verdict == .notApplicable)
      #expect(unstated[.inputs]?.message.hasPrefix("'permeability' is stored as false and true") == true)
    }
  }

  /// A Darcy file whose permeability is 0 and 1 instead of 3 and 12.
  private struct TruthValues: ReadableDataset {
    let base: DatasetFile
    var path: String { base.path }
    var layout: FileLayout { base.layout }
    var description: DatasetDescription { base.description }
    var sampleCount: Int { base.sampleCount }
    var storedTypes: [StoredType] { [.bool, .float32] }
    var notes: [String] { [] }
    var provenance: DatasetProvenance? { nil }
    var createdAt: String? { nil }
    /// Reading one sample costs a pass over the file: chosen samples are kept.
    var interleavesSamples: Bool { true }

    func read(
      field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
    ) throws -> Tensor<Float> {
      Tensor(
        converting: try readDouble(
          field: field, samples: samples, frames: frames, stride: stride, requiresFinite: requiresFinite))
    }

    func readDouble(
      field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
    ) throws -> Tensor<Double> {
      var values = try base.readDouble(field: field, samples: samples, frames: frames, stride: stride)
      if field == "permeability" {
        values.withUnsafeMutableBuffer { for index in $0.indices { $0[index] = $0[index] > 4 ? 1 : 0 } }
      }
      return values
    }

    func solveSeconds() throws -> [Double]? { nil }
    func contentChecksum() throws -> UInt32? { nil }
  }

  private struct Pairs: SampleSource {
    let base: any SampleSource
    let description: DatasetDescription

    init() throws {
      let text = AuditedFile.burgers.replacing("[0.5, 1]", with: "[1]")
      base = try sampleSource(text)
      description = DatasetDescription(
        name: "", title: "", equation: "", axes: [.periodic("x", count: 64, length: 1)], times: [],
        fields: [.init(name: "a", isTimeVarying: false), .init(name: "u", isTimeVarying: false)])
    }

    func frames(_ index: Int) throws -> Tensor<Double> {
      var frames = try base.sample(index)[0]
      frames.multiply(by: 1 / (2 * Double.pi))
      return frames
    }

    func sample(_ index: Int) throws -> [Tensor<Double>] {
      let frames = try frames(index)
      return (0..<2).map { frames[first: $0..<$0 + 1].reshaped(to: [64]) }
    }
  }
}
