import Tensors

/// A dataset with what its file does not say, or says in other words: names, coordinates, times, parameters.
///
/// Nothing is copied; the numbers are read from the file when they are asked for.
public struct AdaptedDataset: ReadableDataset {
  /// Some frames of a field of the file.
  public struct Piece: Sendable, Equatable {
    /// The field in the file.
    public var field: String
    /// How many frames it has; 1 for a steady field.
    public var frameCount: Int

    /// All frames of a field.
    public init(field: String, frameCount: Int) {
      self.field = field
      self.frameCount = frameCount
    }
  }

  /// A field that is made of fields of the file, one after another in time.
  public struct Field: Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Whether it varies in time.
    public var isTimeVarying: Bool
    /// What it is made of.
    public var pieces: [Piece]
    /// Its unit.
    public var unit: String?

    /// A field.
    public init(name: String, isTimeVarying: Bool, pieces: [Piece], unit: String? = nil) {
      self.name = name
      self.isTimeVarying = isTimeVarying
      self.pieces = pieces
      self.unit = unit
    }
  }

  /// What it says that it holds.
  public let description: DatasetDescription
  /// What the numbers of every field are.
  public let storedTypes: [StoredType]
  private let base: any ReadableDataset
  private let fields: [Field]

  /// A dataset with another description.
  ///
  /// - Parameter fields: Where the numbers of the description's fields are, in their order.
  public init(_ base: any ReadableDataset, description: DatasetDescription, fields: [Field]) {
    precondition(description.fields.map(\.name) == fields.map(\.name), "fields that are not described")
    precondition(description.grid == base.description.grid, "another grid")
    self.base = base
    self.description = description
    self.fields = fields
    let types = Dictionary(
      uniqueKeysWithValues: zip(base.description.fields.map(\.name), base.storedTypes))
    // Pieces of one type keep it; others need one that holds all their numbers.
    storedTypes = fields.map { field in
      let found = Set(field.pieces.compactMap { types[$0.field] })
      return found.count == 1 ? found.first ?? .float64 : found.allSatisfy(\.fitsSingle) ? .float32 : .float64
    }
  }

  /// The path of the file.
  public var path: String { base.path }
  /// The layout of the file.
  public var layout: FileLayout { base.layout }
  /// How many samples there are.
  public var sampleCount: Int { base.sampleCount }
  /// What of the file is left out.
  public var notes: [String] { base.notes }
  /// Where the dataset comes from, if the file says so.
  public var provenance: DatasetProvenance? { base.provenance }
  /// When the file was made.
  public var createdAt: String? { base.createdAt }
  /// Whether neighbouring samples lie together.
  public var interleavesSamples: Bool { base.interleavesSamples }

  /// The numbers of a field in single precision.
  public func read(
    field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
  ) throws -> Tensor<Float> {
    try assembled(field, frames) { name, frames in
      try base.read(
        field: name, samples: samples, frames: frames, stride: stride, requiresFinite: requiresFinite)
    }
  }

  /// The numbers of a field in double precision.
  public func readDouble(
    field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
  ) throws -> Tensor<Double> {
    try assembled(field, frames) { name, frames in
      try base.readDouble(
        field: name, samples: samples, frames: frames, stride: stride, requiresFinite: requiresFinite)
    }
  }

  /// The seconds that solving every sample took, if the file says so.
  public func solveSeconds() throws -> [Double]? { try base.solveSeconds() }

  /// A checksum of the file.
  public func contentChecksum() throws -> UInt32? { try base.contentChecksum() }

  private func assembled<Scalar: TensorScalar>(
    _ name: String, _ frames: [Int]?, _ read: (String, [Int]?) throws -> Tensor<Scalar>
  ) throws -> Tensor<Scalar> {
    guard let field = fields.first(where: { $0.name == name }) else {
      let names = fields.map { "'\($0.name)'" }.joined(separator: ", ")
      throw DatasetError.invalidSelection(path: path, reason: "no field '\(name)' (it holds: \(names))")
    }
    if field.pieces.count == 1 { return try read(field.pieces[0].field, frames) }
    let count = field.pieces.reduce(0) { $0 + $1.frameCount }
    let wanted = frames ?? Array(0..<count)
    if let wrong = wanted.first(where: { !(0..<count).contains($0) }) {
      throw DatasetError.invalidSelection(
        path: path, reason: "there is no time \(wrong): '\(name)' has \(count)")
    }
    // Each piece is read once; then the frames are put into their places.
    var parts: [(tensor: Tensor<Scalar>, places: [Int])] = []
    var first = 0
    for piece in field.pieces {
      let own = first..<first + piece.frameCount
      first = own.upperBound
      let places = wanted.indices.filter { own.contains(wanted[$0]) }
      guard !places.isEmpty || wanted.isEmpty else { continue }
      parts.append((try read(piece.field, places.map { wanted[$0] - own.lowerBound }), places))
    }
    let shape = parts[0].tensor.shape
    let size = shape.dropFirst(2).reduce(1, *)
    return Tensor(shape: [shape[0], wanted.count] + shape.dropFirst(2)) { target in
      for (tensor, places) in parts {
        // A steady field has one frame, however many are asked for.
        let held = tensor.shape[1]
        tensor.withUnsafeBuffer { source in
          for sample in 0..<shape[0] {
            for (index, place) in places.enumerated() {
              let start = (sample * held + min(index, held - 1)) * size
              let position = (sample * wanted.count + place) * size
              _ = UnsafeMutableBufferPointer(rebasing: target[position..<position + size])
                .update(fromContentsOf: source[start..<start + size])
            }
          }
        }
      }
    }
  }
}
