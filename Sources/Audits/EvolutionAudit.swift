import Foundation
import Solvers
import Tensors

/// Whether the frames of an evolution follow from each other, and with which value of the parameter.
struct EvolutionAudit {
  private let equation: any AuditedEvolution
  private let solving: Solving
  private let subject: Subject
  private let resolver: Resolver

  /// How many samples are diagnosed if more are wrong.
  private static let diagnosisLimit = 6
  /// The samples and the pairs of each that the parameter is fitted to.
  private static let fitSamples = 8
  private static let fitPairs = 3

  init(_ equation: any AuditedEvolution, _ solving: Solving) {
    self.equation = equation
    self.solving = solving
    subject = solving.subject
    resolver = Resolver(equation: equation, subject: solving.subject, seed: solving.seed)
  }

  /// The results of the checks `equation` and `parameter`.
  func results() throws -> [CheckResult] {
    let why: String? =
      if subject.trajectory.count < 2 {
        "there is one frame: nothing follows from anything"
      } else if subject.trajectory.contains(where: { $0.time == nil }) {
        "the file does not say when its frames are; give --set times=0,1 or FIRST:LAST"
      } else if solving.samples.isEmpty {
        "no sample has finite numbers"
      } else {
        nil
      }
    if let why {
      let checks: [CheckName] = equation.parameter == nil ? [.equation] : [.equation, .parameter]
      return checks.map { .notApplicable($0, why) }
    }
    let fit = try equation.parameter.map { try ParameterFit($0, resolver, solving, pairs: fittedPairs()) }
    guard equation.parameter == nil || equation.parameter?.stated != nil || fit?.value != nil else {
      return [
        .notApplicable(.equation, "the file does not state the \(equation.parameter?.name ?? "")"),
        .notApplicable(.parameter, "no value of it brings the frames together"),
      ]
    }
    let parameter = equation.parameter?.stated ?? fit?.value
    let equationResult = try equationCheck(parameter: parameter, fit: fit)
    return [equationResult] + (fit.map { [$0.result] } ?? [])
  }

  // MARK: - The equation

  private struct Pair {
    let sample: Int
    let frame: Int
    var mismatch: Mismatch
  }

  private func equationCheck(parameter: Double?, fit: ParameterFit?) throws -> CheckResult {
    var outcomes: [Pair] = []
    let points = subject.description.grid.reduce(1, *)
    let perSample = subject.trajectory.count - 1
    // As many pairs at once as keep all threads busy; small, so that the audit can be stopped.
    let wanted = (points <= 4096 ? 16 : 2) * Parallelism.threadCount
    let length = max(1, wanted / perSample)
    for start in stride(from: 0, to: solving.samples.count, by: length) {
      let samples = Array(solving.samples[start..<min(start + length, solving.samples.count)])
      let pairs = try samples.flatMap { try self.pairs(of: frames(of: $0), sample: $0) }
      for part in stride(from: 0, to: pairs.count, by: wanted) {
        let some = Array(pairs[part..<min(part + wanted, pairs.count)])
        try solving.progress(.solving, start, solving.samples.count)
        outcomes += zip(some, resolver.mismatches(some, parameter: parameter)).map {
          Pair(sample: $0.sample, frame: $0.frame, mismatch: $1)
        }
      }
    }
    let amplification = Statistics.median(
      outcomes.map(\.mismatch).filter { $0.failure == nil && $0.perturbation > 0 }.map {
        $0.change / $0.perturbation
      })
    for index in outcomes.indices { outcomes[index].mismatch.expect(amplification: amplification) }
    let decidable = outcomes.filter { !$0.mismatch.isUndecidable }
    guard !decidable.isEmpty else {
      return .notApplicable(
        .equation,
        "between two frames, solutions forget where they started: errors of the stored numbers grow to "
          + "\(Words.number(outcomes.map(\.mismatch.change).min() ?? 0)) of the solution")
    }
    // The worst pair of every sample.
    let bySample = Dictionary(grouping: decidable, by: \.sample)
    let judged = solving.samples.compactMap { sample -> Judged? in
      bySample[sample]?.map {
        Judged(
          value: $0.mismatch.value, bound: $0.mismatch.bound, place: subject.place(sample, frame: $0.frame))
      }.reduce(nil as Judged?) { Judged.worse($0, $1) }
    }
    let wrong = judged.filter(\.isWrong).sorted { $0.excess > $1.excess }
    var diagnoses: [Int: Finding] = [:]
    for one in wrong.prefix(Self.diagnosisLimit) {
      try solving.progress(.diagnosing, diagnoses.count, min(wrong.count, Self.diagnosisLimit))
      diagnoses[one.place.sample] = try diagnose(
        one, (bySample[one.place.sample] ?? []).filter { $0.mismatch.excess > 1 }, parameter: parameter,
        amplification: amplification)
    }
    let stated = parameter.map { ", \(equation.parameter?.name ?? "") \(Words.number($0, digits: 4))" } ?? ""
    var result = CheckResult(
      .equation, of: judged,
      reason: "distance of a frame from the solution that starts at the frame before, relative to the frame; "
        + "four times the change of that solution with another scheme and a start as uncertain as the stored "
        + "numbers, the rounding of the frame, and the tolerance of its steps",
      passing: "every frame follows from the one before (\(equation.name)\(stated))"
    ) { wrong in
      diagnoses[wrong.place.sample] ?? Self.undiagnosed(wrong)
    }
    if result.samples < solving.samples.count {
      result.message += "; \(solving.samples.count - result.samples) samples are chaotic beyond judgement"
    }
    if 2 * wrong.count > judged.count, let value = fit?.value, fit?.differs == true {
      result.findings.insert(
        Finding(
          "most samples do not follow with the stated \(equation.parameter?.name ?? "parameter"): "
            + "the data have \(Words.number(value, digits: 4))",
          advice: "state that value, or generate the data again"), at: 0)
    }
    return result
  }

  private static func undiagnosed(_ wrong: Judged) -> Finding {
    Finding(
      "the frame does not follow from the one before: mismatch \(Words.number(wrong.value)), bound "
        + Words.number(wrong.bound), at: wrong.place,
      advice: "generate the sample again with a smaller time step, or leave it out")
  }

  // MARK: - What may have happened

  /// What, if it is undone, makes the pairs of a sample right again.
  private func diagnose(
    _ worst: Judged, _ wrong: [Pair], parameter: Double?, amplification: Double
  ) throws -> Finding {
    if let failure = wrong.compactMap(\.mismatch.failure).first {
      return Finding(
        "the solver cannot go on from the frame before: \(failure)", at: worst.place,
        advice: "generate the sample again, or leave it out")
    }
    let sample = worst.place.sample
    let frames = try frames(of: sample)
    let bad = wrong.map(\.frame)
    struct Hypothesis {
      let frame: Int?
      let alteration: Alteration
      let excess: Double
    }
    var accepted: [Hypothesis] = []
    func consider(_ alteration: Alteration, frame: Int?) {
      let altered = frames.indices.map { index in
        frame == nil || frame == index ? alteration.undone(frames[index]) : frames[index]
      }
      // All bad pairs must become right, and no pair that the frame belongs to may become wrong.
      let touched = Set(bad + (frame.map { [$0, $0 + 1] } ?? [])).filter { $0 >= 1 && $0 < frames.count }
      let excess = resolver.mismatches(
        pairs(of: altered, sample: sample).filter { touched.contains($0.frame) }, parameter: parameter,
        amplification: amplification
      ).map(\.excess).max()
      if let excess, excess <= 2 {
        accepted.append(Hypothesis(frame: frame, alteration: alteration, excess: excess))
      }
    }
    let alterations = Alteration.candidates(dimensions: frames[0].rank)
    let factors = [2, 0.5, 10, 0.1].map { Alteration.multiplied(by: $0) }
    // A single frame makes the pair that it ends and the one that it begins wrong.
    var suspects = Set(bad)
    suspects.formUnion(bad.map { $0 - 1 })
    for frame in suspects.sorted() where bad.allSatisfy({ $0 == frame || $0 == frame + 1 }) {
      for alteration in alterations { consider(alteration, frame: frame) }
      if let factor = wrong.first(where: { $0.frame == frame })?.mismatch.factor, factor > 0 {
        consider(.multiplied(by: 1 / factor), frame: frame)
      } else if frame == 0 {
        for factor in factors { consider(factor, frame: frame) }
      }
    }
    for alteration in alterations + factors { consider(alteration, frame: nil) }
    guard let best = accepted.min(by: { $0.excess < $1.excess }) else { return Self.undiagnosed(worst) }
    let axes = subject.description.axes.map(\.name)
    // Symmetries of the equation make some alterations the same.
    let others = accepted.filter {
      $0.frame == best.frame && $0.alteration != best.alteration && $0.excess <= 1.5 * best.excess + 0.1
    }
    let first = others.isEmpty ? best : accepted.first { $0.frame == best.frame } ?? best
    let text =
      first.alteration.text(axes: axes)
      + (others.isEmpty
        ? ""
        : ", or " + (others + [best]).first { $0.alteration != first.alteration }!.alteration.text(axes: axes))
    let place =
      best.frame.map { subject.place(sample, frame: $0) } ?? Place(sample: sample, field: worst.place.field)
    return Finding(text, at: place, advice: first.alteration.advice)
  }

  // MARK: - Frames

  private func frames(of sample: Int) throws -> [Tensor<Double>] {
    let fields = try solving.sample(sample)
    return subject.trajectory.indices.map { fields.frame($0) }
  }

  private func pairs(of frames: [Tensor<Double>], sample: Int) -> [FramePair] {
    (1..<frames.count).compactMap { frame in
      guard let before = subject.trajectory[frame - 1].time, let time = subject.trajectory[frame].time,
        time > before
      else { return nil }
      return FramePair(
        sample: sample, frame: frame, start: frames[frame - 1], end: frames[frame], duration: time - before,
        rounding: max(subject.rounding(ofFrame: frame - 1), subject.rounding(ofFrame: frame)))
    }
  }

  /// A few pairs of a few samples, chosen at random.
  private func fittedPairs() throws -> [FramePair] {
    var random = Philox(seed: solving.seed, stream: Resolver.stream)
    let order = random.permutation(solving.samples.count).prefix(Self.fitSamples).sorted()
    return try order.flatMap { index in
      let sample = solving.samples[index]
      let pairs = pairs(of: try frames(of: sample), sample: sample)
      return random.permutation(pairs.count).prefix(Self.fitPairs).sorted().map { pairs[$0] }
    }
  }
}
