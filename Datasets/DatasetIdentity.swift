import Foundation

/// What the samples of a dataset file depend on: files that agree in it hold the same bits.
struct DatasetIdentity: Codable, Equatable {
  var description: DatasetDescription
  /// The number of the first sample and the one after the last.
  var samples: [Int]
  var precision: StoredPrecision
  var provenance: DatasetProvenance

  init(
    _ description: DatasetDescription, samples: Range<Int>, precision: StoredPrecision,
    provenance: DatasetProvenance
  ) {
    self.description = description
    self.samples = [samples.lowerBound, samples.upperBound]
    self.precision = precision
    self.provenance = provenance
  }

  /// The identity of a finished file, or nil if it does not say where it comes from.
  init?(of file: DatasetFile) throws {
    guard let provenance = file.provenance, let numbers = try file.sampleSeeds(),
      let first = numbers.first.flatMap({ Int(exactly: $0) }), first < 1 << 48,
      numbers.indices.allSatisfy({ numbers[$0] == UInt64(first + $0) })
    else { return nil }
    self.init(
      file.description, samples: first..<first + file.sampleCount, precision: file.precision,
      provenance: provenance)
  }

  /// A short text that differs if anything does.
  var fingerprint: String {
    get throws {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      var compared = self
      compared.provenance.config = Self.withoutOutput(provenance.config)
      compared.provenance.software = Self.version(provenance.software)
      var checksum = Checksum()
      let data = try encoder.encode(compared)
      data.withUnsafeBytes { checksum.update($0) }
      return "\(String(checksum.value, radix: 16))-\(data.count)"
    }
  }

  /// The first thing in which this differs from another, as `its seed is 1, not 0`; nil if nothing does.
  ///
  /// - Parameter includingSamples: Whether it counts which samples of the dataset are there.
  func difference(from other: DatasetIdentity, includingSamples: Bool = true) -> String? {
    let (ours, theirs) = (provenance, other.provenance)
    if ours.seed != theirs.seed { return "its seed is \(ours.seed), not \(theirs.seed)" }
    let lines = [ours.config, theirs.config].map { config in
      Self.withoutOutput(config).split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    }
    if lines[0] != lines[1] {
      let place = zip(lines[0], lines[1]).prefix { $0 == $1 }.count
      let shown = lines.map { $0.indices.contains(place) ? "'\($0[place])'" : "nothing" }
      return "its configuration has \(shown[0]) where \(shown[1]) is expected"
    }
    if ours.solver != theirs.solver { return "its solver is '\(ours.solver)', not '\(theirs.solver)'" }
    if precision != other.precision { return "its precision is \(precision), not \(other.precision)" }
    if description != other.description { return "its equation, axes, times or fields differ" }
    let versions = [ours, theirs].map { Self.version($0.software) }
    if versions[0] != versions[1] { return "it was made by '\(versions[0])', not by '\(versions[1])'" }
    guard includingSamples else { return nil }
    if samples != other.samples {
      let ranges = [samples, other.samples].map { "\($0[0]) to \($0[1] - 1)" }
      return "it holds the samples \(ranges[0]), not \(ranges[1])"
    }
    if ours.shard != theirs.shard { return "it is another shard of another number of them" }
    return nil
  }

  /// Name and version of a program, without the revision in parentheses that a build from source adds: that of
  /// the checkout may change while its tasks are running.
  private static func version(_ software: String) -> String {
    String(software.prefix { $0 != "(" }).trimmingCharacters(in: .whitespaces)
  }

  /// A configuration without the name of the output, on which no sample depends.
  private static func withoutOutput(_ config: String) -> String {
    config.split(separator: "\n", omittingEmptySubsequences: false).filter { !$0.hasPrefix("output:") }
      .joined(separator: "\n")
  }
}
