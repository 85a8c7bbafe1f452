import HDF5

/// Reads what a file in The Well's layout says about itself; files of others may say less than ours.
struct LayoutReader {
  let path: String
  let root: HDF5Group

  /// One field and its numbers.
  struct Field {
    let description: DatasetDescription.FieldDescription
    let source: HDF5Field
    let sampleCount: Int
    let frameCount: Int?
  }

  /// What is in a file.
  struct Contents {
    let description: DatasetDescription
    let fields: [Field]
    let sampleCount: Int
    /// What of the file is left out.
    let notes: [String]
  }

  func contents() throws -> Contents {
    for group in ["dimensions", "t0_fields"] where try root.member(group) != .group {
      throw wrongLayout("no group '\(group)' (it holds: \(try holdings()))")
    }
    let conditions = try boundaryConditions()
    let names = try strings(root.group("dimensions"), "spatial_dims")
    guard !names.isEmpty else { throw wrongLayout("'dimensions' names no spatial axis") }
    var notes: [String] = []
    let axes = try names.map { name in
      try axis(
        name, isPeriodic: conditions.first { $0.axes.contains(name) }.map { $0.kind == .periodic }, &notes)
    }
    let grid = axes.map(\.count)
    var fields: [Field] = []
    // Vectors and tensors are read as their components.
    for (rank, group) in DatasetLayout.fieldGroups.enumerated() where try root.member(group) == .group {
      let group = try root.group(group)
      for name in try strings(group, "field_names") {
        let dataset = try group.dataset(name)
        fields += try self.fields(name, dataset, rank: rank, axes: names, grid: grid, &notes)
      }
    }
    guard let first = fields.first else {
      throw wrongLayout(
        "it has no field that varies with the sample and all axes (it holds: \(try holdings()))")
    }
    let isTimeVarying = fields.contains { $0.description.isTimeVarying }
    let (frameCount, times) = try isTimeVarying ? self.times(&notes) : (0, [])
    let parameters = try parameters()
    if let problem = DatasetDescription.problem(
      axes: axes, times: times, frameCount: frameCount, fields: fields.map(\.description),
      parameters: parameters)
    {
      throw wrongLayout(problem)
    }
    let description = DatasetDescription(
      name: try text("dataset_name"), title: try text("title"), equation: try text("equation"), axes: axes,
      times: times, frameCount: frameCount, fields: fields.map(\.description),
      boundaryConditions: conditions, parameters: parameters)
    for field in fields {
      let path = field.source.dataset.path
      guard field.frameCount == nil || field.frameCount == frameCount else {
        throw wrongLayout("'\(path)' has \(field.frameCount ?? 0) frames, but there are \(frameCount) times")
      }
      guard field.sampleCount == first.sampleCount else {
        throw wrongLayout("'\(path)' has \(field.sampleCount) samples, other fields \(first.sampleCount)")
      }
    }
    return Contents(
      description: description, fields: fields, sampleCount: first.sampleCount, notes: notes)
  }

  /// A text attribute of the file, empty if it has none.
  func text(_ name: String) throws -> String {
    try root.attributes.contains(name) ? root.attributes.string(name) : ""
  }

  /// Which part of a larger dataset the file is, if it is one.
  func shard() throws -> Shard? {
    guard try root.attributes.contains(DatasetLayout.shard) else { return nil }
    let numbers = try root.attributes.array(DatasetLayout.shard, as: Int.self)
    let total = try root.attributes.scalar(DatasetLayout.total, as: Int.self)
    guard numbers.count == 2, let shard = try? Shard(numbers[0], of: numbers[1], total: total) else {
      throw wrongLayout("there is no shard \(numbers) of \(total) samples")
    }
    return shard
  }

  /// The numbers of a dataset, or nil if there is none.
  func numbers(_ path: String) throws -> [Double]? {
    guard try root.member(path) == .dataset else { return nil }
    return try root.dataset(path).read(as: Double.self)
  }

  private func axis(
    _ name: String, isPeriodic: Bool?, _ notes: inout [String]
  ) throws -> DatasetDescription.Axis {
    let dataset = try root.dataset("dimensions/\(name)")
    let unit = try dataset.attributes.contains("units") ? dataset.attributes.string("units") : nil
    let (count, coordinates) = try coordinates(name, dataset, &notes)
    guard let coordinates else { return .init(name: name, count: count, isPeriodic: isPeriodic) }
    return .init(name: name, coordinates: coordinates, isPeriodic: isPeriodic, unit: unit)
  }

  private func times(_ notes: inout [String]) throws -> (count: Int, values: [Double]?) {
    try coordinates("time", root.dataset("dimensions/time"), &notes)
  }

  /// How many coordinates there are, and which, if they are known and the same for all samples.
  private func coordinates(
    _ name: String, _ dataset: HDF5Dataset, _ notes: inout [String]
  ) throws -> (count: Int, values: [Double]?) {
    let shape = try dataset.shape()
    guard let count = shape.last, count > 0 else {
      throw wrongLayout("'dimensions/\(name)' has no coordinates")
    }
    guard shape.count == 1 else {
      let rows = try dataset.read(as: Double.self)
      let first = Array(rows.prefix(count))
      if stride(from: 0, to: rows.count, by: count).allSatisfy({ Array(rows[$0..<$0 + count]) == first }) {
        return (count, first)
      }
      notes.append("the coordinates along '\(name)' are left out: they differ from sample to sample")
      return (count, nil)
    }
    return (count, try isUnknown(name) ? nil : dataset.read(as: Double.self))
  }

  /// Whether the coordinates of an axis or the times are only numbers from 0 on.
  private func isUnknown(_ name: String) throws -> Bool {
    let attributes = try root.dataset("dimensions/\(name)").attributes
    return try attributes.contains(DatasetLayout.isUnknown)
      && attributes.scalar(DatasetLayout.isUnknown, as: Bool.self)
  }

  /// The fields that a dataset holds: one scalar, or the components of a vector or tensor.
  private func fields(
    _ name: String, _ dataset: HDF5Dataset, rank: Int, axes: [String], grid: [Int], _ notes: inout [String]
  ) throws -> [Field] {
    guard case .floatingPoint = dataset.elementKind else {
      throw wrongLayout("'\(dataset.path)' holds \(dataset.elementKind), not floating-point numbers")
    }
    let attributes = dataset.attributes
    let isSampleVarying = try attributes.scalar("sample_varying", as: Bool.self)
    let isTimeVarying = try attributes.scalar("time_varying", as: Bool.self)
    let varies = try attributes.array("dim_varying", as: Bool.self)
    let unit = try attributes.contains("units") ? attributes.string("units") : nil
    let shape = try dataset.shape()
    let leading = (isSampleVarying ? 1 : 0) + (isTimeVarying ? 1 : 0)
    let varyingGrid = zip(grid, varies).filter(\.1).map(\.0)
    let components = shape.suffix(rank)
    guard varies.count == grid.count, shape.count == leading + varyingGrid.count + rank,
      Array(shape.dropFirst(leading).dropLast(rank)) == varyingGrid
    else {
      throw wrongLayout(
        "'\(dataset.path)' has shape \(shape), which is not that of its axes \(grid) and times")
    }
    guard isSampleVarying, varies.allSatisfy({ $0 }) else {
      notes.append("'\(dataset.path)' is left out: it does not vary with the sample and all axes")
      return []
    }
    guard components.allSatisfy({ (1...9).contains($0) }) else {
      throw wrongLayout("'\(dataset.path)' has components \(Array(components))")
    }
    let roles = [.sample] + (isTimeVarying ? [AxisRole.time] : []) + grid.indices.map { .grid($0) }
    return try (0..<components.reduce(1, *)).map { number in
      var rest = number
      var indices: [Int] = []
      for length in components.reversed() {
        indices.insert(rest % length, at: 0)
        rest /= length
      }
      let suffix = zip(indices, components).map { $1 == axes.count ? axes[$0] : String($0) }.joined()
      return Field(
        description: .init(
          name: rank == 0 ? name : "\(name)_\(suffix)", isTimeVarying: isTimeVarying, unit: unit),
        source: try HDF5Field(
          dataset, roles: roles + indices.map { .fixed($0) }, storedType: try storedType(dataset)),
        sampleCount: shape[0], frameCount: isTimeVarying ? shape[1] : nil)
    }
  }

  /// What the numbers were before they were stored here, if the file says so.
  private func storedType(_ dataset: HDF5Dataset) throws -> StoredType? {
    guard try dataset.attributes.contains(DatasetLayout.storedType) else { return nil }
    let name = try dataset.attributes.string(DatasetLayout.storedType)
    guard let type = StoredType(rawValue: name) else {
      throw wrongLayout("'\(dataset.path)' has numbers of the unknown type '\(name)'")
    }
    return type
  }

  private func boundaryConditions() throws -> [DatasetDescription.BoundaryCondition] {
    guard try root.member("boundary_conditions") == .group else { return [] }
    let group = try root.group("boundary_conditions")
    return try group.memberNames().map { name in
      let attributes = try group.group(name).attributes
      let type = try attributes.string("bc_type").uppercased()
      guard let kind = DatasetDescription.BoundaryCondition.Kind(rawValue: type) else {
        throw wrongLayout("boundary condition '\(name)' is of the unknown type '\(type)'")
      }
      return .init(
        name: name, kind: kind, axes: try attributes.strings("associated_dims"),
        fields: try attributes.strings("associated_fields"))
    }
  }

  private func parameters() throws -> [DatasetDescription.Parameter] {
    guard try root.attributes.contains("simulation_parameters") else { return [] }
    return try root.attributes.strings("simulation_parameters").compactMap { name in
      guard try root.attributes.contains(name) else { return nil }
      switch try root.attributes.value(name) {
      case .numbers(let values, _) where values.count == 1: return .init(name: name, value: values[0])
      case .integers(let values, _) where values.count == 1:
        return .init(name: name, value: Double(values[0]))
      default: return nil
      }
    }
  }

  private func strings(_ group: HDF5Group, _ name: String) throws -> [String] {
    guard try group.attributes.contains(name) else {
      throw wrongLayout("'\(group.path)' has no attribute '\(name)'")
    }
    return try group.attributes.strings(name)
  }

  private func holdings() throws -> String {
    let paths = try root.datasetPaths()
    let list = paths.prefix(8).map { "'\($0)'" }.joined(separator: ", ")
    return paths.isEmpty ? "nothing" : list + (paths.count > 8 ? " and \(paths.count - 8) more" : "")
  }

  private func wrongLayout(_ reason: String) -> DatasetError { .wrongLayout(path: path, reason: reason) }
}
