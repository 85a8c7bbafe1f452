import Archives

/// A dictionary of tensors written by `torch.save`: a zip archive with a pickle and one member per storage.
///
/// Tensors may be views: neuraloperator's bundled files have the samples fastest and begin in the middle of their
/// storage.
struct TorchFile {
  let arrays: [NamedArray]
  let notes: [String]

  /// Whether an archive is one.
  static func recognizes(_ archive: ZipArchive) -> Bool {
    archive.members.contains { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }
  }

  /// Reads which tensors there are.
  ///
  /// - Throws: `ArchiveError`, `DatasetError` if the file is damaged or anything but a dictionary of tensors.
  init(_ archive: ZipArchive) throws {
    let path = archive.path
    let pickles = archive.members.filter { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }
    guard pickles.count == 1, let member = pickles.first else {
      throw DatasetError.damaged(path: path, reason: "it has \(pickles.count) members data.pkl")
    }
    let prefix = String(member.name.dropLast("data.pkl".count))
    let pickle: Pickle
    do {
      pickle = try Pickle(archive.bytes(of: member, limit: 1 << 24))
    } catch let refusal as Pickle.Refusal {
      throw DatasetError.notReadable(path: path, reason: refusal.reason)
    }
    var isSwapped = false
    if let order = archive.member(prefix + "byteorder") {
      isSwapped = try archive.bytes(of: order, limit: 16).starts(with: Array("big".utf8))
    }
    var arrays: [NamedArray] = []
    var others: [String] = []
    for (key, value) in pickle.entries {
      switch value {
      case .tensor(let tensor):
        arrays.append(NamedArray(key, try Self.array(tensor, key, archive, prefix, isSwapped: isSwapped)))
      case .integer(let integer): arrays.append(NamedArray(key, Self.constant(Double(integer))))
      case .number(let number): arrays.append(NamedArray(key, Self.constant(number)))
      default: others.append(key)
      }
    }
    guard Set(arrays.map(\.name)).count == arrays.count else {
      throw DatasetError.damaged(path: path, reason: "two tensors have one name")
    }
    self.arrays = arrays
    notes = others.isEmpty ? [] : ["left out, because they are no tensors: \(others.joined(separator: ", "))"]
  }

  private static func array(
    _ tensor: Pickle.Tensor, _ key: String, _ archive: ZipArchive, _ prefix: String, isSwapped: Bool
  ) throws -> StridedArray {
    func damaged(_ reason: String) -> DatasetError {
      .damaged(path: archive.path, reason: "the tensor '\(key)' \(reason)")
    }
    let storage = tensor.storage
    guard let member = archive.member("\(prefix)data/\(storage.key)") else { throw damaged("has no storage") }
    guard member.isStored else {
      throw damaged("is compressed, which torch.save never does; save it again")
    }
    let size = storage.type.byteCount
    guard storage.count <= 1 << 48, member.size == storage.count * size else {
      throw damaged("has a storage of \(member.size) bytes for \(storage.count) numbers")
    }
    guard tensor.shape.count == tensor.strides.count, tensor.shape.count <= 16,
      let count = checkedProduct(tensor.shape), tensor.offset >= 0, tensor.offset <= storage.count
    else { throw damaged("has the shape \(tensor.shape) and strides \(tensor.strides)") }
    guard count <= storage.count else {
      throw damaged("has more elements than are stored; save a clone of it")
    }
    var last = tensor.offset
    for (length, stride) in zip(tensor.shape, tensor.strides) where length > 1 {
      let (step, overflow) = (length - 1).multipliedReportingOverflow(by: stride)
      let (next, overflows) = last.addingReportingOverflow(step)
      guard !overflow, !overflows, stride >= 0 else { throw damaged("has the strides \(tensor.strides)") }
      last = next
    }
    guard count == 0 || last < storage.count else { throw damaged("reaches beyond its storage") }
    // The stride of an axis of one place means nothing and may be anything.
    let strides = zip(tensor.shape, tensor.strides).map { $0 > 1 ? $1 : 1 }
    return StridedArray(
      shape: tensor.shape, strides: strides, encoding: storage.type, isSwapped: isSwapped,
      start: tensor.offset * size, open: { try archive.reader(of: member) })
  }

  /// A plain number of the dictionary, as an array of one.
  private static func constant(_ value: Double) -> StridedArray {
    StridedArray(shape: [1], strides: [1], encoding: .float64, start: 0) { ConstantReader(value) }
  }
}

/// The bytes of one number.
private final class ConstantReader: ByteReader {
  let count = 8
  private let value: Double

  init(_ value: Double) { self.value = value }

  func read(at position: Int, into target: UnsafeMutableRawBufferPointer) throws {
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes in
      target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[position..<position + target.count]))
    }
  }
}
