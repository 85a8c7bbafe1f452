import Foundation

/// What files of other layouts that we write say about the dataset: a text of JSON under the name `description`.
///
/// Other programs ignore it. Coordinates and times lie beside the fields as arrays.
struct EmbeddedDescription: Codable {
  /// What the array, attribute or entry of the text is called.
  static let name = "description"
  /// What the names of arrays of coordinates begin with, where a layout has no names of its own for them.
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
    /// What its numbers are, whatever they are stored as.
    var type: StoredType
    /// The array that holds it.
    var place: String
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
      self = try JSONDecoder().decode(EmbeddedDescription.self, from: Data(text.utf8))
    } catch {
      throw DatasetError.damaged(path: path, reason: "its 'description' is no description of a dataset")
    }
  }

  /// The description of a dataset; `places` are the arrays of the fields, if they have other names.
  init(_ dataset: any ReadableDataset, places: [String]?) {
    let description = dataset.description
    name = description.name
    title = description.title
    equation = description.equation
    axes = description.axes.map {
      Axis(name: $0.name, count: $0.count, periodic: $0.isPeriodic, unit: $0.unit)
    }
    frames = description.frameCount
    let places = places ?? description.fields.map(\.name)
    fields = description.fields.indices.map { index in
      let field = description.fields[index]
      return Field(
        name: field.name, timeVarying: field.isTimeVarying, unit: field.unit,
        type: dataset.storedTypes[index],
        place: places[index])
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

  /// What only the description says, for people: other programs do not read it.
  static func hidden(
    _ description: DatasetDescription,
    isShown: (equation: Bool, conditions: Bool, parameters: Bool, coordinates: Bool)
  ) -> String? {
    var parts: [String] = []
    if !isShown.equation && !description.equation.isEmpty { parts.append("the equation") }
    if !isShown.conditions && !description.boundaryConditions.isEmpty {
      parts.append("the boundary conditions")
    }
    if !isShown.parameters && !description.parameters.isEmpty { parts.append("the parameters") }
    if !isShown.coordinates && description.axes.contains(where: { $0.coordinates != nil }) {
      parts.append("the coordinates")
    }
    guard let last = parts.last else { return nil }
    return parts.count == 1 ? last : parts.dropLast().joined(separator: ", ") + " and " + last
  }

  /// The dataset of a file with this description.
  ///
  /// - Parameters:
  ///   - arrays: The arrays of the file; one axis of length 1 after the samples may be there and is passed over.
  ///   - coordinates: The positions along an axis, by its number and its count, or the times (nil); nil if the file
  ///     has none.
  /// - Throws: `DatasetError.damaged` if the arrays are not as described.
  func dataset(
    _ arrays: [NamedArray], path: String, layout: FileLayout, notes: [String],
    coordinates: (_ axis: Int?, _ count: Int) throws -> [Double]?
  ) throws -> ForeignDataset {
    func array(_ name: String) -> NamedArray? { arrays.first { $0.name == name } }
    guard (1...8).contains(axes.count), axes.allSatisfy({ $0.count > 0 }), let first = fields.first,
      let sampleCount = array(first.place)?.shape.first
    else {
      throw DatasetError.damaged(
        path: path, reason: "its description names no axis or no field that is there")
    }
    let grid = axes.map(\.count)
    let sources = try fields.map { field in
      let inner = (field.timeVarying ? [frames] : []) + grid
      guard let array = array(field.place),
        [[], [1]].contains(where: { array.shape == [sampleCount] + $0 + inner })
      else {
        throw DatasetError.damaged(
          path: path,
          reason: "the field '\(field.name)' has shape \(array(field.place)?.shape ?? []), "
            + "not \([sampleCount] + inner) as described")
      }
      let channel: [AxisRole] = array.shape.count > inner.count + 1 ? [.fixed(0)] : []
      let roles =
        [.sample] + channel + (field.timeVarying ? [AxisRole.time] : []) + grid.indices.map { .grid($0) }
      return ForeignDataset.Field(
        description: .init(name: field.name, isTimeVarying: field.timeVarying, unit: field.unit),
        source: RetypedField(source: try array.field(roles), storedType: field.type))
    }
    return try ForeignDataset(
      path: path, layout: layout, name: name, title: title, equation: equation,
      axes: try axes.enumerated().map { number, axis in
        guard let points = try coordinates(number, axis.count) else {
          return .init(name: axis.name, count: axis.count, isPeriodic: axis.periodic)
        }
        return .init(name: axis.name, coordinates: points, isPeriodic: axis.periodic, unit: axis.unit)
      },
      times: frames == 0 ? [] : try coordinates(nil, frames), frameCount: frames, fields: sources,
      sampleCount: sampleCount, boundaryConditions: boundaryConditions, parameters: parameters, notes: notes,
      interleavesSamples: arrays.contains(where: \.interleavesSamples), provenance: provenance,
      createdAt: createdAt)
  }

  /// The same with coordinates among the arrays: `dimensions/x`, and `dimensions/time` or `t`.
  func dataset(_ arrays: [NamedArray], path: String, layout: FileLayout, notes: [String]) throws
    -> ForeignDataset
  {
    try dataset(arrays, path: path, layout: layout, notes: notes) { axis, count in
      let names = axis.map { [Self.folder + axes[$0].name] } ?? [Self.folder + "time", "t"]
      guard let array = arrays.first(where: { names.contains($0.name) }) else { return nil }
      guard array.shape == [count] else {
        throw DatasetError.damaged(
          path: path, reason: "'\(array.name)' has shape \(array.shape), not [\(count)]")
      }
      return try array.numbers()
    }
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
