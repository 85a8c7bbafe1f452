import CHDF5

/// A group: named groups and datasets, and attributes.
///
/// Paths are relative to the group, their parts separated by `/`.
public struct HDF5Group: Sendable {
  let identifier: Identifier
  let file: OpenFile
  /// The path in the file, without a leading `/`; empty for the top group.
  public let path: String

  init(_ identifier: Identifier, path: String, in file: OpenFile) {
    self.identifier = identifier
    self.path = path
    self.file = file
  }

  /// The attributes of the group.
  public var attributes: HDF5Attributes {
    HDF5Attributes(identifier: identifier, file: file, owner: path.isEmpty ? "the file" : "'\(path)'")
  }

  /// What a name in a group stands for.
  public enum Member: Sendable, Equatable {
    /// A group.
    case group
    /// A dataset.
    case dataset
    /// A named type, or a link that leads nowhere.
    case other
  }

  /// The names in the group, in order of creation where the file keeps it, else of the alphabet.
  public func memberNames() throws -> [String] {
    try Library.perform {
      try file.check()
      var information = H5G_info_t()
      guard H5Gget_info(identifier.number, &information) >= 0 else { throw failure("cannot be listed") }
      var index = H5_INDEX_NAME
      let creation = H5Gget_create_plist(identifier.number)
      if creation >= 0 {
        var order: UInt32 = 0
        if H5Pget_link_creation_order(creation, &order) >= 0 && order == chdf5_creation_order() {
          index = H5_INDEX_CRT_ORDER
        }
        H5Pclose(creation)
      }
      return try (0..<information.nlinks).map { position in
        let length = H5Lget_name_by_idx(identifier.number, ".", index, H5_ITER_INC, position, nil, 0, 0)
        guard length >= 0 else { throw failure("cannot be listed") }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: length + 1) { buffer in
          H5Lget_name_by_idx(
            identifier.number, ".", index, H5_ITER_INC, position, buffer.baseAddress, length + 1, 0)
          return String(cString: buffer.baseAddress!)
        }
      }
    }
  }

  /// What a path leads to; nil if there is nothing.
  public func member(_ path: String) throws -> Member? {
    try Library.perform {
      try file.check()
      guard exists(path) else { return nil }
      let object = H5Oopen(identifier.number, path, 0)
      guard object >= 0 else { return .other }
      defer { H5Oclose(object) }
      switch H5Iget_type(object) {
      case H5I_GROUP: return .group
      case H5I_DATASET: return .dataset
      default: return .other
      }
    }
  }

  /// The group at a path.
  ///
  /// - Throws: `HDF5Error` of kind `wrongContent` that lists what there is instead.
  public func group(_ path: String) throws -> HDF5Group {
    try Library.perform {
      guard try member(path) == .group else { throw missing("group", path) }
      return try opened(path)
    }
  }

  /// The dataset at a path.
  ///
  /// - Throws: `HDF5Error` of kind `wrongContent` that lists the datasets there are.
  public func dataset(_ path: String) throws -> HDF5Dataset {
    try Library.perform {
      guard try member(path) == .dataset else { throw missing("dataset", path) }
      let number = H5Dopen2(identifier.number, path, 0)
      guard number >= 0 else { throw failure("cannot open dataset '\(path)'", kind: .corrupt) }
      let dataset = try HDF5Dataset(
        Identifier(number, in: file, closedBy: H5Dclose), path: joined(path), in: file)
      if !file.isWritable { try dataset.checkStorage() }
      return dataset
    }
  }

  /// The group at a path, created with the groups on the way to it if they are not there.
  public func createGroup(_ path: String) throws -> HDF5Group {
    try Library.perform {
      try file.check()
      var result = self
      for name in path.split(separator: "/").map(String.init) {
        if try result.member(name) == .group {
          result = try result.opened(name)
        } else {
          result = try result.createDirectly(name)
        }
      }
      return result
    }
  }

  /// Creates a dataset for numbers or truth values, with the groups on the way to it; its elements are zero.
  ///
  /// - Parameters:
  ///   - path: Where; must be free.
  ///   - type: What the elements are.
  ///   - shape: The length of every axis, slowest first; empty for a single number.
  ///   - layout: Chunks, filters, filling.
  public func createDataset<Scalar: HDF5Scalar>(
    _ path: String, of type: Scalar.Type, shape: [Int], layout: HDF5Layout = HDF5Layout()
  ) throws -> HDF5Dataset {
    try createDataset(path, kind: Scalar.elementKind, shape: shape, layout: layout)
  }

  /// Creates a dataset of numbers with its elements in row-major order.
  @discardableResult
  public func createDataset<Scalar: HDF5Scalar>(
    _ path: String, _ values: [Scalar], shape: [Int]? = nil, layout: HDF5Layout = HDF5Layout()
  ) throws -> HDF5Dataset {
    let dataset = try createDataset(path, of: Scalar.self, shape: shape ?? [values.count], layout: layout)
    try dataset.write(values)
    return dataset
  }

  /// Creates a dataset of text.
  @discardableResult
  public func createDataset(
    _ path: String, _ values: [String], layout: HDF5Layout = HDF5Layout()
  ) throws -> HDF5Dataset {
    let dataset = try createDataset(path, kind: .string, shape: [values.count], layout: layout)
    try dataset.write(values)
    return dataset
  }

  /// Gives an object a second name: a hard link, so that both are the same.
  public func link(_ path: String, to existing: String) throws {
    try Library.perform {
      try file.check()
      guard H5Lcreate_hard(identifier.number, existing, identifier.number, path, 0, 0) >= 0 else {
        throw failure("cannot link '\(path)' to '\(existing)'", kind: .writeFailed)
      }
    }
  }

  /// The paths of all datasets in the group and the groups below it.
  public func datasetPaths() throws -> [String] {
    try Library.perform {
      var paths: [String] = []
      var visited: Set<UInt64> = []
      try collectDatasets(prefix: "", depth: 0, visited: &visited, into: &paths)
      return paths
    }
  }

  /// Hard links may go in circles, so every group is entered once.
  private func collectDatasets(
    prefix: String, depth: Int, visited: inout Set<UInt64>, into paths: inout [String]
  ) throws {
    guard depth < 64, visited.insert(try address()).inserted else { return }
    for name in try memberNames() where paths.count < 10_000 {
      switch try member(name) {
      case .dataset: paths.append(prefix + name)
      case .group:
        try opened(name).collectDatasets(
          prefix: "\(prefix)\(name)/", depth: depth + 1, visited: &visited, into: &paths)
      default: break
      }
    }
  }

  /// Where the group lies in the file: the same for all its names.
  private func address() throws -> UInt64 {
    let address = chdf5_object_address(identifier.number)
    guard address != .max else { throw failure("cannot be read") }
    return UInt64(address)
  }

  private func createDataset(
    _ path: String, kind: HDF5ElementKind, shape: [Int], layout: HDF5Layout
  ) throws -> HDF5Dataset {
    try Library.perform {
      try file.check()
      var parent = self
      var name = path
      if let slash = path.lastIndex(of: "/") {
        parent = try createGroup(String(path[..<slash]))
        name = String(path[path.index(after: slash)...])
      }
      guard try parent.member(name) == nil else {
        throw HDF5Error(
          .alreadyExists, path: file.path, object: joined(path),
          "'\(joined(path))' exists already in the file")
      }
      let type = kind.makeFileType()
      let space = layout.makeSpace(shape)
      let creation = layout.makeProperties(kind: kind, shape: shape)
      defer {
        H5Tclose(type)
        H5Sclose(space)
        H5Pclose(creation)
      }
      let number = withExtendedLifetime(parent) {
        H5Dcreate2(parent.identifier.number, name, type, space, 0, creation, 0)
      }
      guard number >= 0 else {
        throw failure("cannot create dataset '\(joined(path))'", kind: .writeFailed)
      }
      return try HDF5Dataset(
        Identifier(number, in: file, closedBy: H5Dclose), path: joined(path), in: file)
    }
  }

  private func createDirectly(_ name: String) throws -> HDF5Group {
    let creation = H5Pcreate(chdf5_H5P_GROUP_CREATE())
    defer { H5Pclose(creation) }
    H5Pset_link_creation_order(creation, chdf5_creation_order())
    H5Pset_attr_creation_order(creation, chdf5_creation_order())
    let number = H5Gcreate2(identifier.number, name, 0, creation, 0)
    guard number >= 0 else { throw failure("cannot create group '\(joined(name))'", kind: .writeFailed) }
    return HDF5Group(Identifier(number, in: file, closedBy: H5Gclose), path: joined(name), in: file)
  }

  private func opened(_ path: String) throws -> HDF5Group {
    let number = H5Gopen2(identifier.number, path, 0)
    guard number >= 0 else { throw failure("cannot open group '\(path)'", kind: .corrupt) }
    return HDF5Group(Identifier(number, in: file, closedBy: H5Gclose), path: joined(path), in: file)
  }

  /// Whether every part of the path is there; HDF5 reports an error if one before the last is not.
  private func exists(_ path: String) -> Bool {
    var prefix = ""
    for name in path.split(separator: "/") {
      prefix += prefix.isEmpty ? String(name) : "/\(name)"
      guard H5Lexists(identifier.number, prefix, 0) > 0 else { return false }
      guard H5Oexists_by_name(identifier.number, prefix, 0) > 0 else { return prefix == path }
    }
    return true
  }

  private func joined(_ name: String) -> String { path.isEmpty ? name : "\(path)/\(name)" }

  private func missing(_ what: String, _ name: String) -> HDF5Error {
    let found = (try? what == "dataset" ? datasetPaths() : memberNames()) ?? []
    let list = found.isEmpty ? "nothing" : found.prefix(12).map { "'\(joined($0))'" }.joined(separator: ", ")
    let rest = found.count > 12 ? " and \(found.count - 12) more" : ""
    let place = path.isEmpty ? "it holds" : "'\(path)' holds"
    return HDF5Error(
      .wrongContent, path: file.path, object: joined(name),
      "no \(what) '\(joined(name))' (\(place): \(list)\(rest))")
  }

  private func failure(_ what: String, kind: HDF5Error.Kind = .corrupt) -> HDF5Error {
    let owner = path.isEmpty ? "" : "'\(path)' "
    return Library.failure(kind, file.path, path, owner + what)
  }
}
