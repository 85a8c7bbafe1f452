import Training

/// Finds for how long a trajectory resembles the true one.
struct ValidTimeMeasure {
  private static let threshold = 0.8
  /// The channels of every frame, and its time since the last input frame.
  private let frames: [(channels: [Int], time: Double)]

  /// Nil for channels that are not frames in the order of time.
  init?(_ mapping: FieldMapping) {
    let places = Set(mapping.targets.compactMap(\.frame)).sorted()
    guard places.count > 1, let start = mapping.inputs.compactMap(\.frame).max(), start < places[0] else {
      return nil
    }
    let startTime = mapping.inputs.compactMap(\.time).max()
    frames = places.map { place in
      let channels = mapping.targets.indices.filter { mapping.targets[$0].frame == place }
      let time = mapping.targets[channels[0]].time
      return (channels, zipped(time, startTime).map { $0 - $1 } ?? Double(place - start))
    }
  }

  /// The time of the last frame before one of its fields is not like the true one.
  func validTime(_ correlations: [Double]) -> Double {
    let good = frames.prefix { $0.channels.allSatisfy { correlations[$0] >= Self.threshold } }
    return good.last?.time ?? 0
  }

  func summary(_ times: [Double]) -> Evaluation.ValidTime {
    let longest = frames[frames.count - 1].time
    return Evaluation.ValidTime(
      correlation: Self.threshold, time: MetricSummary(times), minimum: times.min() ?? 0,
      samplesToTheEnd: times.count { $0 == longest }, longest: longest)
  }
}

private func zipped(_ left: Double?, _ right: Double?) -> (Double, Double)? {
  left.flatMap { left in right.map { (left, $0) } }
}
