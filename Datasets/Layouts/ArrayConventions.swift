/// Where the time axis of arrays is, for files that do not say.
public enum TimeAxis: String, Codable, Sendable, CaseIterable {
  /// Directly after the samples.
  case first
  /// Behind the spatial axes.
  case last
  /// There is none.
  case none
}

/// Understands arrays with names as the fields of a dataset, by the conventions of the files that people have.
///
/// The first axis is that of the samples. Of arrays with one axis more than the others that axis is time. Where
/// it is, follows from the shapes; if they allow both, it is where the layout has it: after the samples
/// (neuraloperator) or last (the FNO paper).
struct ArrayConventions {
  let path: String
  let layout: FileLayout
  /// Where the time axis is if the shapes allow both, or what the user says.
  let timeAxis: TimeAxis
  let isTimeAxisGiven: Bool

  init(path: String, layout: FileLayout, usual: TimeAxis, given: TimeAxis?) {
    self.path = path
    self.layout = layout
    timeAxis = given ?? usual
    isTimeAxisGiven = given != nil
  }

  /// The arrays of the FNO paper's files that repeat others, smoothed or differentiated.
  private static let repetitions: [(of: String, names: Set<String>)] = [
    ("coeff", ["Kcoeff", "Kcoeff_x", "Kcoeff_y"]), ("a", ["a_smooth", "a_smooth_x", "a_x"]),
  ]

  /// The dataset that the arrays are.
  ///
  /// - Throws: `DatasetError` if none of them can be a field.
  func dataset(_ arrays: [NamedArray], notes: [String] = []) throws -> ForeignDataset {
    var notes = notes
    let repeated = Self.repetitions.filter { repetition in arrays.contains { $0.name == repetition.of } }
      .reduce(into: Set<String>()) { $0.formUnion($1.names) }
    let left = arrays.map(\.name).filter(repeated.contains)
    if !left.isEmpty {
      notes.append("left out, because they follow from others: \(left.joined(separator: ", "))")
    }
    let kept = arrays.filter { !repeated.contains($0.name) && $0.count > 0 }

    // Vectors and single numbers describe; the rest are fields of as many samples as the first of them.
    let vectors = kept.filter(isVector)
    var candidates = kept.filter { array in !vectors.contains { $0.name == array.name } }
    guard let sampleCount = Self.commonLength(candidates.map { $0.shape[0] }) else {
      throw DatasetError.notReadable(
        path: path, reason: "it has no array of samples (it holds: \(Self.list(arrays)))")
    }
    let others = candidates.filter { $0.shape[0] != sampleCount }
    if !others.isEmpty { notes.append("left out, because they have other samples: \(Self.list(others))") }
    candidates.removeAll { $0.shape[0] != sampleCount }

    let shapes = candidates.map(Self.squeezed)
    let times = vectors.first { ["t", "time"].contains($0.name) }
    let (grid, axis) = self.grid(shapes, frames: times?.count)
    var fields: [ForeignDataset.Field] = []
    var frameCount: Int?
    var unfit: [NamedArray] = []
    for (array, shape) in zip(candidates, shapes) {
      guard let (roles, frames) = roles(shape, grid: grid, timeAxis: axis),
        frames == nil || frames == frameCount ?? frames
      else {
        unfit.append(array)
        continue
      }
      frameCount = frames ?? frameCount
      let unsqueezed = array.shape.count > shape.count ? [roles[0], .fixed(0)] + roles.dropFirst() : roles
      fields.append(
        .init(
          description: .init(name: array.name, isTimeVarying: frames != nil),
          source: try array.field(unsqueezed)))
    }
    if !unfit.isEmpty {
      notes.append(
        "left out, because their shapes are not [\(sampleCount)] x [time] x \(grid): \(Self.list(unfit))")
    }
    if axis.isAmbiguous && frameCount != nil {
      notes.append(
        "time is taken to be the \(axis.axis == .last ? "last axis" : "second axis"): the shapes allow both")
    }
    var known: [Double]?
    if let times, let frameCount, times.count == frameCount {
      known = try times.numbers()
    } else if frameCount == nil {
      known = []
    }
    let names = grid.count <= 3 ? ["x", "y", "z"] : grid.indices.map { "x\($0 + 1)" }
    let axes = try grid.enumerated().map { number, length in
      if let vector = vectors.first(where: { $0.name == names[number] && $0.count == length }) {
        return DatasetDescription.Axis(
          name: names[number], coordinates: try vector.numbers(), isPeriodic: nil)
      }
      return DatasetDescription.Axis(name: names[number], count: length)
    }
    let viscosities = try vectors.filter { $0.name == "visc" && $0.count == 1 }.map { try $0.numbers()[0] }
    return try ForeignDataset(
      path: path, layout: layout, axes: axes, times: known, frameCount: frameCount ?? 0, fields: fields,
      sampleCount: sampleCount, parameters: viscosities.map { .init(name: "viscosity", value: $0) },
      notes: notes,
      interleavesSamples: candidates.contains(where: \.interleavesSamples))
  }

  private struct Time {
    let axis: TimeAxis
    let isAmbiguous: Bool
  }

  /// The spatial axes, and where the time axis of the arrays is that have one more.
  private func grid(_ shapes: [[Int]], frames: Int?) -> ([Int], Time) {
    let rank = shapes.map(\.count).min() ?? 0
    let smallest = shapes.first { $0.count == rank } ?? []
    let largest = shapes.first { $0.count == rank + 1 }
    let all = shapes.first { $0.count == shapes.map(\.count).max() } ?? []
    if isTimeAxisGiven {
      switch timeAxis {
      case .none: return (Array(smallest.dropFirst()), Time(axis: .none, isAmbiguous: false))
      case .first: return (Array(all.dropFirst(2)), Time(axis: .first, isAmbiguous: false))
      case .last: return (Array(all.dropFirst().dropLast()), Time(axis: .last, isAmbiguous: false))
      }
    }
    let grid = Array(smallest.dropFirst())
    if let largest {
      let isFirst = Array(largest.dropFirst(2)) == grid
      let isLast = Array(largest.dropFirst().dropLast()) == grid
      if isFirst && isLast && frames != nil && largest[1] != largest[rank] {
        return (grid, Time(axis: largest[1] == frames ? .first : .last, isAmbiguous: false))
      }
      return (
        grid,
        Time(axis: isFirst && isLast ? timeAxis : isFirst ? .first : .last, isAmbiguous: isFirst && isLast)
      )
    }
    // All have the same axes; the recorded times tell whether one of them is time.
    if let frames, frames > 1, rank >= 3 {
      let isFirst = smallest[1] == frames
      let isLast = smallest[rank - 1] == frames
      if isFirst || isLast {
        let axis = isFirst && isLast ? timeAxis : isFirst ? .first : .last
        let rest = axis == .first ? Array(smallest.dropFirst(2)) : Array(smallest.dropFirst().dropLast())
        return (rest, Time(axis: axis, isAmbiguous: isFirst && isLast))
      }
    }
    // The FNO paper's files have two dimensions and time, not three dimensions.
    if layout == .matlab && rank == 4 {
      return (Array(smallest.dropFirst().dropLast()), Time(axis: timeAxis, isAmbiguous: true))
    }
    return (grid, Time(axis: timeAxis, isAmbiguous: false))
  }

  /// Whether an array is a list of numbers or a single one; MATLAB's have a second axis of length 1.
  private func isVector(_ array: NamedArray) -> Bool {
    guard array.shape.count == 2 else { return array.shape.count < 2 }
    guard array.shape.contains(1) else { return false }
    return layout == .matlab || array.count == 1 || ["t", "time", "visc"].contains(array.name)
  }

  /// What the axes of an array stand for, and its frames if it varies in time; nil if it does not fit.
  private func roles(_ shape: [Int], grid: [Int], timeAxis: Time) -> (roles: [AxisRole], frames: Int?)? {
    let spatial = grid.indices.map { AxisRole.grid($0) }
    if Array(shape.dropFirst()) == grid { return ([.sample] + spatial, nil) }
    guard shape.count == grid.count + 2 else { return nil }
    switch timeAxis.axis {
    case .first where Array(shape.dropFirst(2)) == grid: return ([.sample, .time] + spatial, shape[1])
    case .last where Array(shape.dropFirst().dropLast()) == grid:
      return ([.sample] + spatial + [.time], shape[shape.count - 1])
    default: return nil
    }
  }

  /// The shape without an axis of one channel after the samples.
  private static func squeezed(_ array: NamedArray) -> [Int] {
    array.shape.count >= 3 && array.shape[1] == 1 ? [array.shape[0]] + array.shape.dropFirst(2) : array.shape
  }

  /// The length that most have; of several the first.
  private static func commonLength(_ lengths: [Int]) -> Int? {
    lengths.max { left, right in
      lengths.count { $0 == left } < lengths.count { $0 == right }
    }
  }

  static func list(_ arrays: [NamedArray]) -> String {
    guard !arrays.isEmpty else { return "nothing" }
    let shown = arrays.prefix(8).map { array in
      "'\(array.name)' [\(array.shape.map(String.init).joined(separator: ", "))]"
    }
    return shown.joined(separator: ", ") + (arrays.count > 8 ? " and \(arrays.count - 8) more" : "")
  }
}
