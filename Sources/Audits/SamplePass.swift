import Datasets
import Foundation
import HDF5
import Tensors

/// One pass over all samples: reads each once, verifies its checksum, and lets every check measure it.
///
/// Samples are read in runs of a few megabytes and measured on all threads.
struct SamplePass {
  /// The results of the checks, and that of `checksums`.
  private(set) var results: [CheckResult] = []
  /// The samples that can be read and hold finite numbers only.
  private(set) var sound: [Int] = []
  /// Those among them whose frames fit least together.
  private(set) var suspects: Set<Int> = []
  /// The fields of the samples that were to be kept.
  private(set) var kept: [Int: [String: Tensor<Double>]] = [:]

  init(
    _ dataset: any ReadableDataset, _ subject: Subject, checks: [any SampleCheck], keeping wanted: Set<Int>,
    progress: (_ step: AuditStep, _ done: Int, _ total: Int) throws -> Void
  ) throws {
    let running = checks.map { $0.running() }
    var integrity = Integrity(dataset)
    var relations: [Relation] = []
    let fields = subject.description.fields
    guard
      let largest = fields.max(by: {
        subject.description.shape(of: $0).reduce(1, *) < subject.description.shape(of: $1).reduce(1, *)
      })
    else { return }
    for run in dataset.sampleRuns(of: largest) {
      try progress(.reading, run.lowerBound, dataset.sampleCount)
      for (part, values) in integrity.read(run) {
        for sample in wanted.intersection(part) {
          let index = sample - part.lowerBound
          kept[sample] = Dictionary(
            uniqueKeysWithValues: zip(fields, values).map {
              ($0.name, $1[first: index..<index + 1].dropFirstAxis())
            })
        }
        let measured = parallelMap(part.count) { index in
          let sample = AuditedSample(
            index: part.lowerBound + index, subject: subject,
            fields: Dictionary(
              uniqueKeysWithValues: zip(fields, values).map {
                ($0.name, $1[first: index..<index + 1].dropFirstAxis())
              }))
          return (
            isFinite: sample.isFinite, numbers: running.map { $0.measure(sample) },
            relation: sample.isFinite ? Relation(sample) : nil
          )
        }
        for (index, measured) in measured.enumerated() {
          for (check, number) in zip(running, measured.numbers) { check.add(number) }
          if measured.isFinite { sound.append(part.lowerBound + index) }
          if let relation = measured.relation { relations.append(relation) }
        }
      }
    }
    results = [integrity.result] + running.map { $0.conclude() }
    suspects = Relation.extremes(of: relations)
  }
}

/// Which samples can be read and are as they were written.
private struct Integrity {
  private let dataset: any ReadableDataset
  private var findings: [Finding] = []
  private var failures = 0
  private var hasChecksums = false

  init(_ dataset: any ReadableDataset) { self.dataset = dataset }

  /// The fields of the parts of a run that can be read; what cannot is remembered.
  mutating func read(_ run: Range<Int>) -> [(part: Range<Int>, fields: [Tensor<Double>])] {
    do {
      if let file = dataset as? DatasetFile, try file.verifyChecksums(samples: run) { hasChecksums = true }
      return [(run, try fields(of: run))]
    } catch {
      guard run.count == 1 else { return run.flatMap { read($0..<$0 + 1) } }
      failures += 1
      let place = Place(sample: run.lowerBound)
      let advice = "restore the file from a copy, or generate it again"
      if case DatasetError.wrongChecksum = error, let fields = try? fields(of: run) {
        findings.append(Finding("it is not as it was written (wrong checksum)", at: place, advice: advice))
        return [(run, fields)]
      }
      findings.append(
        Finding(
          "it cannot be read: \((error as? HDF5Error)?.message ?? "\(error)")", at: place, advice: advice))
      return []
    }
  }

  private func fields(of run: Range<Int>) throws -> [Tensor<Double>] {
    try dataset.description.fields.map { field in
      try dataset.readDouble(field: field.name, samples: run, frames: nil, stride: 1, requiresFinite: false)
    }
  }

  var result: CheckResult {
    let count = dataset.sampleCount
    guard failures == 0 else {
      let text = failures == 1 ? "\(findings[0].place?.text ?? ""): \(findings[0].text)" : nil
      return CheckResult(
        .checksums, .fail, value: Double(failures), bound: 0, reason: "samples that are damaged",
        worst: findings.first?.place, samples: count, failures: failures,
        message: text ?? "\(Words.count(failures, of: count, "sample")) damaged", findings: findings)
    }
    guard hasChecksums else {
      return .notApplicable(.checksums, "the file has no checksums of its samples; all could be read")
    }
    return CheckResult(
      .checksums, .pass, value: 0, bound: 0, reason: "samples that are damaged", samples: count,
      message: "every sample is as it was written")
  }
}

/// How the frames of a sample go with each other: cheap, and unusual where a frame was altered.
private struct Relation: Sendable {
  let sample: Int
  /// For every frame but the first, its correlation with the frame before, and the logarithm of the ratio of
  /// their norms.
  let numbers: [Double]

  init?(_ sample: AuditedSample) {
    let frames = sample.subject.trajectory.count
    guard frames > 1 else { return nil }
    self.sample = sample.index
    numbers = (1..<frames).flatMap { frame -> [Double] in
      sample.withFrame(frame - 1) { before in
        sample.withFrame(frame) { after in
          let (x, y) = (before.baseAddress!, after.baseAddress!)
          let (xx, yy) = (Double.dot(before.count, x, x), Double.dot(after.count, y, y))
          guard xx > 0, yy > 0 else { return [0, 0] }
          return [Double.dot(before.count, x, y) / (xx * yy).squareRoot(), log(yy / xx)]
        }
      }
    }
  }

  /// The samples whose numbers are farthest from the medians, in robust deviations; 12 at most.
  static func extremes(of relations: [Relation]) -> Set<Int> {
    guard let first = relations.first else { return [] }
    var scores = [Double](repeating: 0, count: relations.count)
    for number in first.numbers.indices {
      let values = relations.map(\.numbers[number])
      let median = Statistics.median(values)
      let deviation = max(1e-9, Statistics.robustDeviation(values, about: median))
      for (index, value) in values.enumerated() {
        scores[index] = max(scores[index], abs(value - median) / deviation)
      }
    }
    let order = relations.indices.sorted { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1 }
    return Set(order.prefix(12).map { relations[$0].sample })
  }
}
