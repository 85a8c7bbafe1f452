/// The grid holds the fields: the highest wave numbers carry little.
struct SpectrumTail: SampleCheck {
  let name = CheckName.spectrumTail
  let subject: Subject

  /// The share of the norm in the highest eighth of the wave numbers above which a field is not resolved.
  ///
  /// The same that the Burgers solver refuses: oscillations are visible from there on.
  static let limit = 1e-2

  func measure(_ sample: AuditedSample) -> Judged {
    var worst: Judged?
    // Initial values may be rough by their law; what the equation makes of them is what a grid must hold.
    let frames = subject.trajectory.indices
    for frame in frames.count > 1 ? frames.dropFirst() : frames {
      let spectrum = sample.spectrum(frame)
      let end = spectrum.powers.count - 1
      let all = spectrum.fluctuation
      let tail = all > 0 ? (spectrum.power(from: end - end / 8) / all).squareRoot() : 0
      worst = .worse(
        worst, Judged(value: tail, bound: Self.limit, place: subject.place(sample.index, frame: frame)))
    }
    return worst ?? Judged(value: 0, bound: Self.limit, place: Place(sample: sample.index))
  }

  func conclude(_ measurements: [Judged]) -> CheckResult {
    CheckResult(
      name, of: measurements, otherwise: .warn,
      reason: "share of the norm in the highest eighth of the wave numbers; from 1 % on the grid does not "
        + "hold the field, and points kept by striding fold what it does not hold into the rest",
      passing: "the grid holds the fields"
    ) { wrong in
      Finding(
        "the highest eighth of the wave numbers carries \(Words.number(100 * wrong.value)) % of the norm",
        at: wrong.place, advice: "store more points, or do not take derivatives of these fields")
    }
  }
}
