import HDF5

/// Files in the layouts of PDEBench (Takamoto et al., NeurIPS 2022), of which there are four.
///
/// One `tensor` with coordinates beside it (1-D equations, Darcy); one dataset per field (compressible flow); a group
/// per sample (reaction, dam break); `velocity`, `particles` and `force` (incompressible flow). Components of a
/// field lie along the last axis and are read as fields of their own.
struct PDEBenchFile {
  private let path: String
  private let root: HDF5Group
  private var notes: [String] = []

  /// The attribute of a dataset that says how the field was called before it was converted.
  static let fieldName = "field_name"

  /// The dataset of a file, or nil if its layout is none of these.
  ///
  /// - Throws: `HDF5Error`, `DatasetError` if it is one of these but damaged.
  static func open(_ path: String, _ root: HDF5Group) throws -> ForeignDataset? {
    var file = PDEBenchFile(path: path, root: root)
    if try root.member("velocity") == .dataset, try root.member("particles") == .dataset {
      return try file.incompressible()
    }
    if try root.member("tensor") == .dataset || root.member("x-coordinate") == .dataset {
      return try file.fields()
    }
    return try file.sampleGroups()
  }

  private init(path: String, root: HDF5Group) {
    self.path = path
    self.root = root
  }

  // MARK: - Datasets for all samples

  private static let axisNames = ["x", "y", "z"]

  /// `[sample, time, ...grid]` or `[sample, ...grid]` beside coordinates.
  private mutating func fields() throws -> ForeignDataset {
    var arrays: [(name: String, dataset: HDF5Dataset, shape: [Int])] = []
    for name in try root.memberNames().prefix(1000) where try root.member(name) == .dataset {
      let dataset = try root.dataset(name)
      let shape = try dataset.shape()
      guard shape.count >= 2, dataset.elementKind.isNumeric else { continue }
      arrays.append((name, dataset, shape))
    }
    guard let first = arrays.first else { throw damaged("it has coordinates, but no field") }
    let isDarcy = arrays.contains { $0.name == "nu" && $0.shape.count == 3 }
    // Without coordinates the number of axes follows from the tensor's.
    let known = try Self.axisNames.prefix { try root.member("\($0)-coordinate") == .dataset }.count
    let dimensions = known > 0 ? known : isDarcy ? 2 : max(1, first.shape.count - 2)
    let grid = Array(first.shape.suffix(dimensions))
    guard first.shape.count > dimensions else { throw damaged("'\(first.name)' has shape \(first.shape)") }

    var result: [ForeignDataset.Field] = []
    var frameCount: Int?
    for (name, dataset, shape) in arrays {
      let spatial = grid.indices.map { AxisRole.grid($0) }
      let roles: [AxisRole]
      if shape.count == dimensions + 1 {
        roles = [.sample] + spatial
      } else if isDarcy && shape.count == dimensions + 2 && shape[1] == 1 {
        roles = [.sample, .fixed(0)] + spatial
      } else if shape.count == dimensions + 2 {
        roles = [.sample, .time] + spatial
      } else {
        notes.append("left out, because of its shape \(shape): \(name)")
        continue
      }
      guard Array(shape.suffix(dimensions)) == grid, shape[0] == first.shape[0],
        !roles.contains(.time) || shape[1] == frameCount ?? shape[1]
      else { throw damaged("'\(name)' has shape \(shape), '\(first.name)' \(first.shape)") }
      if roles.contains(.time) { frameCount = shape[1] }
      let original =
        try dataset.attributes.contains(Self.fieldName) ? dataset.attributes.string(Self.fieldName) : name
      result.append(
        .init(
          description: .init(name: original, isTimeVarying: roles.contains(.time)),
          source: try HDF5Field(dataset, roles: roles, storedType: try storedType(dataset))))
    }
    let times = try frameCount.map { try coordinates("t-coordinate", count: $0) } ?? []
    return try ForeignDataset(
      path: path, layout: .pdebench, axes: try axes(grid) { "\($0)-coordinate" }, times: times,
      frameCount: frameCount ?? 0, fields: result, sampleCount: first.shape[0], parameters: try parameters(),
      notes: notes)
  }

  /// `velocity` and `particles` `[sample, time, x, y, component]`, `force` `[sample, x, y, component]`.
  private mutating func incompressible() throws -> ForeignDataset {
    let velocity = try root.dataset("velocity").shape()
    guard velocity.count == 5 else { throw damaged("'velocity' has shape \(velocity)") }
    let (samples, frames, grid) = (velocity[0], velocity[1], Array(velocity[2..<4]))
    var fields: [ForeignDataset.Field] = []
    for name in ["velocity", "particles", "force"] where try root.member(name) == .dataset {
      let dataset = try root.dataset(name)
      let shape = try dataset.shape()
      let isTimeVarying = name != "force"
      guard let count = shape.last, (1...9).contains(count),
        Array(shape.dropLast()) == [samples] + (isTimeVarying ? [frames] : []) + grid
      else { throw damaged("'\(name)' has shape \(shape), 'velocity' \(velocity)") }
      let roles = [.sample] + (isTimeVarying ? [AxisRole.time] : []) + [.grid(0), .grid(1)]
      for component in 0..<count {
        fields.append(
          .init(
            description: .init(
              name: Self.component(component, of: count, name, dimensions: 2), isTimeVarying: isTimeVarying),
            source: try HDF5Field(dataset, roles: roles + [.fixed(component)])))
      }
    }
    return try ForeignDataset(
      path: path, layout: .pdebench, axes: try axes(grid) { "\($0)-coordinate" },
      times: try commonTimes(samples: samples, frames: frames), frameCount: frames, fields: fields,
      sampleCount: samples, notes: notes)
  }

  /// The recorded times `t` `[sample, time]`, if they are the same for all samples.
  private mutating func commonTimes(samples: Int, frames: Int) throws -> [Double]? {
    guard try root.member("t") == .dataset else { return nil }
    let dataset = try root.dataset("t")
    guard try dataset.shape() == [samples, frames] else { return nil }
    let rows = try dataset.read(as: Double.self)
    let first = Array(rows.prefix(frames))
    for start in stride(from: 0, to: rows.count, by: frames)
    where Array(rows[start..<start + frames]) != first {
      notes.append("the times are left out: they differ from sample to sample")
      return nil
    }
    return first
  }

  // MARK: - A group for every sample

  /// Groups with `data` `[time, ...grid, component]` and `grid/x`, `grid/y`, `grid/t`; nil if there are none.
  private mutating func sampleGroups() throws -> ForeignDataset? {
    let names = try root.memberNames().filter { name in !name.isEmpty && name.allSatisfy(\.isNumber) }
      .sorted()
    guard let first = names.first, names.count <= 1_000_000, try root.member("\(first)/data") == .dataset
    else {
      return nil
    }
    let dataset = try root.dataset("\(first)/data")
    let shape = try dataset.shape()
    guard (3...5).contains(shape.count), let count = shape.last, (1...9).contains(count), shape[0] > 0,
      let type = StoredType(dataset.elementKind)
    else { throw damaged("'\(first)/data' has shape \(shape)") }
    let grid = Array(shape.dropFirst().dropLast())
    let roles = [.time] + grid.indices.map { AxisRole.grid($0) }
    let fields = (0..<count).map { component in
      ForeignDataset.Field(
        description: .init(
          name: Self.component(component, of: count, "data", dimensions: 0), isTimeVarying: true),
        source: SampleWiseField(
          path: path, root: root, paths: names.map { "\($0)/data" }, roles: roles + [.fixed(component)],
          shape: shape, storedType: type))
    }
    notes.append("coordinates and times are those of sample '\(first)'")
    return try ForeignDataset(
      path: path, layout: .pdebench, axes: try axes(grid) { "\(first)/grid/\($0)" },
      times: try coordinates("\(first)/grid/t", count: shape[0]), frameCount: shape[0], fields: fields,
      sampleCount: names.count, notes: notes)
  }

  // MARK: - Parts

  /// How a component is called: `velocity_x`, `data_1`, or `data` alone.
  private static func component(_ number: Int, of count: Int, _ name: String, dimensions: Int) -> String {
    count == 1 ? name : "\(name)_\(count == dimensions ? axisNames[number] : String(number))"
  }

  private mutating func axes(_ grid: [Int], _ name: (String) -> String) throws -> [DatasetDescription.Axis] {
    guard grid.count <= 3 else { throw damaged("it has \(grid.count) spatial axes") }
    return try zip(Self.axisNames, grid).map { axis, length in
      guard let points = try coordinates(name(axis), count: length) else {
        return .init(name: axis, count: length)
      }
      return .init(name: axis, coordinates: points, isPeriodic: nil)
    }
  }

  /// The first `count` numbers of a dataset of coordinates: that of times has one more.
  private mutating func coordinates(_ name: String, count: Int) throws -> [Double]? {
    guard try root.member(name) == .dataset else { return nil }
    let dataset = try root.dataset(name)
    let shape = try dataset.shape()
    guard shape.count == 1, shape[0] == count || name == "t-coordinate" && shape[0] == count + 1 else {
      notes.append("'\(name)' is left out: it has shape \(shape), not \(count) points")
      return nil
    }
    return Array(try dataset.read(as: Double.self).prefix(count))
  }

  private func storedType(_ dataset: HDF5Dataset) throws -> StoredType? {
    guard try dataset.attributes.contains(DatasetLayout.storedType) else { return nil }
    return StoredType(rawValue: try dataset.attributes.string(DatasetLayout.storedType))
  }

  /// Single numbers beside the fields: the equation's parameters, by PDEBench's names.
  private func parameters() throws -> [DatasetDescription.Parameter] {
    try root.attributes.names().prefix(100).compactMap { name in
      switch try root.attributes.value(name) {
      case .numbers(let values, _) where values.count == 1: .init(name: name, value: values[0])
      case .integers(let values, _) where values.count == 1: .init(name: name, value: Double(values[0]))
      default: nil
      }
    }
  }

  private func damaged(_ reason: String) -> DatasetError { .damaged(path: path, reason: reason) }
}
