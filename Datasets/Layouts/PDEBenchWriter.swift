import HDF5
import Tensors

/// Writes the layouts of PDEBench: `tensor` for one field in one dimension, `nu` and `tensor` for Darcy, a dataset per
/// field for the rest.
struct PDEBenchWriter {
  let transfer: Transfer
  let path: String

  init(_ transfer: Transfer, path: String) {
    self.transfer = transfer
    self.path = path
  }

  func write() throws {
    let description = transfer.description
    guard description.axes.count <= 3 else {
      throw DatasetError.invalidSelection(path: path, reason: "PDEBench has at most three axes")
    }
    let names = self.names(description)
    try HDF5File.write(to: path, overwriting: true) { file in
      let root = file.root
      for parameter in description.parameters where !Self.reserved.contains(parameter.name) {
        try root.attributes.set(parameter.name, parameter.value)
      }
      let embedded = EmbeddedDescription(transfer.source, places: names)
      try root.attributes.set(EmbeddedDescription.name, embedded.text())
      for (axis, name) in zip(description.axes, ["x", "y", "z"]) {
        guard let coordinates = axis.coordinates else { continue }
        try root.createDataset("\(name)-coordinate", coordinates)
      }
      if let times = description.times, let last = times.last {
        // One more than there are frames, as in the published files.
        let step = times.count > 1 ? last - times[times.count - 2] : 1
        try root.createDataset("t-coordinate", times + [last + step])
      }
      for ((field, type), name) in zip(transfer.fields, names) {
        try write(field, type, as: name, isDarcy: names.contains("nu"), to: root)
      }
    }
    transfer.report.places = zip(description.fields, names).filter { $0.name != $1 }.map { ($0.name, $1) }
    transfer.report.hidden = EmbeddedDescription.hidden(
      description, isShown: (equation: false, conditions: false, parameters: true, coordinates: true))
  }

  /// Attributes that are no parameters.
  private static let reserved: Set<String> = [EmbeddedDescription.name]

  /// How the fields are called in the file.
  private func names(_ description: DatasetDescription) -> [String] {
    let varying = description.fields.map(\.isTimeVarying)
    if description.axes.count == 1, varying == [true] { return ["tensor"] }
    if description.axes.count == 2, varying == [false, false] { return ["nu", "tensor"] }
    return description.fields.map(\.name)
  }

  private func write(
    _ field: DatasetDescription.FieldDescription, _ type: StoredType, as name: String, isDarcy: Bool,
    to root: HDF5Group
  ) throws {
    let grid = transfer.description.grid
    let channel = isDarcy && name == "tensor" ? [1] : []
    let shape =
      [transfer.source.sampleCount] + channel + (field.isTimeVarying ? [transfer.description.frameCount] : [])
      + grid
    let dataset =
      switch type {
      case .float64: try root.createDataset(name, of: Double.self, shape: shape)
      case .int64: try root.createDataset(name, of: Int64.self, shape: shape)
      case .uint64: try root.createDataset(name, of: UInt64.self, shape: shape)
      case .int32: try root.createDataset(name, of: Int32.self, shape: shape)
      case .uint32: try root.createDataset(name, of: UInt32.self, shape: shape)
      default: try root.createDataset(name, of: Float.self, shape: shape)
      }
    for part in transfer.parts(of: field, type) {
      let part = try part()
      let slab = HDF5Slab(
        start: [part.samples.lowerBound] + channel.map { _ in 0 }
          + (field.isTimeVarying ? [part.frames.lowerBound] : []) + grid.map { _ in 0 },
        count: [part.samples.count] + channel + (field.isTimeVarying ? [part.frames.count] : []) + grid)
      switch part.numbers {
      case .single(let tensor): try tensor.withUnsafeBuffer { try dataset.write($0, slab) }
      case .double(let tensor): try tensor.withUnsafeBuffer { try dataset.write($0, slab) }
      }
    }
  }
}
