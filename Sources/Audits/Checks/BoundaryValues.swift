/// The field vanishes on the boundary of a rectangle.
struct BoundaryValues: SampleCheck {
  let name = CheckName.boundaryValues
  let subject: Subject
  let field: String

  func measure(_ sample: AuditedSample) -> Judged {
    let grid = subject.description.grid
    return sample.withFrame(0, of: field) { values in
      let largest = Frame.largest(values).value
      var worst = (value: 0.0, position: 0)
      for position in values.indices {
        let point = Frame.point(position, grid: grid)
        guard zip(point, grid).contains(where: { $0 == 0 || $0 == $1 - 1 }) else { continue }
        if abs(values[position]) > worst.value { worst = (abs(values[position]), position) }
      }
      return Judged(
        value: worst.value, bound: max(.leastNormalMagnitude, 1e-6 * largest),
        place: Place(
          sample: sample.index, field: field, point: Frame.point(worst.position, grid: grid)),
        detail: values[worst.position])
    }
  }

  func conclude(_ measurements: [Judged]) -> CheckResult {
    CheckResult(
      name, of: measurements,
      reason:
        "largest absolute value on the boundary, where the solution is zero; a millionth of the largest "
        + "value of the sample, for files that were rounded or resampled",
      passing: "'\(field)' is zero on the boundary"
    ) { wrong in
      Finding(
        "a boundary value is \(Words.number(wrong.detail)) instead of 0", at: wrong.place,
        advice: "set it to zero, as the boundary condition says, and look at the points beside it")
    }
  }
}
