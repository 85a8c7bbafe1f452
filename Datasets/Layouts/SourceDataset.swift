import Archives
import Tensors

/// A dataset whose fields are read from sources: selection, checks and striding are the same for all layouts.
protocol SourceDataset: ReadableDataset {
  /// The numbers of a field, or nil if there is none of this name.
  func source(of field: String) -> (any FieldSource)?
}

extension SourceDataset {
  /// The numbers of a field, or of a part of it, in single precision.
  public func read(
    field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
  ) throws -> Tensor<Float> {
    let selection = try Selection(self, field, samples, frames, stride)
    let result: Tensor<Float> = try selection.read { try $0.read($1, into: $2) }
    if requiresFinite { try selection.requireFinite(result, allFinite) }
    return result
  }

  /// The same in double precision.
  public func readDouble(
    field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
  ) throws -> Tensor<Double> {
    let selection = try Selection(self, field, samples, frames, stride)
    let result: Tensor<Double> = try selection.read { try $0.read($1, into: $2) }
    if requiresFinite { try selection.requireFinite(result, allFinite) }
    return result
  }
}

/// What is read of a field.
private struct Selection {
  let path: String
  let field: String
  let source: any FieldSource
  let part: FieldPart
  /// The wanted frames by their places in the part, if they are not as they are there.
  let order: [Int]?

  init(
    _ dataset: some SourceDataset, _ name: String, _ samples: Range<Int>, _ frames: [Int]?, _ stride: Int
  ) throws {
    path = dataset.path
    field = name
    let description = dataset.description
    func invalid(_ reason: String) -> DatasetError { .invalidSelection(path: dataset.path, reason: reason) }
    guard let field = description.fields.first(where: { $0.name == name }),
      let source = dataset.source(of: name)
    else {
      let names = description.fields.map { "'\($0.name)'" }.joined(separator: ", ")
      throw invalid("no field '\(name)' (it holds: \(names))")
    }
    self.source = source
    guard samples.lowerBound >= 0, samples.upperBound <= dataset.sampleCount else {
      throw invalid(
        "samples \(samples.lowerBound) to \(samples.upperBound - 1) are asked for, "
          + "but it has \(dataset.sampleCount)")
    }
    for axis in description.axes {
      // Of an axis that may be either, both are allowed.
      let intervals = axis.isPeriodic == false ? axis.count - 1 : axis.count
      let isAllowed =
        stride >= 1 && (intervals % stride == 0 || axis.isPeriodic == nil && (axis.count - 1) % stride == 0)
      guard stride == 1 || isAllowed && intervals >= stride else {
        throw invalid("stride \(stride) does not divide the \(intervals) intervals of axis \(axis.name)")
      }
    }
    let frameCount = field.isTimeVarying ? description.frameCount : 1
    let wanted = field.isTimeVarying ? frames ?? Array(0..<frameCount) : [0]
    if let wrong = wanted.first(where: { !(0..<frameCount).contains($0) }) {
      throw invalid("there is no time \(wrong): '\(name)' has \(frameCount)")
    }
    let ascending = Set(wanted).sorted()
    part = FieldPart(samples: samples, frames: ascending, grid: description.grid, stride: stride)
    order = ascending == wanted ? nil : wanted.map { frame in ascending.firstIndex(of: frame) ?? 0 }
  }

  func read<Scalar: TensorScalar>(
    _ body: (any FieldSource, FieldPart, UnsafeMutableBufferPointer<Scalar>) throws -> Void
  ) throws -> Tensor<Scalar> {
    let shape = [part.samples.count, part.frames.count] + part.kept
    guard let count = checkedProduct(shape), count <= 1 << 44, let shape = Shape(exactly: shape) else {
      throw DatasetError.damaged(path: path, reason: "'\(field)' has shape \(shape)")
    }
    let result = try Tensor<Scalar>(shape: shape) { target in
      if !target.isEmpty { try body(source, part, target) }
    }
    guard let order else { return result }
    let size = part.frameSize
    return Tensor(shape: [part.samples.count, order.count] + part.kept) { target in
      result.withUnsafeBuffer { source in
        var position = 0
        for sample in 0..<part.samples.count {
          for frame in order {
            let start = (sample * part.frames.count + frame) * size
            _ = UnsafeMutableBufferPointer(rebasing: target[position..<position + size])
              .update(fromContentsOf: source[start..<start + size])
            position += size
          }
        }
      }
    }
  }

  func requireFinite<Scalar: TensorScalar>(
    _ result: Tensor<Scalar>, _ isFinite: (UnsafeBufferPointer<Scalar>) -> Bool
  ) throws {
    try result.withUnsafeBuffer { values in
      guard !isFinite(values) else { return }
      let size = values.count / part.samples.count
      let first = part.samples.first { sample in
        let start = (sample - part.samples.lowerBound) * size
        return !isFinite(UnsafeBufferPointer(rebasing: values[start..<start + size]))
      }
      throw DatasetError.nonFinite(path: path, field: field, sample: first ?? part.samples.lowerBound)
    }
  }
}

/// A dataset in a file of a layout other than The Well's, understood field by field.
struct ForeignDataset: SourceDataset {
  /// One field with its numbers.
  struct Field: Sendable {
    let description: DatasetDescription.FieldDescription
    let source: any FieldSource
  }

  let path: String
  let layout: FileLayout
  let description: DatasetDescription
  let sampleCount: Int
  let storedTypes: [StoredType]
  let notes: [String]
  let provenance: DatasetProvenance?
  let createdAt: String?
  let interleavesSamples: Bool
  private let sources: [String: any FieldSource]

  /// A dataset of these fields.
  ///
  /// - Throws: `DatasetError.damaged` if the parts do not fit together.
  init(
    path: String, layout: FileLayout, name: String = "", title: String = "", equation: String = "",
    axes: [DatasetDescription.Axis], times: [Double]?, frameCount: Int, fields: [Field], sampleCount: Int,
    boundaryConditions: [DatasetDescription.BoundaryCondition]? = nil,
    parameters: [DatasetDescription.Parameter] = [], notes: [String] = [], interleavesSamples: Bool = false,
    provenance: DatasetProvenance? = nil, createdAt: String? = nil
  ) throws {
    let names = fields.map(\.description)
    if let problem = DatasetDescription.problem(
      axes: axes, times: times, frameCount: frameCount, fields: names, parameters: parameters)
    {
      throw DatasetError.damaged(path: path, reason: problem)
    }
    guard sampleCount > 0 else { throw DatasetError.damaged(path: path, reason: "it has no samples") }
    self.path = path
    self.layout = layout
    description = DatasetDescription(
      name: name, title: title, equation: equation, axes: axes, times: times, frameCount: frameCount,
      fields: names, boundaryConditions: boundaryConditions, parameters: parameters)
    self.sampleCount = sampleCount
    storedTypes = fields.map(\.source.storedType)
    sources = Dictionary(uniqueKeysWithValues: fields.map { ($0.description.name, $0.source) })
    self.notes = notes
    self.interleavesSamples = interleavesSamples
    self.provenance = provenance
    self.createdAt = createdAt
    for field in names {
      guard let size = checkedProduct(description.shape(of: field)),
        let all = checkedProduct([size, sampleCount]),
        all <= 1 << 56
      else {
        throw DatasetError.damaged(
          path: path, reason: "'\(field.name)' has shape \(description.shape(of: field))")
      }
    }
  }

  func source(of field: String) -> (any FieldSource)? { sources[field] }

  func solveSeconds() throws -> [Double]? { nil }

  /// A checksum of the whole file.
  func contentChecksum() throws -> UInt32? {
    let file = try FileReader(opening: path)
    var checksum = Checksum()
    var position = 0
    try withUnsafeTemporaryAllocation(byteCount: 1 << 20, alignment: 16) { buffer in
      while position < file.count {
        let part = UnsafeMutableRawBufferPointer(
          rebasing: buffer[0..<min(buffer.count, file.count - position)])
        try file.read(at: position, into: part)
        checksum.update(UnsafeRawBufferPointer(part))
        position += part.count
      }
    }
    return checksum.value
  }
}
