import Audits
import Datasets
import Experiments
import Foundation
import Tensors
import TestSupport
import Testing

/// A source whose samples are changed before they are written, checksums and all: only their physics is wrong.
struct AlteredSource: SampleSource {
  let base: any SampleSource
  var description: DatasetDescription
  let change: @Sendable (_ sample: Int, _ fields: inout [Tensor<Double>]) -> Void

  init(
    _ base: any SampleSource, change: @escaping @Sendable (Int, inout [Tensor<Double>]) -> Void = { _, _ in }
  ) {
    self.base = base
    description = base.description
    self.change = change
  }

  func sample(_ index: Int) throws -> [Tensor<Double>] {
    var fields = try base.sample(index)
    change(index, &fields)
    return fields
  }
}

/// Small datasets of every equation.
enum AuditedFile {
  static let burgers = """
    equation: {kind: burgers, viscosity: 0.1, times: [0.5, 1]}
    grid: 128
    stored_grid: 64
    samples: 20
    seed: 1
    output: data.h5
    """
  static let navierStokes = """
    equation: {kind: navier-stokes, viscosity: 1e-2, times: [0.5, 1]}
    grid: 32
    samples: 12
    seed: 1
    output: data.h5
    """
  /// Every other point is stored.
  static let coarseNavierStokes = navierStokes.replacing("grid: 32", with: "grid: 64\nstored_grid: 32")
  static let darcy = """
    equation: {kind: darcy}
    grid: 33
    samples: 20
    seed: 1
    output: data.h5
    """
  static let logNormalDarcy = darcy.replacing("darcy}", with: "darcy, coefficient: log-normal}")
  /// Every fourth point is stored.
  static let coarseLogNormalDarcy = logNormalDarcy.replacing("grid: 33", with: "grid: 129\nstored_grid: 33")
  static let coarseDarcy = darcy.replacing("grid: 33", with: "grid: 129\nstored_grid: 33")

  /// Generates a dataset, altered, and states in it what `stated` says, by default the truth.
  static func make(
    _ text: String, _ overrides: [String] = [], stated: [String] = [], at path: String,
    change: @escaping @Sendable (_ sample: Int, _ fields: inout [Tensor<Double>]) -> Void = { _, _ in }
  ) throws {
    let config = try GenerateConfig(ConfigSection(parsing: text, path: "test", overrides: overrides))
    let claim = try GenerateConfig(ConfigSection(parsing: text, path: "test", overrides: overrides + stated))
    var source = AlteredSource(try config.makeSource(), change: change)
    source.description = try claim.makeSource().description
    try generateDataset(
      from: source, samples: 0..<config.samples, to: path,
      options: GenerationOptions(
        provenance: DatasetProvenance(
          config: claim.resolvedYAML, solver: claim.equation.method, seed: UInt64(claim.seed),
          software: "test"),
        precision: config.precision, writesXDMF: false))
  }

  /// The audit of a dataset that was generated, altered.
  static func audit(
    _ text: String, _ overrides: [String] = [], stated: [String] = [], settings: [String] = [],
    change: @escaping @Sendable (_ sample: Int, _ fields: inout [Tensor<Double>]) -> Void = { _, _ in }
  ) throws -> AuditReport {
    try withTemporaryFolder { folder in
      let path = "\(folder)/data.h5"
      try make(text, overrides, stated: stated, at: path, change: change)
      return try report(path, settings: settings)
    }
  }

  static func report(_ path: String, settings: [String] = []) throws -> AuditReport {
    try AuditStage.report(
      AuditStage.Request(path: path, settings: settings), Console(isQuiet: true, isLive: false))
  }
}

extension AuditReport {
  /// The checks that do not pass, with their messages.
  var complaints: [String] {
    results.filter { $0.verdict == .warn || $0.verdict == .fail }.map {
      "\($0.check.rawValue): \($0.message)"
    }
  }

  /// Whether a check failed with a finding about one sample in these words.
  func finds(_ check: CheckName, sample: Int?, frame: Int? = nil, _ words: String) -> Bool {
    guard let result = self[check], result.verdict == .fail else { return false }
    return result.findings.contains { finding in
      finding.text.contains(words) && finding.place?.sample == sample
        && (frame == nil || finding.place?.frame == frame)
    }
  }

  /// The samples that the findings of a check name.
  func samples(_ check: CheckName) -> [Int] {
    (self[check]?.findings ?? []).compactMap { $0.place?.sample }.sorted()
  }
}

extension Tensor<Double> {
  /// Multiplies the numbers of one frame, of `[time, ...grid]`, or of all.
  mutating func multiply(frame: Int? = nil, by factor: Double) {
    let size = count / (frame == nil ? 1 : shape[0])
    let start = (frame ?? 0) * size
    withUnsafeMutableBuffer { values in for index in start..<start + size { values[index] *= factor } }
  }

  /// Exchanges the axes of one frame, of `[time, x, y]`, or of all; of a steady field, of it.
  mutating func transpose(frame: Int? = nil) {
    let side = shape[rank - 1]
    let frames = count / (side * side)
    withUnsafeMutableBuffer { values in
      for one in frame.map({ [$0] }) ?? Array(0..<frames) {
        for i in 0..<side {
          for j in 0..<i { values.swapAt(one * side * side + i * side + j, one * side * side + j * side + i) }
        }
      }
    }
  }
}

/// The samples of a configuration.
func sampleSource(_ text: String) throws -> any SampleSource {
  try GenerateConfig(ConfigSection(parsing: text, path: "test")).makeSource()
}
