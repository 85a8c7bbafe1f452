/// Every number is finite.
struct FiniteValues: SampleCheck {
  let name = CheckName.finiteValues
  let takesNonFinite = true
  let subject: Subject

  /// How many numbers are not finite, and the first of them.
  struct Measurement: Sendable {
    var sample: Int
    var count: Int
    var first: Place?
  }

  func measure(_ sample: AuditedSample) -> Measurement {
    var result = Measurement(sample: sample.index, count: 0)
    guard !sample.isFinite else { return result }
    let grid = subject.description.grid
    let size = grid.reduce(1, *)
    for field in subject.description.fields {
      guard let values = sample.fields[field.name] else { continue }
      values.withUnsafeBuffer { values in
        for (position, value) in values.enumerated() where !value.isFinite {
          result.count += 1
          if result.first == nil {
            result.first = Place(
              sample: sample.index, field: field.name,
              frame: field.isTimeVarying ? position / size : nil,
              point: Frame.point(position % size, grid: grid))
          }
        }
      }
    }
    return result
  }

  func conclude(_ measurements: [Measurement]) -> CheckResult {
    CheckResult(
      name,
      of: measurements.map {
        Judged(value: Double($0.count), bound: 0, place: $0.first ?? Place(sample: $0.sample))
      },
      reason: "numbers of a sample that are infinite or not a number",
      passing: "every number is finite"
    ) { wrong in
      Finding(
        "\(Int(wrong.value)) numbers are infinite or not a number", at: wrong.place,
        advice: "generate the sample again; training on it would give weights that are not numbers")
    }
  }
}
