import HDF5

/// The layout of dataset files: The Well's groups and attributes, and HDF5 dimension scales.
///
/// `dimensions`, `boundary_conditions`, `scalars`, `t0_fields` (scalars), `t1_fields` (vectors) and
/// `t2_fields` (tensors) are there even when empty; booleans are h5py's; every field has the dimension scales
/// `sample`, `time` and those of its axes, by which xarray and netCDF-4 name its dimensions. The scales lie in
/// `dimensions` and have a second name each in the top group, where netCDF-4 finds them.
enum DatasetLayout {
  static let fieldGroups = ["t0_fields", "t1_fields", "t2_fields"]
  static let checksums = "provenance/checksum"
  static let seconds = "provenance/solve_seconds"
  static let seeds = "provenance/sample_seed"
  /// The attributes of a shard: its number and how many there are; how many samples they have together.
  static let shard = "shard"
  static let total = "dataset_samples"
  /// Where The Well has the coordinates, which are the dimension scales.
  static let scales = "dimensions"
  /// The attribute of coordinates that are only numbers from 0 on, because the real ones are not known.
  static let isUnknown = "is_unknown"

  /// The attribute of a field that says what its numbers were where the dataset was converted from.
  static let storedType = "stored_type"

  private static func numbers(_ count: Int) -> [Double] { (0..<count).map(Double.init) }

  /// What is to be in a file.
  struct Contents {
    var description: DatasetDescription
    /// The number of every sample in its series; nil if it is not known, then they are counted from 0.
    var seeds: [UInt64]?
    var sampleCount: Int
    /// The precision of every field.
    var precisions: [StoredPrecision]
    var provenance: DatasetProvenance?
    /// The program that writes the file.
    var software: String
    /// Whether there is to be space for the seconds that each sample took.
    var hasSeconds: Bool
  }

  /// Writes everything but the fields' numbers, with the space for them.
  static func create(
    in file: HDF5File, _ identity: DatasetIdentity, createdAt: String, deflate: Int? = nil
  ) throws {
    let samples = identity.samples[0]..<identity.samples[1]
    let contents = Contents(
      description: identity.description, seeds: samples.map { UInt64($0) }, sampleCount: samples.count,
      precisions: identity.description.fields.map { _ in identity.precision },
      provenance: identity.provenance,
      software: identity.provenance.software, hasSeconds: true)
    try create(in: file, contents, createdAt: createdAt, deflate: deflate)
  }

  /// The same for a dataset that may come from elsewhere.
  static func create(
    in file: HDF5File, _ contents: Contents, createdAt: String, deflate: Int? = nil
  ) throws {
    let root = file.root
    let (description, sampleCount) = (contents.description, contents.sampleCount)
    try root.attributes.set("dataset_name", description.name)
    try root.attributes.set("grid_type", "cartesian")
    try root.attributes.set("n_spatial_dims", description.axes.count)
    try root.attributes.set("n_trajectories", sampleCount)
    try root.attributes.set("simulation_parameters", description.parameters.map(\.name))
    for parameter in description.parameters { try root.attributes.set(parameter.name, parameter.value) }
    try root.attributes.set("title", description.title)
    try root.attributes.set("equation", description.equation)
    if let provenance = contents.provenance {
      try root.attributes.set("solver", provenance.solver)
      try root.attributes.set("config", provenance.config)
      try root.attributes.set("seed", provenance.seed)
    }
    try root.attributes.set("software", contents.software)
    try root.attributes.set("created_at", createdAt)
    if let shard = contents.provenance?.shard {
      try root.attributes.set(Self.shard, [shard.index, shard.count])
      try root.attributes.set(total, shard.total)
    }

    let numbers = contents.seeds?.map { Int64(clamping: $0) } ?? (0..<Int64(sampleCount)).map { $0 }
    try createDimensions(in: root, description, samples: numbers)
    try createBoundaryConditions(in: root, description)

    let scalars = try root.createGroup("scalars")
    try scalars.attributes.set("field_names", description.parameters.map(\.name))
    for parameter in description.parameters {
      let dataset = try scalars.createDataset(parameter.name, [parameter.value], shape: [])
      try dataset.attributes.set("sample_varying", false)
      try dataset.attributes.set("time_varying", false)
    }

    for group in fieldGroups {
      let names = group == "t0_fields" ? description.fields.map(\.name) : []
      try root.createGroup(group).attributes.set("field_names", names)
    }
    for (field, precision) in zip(description.fields, contents.precisions) {
      try createField(
        in: root, description, field, sampleCount: sampleCount, precision: precision, deflate: deflate)
    }

    var perSample: [HDF5Dataset] = []
    if let seeds = contents.seeds {
      let dataset = try root.createDataset(Self.seeds, seeds)
      try dataset.attributes.set(
        "description", "number of the sample: with the root attribute 'seed' the key of its generator")
      perSample.append(dataset)
    }
    if contents.hasSeconds {
      let dataset = try root.createDataset(
        seconds, of: Double.self, shape: [sampleCount],
        layout: HDF5Layout(isAllocatedEarly: true, fillValue: .nan))
      try dataset.attributes.set("units", "s")
      perSample.append(dataset)
    }
    let checksums = try root.createDataset(
      checksums, of: UInt32.self, shape: [sampleCount], layout: HDF5Layout(isAllocatedEarly: true))
    try checksums.attributes.set(
      "description", "zlib.crc32 of the sample's little-endian bytes in every field, in order of field_names")
    perSample.append(checksums)
    let sampleScale = try root.dataset("\(scales)/sample")
    for dataset in perSample { try dataset.attach(sampleScale, toAxis: 0, label: "sample") }
  }

  private static func createDimensions(
    in root: HDF5Group, _ description: DatasetDescription, samples: [Int64]
  ) throws {
    let dimensions = try root.createGroup(scales)
    try dimensions.attributes.set("spatial_dims", description.axes.map(\.name))
    // A steady dataset has one time, as The Well demands.
    let known = description.frameCount == 0 ? [0] : description.times
    let time = try dimensions.createDataset("time", known ?? numbers(description.frameCount))
    if known == nil { try time.attributes.set(isUnknown, true) }
    let sample = try dimensions.createDataset("sample", samples)
    var datasets = [(name: "time", dataset: time), (name: "sample", dataset: sample)]
    for axis in description.axes {
      let dataset = try dimensions.createDataset(axis.name, axis.coordinates ?? numbers(axis.count))
      if axis.coordinates == nil { try dataset.attributes.set(isUnknown, true) }
      if let unit = axis.unit { try dataset.attributes.set("units", unit) }
      datasets.append((axis.name, dataset))
    }
    for (name, dataset) in datasets {
      try dataset.attributes.set("sample_varying", false)
      // The times vary in time: The Well's checker derives the shape from this.
      try dataset.attributes.set("time_varying", name == "time")
      try dataset.makeDimensionScale(named: name)
      // netCDF-4 and h5netcdf look for dimensions in a variable's group and those above it only.
      try root.link(name, to: "\(scales)/\(name)")
    }
  }

  private static func createBoundaryConditions(
    in root: HDF5Group, _ description: DatasetDescription
  ) throws {
    let conditions = try root.createGroup("boundary_conditions")
    for condition in description.boundaryConditions {
      let group = try conditions.createGroup(condition.name)
      try group.attributes.set("associated_dims", condition.axes)
      try group.attributes.set("associated_fields", condition.fields)
      try group.attributes.set("bc_type", condition.kind.rawValue)
      try group.attributes.set("sample_varying", false)
      try group.attributes.set("time_varying", false)
      let shape = condition.axes.map { name in
        description.axes.first { $0.name == name }?.count ?? 0
      }
      try group.createDataset("mask", boundaryMask(shape), shape: shape)
    }
  }

  /// True at the points of a grid that are first or last along an axis.
  static func boundaryMask(_ shape: [Int]) -> [Bool] {
    (0..<shape.reduce(1, *)).map { offset in
      var rest = offset
      return shape.reversed().contains { length in
        let index = rest % length
        rest /= length
        return index == 0 || index == length - 1
      }
    }
  }

  private static func createField(
    in root: HDF5Group, _ description: DatasetDescription, _ field: DatasetDescription.FieldDescription,
    sampleCount: Int, precision: StoredPrecision, deflate: Int?
  ) throws {
    let shape = description.shape(of: field)
    let layout = HDF5Layout(
      chunks: chunk(of: shape, isTimeVarying: field.isTimeVarying, elementSize: precision.byteCount),
      isShuffled: deflate != nil, deflate: deflate, hasChecksums: true, isAllocatedEarly: deflate == nil)
    let path = "t0_fields/\(field.name)"
    let dataset =
      switch precision {
      case .single:
        try root.createDataset(path, of: Float.self, shape: [sampleCount] + shape, layout: layout)
      case .double:
        try root.createDataset(path, of: Double.self, shape: [sampleCount] + shape, layout: layout)
      }
    try dataset.attributes.set("dim_varying", description.axes.map { _ in true })
    try dataset.attributes.set("sample_varying", true)
    try dataset.attributes.set("time_varying", field.isTimeVarying)
    if let unit = field.unit { try dataset.attributes.set("units", unit) }
    let names = ["sample"] + (field.isTimeVarying ? ["time"] : []) + description.axes.map(\.name)
    for (axis, name) in names.enumerated() {
      try dataset.attach(root.dataset("\(scales)/\(name)"), toAxis: axis, label: name)
    }
  }

  /// One sample and a run of frames of at most a megabyte (or one frame), all runs about equally long.
  static func chunk(of shape: [Int], isTimeVarying: Bool, elementSize: Int) -> [Int] {
    guard isTimeVarying else { return [1] + shape }
    let frame = shape.dropFirst().reduce(elementSize, *)
    let longest = max(1, (1 << 20) / max(1, frame))
    let runs = (shape[0] + longest - 1) / longest
    return [1, (shape[0] + runs - 1) / max(1, runs)] + shape.dropFirst()
  }
}
