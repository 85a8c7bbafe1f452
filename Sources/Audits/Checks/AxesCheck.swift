import Datasets
import Foundation

/// Axes and times are what solvers and loaders take them for.
///
/// Coordinates are finite, increasing and uniform; a periodic axis leaves out its end point, whose values would
/// repeat those of the first; times increase.
struct AxesCheck: SampleCheck {
  let name = CheckName.axes
  let subject: Subject
  /// The length of every axis, where the equation knows it.
  let lengths: [Double]?

  /// For every axis, whether the last values along it repeat the first ones.
  func measure(_ sample: AuditedSample) -> [Bool] {
    let description = subject.description
    let grid = description.grid
    return description.axes.indices.map { axis in
      let step = grid[(axis + 1)...].reduce(1, *)
      let end = (grid[axis] - 1) * step
      return description.fields.allSatisfy { field in
        let rounding = subject.rounding[field.name] ?? 0
        // The last frame: initial values may vanish or be constant.
        let frame = field.isTimeVarying ? description.frameCount - 1 : 0
        return sample.withFrame(frame, of: field.name) { values in
          let slack = 8 * rounding * Frame.largest(values).value
          return values.indices.allSatisfy { index in
            index / step % grid[axis] != 0 || abs(values[index] - values[index + end]) <= slack
          } && values.contains { abs($0 - values[0]) > slack }
        }
      }
    }
  }

  func conclude(_ measurements: [[Bool]]) -> CheckResult {
    var findings: [Finding] = []
    var unknown: [String] = []
    for (index, axis) in subject.description.axes.enumerated() {
      let repeats = !measurements.isEmpty && measurements.allSatisfy { $0[index] }
      if axis.isPeriodic == true, axis.count > 1, repeats {
        findings.append(
          Finding(
            "axis \(axis.name) is periodic, but its last point repeats the first in every sample",
            advice: "leave out the last point: a Fourier transform would see a period that is too long"))
      }
      guard let coordinates = axis.coordinates else {
        unknown.append(axis.name)
        continue
      }
      findings += problems(
        of: coordinates, axis, length: lengths?[index], alreadyFound: !findings.isEmpty)
    }
    if let times = subject.description.times {
      if !times.allSatisfy(\.isFinite) || !zip(times, times.dropFirst()).allSatisfy({ $0 < $1 }) {
        findings.append(
          Finding("the times do not increase: \(Self.start(of: times))", advice: "sort the frames by time"))
      }
    } else {
      unknown.append("time")
    }
    if findings.isEmpty,
      unknown.count == subject.description.axes.count + (subject.trajectory.isEmpty ? 0 : 1)
    {
      return .notApplicable(name, "the file does not say where its points are")
    }
    let left = unknown.isEmpty ? "" : "; the file does not say where the points of \(Words.list(unknown)) are"
    return CheckResult(
      name, findings.isEmpty ? .pass : .fail,
      reason:
        "coordinates increase evenly to a millionth of their spacing, a periodic axis leaves out its end",
      samples: measurements.count, failures: findings.count,
      message: (findings.first?.text ?? "axes and times are even and increasing") + left, findings: findings)
  }

  private func problems(
    of coordinates: [Double], _ axis: DatasetDescription.Axis, length: Double?, alreadyFound: Bool
  ) -> [Finding] {
    let count = coordinates.count
    guard count > 1 else { return [] }
    let steps = zip(coordinates, coordinates.dropFirst()).map { $1 - $0 }
    guard coordinates.allSatisfy(\.isFinite), steps.allSatisfy({ $0 > 0 }) else {
      return [
        Finding(
          "the coordinates of axis \(axis.name) do not increase: \(Self.start(of: coordinates))",
          advice: "write the coordinates of the grid points in their order")
      ]
    }
    let spacing = (coordinates[count - 1] - coordinates[0]) / Double(count - 1)
    // Coordinates may have been rounded to single precision.
    let largest = max(abs(coordinates[0]), abs(coordinates[count - 1]))
    let slack = 1e-6 * spacing + 4 * 0x1p-24 * largest
    if let uneven = steps.firstIndex(where: { abs($0 - spacing) > slack }) {
      return [
        Finding(
          "axis \(axis.name) is not even: step \(uneven) is \(Words.number(steps[uneven])), the mean step "
            + Words.number(spacing),
          advice: "interpolate to an even grid: Fourier layers take one for granted")
      ]
    }
    guard let length, let isPeriodic = axis.isPeriodic else { return [] }
    let expected = isPeriodic ? length / Double(count) : length / Double(count - 1)
    guard abs(spacing - expected) > slack else { return [] }
    if isPeriodic, abs(spacing - length / Double(count - 1)) <= slack {
      return alreadyFound
        ? []
        : [
          Finding(
            "axis \(axis.name) is periodic, but includes its end point \(Words.number(coordinates[count - 1]))",
            advice: "leave out the end point, or correct the coordinates")
        ]
    }
    return [
      Finding(
        "axis \(axis.name) spans \(Words.number(spacing * Double(isPeriodic ? count : count - 1), digits: 6)), "
          + "the domain of the equation \(Words.number(length, digits: 6))",
        advice: "correct the coordinates, or state the equation's scaling")
    ]
  }

  private static func start(of values: [Double]) -> String {
    values.prefix(4).map { Words.number($0, digits: 6) }.joined(separator: ", ")
      + (values.count > 4 ? ", …" : "")
  }
}
