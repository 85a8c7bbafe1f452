import HDF5

/// A group of a netCDF-4 file: variables whose axes are named dimensions with coordinates.
///
/// netCDF-4 is HDF5 with conventions: a dimension is a dataset that is a dimension scale, and a variable has
/// one attached to every axis.
struct NetCDFGroup {
  let group: HDF5Group
  private var dimensions: [String: HDF5Dataset] = [:]

  init(_ name: String, in file: HDF5File) throws {
    group = try file.root.createGroup(name)
  }

  /// A dimension and its coordinates; lasts for the variables written afterwards.
  mutating func addDimension<Scalar: HDF5Scalar>(_ name: String, _ coordinates: [Scalar]) throws {
    let dataset = try group.createDataset(name, coordinates)
    try dataset.makeDimensionScale(named: name)
    dimensions[name] = dataset
  }

  /// A dimension whose coordinates are names.
  mutating func addDimension(_ name: String, _ labels: [String]) throws {
    let dataset = try group.createDataset(name, labels)
    try dataset.makeDimensionScale(named: name)
    dimensions[name] = dataset
  }

  /// A variable over the named dimensions, in row-major order.
  @discardableResult
  func addVariable<Scalar: HDF5Scalar>(
    _ name: String, over axes: [String], _ values: [Scalar], description: String
  ) throws -> HDF5Dataset {
    let dataset = try addVariable(name, over: axes, of: Scalar.self, description: description)
    try dataset.write(values)
    return dataset
  }

  /// A variable over the named dimensions, to be written part by part.
  func addVariable<Scalar: HDF5Scalar>(
    _ name: String, over axes: [String], of type: Scalar.Type, description: String
  ) throws -> HDF5Dataset {
    let shape = try axes.map { axis in
      guard let dimension = dimensions[axis] else { preconditionFailure("no dimension \(axis)") }
      return try dimension.shape()[0]
    }
    let dataset = try group.createDataset(name, of: type, shape: shape)
    try dataset.attributes.set("long_name", description)
    for (index, axis) in axes.enumerated() {
      if let dimension = dimensions[axis] { try dataset.attach(dimension, toAxis: index) }
    }
    return dataset
  }
}
