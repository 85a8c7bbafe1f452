import Archives

/// Writes an archive of numpy's arrays: the fields by their names, `[sample, time, ...grid]`.
struct NumPyWriter {
  let transfer: Transfer
  let path: String

  init(_ transfer: Transfer, path: String) {
    self.transfer = transfer
    self.path = path
  }

  func write() throws {
    let description = transfer.description
    var members: [ZipWriter.Member] = []
    for (field, type) in transfer.fields {
      guard field.name != EmbeddedDescription.name else {
        throw DatasetError.invalidSelection(
          path: path, reason: "a field is called '\(field.name)'; rename it")
      }
      // numpy has no bfloat16; single precision holds all of its numbers.
      let stored = type == .bfloat16 ? .float32 : type
      let shape = [transfer.source.sampleCount] + description.shape(of: field)
      let header = Self.header(Self.descriptor(of: stored), shape: shape)
      let member = transfer.member("\(field.name).npy", header: header, field, type, as: stored)
      members.append(.init(name: member.name, size: member.size, next: member.next))
    }
    for axis in description.axes {
      if let coordinates = axis.coordinates { members.append(Self.member(axis.name, coordinates)) }
    }
    if let times = description.times, !times.isEmpty { members.append(Self.member("time", times)) }
    members.append(Self.text(try EmbeddedDescription(transfer.source, places: nil).text()))
    try ZipWriter.write(members, to: path)
    transfer.report.hidden = EmbeddedDescription.hidden(
      description, isShown: (equation: false, conditions: false, parameters: false, coordinates: true))
  }

  private static func member(_ name: String, _ values: [Double]) -> ZipWriter.Member {
    let bytes = values.withUnsafeBufferPointer { StoredType.float64.encode($0) } ?? []
    return .init(
      name: "\(EmbeddedDescription.folder)\(name).npy",
      bytes: header(descriptor(of: .float64), shape: [values.count]) + bytes)
  }

  /// A text as numpy stores it: four bytes a character.
  private static func text(_ text: String) -> ZipWriter.Member {
    let scalars = Array(text.unicodeScalars)
    let bytes = scalars.flatMap { scalar in
      (0..<4).map { UInt8(truncatingIfNeeded: scalar.value >> (8 * $0)) }
    }
    return .init(
      name: "\(EmbeddedDescription.name).npy", bytes: header("<U\(scalars.count)", shape: []) + bytes)
  }

  /// Version 1.0 of the format: the length is padded so that the numbers are aligned to 64 bytes.
  static func header(_ descriptor: String, shape: [Int]) -> [UInt8] {
    let lengths = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(lengths)), }"
    let start = 10
    text += String(repeating: " ", count: 63 - (start + text.utf8.count) % 64) + "\n"
    let length = text.utf8.count
    return NumPyHeader.magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + Array(text.utf8)
  }

  private static func descriptor(of type: StoredType) -> String {
    switch type {
    case .bool: "|b1"
    case .int8: "|i1"
    case .uint8: "|u1"
    case .int16: "<i2"
    case .int32: "<i4"
    case .int64: "<i8"
    case .uint16: "<u2"
    case .uint32: "<u4"
    case .uint64: "<u8"
    case .float16: "<f2"
    case .bfloat16, .float32: "<f4"
    case .float64: "<f8"
    }
  }
}
