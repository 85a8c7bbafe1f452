import Files
import Foundation
import Tensors

/// What a conversion did.
public struct ConversionReport: Sendable {
  /// How many samples were written.
  public var samples = 0
  /// The bytes of the fields.
  public var bytes = 0
  /// How many numbers were not finite.
  public var nonFinite = 0
  /// What other programs will not find in the file, in a few words; nil if they will find all.
  public var hidden: String?
  /// Where the fields are, if they have other names there: from name to place.
  public var places: [(field: String, place: String)] = []
}

/// Writes a dataset in a layout, whole or not at all, in parts that fit into memory.
///
/// Numbers keep their bits: their type is that of the source wherever the layout has it, and a wider one that holds
/// every number where not. What the layout has no place for goes into a `description` (a text of JSON) beside the
/// fields, which this library reads and others ignore.
///
/// - Parameters:
///   - source: What is written.
///   - path: The file; an existing one is replaced.
///   - layout: `well`, `pdebench`, `neuralop` or `npz`.
///   - software: The program, for files that say it.
///   - progress: Called with how many bytes are done and how many there are; what it throws ends the work.
/// - Throws: `DatasetError` if the layout cannot hold the dataset, or what reading and writing throw.
@discardableResult
public func writeDataset(
  _ source: any ReadableDataset, to path: String, layout: FileLayout, software: String,
  progress: @escaping (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
) throws -> ConversionReport {
  let transfer = Transfer(source, progress: progress)
  switch layout {
  case .well: try WellWriter(transfer, path: path, software: software).write()
  case .pdebench: try PDEBenchWriter(transfer, path: path).write()
  case .neuralop: try TorchWriter(transfer, path: path).write()
  case .npz: try NumPyWriter(transfer, path: path).write()
  case .matlab:
    throw DatasetError.invalidSelection(path: path, reason: "datasets are not written as MATLAB files")
  }
  transfer.report.samples = source.sampleCount
  return transfer.report
}

/// A dataset on its way into another file: counts, and reads in parts.
final class Transfer {
  let source: any ReadableDataset
  var report = ConversionReport()
  private let progress: (Int, Int) throws -> Void
  private let total: Int

  /// Some of a field's numbers.
  enum Numbers {
    case single(Tensor<Float>)
    case double(Tensor<Double>)
  }

  /// A part of a field: samples and frames.
  struct Part {
    let samples: Range<Int>
    /// Of a steady field 0..<1.
    let frames: Range<Int>
    let numbers: Numbers
  }

  init(_ source: any ReadableDataset, progress: @escaping (Int, Int) throws -> Void) {
    self.source = source
    self.progress = progress
    total = zip(source.description.fields, source.storedTypes).reduce(0) { total, field in
      total + source.sampleCount * source.description.shape(of: field.0).reduce(1, *) * field.1.byteCount
    }
  }

  var description: DatasetDescription { source.description }

  /// Fields with what their numbers are.
  var fields: [(field: DatasetDescription.FieldDescription, type: StoredType)] {
    Array(zip(description.fields, source.storedTypes))
  }

  /// The parts of a field, in the order of samples and frames.
  ///
  /// - Parameter frames: Which frames; nil for all.
  func parts(
    of field: DatasetDescription.FieldDescription, _ type: StoredType, frames: Range<Int>? = nil
  ) -> AnyIterator<() throws -> Part> {
    // A pass over an interleaved file is dear, so its parts are as large as they may be.
    let bytes = (source.interleavesSamples ? 1 << 28 : 1 << 24) * (type.fitsSingle ? 2 : 1)
    var runs = source.runs(of: field, frames: frames, bytes: bytes).makeIterator()
    return AnyIterator { [self] in
      runs.next().map { run in { try self.read(field, type, run.samples, run.frames) } }
    }
  }

  private func read(
    _ field: DatasetDescription.FieldDescription, _ type: StoredType, _ samples: Range<Int>,
    _ frames: Range<Int>
  ) throws -> Part {
    let numbers: Numbers
    let count: Int
    if type.fitsSingle {
      let tensor = try source.read(
        field: field.name, samples: samples, frames: Array(frames), stride: 1, requiresFinite: false)
      count = tensor.count
      report.nonFinite += tensor.withUnsafeBuffer { allFinite($0) ? 0 : $0.count { !$0.isFinite } }
      numbers = .single(tensor)
    } else {
      let tensor = try source.readDouble(
        field: field.name, samples: samples, frames: Array(frames), stride: 1, requiresFinite: false)
      count = tensor.count
      report.nonFinite += tensor.withUnsafeBuffer { allFinite($0) ? 0 : $0.count { !$0.isFinite } }
      if type == .int64 || type == .uint64 {
        // Numbers are read as double precision, which holds whole ones up to here.
        guard tensor.withUnsafeBuffer({ $0.allSatisfy { $0.magnitude < 0x1p53 } }) else {
          throw DatasetError.notReadable(
            path: source.path,
            reason: "'\(field.name)' holds whole numbers beyond 2^53, which would be rounded")
        }
      }
      numbers = .double(tensor)
    }
    report.bytes += count * type.byteCount
    try progress(min(report.bytes, total), total)
    return Part(samples: samples, frames: frames, numbers: numbers)
  }

  /// The bytes of a part in some type.
  ///
  /// - Throws: `DatasetError` if a number of the source is none of its type.
  func bytes(_ part: Part, as type: StoredType, field: String) throws -> [UInt8] {
    let bytes =
      switch part.numbers {
      case .single(let tensor):
        type.fitsSingle
          ? tensor.withUnsafeBuffer { type.encode($0) }
          : Tensor<Double>(converting: tensor).withUnsafeBuffer { type.encode($0) }
      case .double(let tensor): tensor.withUnsafeBuffer { type.encode($0) }
      }
    guard let bytes else {
      throw DatasetError.damaged(
        path: source.path,
        reason: "'\(field)' holds numbers that are no \(type.rawValue), as it says they are")
    }
    return bytes
  }

  /// A source of a member of an archive: a field's bytes behind some others.
  func member(
    _ name: String, header: [UInt8], _ field: DatasetDescription.FieldDescription, _ type: StoredType,
    as stored: StoredType, frames: Range<Int>? = nil
  ) -> (name: String, size: Int, next: () throws -> [UInt8]) {
    let frameCount = frames?.count ?? (field.isTimeVarying ? description.frameCount : 1)
    let size = source.sampleCount * frameCount * description.grid.reduce(1, *) * stored.byteCount
    let parts = parts(of: field, type, frames: frames)
    var isFirst = !header.isEmpty
    return (
      name, header.count + size,
      {
        if isFirst {
          isFirst = false
          return header
        }
        guard let part = parts.next() else { return [] }
        return try self.bytes(part(), as: stored, field: field.name)
      }
    )
  }
}
