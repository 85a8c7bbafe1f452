/// The largest value of an evolution never grows, the smallest never falls.
struct MaximumPrinciple: SampleCheck {
  let name = CheckName.maximumPrinciple
  let subject: Subject

  func measure(_ sample: AuditedSample) -> Judged {
    var worst: Judged?
    var before: (low: Double, high: Double, slack: Double)?
    let grid = subject.description.grid
    for frame in subject.trajectory.indices {
      sample.withFrame(frame) { values in
        var (low, high) = (0, 0)
        for index in values.indices {
          if values[index] < values[low] { low = index }
          if values[index] > values[high] { high = index }
        }
        if let before {
          let (above, below) = (values[high] - before.high, before.low - values[low])
          worst = .worse(
            worst,
            Judged(
              value: max(0, above, below), bound: before.slack,
              place: subject.place(
                sample.index, frame: frame, point: Frame.point(above > below ? high : low, grid: grid))))
        }
        let size = max(abs(values[low]), abs(values[high]))
        before = (
          values[low], values[high],
          Self.betweenPoints(values, grid: grid) + 4 * subject.rounding(ofFrame: frame) * size + 1e-3 * size
        )
      }
    }
    return worst ?? Judged(value: 0, bound: 1, place: Place(sample: sample.index))
  }

  /// How far a smooth field may go beyond its values at the points of a periodic grid: a parabola through three
  /// neighbours exceeds the middle one by at most an eighth of their second difference, on every axis.
  private static func betweenPoints(_ values: UnsafeBufferPointer<Double>, grid: [Int]) -> Double {
    var sum = 0.0
    for axis in grid.indices {
      let step = grid[(axis + 1)...].reduce(1, *)
      let length = grid[axis]
      var largest = 0.0
      for index in values.indices {
        let along = index / step % length
        let next = along + 1 < length ? index + step : index - along * step
        let previous = along > 0 ? index - step : index + (length - 1) * step
        largest = max(largest, abs(values[next] - 2 * values[index] + values[previous]))
      }
      sum += largest / 8
    }
    return 2 * sum
  }

  func conclude(_ measurements: [Judged]) -> CheckResult {
    CheckResult(
      name, of: measurements,
      reason:
        "how far a frame goes beyond the extremes of the frame before; what the field may reach between "
        + "the stored points (a quarter of the largest second difference), and 0.1 % for spectral solvers",
      passing: "no frame goes beyond the extremes of the one before"
    ) { wrong in
      Finding(
        "it goes beyond the extremes of the frame before by \(Words.number(wrong.value))", at: wrong.place,
        advice: "no solution of this equation does: solve the sample again")
    }
  }
}
