import Foundation

/// No sample is far larger or smaller than the others.
///
/// The logarithm of each frame's root mean square, against the median and the median absolute deviation of all
/// samples: neither is moved by the outliers themselves.
struct Outliers: SampleCheck {
  let name = CheckName.outliers
  let subject: Subject

  /// How many robust standard deviations are too many.
  ///
  /// Norms of Gaussian fields that few modes dominate are far from normally distributed: of a field of two modes
  /// one sample in 10⁴ is below −6. At 10 the chance is below 10⁻⁶ per sample.
  static let limit = 10.0
  /// With fewer samples the deviation is not known well enough.
  static let fewest = 8

  /// The root mean square of every frame of every field.
  struct Measurement: Sendable {
    var sample: Int
    var norms: [Double]
  }

  /// The frames, in the order of the norms.
  private var frames: [(field: String, frame: Int?)] {
    subject.description.fields.flatMap { field in
      field.isTimeVarying
        ? (0..<subject.description.frameCount).map { (field.name, $0) } : [(field.name, nil)]
    }
  }

  func measure(_ sample: AuditedSample) -> Measurement {
    Measurement(
      sample: sample.index,
      norms: frames.map { sample.withFrame($0.frame ?? 0, of: $0.field) { Frame.norm($0) } })
  }

  func conclude(_ measurements: [Measurement]) -> CheckResult {
    guard measurements.count >= Self.fewest else {
      return .notApplicable(name, "\(measurements.count) samples are too few to know what is usual")
    }
    let frames = frames
    var judged: [Judged] = measurements.map {
      Judged(value: 0, bound: Self.limit, place: Place(sample: $0.sample))
    }
    for (position, frame) in frames.enumerated() {
      let norms = measurements.map(\.norms[position])
      let logarithms = norms.filter { $0 > 0 }.map { log($0) }
      guard !logarithms.isEmpty else { continue }
      let median = Statistics.median(logarithms)
      // A tenth of a per cent, so that fields of equal norms (a coefficient that is constant) do not stand out.
      let deviation = max(1e-3, Statistics.robustDeviation(logarithms, about: median))
      for (index, norm) in norms.enumerated() {
        let distance = norm > 0 ? abs(log(norm) - median) / deviation : .infinity
        let place = Place(sample: measurements[index].sample, field: frame.field, frame: frame.frame)
        if distance > judged[index].value {
          judged[index] = Judged(value: distance, bound: Self.limit, place: place)
        }
      }
    }
    return CheckResult(
      name, of: judged, otherwise: .warn,
      reason: "distance of the logarithm of the norm from the median, in robust standard deviations; 10 is "
        + "beyond what few-mode Gaussian fields reach in a million samples",
      passing: "no sample is far larger or smaller than the others"
    ) { wrong in
      Finding(
        wrong.value.isFinite
          ? "its norm is \(Words.number(wrong.value)) deviations from the median" : "it is zero everywhere",
        at: wrong.place, advice: "look at the sample; leave it out if it is not what the dataset is about")
    }
  }
}
