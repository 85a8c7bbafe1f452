import Foundation

/// The norm of the field grows no faster than the forcing allows.
struct EnergyBound: SampleCheck {
  let name = CheckName.energy
  let subject: Subject
  /// Whether points were left out between the solver's grid and the stored one, as far as is known.
  let isStrided: Bool
  /// The largest root mean square after a time, from that at its start.
  let bound: @Sendable (_ norm: Double, _ duration: Double) -> Double

  func measure(_ sample: AuditedSample) -> Judged {
    var worst: Judged?
    var before: (norm: Double, slack: Double, time: Double)?
    for frame in subject.trajectory.indices {
      guard let time = subject.trajectory[frame].time else { continue }
      let norm = sample.withFrame(frame) { Frame.norm($0) }
      let folded = isStrided ? sample.spectrum(frame).beyond.squareRoot() : 0
      let slack = 2 * folded + (1e-3 + 2 * subject.rounding(ofFrame: frame)) * norm
      if let before {
        let allowed = bound(before.norm, time - before.time)
        worst = .worse(
          worst,
          Judged(
            value: norm, bound: allowed + before.slack + slack,
            place: subject.place(sample.index, frame: frame)))
      }
      before = (norm, slack, time)
    }
    return worst ?? Judged(value: 0, bound: 1, place: Place(sample: sample.index))
  }

  func conclude(_ measurements: [Judged]) -> CheckResult {
    CheckResult(
      name, of: measurements,
      reason: "root mean square of a frame; the most that the energy inequality allows after the frame "
        + "before, 0.1 % for the solver, and what the stored grid does not hold",
      passing: "no frame has more energy than the equation allows"
    ) { wrong in
      Finding(
        "its root mean square is \(Words.number(wrong.value)), at most \(Words.number(wrong.bound)) can "
          + "come from the frame before", at: wrong.place,
        advice: "look for a wrong scale, or solve the sample again with a smaller time step")
    }
  }
}
