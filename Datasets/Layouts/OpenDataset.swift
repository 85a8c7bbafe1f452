import Archives
import HDF5
import Tensors

/// Opens a dataset of any layout; which it is, is seen from the content, not from the name.
///
/// - Parameters:
///   - path: The file.
///   - timeAxis: Where the time axis of the fields with most axes is, for files whose shapes do not tell.
/// - Throws: `HDF5Error`, `ArchiveError` or `DatasetError` if there is no such file, or it is damaged or holds no
///   dataset.
public func openDataset(_ path: String, timeAxis: TimeAxis? = nil) throws -> any ReadableDataset {
  let dataset = try openAnyLayout(path, timeAxis: timeAxis)
  // Fields have an axis of samples and one of times, too.
  let (axes, most) = (dataset.description.axes.count, Shape.longest - 2)
  guard axes <= most else {
    throw DatasetError.notReadable(path: path, reason: "its grid has \(axes) axes, at most \(most) are read")
  }
  return dataset
}

private func openAnyLayout(_ path: String, timeAxis: TimeAxis?) throws -> any ReadableDataset {
  let file = try FileReader(opening: path)
  let start = try file.bytes(at: 0, count: min(128, file.count))
  if try isHDF5(file) { return try openHDF5(path, timeAxis: timeAxis) }
  if start.starts(with: [0x50, 0x4B]) { return try openArchive(path, timeAxis: timeAxis) }
  if start.starts(with: NumPyHeader.magic) {
    let conventions = ArrayConventions(path: path, layout: .npz, usual: .first, given: timeAxis)
    let array = try NumPyFile(file, name: "data")
    return try conventions.dataset(array.arrays, notes: array.notes)
  }
  if MATFile.recognizes(start) {
    let conventions = ArrayConventions(path: path, layout: .matlab, usual: .last, given: timeAxis)
    let variables = try MATFile(file)
    return try conventions.dataset(variables.arrays, notes: variables.notes)
  }
  if start.starts(with: [0x80, 0x02]) || start.starts(with: [0x80, 0x04]) {
    throw DatasetError.notReadable(
      path: path,
      reason: "a bare pickle, which may run anything; save its tensors with torch.save of PyTorch 1.6 on")
  }
  throw DatasetError.notReadable(
    path: path,
    reason: file.count == 0
      ? "it is empty"
      : "it begins as none of HDF5, MATLAB (5 and 7.3), PyTorch (zip) and numpy (npy, npz) files do")
}

/// Whether HDF5's signature is where it may be: at 0, or at 512 times a power of two.
private func isHDF5(_ file: FileReader) throws -> Bool {
  let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
  var position = 0
  while position <= file.count - signature.count {
    if try file.bytes(at: position, count: signature.count) == signature { return true }
    position = position == 0 ? 512 : 2 * position
  }
  return false
}

private func openArchive(_ path: String, timeAxis: TimeAxis?) throws -> any ReadableDataset {
  let archive = try ZipArchive(opening: path)
  if TorchFile.recognizes(archive) {
    let tensors = try TorchFile(archive)
    if let text = tensors.text {
      return try EmbeddedDescription(text, path: path)
        .dataset(tensors.arrays, path: path, layout: .neuralop, notes: tensors.notes)
    }
    return try ArrayConventions(path: path, layout: .neuralop, usual: .first, given: timeAxis)
      .dataset(tensors.arrays, notes: tensors.notes)
  }
  let arrays = try NumPyFile(archive)
  if let text = arrays.text {
    return try EmbeddedDescription(text, path: path)
      .dataset(arrays.arrays, path: path, layout: .npz, notes: arrays.notes)
  }
  // Arrays named as the FNO paper's variables have their axes in its order.
  let isPaper = arrays.arrays.contains { $0.name == "a" } && arrays.arrays.contains { $0.name == "u" }
  return try ArrayConventions(path: path, layout: .npz, usual: isPaper ? .last : .first, given: timeAxis)
    .dataset(arrays.arrays, notes: arrays.notes)
}

private func openHDF5(_ path: String, timeAxis: TimeAxis?) throws -> any ReadableDataset {
  let file = try HDF5File(opening: path)
  let root = file.root
  if try root.member("t0_fields") == .group || root.member("dimensions") == .group {
    return try DatasetFile(file)
  }
  if let dataset = try PDEBenchFile.open(path, root) { return dataset }
  var variables: [NamedArray] = []
  var tensors: [NamedArray] = []
  var others: [String] = []
  for name in try root.memberNames().prefix(1000) where try root.member(name) == .dataset {
    let dataset = try root.dataset(name)
    guard let stored = StoredType(dataset.elementKind), try !dataset.shape().isEmpty else {
      others.append(name)
      continue
    }
    guard try dataset.attributes.contains("MATLAB_class") else {
      tensors.append(try NamedArray(name, dataset, storedType: stored, isReversed: false))
      continue
    }
    switch try dataset.attributes.string("MATLAB_class") {
    case "logical": variables.append(try NamedArray(name, dataset, storedType: .bool, isReversed: true))
    case "char", "cell", "struct", "function_handle": others.append(name)
    default: variables.append(try NamedArray(name, dataset, storedType: stored, isReversed: true))
    }
  }
  let notes =
    others.isEmpty
    ? [] : ["left out, because they are no arrays of numbers: \(others.joined(separator: ", "))"]
  if !variables.isEmpty {
    return try ArrayConventions(path: path, layout: .matlab, usual: .last, given: timeAxis)
      .dataset(variables, notes: notes)
  }
  // The layout that neuraloperator reads from HDF5.
  if Set(tensors.map(\.name)).isSuperset(of: ["x", "y"]) {
    return try ArrayConventions(path: path, layout: .neuralop, usual: .first, given: timeAxis)
      .dataset(tensors, notes: notes)
  }
  let paths = try root.datasetPaths()
  let list = paths.prefix(8).map { "'\($0)'" }.joined(separator: ", ")
  throw DatasetError.notReadable(
    path: path,
    reason: "an HDF5 file of no layout that is known here (it holds: \(paths.isEmpty ? "nothing" : list))")
}
