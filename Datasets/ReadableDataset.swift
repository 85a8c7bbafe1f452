import Files
import Tensors

/// How a dataset lies in a file.
public enum FileLayout: String, Codable, Sendable, CaseIterable {
  /// The Well's, in HDF5: what `generate` writes.
  case well
  /// PDEBench's, in HDF5.
  case pdebench
  /// MATLAB's, version 5 or 7.3, as the files of the FNO paper.
  case matlab
  /// neuraloperator's: a dictionary of tensors written by `torch.save`.
  case neuralop
  /// Arrays of numpy in a zip archive, or a single one.
  case npz
}

/// A dataset in a file of any layout, read in parts.
///
/// `openDataset` finds out which layout a file has. What a file does not say about itself is nil or empty in
/// the description.
public protocol ReadableDataset: Sendable {
  /// The path of the file.
  var path: String { get }
  /// How the dataset lies in the file.
  var layout: FileLayout { get }
  /// What the file says that it holds.
  var description: DatasetDescription { get }
  /// How many samples there are.
  var sampleCount: Int { get }
  /// What the stored numbers are, in the order of the description's fields.
  var storedTypes: [StoredType] { get }
  /// What of the file is left out, or understood by convention only: one line each.
  var notes: [String] { get }
  /// Where the dataset comes from, if the file says so.
  var provenance: DatasetProvenance? { get }
  /// When the file was made (ISO 8601), if it says so.
  var createdAt: String? { get }
  /// Whether neighbouring samples lie together in the file, so that reading one costs as much as reading many.
  var interleavesSamples: Bool { get }

  /// The numbers of a field, or of a part of it, in single precision.
  ///
  /// - Parameters:
  ///   - field: Its name.
  ///   - samples: The positions of the samples in the file.
  ///   - frames: The positions of the times, in any order; nil for all. Ignored for a steady field.
  ///   - stride: Keeps every stride-th point of every axis.
  ///   - requiresFinite: Whether a number that is not finite is an error.
  /// - Returns: `[sample, time, ...grid]`; a steady field has one time.
  /// - Throws: `DatasetError` if there is no such part, the stride would lose a boundary (or, on a periodic
  ///   axis, the period), or a number is not finite; `HDF5Error` or `DatasetError` if the file is damaged.
  func read(
    field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
  ) throws -> Tensor<Float>

  /// The same in double precision.
  func readDouble(
    field: String, samples: Range<Int>, frames: [Int]?, stride: Int, requiresFinite: Bool
  ) throws -> Tensor<Double>

  /// The seconds that solving every sample took, or nil if the file does not say.
  func solveSeconds() throws -> [Double]?

  /// A checksum of all fields of all samples, or of the whole file, for manifests; nil if there is none.
  func contentChecksum() throws -> UInt32?
}

extension ReadableDataset {
  /// The numbers of a field, or of a part of it, all of them finite, in single precision.
  public func read(
    field: String, samples: Range<Int>, frames: [Int]? = nil, stride: Int = 1
  ) throws -> Tensor<Float> {
    try read(field: field, samples: samples, frames: frames, stride: stride, requiresFinite: true)
  }

  /// The numbers of a field, or of a part of it, all of them finite, in double precision.
  public func readDouble(
    field: String, samples: Range<Int>, frames: [Int]? = nil, stride: Int = 1
  ) throws -> Tensor<Double> {
    try readDouble(field: field, samples: samples, frames: frames, stride: stride, requiresFinite: true)
  }

  /// The recorded times, empty if no field varies in time; nil if the file does not say when its frames are.
  public var times: [Double]? { description.times }

  /// The coordinates of an axis, every stride-th, or nil if the file does not say where its points are.
  public func coordinates(axis: Int, stride: Int = 1) -> [Double]? {
    description.axes[axis].strided(by: stride).coordinates
  }

  /// All samples in runs of about `bytes` bytes of one field in double precision, to be read one after another.
  ///
  /// Where samples are interleaved in the file every run costs a pass over it, so runs are longer there.
  public func sampleRuns(of field: DatasetDescription.FieldDescription, bytes: Int? = nil) -> [Range<Int>] {
    let bytes = bytes ?? (interleavesSamples ? 1 << 28 : 1 << 22)
    let size = 8 * description.shape(of: field).reduce(1, *)
    let length = max(1, bytes / size)
    return stride(from: 0, to: sampleCount, by: length).map { $0..<min(sampleCount, $0 + length) }
  }
}
