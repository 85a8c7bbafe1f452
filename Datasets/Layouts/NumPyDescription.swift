import Foundation

/// What our archives of arrays say about themselves: a text of JSON under the name `description`.
///
/// Coordinates and times lie beside the fields, as arrays `dimensions/x` and `dimensions/time`.
struct NumPyDescription: Codable {
  static let name = "description"
  static let folder = "dimensions/"

  /// An axis; its coordinates, if known, are an array.
  struct Axis: Codable {
    var name: String
    var count: Int
    var periodic: Bool?
    var unit: String?
  }

  /// A field.
  struct Field: Codable {
    var name: String
    var timeVarying: Bool
    var unit: String?
    var type: StoredType
  }

  var format = 1
  var name: String
  var title: String
  var equation: String
  var axes: [Axis]
  var frames: Int
  var fields: [Field]
  var boundaryConditions: [DatasetDescription.BoundaryCondition]
  var parameters: [DatasetDescription.Parameter]
  var provenance: DatasetProvenance?
  var createdAt: String?

  /// Reads a description.
  ///
  /// - Throws: `DatasetError.damaged` if it is none.
  init(_ text: String, path: String) throws {
    do {
      self = try JSONDecoder().decode(NumPyDescription.self, from: Data(text.utf8))
    } catch {
      throw DatasetError.damaged(path: path, reason: "its array 'description' is no description of a dataset")
    }
  }

  /// The description of a dataset.
  init(_ dataset: any ReadableDataset) {
    let description = dataset.description
    name = description.name
    title = description.title
    equation = description.equation
    axes = description.axes.map {
      Axis(name: $0.name, count: $0.count, periodic: $0.isPeriodic, unit: $0.unit)
    }
    frames = description.frameCount
    fields = zip(description.fields, dataset.storedTypes).map {
      Field(name: $0.name, timeVarying: $0.isTimeVarying, unit: $0.unit, type: $1)
    }
    boundaryConditions = description.boundaryConditions
    parameters = description.parameters
    provenance = dataset.provenance
    createdAt = dataset.createdAt
  }

  /// The text, the same for the same dataset.
  func text() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }

  /// The dataset of an archive with this description.
  ///
  /// - Throws: `DatasetError.damaged` if the arrays are not as described.
  func dataset(_ arrays: [NamedArray], path: String, notes: [String]) throws -> ForeignDataset {
    func array(_ name: String) -> NamedArray? { arrays.first { $0.name == name } }
    func numbers(_ name: String, count: Int) throws -> [Double]? {
      guard let array = array(Self.folder + name) else { return nil }
      guard array.shape == [count] else {
        throw DatasetError.damaged(path: path, reason: "'\(Self.folder)\(name)' has shape \(array.shape)")
      }
      return try array.numbers()
    }
    guard (1...8).contains(axes.count), axes.allSatisfy({ $0.count > 0 }), let first = fields.first,
      let sampleCount = array(first.name)?.shape.first
    else { throw DatasetError.damaged(path: path, reason: "its description has no axis or no field") }
    let grid = axes.map(\.count)
    let sources = try fields.map { field in
      let shape = [sampleCount] + (field.timeVarying ? [frames] : []) + grid
      guard let array = array(field.name), array.shape == shape else {
        throw DatasetError.damaged(
          path: path,
          reason:
            "the field '\(field.name)' has shape \(array(field.name)?.shape ?? []), not \(shape) as described"
        )
      }
      let roles = [.sample] + (field.timeVarying ? [AxisRole.time] : []) + grid.indices.map { .grid($0) }
      return ForeignDataset.Field(
        description: .init(name: field.name, isTimeVarying: field.timeVarying, unit: field.unit),
        source: RetypedField(source: try array.field(roles), storedType: field.type))
    }
    return try ForeignDataset(
      path: path, layout: .npz, name: name, title: title, equation: equation,
      axes: try axes.map { axis in
        guard let points = try numbers(axis.name, count: axis.count) else {
          return .init(name: axis.name, count: axis.count, isPeriodic: axis.periodic)
        }
        return .init(name: axis.name, coordinates: points, isPeriodic: axis.periodic, unit: axis.unit)
      },
      times: frames == 0 ? [] : try numbers("time", count: frames), frameCount: frames, fields: sources,
      sampleCount: sampleCount, boundaryConditions: boundaryConditions, parameters: parameters, notes: notes,
      interleavesSamples: arrays.contains(where: \.interleavesSamples), provenance: provenance,
      createdAt: createdAt)
  }
}

/// A field whose numbers were of another type before they were stored.
struct RetypedField: FieldSource {
  let source: any FieldSource
  let storedType: StoredType

  func read(_ part: FieldPart, into target: UnsafeMutableBufferPointer<Float>) throws {
    try source.read(part, into: target)
  }

  func read(_ part: FieldPart, into target: UnsafeMutableBufferPointer<Double>) throws {
    try source.read(part, into: target)
  }
}
