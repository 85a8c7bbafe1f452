import Foundation

/// The coefficient is positive, and has the values that the file states.
struct CoefficientValues: SampleCheck {
  let name = CheckName.inputs
  let subject: Subject
  let field: String
  let values: [Double]?

  struct Measurement: Sendable {
    var judged: Judged
    /// The share of the points that have the largest of the stated values.
    var share: Double
  }

  func measure(_ sample: AuditedSample) -> Measurement {
    let grid = subject.description.grid
    let slack = 4 * (subject.rounding[field] ?? 0)
    return sample.withFrame(0, of: field) { numbers in
      func judged(_ value: Double, _ bound: Double, _ position: Int) -> Judged {
        Judged(
          value: value, bound: bound,
          place: Place(sample: sample.index, field: field, point: Frame.point(position, grid: grid)),
          detail: numbers[position])
      }
      guard let values, let largest = values.max() else {
        let position = numbers.indices.min { numbers[$0] < numbers[$1] } ?? 0
        // Not positive: as wrong as can be.
        let isPositive = numbers[position] > 0
        return Measurement(judged: judged(isPositive ? 0 : 1, isPositive ? 1 : 0, position), share: .nan)
      }
      var worst: Judged?
      var count = 0
      for position in numbers.indices {
        let distance = values.map { abs(numbers[position] - $0) }.min() ?? 0
        if distance > worst?.value ?? -1 { worst = judged(distance, slack * largest, position) }
        if abs(numbers[position] - largest) <= slack * largest { count += 1 }
      }
      return Measurement(
        judged: worst ?? judged(0, 1, 0), share: Double(count) / Double(max(1, numbers.count)))
    }
  }

  func conclude(_ measurements: [Measurement]) -> CheckResult {
    guard !subject.unlabelled.contains(field) else {
      return .notApplicable(
        name, "'\(field)' is stored as false and true; give --set permeability_below=... and _above=...")
    }
    let list = (values ?? []).map { Words.number($0, digits: 6) }.joined(separator: " or ")
    var result = CheckResult(
      name, of: measurements.map(\.judged),
      reason: values == nil ? "the coefficient is positive" : "distance from the stated values; rounding",
      passing: values == nil ? "'\(field)' is positive" : "'\(field)' is \(list) everywhere"
    ) { wrong in
      values == nil
        ? Finding(
          "the coefficient is \(Words.number(wrong.detail)), not positive", at: wrong.place,
          advice: "the equation has no solution there: leave the sample out")
        : Finding(
          "a value is \(Words.number(wrong.detail)), not \(list)", at: wrong.place,
          advice: "look for a wrong scale, or state the values that the file has")
    }
    // A Gaussian field of mean zero is as often above zero as below; samples are independent.
    let shares = measurements.map(\.share).filter { !$0.isNaN }
    guard values?.count == 2, result.verdict == .pass, shares.count >= 16 else { return result }
    let mean = shares.reduce(0, +) / Double(shares.count)
    let variance = shares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(shares.count - 1)
    let deviation = (variance / Double(shares.count)).squareRoot()
    if abs(mean - 0.5) > InputLaw.limit * deviation {
      let finding = Finding(
        "\(Words.number(100 * mean)) % of the points have the larger value, not half of them",
        advice: "the field whose sign decides has not mean zero: correct what the file states")
      result.verdict = .warn
      result.message = finding.text
      result.findings = [finding]
    }
    return result
  }
}
