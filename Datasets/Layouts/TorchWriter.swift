import Archives

/// Writes a dictionary of tensors that `torch.load(weights_only=True)` opens: `x`, `y` and what belongs to them, as
/// neuraloperator's files have it.
struct TorchWriter {
  let transfer: Transfer
  let path: String

  init(_ transfer: Transfer, path: String) {
    self.transfer = transfer
    self.path = path
  }

  /// A tensor to be written.
  private struct Entry {
    let name: String
    let type: StoredType
    let shape: [Int]
    /// The next bytes of its storage.
    let next: () throws -> [UInt8]
  }

  func write() throws {
    let description = transfer.description
    let names = self.names(description)
    var entries: [Entry] = []
    if description.fields.count == 1, let (field, type) = transfer.fields.first, field.isTimeVarying {
      // The input is the first frame of the solution.
      entries.append(entry("x", field, type, frames: 0..<1))
    }
    for ((field, type), name) in zip(transfer.fields, names) {
      entries.append(entry(name, field, type, frames: nil))
    }
    if let viscosity = description.parameters.first(where: { ["viscosity", "nu", "visc"].contains($0.name) })
    {
      entries.append(Self.entry("visc", [viscosity.value], shape: [1, 1]))
    }
    if let times = description.times, !times.isEmpty {
      entries.append(Self.entry("t", times, shape: [times.count]))
    }
    for axis in description.axes {
      guard let coordinates = axis.coordinates else { continue }
      entries.append(
        Self.entry(EmbeddedDescription.folder + axis.name, coordinates, shape: [coordinates.count]))
    }
    let text = try EmbeddedDescription(transfer.source, places: names).text()
    let folder = "archive/"
    let members =
      [
        ZipWriter.Member(name: folder + "data.pkl", bytes: Self.pickle(entries, text: text)),
        ZipWriter.Member(name: folder + "byteorder", bytes: Array("little".utf8)),
      ]
      + entries.enumerated().map { number, entry in
        ZipWriter.Member(
          name: "\(folder)data/\(number)", size: entry.shape.reduce(entry.type.byteCount, *), next: entry.next
        )
      } + [ZipWriter.Member(name: folder + "version", bytes: Array("3\n".utf8))]
    try ZipWriter.write(members, to: path)
    transfer.report.places = zip(description.fields, names).filter { $0.name != $1 }.map { ($0.name, $1) }
    transfer.report.hidden = EmbeddedDescription.hidden(
      description, isShown: (equation: false, conditions: false, parameters: false, coordinates: false))
  }

  /// How the fields are called in the file: `x` and `y` where there is an input and an output.
  private func names(_ description: DatasetDescription) -> [String] {
    let varying = description.fields.map(\.isTimeVarying)
    switch varying {
    case [true]: return ["y"]
    case [false, false], [false, true]: return ["x", "y"]
    default: return description.fields.map(\.name)
    }
  }

  private func entry(
    _ name: String, _ field: DatasetDescription.FieldDescription, _ type: StoredType, frames: Range<Int>?
  ) -> Entry {
    let stored = Self.stored(type)
    let grid = transfer.description.grid
    let time = field.isTimeVarying && frames == nil ? [transfer.description.frameCount] : []
    let member = transfer.member(name, header: [], field, type, as: stored, frames: frames)
    return Entry(
      name: name, type: stored, shape: [transfer.source.sampleCount] + time + grid, next: member.next)
  }

  private static func entry(_ name: String, _ values: [Double], shape: [Int]) -> Entry {
    var bytes = values.withUnsafeBufferPointer { StoredType.float64.encode($0) } ?? []
    return Entry(name: name, type: .float64, shape: shape) {
      defer { bytes = [] }
      return bytes
    }
  }

  /// PyTorch's files have no unsigned numbers of more than 8 bits; the next larger signed ones hold them.
  private static func stored(_ type: StoredType) -> StoredType {
    switch type {
    case .uint16: .int32
    case .uint32, .uint64: .int64
    default: type
    }
  }

  // MARK: - The pickle

  /// The dictionary in version 2 of the format: as `torch.save` writes it, without memo.
  private static func pickle(_ entries: [Entry], text: String) -> [UInt8] {
    var bytes: [UInt8] = [0x80, 2, UInt8(ascii: "}"), UInt8(ascii: "(")]
    func add(_ text: String) {
      bytes.append(UInt8(ascii: "X"))
      withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian) { bytes.append(contentsOf: $0) }
      bytes.append(contentsOf: text.utf8)
    }
    func add(_ integer: Int) {
      if let small = Int32(exactly: integer) {
        bytes.append(UInt8(ascii: "J"))
        withUnsafeBytes(of: small.littleEndian) { bytes.append(contentsOf: $0) }
      } else {
        bytes += [0x8A, 8]
        withUnsafeBytes(of: Int64(integer).littleEndian) { bytes.append(contentsOf: $0) }
      }
    }
    func addFunction(_ module: String, _ name: String) { bytes += Array("c\(module)\n\(name)\n".utf8) }
    func addTuple(_ integers: [Int]) {
      bytes.append(UInt8(ascii: "("))
      for integer in integers { add(integer) }
      bytes.append(UInt8(ascii: "t"))
    }
    for (number, entry) in entries.enumerated() {
      let count = entry.shape.reduce(1, *)
      add(entry.name)
      addFunction("torch._utils", "_rebuild_tensor_v2")
      bytes += [UInt8(ascii: "("), UInt8(ascii: "(")]
      add("storage")
      addFunction("torch", storage(entry.type))
      add(String(number))
      add("cpu")
      add(count)
      bytes += [UInt8(ascii: "t"), UInt8(ascii: "Q")]
      add(0)
      addTuple(entry.shape)
      addTuple(StridedArray.strides(of: entry.shape, isFortran: false))
      bytes.append(0x89)  // requires_grad: false
      addFunction("collections", "OrderedDict")
      bytes += [UInt8(ascii: ")"), UInt8(ascii: "R"), UInt8(ascii: "t"), UInt8(ascii: "R")]
    }
    add(EmbeddedDescription.name)
    add(text)
    return bytes + [UInt8(ascii: "u"), UInt8(ascii: ".")]
  }

  private static func storage(_ type: StoredType) -> String {
    switch type {
    case .bool: "BoolStorage"
    case .int8: "CharStorage"
    case .uint8: "ByteStorage"
    case .int16: "ShortStorage"
    case .int32, .uint16: "IntStorage"
    case .int64, .uint32, .uint64: "LongStorage"
    case .float16: "HalfStorage"
    case .bfloat16: "BFloat16Storage"
    case .float32: "FloatStorage"
    case .float64: "DoubleStorage"
    }
  }
}
