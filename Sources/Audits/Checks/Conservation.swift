/// The mean of the field stays what it was.
struct Conservation: SampleCheck {
  let name = CheckName.conservation
  let subject: Subject
  /// Whether points were left out between the solver's grid and the stored one, as far as is known.
  let isStrided: Bool

  func measure(_ sample: AuditedSample) -> Judged {
    var worst: Judged?
    var first: (mean: Double, slack: Double)?
    for frame in subject.trajectory.indices {
      let (mean, largest) = sample.withFrame(frame) { (Frame.mean($0), Frame.largest($0).value) }
      // Each stored number is rounded by at most this much, and so is their mean; the mean over every stride-th
      // point also has the part of the wave numbers that are multiples of the number of points.
      let folded = isStrided ? 6 * sample.spectrum(frame).foldedIntoMean.squareRoot() : 0
      let slack = 2 * subject.rounding(ofFrame: frame) * largest + folded + 1e-12 * largest
      if let first {
        worst = .worse(
          worst,
          Judged(
            value: abs(mean - first.mean), bound: slack + first.slack,
            place: subject.place(sample.index, frame: frame)))
      } else {
        first = (mean, slack)
      }
    }
    return worst ?? Judged(value: 0, bound: 1, place: Place(sample: sample.index))
  }

  func conclude(_ measurements: [Judged]) -> CheckResult {
    CheckResult(
      name, of: measurements,
      reason: "change of the mean since the first frame; rounding of the stored numbers and, for every "
        + "stride-th point, the part of the field that the stored grid does not hold",
      passing: "the mean of the field is conserved"
    ) { wrong in
      Finding(
        "the mean has changed by \(Words.number(wrong.value)) since the first frame", at: wrong.place,
        advice: "the equation conserves it: solve the sample again with a conservative scheme")
    }
  }
}
