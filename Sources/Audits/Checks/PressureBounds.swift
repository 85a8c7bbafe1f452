import Foundation

/// The solution of −∇·(a ∇u) = f ≥ 0 with zero boundary values is not negative, and not larger than that of a
/// disc of the same area with the smallest coefficient.
///
/// The upper bound max f · |Ω| / (4π min a) is Talenti's ("Elliptic equations and rearrangements", 1976).
struct PressureBounds: SampleCheck {
  let name = CheckName.maximumPrinciple
  let subject: Subject
  let permeability: String
  let pressure: String
  let source: Double

  /// A discrete solution of low resolution may exceed the bound of the continuous one by a little.
  private static let slack = 1.05

  func measure(_ sample: AuditedSample) -> Judged {
    let smallest = sample.withFrame(0, of: permeability) { $0.min() ?? 0 }
    let grid = subject.description.grid
    let sign = source < 0 ? -1.0 : 1
    return sample.withFrame(0, of: pressure) { values in
      var (low, high) = (0, 0)
      for index in values.indices {
        if sign * values[index] < sign * values[low] { low = index }
        if sign * values[index] > sign * values[high] { high = index }
      }
      let largest = max(abs(values[low]), abs(values[high]))
      func judged(_ value: Double, _ bound: Double, _ position: Int) -> Judged {
        Judged(
          value: max(0, value), bound: bound,
          place: Place(sample: sample.index, field: pressure, point: Frame.point(position, grid: grid)),
          detail: values[position])
      }
      let below = judged(-sign * values[low], max(.leastNormalMagnitude, 1e-6 * largest), low)
      let limit = Self.slack * abs(source) / (4 * .pi * smallest)
      let above = judged(sign * values[high], limit, high)
      return below.excess > max(1, above.excess) ? below : above
    }
  }

  func conclude(_ measurements: [Judged]) -> CheckResult {
    CheckResult(
      name, of: measurements,
      reason: "the solution is at least 0 (to a millionth of its largest value), and at most f / (4π min a)",
      passing: "'\(pressure)' is between 0 and its upper bound"
    ) { wrong in
      wrong.detail * (source < 0 ? -1 : 1) < 0
        ? Finding(
          "its value \(Words.number(wrong.detail)) has the wrong sign: the solution lies on one side of 0",
          at: wrong.place, advice: "look for a flipped sign, or for interpolation that overshoots")
        : Finding(
          "its value \(Words.number(wrong.detail)) is above the bound \(Words.number(wrong.bound))",
          at: wrong.place, advice: "look for a wrong scale of the solution, the coefficient or the source")
    }
  }
}
