import HDF5

/// Reads what a file in The Well's layout says about itself; files of others may say less than ours.
struct LayoutReader {
  let path: String
  let root: HDF5Group

  func description() throws -> DatasetDescription {
    for group in ["dimensions", "t0_fields"] where try root.member(group) != .group {
      throw wrongLayout("no group '\(group)' (it holds: \(try holdings()))")
    }
    let conditions = try boundaryConditions()
    let names = try strings(root.group("dimensions"), "spatial_dims")
    guard !names.isEmpty else { throw wrongLayout("'dimensions' names no spatial axis") }
    let axes = try names.map { name in
      try axis(
        name, isPeriodic: conditions.first { $0.axes.contains(name) }.map { $0.kind == .periodic })
    }
    let group = try root.group("t0_fields")
    let fieldNames = try strings(group, "field_names")
    guard !fieldNames.isEmpty else {
      throw wrongLayout("it has no scalar field (it holds: \(try holdings()))")
    }
    let fields = try fieldNames.map { try field($0, in: group) }
    let isTimeVarying = fields.contains(where: \.isTimeVarying)
    let frames = try isTimeVarying ? coordinates("time") : []
    let times = try isTimeVarying && isUnknown("time") ? nil : frames
    let parameters = try parameters()
    if let problem = DatasetDescription.problem(
      axes: axes, times: times, frameCount: frames.count, fields: fields, parameters: parameters)
    {
      throw wrongLayout(problem)
    }
    let description = DatasetDescription(
      name: try text("dataset_name"), title: try text("title"), equation: try text("equation"), axes: axes,
      times: times, frameCount: frames.count, fields: fields, boundaryConditions: conditions,
      parameters: parameters)
    try checkShapes(description)
    return description
  }

  /// What of the file is left out.
  func notes() throws -> [String] {
    try ["t1_fields", "t2_fields"].compactMap { group in
      guard try root.member(group) == .group, try root.group(group).attributes.contains("field_names")
      else { return nil }
      let names = try root.group(group).attributes.strings("field_names")
      guard !names.isEmpty else { return nil }
      return "the fields of '\(group)' are left out: \(names.joined(separator: ", "))"
    }
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

  private func axis(_ name: String, isPeriodic: Bool?) throws -> DatasetDescription.Axis {
    let dataset = try root.dataset("dimensions/\(name)")
    let unit = try dataset.attributes.contains("units") ? dataset.attributes.string("units") : nil
    let coordinates = try coordinates(name)
    if try isUnknown(name) { return .init(name: name, count: coordinates.count, isPeriodic: isPeriodic) }
    return .init(name: name, coordinates: coordinates, isPeriodic: isPeriodic, unit: unit)
  }

  /// Whether the coordinates of an axis or the times are only numbers from 0 on.
  private func isUnknown(_ name: String) throws -> Bool {
    let attributes = try root.dataset("dimensions/\(name)").attributes
    return try attributes.contains(DatasetLayout.isUnknown)
      && attributes.scalar(DatasetLayout.isUnknown, as: Bool.self)
  }

  private func coordinates(_ name: String) throws -> [Double] {
    let dataset = try root.dataset("dimensions/\(name)")
    guard try dataset.shape().count == 1 else {
      throw wrongLayout("'dimensions/\(name)' differs from sample to sample")
    }
    return try dataset.read(as: Double.self)
  }

  private func field(_ name: String, in group: HDF5Group) throws -> DatasetDescription.FieldDescription {
    let dataset = try group.dataset(name)
    guard case .floatingPoint = dataset.elementKind else {
      throw wrongLayout("'\(dataset.path)' holds \(dataset.elementKind), not floating-point numbers")
    }
    let attributes = dataset.attributes
    guard try attributes.scalar("sample_varying", as: Bool.self),
      try attributes.array("dim_varying", as: Bool.self).allSatisfy({ $0 })
    else { throw wrongLayout("'\(dataset.path)' does not vary with the sample and all axes") }
    let unit = try attributes.contains("units") ? attributes.string("units") : nil
    return .init(
      name: name, isTimeVarying: try attributes.scalar("time_varying", as: Bool.self), unit: unit)
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

  private func checkShapes(_ description: DatasetDescription) throws {
    var count: Int?
    for field in description.fields {
      let dataset = try root.dataset("t0_fields/\(field.name)")
      let shape = try dataset.shape()
      let expected = description.shape(of: field)
      guard Array(shape.dropFirst()) == expected, !shape.isEmpty else {
        throw wrongLayout("'\(dataset.path)' has shape \(shape), but its axes and times are \(expected)")
      }
      guard shape[0] == count ?? shape[0] else {
        throw wrongLayout("'\(dataset.path)' has \(shape[0]) samples, other fields \(count ?? 0)")
      }
      count = shape[0]
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
